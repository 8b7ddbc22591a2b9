/* entail, by the native encoder over text, entity, type and caption: the probability that each
 * entity is in the image. */
#include "stages/backends.h"
#include "stages/native_stage.h"

#include "entail/entail.h"

static enum gm_status load_entail(void **model, const char *dir, const char *precision,
                                  double unused, struct gm_error *err)
{
    (void)unused;
    struct gm_entail *e;
    enum gm_status st =
        gm_entail_load(&e, dir, &(struct gm_entail_opts){.precision = precision}, err);
    *model = st == GM_OK ? e : NULL;
    return st;
}

static void free_entail(void *model) { gm_entail_free(model); }

static enum gm_status new_session(void **session, const void *model, struct gm_error *err)
{
    struct gm_entail_session *s;
    enum gm_status st = gm_entail_session_new(&s, model, err);
    *session = s;
    return st;
}

static void free_session(void *session) { gm_entail_session_free(session); }

static enum gm_status run_entail(void *session, struct gm_post **posts, size_t n,
                                 struct gm_error *err)
{
    return gm_entail_predict(session, posts, n, err);
}

static const struct gm_native_kind kind = {.model_key = "model",
                                           .load = load_entail,
                                           .free = free_entail,
                                           .session_new = new_session,
                                           .run = run_entail,
                                           .session_free = free_session};

const struct gm_backend gm_backend_entail_native = {GM_NATIVE_BACKEND, .stage = "entail",
                                                    .needs_image = true, .model = "entail-default",
                                                    .native = &kind};
