/* tag, by the native encoder and CRF: the entities of the text. And retag, the same once more behind
 * inform (setting tagger), when a tagger that was trained with knowledge can read some. */
#include "stages/backends.h"
#include "stages/native_stage.h"

#include "base/alloc.h"
#include "ner/tagger.h"

static enum gm_status load_tagger(void **model, const char *dir, const char *precision,
                                  double candidates, struct gm_error *err)
{
    struct gm_tagger *t;
    const struct gm_tagger_opts opts = {.precision = precision, .candidates_min = candidates};
    enum gm_status st = gm_tagger_load(&t, dir, &opts, err);
    *model = st == GM_OK ? t : NULL;
    return st;
}

static const char *const more[] = {"policy", "words", "min_score", NULL};

/* policy: which of the names found are entities: all (none), or by the rules for tweets. words: how raw text is cut,
 * where the tagger does not say so itself (auto). min_score: entities below it are left out. */
static enum gm_status read_more(void *model, const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str policy = GM_STR("none"), words = GM_STR("auto");
    enum gm_word_cut cut;
    double min_score = 0;
    GM_TRY(gm_settings_num(settings, "min_score", 0, 1, &min_score, err));
    GM_TRY(gm_settings_str(settings, "policy", &policy, err));
    GM_TRY(gm_settings_str(settings, "words", &words, err));
    if (!gm_str_eq_c(policy, "none") && !gm_str_eq_c(policy, "tweets"))
        return GM_FAIL(err, GM_EARG, "setting \"policy\" is \"%.*s\"; it must be none or tweets",
                       GM_STR_ARG(policy));
    bool has_cut = gm_cut_parse(words, &cut);
    if (!has_cut && !gm_str_eq_c(words, "auto"))
        return GM_FAIL(err, GM_EARG,
                       "setting \"words\" is \"%.*s\"; it must be auto, spaces, dictionary, "
                       "characters or letters",
                       GM_STR_ARG(words));
    if (!model)
        goto done;
    gm_tagger_set_policy(model, gm_str_eq_c(policy, "tweets"));
    gm_tagger_set_min_score(model, min_score);
    if (has_cut)
        gm_tagger_set_cut(model, cut);
done:
    return st;
}

static void free_tagger(void *model) { gm_tagger_free(model); }

static enum gm_status new_session(void **session, const void *model, struct gm_error *err)
{
    struct gm_tagger_session *s;
    enum gm_status st = gm_tagger_session_new(&s, model, err);
    *session = s;
    return st;
}

static void free_session(void *session) { gm_tagger_session_free(session); }

static enum gm_status run_tag(void *session, struct gm_post **posts, size_t n, struct gm_error *err)
{
    return gm_tagger_predict(session, posts, n, err);
}

static const struct gm_native_kind tag = {.model_key = "model",
                                          .number_key = "candidates",
                                          .more = more,
                                          .read = read_more,
                                          .load = load_tagger,
                                          .free = free_tagger,
                                          .session_new = new_session,
                                          .run = run_tag,
                                          .session_free = free_session};

const struct gm_backend gm_backend_tag_native = {GM_NATIVE_BACKEND, .stage = "tag",
                                                 .model = "ner-default", .native = &tag};

/* ---- retag ---- */

/* What a post had, to be put back where it cannot be tagged again. */
struct before {
    struct gm_entity *entities, *candidates;
    size_t n, n_candidates;
    bool has, has_candidates;
};

static enum gm_status run_retag(void *session, struct gm_post **posts, size_t n,
                                struct gm_error *err)
{
    struct before *before = gm_alloc(n, sizeof *before);
    if (!before)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct gm_post *p = posts[i];
        before[i] = (struct before){.entities = p->entities,
                                    .candidates = p->candidates,
                                    .n = p->n_entities,
                                    .n_candidates = p->n_candidates,
                                    .has = p->has_entities,
                                    .has_candidates = p->has_candidates};
        if (p->error.stage.n)
            continue; /* the tagger skips it */
        p->entities = NULL;
        p->n_entities = 0;
        p->has_entities = false;
    }
    enum gm_status st = gm_tagger_predict(session, posts, n, err);
    for (size_t i = 0; i < n; i++) {
        struct gm_post *p = posts[i];
        if (st != GM_OK) {
            p->entities = before[i].entities;
            p->n_entities = before[i].n;
            p->has_entities = before[i].has;
            p->candidates = before[i].candidates;
            p->n_candidates = before[i].n_candidates;
            p->has_candidates = before[i].has_candidates;
        }
        for (size_t k = 0; k < p->n_entities && st == GM_OK && !p->error.stage.n; k++)
            p->entities[k].source = GM_STR("inform");
    }
    gm_free(before);
    return st;
}

static const struct gm_native_kind retag = {.model_key = "tagger",
                                            .number_key = "candidates",
                                            .is_second = true,
                                            .more = more,
                                            .read = read_more,
                                            .load = load_tagger,
                                            .free = free_tagger,
                                            .session_new = new_session,
                                            .run = run_retag,
                                            .session_free = free_session};

const struct gm_backend gm_backend_retag_native = {
    GM_NATIVE_BACKEND, .stage = "retag", .needs_knowledge = true, .like = "tag", .native = &retag};
