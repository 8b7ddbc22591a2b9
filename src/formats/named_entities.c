#include "formats/named_entities.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "record/labels.h"
#include "record/offsets.h"

#include <string.h>

enum { MAX_POSTS = 100000000, MAX_NAMES = 10000 };

struct text {
    struct gm_str text, caption, caption_short, image;
    struct gm_token *tokens;
    size_t n_tokens;
    bool has_tokens;
};

struct gm_texts {
    struct gm_labels ids;
    struct gm_arena arena;
    struct gm_buf v; /* struct text [ids.n] */
};

enum gm_status gm_texts_new(struct gm_texts **out, struct gm_error *err)
{
    struct gm_texts *t = gm_alloc(1, sizeof *t);
    *out = t;
    if (!t)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_labels_init(&t->ids, MAX_POSTS);
    gm_arena_init(&t->arena, 0);
    gm_buf_init(&t->v, MAX_POSTS * sizeof(struct text));
    return GM_OK;
}

void gm_texts_free(struct gm_texts *t)
{
    if (!t)
        return;
    gm_labels_clear(&t->ids);
    gm_arena_clear(&t->arena);
    gm_buf_clear(&t->v);
    gm_free(t);
}

static enum gm_status copy_text(struct gm_arena *a, struct text *to, const struct gm_post *p,
                                struct gm_error *err)
{
    *to = (struct text){gm_arena_str(a, p->text),
                        gm_arena_str(a, p->caption),
                        gm_arena_str(a, p->caption_short),
                        gm_arena_str(a, p->image),
                        gm_arena_alloc(a, p->n_tokens, sizeof *p->tokens),
                        p->n_tokens,
                        p->has_tokens};
    if (!to->text.p || !to->caption.p || !to->caption_short.p || !to->image.p || !to->tokens)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for texts");
    if (p->n_tokens)
        memcpy(to->tokens, p->tokens, p->n_tokens * sizeof *p->tokens);
    return GM_OK;
}

enum gm_status gm_texts_add(struct gm_texts *t, const struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct text text;
    uint32_t id;
    if (p->names_only || gm_labels_find(&t->ids, p->id) != GM_LABEL_NONE)
        return GM_OK;
    GM_TRY(gm_labels_add(&t->ids, p->id, &id, err));
    GM_TRY(copy_text(&t->arena, &text, p, err));
    GM_TRY(gm_buf_add(&t->v, &text, sizeof text, err));
done:
    return st;
}

size_t gm_texts_count(const struct gm_texts *t) { return t->ids.n; }

static const struct text *text_of(const struct gm_texts *t, struct gm_str id)
{
    uint32_t i = t ? gm_labels_find(&t->ids, id) : GM_LABEL_NONE;
    return i == GM_LABEL_NONE ? NULL : (const struct text *)(const void *)t->v.p + i;
}

static enum gm_status take_text(struct gm_post *p, const struct text *t, struct gm_error *err)
{
    struct text copy;
    enum gm_status st = copy_text(&p->arena, &copy,
                                  &(struct gm_post){.text = t->text,
                                                    .caption = t->caption,
                                                    .caption_short = t->caption_short,
                                                    .image = t->image,
                                                    .tokens = t->tokens,
                                                    .n_tokens = t->n_tokens,
                                                    .has_tokens = t->has_tokens},
                                  err);
    if (st != GM_OK)
        return st;
    p->text = copy.text;
    p->caption = copy.caption;
    p->caption_short = copy.caption_short;
    p->image = p->image.n ? p->image : copy.image;
    p->tokens = copy.tokens;
    p->n_tokens = copy.n_tokens;
    p->has_tokens = copy.has_tokens;
    return GM_OK;
}

/* "a; b; c" */
static enum gm_status join_names(struct gm_post *p, const struct gm_named_entity *v, size_t n,
                                 size_t *places, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf text;
    gm_buf_init(&text, (size_t)1 << 30);
    p->names_only = true;
    for (size_t i = 0; i < n; i++) {
        if (i)
            GM_TRY(gm_buf_add(&text, "; ", 2, err));
        places[i] = text.n;
        GM_TRY(gm_buf_add_str(&text, v[i].name, err));
    }
    p->text = gm_arena_str(&p->arena, gm_buf_str(&text));
    if (!p->text.p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_buf_clear(&text);
    return st;
}

/* Where name number i begins: behind the last equal name; SIZE_MAX = nowhere. */
static size_t place_of(const struct gm_post *p, const struct gm_named_entity *v, size_t i,
                       const size_t *places)
{
    size_t from = 0;
    for (size_t k = 0; k < i; k++)
        if (places[k] != SIZE_MAX && gm_str_eq(v[k].name, v[i].name))
            from = places[k] + v[k].name.n;
    return gm_str_find(p->text, v[i].name, from);
}

enum gm_status gm_post_set_named(struct gm_post *p, const struct gm_named_entity *v, size_t n,
                                 const struct gm_texts *texts, struct gm_losses *lost,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct text *text = text_of(texts, p->id);
    size_t *places = gm_arena_alloc(&p->arena, n, sizeof *places);
    struct gm_offset at;
    if (n > MAX_NAMES)
        return GM_FAIL(err, GM_EFORMAT, "%zu entities in one post; the limit is %d", n, MAX_NAMES);
    p->entities = gm_arena_alloc(&p->arena, n, sizeof *p->entities);
    if (!places || !p->entities)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu entities", n);
    if (texts && !text)
        gm_losses_fault(lost, "posts without a text in --text FILE", p->id);
    GM_TRY(text ? take_text(p, text, err) : join_names(p, v, n, places, err));
    p->has_entities = true;
    gm_offset_init(&at, p->text);
    for (size_t i = 0; i < n; i++) {
        if (text)
            places[i] = place_of(p, v, i, places);
        if (places[i] == SIZE_MAX) {
            gm_losses_fault(lost, "entities whose name is not in the text", p->id);
            continue;
        }
        struct gm_entity *e = &p->entities[p->n_entities++];
        *e = (struct gm_entity){.text = v[i].name,
                                .type = v[i].type,
                                .score = 1,
                                .expression = v[i].expression,
                                .visible = v[i].visible,
                                .source = GM_STR("input"),
                                .regions = v[i].regions,
                                .n_regions = v[i].n_regions};
        e->start = gm_offset_to_byte(&at, places[i]);
        e->end = gm_offset_to_byte(&at, places[i] + v[i].name.n);
    }
done:
    return st;
}
