/* The box and the mask of a COCO annotation: segmentations are polygons, plain runs or compressed
 * runs. Source: cocodataset.org, format-data. */
#include "formats/coco.h"
#include "image/mask.h"
#include "record/losses.h"
#include "record/record_mask.h"

#include "base/alloc.h"

#include <math.h>

enum { MAX_CORNERS = 1000000 };

static enum gm_status read_bbox(const struct gm_json *j, double box[GM_BOX_XYXY],
                                struct gm_error *err)
{
    double v[4];
    for (size_t i = 0; i < 4; i++) {
        if (!gm_json_num(gm_json_at(j, i), &v[i]))
            return GM_FAIL(err, GM_EFORMAT, "\"bbox\": expected [x, y, width, height]");
        box[i] = i < 2 ? v[i] : v[i - 2] + v[i];
        if (!(fabs(box[i]) <= 1e9))
            return GM_FAIL(err, GM_EFORMAT, "\"bbox\": a corner at over 1e9 pixels");
    }
    return GM_OK;
}

/* {"size": [h, w], "counts": [runs] or "string"} */
static enum gm_status read_rle(struct gm_arena *a, const struct gm_json *j, struct gm_rle *m,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *size = gm_json_get(j, "size"), *counts = gm_json_get(j, "counts");
    long long h = 0, w = 0, run;
    struct gm_str s;
    uint64_t *runs;
    size_t n = gm_json_count(counts);
    if (gm_json_count(size) != 2 || !gm_json_int(gm_json_at(size, 0), &h) ||
        !gm_json_int(gm_json_at(size, 1), &w) || h < 1 || w < 1)
        return GM_FAIL(err, GM_EFORMAT, "\"segmentation\": \"size\": expected [height, width]");
    GM_TRY(gm_mask_check_size((uint64_t)h, (uint64_t)w, err));
    m->h = (uint32_t)h;
    m->w = (uint32_t)w;
    runs = gm_arena_alloc(a, n, sizeof *runs);
    if (!runs)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for the runs of a mask");
    if (gm_json_str(counts, &s)) {
        GM_TRY(gm_rle_to_runs(a, s, m->h, m->w, &runs, &n, err)); /* checks them */
        m->counts = gm_arena_str(a, s);
        return m->counts.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        if (!gm_json_int(gm_json_at(counts, i), &run) || run < 0)
            return GM_FAIL(err, GM_EFORMAT, "\"counts\": number %zu is no length of a run", i + 1);
        runs[i] = (uint64_t)run;
    }
    GM_TRY(gm_rle_from_runs(a, runs, n, m->h, m->w, &m->counts, err));
done:
    return st;
}

static enum gm_status draw_polygon(const struct gm_json *j, uint8_t *mask, uint32_t h, uint32_t w,
                                   struct gm_error *err)
{
    size_t n = gm_json_count(j);
    if (gm_json_kind(j) != GM_JSON_ARRAY || n % 2 || n > 2 * (size_t)MAX_CORNERS)
        return GM_FAIL(err, GM_EFORMAT, "\"segmentation\": expected [[x, y, x, y, …], …]");
    double *xy = gm_alloc(n, sizeof *xy);
    if (!xy)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a polygon");
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < n && st == GM_OK; i++)
        if (!gm_json_num(gm_json_at(j, i), &xy[i]))
            st = GM_FAIL(err, GM_EFORMAT, "\"segmentation\": number %zu of a polygon is none",
                         i + 1);
    if (st == GM_OK)
        st = gm_mask_polygon(mask, h, w, xy, n / 2, err);
    gm_free(xy);
    return st;
}

/* Runs as a mask of their own, into `mask`, which has the size h x w. */
static enum gm_status draw_runs(struct gm_arena *a, const struct gm_json *j, uint8_t *mask,
                                uint32_t h, uint32_t w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_rle m = {0};
    uint8_t *pixels = NULL;
    GM_TRY(read_rle(a, j, &m, err));
    if (m.h != h || m.w != w)
        return GM_FAIL(err, GM_EFORMAT,
                       "\"segmentation\": a mask of %u x %u in an image of %u x %u", m.w, m.h, w,
                       h);
    GM_TRY(gm_mask_pixels(&m, &pixels, err));
    for (size_t i = 0; i < (size_t)h * w; i++)
        mask[i] |= pixels[i];
done:
    gm_free(pixels);
    return st;
}

/* The union of a list of polygons, or of runs. As in the COCO API, a polygon of less than three
 * corners draws nothing beside others; alone it is a fault. */
static enum gm_status draw_parts(struct gm_arena *a, const struct gm_json *j, uint8_t *mask,
                                 uint32_t h, uint32_t w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = gm_json_count(j);
    for (size_t i = 0; i < n; i++) {
        const struct gm_json *part = gm_json_at(j, i);
        if (gm_json_kind(part) == GM_JSON_OBJECT)
            GM_TRY(draw_runs(a, part, mask, h, w, err));
        else if (n == 1 || gm_json_kind(part) != GM_JSON_ARRAY || gm_json_count(part) >= 6)
            GM_TRY(draw_polygon(part, mask, h, w, err));
    }
done:
    return st;
}

static enum gm_status read_polygons(struct gm_rle *out, struct gm_arena *a, const struct gm_json *j,
                                    uint32_t h, uint32_t w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint8_t *mask = NULL;
    if (!w)
        return GM_FAIL(err, GM_EFORMAT, "polygons need the image's \"width\" and \"height\"");
    GM_TRY(gm_mask_check_size(h, w, err));
    mask = gm_alloc((size_t)h * w, 1);
    if (!mask) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a mask of %u x %u pixels", w, h);
        goto done;
    }
    GM_TRY(draw_parts(a, j, mask, h, w, err));
    out->h = h;
    out->w = w;
    GM_TRY(gm_rle_encode(a, mask, h, w, &out->counts, err));
done:
    gm_free(mask);
    return st;
}

enum gm_status gm_coco_mask(struct gm_rle *out, struct gm_arena *a, const struct gm_json *seg,
                            uint32_t h, uint32_t w, struct gm_error *err)
{
    if (gm_json_kind(seg) == GM_JSON_OBJECT)
        return read_rle(a, seg, out, err);
    if (gm_json_kind(seg) == GM_JSON_ARRAY && gm_json_count(seg))
        return read_polygons(out, a, seg, h, w, err);
    return GM_OK;
}

/* "iscrowd": 1 or true. */
static bool is_set(const struct gm_json *j)
{
    double x = 0;
    bool b = false;
    return gm_json_bool(j, &b) ? b : gm_json_num(j, &x) && x > 0;
}

enum gm_status gm_coco_region(struct gm_region *r, struct gm_post *p, const struct gm_json *j,
                              struct gm_losses *lost, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *seg = gm_json_get(j, "segmentation"), *bbox = gm_json_get(j, "bbox");
    double score = 1;
    (void)gm_json_num(gm_json_get(j, "score"), &score);
    *r = (struct gm_region){.score = score >= 0 && score <= 1 ? (float)score : 1};
    r->is_crowd = is_set(gm_json_get(j, "iscrowd"));
    struct gm_error e;
    st = gm_coco_mask(&r->mask, &p->arena, seg, p->image_h, p->image_w, &e);
    if (st == GM_EFORMAT && bbox) { /* the box stands without it */
        gm_losses_mask(lost, p->id, e.msg);
        r->mask = (struct gm_rle){0};
        st = GM_OK;
    }
    if (st != GM_OK) {
        if (err)
            *err = e;
        return st;
    }
    if (bbox) {
        GM_TRY(read_bbox(bbox, r->box, err));
    } else if (r->mask.counts.n) {
        uint8_t *mask;
        GM_TRY(gm_mask_pixels(&r->mask, &mask, err));
        (void)gm_mask_box(mask, r->mask.h, r->mask.w, r->box);
        gm_free(mask);
    } else {
        st = GM_FAIL(err, GM_EFORMAT, "neither \"bbox\" nor \"segmentation\"");
    }
    if (gm_json_get(j, "keypoints"))
        gm_losses_add(lost, "keypoints", p->id);
done:
    return st;
}
