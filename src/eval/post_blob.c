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
static const size_t object_strings[] = {offsetof(struct gm_object, label)};
static const size_t written_strings[] = {offsetof(struct gm_written, text)};
static const size_t bare_string[] = {0}; /* of a struct gm_str that stands alone */

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

/* The one field of the input that the page shows. */
static enum gm_status put_asked(const struct gm_post *p, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *asked = gm_json_get(p->source, "asked");
    struct gm_buf text;
    gm_buf_init(&text, out->max);
    if (asked)
        GM_TRY(gm_json_write(asked, false, &text, err));
    const struct gm_str s = gm_buf_str(&text);
    GM_TRY(put(out, &s, sizeof s, bare_string, N(bare_string), err));
done:
    gm_buf_clear(&text);
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
    for (size_t i = 0; i < p->n_objects; i++)
        GM_TRY(
            put(out, &p->objects[i], sizeof p->objects[i], object_strings, N(object_strings), err));
    for (size_t i = 0; i < p->n_texts; i++)
        GM_TRY(
            put(out, &p->texts[i], sizeof p->texts[i], written_strings, N(written_strings), err));
    GM_TRY(put_asked(p, out, err));
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

/* n structures in the arena; NULL on failure. */
static void *take_list(struct source *in, size_t n, size_t size, const size_t *strings,
                       size_t n_strings, struct gm_error *err)
{
    char *list = gm_arena_alloc(in->arena, n, size);
    if (!list)
        (void)GM_FAIL(err, GM_ENOMEM, "out of memory for a post");
    for (size_t i = 0; list && i < n; i++)
        if (take(in, list + i * size, size, strings, n_strings, err) != GM_OK)
            return NULL;
    return list;
}

static enum gm_status take_entities(struct source *in, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    p->entities = gm_arena_alloc(in->arena, p->n_entities, sizeof *p->entities);
    if (!p->entities)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post");
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entity *e = &p->entities[i];
        GM_TRY(take(in, e, sizeof *e, entity_strings, N(entity_strings), err));
        e->fields = NULL;
        e->regions =
            take_list(in, e->n_regions, sizeof *e->regions, region_strings, N(region_strings), err);
        if (!e->regions)
            return GM_ENOMEM;
        for (size_t k = 0; k < e->n_regions; k++)
            e->regions[k].fields = NULL;
    }
done:
    return st;
}

static enum gm_status take_asked(struct source *in, struct gm_json **source, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *asked = NULL;
    struct gm_str text;
    GM_TRY(take(in, &text, sizeof text, bare_string, N(bare_string), err));
    if (text.n == 0)
        return GM_OK;
    GM_TRY(gm_json_parse(&asked, text, err));
    *source = gm_json_new_object();
    if (!gm_json_set(*source, "asked", asked))
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a post");
done:
    return st;
}

static enum gm_status take_post(struct source *in, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = take(in, p, sizeof *p, post_strings, N(post_strings), err);
    if (st != GM_OK)
        return st;
    GM_TRY(take_entities(in, p, err));
    p->objects =
        take_list(in, p->n_objects, sizeof *p->objects, object_strings, N(object_strings), err);
    if (!p->objects)
        return GM_ENOMEM;
    p->texts =
        take_list(in, p->n_texts, sizeof *p->texts, written_strings, N(written_strings), err);
    if (!p->texts)
        return GM_ENOMEM;
    for (size_t i = 0; i < p->n_objects; i++)
        p->objects[i].fields = NULL;
    for (size_t i = 0; i < p->n_texts; i++)
        p->texts[i].fields = NULL;
done:
    return st;
}

enum gm_status gm_post_take(struct gm_post *p, const char *bytes, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena arena;
    struct gm_json *source = NULL;
    struct source in = {bytes, &arena};
    struct gm_post read = {.n_entities = 0};
    gm_arena_init(&arena, 0);
    GM_TRY(take_post(&in, &read, err));
    GM_TRY(take_asked(&in, &source, err));
done:
    *p = read;
    p->arena = arena;
    p->source = source;
    p->pixels = NULL;
    p->tokens = NULL;
    p->candidates = NULL;
    p->n_tokens = p->n_candidates = 0;
    p->has_tokens = p->has_candidates = false;
    if (st != GM_OK)
        gm_post_clear(p);
    return st;
}
