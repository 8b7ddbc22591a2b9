/* marks.c - see marks.h. */
#include "report/marks.h"

#include "base/alloc.h"
#include "image/mask.h"
#include "record/offsets.h"

#include <stdlib.h>

/* By start; the longer first; then in the record's order. */
static int by_place(const void *a, const void *b)
{
    const struct gm_mark *p = a, *q = b;
    if (p->from != q->from)
        return p->from < q->from ? -1 : 1;
    if (p->to != q->to)
        return p->to > q->to ? -1 : 1;
    return p->entity < q->entity ? -1 : p->entity > q->entity;
}

enum gm_status gm_marks_of(struct gm_arena *a, const struct gm_post *post, struct gm_mark **out,
                           size_t *n, struct gm_error *err)
{
    struct gm_offset at;
    struct gm_mark *marks = gm_arena_alloc(a, post->n_entities, sizeof *marks);
    *out = marks;
    *n = 0;
    if (!marks)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu entities", post->n_entities);
    gm_offset_init(&at, post->text);
    size_t found = 0;
    for (size_t i = 0; i < post->n_entities; i++) {
        struct gm_mark m = {.entity = i};
        gm_offset_to_cp(&at, post->entities[i].start);
        m.from = at.byte;
        gm_offset_to_cp(&at, post->entities[i].end);
        m.to = at.byte;
        if (m.to > m.from)
            marks[found++] = m;
    }
    if (found)
        qsort(marks, found, sizeof *marks, by_place);
    for (size_t i = 0, end = 0; i < found; i++)
        if (marks[i].from >= end) {
            end = marks[i].to;
            marks[(*n)++] = marks[i];
        }
    return GM_OK;
}

/* The mask at another size, each pixel the nearest of the old ones. */
static uint8_t *scaled(const uint8_t *mask, uint32_t mask_w, uint32_t mask_h, uint32_t w,
                       uint32_t h)
{
    uint8_t *to = gm_alloc((size_t)w * h, 1);
    for (size_t y = 0; to && y < h; y++)
        for (size_t x = 0; x < w; x++)
            to[y * w + x] = mask[(size_t)((2 * y + 1) * mask_h / (2 * (size_t)h)) * mask_w +
                                 (size_t)((2 * x + 1) * mask_w / (2 * (size_t)w))];
    return to;
}

enum gm_status gm_region_mask(const struct gm_region *region, uint32_t w, uint32_t h, uint8_t **out,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_rle *rle = &region->mask;
    uint8_t *mask = NULL;
    *out = NULL;
    if (rle->counts.n == 0)
        return GM_OK;
    if ((uint64_t)rle->w * rle->h > gm_image_max_pixels())
        return GM_FAIL(err, GM_EFORMAT, "a mask of %u x %u pixels, over the limit", rle->w, rle->h);
    if (!(mask = gm_alloc((size_t)rle->w * rle->h, 1))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a mask of %u x %u pixels", rle->w, rle->h);
        goto done;
    }
    GM_TRY(gm_rle_decode(rle->counts, rle->h, rle->w, mask, err));
    if (rle->w != w || rle->h != h) {
        *out = scaled(mask, rle->w, rle->h, w, h);
        st = *out ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for a mask of %u x %u", w, h);
        goto done;
    }
    *out = mask;
    mask = NULL;
done:
    gm_free(mask);
    return st;
}

enum gm_status gm_post_picture(const struct gm_post *post, const struct gm_image **im,
                               struct gm_image **owned, uint32_t size[2], struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool is_known = post->pixels && post->image_w && post->image_h;
    *owned = NULL;
    *im = post->pixels;
    if (!post->pixels && post->image.n) {
        char *path = gm_alloc(post->image.n + 1, 1); /* the view need not end with NUL */
        if (!path)
            return GM_FAIL(err, GM_ENOMEM, "out of memory for a path");
        for (size_t i = 0; i < post->image.n; i++)
            path[i] = post->image.p[i];
        st = gm_image_load(owned, path, err);
        *im = *owned;
        gm_free(path);
    }
    if (*im) {
        size[0] = is_known ? post->image_w : (*im)->w;
        size[1] = is_known ? post->image_h : (*im)->h;
    }
    return st;
}
