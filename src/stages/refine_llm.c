/* refine, by a multimodal LLM: what the tagger is unsure of is shown to it, with the text, the picture and
 * what the tagger is sure of. Two steps: which words are names, then of which types; each asks only about
 * those whose uncertainty of just that is over its threshold. Or both in one question (`combined`). The
 * confident entities are never asked about and stay as they are. Source: ReFineG (arXiv 2509.10975).
 * Names must be words of the text that overlap the old span, types known ones; what all of a post's answers
 * come to together is refine_apply.c's and refine_merge.c's. Where one is refused the tagger's prediction
 * stays, and its note says why. */
#include "stages/backends.h"
#include "stages/refine.h"
#include "stages/said.h"

#include <string.h>

/* ---- settings ---- */

static const char *const measures[] = {"score", "marginal", "entropy", "margin"};

static enum gm_status read_types(struct gm_refine *r, const struct gm_json *list,
                                 struct gm_error *err)
{
    static const char *const usual[] = {"PER", "LOC", "ORG", "OTHER"};
    size_t n = list ? gm_json_count(list) : 4;
    r->type_list = GM_STR("");
    if (n == 0 || n > GM_REFINE_TYPES_MAX || (list && gm_json_kind(list) != GM_JSON_ARRAY))
        return GM_FAIL(err, GM_EARG, "setting \"types\" must be a list of 1 to %d types",
                       (int)GM_REFINE_TYPES_MAX);
    for (size_t i = 0; i < n; i++) {
        struct gm_str t = {NULL, 0};
        if (!list)
            t = gm_str(usual[i]);
        else if (!gm_json_str(gm_json_at(list, i), &t) || !t.n)
            return GM_FAIL(err, GM_EARG, "setting \"types\": element %zu is no text", i + 1);
        r->types[r->n_types++] = t = gm_arena_str(&r->base.arena, t);
        r->type_list = gm_arena_printf(&r->base.arena, "%.*s%s%.*s", GM_STR_ARG(r->type_list),
                                       i ? ", " : "", GM_STR_ARG(t));
        if (!t.p || !r->type_list.p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    return GM_OK;
}

static enum gm_status read_combined(struct gm_refine *r, const struct gm_json *settings,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str measure = GM_STR("score");
    r->threshold = 0.5;
    GM_TRY(gm_settings_str(settings, "measure", &measure, err));
    GM_TRY(gm_settings_num(settings, "threshold", 0, 1000, &r->threshold, err));
    while (r->measure < GM_N_REFINE_MEASURES && !gm_str_eq_c(measure, measures[r->measure]))
        r->measure++;
    if (r->measure == GM_N_REFINE_MEASURES)
        st = GM_FAIL(err, GM_EARG,
                     "setting \"measure\" is \"%.*s\"; it must be score, marginal, entropy or "
                     "margin",
                     GM_STR_ARG(measure));
done:
    return st;
}

/* A setting of the other way of asking would do nothing. */
static enum gm_status check_way(bool combined, const struct gm_json *settings, struct gm_error *err)
{
    static const char *const of_combined[] = {"threshold", "measure", NULL};
    static const char *const of_steps[] = {"span", "type", "type_prompt", NULL};
    const char *const *others = combined ? of_steps : of_combined;
    for (size_t i = 0; others[i]; i++)
        if (gm_json_get(settings, others[i]) && combined)
            return GM_FAIL(err, GM_EARG,
                           "setting \"%s\" is one of the two steps; with \"combined\" there is one "
                           "question and its \"threshold\"",
                           others[i]);
        else if (gm_json_get(settings, others[i]))
            return GM_FAIL(err, GM_EARG,
                           "setting \"%s\" goes with \"combined: true\"; the two steps have "
                           "thresholds of their own, \"span\" and \"type\"",
                           others[i]);
    return GM_OK;
}

static bool is_combined(const struct gm_json *settings)
{
    bool combined = false;
    (void)gm_json_bool(gm_json_get(settings, "combined"), &combined);
    return combined;
}

static enum gm_status open_refine(void *self, const struct gm_json *settings, struct gm_error *err)
{
    struct gm_refine *r = self;
    enum gm_status st = GM_OK;
    r->missed = 0.2;
    r->combined = false;
    GM_TRY(gm_settings_bool(settings, "combined", &r->combined, err));
    GM_TRY(check_way(r->combined, settings, err));
    GM_TRY(gm_settings_num(settings, "missed", 0, 1, &r->missed, err));
    GM_TRY(read_types(r, gm_json_get(settings, "types"), err));
    GM_TRY(gm_guide_definitions(&r->base.guide, r->types, r->n_types, &r->base.arena,
                                &r->type_definitions, err));
    GM_TRY(r->combined ? read_combined(r, settings, err) : gm_refine_steps_open(r, settings, err));
    GM_TRY(gm_examples_open(&r->examples, &r->base, settings, err));
done:
    return st;
}

static void close_refine(void *self)
{
    struct gm_refine *r = self;
    gm_examples_free(r->examples);
    gm_prompt_free(r->type_prompt);
    gm_json_free(r->type_schema);
}

static enum gm_status fingerprint(const struct gm_json *settings, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = gm_examples_fingerprint(settings, out, err);
    return st != GM_OK || is_combined(settings) ? st
                                                : gm_refine_steps_fingerprint(settings, out, err);
}

/* ---- what is asked about ---- */

/* Over the combined threshold. An entity without the figure is not uncertain: one that came with the post
 * has a score of 1 and no uncertainty, unless it was given them. */
static bool is_uncertain(const struct gm_refine *r, const struct gm_entity *e)
{
    const struct gm_uncertainty *u = &e->uncertainty;
    switch (r->measure) {
    case GM_REFINE_BY_SCORE: return 1 - e->score > r->threshold;
    case GM_REFINE_BY_MARGINAL: return u->has && 1 - u->marginal > r->threshold;
    case GM_REFINE_BY_ENTROPY: return u->has && u->entropy > r->threshold;
    case GM_REFINE_BY_MARGIN: return u->has && u->margin < r->threshold;
    case GM_N_REFINE_MEASURES: break;
    }
    return false;
}

/* Whether the first, or only, question is about it. */
static bool is_asked_first(const struct gm_refine *r, const struct gm_entity *e)
{
    return r->combined ? is_uncertain(r, e) : 1 - gm_refine_span_score(e) > r->span;
}

static void choose(const struct gm_refine *r, const struct gm_refine_work *w,
                   struct gm_refine_list *list)
{
    const struct gm_post *p = w->post;
    *list = (struct gm_refine_list){.n = 0};
    for (size_t i = 0; i < w->n && list->n < GM_REFINE_ASKED_MAX; i++) {
        if (is_asked_first(r, &w->entities[i]))
            list->at[list->n++] = i;
    }
    list->n_entities = list->n;
    for (size_t i = 0; i < p->n_candidates && list->n < GM_REFINE_ASKED_MAX; i++)
        if (p->candidates[i].score >= r->missed)
            list->at[list->n++] = i;
}

/* ---- the first, or only, question ---- */

/* The words and type of one answer; several about one entity are several names. */
static void add_combined(const struct gm_refine *r, const struct gm_entity *e, bool is_candidate,
                         const struct gm_json *answer, struct gm_refine_names *a)
{
    struct gm_str action = gm_refine_reply_text(answer, "action");
    size_t type = gm_refine_find_type(r, gm_refine_reply_text(answer, "type"));
    bool is_change = gm_str_eq_c(action, "change");
    if (gm_str_eq_c(action, "remove") || a->n == GM_REFINE_NAMES_MAX)
        return;
    size_t i = a->n++;
    a->names[i] = is_change ? gm_refine_reply_text(answer, "text") : e->text;
    if (!is_change && !is_candidate)
        return;
    if (type == r->n_types)
        a->why = "unknown_type";
    else
        a->types[i] = r->types[type];
}

static void add_spans(const struct gm_json *answer, struct gm_refine_names *a)
{
    const struct gm_json *names = gm_json_get(answer, "names");
    for (size_t i = 0; i < gm_json_count(names) && a->n < GM_REFINE_NAMES_MAX; i++)
        if (gm_json_str(gm_json_at(names, i), &a->names[a->n]))
            a->n += gm_str_trim(a->names[a->n]).n > 0;
}

static enum gm_status take(struct gm_refine *r, struct gm_refine_work *w,
                           const struct gm_refine_list *list, const struct gm_json *said,
                           struct gm_error *err)
{
    struct gm_arena *a = &w->post->arena;
    struct gm_refine_names *names = gm_arena_alloc(a, list->n, sizeof *names);
    const struct gm_refine_names **answers = gm_arena_alloc(a, list->n, sizeof(void *));
    if (!names || !answers)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < gm_json_count(said); i++) {
        const struct gm_json *answer = gm_json_at(said, i);
        long long number = 1;
        (void)gm_json_int(gm_json_get(answer, "entity"), &number);
        size_t k = (size_t)number - 1;
        bool is_candidate = k >= list->n_entities;
        const struct gm_entity *e =
            is_candidate ? &w->post->candidates[list->at[k]] : &w->entities[list->at[k]];
        if (r->combined)
            add_combined(r, e, is_candidate, answer, &names[k]);
        else
            add_spans(answer, &names[k]);
        answers[k] = &names[k];
    }
    for (size_t i = list->n_entities; i < list->n; i++)
        w->is_judged[list->at[i]] = true;
    return gm_refine_apply(r, w, list, answers, err);
}

static enum gm_status ask_first(struct gm_refine *r, struct gm_refine_work *w, bool *left,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_refine_list list;
    struct gm_llm_reply reply = {0};
    choose(r, w, &list);
    if (list.n == 0)
        return GM_OK;
    GM_TRY(gm_refine_ask(r, w, &list, r->combined ? GM_REFINE_ASK_COMBINED : GM_REFINE_ASK_SPANS,
                         &reply, left, err));
    if (*left)
        goto done;
    if (reply.st == GM_EFORMAT)
        GM_TRY(gm_refine_reject_all(r, w, &list, err));
    else
        GM_TRY(take(r, w, &list, gm_json_get(reply.value, "entities"), err));
done:
    gm_llm_reply_clear(&reply);
    return st;
}

/* ---- a post ---- */

/* Candidates that were asked about have had their answer. */
static void put_back(struct gm_refine_work *w)
{
    struct gm_post *p = w->post;
    size_t n = 0;
    for (size_t i = 0; i < p->n_candidates; i++)
        if (!w->is_judged[i])
            p->candidates[n++] = p->candidates[i];
    p->n_candidates = n;
    p->entities = w->entities;
    p->n_entities = w->n;
}

/* What a post points to lives in its arena: the stage's types go before the posts. */
static enum gm_status keep_types(const struct gm_refine *r, struct gm_refine_work *w,
                                 struct gm_error *err)
{
    for (size_t i = 0; i < w->n; i++) {
        struct gm_str *type = &w->entities[i].type;
        size_t t = gm_refine_find_type(r, *type);
        if (t == r->n_types || r->types[t].p != type->p)
            continue;
        *type = gm_arena_str(&w->post->arena, *type);
        if (!type->p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    return GM_OK;
}

/* What an earlier run refused goes of those that are asked about; the others stay as they are. */
static enum gm_status begin(const struct gm_refine *r, struct gm_refine_work *w, struct gm_post *p,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *w = (struct gm_refine_work){.post = p, .n = p->n_entities};
    w->entities = gm_arena_alloc(&p->arena, w->n, sizeof *w->entities);
    w->is_fresh = gm_arena_alloc(&p->arena, w->n, sizeof *w->is_fresh);
    w->is_judged = gm_arena_alloc(&p->arena, p->n_candidates, sizeof *w->is_judged);
    if (!w->entities || !w->is_fresh || !w->is_judged)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (w->n)
        memcpy(w->entities, p->entities, w->n * sizeof *w->entities);
    for (size_t i = 0; i < w->n; i++)
        if (is_asked_first(r, &w->entities[i]) ||
            (!r->combined && gm_refine_is_type_unsure(r, &w->entities[i])))
            GM_TRY(gm_llm_clear_rejected(&r->base, p, &w->entities[i], err));
done:
    return st;
}

static enum gm_status refine_post(void *self, struct gm_post *p, struct gm_error *err)
{
    struct gm_refine *r = self;
    enum gm_status st = GM_OK;
    struct gm_refine_work w;
    bool left = false;
    GM_TRY(begin(r, &w, p, err));
    GM_TRY(ask_first(r, &w, &left, err));
    if (!left && !r->combined)
        GM_TRY(gm_refine_types(r, &w, &left, err));
    if (!left) {
        GM_TRY(keep_types(r, &w, err));
        put_back(&w);
    }
done:
    gm_example_set_clear(&w.examples);
    gm_picture_clear(&w.picture);
    return st;
}

static const char *const known[] = {
    GM_LLM_SETTINGS, GM_EXAMPLES_SETTINGS, "combined", "threshold", "measure", "span",
    "type",          "type_prompt",        "missed",   "types",     NULL};

#define KIND                                                                                   \
    .values = gm_refine_values, .example_values = gm_refine_example_values, .settings = known, \
    .max_tokens = 1024, .read = gm_said_entities, .one = refine_post,                          \
    .size = sizeof(struct gm_refine), .open = open_refine, .close = close_refine,              \
    .fingerprint = fingerprint

#define ENTITIES(more)                                                                        \
    "{\"type\":\"object\",\"properties\":{\"entities\":{\"type\":\"array\",\"maxItems\":100," \
    "\"items\":{\"type\":\"object\",\"properties\":{\"entity\":{\"type\":\"integer\"}," more  \
    ",\"additionalProperties\":false}}},\"required\":[\"entities\"],\"additionalProperties\":false}"

static const struct gm_llm_stage_kind kind_of_combined = {
    KIND,
    .prompt = "refine",
    .schema = ENTITIES("\"action\":{\"type\":\"string\",\"enum\":[\"keep\",\"change\",\"remove\"]},"
                       "\"text\":{\"type\":\"string\"},\"type\":{\"type\":\"string\"}},"
                       "\"required\":[\"entity\",\"action\",\"text\",\"type\"]"),
};

static const struct gm_llm_stage_kind *pick(const struct gm_json *settings)
{
    return is_combined(settings) ? &kind_of_combined : NULL;
}

/* The first of the two steps; the second is an asking of its own. */
static const struct gm_llm_stage_kind kind = {
    KIND,
    .pick = pick,
    .prompt = "refine_span",
    .schema = ENTITIES("\"names\":{\"type\":\"array\",\"maxItems\":10,\"items\":{\"type\":"
                       "\"string\"}}},\"required\":[\"entity\",\"names\"]"),
};

const struct gm_backend gm_backend_refine_llm = {GM_LLM_BACKEND, .stage = "refine", .llm = &kind};
