#define _GNU_SOURCE /* memfd_create */

/* Making a session: the model's file, or what the runtime has made of it before, set up for this CPU. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/host.h"
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

static enum gm_status fix_input(const struct gm_compiled *m, ov_model_t *model,
                                const struct gm_session_tensor *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    int64_t dims[GM_SESSION_RANK_MAX];
    ov_partial_shape_t shape = {0};
    GM_TRY(gm_session_dims(t, dims, err));
    ov_status_e rc = m->ov.ov_partial_shape_create_static((int64_t)t->rank, dims, &shape);
    if (rc == OK)
        rc = m->ov.ov_model_reshape_input_by_name(model, t->name, shape);
    m->ov.ov_partial_shape_free(&shape);
    if (rc != OK) {
        char what[128];
        snprintf(what, sizeof what, "can't fix the shape of input '%.80s'", t->name);
        st = gm_session_fail(m, GM_ESHAPE, rc, what, err);
    }
done:
    return st;
}

/* Input i of the model, where its first dim is open, with 1 there. */
static ov_status_e make_one(const struct gm_compiled *m, ov_model_t *model, size_t i)
{
    ov_output_const_port_t *port = NULL;
    ov_partial_shape_t shape = {0};
    char *name = NULL;
    ov_status_e rc = m->ov.ov_model_const_input_by_index(model, i, &port);
    if (rc == OK)
        rc = m->ov.ov_port_get_any_name(port, &name);
    if (rc == OK)
        rc = m->ov.ov_port_get_partial_shape(port, &shape);
    if (rc == OK && shape.rank.min == shape.rank.max && shape.rank.max == 4 &&
        shape.dims[0].min != shape.dims[0].max) {
        shape.dims[0] = (ov_dimension_t){1, 1};
        rc = m->ov.ov_model_reshape_input_by_name(model, name, shape);
    }
    if (shape.dims)
        m->ov.ov_partial_shape_free(&shape);
    if (name)
        m->ov.ov_free(name);
    if (port)
        m->ov.ov_output_const_port_free(port);
    return rc;
}

static enum gm_status fix_batch(struct gm_compiled *m, ov_model_t *model, struct gm_error *err)
{
    size_t n = 0;
    ov_status_e rc = m->ov.ov_model_inputs_size(model, &n);
    for (size_t i = 0; i < n && rc == OK; i++)
        rc = make_one(m, model, i);
    return rc == OK ? GM_OK
                    : gm_session_fail(m, GM_ESHAPE, rc, "does not take one picture at a time", err);
}

static size_t lanes_of(const struct gm_session_opts *opts)
{
    size_t most = opts && opts->one_lane ? 1 : GM_SESSION_LANES_MAX;
    return gm_threads() < most ? gm_threads() : most;
}

/* How many sessions of the host may run the model at once. */
static size_t sessions(void)
{
    const struct gm_host *host = gm_host_get();
    return host && host->shared && host->sessions ? host->sessions : 1;
}

/* What a model is prepared for, told to the core that is the model's own. */
static enum gm_status set_up(struct gm_compiled *m, const struct gm_session_opts *opts,
                             struct gm_error *err)
{
    char threads[32], streams[32];
    snprintf(threads, sizeof threads, "%zu", gm_threads() * sessions());
    snprintf(streams, sizeof streams, "%zu", lanes_of(opts) * sessions());
    /* Not pinned: several of our processes on one machine would all sit on its first cores. A CPU
     * without bf16 takes that as f32. */
    const char *const told[][2] = {
        {"INFERENCE_NUM_THREADS", threads},
        {"NUM_STREAMS", streams},
        {"INFERENCE_PRECISION_HINT", opts && opts->bf16 ? "bf16" : "f32"},
        {"ENABLE_CPU_PINNING", "NO"},
        {"SNIPPETS_MODE", "DISABLE"}, /* code for several operations at once: takes longer to make
                                         than it saves */
        {"CPU_RUNTIME_CACHE_CAPACITY", opts && opts->many_shapes ? KERNELS_KEPT : KERNELS_ALL}};
    ov_status_e rc = m->ov.ov_core_create(&m->core);
    if (rc != OK)
        return gm_session_fail(m, GM_EMODEL, rc, "the OpenVINO runtime does not start", err);
    for (size_t i = 0; rc == OK && i < sizeof told / sizeof *told; i++)
        rc = m->ov.ov_core_set_property(m->core, "CPU", told[i][0], told[i][1]);
    return rc == OK
               ? GM_OK
               : gm_session_fail(m, GM_EMODEL, rc, "the OpenVINO runtime can't be set up", err);
}

/* The inputs that are fixed, with their dims. */
static enum gm_status put_inputs(struct gm_buf *out, const struct gm_session_opts *opts,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < opts->n_inputs; i++) {
        GM_TRY(gm_buf_printf(out, err, " %s", opts->inputs[i].name));
        for (size_t k = 0; k < opts->inputs[i].rank; k++)
            GM_TRY(gm_buf_printf(out, err, ",%zu", opts->inputs[i].dims[k]));
    }
done:
    return st;
}

/* The place of the prepared model. */
static enum gm_status find_prepared(struct gm_compiled *m, const struct gm_session_opts *opts,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf how;
    ov_version_t version = {0};
    gm_buf_init(&how, (size_t)1 << 16);
    if (!opts ||
        !opts->model) /* a model of the user may have weights in files that we don't know */
        return GM_OK;
    if (m->ov.ov_get_openvino_version(&version) != OK || !version.buildNumber)
        goto done;
    GM_TRY(gm_buf_printf(&how, err, "plain %s%s", opts->bf16 ? "bf16" : "f32",
                         opts->batch_of_one ? " 1" : ""));
    GM_TRY(put_inputs(&how, opts, err));
    GM_TRY(gm_prepared_init(&m->prepared, m->path, version.buildNumber, gm_buf_str(&how), err));
    GM_TRY(gm_prepared_find(&m->prepared, err));
done:
    m->ov.ov_version_free(&version);
    gm_buf_clear(&how);
    return st;
}

/* The compiled model out of a prepared one; where the runtime doesn't take that, there is none. */
static void import(struct gm_compiled *m)
{
    struct gm_str blob = m->prepared.blob;
    if (!blob.p || m->ov.ov_core_import_model(m->core, blob.p, blob.n, "CPU", &m->compiled) == OK)
        return;
    m->compiled = NULL;
    gm_prepared_drop(&m->prepared);
}

/* Keeps the compiled model for the next start. The runtime writes to a file, and doesn't say when the disk
 * is full: one in memory is as long as it should be. */
static enum gm_status keep(struct gm_compiled *m, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char name[64];
    struct stat sb;
    void *p = MAP_FAILED;
    if (!m->prepared.path)
        return GM_OK;
    int fd = memfd_create("prepared", MFD_CLOEXEC);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (fd >= 0 && m->ov.ov_compiled_model_export_model(m->compiled, name) == OK &&
        fstat(fd, &sb) == 0 && sb.st_size > 0)
        p = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED) {
        st = gm_prepared_keep(&m->prepared, (struct gm_str){p, (size_t)sb.st_size}, err);
        munmap(p, (size_t)sb.st_size);
    }
    if (fd >= 0)
        close(fd);
    return st;
}

static enum gm_status compile(struct gm_compiled *m, const struct gm_session_opts *opts,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    ov_model_t *model = NULL;
    ov_status_e rc = m->ov.ov_core_read_model(m->core, m->path, NULL, &model);
    if (rc != OK) {
        st = gm_session_fail(m, GM_EMODEL, rc, "not a model that OpenVINO reads; get it anew", err);
        goto done;
    }
    for (size_t i = 0; opts && i < opts->n_inputs; i++)
        GM_TRY(fix_input(m, model, &opts->inputs[i], err));
    if (opts && opts->batch_of_one)
        GM_TRY(fix_batch(m, model, err));
    rc = m->ov.ov_core_compile_model(m->core, model, "CPU", 0, &m->compiled);
    if (rc != OK) {
        st = gm_session_fail(m, GM_EMODEL, rc, "can't be prepared for this CPU", err);
        goto done;
    }
    GM_TRY(keep(m, err));
done:
    if (model)
        m->ov.ov_model_free(model);
    return st;
}

static enum gm_status read_port(struct gm_compiled *m, const ov_output_const_port_t *port,
                                struct gm_session_port *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char *name = NULL; /* the runtime's; an output may have none */
    ov_partial_shape_t shape = {0};
    if (m->ov.ov_port_get_any_name(port, &name) != OK)
        name = NULL;
    out->name = gm_strdup(name ? name : "");
    GM_TRY(out->name ? GM_OK : GM_FAIL(err, GM_ENOMEM, "%s: out of memory", m->path));
    if (m->ov.ov_port_get_partial_shape(port, &shape) != OK || shape.rank.min != shape.rank.max ||
        shape.rank.max > GM_SESSION_RANK_MAX)
        goto done;
    out->rank = (size_t)shape.rank.max;
    for (size_t i = 0; i < out->rank; i++)
        out->dims[i] = shape.dims[i].min == shape.dims[i].max ? (size_t)shape.dims[i].max : 0;
done:
    if (name)
        m->ov.ov_free(name);
    if (shape.dims)
        m->ov.ov_partial_shape_free(&shape);
    return st;
}

typedef ov_status_e count_fn(const ov_compiled_model_t *model, size_t *n);
typedef ov_status_e port_fn(const ov_compiled_model_t *model, size_t i,
                            ov_output_const_port_t **port);

static enum gm_status read_ports(struct gm_compiled *m, count_fn *count, port_fn *get,
                                 struct gm_session_ports *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = 0;
    ov_status_e rc = count(m->compiled, &n);
    out->items = gm_alloc(n, sizeof *out->items);
    GM_TRY(out->items ? GM_OK : GM_FAIL(err, GM_ENOMEM, "%s: out of memory", m->path));
    for (; rc == OK && out->n < n; out->n++) {
        ov_output_const_port_t *port = NULL;
        rc = get(m->compiled, out->n, &port);
        if (rc != OK)
            break;
        st = read_port(m, port, &out->items[out->n], err);
        m->ov.ov_output_const_port_free(port);
        GM_TRY(st);
    }
    if (rc != OK)
        st = gm_session_fail(m, GM_EMODEL, rc, "does not tell its inputs and outputs", err);
done:
    return st;
}

static enum gm_status prepare(struct gm_compiled *m, const struct gm_session_opts *opts,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(set_up(m, opts, err));
    GM_TRY(find_prepared(m, opts, err));
    import(m);
    if (!m->compiled)
        GM_TRY(compile(m, opts, err));
    GM_TRY(read_ports(m, m->ov.ov_compiled_model_inputs_size,
                      m->ov.ov_compiled_model_input_by_index, &m->inputs, err));
    GM_TRY(read_ports(m, m->ov.ov_compiled_model_outputs_size,
                      m->ov.ov_compiled_model_output_by_index, &m->outputs, err));
done:
    return st;
}

static void ports_clear(struct gm_session_ports *p)
{
    for (size_t i = 0; i < p->n; i++)
        gm_free(p->items[i].name);
    gm_free(p->items);
}

static void compiled_free(void *thing)
{
    struct gm_compiled *m = thing;
    if (!m)
        return;
    ports_clear(&m->inputs);
    ports_clear(&m->outputs);
    if (m->compiled)
        m->ov.ov_compiled_model_free(m->compiled);
    gm_prepared_clear(&m->prepared);
    if (m->core)
        m->ov.ov_core_free(m->core);
    gm_free(m->path);
    gm_free(m);
}

struct what {
    const char *path;
    const struct gm_session_opts *opts;
};

static enum gm_status compiled_make(void **thing, const void *how, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct what *w = how;
    *thing = NULL;
    struct gm_compiled *m = gm_alloc(1, sizeof *m);
    if (!m || !(m->path = gm_strdup(w->path))) {
        st = GM_FAIL(err, GM_ENOMEM, "%s: out of memory", w->path);
        goto done;
    }
    GM_TRY(check_room(w->path, err));
    GM_TRY(gm_openvino_open(&m->ov, err));
    GM_TRY(prepare(m, w->opts, err));
    *thing = m;
    m = NULL;
done:
    compiled_free(m);
    return st;
}

static const struct gm_shared_kind compiled = {"vision model", compiled_make, compiled_free, false};

/* The model of a session, under a name that says all that it was made of. */
static enum gm_status share(struct gm_session *s, const char *path,
                            const struct gm_session_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct what what = {path, opts};
    const struct gm_session_opts none = {0}, *o = opts ? opts : &none;
    struct gm_buf name;
    gm_buf_init(&name, (size_t)1 << 16);
    GM_TRY(gm_buf_printf(&name, err, "%s\n%zu %d%d%d%d", path, gm_threads(), o->bf16,
                         o->many_shapes, o->one_lane, o->batch_of_one));
    GM_TRY(put_inputs(&name, o, err));
    GM_TRY(gm_shared_get(&s->held, &compiled, gm_buf_str(&name), &what, err));
    s->m = s->held.thing;
done:
    gm_buf_clear(&name);
    return st;
}

enum gm_status gm_session_load(struct gm_session **out, const char *path,
                               const struct gm_session_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_session *s = NULL;
    ov_status_e rc = OK;
    *out = NULL;
    GM_TRY(check_file(path, opts, err));
    if (!(s = gm_alloc(1, sizeof *s))) {
        st = GM_FAIL(err, GM_ENOMEM, "%s: out of memory", path);
        goto done;
    }
    GM_TRY(share(s, path, opts, err));
    s->n_lanes = lanes_of(opts);
    for (size_t i = 0; rc == OK && i < s->n_lanes; i++)
        rc = s->m->ov.ov_compiled_model_create_infer_request(s->m->compiled, &s->lanes[i].request);
    if (rc != OK) {
        st = gm_session_fail(s->m, GM_EMODEL, rc, "can't be prepared for this CPU", err);
        goto done;
    }
    *out = s;
    s = NULL;
done:
    gm_session_free(s);
    return st;
}
