#include "train/checkpoint.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { KINDS = 4 }; /* tensors a parameter */
static const char *const kinds[KINDS] = {"weight", "first_moment", "second_moment", "average"};

static enum gm_status path_of(const struct gm_train_opts *o, struct gm_arena *a, const char **path,
                              struct gm_error *err)
{
    *path = gm_path_join(a, o->out, "checkpoint.safetensors");
    return *path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* The values of parameter i of one kind; NULL = it has none. */
static float *values(const struct gm_params *ps, const struct gm_ema *average, size_t i, int kind)
{
    struct gm_param *p = &ps->p[i];
    if (p->frozen)
        return NULL;
    float *all[KINDS] = {p->w, p->m, p->v, average->w ? average->w[i] : NULL};
    return all[kind];
}

static enum gm_status name_of(const struct gm_param *p, int kind, struct gm_arena *a,
                              const char **name, struct gm_error *err)
{
    *name = gm_arena_printf(a, "%s.%s", kinds[kind], p->names[0]).p;
    return *name ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* ---- writing ---- */

static enum gm_status state_text(const struct gm_train_state *s, struct gm_buf *text,
                                 struct gm_error *err)
{
    struct gm_json *j = gm_json_new_object();
    bool ok = j && gm_json_set(j, "run", gm_json_ref(s->run)) &&
              gm_json_set(j, "epoch", gm_json_new_int((long long)s->epoch)) &&
              gm_json_set(j, "at", gm_json_new_int((long long)s->at)) &&
              gm_json_set(j, "step", gm_json_new_int((long long)s->step)) &&
              gm_json_set(j, "loss", gm_json_new_num(s->loss)) &&
              gm_json_set(j, "best_epoch", gm_json_new_int((long long)s->best_epoch)) &&
              gm_json_set(j, "best", gm_json_new_num(s->best)) &&
              gm_json_set(j, "metrics", gm_json_new_str(gm_buf_str(&s->metrics)));
    enum gm_status st =
        ok ? gm_json_write(j, false, text, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_json_free(j);
    return st;
}

enum gm_status gm_checkpoint_write(const struct gm_train_opts *o, const struct gm_params *ps,
                                   const struct gm_ema *average, const struct gm_train_state *s,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_buf text;
    const char *path;
    size_t n = 0;
    gm_arena_init(&a, 0);
    gm_buf_init(&text, 64 << 20);
    struct gm_tensor *tensors = gm_arena_alloc(&a, ps->n * KINDS, sizeof *tensors);
    const char **names = gm_arena_alloc(&a, ps->n * KINDS, sizeof *names);
    GM_TRY(tensors && names ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(path_of(o, &a, &path, err));
    GM_TRY(state_text(s, &text, err));
    for (size_t i = 0; i < ps->n; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            const float *x = values(ps, average, i, kind);
            if (!x)
                continue;
            tensors[n] =
                (struct gm_tensor){.dtype = GM_F32, .rank = 1, .shape = {ps->p[i].n}, .data = x};
            GM_TRY(name_of(&ps->p[i], kind, &a, &names[n++], err));
        }
    const char *const metadata[] = {"state", text.p, NULL};
    st = gm_safetensors_write(path, tensors, names, n, metadata, err);
done:
    gm_buf_clear(&text);
    gm_arena_clear(&a);
    return st;
}

/* ---- reading ---- */

static enum gm_status damaged(const char *path, const char *what, struct gm_error *err)
{
    return GM_FAIL(err, GM_EFORMAT,
                   "%s: \"%s\" is missing or damaged; begin again with --overwrite", path, what);
}

static enum gm_status count(const struct gm_json *j, const char *key, const char *path, size_t *out,
                            struct gm_error *err)
{
    long long x;
    if (!gm_json_int(gm_json_get(j, key), &x) || x < 0)
        return damaged(path, key, err);
    *out = (size_t)x;
    return GM_OK;
}

static enum gm_status number(const struct gm_json *j, const char *key, const char *path,
                             double *out, struct gm_error *err)
{
    return gm_json_num(gm_json_get(j, key), out) ? GM_OK : damaged(path, key, err);
}

enum gm_status gm_train_same_run(const struct gm_json *was, const struct gm_json *now,
                                 const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf a, b;
    gm_buf_init(&a, 1 << 20);
    gm_buf_init(&b, 1 << 20);
    const struct gm_json *sides[2] = {was, now};
    for (int side = 0; side < 2; side++)
        for (void *it = gm_json_first(sides[side]); it; it = gm_json_next(sides[side], it)) {
            const char *key = gm_json_key(it).p;
            const struct gm_json *x = gm_json_get(was, key), *y = gm_json_get(now, key);
            gm_buf_reset(&a);
            gm_buf_reset(&b);
            GM_TRY(x ? gm_json_write(x, false, &a, err) : gm_buf_add_c(&a, "absent", err));
            GM_TRY(y ? gm_json_write(y, false, &b, err) : gm_buf_add_c(&b, "absent", err));
            if (gm_str_eq(gm_buf_str(&a), gm_buf_str(&b)))
                continue;
            st = GM_FAIL(err, GM_EARG,
                         "%s: \"%s\" was %s when the run began, and is %s now; resume it as "
                         "it was, or begin another with --overwrite",
                         path, key, a.p, b.p);
            goto done;
        }
done:
    gm_buf_clear(&a);
    gm_buf_clear(&b);
    return st;
}

static enum gm_status read_state(const struct gm_safetensors *f, struct gm_train_state *s,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *path = gm_safetensors_path(f);
    struct gm_json *j = NULL;
    struct gm_str text, metrics;
    if (!gm_safetensors_metadata(f, "state", &text))
        return damaged(path, "state", err);
    if (gm_json_parse(&j, text, NULL) != GM_OK)
        return damaged(path, "state", err);
    GM_TRY(gm_train_same_run(gm_json_get(j, "run"), s->run, path, err));
    GM_TRY(count(j, "epoch", path, &s->epoch, err));
    GM_TRY(count(j, "at", path, &s->at, err));
    GM_TRY(count(j, "step", path, &s->step, err));
    GM_TRY(count(j, "best_epoch", path, &s->best_epoch, err));
    GM_TRY(number(j, "loss", path, &s->loss, err));
    GM_TRY(number(j, "best", path, &s->best, err));
    GM_TRY(gm_json_str(gm_json_get(j, "metrics"), &metrics) ? GM_OK
                                                            : damaged(path, "metrics", err));
    gm_buf_reset(&s->metrics);
    st = gm_buf_add_str(&s->metrics, metrics, err);
done:
    gm_json_free(j);
    return st;
}

static enum gm_status read_values(const struct gm_safetensors *f, struct gm_params *ps,
                                  struct gm_ema *average, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    for (size_t i = 0; i < ps->n; i++) {
        for (int kind = 0; kind < KINDS; kind++) {
            float *x = values(ps, average, i, kind);
            struct gm_tensor t;
            const char *name;
            if (!x)
                continue;
            GM_TRY(name_of(&ps->p[i], kind, &a, &name, err));
            if (!gm_safetensors_get(f, name, &t) || t.dtype != GM_F32 ||
                gm_tensor_count(&t) != ps->p[i].n) {
                st = GM_FAIL(err, GM_EMODEL,
                             "%s: no tensor %s of %zu numbers: a checkpoint of another "
                             "model; begin again with --overwrite",
                             gm_safetensors_path(f), name, ps->p[i].n);
                goto done;
            }
            gm_tensor_to_f32(&t, 0, ps->p[i].n, x);
        }
        if (!ps->p[i].frozen)
            gm_param_changed(&ps->p[i]);
    }
done:
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_checkpoint_read(const struct gm_train_opts *o, struct gm_params *ps,
                                  struct gm_ema *average, struct gm_train_state *s, bool *found,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_safetensors *f = NULL;
    struct gm_arena a;
    const char *path;
    *found = false;
    gm_arena_init(&a, 0);
    GM_TRY(path_of(o, &a, &path, err));
    if (!gm_is_file(path))
        goto done;
    GM_TRY(gm_safetensors_open(&f, path, err));
    GM_TRY(read_state(f, s, err));
    GM_TRY(read_values(f, ps, average, err));
    *found = true;
done:
    gm_safetensors_free(f);
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_checkpoint_remove(const struct gm_train_opts *o, struct gm_error *err)
{
    struct gm_arena a;
    const char *path;
    gm_arena_init(&a, 0);
    enum gm_status st = path_of(o, &a, &path, err);
    if (st == GM_OK && unlink(path) != 0 && errno != ENOENT)
        st = GM_FAIL(err, GM_EIO, "%s: cannot remove it: %s", path, strerror(errno));
    gm_arena_clear(&a);
    return st;
}
