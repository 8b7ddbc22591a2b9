/* What the index tells of a post: the filters' bits, how unsure the tagger was, what is wrong by gold. */
#include "serve/browse_internal.h"

#include "base/log.h"
#include "corpus/select.h"

/* The number of a name, given the next one where it is new; `max` = there is no room for more. */
static size_t number_of(struct gm_browse *b, struct gm_str *names, size_t *n, size_t max,
                        struct gm_str name)
{
    size_t i = 0;
    while (i < *n && !gm_str_eq(names[i], name))
        i++;
    if (i == *n && i < max) {
        names[i] = gm_arena_str(&b->arena, name);
        *n += names[i].p != NULL;
    }
    return i;
}

static unsigned bit_of(enum gm_verdict v)
{
    switch (v) {
    case GM_VERDICT_SPAN: return WRONG_SPAN;
    case GM_VERDICT_TYPE: return WRONG_TYPE;
    case GM_VERDICT_IMAGE: return WRONG_IMAGE;
    case GM_VERDICT_BOX: return WRONG_BOX;
    default: return 0;
    }
}

/* What is wrong by a rival, by the rules of `gmner eval --task gmner`; a post that can't be compared is as one that
 * it does not have. */
static void compare(struct gm_browse *b, size_t rival, struct browse_row *row,
                    const struct gm_post *post)
{
    struct gm_post gold;
    struct gm_json *j = NULL;
    struct gm_error e = {0};
    const struct gm_post_spool *posts = b->rivals[rival];
    uint8_t wrong = 0;
    row->by[rival].wrong = 0;
    row->by[rival].has = false;
    size_t at = posts ? gm_post_spool_find(posts, row->id) : SIZE_MAX;
    if (at == SIZE_MAX || gm_post_spool_get(posts, at, &j, &e) != GM_OK)
        return;
    gm_post_init(&gold);
    if (gm_post_from_json(&gold, j, NULL, &e) == GM_OK &&
        gm_eval_add(b->eval, &gold, post, &e) == GM_OK) {
        for (size_t i = 0; i < gold.n_entities; i++)
            wrong |= (uint8_t)bit_of(gm_eval_verdict(b->eval, true, i));
        for (size_t i = 0; i < post->n_entities; i++)
            wrong |= (uint8_t)bit_of(gm_eval_verdict(b->eval, false, i));
        row->by[rival].wrong = wrong;
        row->by[rival].has = true;
    } else {
        GM_LOG(GM_LOG_WARN, "serve", "not compared with %s: %s",
               rival == BROWSE_GOLD ? "gold" : "the file beside", e.msg);
    }
    gm_post_clear(&gold);
}

enum gm_status gm_browse_note(struct gm_browse *b, size_t i, const struct gm_post *post,
                              struct gm_error *err)
{
    struct browse_row *row = &b->rows[i];
    (void)err;
    row->types = 0;
    row->sources = 0;
    row->n_entities = (uint32_t)post->n_entities;
    row->score_min = 2;
    row->has_region = false;
    for (size_t k = 0; k < post->n_entities; k++) {
        const struct gm_entity *e = &post->entities[k];
        row->types |= 1ull << number_of(b, b->types, &b->n_types, BROWSE_TYPES, e->type);
        row->sources |= 1u << number_of(b, b->sources, &b->n_sources, BROWSE_SOURCES, e->source);
        row->score_min = e->score < row->score_min ? e->score : row->score_min;
        row->has_region |= e->n_regions > 0;
    }
    row->uncertainty = (float)gm_post_uncertainty(post);
    row->has_image = post->image.n > 0;
    row->has_error = post->error.stage.n > 0;
    for (size_t k = 0; k < BROWSE_RIVALS; k++)
        compare(b, k, row, post);
    return GM_OK;
}
