/* Putting stored parts back into a post (state.h). Strings are copied to the post's arena. */
#include "pipeline/state.h"

#include "stages/asked.h"

#include <math.h>

static enum gm_status bad(const char *what, struct gm_error *err)
{
    return GM_FAIL(err, GM_EFORMAT, "a stored result is not what it should be: %s", what);
}

static enum gm_status get_text(struct gm_post *p, const struct gm_json *o, const char *key,
                               struct gm_str *out, struct gm_error *err)
{
    struct gm_str s = GM_STR("");
    *out = s;
    if (!gm_json_str(gm_json_get(o, key), &s) || !s.n)
        return GM_OK;
    *out = gm_arena_str(&p->arena, s);
    return out->p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* A number; null and absent are `none`. */
static double get_num(const struct gm_json *j, double none)
{
    double x = none;
    (void)gm_json_num(j, &x);
    return x;
}

static size_t get_size(const struct gm_json *j)
{
    long long x = 0;
    (void)gm_json_int(j, &x);
    return x > 0 ? (size_t)x : 0;
}

static enum gm_status get_score_box(const struct gm_json *o, float *score, double box[GM_BOX_XYXY],
                                    struct gm_error *err)
{
    const struct gm_json *list = gm_json_get(o, "box");
    if (gm_json_count(list) != GM_BOX_XYXY)
        return bad("a box", err);
    *score = (float)get_num(gm_json_get(o, "score"), (double)NAN);
    for (size_t i = 0; i < GM_BOX_XYXY; i++)
        box[i] = get_num(gm_json_at(list, i), (double)NAN);
    return GM_OK;
}

/* The object of the input, an element of `from`, whose unknown fields are kept; NULL = none. */
static const struct gm_json *get_fields(const struct gm_json *from, const struct gm_json *o)
{
    const struct gm_json *number = gm_json_get(o, "field");
    return number && from ? gm_json_at(from, get_size(number)) : NULL;
}

static const struct gm_json *list_of(const struct gm_post *p, const char *key)
{
    return p->source ? gm_json_get(p->source, key) : NULL;
}

static enum gm_status read_region(struct gm_post *p, const struct gm_json *o, struct gm_region *r,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(get_score_box(o, &r->score, r->box, err));
    GM_TRY(get_text(p, o, "label", &r->label, err));
    GM_TRY(get_text(p, o, "counts", &r->mask.counts, err));
    GM_TRY(get_text(p, o, "note", &r->note, err));
    r->mask.h = (uint32_t)get_size(gm_json_get(o, "h"));
    r->mask.w = (uint32_t)get_size(gm_json_get(o, "w"));
    (void)gm_json_bool(gm_json_get(o, "crowd"), &r->is_crowd);
done:
    return st;
}

static void read_evidence(const struct gm_json *o, struct gm_evidence *v)
{
    for (size_t i = 0; i < GM_N_WITNESSES; i++) {
        v->by[i] = get_num(gm_json_get(o, gm_witness_names[i]), (double)NAN);
        v->has[i] = gm_json_get(o, gm_witness_names[i]) != NULL;
    }
}

static enum gm_status read_entity(struct gm_post *p, const struct gm_json *from,
                                  const struct gm_json *o, struct gm_entity *e,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *u = gm_json_get(o, "uncertainty"), *list = gm_json_get(o, "regions");
    if (gm_json_kind(o) != GM_JSON_OBJECT)
        return bad("an entity", err);
    e->start = get_size(gm_json_get(o, "start"));
    e->end = get_size(gm_json_get(o, "end"));
    e->score = get_num(gm_json_get(o, "score"), (double)NAN);
    e->visible = get_num(gm_json_get(o, "visible"), -1);
    GM_TRY(get_text(p, o, "text", &e->text, err));
    GM_TRY(get_text(p, o, "type", &e->type, err));
    GM_TRY(get_text(p, o, "fine_type", &e->fine_type, err));
    GM_TRY(get_text(p, o, "source", &e->source, err));
    GM_TRY(get_text(p, o, "note", &e->note, err));
    GM_TRY(get_text(p, o, "expression", &e->expression, err));
    if (u)
        e->uncertainty = (struct gm_uncertainty){true,
                                                 get_num(gm_json_at(u, 0), (double)NAN),
                                                 get_num(gm_json_at(u, 1), (double)NAN),
                                                 get_num(gm_json_at(u, 2), (double)NAN),
                                                 get_num(gm_json_at(u, 3), (double)NAN),
                                                 get_num(gm_json_at(u, 4), (double)NAN)};
    if (gm_json_get(o, "evidence"))
        read_evidence(gm_json_get(o, "evidence"), &e->evidence);
    e->fields = get_fields(from, o);
    e->n_regions = gm_json_count(list);
    e->regions = e->n_regions ? gm_arena_alloc(&p->arena, e->n_regions, sizeof *e->regions) : NULL;
    if (e->n_regions && !e->regions)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < e->n_regions; i++) {
        GM_TRY(read_region(p, gm_json_at(list, i), &e->regions[i], err));
        if (e->fields)
            e->regions[i].fields =
                get_fields(gm_json_get(e->fields, "regions"), gm_json_at(list, i));
    }
done:
    return st;
}

static enum gm_status read_entities(struct gm_post *p, const char *key, const struct gm_json *list,
                                    struct gm_entity **out, size_t *n_out, bool *has,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = gm_json_count(list);
    struct gm_entity *e = gm_arena_alloc(&p->arena, n, sizeof *e);
    if (!e)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        GM_TRY(read_entity(p, list_of(p, key), gm_json_at(list, i), &e[i], err));
    *out = e;
    *n_out = n;
    *has = gm_json_kind(list) == GM_JSON_ARRAY;
done:
    return st;
}

static enum gm_status read_objects(struct gm_post *p, const struct gm_json *list,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = gm_json_count(list);
    struct gm_object *o = gm_arena_alloc(&p->arena, n, sizeof *o);
    if (!o)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        GM_TRY(get_score_box(gm_json_at(list, i), &o[i].score, o[i].box, err));
        GM_TRY(get_text(p, gm_json_at(list, i), "label", &o[i].label, err));
        o[i].fields = get_fields(list_of(p, "objects"), gm_json_at(list, i));
    }
    p->objects = o;
    p->n_objects = n;
    p->has_objects = gm_json_kind(list) == GM_JSON_ARRAY;
done:
    return st;
}

static enum gm_status read_texts(struct gm_post *p, const struct gm_json *list,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = gm_json_count(list);
    struct gm_written *t = gm_arena_alloc(&p->arena, n, sizeof *t);
    if (!t)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        GM_TRY(get_score_box(gm_json_at(list, i), &t[i].score, t[i].box, err));
        GM_TRY(get_text(p, gm_json_at(list, i), "text", &t[i].text, err));
        t[i].fields = get_fields(list_of(p, "texts"), gm_json_at(list, i));
    }
    p->texts = t;
    p->n_texts = n;
    p->has_texts = gm_json_kind(list) == GM_JSON_ARRAY;
done:
    return st;
}

/* The last entry is the stage's own. Run folders of before have the others' in front of it, as they were then, which
 * is not what counts now. */
static enum gm_status set_asked(struct gm_post *p, const struct gm_json *list, struct gm_error *err)
{
    size_t n = gm_json_count(list);
    if (n)
        return gm_asked_put(p, gm_json_at(list, n - 1), err);
    gm_json_remove(p->source, "asked");
    return GM_OK;
}

enum gm_status gm_state_apply(struct gm_post *post, struct gm_str diff, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *o = NULL;
    const struct gm_json *j;
    GM_TRY(gm_json_parse(&o, diff, err));
    if (gm_json_kind(o) != GM_JSON_OBJECT) {
        st = bad("no object", err);
        goto done;
    }
    if (gm_json_get(o, "caption"))
        GM_TRY(get_text(post, o, "caption", &post->caption, err));
    if (gm_json_get(o, "caption_short"))
        GM_TRY(get_text(post, o, "caption_short", &post->caption_short, err));
    if (gm_json_get(o, "knowledge"))
        GM_TRY(get_text(post, o, "knowledge", &post->knowledge, err));
    if ((j = gm_json_get(o, "entities")))
        GM_TRY(read_entities(post, "entities", j, &post->entities, &post->n_entities,
                             &post->has_entities, err));
    if ((j = gm_json_get(o, "candidates")))
        GM_TRY(read_entities(post, "entity_candidates", j, &post->candidates, &post->n_candidates,
                             &post->has_candidates, err));
    if ((j = gm_json_get(o, "objects")))
        GM_TRY(read_objects(post, j, err));
    if ((j = gm_json_get(o, "texts")))
        GM_TRY(read_texts(post, j, err));
    if ((j = gm_json_get(o, "asked")))
        GM_TRY(set_asked(post, j, err));
    if ((j = gm_json_get(o, "size"))) {
        post->image_w = (uint32_t)get_size(gm_json_at(j, 0));
        post->image_h = (uint32_t)get_size(gm_json_at(j, 1));
    }
done:
    gm_json_free(o);
    return st;
}
