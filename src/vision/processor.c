#include "vision/processor.h"

#include <math.h>

enum { PILLOW_BILINEAR = 2, PILLOW_BICUBIC = 3, LONGEST = 1333 };

static enum gm_status read_side(const struct gm_json *size, const char *key, uint32_t *out,
                                const char *path, struct gm_error *err)
{
    long long side = 0;
    if (!gm_json_int(gm_json_get(size, key), &side) || side < 1 || side > GM_PROCESSOR_SIDE_MAX)
        return GM_FAIL(err, GM_EMODEL, "%s: size.%s must be a number from 1 to %d", path, key,
                       (int)GM_PROCESSOR_SIDE_MAX);
    *out = (uint32_t)side;
    return GM_OK;
}

/* Sizes of the first exports were one number: the side of OWL-ViT's square, Grounding DINO's shorter edge. */
static enum gm_status read_size(struct gm_processor *p, const struct gm_json *json,
                                const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *size = gm_json_get(json, "size");
    long long one;
    if (gm_json_int(size, &one)) {
        GM_TRY(read_side(json, "size", &p->w, path, err));
        p->h = p->w;
    } else if (gm_json_get(size, "shortest_edge")) {
        GM_TRY(read_side(size, "shortest_edge", &p->shortest, path, err));
        p->longest = LONGEST;
        if (gm_json_get(size, "longest_edge"))
            GM_TRY(read_side(size, "longest_edge", &p->longest, path, err));
    } else {
        GM_TRY(read_side(size, "width", &p->w, path, err));
        GM_TRY(read_side(size, "height", &p->h, path, err));
    }
    if (p->square && p->w != p->h)
        st = GM_FAIL(err, GM_EMODEL, "%s: size must be a square", path);
done:
    return st;
}

/* Three numbers of a list; they stay where there is no such list. */
static enum gm_status read_three(const struct gm_json *json, const char *key, double out[3],
                                 const char *path, struct gm_error *err)
{
    const struct gm_json *list = gm_json_get(json, key);
    bool ok = !list || gm_json_count(list) == 3;
    for (size_t c = 0; list && ok && c < 3; c++)
        ok = gm_json_num(gm_json_at(list, c), &out[c]);
    return ok ? GM_OK : GM_FAIL(err, GM_EMODEL, "%s: %s must be three numbers", path, key);
}

static enum gm_status read_planes(struct gm_processor *p, const struct gm_json *json,
                                  const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double factor = 1 / 255.0, mean[3] = {0}, deviation[3] = {1, 1, 1};
    bool rescale = true, normalise = true;
    gm_json_bool(gm_json_get(json, "do_rescale"), &rescale);
    gm_json_bool(gm_json_get(json, "do_normalize"), &normalise);
    gm_json_num(gm_json_get(json, "rescale_factor"), &factor);
    if (normalise && (!gm_json_get(json, "image_mean") || !gm_json_get(json, "image_std"))) {
        st = GM_FAIL(err, GM_EMODEL, "%s: image_mean or image_std is missing", path);
        goto done;
    }
    if (normalise) {
        GM_TRY(read_three(json, "image_mean", mean, path, err));
        GM_TRY(read_three(json, "image_std", deviation, path, err));
    }
    for (size_t c = 0; c < 3; c++) {
        if (!(deviation[c] > 0)) {
            st = GM_FAIL(err, GM_EMODEL, "%s: image_std must be above 0", path);
            goto done;
        }
        p->planes[c] = (struct gm_plane){c, (float)((rescale ? factor : 1) / deviation[c]),
                                         (float)(-mean[c] / deviation[c])};
    }
done:
    return st;
}

enum gm_status gm_processor_read(struct gm_processor *p, const struct gm_json *json, bool square,
                                 const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    long long filter = PILLOW_BILINEAR;
    bool resize = true, crop = false;
    *p = (struct gm_processor){.square = square};
    gm_json_bool(gm_json_get(json, "do_resize"), &resize);
    gm_json_bool(gm_json_get(json, "do_center_crop"), &crop);
    gm_json_int(gm_json_get(json, "resample"), &filter);
    if (!resize || crop) {
        st = GM_FAIL(err, GM_EMODEL, "%s: do_resize false and do_center_crop are not supported",
                     path);
        goto done;
    }
    if (filter != PILLOW_BILINEAR && filter != PILLOW_BICUBIC) {
        st = GM_FAIL(err, GM_EMODEL, "%s: resample %lld is not supported (2 and 3 are)", path,
                     filter);
        goto done;
    }
    p->bicubic = filter == PILLOW_BICUBIC;
    GM_TRY(read_size(p, json, path, err));
    st = read_planes(p, json, path, err);
done:
    return st;
}

/* With the divisions, roundings and cuttings of transformers' get_size_with_aspect_ratio. */
void gm_processor_size(const struct gm_processor *p, uint32_t w, uint32_t h, uint32_t out[2])
{
    double less = w < h ? w : h, more = w < h ? h : w, size = p->shortest, raw = size;
    if (p->w) {
        out[0] = p->w;
        out[1] = p->h;
        return;
    }
    if (more / less * size > p->longest) {
        raw = p->longest * less / more;
        size = nearbyint(raw); /* a half goes to the even one, as Python's */
    }
    bool is_that = (h <= w && h == size) || (w <= h && w == size);
    out[0] = (uint32_t)(is_that ? w : w < h ? size : raw * w / h);
    out[1] = (uint32_t)(is_that ? h : w < h ? raw * h / w : size);
    out[0] = out[0] ? out[0] : 1;
    out[1] = out[1] ? out[1] : 1;
}

enum gm_status gm_processor_run(const struct gm_processor *p, const struct gm_image *im, float *out,
                                struct gm_error *err)
{
    struct gm_image *small = NULL;
    const float whole[4] = {0, 0, (float)im->w, (float)im->h};
    uint32_t to[2];
    if (p->square)
        return gm_image_square_planes(out, im, p->w, p->planes, err);
    gm_processor_size(p, im->w, im->h, to);
    size_t n = (size_t)to[0] * to[1];
    enum gm_status st = p->bicubic ? gm_image_resize_cubic(&small, im, whole, to[0], to[1], err)
                                   : gm_image_resize_bytes(&small, im, whole, to[0], to[1], err);
    for (size_t c = 0; st == GM_OK && c < 3; c++)
        for (size_t i = 0; i < n; i++)
            out[c * n + i] = (float)small->rgb[3 * i + c] * p->planes[c].scale + p->planes[c].shift;
    gm_image_free(small);
    return st;
}
