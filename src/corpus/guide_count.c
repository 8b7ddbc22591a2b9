#include "corpus/guide_count.h"

#include "base/utf8.h"

#include <ctype.h>
#include <math.h>

enum { MAX_TYPES = 65535 };

void gm_guide_count_init(struct gm_guide_count *c)
{
    *c = (struct gm_guide_count){0};
    gm_labels_init(&c->types, MAX_TYPES);
    gm_labels_init(&c->fine, SIZE_MAX);
    gm_buf_init(&c->by_type, MAX_TYPES * sizeof(struct gm_guide_type));
    gm_buf_init(&c->fine_types, SIZE_MAX / 2);
    gm_arena_init(&c->arena, 0);
}

static struct gm_guide_type *type_at(const struct gm_guide_count *c, uint32_t i)
{
    return (struct gm_guide_type *)(void *)c->by_type.p + i;
}

void gm_guide_count_clear(struct gm_guide_count *c)
{
    for (uint32_t i = 0; i < c->by_type.n / sizeof(struct gm_guide_type); i++) {
        struct gm_guide_type *t = type_at(c, i);
        gm_buf_clear(&t->area.values);
        gm_labels_clear(&t->names);
        gm_buf_clear(&t->by_name);
    }
    gm_labels_clear(&c->types);
    gm_labels_clear(&c->fine);
    gm_buf_clear(&c->by_type);
    gm_buf_clear(&c->fine_types);
    gm_arena_clear(&c->arena);
}

/* ---- fine types of other files ---- */

static struct gm_str place(struct gm_arena *a, const struct gm_post *p, const struct gm_entity *e)
{
    return gm_arena_printf(a, "%.*s\t%zu\t%zu", GM_STR_ARG(p->id), e->start, e->end);
}

enum gm_status gm_guide_count_fine(struct gm_guide_count *c, const struct gm_post *p,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *e = &p->entities[i];
        uint32_t id;
        size_t known = c->fine.n;
        if (!e->fine_type.n)
            continue;
        struct gm_str at = place(&c->arena, p, e), type = gm_arena_str(&c->arena, e->fine_type);
        if (!at.p || !type.p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        GM_TRY(gm_labels_add(&c->fine, at, &id, err));
        if (c->fine.n > known)
            GM_TRY(gm_buf_add(&c->fine_types, &type, sizeof type, err));
    }
done:
    return st;
}

static struct gm_str fine_type(const struct gm_guide_count *c, const struct gm_post *p,
                               const struct gm_entity *e)
{
    struct gm_arena a;
    if (e->fine_type.n || !c->fine.n)
        return e->fine_type;
    gm_arena_init(&a, 0);
    struct gm_str at = place(&a, p, e);
    uint32_t id = at.p ? gm_labels_find(&c->fine, at) : GM_LABEL_NONE;
    gm_arena_clear(&a);
    return id == GM_LABEL_NONE ? GM_STR("")
                               : ((const struct gm_str *)(const void *)c->fine_types.p)[id];
}

/* ---- entities ---- */

static enum gm_status add_type(struct gm_guide_count *c, struct gm_str name, uint32_t under,
                               uint32_t *id, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t known = c->types.n;
    struct gm_guide_type t = {.under = under};
    GM_TRY(gm_labels_add(&c->types, name, id, err));
    if (c->types.n == known)
        goto done;
    gm_buf_init(&t.area.values, SIZE_MAX / 2);
    gm_buf_init(&t.by_name, SIZE_MAX / 2);
    gm_labels_init(&t.names, SIZE_MAX);
    st = gm_buf_add(&c->by_type, &t, sizeof t, err);
done:
    return st;
}

static enum gm_status count_name(struct gm_guide_type *t, struct gm_str name, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const size_t none = 0;
    uint32_t id;
    GM_TRY(gm_labels_add(&t->names, name, &id, err));
    if (t->by_name.n == id * sizeof none)
        GM_TRY(gm_buf_add(&t->by_name, &none, sizeof none, err));
    ((size_t *)(void *)t->by_name.p)[id]++;
done:
    return st;
}

static enum gm_status count_boxes(struct gm_guide_type *t, const struct gm_post *p,
                                  const struct gm_entity *e, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double whole = (double)p->image_w * p->image_h;
    for (size_t i = 0; i < e->n_regions && whole > 0; i++) {
        const double *b = e->regions[i].box;
        float share = (float)(fmax(0, b[2] - b[0]) * fmax(0, b[3] - b[1]) / whole);
        GM_TRY(gm_buf_add(&t->area.values, &share, sizeof share, err));
    }
done:
    return st;
}

static enum gm_status count_in(struct gm_guide_count *c, uint32_t id, const struct gm_post *p,
                               const struct gm_entity *e, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_guide_type *t = type_at(c, id);
    t->n++;
    t->n_shown += e->n_regions > 0;
    t->n_several += e->n_regions > 1;
    GM_TRY(count_name(t, e->text, err));
    st = count_boxes(t, p, e, err);
done:
    return st;
}

static enum gm_status count_entity(struct gm_guide_count *c, const struct gm_post *p,
                                   const struct gm_entity *e, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str fine = fine_type(c, p, e);
    uint32_t coarse, id;
    c->n_entities++;
    c->n_shown += e->n_regions > 0;
    GM_TRY(add_type(c, e->type, GM_LABEL_NONE, &coarse, err));
    GM_TRY(count_in(c, coarse, p, e, err));
    if (!fine.n)
        goto done;
    struct gm_str both =
        gm_arena_printf(&c->arena, "%.*s\t%.*s", GM_STR_ARG(e->type), GM_STR_ARG(fine));
    if (!both.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(add_type(c, both, coarse, &id, err));
    st = count_in(c, id, p, e, err);
done:
    return st;
}

/* ---- handles and hashtags ---- */

/* The name behind a mark at byte `at` that begins a word: "@NASA", or "@ NASA" of text cut into words. */
static bool name_behind(struct gm_str s, size_t at, size_t *from, size_t *to)
{
    if (at > 0 && !isspace((unsigned char)s.p[at - 1]))
        return false;
    *from = at + 1;
    if (*from < s.n && s.p[*from] == ' ')
        ++*from;
    *to = *from;
    while (*to < s.n && (gm_is_word_byte(s.p[*to]) || s.p[*to] == '_'))
        ++*to;
    return *to > *from;
}

static bool is_in_entity(const struct gm_post *p, size_t from, size_t to)
{
    size_t start = gm_utf8_count(gm_str_sub(p->text, 0, from));
    size_t end = start + gm_utf8_count(gm_str_sub(p->text, from, to));
    for (size_t i = 0; i < p->n_entities; i++)
        if (p->entities[i].start < end && start < p->entities[i].end)
            return true;
    return false;
}

static void count_marks(struct gm_guide_count *c, const struct gm_post *p)
{
    for (size_t i = 0, from, to; i < p->text.n; i++) {
        char mark = p->text.p[i];
        if ((mark != '@' && mark != '#') || !name_behind(p->text, i, &from, &to))
            continue;
        bool is_entity = is_in_entity(p, from, to);
        *(mark == '@' ? &c->n_handles : &c->n_hashtags) += 1;
        *(mark == '@' ? &c->n_handle_entities : &c->n_hashtag_entities) += is_entity;
    }
}

enum gm_status gm_guide_count_add(struct gm_guide_count *c, const struct gm_post *p,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    c->n_posts++;
    count_marks(c, p);
    for (size_t i = 0; i < p->n_entities; i++)
        GM_TRY(count_entity(c, p, &p->entities[i], err));
done:
    return st;
}
