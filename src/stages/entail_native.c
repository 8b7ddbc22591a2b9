/* entail, by the native encoder over text, entity, type and caption: the probability that each
 * entity is in the image. */
#include "stages/backends.h"

#include "base/models.h"
#include "entail/entail.h"

static void close_entail(void *self) { gm_entail_free(self); }

/* Settings: model (a model's name or folder, default "entail-default"), precision. */
static enum gm_status open_entail(void **self, const struct gm_backend *b,
                                  const struct gm_json *settings, struct gm_error *err)
{
    static const char *const known[] = {"model", "precision", NULL};
    enum gm_status st = GM_OK;
    struct gm_str model = gm_str(b->model), precision = GM_STR("auto");
    struct gm_entail *e;
    const char *dir;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    *self = NULL;
    GM_TRY(gm_settings_check(settings, b->stage, known, err));
    GM_TRY(gm_settings_str(settings, "model", &model, err));
    GM_TRY(gm_settings_str(settings, "precision", &precision, err));
    GM_TRY(gm_model_dir(&a, model.p, &dir, err));
    GM_TRY(gm_entail_load(&e, dir, &(struct gm_entail_opts){.precision = precision.p}, err));
    *self = e;
done:
    gm_arena_clear(&a);
    return st;
}

static enum gm_status run_entail(void *self, struct gm_post **posts, size_t n, struct gm_error *err)
{
    return gm_entail_predict(self, posts, n, err);
}

const struct gm_backend gm_backend_entail_native = {
    .stage = "entail",
    .name = "native",
    .needs_image = true,
    .model = "entail-default",
    .open = open_entail,
    .run = run_entail,
    .close = close_entail,
    .fingerprint = gm_fingerprint_setting,
};
