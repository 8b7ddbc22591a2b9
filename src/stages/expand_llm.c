/* expand, by an LLM: one short noun phrase an entity that says what it looks like (kind: visual) or what it is (kind:
 * identity); all entities of a post in one request, or one each (batch). The answer names entities by
 * number and may neither leave one out nor add one; names and types are not its to change.
 * Source: entity expansion expressions of RiVEG (arXiv 2406.07268), which are of the second kind. */
#include "stages/backends.h"
#include "stages/llm_stage.h"
#include "stages/said.h"

enum { ENTITIES_MAX = 200, N_VALUES = 5 };

struct expand {
    struct gm_llm_stage base; /* first: the helpers take a pointer to it */
    bool by_entity;
};

/* The entities that one question is about, in order of mention. */
struct asked {
    struct gm_entity **e;
    size_t n;
    struct gm_prompt_value values[N_VALUES];
};

/* ---- settings ---- */

static bool is_identity(const struct gm_json *settings)
{
    struct gm_str kind;
    return gm_json_str(gm_json_get(settings, "kind"), &kind) && gm_str_eq_c(kind, "identity");
}

static enum gm_status open_expand(void *self, const struct gm_json *settings, struct gm_error *err)
{
    struct expand *x = self;
    enum gm_status st = GM_OK;
    struct gm_str kind = GM_STR("visual"), batch = GM_STR("post");
    GM_TRY(gm_settings_str(settings, "kind", &kind, err));
    GM_TRY(gm_settings_str(settings, "batch", &batch, err));
    x->by_entity = gm_str_eq_c(batch, "entity");
    if (!gm_str_eq_c(kind, "visual") && !gm_str_eq_c(kind, "identity"))
        st = GM_FAIL(err, GM_EARG,
                     "setting \"kind\" is \"%.*s\"; it must be visual (what it looks like) or "
                     "identity (what it is)",
                     GM_STR_ARG(kind));
    else if (!x->by_entity && !gm_str_eq_c(batch, "post"))
        st = GM_FAIL(err, GM_EARG, "setting \"batch\" is \"%.*s\"; it must be entity or post",
                     GM_STR_ARG(batch));
done:
    return st;
}

/* ---- questions ---- */

static const char *check(void *user, const struct gm_json *value)
{
    const struct asked *a = user;
    const struct gm_json *list = gm_json_get(value, "phrases");
    return gm_llm_is_numbered(list, a->n, a->n, false) ? NULL : "not one phrase an entity";
}

/* "1. NAME (TYPE)", a line each. */
static enum gm_status list_entities(const struct asked *q, struct gm_arena *a, struct gm_str *out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf b;
    gm_buf_init(&b, (size_t)4 << 20);
    for (size_t i = 0; i < q->n; i++) {
        const struct gm_entity *e = q->e[i];
        struct gm_str type = e->fine_type.n ? e->fine_type : e->type;
        struct gm_str name = gm_llm_one_line(a, e->text); /* a line break would start an entity */
        if (!name.p) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
            goto done;
        }
        GM_TRY(gm_buf_printf(&b, err, "%s%zu. %.*s (%.*s)", i ? "\n" : "", i + 1, GM_STR_ARG(name),
                             GM_STR_ARG(type)));
    }
    *out = gm_arena_str(a, gm_buf_str(&b));
    if (!out->p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_buf_clear(&b);
    return st;
}

static enum gm_status fill_values(const struct expand *x, const struct gm_post *p, struct asked *q,
                                  struct gm_arena *a, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str list, definitions, types[ENTITIES_MAX];
    for (size_t i = 0; i < q->n; i++)
        types[i] = q->e[i]->fine_type.n ? q->e[i]->fine_type : q->e[i]->type;
    GM_TRY(list_entities(q, a, &list, err));
    GM_TRY(gm_guide_definitions(&x->base.guide, types, q->n, a, &definitions, err));
    q->values[0] = (struct gm_prompt_value){"text", p->text};
    q->values[1] = (struct gm_prompt_value){"caption", p->caption};
    q->values[2] = (struct gm_prompt_value){"knowledge", p->knowledge};
    q->values[3] = (struct gm_prompt_value){"entities", list};
    q->values[4] = (struct gm_prompt_value){"type_definition", definitions};
done:
    return st;
}

/* ---- answers ---- */

static enum gm_status take(struct gm_llm_stage *s, struct gm_post *p, const struct asked *a,
                           const struct gm_llm_reply *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *list = gm_json_get(r->value, "phrases");
    for (size_t i = 0; i < a->n; i++)
        GM_TRY(gm_llm_clear_rejected(s, p, a->e[i], err));
    for (size_t i = 0; i < a->n && r->st == GM_EFORMAT; i++)
        GM_TRY(gm_llm_reject_entity(s, p, a->e[i], "schema", err));
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

/* ---- a post ---- */

/* One post's questions while they are out. */
struct work {
    struct gm_arena arena;
    struct gm_picture picture;
    struct gm_entity **e; /* [n] without an expression */
    size_t n;
    struct asked *asked; /* [n_q], as q and replies */
    struct gm_llm_question *q;
    struct gm_llm_reply *replies;
    size_t n_q;
};

static enum gm_status choose(const struct expand *x, struct gm_post *p, struct work *w,
                             struct gm_error *err)
{
    size_t n_q;
    w->e = gm_arena_alloc(&w->arena, p->n_entities, sizeof *w->e);
    for (size_t i = 0; w->e && i < p->n_entities && w->n < ENTITIES_MAX; i++)
        if (!p->entities[i].expression.n)
            w->e[w->n++] = &p->entities[i];
    n_q = x->by_entity ? w->n : 1;
    w->asked = gm_arena_alloc(&w->arena, n_q, sizeof *w->asked);
    w->q = gm_arena_alloc(&w->arena, n_q, sizeof *w->q);
    w->replies = gm_arena_alloc(&w->arena, n_q, sizeof *w->replies);
    return w->e && w->asked && w->q && w->replies ? GM_OK
                                                  : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status fill_questions(const struct expand *x, const struct gm_post *p,
                                     struct work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t step = x->by_entity ? 1 : w->n;
    for (size_t from = 0; from < w->n; from += step) {
        struct asked *asked = &w->asked[w->n_q];
        *asked = (struct asked){.e = w->e + from, .n = step};
        GM_TRY(fill_values(x, p, asked, &w->arena, err));
        w->q[w->n_q++] = (struct gm_llm_question){.post = p,
                                                  .values = asked->values,
                                                  .n_values = N_VALUES,
                                                  .check = check,
                                                  .user = asked};
    }
done:
    return st;
}

static enum gm_status ask(struct expand *x, struct gm_post *p, struct work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool sees = gm_llm_stage_sees(&x->base, p);
    if (sees)
        GM_TRY(gm_llm_stage_picture(&x->base, p, &w->picture, err));
    if (p->error.stage.n)
        goto done;
    GM_TRY(fill_questions(x, p, w, err));
    GM_TRY(gm_llm_stage_ask(&x->base, sees ? &w->picture : NULL, w->q, w->n_q, w->replies, err));
    for (size_t i = 0; i < w->n_q; i++) /* all or nothing: a failed post is done again */
        if (gm_llm_stage_failed(&x->base, p, &w->replies[i]))
            goto done;
    for (size_t i = 0; i < w->n_q; i++)
        GM_TRY(take(&x->base, p, &w->asked[i], &w->replies[i], err));
done:
    return st;
}

static enum gm_status expand_post(void *self, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct work w = {.n = 0};
    gm_arena_init(&w.arena, 0);
    GM_TRY(choose(self, p, &w, err));
    if (w.n)
        st = ask(self, p, &w, err);
done:
    for (size_t i = 0; i < w.n_q; i++)
        gm_llm_reply_clear(&w.replies[i]);
    gm_picture_clear(&w.picture);
    gm_arena_clear(&w.arena);
    return st;
}

static const char *const values[] = {GM_LLM_VALUES,     "text", "caption", "knowledge", "entities",
                                     "type_definition", NULL};
static const char *const known[] = {GM_LLM_SETTINGS, "kind", "batch", NULL};

static const struct gm_llm_stage_kind *pick(const struct gm_json *settings);

#define KIND                                                                                     \
    .pick = pick, .values = values, .settings = known,                                           \
    .schema =                                                                                    \
        "{\"type\":\"object\",\"properties\":{\"phrases\":{\"type\":\"array\",\"maxItems\":200," \
        "\"items\":{\"type\":\"object\",\"properties\":{\"entity\":{\"type\":\"integer\"},"      \
        "\"phrase\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":160}},"                   \
        "\"required\":[\"entity\",\"phrase\"],\"additionalProperties\":false}}},"                \
        "\"required\":[\"phrases\"],\"additionalProperties\":false}",                            \
    .max_tokens = 1024, .read = gm_said_phrases, .one = expand_post,                             \
    .size = sizeof(struct expand), .open = open_expand

static const struct gm_llm_stage_kind visual = {KIND, .prompt = "expand"};
static const struct gm_llm_stage_kind identity = {KIND, .prompt = "expand_identity"};

static const struct gm_llm_stage_kind *pick(const struct gm_json *settings)
{
    return is_identity(settings) ? &identity : &visual;
}

const struct gm_backend gm_backend_expand_llm = {GM_LLM_BACKEND, .stage = "expand", .llm = &visual};
