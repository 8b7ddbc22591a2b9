/* labelstudio_regions.c - the rectangles and brushes of a task, and whose they are.
 *
 * A rectangle belongs to the entity that a relation ties it to; a brush to the rectangle that is its
 * parent, or to an entity as a rectangle does. What is tied to nothing becomes an object of the
 * image. */
#include "formats/brush_mask.h"
#include "formats/labelstudio_task.h"

#include "base/alloc.h"
#include "record/record_mask.h"

#include <math.h>
#include <string.h>

enum { MAX_BRUSH_BYTES = 64 << 20 };

static enum gm_status read_size(const struct gm_json *result, struct gm_post *p,
                                struct gm_error *err)
{
    long long w, h;
    if (!gm_json_int(gm_json_get(result, "original_width"), &w) ||
        !gm_json_int(gm_json_get(result, "original_height"), &h) || w < 1 || h < 1 ||
        w > INT32_MAX || h > INT32_MAX)
        return GM_FAIL(err, GM_EFORMAT,
                       "\"original_width\" and \"original_height\": expected the "
                       "picture's size in pixels");
    p->image_w = (uint32_t)w;
    p->image_h = (uint32_t)h;
    return GM_OK;
}

/* The box around a rectangle of `v` = x, y, width, height that is turned clockwise about x, y. */
static void turned_box(const double v[4], double degrees, double box[GM_BOX_XYXY])
{
    double c = cos(degrees * acos(-1.0) / 180), s = sin(degrees * acos(-1.0) / 180);
    if (fmod(degrees, 90) == 0) { /* exact, so that upright boxes stay whole numbers */
        c = round(c);
        s = round(s);
    }
    double wx = v[2] * c, wy = v[2] * s, hx = -v[3] * s, hy = v[3] * c;
    box[0] = v[0] + fmin(0, wx) + fmin(0, hx);
    box[1] = v[1] + fmin(0, wy) + fmin(0, hy);
    box[2] = v[0] + fmax(0, wx) + fmax(0, hx);
    box[3] = v[1] + fmax(0, wy) + fmax(0, hy);
}

/* A rectangle whose labels, if it has any, are value[kind]. */
enum gm_status gm_labelstudio_rectangle(struct gm_labelstudio_task *t, const struct gm_json *result,
                                        const char *kind, struct gm_error *err)
{
    static const char *const names[] = {"x", "y", "width", "height"};
    enum gm_status st = GM_OK;
    const struct gm_json *value = gm_json_get(result, "value");
    double v[4], turn = 0;
    GM_TRY(read_size(result, t->post, err));
    for (size_t i = 0; i < 4; i++) {
        if (!gm_json_num(gm_json_get(value, names[i]), &v[i]))
            return GM_FAIL(err, GM_EFORMAT, "\"%s\": expected a number of percent", names[i]);
        v[i] *= (i % 2 ? t->post->image_h : t->post->image_w) / 100.0;
    }
    if (gm_json_num(gm_json_get(value, "rotation"), &turn) && !(fabs(turn) <= 1e6))
        return GM_FAIL(err, GM_EFORMAT, "\"rotation\": expected a number of degrees");
    if (fmod(turn, 90) != 0)
        gm_losses_add(t->lost, "rotations of rectangles (now the box around each)", t->post->id);
    struct gm_labelstudio_region *l = &t->regions[t->n_regions++];
    *l = (struct gm_labelstudio_region){.id = gm_labelstudio_str(result, "id"),
                                        .entity = SIZE_MAX,
                                        .region = {.score = (float)gm_labelstudio_score(result),
                                                   .label = gm_labelstudio_label(t, value, kind)}};
    if (v[2] > 0 && v[3] > 0)
        turned_box(v, turn, l->region.box);
    else /* turning must not give it an area */
        memcpy(l->region.box, (double[]){v[0], v[1], v[0] + v[2], v[1] + v[3]},
               sizeof l->region.box);
    for (size_t i = 0; i < GM_BOX_XYXY; i++) {
        double *x = &l->region.box[i];
        if (!(fabs(*x) <= 1e9 + 1))
            return GM_FAIL(err, GM_EFORMAT, "a corner at over 1e9 pixels");
        *x = fmax(-1e9, fmin(1e9, *x)); /* percents are not exact */
    }
done:
    return st;
}

/* <Labels> on the picture: the label of the rectangle or brush of the same id, else one by itself. */
enum gm_status gm_labelstudio_region_label(struct gm_labelstudio_task *t,
                                           const struct gm_json *result, struct gm_error *err)
{
    struct gm_str id = gm_labelstudio_str(result, "id");
    const struct gm_json *value = gm_json_get(result, "value");
    for (size_t i = 0; i < t->n_regions && id.n; i++)
        if (gm_str_eq(t->regions[i].id, id)) {
            t->regions[i].region.label = gm_labelstudio_label(t, value, "labels");
            return GM_OK;
        }
    if (gm_json_get(value, "x"))
        return gm_labelstudio_rectangle(t, result, "labels", err);
    gm_losses_fault(t->lost, "labels of regions that are not there", t->post->id);
    return GM_OK;
}

static enum gm_status brush_bytes(const struct gm_json *rle, uint8_t **out, struct gm_error *err)
{
    size_t n = gm_json_count(rle);
    *out = NULL;
    if (gm_json_kind(rle) != GM_JSON_ARRAY || n > MAX_BRUSH_BYTES)
        return GM_FAIL(err, GM_EFORMAT, "\"rle\": expected an array of bytes");
    uint8_t *bytes = gm_alloc(n, 1);
    if (!bytes)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a brush mask");
    for (size_t i = 0; i < n; i++) {
        long long x;
        if (!gm_json_int(gm_json_at(rle, i), &x) || x < 0 || x > 255) {
            gm_free(bytes);
            return GM_FAIL(err, GM_EFORMAT, "\"rle\": number %zu is no byte", i + 1);
        }
        bytes[i] = (uint8_t)x;
    }
    *out = bytes;
    return GM_OK;
}

/* The rectangle that the brush is a child of, else a new region. */
static struct gm_labelstudio_region *home_of(struct gm_labelstudio_task *t,
                                             const struct gm_json *result)
{
    struct gm_str parent = gm_labelstudio_str(result, "parentID");
    for (size_t i = 0; i < t->n_regions && parent.n; i++)
        if (gm_str_eq(t->regions[i].id, parent))
            return &t->regions[i];
    struct gm_labelstudio_region *l = &t->regions[t->n_regions++];
    *l = (struct gm_labelstudio_region){.id = gm_labelstudio_str(result, "id"),
                                        .entity = SIZE_MAX,
                                        .region = {.score = (float)gm_labelstudio_score(result)}};
    return l;
}

enum gm_status gm_labelstudio_brush(struct gm_labelstudio_task *t, const struct gm_json *result,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *value = gm_json_get(result, "value");
    const struct gm_json *rle = gm_json_get(value, "rle");
    uint8_t *bytes = NULL, *mask = NULL;
    GM_TRY(read_size(result, t->post, err));
    uint32_t w = t->post->image_w, h = t->post->image_h;
    GM_TRY(gm_mask_check_size(h, w, err));
    GM_TRY(brush_bytes(rle, &bytes, err));
    mask = gm_alloc((size_t)h * w, 1);
    if (!mask) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a mask of %u x %u pixels", w, h);
        goto done;
    }
    GM_TRY(gm_brush_mask_decode(bytes, gm_json_count(rle), h, w, mask, err));
    size_t n_before = t->n_regions;
    struct gm_labelstudio_region *l = home_of(t, result);
    if (t->n_regions > n_before)
        l->region.label = gm_labelstudio_label(t, value, "brushlabels");
    GM_TRY(
        gm_region_set_mask(&l->region, &t->post->arena, mask, h, w, t->n_regions == n_before, err));
done:
    gm_free(bytes);
    gm_free(mask);
    return st;
}

static size_t entity_of(const struct gm_labelstudio_task *t, struct gm_str id)
{
    for (size_t i = 0; i < t->post->n_entities && id.n; i++)
        if (gm_str_eq(t->ids[i], id))
            return i;
    return SIZE_MAX;
}

/* A relation between a label and a region, either way round. */
void gm_labelstudio_relation(struct gm_labelstudio_task *t, const struct gm_json *result)
{
    struct gm_str from = gm_labelstudio_str(result, "from_id"),
                  to = gm_labelstudio_str(result, "to_id");
    size_t e = entity_of(t, from);
    struct gm_str other = to;
    if (e == SIZE_MAX) {
        e = entity_of(t, to);
        other = from;
    }
    for (size_t i = 0; i < t->n_regions && e != SIZE_MAX; i++)
        if (gm_str_eq(t->regions[i].id, other)) {
            t->regions[i].entity = e;
            return;
        }
    gm_losses_add(t->lost, "relations that tie no label to a region", t->post->id);
}

/* Regions to their entities, the rest to the objects. */
enum gm_status gm_labelstudio_settle(struct gm_labelstudio_task *t, struct gm_error *err)
{
    struct gm_post *p = t->post;
    for (size_t i = 0; i < t->n_regions; i++)
        if (t->regions[i].entity != SIZE_MAX)
            p->entities[t->regions[i].entity].n_regions++;
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entity *e = &p->entities[i];
        e->regions = gm_arena_alloc(&p->arena, e->n_regions, sizeof *e->regions);
        if (!e->regions)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        e->n_regions = 0;
    }
    p->objects = gm_arena_alloc(&p->arena, t->n_regions, sizeof *p->objects);
    if (!p->objects)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < t->n_regions; i++) {
        const struct gm_labelstudio_region *l = &t->regions[i];
        if (l->entity != SIZE_MAX) {
            struct gm_entity *e = &p->entities[l->entity];
            e->regions[e->n_regions] = l->region;
            e->regions[e->n_regions++].label = GM_STR(""); /* it repeats the entity's type */
            continue;
        }
        struct gm_object *o = &p->objects[p->n_objects++];
        o->label = l->region.label;
        o->score = l->region.score;
        memcpy(o->box, l->region.box, sizeof o->box);
        if (l->region.mask.counts.n)
            gm_losses_add(t->lost, "brushes tied to no label (kept as boxes of objects)", p->id);
    }
    p->has_objects = p->n_objects > 0;
    return GM_OK;
}
