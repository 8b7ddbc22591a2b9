#include "stages/native_stage.h"

#include "base/alloc.h"
#include "base/models.h"

struct native_stage {
    const struct gm_native_kind *kind;
    void *model, *session;
};

static enum gm_status model_setting(const struct gm_backend *b, const struct gm_json *settings,
                                    struct gm_str *model, struct gm_error *err)
{
    *model = gm_str(b->model);
    return gm_settings_str(settings, b->native->model_key, model, err);
}

enum gm_status gm_native_stage_open(void **self, const struct gm_backend *b,
                                    const struct gm_json *settings, struct gm_error *err)
{
    const struct gm_native_kind *k = b->native;
    const char *known[8] = {k->model_key, "precision"};
    size_t n_known = 2;
    enum gm_status st = GM_OK;
    struct native_stage *s = NULL;
    struct gm_str model, precision = GM_STR("auto");
    const char *dir;
    double number = 0;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    *self = NULL;
    if (k->number_key)
        known[n_known++] = k->number_key;
    for (size_t i = 0; k->more && k->more[i]; i++)
        known[n_known++] = k->more[i];
    if (!b->native->is_second)
        GM_TRY(gm_settings_check(settings, b->stage, known, err));
    GM_TRY(model_setting(b, settings, &model, err));
    GM_TRY(gm_settings_str(settings, "precision", &precision, err));
    if (b->native->number_key)
        GM_TRY(gm_settings_num(settings, b->native->number_key, 0, 1, &number, err));
    GM_TRY(gm_model_dir(&a, model.p, &dir, err));
    if (!(s = gm_alloc(1, sizeof *s))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    s->kind = b->native;
    GM_TRY(s->kind->load(&s->model, dir, precision.p, number, err));
    if (s->kind->read)
        GM_TRY(s->kind->read(s->model, settings, err));
    GM_TRY(s->kind->session_new(&s->session, s->model, err));
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
    s->kind->free(s->model);
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
