#define _GNU_SOURCE /* memfd_create */

#include "vision/vision_session.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/str.h"
#include "vision/openvino_api.h"
#include "vision/prepared.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_OUTPUTS = 16 }; /* of one run */

/* How many operators, prepared for a shape, the runtime keeps: its own default, and with many shapes. */
static const char KERNELS_ALL[] = "5000", KERNELS_KEPT[] = "150";

struct lane {
    ov_infer_request_t *request;
    ov_tensor_t *held[MAX_OUTPUTS]; /* what the outputs of the last run point into */
    size_t n_held;
};

struct ports {
    struct gm_session_port *items;
    ov_element_type_e *types;
    size_t n;
};

struct gm_session {
    struct gm_openvino_api ov;
    char *path;
    ov_core_t *core; /* one a session: creating one takes 2 ms, sharing would need a global */
    struct gm_prepared prepared; /* which `compiled` reads on in */
    ov_compiled_model_t *compiled;
    struct lane lanes[GM_SESSION_LANES_MAX];
    size_t n_lanes;
    struct ports inputs, outputs;
};

/* fail - the runtime's own words, which run over several lines, behind ours. */
static enum gm_status fail(const struct gm_session *s, enum gm_status code, ov_status_e rc,
                           const char *what, struct gm_error *err)
{
    const char *info = s->ov.ov_get_error_info(rc);
    const char *more = s->ov.ov_get_last_err_msg(); /* a copy that is ours */
    if (more && gm_openvino_lacks_memory(more)) {
        code = GM_ENOMEM;
        what = "out of memory";
    }
    GM_FAIL(err, code, "%s: %s (%s%s%.600s)", s->path, what, info ? info : "unknown error",
            more && more[0] ? ": " : "", more ? more : "");
    if (more)
        s->ov.ov_free(more);
    return code;
}

static enum gm_status check_file(const char *path, const struct gm_session_opts *opts,
                                 struct gm_error *err)
{
    enum gm_status st = gm_path_reach(path, err);
    if (st != GM_OK || gm_is_file(path))
        return st;
    if (opts && opts->model)
        return GM_FAIL(err, GM_EMODEL, "%s: no such model file; `gmner models get %s` gets it",
                       path, opts->model);
    return GM_FAIL(err, GM_EMODEL, "%s: no such model file", path);
}

/* Where addresses are short (ulimit -v), the runtime crashes or waits for ever, so they are asked for before,
 * behind the end of the model's file. Measured of its libraries with a detector of 15 MB: 390 MB, and up to
 * 60 MB a thread. */
static enum gm_status check_room(const char *path, struct gm_error *err)
{
    size_t bytes = ((size_t)640 << 20) + gm_threads() * ((size_t)16 << 20);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return GM_FAIL(err, GM_EIO, "%s: cannot open: %s", path, strerror(errno));
    void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return GM_FAIL(err, GM_ENOMEM,
                       "%s: out of memory: the vision runtime takes %zu MB of addresses", path,
                       bytes >> 20);
    munmap(p, bytes);
    return GM_OK;
}

static enum gm_status to_dims(const struct gm_session_tensor *t, int64_t *dims,
                              struct gm_error *err)
{
    if (t->rank > GM_SESSION_RANK_MAX)
        return GM_FAIL(err, GM_ESHAPE, "tensor %s: rank %zu, the most is %d", t->name, t->rank,
                       (int)GM_SESSION_RANK_MAX);
    for (size_t i = 0; i < t->rank; i++)
        dims[i] = (int64_t)t->dims[i];
    return GM_OK;
}

static enum gm_status fix_input(const struct gm_session *s, ov_model_t *model,
                                const struct gm_session_tensor *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    int64_t dims[GM_SESSION_RANK_MAX];
    ov_partial_shape_t shape = {0};
    GM_TRY(to_dims(t, dims, err));
    ov_status_e rc = s->ov.ov_partial_shape_create_static((int64_t)t->rank, dims, &shape);
    if (rc == OK)
        rc = s->ov.ov_model_reshape_input_by_name(model, t->name, shape);
    s->ov.ov_partial_shape_free(&shape);
    if (rc != OK) {
        char what[128];
        snprintf(what, sizeof what, "can't fix the shape of input '%.80s'", t->name);
        st = fail(s, GM_ESHAPE, rc, what, err);
    }
done:
    return st;
}

/* Input i of the model, where its first dim is open, with 1 there. */
static ov_status_e make_one(const struct gm_session *s, ov_model_t *model, size_t i)
{
    ov_output_const_port_t *port = NULL;
    ov_partial_shape_t shape = {0};
    char *name = NULL;
    ov_status_e rc = s->ov.ov_model_const_input_by_index(model, i, &port);
    if (rc == OK)
        rc = s->ov.ov_port_get_any_name(port, &name);
    if (rc == OK)
        rc = s->ov.ov_port_get_partial_shape(port, &shape);
    if (rc == OK && shape.rank.min == shape.rank.max && shape.rank.max == 4 &&
        shape.dims[0].min != shape.dims[0].max) {
        shape.dims[0] = (ov_dimension_t){1, 1};
        rc = s->ov.ov_model_reshape_input_by_name(model, name, shape);
    }
    if (shape.dims)
        s->ov.ov_partial_shape_free(&shape);
    if (name)
        s->ov.ov_free(name);
    if (port)
        s->ov.ov_output_const_port_free(port);
    return rc;
}

static enum gm_status fix_batch(struct gm_session *s, ov_model_t *model, struct gm_error *err)
{
    size_t n = 0;
    ov_status_e rc = s->ov.ov_model_inputs_size(model, &n);
    for (size_t i = 0; i < n && rc == OK; i++)
        rc = make_one(s, model, i);
    return rc == OK ? GM_OK : fail(s, GM_ESHAPE, rc, "does not take one picture at a time", err);
}

/* What a model is prepared for, told to the core that is the session's own. */
static enum gm_status set_up(struct gm_session *s, const struct gm_session_opts *opts,
                             struct gm_error *err)
{
    char threads[32], streams[32];
    s->n_lanes = gm_threads() < GM_SESSION_LANES_MAX ? gm_threads() : GM_SESSION_LANES_MAX;
    if (opts && opts->one_lane)
        s->n_lanes = 1;
    snprintf(threads, sizeof threads, "%zu", gm_threads());
    snprintf(streams, sizeof streams, "%zu", s->n_lanes);
    /* Not pinned: several of our processes on one machine would all sit on its first cores. A CPU
     * without bf16 takes that as f32. */
    const char *const told[][2] = {
        {"INFERENCE_NUM_THREADS", threads},
        {"NUM_STREAMS", streams},
        {"INFERENCE_PRECISION_HINT", opts && opts->bf16 ? "bf16" : "f32"},
        {"ENABLE_CPU_PINNING", "NO"},
        {"CPU_RUNTIME_CACHE_CAPACITY", opts && opts->many_shapes ? KERNELS_KEPT : KERNELS_ALL}};
    ov_status_e rc = s->ov.ov_core_create(&s->core);
    if (rc != OK)
        return fail(s, GM_EMODEL, rc, "the OpenVINO runtime does not start", err);
    for (size_t i = 0; rc == OK && i < sizeof told / sizeof *told; i++)
        rc = s->ov.ov_core_set_property(s->core, "CPU", told[i][0], told[i][1]);
    return rc == OK ? GM_OK : fail(s, GM_EMODEL, rc, "the OpenVINO runtime can't be set up", err);
}

/* The place of the session's prepared model. */
static enum gm_status find_prepared(struct gm_session *s, const struct gm_session_opts *opts,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf how;
    ov_version_t version = {0};
    gm_buf_init(&how, (size_t)1 << 16);
    if (!opts ||
        !opts->model) /* a model of the user may have weights in files that we don't know */
        return GM_OK;
    if (s->ov.ov_get_openvino_version(&version) != OK || !version.buildNumber)
        goto done;
    GM_TRY(gm_buf_printf(&how, err, "%s%s", opts->bf16 ? "bf16" : "f32",
                         opts->batch_of_one ? " 1" : ""));
    for (size_t i = 0; i < opts->n_inputs; i++) {
        GM_TRY(gm_buf_printf(&how, err, " %s", opts->inputs[i].name));
        for (size_t k = 0; k < opts->inputs[i].rank; k++)
            GM_TRY(gm_buf_printf(&how, err, ",%zu", opts->inputs[i].dims[k]));
    }
    GM_TRY(gm_prepared_init(&s->prepared, s->path, version.buildNumber, gm_buf_str(&how), err));
    GM_TRY(gm_prepared_find(&s->prepared, err));
done:
    s->ov.ov_version_free(&version);
    gm_buf_clear(&how);
    return st;
}

/* The compiled model out of a prepared one; where the runtime doesn't take that, there is none. */
static void import(struct gm_session *s)
{
    struct gm_str blob = s->prepared.blob;
    if (!blob.p || s->ov.ov_core_import_model(s->core, blob.p, blob.n, "CPU", &s->compiled) == OK)
        return;
    s->compiled = NULL;
    gm_prepared_drop(&s->prepared);
}

/* Keeps the compiled model for the next start. The runtime writes to a file, and doesn't say when the disk
 * is full: one in memory is as long as it should be. */
static enum gm_status keep(struct gm_session *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char name[64];
    struct stat sb;
    void *p = MAP_FAILED;
    if (!s->prepared.path)
        return GM_OK;
    int fd = memfd_create("prepared", MFD_CLOEXEC);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (fd >= 0 && s->ov.ov_compiled_model_export_model(s->compiled, name) == OK &&
        fstat(fd, &sb) == 0 && sb.st_size > 0)
        p = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED) {
        st = gm_prepared_keep(&s->prepared, (struct gm_str){p, (size_t)sb.st_size}, err);
        munmap(p, (size_t)sb.st_size);
    }
    if (fd >= 0)
        close(fd);
    return st;
}

static enum gm_status compile(struct gm_session *s, const struct gm_session_opts *opts,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    ov_model_t *model = NULL;
    ov_status_e rc = s->ov.ov_core_read_model(s->core, s->path, NULL, &model);
    if (rc != OK) {
        st = fail(s, GM_EMODEL, rc, "not a model that OpenVINO reads; get it anew", err);
        goto done;
    }
    for (size_t i = 0; opts && i < opts->n_inputs; i++)
        GM_TRY(fix_input(s, model, &opts->inputs[i], err));
    if (opts && opts->batch_of_one)
        GM_TRY(fix_batch(s, model, err));
    rc = s->ov.ov_core_compile_model(s->core, model, "CPU", 0, &s->compiled);
    if (rc != OK) {
        st = fail(s, GM_EMODEL, rc, "can't be prepared for this CPU", err);
        goto done;
    }
    GM_TRY(keep(s, err));
done:
    if (model)
        s->ov.ov_model_free(model);
    return st;
}

static enum gm_status read_port(struct gm_session *s, const ov_output_const_port_t *port,
                                struct gm_session_port *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char *name = NULL; /* the runtime's; an output may have none */
    ov_partial_shape_t shape = {0};
    if (s->ov.ov_port_get_any_name(port, &name) != OK)
        name = NULL;
    out->name = gm_strdup(name ? name : "");
    GM_TRY(out->name ? GM_OK : GM_FAIL(err, GM_ENOMEM, "%s: out of memory", s->path));
    if (s->ov.ov_port_get_partial_shape(port, &shape) != OK || shape.rank.min != shape.rank.max ||
        shape.rank.max > GM_SESSION_RANK_MAX)
        goto done;
    out->rank = (size_t)shape.rank.max;
    for (size_t i = 0; i < out->rank; i++)
        out->dims[i] = shape.dims[i].min == shape.dims[i].max ? (size_t)shape.dims[i].max : 0;
done:
    if (name)
        s->ov.ov_free(name);
    if (shape.dims)
        s->ov.ov_partial_shape_free(&shape);
    return st;
}

typedef ov_status_e count_fn(const ov_compiled_model_t *model, size_t *n);
typedef ov_status_e port_fn(const ov_compiled_model_t *model, size_t i,
                            ov_output_const_port_t **port);

static enum gm_status read_ports(struct gm_session *s, count_fn *count, port_fn *get,
                                 struct ports *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = 0;
    ov_status_e rc = count(s->compiled, &n);
    out->items = gm_alloc(n, sizeof *out->items);
    out->types = gm_alloc(n, sizeof *out->types);
    GM_TRY(out->items && out->types ? GM_OK
                                    : GM_FAIL(err, GM_ENOMEM, "%s: out of memory", s->path));
    for (; rc == OK && out->n < n; out->n++) {
        ov_output_const_port_t *port = NULL;
        rc = get(s->compiled, out->n, &port);
        if (rc != OK)
            break;
        st = read_port(s, port, &out->items[out->n], err);
        if (s->ov.ov_port_get_element_type(port, &out->types[out->n]) != OK)
            out->types[out->n] = DYNAMIC;
        s->ov.ov_output_const_port_free(port);
        GM_TRY(st);
    }
    if (rc != OK)
        st = fail(s, GM_EMODEL, rc, "does not tell its inputs and outputs", err);
done:
    return st;
}

static enum gm_status prepare(struct gm_session *s, const struct gm_session_opts *opts,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    ov_status_e rc = OK;
    GM_TRY(set_up(s, opts, err));
    GM_TRY(find_prepared(s, opts, err));
    import(s);
    if (!s->compiled)
        GM_TRY(compile(s, opts, err));
    for (size_t i = 0; rc == OK && i < s->n_lanes; i++)
        rc = s->ov.ov_compiled_model_create_infer_request(s->compiled, &s->lanes[i].request);
    if (rc != OK) {
        st = fail(s, GM_EMODEL, rc, "can't be prepared for this CPU", err);
        goto done;
    }
    GM_TRY(read_ports(s, s->ov.ov_compiled_model_inputs_size,
                      s->ov.ov_compiled_model_input_by_index, &s->inputs, err));
    GM_TRY(read_ports(s, s->ov.ov_compiled_model_outputs_size,
                      s->ov.ov_compiled_model_output_by_index, &s->outputs, err));
done:
    return st;
}

enum gm_status gm_session_load(struct gm_session **out, const char *path,
                               const struct gm_session_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_session *s = NULL;
    *out = NULL;
    GM_TRY(check_file(path, opts, err));
    s = gm_alloc(1, sizeof *s);
    if (!s || !(s->path = gm_strdup(path))) {
        st = GM_FAIL(err, GM_ENOMEM, "%s: out of memory", path);
        goto done;
    }
    GM_TRY(check_room(path, err));
    GM_TRY(gm_openvino_open(&s->ov, err));
    GM_TRY(prepare(s, opts, err));
    *out = s;
    s = NULL;
done:
    gm_session_free(s);
    return st;
}

static void drop_held(struct gm_session *s, struct lane *l)
{
    for (size_t i = 0; i < l->n_held; i++)
        s->ov.ov_tensor_free(l->held[i]);
    l->n_held = 0;
}

static void ports_clear(struct ports *p)
{
    for (size_t i = 0; i < p->n; i++)
        gm_free(p->items[i].name);
    gm_free(p->items);
    gm_free(p->types);
}

void gm_session_free(struct gm_session *s)
{
    if (!s)
        return;
    ports_clear(&s->inputs);
    ports_clear(&s->outputs);
    for (size_t i = 0; i < s->n_lanes; i++) {
        drop_held(s, &s->lanes[i]);
        if (s->lanes[i].request)
            s->ov.ov_infer_request_free(s->lanes[i].request);
    }
    if (s->compiled)
        s->ov.ov_compiled_model_free(s->compiled);
    gm_prepared_clear(&s->prepared);
    if (s->core)
        s->ov.ov_core_free(s->core);
    gm_free(s->path);
    gm_free(s);
}

static ov_element_type_e type_of_input(const struct gm_session *s, const char *name)
{
    for (size_t i = 0; i < s->inputs.n; i++)
        if (strcmp(s->inputs.items[i].name, name) == 0)
            return s->inputs.types[i];
    return F32; /* the runtime tells that there is no such input */
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
        return s->ov.ov_tensor_create_from_host_ptr(F32, shape, (void *)(uintptr_t)t->data, out);
    ov_status_e rc = s->ov.ov_tensor_create(type, shape, out);
    if (rc == OK)
        rc = s->ov.ov_tensor_data(*out, &data);
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

static enum gm_status set_input(struct gm_session *s, struct lane *l,
                                const struct gm_session_tensor *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    int64_t dims[GM_SESSION_RANK_MAX];
    ov_shape_t shape = {0};
    ov_tensor_t *tensor = NULL;
    GM_TRY(to_dims(t, dims, err));
    ov_status_e rc = s->ov.ov_shape_create((int64_t)t->rank, dims, &shape);
    if (rc == OK)
        rc = to_tensor(s, t, type_of_input(s, t->name), shape, &tensor);
    if (rc == OK)
        rc = s->ov.ov_infer_request_set_tensor(l->request, t->name, tensor);
    if (rc != OK) {
        char what[128];
        snprintf(what, sizeof what, "input '%.80s' does not fit", t->name);
        st = fail(s, GM_ESHAPE, rc, what, err);
    }
done:
    if (tensor)
        s->ov.ov_tensor_free(tensor); /* the request keeps its own reference */
    if (shape.dims)
        s->ov.ov_shape_free(&shape);
    return st;
}

static enum gm_status get_output(struct gm_session *s, struct lane *l, struct gm_session_tensor *t,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    ov_tensor_t *tensor = NULL;
    ov_shape_t shape = {0};
    ov_element_type_e type = DYNAMIC;
    void *data = NULL;
    ov_status_e rc = s->ov.ov_infer_request_get_tensor(l->request, t->name, &tensor);
    if (rc != OK) {
        char what[128];
        snprintf(what, sizeof what, "has no output '%.80s'", t->name);
        st = fail(s, GM_EMODEL, rc, what, err);
        goto done;
    }
    l->held[l->n_held++] = tensor;
    rc = s->ov.ov_tensor_get_element_type(tensor, &type);
    if (rc == OK)
        rc = s->ov.ov_tensor_get_shape(tensor, &shape);
    if (rc == OK)
        rc = s->ov.ov_tensor_data(tensor, &data);
    if (rc != OK || type != F32 || shape.rank < 0 || shape.rank > GM_SESSION_RANK_MAX) {
        st = GM_FAIL(err, GM_ESHAPE, "%s: output '%s' is no f32 tensor of rank 0 to %d", s->path,
                     t->name, (int)GM_SESSION_RANK_MAX);
        goto done;
    }
    t->data = data;
    t->rank = (size_t)shape.rank;
    for (size_t i = 0; i < t->rank; i++)
        t->dims[i] = (size_t)shape.dims[i];
done:
    if (shape.dims)
        s->ov.ov_shape_free(&shape);
    return st;
}

const struct gm_session_port *gm_session_inputs(const struct gm_session *s, size_t *n)
{
    *n = s->inputs.n;
    return s->inputs.items;
}

const struct gm_session_port *gm_session_outputs(const struct gm_session *s, size_t *n)
{
    *n = s->outputs.n;
    return s->outputs.items;
}

bool gm_session_has_output(const struct gm_session *s, const char *name)
{
    ov_output_const_port_t *port = NULL;
    bool has = s->ov.ov_compiled_model_output_by_name(s->compiled, name, &port) == OK;
    if (port)
        s->ov.ov_output_const_port_free(port);
    return has;
}

size_t gm_session_lanes(const struct gm_session *s) { return s->n_lanes; }

enum gm_status gm_session_run(struct gm_session *s, size_t lane, const struct gm_session_tensor *in,
                              size_t n_in, struct gm_session_tensor *out, size_t n_out,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    assert(lane < s->n_lanes);
    struct lane *l = &s->lanes[lane];
    drop_held(s, l);
    if (n_out > MAX_OUTPUTS) {
        st = GM_FAIL(err, GM_EARG, "%s: %zu outputs asked for, the most is %d", s->path, n_out,
                     (int)MAX_OUTPUTS);
        goto done;
    }
    for (size_t i = 0; i < n_in; i++)
        GM_TRY(set_input(s, l, &in[i], err));
    ov_status_e rc = s->ov.ov_infer_request_infer(l->request);
    if (rc != OK) {
        st = fail(s, GM_EMODEL, rc, "the model could not be run", err);
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
                   s->path, t->name, have, want);
}
