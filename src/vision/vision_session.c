#include "vision/vision_session.h"

#include "base/alloc.h"
#include "vision/session_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum gm_status gm_session_fail(const struct gm_compiled *m, enum gm_status code, ov_status_e rc,
                               const char *what, struct gm_error *err)
{
    const char *info = m->ov.ov_get_error_info(rc);
    const char *more = m->ov.ov_get_last_err_msg(); /* a copy that is ours */
    if (more && gm_openvino_lacks_memory(more)) {
        code = GM_ENOMEM;
        what = "out of memory";
    }
    GM_FAIL(err, code, "%s: %s (%s%s%.600s)", m->path, what, info ? info : "unknown error",
            more && more[0] ? ": " : "", more ? more : "");
    if (more)
        m->ov.ov_free(more);
    return code;
}

enum gm_status gm_session_dims(const struct gm_session_tensor *t, int64_t dims[GM_SESSION_RANK_MAX],
                               struct gm_error *err)
{
    if (t->rank > GM_SESSION_RANK_MAX)
        return GM_FAIL(err, GM_ESHAPE, "tensor %s: rank %zu, the most is %d", t->name, t->rank,
                       (int)GM_SESSION_RANK_MAX);
    for (size_t i = 0; i < t->rank; i++)
        dims[i] = (int64_t)t->dims[i];
    return GM_OK;
}

static void drop_held(struct gm_session *s, struct gm_session_lane *l)
{
    for (size_t i = 0; i < l->n_held; i++)
        s->m->ov.ov_tensor_free(l->held[i]);
    l->n_held = 0;
}

void gm_session_free(struct gm_session *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_lanes; i++) {
        drop_held(s, &s->lanes[i]);
        if (s->lanes[i].request)
            s->m->ov.ov_infer_request_free(s->lanes[i].request);
    }
    gm_shared_drop(&s->held);
    gm_free(s);
}

/* Ports may have several names, of which the lists of them tell one. False: there is no such input. */
static bool type_of_input(const struct gm_session *s, const char *name, ov_element_type_e *type)
{
    ov_output_const_port_t *port = NULL;
    bool has = s->m->ov.ov_compiled_model_input_by_name(s->m->compiled, name, &port) == OK;
    if (!has || s->m->ov.ov_port_get_element_type(port, type) != OK)
        *type = F32;
    if (port)
        s->m->ov.ov_output_const_port_free(port);
    return has;
}

/* The tensor's numbers as the model has them: f32 are shared, whole numbers and truth values copied. */
static ov_status_e to_tensor(const struct gm_session *s, const struct gm_session_tensor *t,
                             ov_element_type_e type, ov_shape_t shape, ov_tensor_t **out)
{
    void *data = NULL;
    size_t n = 1;
    for (size_t i = 0; i < t->rank; i++)
        n *= t->dims[i];
    if (type != I64 && type != I32 &&
        type != BOOLEAN) /* the runtime only reads; its C has no const */
        return s->m->ov.ov_tensor_create_from_host_ptr(F32, shape, (void *)(uintptr_t)t->data, out);
    ov_status_e rc = s->m->ov.ov_tensor_create(type, shape, out);
    if (rc == OK)
        rc = s->m->ov.ov_tensor_data(*out, &data);
    for (size_t i = 0; i < n && rc == OK; i++) {
        if (type == I64)
            ((int64_t *)data)[i] = (int64_t)t->data[i];
        else if (type == I32)
            ((int32_t *)data)[i] = (int32_t)t->data[i];
        else
            ((uint8_t *)data)[i] = t->data[i] != 0;
    }
    return rc;
}

static enum gm_status set_input(struct gm_session *s, struct gm_session_lane *l,
                                const struct gm_session_tensor *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    int64_t dims[GM_SESSION_RANK_MAX];
    ov_shape_t shape = {0};
    ov_tensor_t *tensor = NULL;
    ov_element_type_e type;
    (void)type_of_input(s, t->name, &type); /* the runtime tells where there is no such input */
    GM_TRY(gm_session_dims(t, dims, err));
    ov_status_e rc = s->m->ov.ov_shape_create((int64_t)t->rank, dims, &shape);
    if (rc == OK)
        rc = to_tensor(s, t, type, shape, &tensor);
    if (rc == OK)
        rc = s->m->ov.ov_infer_request_set_tensor(l->request, t->name, tensor);
    if (rc != OK) {
        char what[128];
        snprintf(what, sizeof what, "input '%.80s' does not fit", t->name);
        st = gm_session_fail(s->m, GM_ESHAPE, rc, what, err);
    }
done:
    if (tensor)
        s->m->ov.ov_tensor_free(tensor); /* the request keeps its own reference */
    if (shape.dims)
        s->m->ov.ov_shape_free(&shape);
    return st;
}

static enum gm_status get_output(struct gm_session *s, struct gm_session_lane *l,
                                 struct gm_session_tensor *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    ov_tensor_t *tensor = NULL;
    ov_shape_t shape = {0};
    ov_element_type_e type = DYNAMIC;
    void *data = NULL;
    ov_status_e rc = s->m->ov.ov_infer_request_get_tensor(l->request, t->name, &tensor);
    if (rc != OK) {
        char what[128];
        snprintf(what, sizeof what, "has no output '%.80s'", t->name);
        st = gm_session_fail(s->m, GM_EMODEL, rc, what, err);
        goto done;
    }
    l->held[l->n_held++] = tensor;
    rc = s->m->ov.ov_tensor_get_element_type(tensor, &type);
    if (rc == OK)
        rc = s->m->ov.ov_tensor_get_shape(tensor, &shape);
    if (rc == OK)
        rc = s->m->ov.ov_tensor_data(tensor, &data);
    if (rc != OK || type != F32 || shape.rank < 0 || shape.rank > GM_SESSION_RANK_MAX) {
        st = GM_FAIL(err, GM_ESHAPE, "%s: output '%s' is no f32 tensor of rank 0 to %d", s->m->path,
                     t->name, (int)GM_SESSION_RANK_MAX);
        goto done;
    }
    t->data = data;
    t->rank = (size_t)shape.rank;
    for (size_t i = 0; i < t->rank; i++)
        t->dims[i] = (size_t)shape.dims[i];
done:
    if (shape.dims)
        s->m->ov.ov_shape_free(&shape);
    return st;
}

const struct gm_session_port *gm_session_inputs(const struct gm_session *s, size_t *n)
{
    *n = s->m->inputs.n;
    return s->m->inputs.items;
}

const struct gm_session_port *gm_session_outputs(const struct gm_session *s, size_t *n)
{
    *n = s->m->outputs.n;
    return s->m->outputs.items;
}

bool gm_session_has_input(const struct gm_session *s, const char *name)
{
    ov_element_type_e type;
    return type_of_input(s, name, &type);
}

bool gm_session_has_output(const struct gm_session *s, const char *name)
{
    ov_output_const_port_t *port = NULL;
    bool has = s->m->ov.ov_compiled_model_output_by_name(s->m->compiled, name, &port) == OK;
    if (port)
        s->m->ov.ov_output_const_port_free(port);
    return has;
}

size_t gm_session_lanes(const struct gm_session *s) { return s->n_lanes; }

enum gm_status gm_session_run(struct gm_session *s, size_t lane, const struct gm_session_tensor *in,
                              size_t n_in, struct gm_session_tensor *out, size_t n_out,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    assert(lane < s->n_lanes);
    struct gm_session_lane *l = &s->lanes[lane];
    drop_held(s, l);
    if (n_out > GM_SESSION_OUTPUTS_MAX) {
        st = GM_FAIL(err, GM_EARG, "%s: %zu outputs asked for, the most is %d", s->m->path, n_out,
                     (int)GM_SESSION_OUTPUTS_MAX);
        goto done;
    }
    for (size_t i = 0; i < n_in; i++)
        GM_TRY(set_input(s, l, &in[i], err));
    ov_status_e rc = s->m->ov.ov_infer_request_infer(l->request);
    if (rc != OK) {
        st = gm_session_fail(s->m, GM_EMODEL, rc, "the model could not be run", err);
        goto done;
    }
    for (size_t i = 0; i < n_out; i++)
        GM_TRY(get_output(s, l, &out[i], err));
done:
    return st;
}

enum gm_status gm_session_expect(const struct gm_session *s, const struct gm_session_tensor *t,
                                 const size_t *dims, size_t rank, struct gm_error *err)
{
    if (t->rank == rank && memcmp(t->dims, dims, rank * sizeof *dims) == 0)
        return GM_OK;
    char have[256] = "", want[256] = "";
    size_t nh = 0, nw = 0;
    for (size_t i = 0; i < t->rank && nh < 200; i++)
        nh += (size_t)snprintf(have + nh, sizeof have - nh, "%s%zu", i ? "," : "", t->dims[i]);
    for (size_t i = 0; i < rank && nw < 200; i++)
        nw += (size_t)snprintf(want + nw, sizeof want - nw, "%s%zu", i ? "," : "", dims[i]);
    return GM_FAIL(err, GM_ESHAPE, "%s: tensor '%s' has the shape [%s], not [%s]: another model?",
                   s->m->path, t->name, have, want);
}
