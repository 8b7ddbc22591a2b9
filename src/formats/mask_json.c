#include "formats/mask_json.h"

#include "base/alloc.h"
#include "formats/coco.h"
#include "image/mask.h"
#include "record/record_mask.h"

#include <math.h>

enum { MAX_FILE = 256 << 20, MAX_MASKS = 10000, MAX_CORNERS = 1000000 };

/* Fields that an annotation's parts may be in, the likeliest first. */
static const char *const LISTS[] = {"shapes", "objects", "annotations", "masks", "entities", NULL};
static const char *const NAMES[] = {"label", "name", "entity", "text", "category", NULL};
static const char *const MASKS[] = {"segmentation", "mask", "rle", "points", "polygon", NULL};
static const char *const SIZES[] = {"info", "image", NULL};

static const struct gm_json *first_of(const struct gm_json *j, const char *const *keys)
{
    for (; *keys; keys++) {
        const struct gm_json *value = gm_json_get(j, *keys);
        if (value && gm_json_kind(value) != GM_JSON_NULL)
            return value;
    }
    return NULL;
}

static bool is_list(const struct gm_json *j) { return gm_json_kind(j) == GM_JSON_ARRAY; }
static bool is_object(const struct gm_json *j) { return gm_json_kind(j) == GM_JSON_OBJECT; }

/* A list of numbers (or truth values) alone; `n` of them where n is not 0. */
static bool is_row(const struct gm_json *j, size_t n)
{
    size_t count = gm_json_count(j);
    if (!is_list(j) || count == 0 || (n && count != n))
        return false;
    for (size_t i = 0; i < count; i++) {
        double x;
        bool b;
        if (!gm_json_num(gm_json_at(j, i), &x) && !gm_json_bool(gm_json_at(j, i), &b))
            return false;
    }
    return true;
}

/* ---- forms of masks ---- */

/* What a reader of one file works on. */
struct file {
    struct gm_arena *arena;
    uint32_t w, h; /* of the picture; 0 = the file does not tell */
};

/* [[x, y], [x, y], …]: the corners of one polygon. */
static bool is_corners(const struct gm_json *j)
{
    if (!is_list(j) || gm_json_count(j) < 2)
        return false;
    for (size_t i = 0; i < gm_json_count(j); i++)
        if (!is_row(gm_json_at(j, i), 2))
            return false;
    return true;
}

/* Rows of 0 and 1 of the picture's size; where that is not told, of one length and all of them 0, 1 or 255. */
static bool is_rows(const struct gm_json *j, const struct file *f)
{
    size_t h = gm_json_count(j), w = gm_json_count(gm_json_at(j, 0));
    if (!is_list(j) || h == 0 || w == 0 || (f->w && (f->w != w || f->h != h)))
        return false;
    for (size_t y = 0; y < h; y++) {
        const struct gm_json *row = gm_json_at(j, y);
        if (!is_row(row, w))
            return false;
        for (size_t x = 0; x < w && !f->w; x++) {
            double v = 0;
            if (gm_json_num(gm_json_at(row, x), &v) && v != 0 && v != 1 && v != 255)
                return false;
        }
    }
    return true;
}

/* [[x, y] of the middle, [x, y] of a point on the edge], as LabelMe has a circle: the pixels whose middle is in it. */
static void draw_circle(const struct gm_json *j, uint8_t *mask, const struct file *f)
{
    double xy[4] = {0};
    for (size_t i = 0; i < 4; i++)
        (void)gm_json_num(gm_json_at(gm_json_at(j, i / 2), i % 2), &xy[i]);
    double radius = hypot(xy[2] - xy[0], xy[3] - xy[1]);
    for (size_t y = 0; y < f->h; y++)
        for (size_t x = 0; x < f->w; x++)
            mask[y * f->w + x] = hypot((double)x + 0.5 - xy[0], (double)y + 0.5 - xy[1]) <= radius;
}

static void draw_rows(const struct gm_json *j, uint8_t *mask, uint32_t w)
{
    for (size_t y = 0; y < gm_json_count(j); y++)
        for (size_t x = 0; x < w; x++) {
            const struct gm_json *cell = gm_json_at(gm_json_at(j, y), x);
            double v = 0;
            bool b = false;
            mask[y * w + x] = gm_json_bool(cell, &b) ? b : gm_json_num(cell, &v) && v > 0;
        }
}

/* Two corners are a rectangle's, as LabelMe has it. */
static enum gm_status draw_corners(const struct gm_json *j, uint8_t *mask, const struct file *f,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = gm_json_count(j);
    if (n > MAX_CORNERS)
        return GM_FAIL(err, GM_EFORMAT, "a polygon of over %d corners", MAX_CORNERS);
    double *xy = gm_alloc(2 * (n < 4 ? 4 : n), sizeof *xy);
    if (!xy)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a polygon");
    for (size_t i = 0; i < 2 * n; i++)
        (void)gm_json_num(gm_json_at(gm_json_at(j, i / 2), i % 2), &xy[i]);
    if (n == 2) {
        const double box[4] = {xy[0], xy[1], xy[2], xy[3]};
        const double corners[8] = {box[0], box[1], box[2], box[1], box[2], box[3], box[0], box[3]};
        for (size_t i = 0; i < 8; i++)
            xy[i] = corners[i];
        n = 4;
    }
    st = gm_mask_polygon(mask, f->h, f->w, xy, n, err);
    gm_free(xy);
    return st;
}

/* Corners, or a list of such lists, which unite. */
static enum gm_status draw_all(const struct gm_json *j, uint8_t *mask, const struct file *f,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (is_corners(j))
        return draw_corners(j, mask, f, err);
    for (size_t i = 0; i < gm_json_count(j); i++)
        GM_TRY(draw_corners(gm_json_at(j, i), mask, f, err));
done:
    return st;
}

static bool is_corner_lists(const struct gm_json *j)
{
    for (size_t i = 0; i < gm_json_count(j); i++)
        if (!is_corners(gm_json_at(j, i)))
            return false;
    return is_list(j) && gm_json_count(j) > 0;
}

/* Rows or corners as pixels. */
static enum gm_status read_drawn(const struct file *f, const struct gm_json *j, bool is_circle,
                                 struct gm_region *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool rows = !is_circle && is_rows(j, f);
    struct file of = *f;
    uint8_t *mask = NULL;
    if (rows) {
        of.h = (uint32_t)gm_json_count(j);
        of.w = (uint32_t)gm_json_count(gm_json_at(j, 0));
    }
    if (!of.w || !of.h)
        return GM_FAIL(err, GM_EFORMAT,
                       "polygons need the picture's size (imageWidth, imageHeight)");
    GM_TRY(gm_mask_check_size(of.h, of.w, err));
    mask = gm_alloc((size_t)of.h * of.w, 1);
    GM_TRY(mask ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for a mask"));
    if (rows)
        draw_rows(j, mask, of.w);
    else if (is_circle)
        draw_circle(j, mask, &of);
    else
        GM_TRY(draw_all(j, mask, &of, err));
    GM_TRY(gm_region_set_mask(r, f->arena, mask, of.h, of.w, false, err));
done:
    gm_free(mask);
    return st;
}

/* What LabelMe's shape_type says; without one two corners are a rectangle's. */
static enum gm_status read_shape(const struct gm_json *type, const struct gm_json *mask,
                                 bool *is_circle, struct gm_error *err)
{
    static const char *const thin[] = {"line", "linestrip", "point", "points"};
    struct gm_str s = {NULL, 0};
    (void)gm_json_str(type, &s);
    *is_circle = gm_str_eq_c(s, "circle");
    if (*is_circle && !(is_corners(mask) && gm_json_count(mask) == 2))
        return GM_FAIL(err, GM_EFORMAT, "a circle is its middle and a point of its edge");
    for (size_t i = 0; i < sizeof thin / sizeof *thin; i++)
        if (gm_str_eq_c(s, thin[i]))
            return GM_FAIL(err, GM_EFORMAT, "a %s has no inside", thin[i]);
    return GM_OK;
}

/* Mask and box of any form; a mask without a pixel is none. `one` is what the mask is in, or the mask itself. */
static enum gm_status read_mask(const struct file *f, const struct gm_json *one,
                                struct gm_region *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint8_t *mask = NULL;
    bool is_circle = false;
    const struct gm_json *j = is_object(one) ? first_of(one, MASKS) : NULL;
    j = j ? j : one;
    if (is_object(one))
        GM_TRY(read_shape(gm_json_get(one, "shape_type"), j, &is_circle, err));
    if (is_circle || is_rows(j, f) || is_corners(j) || is_corner_lists(j)) {
        GM_TRY(read_drawn(f, j, is_circle, r, err));
    } else {
        GM_TRY(gm_coco_mask(&r->mask, f->arena, j, f->h, f->w, err));
        if (!r->mask.counts.n)
            return GM_FAIL(err, GM_EFORMAT, "neither runs nor polygons nor rows of 0 and 1");
        GM_TRY(gm_mask_pixels(&r->mask, &mask, err));
        (void)gm_mask_box(mask, r->mask.h, r->mask.w, r->box);
    }
    if (!(r->box[0] < r->box[2]))
        st = GM_FAIL(err, GM_EFORMAT, "no pixel is inside");
done:
    gm_free(mask);
    return st;
}

/* ---- labels ---- */

/* "Ann Lee(PER)" and "PER: Ann Lee" are "Ann Lee"; a type is a word of capitals. */
static struct gm_str bare_name(struct gm_str label)
{
    size_t open = label.n, colon = 0;
    label = gm_str_trim(label);
    if (label.n > 2 && label.p[label.n - 1] == ')')
        for (open = label.n - 2; open > 0 && label.p[open] >= 'A' && label.p[open] <= 'Z';)
            open--;
    if (open > 0 && open < label.n && label.p[open] == '(')
        return gm_str_trim(gm_str_sub(label, 0, open));
    while (colon < label.n && label.p[colon] >= 'A' && label.p[colon] <= 'Z')
        colon++;
    if (colon > 1 && colon + 1 < label.n && label.p[colon] == ':')
        return gm_str_trim(gm_str_sub(label, colon + 1, label.n));
    return label;
}

/* ---- files ---- */

static bool read_side(const struct gm_json *j, const char *key, uint32_t *out)
{
    long long n;
    if (!gm_json_int(gm_json_get(j, key), &n) || n < 1 || n > INT32_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

/* The picture's size, of which a file tells both sides or none. */
static void read_size(struct file *f, const struct gm_json *root)
{
    const struct gm_json *inner = first_of(root, SIZES);
    bool known = (read_side(root, "imageWidth", &f->w) && read_side(root, "imageHeight", &f->h)) ||
                 (read_side(root, "width", &f->w) && read_side(root, "height", &f->h)) ||
                 (read_side(inner, "width", &f->w) && read_side(inner, "height", &f->h));
    if (!known)
        f->w = f->h = 0;
}

/* Adds one object, or counts why not. */
static enum gm_status add_object(struct gm_voc *out, const struct file *f, struct gm_str label,
                                 const struct gm_json *one, struct gm_str id,
                                 struct gm_losses *lost, struct gm_error *err)
{
    struct gm_region r = {0};
    struct gm_error why = {0};
    struct gm_str name = bare_name(label);
    if (name.n == 0) {
        gm_losses_fault(lost, "masks without a label", id);
        return GM_OK;
    }
    if (out->n_objects == MAX_MASKS)
        return GM_FAIL(err, GM_EFORMAT, "over %d masks of one picture", MAX_MASKS);
    enum gm_status st = read_mask(f, one, &r, &why);
    if (st == GM_EFORMAT) {
        gm_losses_mask(lost, id, why.msg);
        return GM_OK;
    }
    if (st != GM_OK)
        return GM_FAIL(err, st, "%s", why.msg);
    struct gm_voc_object *o = &out->objects[out->n_objects];
    o->name = gm_arena_str(f->arena, name);
    if (!o->name.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < GM_BOX_XYXY; i++)
        o->box[i] = r.box[i];
    o->mask = r.mask;
    out->n_objects++;
    out->w = out->w ? out->w : r.mask.w;
    out->h = out->h ? out->h : r.mask.h;
    return GM_OK;
}

/* One annotation: {"label", "points" …}; what is under no key of a mask may be one itself (runs). */
static enum gm_status add_annotation(struct gm_voc *out, const struct file *f,
                                     const struct gm_json *j, struct gm_str id,
                                     struct gm_losses *lost, struct gm_error *err)
{
    struct gm_str label = {NULL, 0};
    (void)gm_json_str(first_of(j, NAMES), &label);
    return add_object(out, f, label, j, id, lost, err);
}

/* {"Ann Lee": mask or [masks]}; metadata beside them has no mask in it and is passed over. */
static enum gm_status add_named(struct gm_voc *out, const struct file *f,
                                const struct gm_json *list, struct gm_str id,
                                struct gm_losses *lost, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (void *it = gm_json_first(list); it; it = gm_json_next(list, it)) {
        const struct gm_json *value = gm_json_value(it);
        bool is_many = is_list(value) && is_object(gm_json_at(value, 0));
        if (!is_list(value) && !gm_json_get(value, "counts") && !first_of(value, MASKS))
            continue;
        for (size_t i = 0; i < (is_many ? gm_json_count(value) : 1); i++)
            GM_TRY(add_object(out, f, gm_json_key(it), is_many ? gm_json_at(value, i) : value, id,
                              lost, err));
    }
done:
    return st;
}

/* How many masks there may be at most. */
static size_t count_of(const struct gm_json *list)
{
    size_t n = is_list(list) ? gm_json_count(list) : 0;
    for (void *it = is_object(list) ? gm_json_first(list) : NULL; it; it = gm_json_next(list, it))
        n += 1 + (is_list(gm_json_value(it)) ? gm_json_count(gm_json_value(it)) : 0);
    return n < MAX_MASKS ? n : MAX_MASKS;
}

enum gm_status gm_masks_read(struct gm_voc *out, struct gm_arena *a, const char *path,
                             struct gm_str id, struct gm_losses *lost, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *root = NULL;
    struct file f = {.arena = a};
    *out = (struct gm_voc){0};
    GM_TRY(gm_json_load(&root, path, MAX_FILE, err));
    const struct gm_json *list = is_list(root) ? root : first_of(root, LISTS);
    list = list ? list : root;
    if (!is_list(list) && !is_object(list)) {
        st = GM_FAIL(err, GM_EFORMAT, "%s: neither a list nor an object of masks", path);
        goto done;
    }
    if (is_object(root))
        read_size(&f, root);
    out->w = f.w;
    out->h = f.h;
    size_t n = count_of(list);
    out->objects = gm_arena_alloc(a, n, sizeof *out->objects);
    GM_TRY(out->objects ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for %zu masks", n));
    for (size_t i = 0; is_list(list) && i < gm_json_count(list) && st == GM_OK; i++)
        st = add_annotation(out, &f, gm_json_at(list, i), id, lost, err);
    if (is_object(list))
        st = add_named(out, &f, list, id, lost, err);
    if (st != GM_OK)
        gm_error_prefix(err, "%s", path);
done:
    gm_json_free(root);
    return st;
}
