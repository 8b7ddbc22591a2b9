/* refine, by a multimodal LLM: the entities that the tagger is unsure of are shown to it, with the
 * text and the picture; it may keep, correct or remove each. The confident ones are never sent and
 * stay as they are. Source: ReFineG (arXiv 2509.10975).
 * A correction must be words of the text that overlap the old span, and have a known type; what all
 * of a post's answers come to together is refine_merge.c's. Where one is refused the tagger's
 * prediction stays, and its note says why. */
#include "stages/backends.h"
#include "stages/examples.h"
#include "stages/refine_merge.h"
#include "stages/said.h"

#include "base/utf8.h"

enum { TYPES_MAX = 128, ASKED_MAX = 100 };

/* What the threshold is for; the names of the setting, and of the fields in the record. */
enum measure { BY_SCORE, BY_MARGINAL, BY_ENTROPY, BY_MARGIN, N_MEASURES };
static const char *const measures[] = {"score", "marginal", "entropy", "margin"};

struct refine {
    struct gm_llm_stage base; /* first: the helpers take a pointer to it */
    enum measure measure;
    double threshold;
    struct gm_str types[TYPES_MAX];
    size_t n_types;
    struct gm_str type_list;        /* "PER, LOC" */
    struct gm_str type_definitions; /* a line each */
    struct gm_examples *examples;   /* NULL = none */
};

static enum gm_status read_types(struct refine *r, const struct gm_json *list, struct gm_error *err)
{
    static const char *const usual[] = {"PER", "LOC", "ORG", "OTHER"};
    size_t n = list ? gm_json_count(list) : 4;
    r->type_list = GM_STR("");
    if (n == 0 || n > TYPES_MAX || (list && gm_json_kind(list) != GM_JSON_ARRAY))
        return GM_FAIL(err, GM_EARG, "setting \"types\" must be a list of 1 to %d types",
                       (int)TYPES_MAX);
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

static enum gm_status open_refine(void *self, const struct gm_json *settings, struct gm_error *err)
{
    struct refine *r = self;
    enum gm_status st = GM_OK;
    struct gm_str measure = GM_STR("score");
    r->threshold = 0.5;
    GM_TRY(gm_settings_str(settings, "measure", &measure, err));
    GM_TRY(gm_settings_num(settings, "threshold", 0, 1000, &r->threshold, err));
    GM_TRY(read_types(r, gm_json_get(settings, "types"), err));
    GM_TRY(gm_guide_definitions(&r->base.guide, r->types, r->n_types, &r->base.arena,
                                &r->type_definitions, err));
    while (r->measure < N_MEASURES && !gm_str_eq_c(measure, measures[r->measure]))
        r->measure++;
    if (r->measure == N_MEASURES)
        st = GM_FAIL(err, GM_EARG,
                     "setting \"measure\" is \"%.*s\"; it must be score, marginal, entropy or "
                     "margin",
                     GM_STR_ARG(measure));
    if (st == GM_OK)
        st = gm_examples_open(&r->examples, &r->base, settings, err);
done:
    return st;
}

static void close_refine(void *self)
{
    struct refine *r = self;
    gm_examples_free(r->examples);
}

/* Over the threshold. An entity without the figure is not uncertain: one that came with the post
 * has a score of 1 and no uncertainty, unless it was given them. */
static bool is_uncertain(const struct refine *r, const struct gm_entity *e)
{
    const struct gm_uncertainty *u = &e->uncertainty;
    switch (r->measure) {
    case BY_SCORE: return 1 - e->score > r->threshold;
    case BY_MARGINAL: return u->has && 1 - u->marginal > r->threshold;
    case BY_ENTROPY: return u->has && u->entropy > r->threshold;
    case BY_MARGIN: return u->has && u->margin < r->threshold;
    case N_MEASURES: break;
    }
    return false;
}

/* The entities of one post that are asked about, by their places in the post. */
struct asked {
    size_t at[ASKED_MAX];
    size_t n;
};

static const char *check(void *user, const struct gm_json *value)
{
    const struct asked *a = user;
    const struct gm_json *list = gm_json_get(value, "entities");
    return gm_llm_is_numbered(list, a->n) ? NULL : "not one answer an entity";
}

/* ---- corrections ---- */

/* Whether bytes [from, to) are whole words of the text. */
static bool is_whole_words(struct gm_str text, size_t from, size_t to)
{
    if (from > 0 && gm_is_word_byte(text.p[from - 1]) && gm_is_word_byte(text.p[from]))
        return false;
    return to == text.n || !gm_is_word_byte(text.p[to]) || !gm_is_word_byte(text.p[to - 1]);
}

/* A place in the text, in code points. */
struct span {
    size_t start, end;
};

static bool overlaps(struct span a, size_t start, size_t end)
{
    return a.start < end && start < a.end;
}

/* The whole-word occurrence of `words` that overlaps the entity and starts nearest to it. */
static bool find_span(struct gm_str text, struct gm_str words, const struct gm_entity *e,
                      struct span *out)
{
    size_t best = SIZE_MAX, n = gm_utf8_count(words);
    for (size_t at = gm_str_find(text, words, 0); words.n && at != SIZE_MAX;
         at = gm_str_find(text, words, at + 1)) {
        size_t start = gm_utf8_count(gm_str_sub(text, 0, at));
        struct span s = {start, start + n};
        size_t away = start > e->start ? start - e->start : e->start - start;
        if (!is_whole_words(text, at, at + words.n) || !overlaps(s, e->start, e->end) ||
            away >= best)
            continue;
        best = away;
        *out = s;
    }
    return best != SIZE_MAX;
}

static struct gm_str answer_text(const struct gm_json *answer, const char *name)
{
    struct gm_str s = {NULL, 0};
    (void)gm_json_str(gm_json_get(answer, name), &s);
    return gm_str_trim(s);
}

/* What one answer asks for, or why it can't be. A change that stays where it is and has a known type
 * is no move: others may take it in. */
static void read_answer(const struct refine *r, const struct gm_post *p, const struct gm_entity *e,
                        const struct gm_json *answer, struct gm_merge *m)
{
    struct gm_str action = answer_text(answer, "action"), words = answer_text(answer, "text");
    struct span s = {0, 0};
    size_t t = 0;
    m->removed = gm_str_eq_c(action, "remove");
    if (!gm_str_eq_c(action, "change"))
        return;
    while (t < r->n_types && !gm_str_eq(r->types[t], answer_text(answer, "type")))
        t++;
    if (!words.n || gm_str_find(p->text, words, 0) == SIZE_MAX) {
        m->why = "not_in_text";
        m->words = words;
    } else if (!find_span(p->text, words, e, &s)) {
        m->why = "moved";
    } else {
        m->changed = s.start != e->start || s.end != e->end;
        m->to_start = s.start;
        m->to_end = s.end;
    }
    if (t == r->n_types)
        m->why = "unknown_type";
}

/* Make an accepted change. */
static enum gm_status correct(struct gm_post *p, struct gm_entity *e, const struct gm_merge *m,
                              const struct gm_json *answer, struct gm_error *err)
{
    struct gm_str type = answer_text(answer, "type");
    if (!m->changed && gm_str_eq(type, e->type))
        return GM_OK;
    struct gm_str copy = gm_arena_str(&p->arena, answer_text(answer, "text"));
    struct gm_str type_copy = gm_arena_str(&p->arena, type);
    if (!copy.p || !type_copy.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (!gm_str_eq(type, e->type))
        e->fine_type = GM_STR(""); /* it belonged to the old type */
    e->text = copy;
    e->type = type_copy;
    if (m->changed) {
        e->start = m->to_start;
        e->end = m->to_end;
    }
    e->source = GM_STR("refine");
    if (m->merged)
        e->note = GM_STR("merged");
    return GM_OK;
}

static void remove_marked(struct gm_post *p, const struct gm_merge *m)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_entities; i++)
        if (!m[i].removed)
            p->entities[n++] = p->entities[i];
    p->n_entities = n;
}

/* The answers by the places of their entities in the post; NULL where none was asked for. */
static enum gm_status merge_answers(struct refine *r, struct gm_post *p,
                                    const struct gm_json **answers, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_merge *m = gm_arena_alloc(&p->arena, p->n_entities, sizeof *m);
    if (!m)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *e = &p->entities[i];
        m[i] = (struct gm_merge){
            .start = e->start, .end = e->end, .text = e->text, .asked = answers[i] != NULL};
        if (answers[i])
            read_answer(r, p, e, answers[i], &m[i]);
    }
    gm_refine_merge(m, p->n_entities);
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entity *e = &p->entities[i];
        if (m[i].removed || !answers[i])
            continue;
        if (m[i].why)
            GM_TRY(gm_llm_reject_entity(&r->base, p, e, m[i].why, err));
        else if (gm_str_eq_c(answer_text(answers[i], "action"), "change"))
            GM_TRY(correct(p, e, &m[i], answers[i], err));
    }
    remove_marked(p, m);
done:
    return st;
}

static enum gm_status take(struct refine *r, struct gm_post *p, const struct asked *a,
                           const struct gm_llm_reply *reply, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *list = gm_json_get(reply->value, "entities");
    if (reply->st == GM_EFORMAT) {
        for (size_t i = 0; i < a->n; i++)
            GM_TRY(gm_llm_reject_entity(&r->base, p, &p->entities[a->at[i]], "schema", err));
        goto done;
    }
    const struct gm_json **answers = gm_arena_alloc(&p->arena, p->n_entities, sizeof *answers);
    if (!answers) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t i = 0; i < gm_json_count(list); i++) {
        const struct gm_json *answer = gm_json_at(list, i);
        long long number = 1;
        (void)gm_json_int(gm_json_get(answer, "entity"), &number);
        answers[a->at[number - 1]] = answer;
    }
    GM_TRY(merge_answers(r, p, answers, err));
done:
    return st;
}

static enum gm_status list_entities(const struct gm_post *p, const struct asked *a,
                                    struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < a->n; i++) {
        const struct gm_entity *e = &p->entities[a->at[i]];
        GM_TRY(gm_buf_printf(out, err, "%s%zu. %.*s (%.*s)", i ? "\n" : "", i + 1,
                             GM_STR_ARG(e->text), GM_STR_ARG(e->type)));
    }
done:
    return st;
}

static enum gm_status refine_post(void *self, struct gm_post *p, struct gm_error *err)
{
    struct refine *r = self;
    enum gm_status st = GM_OK;
    struct asked asked = {.n = 0};
    struct gm_llm_reply reply = {0};
    struct gm_picture picture = {.w = 0};
    struct gm_example_set examples = {.n = 0};
    struct gm_buf list;
    for (size_t i = 0; i < p->n_entities && asked.n < ASKED_MAX; i++)
        if (is_uncertain(r, &p->entities[i]))
            asked.at[asked.n++] = i;
    if (asked.n == 0)
        return GM_OK;
    gm_buf_init(&list, (size_t)4 << 20);
    bool sees = gm_llm_stage_sees(&r->base, p);
    if (sees)
        GM_TRY(gm_llm_stage_picture(&r->base, p, &picture, err));
    if (p->error.stage.n)
        goto done;
    GM_TRY(gm_examples_find(r->examples, &r->base, p, sees, 0, &p->arena, &examples, err));
    GM_TRY(list_entities(p, &asked, &list, err));
    const struct gm_prompt_value v[] = {{"text", p->text},
                                        {"caption", p->caption},
                                        {"entities", gm_buf_str(&list)},
                                        {"types", r->type_list},
                                        {"type_definition", r->type_definitions}};
    const struct gm_llm_question q = {.values = v,
                                      .n_values = 5,
                                      .examples = examples.each,
                                      .n_examples = examples.n,
                                      .check = check,
                                      .user = &asked};
    GM_TRY(gm_llm_stage_ask(&r->base, sees ? &picture : NULL, &q, 1, &reply, err));
    if (!gm_llm_stage_failed(&r->base, p, &reply))
        GM_TRY(take(r, p, &asked, &reply, err));
done:
    gm_llm_reply_clear(&reply);
    gm_example_set_clear(&examples);
    gm_picture_clear(&picture);
    gm_buf_clear(&list);
    return st;
}

static const char *const values[] = {GM_LLM_VALUES,     "text", "caption", "entities", "types",
                                     "type_definition", NULL};
static const char *const example_values[] = {GM_EXAMPLES_VALUES, NULL};
static const char *const known[] = {GM_LLM_SETTINGS, GM_EXAMPLES_SETTINGS, "measure", "threshold",
                                    "types",         "type_definition",    NULL};
static const struct gm_llm_stage_kind kind = {
    .prompt = "refine",
    .values = values,
    .example_values = example_values,
    .settings = known,
    .schema =
        "{\"type\":\"object\",\"properties\":{\"entities\":{\"type\":\"array\",\"maxItems\":100,"
        "\"items\":{\"type\":\"object\",\"properties\":{\"entity\":{\"type\":\"integer\"},"
        "\"action\":{\"type\":\"string\",\"enum\":[\"keep\",\"change\",\"remove\"]},"
        "\"text\":{\"type\":\"string\"},\"type\":{\"type\":\"string\"}},"
        "\"required\":[\"entity\",\"action\",\"text\",\"type\"],\"additionalProperties\":false}}},"
        "\"required\":[\"entities\"],\"additionalProperties\":false}",
    .max_tokens = 1024,
    .read = gm_said_entities,
    .one = refine_post,
    .size = sizeof(struct refine),
    .open = open_refine,
    .close = close_refine,
    .fingerprint = gm_examples_fingerprint,
};

const struct gm_backend gm_backend_refine_llm = {GM_LLM_BACKEND, .stage = "refine", .llm = &kind};
