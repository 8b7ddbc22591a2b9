#include "stages/segment_post.h"

#include "base/alloc.h"
#include "image/mask.h"

#include <string.h>

enum gm_status gm_mask_room_for(struct gm_mask_room *room, const struct gm_image *im,
                                struct gm_error *err)
{
    size_t need = (size_t)im->w * im->h;
    if (need <= room->cap)
        return GM_OK;
    gm_free(room->mask);
    room->cap = 0;
    if (!(room->mask = gm_alloc(need, 1)))
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a mask of %u x %u pixels", im->w, im->h);
    room->cap = need;
    return GM_OK;
}

void gm_mask_room_clear(struct gm_mask_room *room)
{
    gm_free(room->mask);
    *room = (struct gm_mask_room){0};
}

/* A region before entity `e`, region `k` with the same box: its mask is the same too. */
static const struct gm_region *seen_before(const struct gm_post *p, size_t e, size_t k)
{
    const struct gm_region *r = &p->entities[e].regions[k];
    for (size_t i = 0; i <= e; i++)
        for (size_t j = 0; j < (i < e ? p->entities[i].n_regions : k); j++) {
            const struct gm_region *old = &p->entities[i].regions[j];
            if (memcmp(old->box, r->box, sizeof r->box) == 0 && gm_str_eq(old->label, r->label) &&
                (r->label.n || gm_str_eq(p->entities[i].type, p->entities[e].type)))
                return old;
        }
    return NULL;
}

enum gm_status gm_segment_post(struct gm_post *p, size_t lane, const struct gm_limit *limit,
                               gm_segment_fn *fn, void *ctx, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t e = 0; e < p->n_entities; e++)
        for (size_t k = 0; k < p->entities[e].n_regions; k++) {
            struct gm_region *r = &p->entities[e].regions[k];
            if (r->mask.counts.n)
                continue; /* it came with the post */
            const struct gm_region *old = seen_before(p, e, k);
            if (old) {
                r->mask = old->mask;
                r->note = old->note;
            } else {
                GM_TRY(gm_limit_check(limit, err));
                GM_TRY(fn(ctx, lane, p, &p->entities[e], r, err));
            }
        }
done:
    return st;
}

enum gm_status gm_region_put_mask(struct gm_post *p, struct gm_region *r, const uint8_t *mask,
                                  const struct gm_image *im, struct gm_error *err)
{
    r->note = (struct gm_str){NULL, 0};
    r->mask.h = im->h;
    r->mask.w = im->w;
    return gm_rle_encode(&p->arena, mask, im->h, im->w, &r->mask.counts, err);
}

bool gm_segment_is_due(const struct gm_post *p) { return p->image.n && !p->error.stage.n; }
