/* tag, by the native encoder and CRF: the entities of the text. */
#include "stages/backends.h"

#include "base/models.h"
#include "ner/tagger.h"

static void close_tag(void *self) { gm_tagger_free(self); }

/* Settings: model (a model's name or folder, default "ner-default"), precision (auto, f32, bf16, int8). */
static enum gm_status open_tag(void **self, const struct gm_backend *b,
                               const struct gm_json *settings, struct gm_error *err)
{
    static const char *const known[] = {"model", "precision", NULL};
    enum gm_status st = GM_OK;
    struct gm_str model = gm_str(b->model), precision = GM_STR("auto");
    struct gm_tagger *t;
    const char *dir;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    *self = NULL;
    GM_TRY(gm_settings_check(settings, b->stage, known, err));
    GM_TRY(gm_settings_str(settings, "model", &model, err));
    GM_TRY(gm_settings_str(settings, "precision", &precision, err));
    GM_TRY(gm_model_dir(&a, model.p, &dir, err));
    GM_TRY(gm_tagger_load(&t, dir, &(struct gm_tagger_opts){.precision = precision.p}, err));
    *self = t;
done:
    gm_arena_clear(&a);
    return st;
}

static enum gm_status run_tag(void *self, struct gm_post **posts, size_t n, struct gm_error *err)
{
    return gm_tagger_predict(self, posts, n, err);
}

const struct gm_backend gm_backend_tag_native = {
    .stage = "tag",
    .name = "native",
    .model = "ner-default",
    .open = open_tag,
    .run = run_tag,
    .close = close_tag,
    .fingerprint = gm_fingerprint_setting,
};
