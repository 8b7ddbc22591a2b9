/* refine_ask.c - the questions of refine: their settings, prompts and text, and the reading of what is
 * common to all answers. */
#include "stages/refine.h"

#include "llm/schema.h"
#include "stages/said.h"

#include <ctype.h>
#include <math.h>

const char *const gm_refine_example_values[] = {GM_EXAMPLES_VALUES, NULL};
const char *const gm_refine_values[] = {GM_LLM_VALUES, "text",  "caption",         "entities",
                                        "sure",        "types", "type_definition", NULL};

static const char type_schema[] =
    "{\"type\":\"object\",\"properties\":{\"entities\":{\"type\":\"array\",\"maxItems\":100,"
    "\"items\":{\"type\":\"object\",\"properties\":{\"entity\":{\"type\":\"integer\"},"
    "\"type\":{\"type\":\"string\"}},\"required\":[\"entity\",\"type\"],"
    "\"additionalProperties\":false}}},\"required\":[\"entities\"],\"additionalProperties\":false}";

enum { SURE_MAX = 4000 }; /* bytes of the neighbours' list, about */

/* ---- settings of the steps ---- */

static const struct gm_llm_prompt_setting type_prompt = {
    "type_prompt", "refine_type", gm_refine_values, gm_refine_example_values};

enum gm_status gm_refine_steps_open(struct gm_refine *r, const struct gm_json *settings,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    r->span = 0.4;
    r->type = 0.3;
    GM_TRY(gm_settings_num(settings, "span", 0, 1, &r->span, err));
    GM_TRY(gm_settings_num(settings, "type", 0, 1, &r->type, err));
    GM_TRY(gm_llm_prompt_load(&r->type_prompt, &type_prompt, settings, err));
    GM_TRY(gm_schema_parse(&r->type_schema, gm_str(type_schema), err));
done:
    return st;
}

enum gm_status gm_refine_steps_fingerprint(const struct gm_json *settings, struct gm_buf *out,
                                           struct gm_error *err)
{
    return gm_llm_prompt_fingerprint(&type_prompt, settings, out, err);
}

/* ---- how sure the tagger is ---- */

double gm_refine_span_score(const struct gm_entity *e)
{
    const struct gm_uncertainty *u = &e->uncertainty;
    return u->has && !isnan(u->span_score) ? u->span_score : e->score;
}

double gm_refine_type_score(const struct gm_entity *e)
{
    const struct gm_uncertainty *u = &e->uncertainty;
    return u->has && !isnan(u->type_score) ? u->type_score : e->score;
}

/* ---- a question ---- */

static int percent(double score) { return (int)lround(100 * score); }

static enum gm_status list_asked(const struct gm_refine_work *w, const struct gm_refine_list *list,
                                 enum gm_refine_question q, struct gm_buf *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < list->n_entities; i++) {
        const struct gm_entity *e = &w->entities[list->at[i]];
        bool is_fresh = q == GM_REFINE_ASK_TYPES && w->is_fresh[list->at[i]];
        double score = q == GM_REFINE_ASK_SPANS   ? gm_refine_span_score(e)
                       : q == GM_REFINE_ASK_TYPES ? gm_refine_type_score(e)
                                                  : e->score;
        GM_TRY(gm_buf_printf(out, err, "%s%zu. %.*s (%.*s)", i ? "\n" : "", i + 1,
                             GM_STR_ARG(e->text), GM_STR_ARG(e->type)));
        if (is_fresh)
            GM_TRY(gm_buf_add_c(out, ", a guess", err));
        else
            GM_TRY(gm_buf_printf(out, err, ", %d%% sure", percent(score)));
    }
    for (size_t i = list->n_entities; i < list->n; i++) {
        const struct gm_entity *c = &w->post->candidates[list->at[i]];
        GM_TRY(gm_buf_printf(
            out, err, "%s%zu. %.*s (%.*s), not counted as a name, %d%% sure that it is one",
            i ? "\n" : "", i + 1, GM_STR_ARG(c->text), GM_STR_ARG(c->type), percent(c->score)));
    }
done:
    return st;
}

static bool is_listed(const struct gm_refine_list *list, size_t i)
{
    size_t k = 0;
    while (k < list->n_entities && list->at[k] != i)
        k++;
    return k < list->n_entities;
}

/* The neighbours that are not asked about. */
static enum gm_status list_sure(const struct gm_refine_work *w, const struct gm_refine_list *list,
                                struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < w->n && out->n < SURE_MAX; i++)
        if (!is_listed(list, i))
            GM_TRY(gm_buf_printf(out, err, "%s%.*s (%.*s)", out->n ? "\n" : "",
                                 GM_STR_ARG(w->entities[i].text), GM_STR_ARG(w->entities[i].type)));
done:
    return st;
}

/* An answer for each entity; of candidates there may be some, and of the combined question's several, for several
 * names. */
static const char *check(void *user, const struct gm_json *value)
{
    const struct gm_refine_list *l = user;
    const struct gm_json *list = gm_json_get(value, "entities");
    return gm_llm_is_numbered(list, l->n_entities, l->n, l->may_repeat)
               ? NULL
               : "not one answer an entity";
}

/* Once a post: its picture, where the model is to see it, and the examples. */
static enum gm_status prepare(struct gm_refine *r, struct gm_refine_work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool sees = gm_llm_stage_sees(&r->base, w->post);
    if (w->is_prepared)
        return GM_OK;
    if (sees)
        GM_TRY(gm_llm_stage_picture(&r->base, w->post, &w->picture, err));
    if (!w->post->error.stage.n)
        GM_TRY(gm_examples_find(r->examples, &r->base, w->post, sees, &w->post->arena, &w->examples,
                                err));
    w->is_prepared = true;
done:
    return st;
}

enum gm_status gm_refine_ask(struct gm_refine *r, struct gm_refine_work *w,
                             struct gm_refine_list *list, enum gm_refine_question question,
                             struct gm_llm_reply *reply, bool *left, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf asked, sure;
    const struct gm_llm_asking types = {
        .prompt = r->type_prompt, .schema = r->type_schema, .read = gm_said_entities};
    list->may_repeat = question == GM_REFINE_ASK_COMBINED;
    gm_buf_init(&asked, (size_t)4 << 20);
    gm_buf_init(&sure, (size_t)4 << 20);
    GM_TRY(prepare(r, w, err));
    *left = w->post->error.stage.n > 0;
    if (*left)
        goto done;
    GM_TRY(list_asked(w, list, question, &asked, err));
    GM_TRY(list_sure(w, list, &sure, err));
    const struct gm_prompt_value v[] = {
        {"text", w->post->text},          {"caption", w->post->caption},
        {"entities", gm_buf_str(&asked)}, {"sure", gm_buf_str(&sure)},
        {"types", r->type_list},          {"type_definition", r->type_definitions}};
    const struct gm_llm_question q = {.post = w->post,
                                      .values = v,
                                      .n_values = sizeof v / sizeof *v,
                                      .examples = w->examples.each,
                                      .n_examples = w->examples.n,
                                      .asking = question == GM_REFINE_ASK_TYPES ? &types : NULL,
                                      .check = check,
                                      .user = list};
    GM_TRY(gm_llm_stage_ask(&r->base, w->picture.w ? &w->picture : NULL, &q, 1, reply, err));
    *left = gm_llm_stage_failed(&r->base, w->post, reply);
done:
    gm_buf_clear(&asked);
    gm_buf_clear(&sure);
    return st;
}

struct gm_str gm_refine_reply_text(const struct gm_json *answer, const char *name)
{
    struct gm_str s = {NULL, 0};
    (void)gm_json_str(gm_json_get(answer, name), &s);
    return gm_str_trim(s);
}

enum gm_status gm_refine_reject_all(const struct gm_refine *r, struct gm_refine_work *w,
                                    const struct gm_refine_list *list, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < list->n_entities; i++)
        GM_TRY(gm_llm_reject_entity(&r->base, w->post, &w->entities[list->at[i]], "schema", err));
done:
    return st;
}

static bool is_same(struct gm_str a, struct gm_str b)
{
    bool same = a.n == b.n;
    for (size_t i = 0; same && i < a.n; i++)
        same = tolower((unsigned char)a.p[i]) == tolower((unsigned char)b.p[i]);
    return same;
}

static size_t find_type(const struct gm_refine *r, struct gm_str name)
{
    size_t i = 0;
    while (i < r->n_types && !is_same(r->types[i], name))
        i++;
    return i;
}

size_t gm_refine_find_type(const struct gm_refine *r, struct gm_str name)
{
    size_t i = 0;
    while (i < r->n_types && !gm_str_eq(r->types[i], name))
        i++;
    if (i == r->n_types)
        i = find_type(r, name);
    if (i == r->n_types && is_same(name, GM_STR("MISC")))
        i = find_type(r, GM_STR("OTHER"));
    if (i == r->n_types && is_same(name, GM_STR("OTHER")))
        i = find_type(r, GM_STR("MISC"));
    return i;
}
