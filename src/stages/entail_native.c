/* entail, by the native encoder over text, entity, type and caption: the probability that each
 * entity is in the image; with the setting `fusion`, weighed with the other evidence that the record
 * has. `encode` is the same as a step in front of the backend that asks a language model, which
 * weighs for itself. */
#include "stages/backends.h"
#include "stages/fusion.h"
#include "stages/native_stage.h"

#include "base/alloc.h"
#include "entail/entail.h"

struct entail {
    struct gm_entail *encoder;
    struct gm_fusion fusion;
};

struct session {
    const struct entail *model;
    struct gm_entail_session *encoder;
};

static void free_entail(void *model)
{
    struct entail *m = model;
    if (!m)
        return;
    gm_entail_free(m->encoder);
    gm_free(m);
}

static enum gm_status load_entail(void **model, const char *dir, const char *precision,
                                  double unused, struct gm_error *err)
{
    (void)unused;
    struct entail *m = gm_alloc(1, sizeof *m);
    *model = NULL;
    if (!m)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    enum gm_status st =
        gm_entail_load(&m->encoder, dir, &(struct gm_entail_opts){.precision = precision}, err);
    if (st == GM_OK)
        *model = m;
    else
        free_entail(m);
    return st;
}

static enum gm_status read_fusion(void *model, const struct gm_json *settings, struct gm_error *err)
{
    struct entail *m = model;
    struct gm_fusion fusion;
    return gm_fusion_read(m ? &m->fusion : &fusion, settings, err);
}

static void free_session(void *session)
{
    struct session *s = session;
    if (!s)
        return;
    gm_entail_session_free(s->encoder);
    gm_free(s);
}

static enum gm_status new_session(void **session, const void *model, struct gm_error *err)
{
    struct session *s = gm_alloc(1, sizeof *s);
    *session = NULL;
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    s->model = model;
    enum gm_status st = gm_entail_session_new(&s->encoder, s->model->encoder, err);
    if (st == GM_OK)
        *session = s;
    else
        free_session(s);
    return st;
}

static bool is_judged(const struct gm_post *p) { return !p->error.stage.n && p->image.n; }

/* What the encoder says, as evidence; what a model said before is no answer to this run's question. */
static void keep_evidence(struct gm_post **posts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < posts[i]->n_entities && is_judged(posts[i]); k++) {
            struct gm_entity *e = &posts[i]->entities[k];
            e->evidence.has[GM_WITNESS_ENCODER] = true;
            e->evidence.by[GM_WITNESS_ENCODER] = e->visible;
            e->evidence.has[GM_WITNESS_MODEL] = false;
        }
}

static enum gm_status run_encode(void *session, struct gm_post **posts, size_t n,
                                 struct gm_error *err)
{
    const struct session *s = session;
    enum gm_status st = gm_entail_predict(s->encoder, posts, n, err);
    if (st == GM_OK)
        keep_evidence(posts, n);
    return st;
}

static enum gm_status run_entail(void *session, struct gm_post **posts, size_t n,
                                 struct gm_error *err)
{
    const struct session *s = session;
    if (!s->model->fusion.n)
        return gm_entail_predict(s->encoder, posts, n, err);
    enum gm_status st = run_encode(session, posts, n, err);
    for (size_t i = 0; i < n && st == GM_OK; i++)
        if (is_judged(posts[i]))
            gm_fusion_apply(&s->model->fusion, posts[i]);
    return st;
}

static const struct gm_native_kind kind = {.model_key = "model",
                                           .load = load_entail,
                                           .free = free_entail,
                                           .more = (const char *const[]){"fusion", NULL},
                                           .read = read_fusion,
                                           .session_new = new_session,
                                           .run = run_entail,
                                           .session_free = free_session};

const struct gm_backend gm_backend_entail_native = {GM_NATIVE_BACKEND,         .stage = "entail",
                                                    .needs_image = true,       .opens_ahead = true,
                                                    .model = "entail-default", .native = &kind};

static const struct gm_native_kind encode = {.model_key = "encoder",
                                             .is_second = true,
                                             .load = load_entail,
                                             .free = free_entail,
                                             .session_new = new_session,
                                             .run = run_encode,
                                             .session_free = free_session};

const struct gm_backend gm_backend_encode_native = {GM_NATIVE_BACKEND, .stage = "encode",
                                                    .needs_image = true, .native = &encode};
