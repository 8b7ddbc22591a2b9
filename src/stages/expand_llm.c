/* expand, by an LLM: one short noun phrase an entity that says what it looks like, all entities of
 * a post in one request. Source: entity expansion expressions of RiVEG (arXiv 2406.07268). The
 * answer names entities by number and may neither leave one out nor add one. */
#include "stages/backends.h"
#include "stages/llm_stage.h"
#include "stages/said.h"

enum { ENTITIES_MAX = 200 };

/* The entities that are asked for, in order of mention. */
struct asked {
    struct gm_entity *e[ENTITIES_MAX];
    size_t n;
};

static const char *check(void *user, const struct gm_json *value)
{
    const struct asked *a = user;
    const struct gm_json *list = gm_json_get(value, "phrases");
    return gm_llm_is_numbered(list, a->n, a->n, false) ? NULL : "not one phrase an entity";
}

static enum gm_status list_entities(const struct asked *a, struct gm_arena *arena,
                                    struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < a->n; i++) {
        const struct gm_entity *e = a->e[i];
        struct gm_str type = e->fine_type.n ? e->fine_type : e->type;
        struct gm_str name =
            gm_llm_one_line(arena, e->text); /* a line break would start an entity */
        if (!name.p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        GM_TRY(gm_buf_printf(out, err, "%s%zu. %.*s (%.*s)", i ? "\n" : "", i + 1, GM_STR_ARG(name),
                             GM_STR_ARG(type)));
    }
done:
    return st;
}

static enum gm_status define_types(const struct gm_llm_stage *s, const struct asked *a,
                                   struct gm_arena *arena, struct gm_str *out, struct gm_error *err)
{
    struct gm_str types[ENTITIES_MAX];
    for (size_t i = 0; i < a->n; i++)
        types[i] = a->e[i]->fine_type.n ? a->e[i]->fine_type : a->e[i]->type;
    return gm_guide_definitions(&s->guide, types, a->n, arena, out, err);
}

static enum gm_status take(struct gm_llm_stage *s, struct gm_post *p, const struct asked *a,
                           const struct gm_llm_reply *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *list = gm_json_get(r->value, "phrases");
    if (r->st == GM_EFORMAT) {
        for (size_t i = 0; i < a->n; i++)
            GM_TRY(gm_llm_reject_entity(s, p, a->e[i], "schema", err));
        goto done;
    }
    for (size_t i = 0; i < gm_json_count(list); i++) {
        long long number = 1;
        struct gm_str phrase = {NULL, 0};
        (void)gm_json_int(gm_json_get(gm_json_at(list, i), "entity"), &number);
        (void)gm_json_str(gm_json_get(gm_json_at(list, i), "phrase"), &phrase);
        struct gm_entity *e = a->e[number - 1];
        struct gm_str line = gm_llm_one_line(&p->arena, phrase);
        if (!line.p) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
            goto done;
        }
        if (line.n)
            e->expression = line;
        else
            GM_TRY(gm_llm_reject_entity(s, p, e, "empty", err));
    }
done:
    return st;
}

static enum gm_status expand_post(void *self, struct gm_post *p, struct gm_error *err)
{
    struct gm_llm_stage *s = self;
    enum gm_status st = GM_OK;
    struct asked asked = {.n = 0};
    struct gm_llm_reply r = {0};
    struct gm_picture picture = {.w = 0};
    struct gm_str definitions;
    struct gm_buf list;
    gm_buf_init(&list, (size_t)4 << 20);
    for (size_t i = 0; i < p->n_entities && asked.n < ENTITIES_MAX; i++)
        if (!p->entities[i].expression.n)
            asked.e[asked.n++] = &p->entities[i];
    if (asked.n == 0)
        return GM_OK;
    bool sees = gm_llm_stage_sees(s, p); /* with a prompt of the user's */
    if (sees)
        GM_TRY(gm_llm_stage_picture(s, p, &picture, err));
    if (p->error.stage.n)
        goto done;
    GM_TRY(list_entities(&asked, &p->arena, &list, err));
    GM_TRY(define_types(s, &asked, &p->arena, &definitions, err));
    const struct gm_prompt_value v[] = {{"text", p->text},
                                        {"caption", p->caption},
                                        {"entities", gm_buf_str(&list)},
                                        {"type_definition", definitions}};
    const struct gm_llm_question q = {
        .post = p, .values = v, .n_values = 4, .check = check, .user = &asked};
    GM_TRY(gm_llm_stage_ask(s, sees ? &picture : NULL, &q, 1, &r, err));
    if (!gm_llm_stage_failed(s, p, &r))
        GM_TRY(take(s, p, &asked, &r, err));
done:
    gm_llm_reply_clear(&r);
    gm_picture_clear(&picture);
    gm_buf_clear(&list);
    return st;
}

static const char *const values[] = {GM_LLM_VALUES,     "text", "caption", "entities",
                                     "type_definition", NULL};
static const char *const known[] = {GM_LLM_SETTINGS, NULL};
static const struct gm_llm_stage_kind kind = {
    .prompt = "expand",
    .values = values,
    .settings = known,
    .schema =
        "{\"type\":\"object\",\"properties\":{\"phrases\":{\"type\":\"array\",\"maxItems\":200,"
        "\"items\":{\"type\":\"object\",\"properties\":{\"entity\":{\"type\":\"integer\"},"
        "\"phrase\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":160}},"
        "\"required\":[\"entity\",\"phrase\"],\"additionalProperties\":false}}},"
        "\"required\":[\"phrases\"],\"additionalProperties\":false}",
    .max_tokens = 1024,
    .read = gm_said_phrases,
    .one = expand_post,
};

const struct gm_backend gm_backend_expand_llm = {GM_LLM_BACKEND, .stage = "expand", .llm = &kind};
