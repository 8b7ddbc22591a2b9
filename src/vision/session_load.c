#define _GNU_SOURCE /* memfd_create */

/* Making a session: the model's file, or what the runtime has made of it before, set up for this CPU. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/str.h"
#include "vision/session_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* How many operators, prepared for a shape, the runtime keeps: its own default, and with many shapes. */
static const char KERNELS_ALL[] = "5000", KERNELS_KEPT[] = "150";

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

static enum gm_status fix_input(const struct gm_session *s, ov_model_t *model,
                                const struct gm_session_tensor *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    int64_t dims[GM_SESSION_RANK_MAX];
    ov_partial_shape_t shape = {0};
    GM_TRY(gm_session_dims(t, dims, err));
    ov_status_e rc = s->ov.ov_partial_shape_create_static((int64_t)t->rank, dims, &shape);
    if (rc == OK)
        rc = s->ov.ov_model_reshape_input_by_name(model, t->name, shape);
    s->ov.ov_partial_shape_free(&shape);
    if (rc != OK) {
        char what[128];
        snprintf(what, sizeof what, "can't fix the shape of input '%.80s'", t->name);
        st = gm_session_fail(s, GM_ESHAPE, rc, what, err);
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
    return rc == OK ? GM_OK
                    : gm_session_fail(s, GM_ESHAPE, rc, "does not take one picture at a time", err);
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
        return gm_session_fail(s, GM_EMODEL, rc, "the OpenVINO runtime does not start", err);
    for (size_t i = 0; rc == OK && i < sizeof told / sizeof *told; i++)
        rc = s->ov.ov_core_set_property(s->core, "CPU", told[i][0], told[i][1]);
    return rc == OK
               ? GM_OK
               : gm_session_fail(s, GM_EMODEL, rc, "the OpenVINO runtime can't be set up", err);
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
        st = gm_session_fail(s, GM_EMODEL, rc, "not a model that OpenVINO reads; get it anew", err);
        goto done;
    }
    for (size_t i = 0; opts && i < opts->n_inputs; i++)
        GM_TRY(fix_input(s, model, &opts->inputs[i], err));
    if (opts && opts->batch_of_one)
        GM_TRY(fix_batch(s, model, err));
    rc = s->ov.ov_core_compile_model(s->core, model, "CPU", 0, &s->compiled);
    if (rc != OK) {
        st = gm_session_fail(s, GM_EMODEL, rc, "can't be prepared for this CPU", err);
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
                                 struct gm_session_ports *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = 0;
    ov_status_e rc = count(s->compiled, &n);
    out->items = gm_alloc(n, sizeof *out->items);
    GM_TRY(out->items ? GM_OK : GM_FAIL(err, GM_ENOMEM, "%s: out of memory", s->path));
    for (; rc == OK && out->n < n; out->n++) {
        ov_output_const_port_t *port = NULL;
        rc = get(s->compiled, out->n, &port);
        if (rc != OK)
            break;
        st = read_port(s, port, &out->items[out->n], err);
        s->ov.ov_output_const_port_free(port);
        GM_TRY(st);
    }
    if (rc != OK)
        st = gm_session_fail(s, GM_EMODEL, rc, "does not tell its inputs and outputs", err);
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
        st = gm_session_fail(s, GM_EMODEL, rc, "can't be prepared for this CPU", err);
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
