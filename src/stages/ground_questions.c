#include "stages/ground_questions.h"

#include <string.h>

const char *const gm_ground_values_of_all[] = {GM_LLM_VALUES, GM_GROUND_ALL_VALUES,
                                               GM_GROUND_COORDS_VALUES, NULL};
const char *const gm_ground_example_values[] = {GM_EXAMPLES_VALUES, GM_GROUND_EXAMPLE_VALUES, NULL};

enum gm_status gm_ground_work_init(struct gm_ground_work *w, size_t n, struct gm_error *err)
{
    gm_arena_init(&w->arena, 0);
    w->asked = gm_arena_alloc(&w->arena, n, sizeof *w->asked);
    w->of = gm_arena_alloc(&w->arena, n, sizeof *w->of);
    w->targets = gm_arena_alloc(&w->arena, n, sizeof *w->targets);
    w->q = gm_arena_alloc(&w->arena, n, sizeof *w->q);
    w->replies = gm_arena_alloc(&w->arena, n, sizeof *w->replies);
    return w->asked && w->of && w->targets && w->q && w->replies
               ? GM_OK
               : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

void gm_ground_work_clear(struct gm_ground_work *w)
{
    for (size_t i = 0; i < w->n_q; i++)
        gm_llm_reply_clear(&w->replies[i]);
    for (size_t i = 0; i < w->n_late; i++)
        gm_llm_reply_clear(&w->late[i]);
    gm_example_set_clear(&w->examples);
    gm_picture_clear(&w->picture);
    gm_arena_clear(&w->arena);
}

static struct gm_str type_of(const struct gm_entity *e)
{
    return e->fine_type.n ? e->fine_type : e->type;
}

/* ---- examples ---- */

enum { N_OF_EXAMPLE = 3 };

static enum gm_status put_boxes(const struct gm_ground_asking *g, const struct gm_entity *e,
                                const struct gm_picture *picture, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "\"boxes\": [", err));
    for (size_t i = 0; i < e->n_regions; i++) {
        GM_TRY(gm_buf_add_c(out, i ? ", " : "", err));
        GM_TRY(gm_ground_coords_put(g->coords, picture, e->regions[i].box, out, err));
    }
    st = gm_buf_add_c(out, "]", err);
done:
    return st;
}

/* The answer that the sample's annotation is to the stage's question: about all its entities, or one. */
static enum gm_status put_answer(const struct gm_ground_asking *g, const struct gm_post *sample,
                                 const struct gm_entity *one, const struct gm_picture *picture,
                                 struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, g->coords->by_post ? "{\"entities\": [" : "{", err));
    for (size_t i = 0; i < sample->n_entities && g->coords->by_post; i++) {
        const struct gm_entity *e = &sample->entities[i];
        GM_TRY(gm_buf_printf(out, err, "%s{\"entity\": %zu, \"visible\": %s, ", i ? ", " : "",
                             i + 1, e->n_regions ? "true" : "false"));
        GM_TRY(put_boxes(g, e, picture, out, err));
        GM_TRY(gm_buf_add_c(out, "}", err));
    }
    if (!g->coords->by_post && one)
        GM_TRY(put_boxes(g, one, picture, out, err));
    st = gm_buf_add_c(out, g->coords->by_post ? "]}" : "}", err);
done:
    return st;
}

/* What stands for the sample where a question is about one entity: its first of that one's type. */
static const struct gm_entity *first_like(const struct gm_post *sample, const struct gm_entity *e)
{
    for (size_t i = 0; i < sample->n_entities; i++)
        if (gm_str_eq(sample->entities[i].type, e->type))
            return &sample->entities[i];
    return sample->n_entities ? &sample->entities[0] : NULL;
}

/* Example i for a question that begins with entity e: the post's own values of it, and those that the question makes
 * of it behind them. */
static enum gm_status make_example(const struct gm_ground_asking *g, struct gm_ground_work *w,
                                   const struct gm_entity *e, size_t i, struct gm_buf *b,
                                   struct gm_prompt_example *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_post *sample = w->examples.posts[i];
    const struct gm_entity *one = first_like(sample, e);
    const struct gm_prompt_example *shared = &w->examples.each[i];
    size_t n = shared->n_values;
    struct gm_prompt_value *v = gm_arena_alloc(&w->arena, n + N_OF_EXAMPLE, sizeof *v);
    gm_buf_reset(b);
    if (w->examples.pictures[i].w)
        GM_TRY(put_answer(g, sample, one, &w->examples.pictures[i], b, err));
    struct gm_str answer = gm_arena_str(&w->arena, gm_buf_str(b));
    if (!v || !answer.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    memcpy(v, shared->values, n * sizeof *v);
    v[n] = (struct gm_prompt_value){"entity", one ? one->text : GM_STR("")};
    v[n + 1] = (struct gm_prompt_value){"type", one ? type_of(one) : GM_STR("")};
    v[n + 2] = (struct gm_prompt_value){"answer", answer};
    *out = (struct gm_prompt_example){v, n + N_OF_EXAMPLE, shared->picture};
done:
    return st;
}

/* The post's examples as a question shows them that begins with entity e. */
static enum gm_status show_examples(const struct gm_ground_asking *g, struct gm_ground_work *w,
                                    const struct gm_entity *e, struct gm_llm_question *q,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf b;
    gm_buf_init(&b, (size_t)1 << 20);
    struct gm_prompt_example *each = gm_arena_alloc(&w->arena, w->examples.n, sizeof *each);
    GM_TRY(each ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < w->examples.n; i++)
        GM_TRY(make_example(g, w, e, i, &b, &each[i], err));
    q->examples = each;
    q->n_examples = w->examples.n;
done:
    gm_buf_clear(&b);
    return st;
}

/* ---- questions ---- */

enum { N_OWN = 8, N_VALUES = N_OWN + GM_GROUND_COORDS_N_VALUES };

/* Only said: "yes", or nothing. */
static struct gm_str several_of(const struct gm_ground_asking *g)
{
    return g->several ? GM_STR("yes") : GM_STR("");
}

/* How many marks there are to choose from; empty where boxes are said. */
static enum gm_status count_marks(struct gm_ground_work *w, struct gm_str *out,
                                  struct gm_error *err)
{
    *out = w->marked.n ? gm_arena_printf(&w->arena, "%zu", w->marked.n) : GM_STR("");
    return out->p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static const char *check_one(void *user, const struct gm_json *value)
{
    const struct gm_ground_work *w = user;
    return gm_marks_fit(&w->marked, value) ? NULL : "a number that is not in the picture";
}

static enum gm_status ask_each(const struct gm_ground_asking *g, const struct gm_post *p,
                               struct gm_ground_work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str marks;
    GM_TRY(count_marks(w, &marks, err));
    for (size_t i = 0; i < w->n_targets; i++) {
        const struct gm_entity *e = w->targets[i].first;
        const struct gm_prompt_value own[N_OWN] = {
            {"text", p->text},
            {"caption", p->caption},
            {"entity", e->text},
            {"type", type_of(e)},
            {"type_definition", gm_guide_definition(&g->base->guide, type_of(e))},
            {"expression", e->expression},
            {"several", several_of(g)},
            {"marks", marks},
        };
        struct gm_prompt_value *v = gm_arena_alloc(&w->arena, N_VALUES, sizeof *v);
        if (!v)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        memcpy(v, own, sizeof own);
        GM_TRY(gm_ground_coords_values(g->coords, &w->picture, &w->arena, v + N_OWN, err));
        struct gm_llm_question *q = &w->q[w->n_q++];
        *q = (struct gm_llm_question){
            .post = p, .values = v, .n_values = N_VALUES, .check = check_one, .user = w};
        GM_TRY(show_examples(g, w, e, q, err));
    }
done:
    return st;
}

/* What one question is about. */
struct group {
    const struct gm_ground_work *work;
    const struct gm_ground_target *targets;
    size_t n;
};

/* "1. NAME (TYPE): expression", a line a target. */
static enum gm_status list_targets(const struct group *group, struct gm_arena *a,
                                   struct gm_str *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf b;
    gm_buf_init(&b, (size_t)4 << 20);
    for (size_t i = 0; i < group->n; i++) {
        const struct gm_entity *e = group->targets[i].first;
        struct gm_str name = gm_llm_one_line(a, e->text), looks = gm_llm_one_line(a, e->expression);
        if (!name.p || !looks.p) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
            goto done;
        }
        GM_TRY(gm_buf_printf(&b, err, "%s%zu. %.*s (%.*s)%s%.*s", i ? "\n" : "", i + 1,
                             GM_STR_ARG(name), GM_STR_ARG(type_of(e)), looks.n ? ": " : "",
                             GM_STR_ARG(looks)));
    }
    *out = gm_arena_str(a, gm_buf_str(&b));
    if (!out->p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_buf_clear(&b);
    return st;
}

static const char *check_all(void *user, const struct gm_json *value)
{
    const struct group *group = user;
    const struct gm_json *list = gm_json_get(value, "entities");
    if (!gm_llm_is_numbered(list, group->n, group->n, false))
        return "not one answer an entity";
    for (size_t i = 0; i < group->n; i++)
        if (!gm_marks_fit(&group->work->marked, gm_json_at(list, i)))
            return "a number that is not in the picture";
    return NULL;
}

enum { N_OF_ALL = 6, N_VALUES_OF_ALL = N_OF_ALL + GM_GROUND_COORDS_N_VALUES };

static enum gm_status fill_values(const struct gm_ground_asking *g, const struct gm_post *p,
                                  struct gm_ground_work *w, const struct group *group,
                                  struct gm_prompt_value *v, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str list, definitions, marks;
    struct gm_str *types = gm_arena_alloc(&w->arena, group->n, sizeof *types);
    if (!types)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < group->n; i++)
        types[i] = type_of(group->targets[i].first);
    GM_TRY(gm_guide_definitions(&g->base->guide, types, group->n, &w->arena, &definitions, err));
    GM_TRY(list_targets(group, &w->arena, &list, err));
    GM_TRY(count_marks(w, &marks, err));
    v[0] = (struct gm_prompt_value){"text", p->text};
    v[1] = (struct gm_prompt_value){"caption", p->caption};
    v[2] = (struct gm_prompt_value){"entities", list};
    v[3] = (struct gm_prompt_value){"type_definition", definitions};
    v[4] = (struct gm_prompt_value){"several", several_of(g)};
    v[5] = (struct gm_prompt_value){"marks", marks};
    GM_TRY(gm_ground_coords_values(g->coords, &w->picture, &w->arena, v + N_OF_ALL, err));
done:
    return st;
}

/* About the targets [first, first + n). */
static enum gm_status ask_group(const struct gm_ground_asking *g, const struct gm_post *p,
                                struct gm_ground_work *w, size_t first, size_t n,
                                struct gm_llm_question *q, struct gm_error *err)
{
    struct group *group = gm_arena_alloc(&w->arena, 1, sizeof *group);
    struct gm_prompt_value *v = gm_arena_alloc(&w->arena, N_VALUES_OF_ALL, sizeof *v);
    if (!group || !v)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    *group = (struct group){w, w->targets + first, n};
    *q = (struct gm_llm_question){
        .post = p, .values = v, .n_values = N_VALUES_OF_ALL, .check = check_all, .user = group};
    enum gm_status st = show_examples(g, w, group->targets[0].first, q, err);
    return st == GM_OK ? fill_values(g, p, w, group, v, err) : st;
}

enum gm_status gm_ground_question_of_one(const struct gm_ground_asking *g, const struct gm_post *p,
                                         struct gm_ground_work *w, size_t t,
                                         struct gm_llm_question *q, struct gm_error *err)
{
    return ask_group(g, p, w, t, 1, q, err);
}

enum gm_status gm_ground_questions(const struct gm_ground_asking *g, struct gm_post *p,
                                   struct gm_ground_work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_examples_find(g->examples, g->base, p, true, &w->arena, &w->examples, err));
    if (g->coords->by_post)
        st = ask_group(g, p, w, 0, w->n_targets, &w->q[w->n_q++], err);
    else
        st = ask_each(g, p, w, err);
done:
    return st;
}
