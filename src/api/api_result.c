/* Results of the public API: the records, and what a caller sees of them. */
#include "api/api_internal.h"
#include "base/alloc.h"
#include "image/mask.h"
#include "stages/pixels.h"

#include <string.h>

/* An entity as it is shown, in the arena of its post. */
struct shown {
    struct gmner_entity entity;
    struct gmner_region *regions;
};

struct item {
    struct gm_post post;
    struct gmner_answer answer;
    struct shown *entities;
    struct gm_buf json; /* empty until it is asked for */
};

struct gmner_result {
    struct item *items;
    size_t n, cap;
    struct gm_buf all; /* the JSON of every post */
};

enum gm_status gm_api_result_new(struct gmner_result **out, size_t n, struct gm_error *err)
{
    struct gmner_result *r = gm_alloc(1, sizeof *r);
    *out = NULL;
    if (!r || !(r->items = gm_alloc(n, sizeof *r->items))) {
        gm_free(r);
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu results", n);
    }
    r->cap = n;
    gm_buf_init(&r->all, SIZE_MAX - 1);
    *out = r;
    return GM_OK;
}

void gmner_result_free(struct gmner_result *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++) {
        gm_buf_clear(&r->items[i].json);
        gm_post_clear(&r->items[i].post);
    }
    gm_buf_clear(&r->all);
    gm_free(r->items);
    gm_free(r);
}

/* ---- what is shown ---- */

/* Texts are copied, as those of a record have no NUL at their end; the first that fails ends it. */
struct copier {
    struct gm_arena *arena;
    bool failed;
};

static const char *copy(struct copier *c, struct gm_str s)
{
    const char *p = s.n ? gm_arena_str(c->arena, s).p : "";
    c->failed = c->failed || !p;
    return p;
}

static void show_region(struct copier *c, const struct gm_region *r, struct gmner_region *out)
{
    *out = (struct gmner_region){.score = (double)r->score,
                                 .label = copy(c, r->label),
                                 .note = copy(c, r->note),
                                 .mask_counts = copy(c, r->mask.counts)};
    memcpy(out->box, r->box, sizeof out->box);
    if (r->mask.counts.n) {
        out->mask_h = r->mask.h;
        out->mask_w = r->mask.w;
    }
}

static void show_entity(struct copier *c, const struct gm_entity *e, struct shown *out)
{
    out->entity = (struct gmner_entity){.text = copy(c, e->text),
                                        .type = copy(c, e->type),
                                        .fine_type = copy(c, e->fine_type),
                                        .start = e->start,
                                        .end = e->end,
                                        .score = e->score,
                                        .visible = e->visible < 0 ? -1 : e->visible,
                                        .source = copy(c, e->source),
                                        .expression = copy(c, e->expression),
                                        .note = copy(c, e->note)};
    out->regions = gm_arena_alloc(c->arena, e->n_regions, sizeof *out->regions);
    c->failed = c->failed || !out->regions;
    for (size_t i = 0; i < e->n_regions && !c->failed; i++, out->entity.n_regions++)
        show_region(c, &e->regions[i], &out->regions[i]);
}

static enum gm_status show(struct item *item, struct gm_error *err)
{
    const struct gm_post *p = &item->post;
    struct copier c = {&item->post.arena, false};
    item->answer = (struct gmner_answer){.id = copy(&c, p->id),
                                         .text = copy(&c, p->text),
                                         .image = copy(&c, p->image),
                                         .caption = copy(&c, p->caption),
                                         .knowledge = copy(&c, p->knowledge),
                                         .image_w = p->image_w,
                                         .image_h = p->image_h,
                                         .error_stage = copy(&c, p->error.stage),
                                         .error_code = copy(&c, p->error.code),
                                         .error_message = copy(&c, p->error.message)};
    item->entities = gm_arena_alloc(c.arena, p->n_entities, sizeof *item->entities);
    c.failed = c.failed || !item->entities;
    for (size_t i = 0; i < p->n_entities && !c.failed; i++, item->answer.n_entities++)
        show_entity(&c, &p->entities[i], &item->entities[i]);
    return c.failed ? GM_FAIL(err, GM_ENOMEM, "out of memory for a result") : GM_OK;
}

enum gm_status gm_api_result_add(struct gmner_result *r, struct gm_post *post, struct gm_error *err)
{
    struct item *item = &r->items[r->n++];
    gm_buf_init(&item->json, SIZE_MAX - 1);
    gm_api_post_end(post);
    gm_post_drop_pixels(post);
    item->post = *post;
    gm_post_init(post);
    return show(item, err);
}

/* ---- reading ---- */

size_t gmner_result_count(const struct gmner_result *r) { return r ? r->n : 0; }

const struct gmner_answer *gmner_result_post(const struct gmner_result *r, size_t post)
{
    return r && post < r->n ? &r->items[post].answer : NULL;
}

static const struct shown *entity_at(const struct gmner_result *r, size_t post, size_t entity)
{
    bool is_there = r && post < r->n && entity < r->items[post].answer.n_entities;
    return is_there ? &r->items[post].entities[entity] : NULL;
}

const struct gmner_entity *gmner_result_entity(const struct gmner_result *r, size_t post,
                                               size_t entity)
{
    const struct shown *s = entity_at(r, post, entity);
    return s ? &s->entity : NULL;
}

const struct gmner_region *gmner_result_region(const struct gmner_result *r, size_t post,
                                               size_t entity, size_t region)
{
    const struct shown *s = entity_at(r, post, entity);
    return s && region < s->entity.n_regions ? &s->regions[region] : NULL;
}

int gmner_mask_pixels(const struct gmner_region *region, uint8_t *pixels, size_t size,
                      struct gmner_error *error)
{
    struct gm_error e = {0};
    if (!region || (!pixels && size))
        return gm_api_fail(error, GMNER_EARG, "gmner_mask_pixels: %s is NULL",
                           region ? "pixels" : "region");
    size_t need = (size_t)region->mask_h * region->mask_w;
    if (!need)
        return gm_api_done(GM_OK, &e, error);
    if (size < need)
        return gm_api_fail(error, GMNER_EARG,
                           "gmner_mask_pixels: a mask of %u x %u pixels needs %zu bytes, not %zu",
                           region->mask_w, region->mask_h, need, size);
    enum gm_status st =
        gm_rle_decode(gm_str(region->mask_counts), region->mask_h, region->mask_w, pixels, &e);
    return gm_api_done(st, &e, error);
}

static enum gm_status write_item(struct item *item, struct gm_error *err)
{
    if (item->json.n)
        return GM_OK;
    enum gm_status st = gm_post_to_json(&item->post, &item->json, err);
    if (st != GM_OK)
        gm_buf_reset(&item->json);
    return st;
}

/* A text that was not finished for want of memory is begun anew. */
static enum gm_status write_all(struct gmner_result *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (r->all.n)
        return GM_OK;
    for (size_t i = 0; i < r->n; i++) {
        GM_TRY(write_item(&r->items[i], err));
        GM_TRY(gm_buf_add_str(&r->all, gm_buf_str(&r->items[i].json), err));
        GM_TRY(gm_buf_add_c(&r->all, "\n", err));
    }
done:
    if (st != GM_OK)
        gm_buf_reset(&r->all);
    return st;
}

int gmner_result_json(struct gmner_result *r, size_t post, const char **json, size_t *len,
                      struct gmner_error *error)
{
    struct gm_error e = {0};
    if (json)
        *json = NULL;
    if (len)
        *len = 0;
    if (!r || !json)
        return gm_api_fail(error, GMNER_EARG, "gmner_result_json: %s is NULL",
                           r ? "json" : "result");
    if (post != GMNER_ALL_POSTS && post >= r->n)
        return gm_api_fail(error, GMNER_EARG, "gmner_result_json: post %zu of %zu", post, r->n);
    enum gm_status st =
        post == GMNER_ALL_POSTS ? write_all(r, &e) : write_item(&r->items[post], &e);
    if (st == GM_OK) {
        const struct gm_buf *b = post == GMNER_ALL_POSTS ? &r->all : &r->items[post].json;
        *json = b->p ? b->p : "";
        if (len)
            *len = b->n;
    }
    return gm_api_done(st, &e, error);
}
