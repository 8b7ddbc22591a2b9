/* A structure goes out as it is, followed by the bytes of its strings in the order of its table; a
 * string's length is in the structure. Only this process reads it, so that layout and byte order
 * are no matter. */
#include "eval/post_blob.h"

#include <string.h>

#define N(table) (sizeof(table) / sizeof *(table))

static const size_t post_strings[] = {offsetof(struct gm_post, id),
                                      offsetof(struct gm_post, text),
                                      offsetof(struct gm_post, image),
                                      offsetof(struct gm_post, caption),
                                      offsetof(struct gm_post, caption_short),
                                      offsetof(struct gm_post, knowledge),
                                      offsetof(struct gm_post, error.stage),
                                      offsetof(struct gm_post, error.code),
                                      offsetof(struct gm_post, error.message)};
static const size_t entity_strings[] = {
    offsetof(struct gm_entity, text),   offsetof(struct gm_entity, type),
    offsetof(struct gm_entity, source), offsetof(struct gm_entity, fine_type),
    offsetof(struct gm_entity, note),   offsetof(struct gm_entity, expression)};
static const size_t region_strings[] = {offsetof(struct gm_region, label),
                                        offsetof(struct gm_region, mask.counts),
                                        offsetof(struct gm_region, note)};

static enum gm_status put(struct gm_buf *out, const void *object, size_t size,
                          const size_t *strings, size_t n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add(out, object, size, err));
    for (size_t i = 0; i < n; i++) {
        struct gm_str s;
        memcpy(&s, (const char *)object + strings[i], sizeof s);
        GM_TRY(gm_buf_add_str(out, s, err));
    }
done:
    return st;
}

enum gm_status gm_post_put(const struct gm_post *p, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(put(out, p, sizeof *p, post_strings, N(post_strings), err));
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *e = &p->entities[i];
        GM_TRY(put(out, e, sizeof *e, entity_strings, N(entity_strings), err));
        for (size_t k = 0; k < e->n_regions; k++)
            GM_TRY(put(out, &e->regions[k], sizeof e->regions[k], region_strings, N(region_strings),
                       err));
    }
done:
    return st;
}

/* What is being read: the bytes at hand, and where strings live. */
struct source {
    const char *at;
    struct gm_arena *arena;
};

static enum gm_status take(struct source *in, void *object, size_t size, const size_t *strings,
                           size_t n, struct gm_error *err)
{
    memcpy(object, in->at, size);
    in->at += size;
    for (size_t i = 0; i < n; i++) {
        struct gm_str s, copy;
        memcpy(&s, (const char *)object + strings[i], sizeof s);
        copy = gm_arena_str(in->arena, (struct gm_str){in->at, s.n});
        in->at += s.n;
        if (!copy.p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory for a post");
        memcpy((char *)object + strings[i], &copy, sizeof copy);
    }
    return GM_OK;
}

static enum gm_status take_entity(struct source *in, struct gm_entity *e, struct gm_error *err)
{
    enum gm_status st = take(in, e, sizeof *e, entity_strings, N(entity_strings), err);
    if (st != GM_OK)
        return st;
    e->fields = NULL;
    e->regions = gm_arena_alloc(in->arena, e->n_regions, sizeof *e->regions);
    if (!e->regions)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post");
    for (size_t k = 0; k < e->n_regions && st == GM_OK; k++)
        st = take(in, &e->regions[k], sizeof e->regions[k], region_strings, N(region_strings), err);
    return st;
}

enum gm_status gm_post_take(struct gm_post *p, const char *bytes, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena arena;
    struct source in = {bytes, &arena};
    size_t n_entities = 0;
    gm_arena_init(&arena, 0);
    gm_post_init(p);
    struct gm_post read = {0};
    GM_TRY(take(&in, &read, sizeof read, post_strings, N(post_strings), err));
    n_entities = read.n_entities;
    read.entities = gm_arena_alloc(&arena, n_entities, sizeof *read.entities);
    if (!read.entities) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a post");
        goto done;
    }
    for (size_t i = 0; i < n_entities; i++)
        GM_TRY(take_entity(&in, &read.entities[i], err));
done:
    *p = st == GM_OK ? read : (struct gm_post){0};
    p->arena = arena;
    p->source = NULL;
    p->tokens = NULL;
    p->candidates = NULL;
    p->objects = NULL;
    p->texts = NULL;
    p->n_tokens = p->n_candidates = p->n_objects = p->n_texts = 0;
    p->has_tokens = p->has_candidates = p->has_objects = p->has_texts = false;
    p->pixels = NULL;
    if (st != GM_OK)
        gm_post_clear(p);
    return st;
}
