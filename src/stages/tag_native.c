/* tag, by the native encoder and CRF: the entities of the text. And retag, the same once more behind
 * inform (setting tagger), when a tagger that was trained with knowledge can read some. */
#include "stages/backends.h"

#include "base/alloc.h"
#include "base/models.h"
#include "ner/tagger.h"

static void close_tag(void *self) { gm_tagger_free(self); }

static enum gm_status load(struct gm_tagger **out, struct gm_str model,
                           const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str precision = GM_STR("auto");
    const char *dir;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(gm_settings_str(settings, "precision", &precision, err));
    GM_TRY(gm_model_dir(&a, model.p, &dir, err));
    GM_TRY(gm_tagger_load(out, dir, &(struct gm_tagger_opts){.precision = precision.p}, err));
done:
    gm_arena_clear(&a);
    return st;
}

/* Settings: model (a model's name or folder, default "ner-default"), precision (auto, f32, bf16, int8). */
static enum gm_status open_tag(void **self, const struct gm_backend *b,
                               const struct gm_json *settings, struct gm_error *err)
{
    static const char *const known[] = {"model", "precision", NULL};
    enum gm_status st = GM_OK;
    struct gm_str model = gm_str(b->model);
    struct gm_tagger *t;
    *self = NULL;
    GM_TRY(gm_settings_check(settings, b->stage, known, err));
    GM_TRY(gm_settings_str(settings, "model", &model, err));
    GM_TRY(load(&t, model, settings, err));
    *self = t;
done:
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

/* ---- retag ---- */

/* Settings: those of inform, of which tagger (a model's name or folder) and precision are for here. */
static enum gm_status open_retag(void **self, const struct gm_backend *b,
                                 const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str model = {NULL, 0};
    struct gm_tagger *t;
    (void)b;
    *self = NULL;
    GM_TRY(gm_settings_str(settings, "tagger", &model, err));
    GM_TRY(load(&t, model, settings, err));
    *self = t;
done:
    return st;
}

/* What a post had, to be put back where it cannot be tagged again. */
struct before {
    struct gm_entity *entities;
    size_t n;
    bool has;
};

static enum gm_status run_retag(void *self, struct gm_post **posts, size_t n, struct gm_error *err)
{
    struct before *before = gm_alloc(n, sizeof *before);
    if (!before)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct gm_post *p = posts[i];
        before[i] = (struct before){p->entities, p->n_entities, p->has_entities};
        if (p->error.stage.n)
            continue; /* the tagger skips it */
        p->entities = NULL;
        p->n_entities = 0;
        p->has_entities = false;
    }
    enum gm_status st = gm_tagger_predict(self, posts, n, err);
    for (size_t i = 0; i < n; i++) {
        struct gm_post *p = posts[i];
        if (st != GM_OK) {
            p->entities = before[i].entities;
            p->n_entities = before[i].n;
            p->has_entities = before[i].has;
        }
        for (size_t k = 0; k < p->n_entities && st == GM_OK && !p->error.stage.n; k++)
            p->entities[k].source = GM_STR("inform");
    }
    gm_free(before);
    return st;
}

static enum gm_status fingerprint_retag(const struct gm_backend *b, const struct gm_json *settings,
                                        struct gm_buf *out, struct gm_error *err)
{
    struct gm_str model = {NULL, 0};
    enum gm_status st = gm_settings_str(settings, "tagger", &model, err);
    (void)b;
    return st == GM_OK ? gm_fingerprint_model(model.p, out, err) : st;
}

const struct gm_backend gm_backend_retag_native = {
    .stage = "retag",
    .name = "native",
    .needs_knowledge = true,
    .open = open_retag,
    .run = run_retag,
    .close = close_tag,
    .fingerprint = fingerprint_retag,
};
