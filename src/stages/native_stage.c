#include "stages/native_stage.h"

#include "base/alloc.h"
#include "base/models.h"
#include "base/shared.h"
#include "nn/engine.h"

struct native_stage {
    const struct gm_native_kind *kind;
    struct gm_held model; /* a struct loaded */
    void *session;
};

/* ---- the model, which sessions share ---- */

struct loaded {
    const struct gm_native_kind *kind;
    void *model;
};

/* What it is made of. */
struct what {
    const struct gm_native_kind *kind;
    const char *dir, *precision;
    double number;
    const struct gm_json *settings;
};

static void free_loaded(void *thing)
{
    struct loaded *l = thing;
    if (!l)
        return;
    l->kind->free(l->model);
    gm_free(l);
}

static enum gm_status load(void **thing, const void *how, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct what *w = how;
    struct loaded *l = gm_alloc(1, sizeof *l);
    *thing = NULL;
    if (!l)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    l->kind = w->kind;
    GM_TRY(w->kind->load(&l->model, w->dir, w->precision, w->number, err));
    if (w->kind->read)
        GM_TRY(w->kind->read(l->model, w->settings, err));
    *thing = l;
    l = NULL;
done:
    free_loaded(l);
    return st;
}

static const struct gm_shared_kind loaded_kind = {"native model", load, free_loaded, false};

/* The settings are part of the name: some are read into the model. */
static enum gm_status share(struct gm_held *out, const struct gm_backend *b, const struct what *w,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf name;
    gm_buf_init(&name, (size_t)1 << 24);
    GM_TRY(gm_buf_printf(&name, err, "%s\n%s\n%s\n", b->stage, w->dir, w->precision));
    if (w->settings)
        GM_TRY(gm_json_write(w->settings, false, &name, err));
    GM_TRY(gm_shared_get(out, &loaded_kind, gm_buf_str(&name), w, err));
done:
    gm_buf_clear(&name);
    return st;
}

/* ---- the stage ---- */

static enum gm_status model_setting(const struct gm_backend *b, const struct gm_json *settings,
                                    struct gm_str *model, struct gm_error *err)
{
    *model = gm_str(b->model);
    return gm_settings_str(settings, b->native->model_key, model, err);
}

/* All that the settings say but where `model` is, and what is `more`. */
static enum gm_status read_settings(const struct gm_backend *b, const struct gm_json *settings,
                                    struct gm_str *model, struct what *w, struct gm_error *err)
{
    const struct gm_native_kind *k = b->native;
    const char *known[8] = {k->model_key, "precision"};
    size_t n_known = 2;
    enum gm_status st = GM_OK;
    struct gm_str precision = GM_STR("auto");
    struct gm_precision p;
    *w = (struct what){.kind = k, .settings = settings};
    if (k->number_key)
        known[n_known++] = k->number_key;
    for (size_t i = 0; k->more && k->more[i]; i++)
        known[n_known++] = k->more[i];
    if (!k->is_second)
        GM_TRY(gm_settings_check(settings, b->stage, known, err));
    GM_TRY(model_setting(b, settings, model, err));
    GM_TRY(gm_settings_precision(settings, "precision", &precision, &p, err));
    if (k->number_key)
        GM_TRY(gm_settings_num(settings, k->number_key, 0, 1, &w->number, err));
    w->precision = precision.p;
done:
    return st;
}

enum gm_status gm_native_stage_check(const struct gm_backend *b, const struct gm_json *settings,
                                     struct gm_error *err)
{
    struct gm_str model;
    struct what what;
    enum gm_status st = read_settings(b, settings, &model, &what, err);
    return st == GM_OK && b->native->read ? b->native->read(NULL, settings, err) : st;
}

enum gm_status gm_native_stage_open(void **self, const struct gm_backend *b,
                                    const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct native_stage *s = NULL;
    struct gm_str model;
    struct what what;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    *self = NULL;
    GM_TRY(read_settings(b, settings, &model, &what, err));
    GM_TRY(gm_model_dir(&a, model.p, &what.dir, err));
    if (!(s = gm_alloc(1, sizeof *s))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    s->kind = what.kind;
    GM_TRY(share(&s->model, b, &what, err));
    GM_TRY(s->kind->session_new(&s->session, ((const struct loaded *)s->model.thing)->model, err));
    *self = s;
    s = NULL;
done:
    gm_native_stage_close(s);
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_native_stage_run(void *self, struct gm_post **posts, size_t n,
                                   struct gm_error *err)
{
    struct native_stage *s = self;
    return s->kind->run(s->session, posts, n, err);
}

void gm_native_stage_close(void *self)
{
    struct native_stage *s = self;
    if (!s)
        return;
    s->kind->session_free(s->session);
    gm_shared_drop(&s->model);
    gm_free(s);
}

enum gm_status gm_native_stage_fingerprint(const struct gm_backend *b,
                                           const struct gm_json *settings, struct gm_buf *out,
                                           struct gm_error *err)
{
    struct gm_str model;
    enum gm_status st = model_setting(b, settings, &model, err);
    return st == GM_OK ? gm_fingerprint_model(model.p, out, err) : st;
}
