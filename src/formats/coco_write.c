/* coco_write.c - posts as COCO JSON: an image each, an annotation for each region, the entity types as
 * categories. Annotations go to a temporary file until the images are done, so that memory does not
 * grow. The fields named "gmner", which COCO's tools pass over, hold texts and places of entities. */
#include "formats/coco.h"
#include "image/mask.h"
#include "image/outline.h"
#include "record/image_path.h"
#include "record/labels.h"
#include "record/record_mask.h"
#include "record/regions.h"

#include "base/alloc.h"
#include "base/file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CATEGORIES = 65535 };

struct coco_out {
    struct gm_out *out;
    FILE *annotations;
    struct gm_losses *lost;
    const char *dir;
    enum gm_mask_form masks;
    struct gm_labels categories;
    struct gm_buf text;
    size_t n_images, n_annotations;
};

void gm_coco_abort(void *state)
{
    struct coco_out *o = state;
    if (!o)
        return;
    gm_out_abort(o->out);
    if (o->annotations)
        fclose(o->annotations);
    gm_labels_clear(&o->categories);
    gm_buf_clear(&o->text);
    gm_free(o);
}

enum gm_status gm_coco_create(void **state, const struct gm_target *to, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct coco_out *o = gm_alloc(1, sizeof *o);
    *state = NULL;
    if (!o)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    o->lost = to->lost;
    o->dir = to->dir;
    o->masks = to->opts.masks;
    gm_labels_init(&o->categories, MAX_CATEGORIES);
    gm_buf_init(&o->text, (size_t)1 << 30);
    o->annotations = tmpfile();
    if (!o->annotations) {
        st = GM_FAIL(err, GM_EIO, "cannot make a temporary file: %s", strerror(errno));
        goto done;
    }
    GM_TRY(gm_out_open(&o->out, to->path, err));
    GM_TRY(gm_out_write(o->out, GM_STR("{\"images\": ["), err));
    *state = o;
    o = NULL;
done:
    gm_coco_abort(o);
    return st;
}

static enum gm_status put_runs(struct coco_out *o, struct gm_post *p, const struct gm_rle *m,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint64_t *runs;
    size_t n;
    GM_TRY(gm_rle_to_runs(&p->arena, m->counts, m->h, m->w, &runs, &n, err));
    for (size_t i = 0; i < n; i++)
        GM_TRY(gm_buf_printf(&o->text, err, i ? ", %llu" : "[%llu", (unsigned long long)runs[i]));
    GM_TRY(gm_buf_add_c(&o->text, "]", err));
done:
    return st;
}

/* What polygons give when they are drawn again must be the mask; holes, for one, are lost. */
static enum gm_status check_polygons(struct coco_out *o, const struct gm_post *p,
                                     const struct gm_outline *out, const uint8_t *mask, uint32_t h,
                                     uint32_t w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint8_t *drawn = gm_alloc((size_t)h * w, 1);
    double *xy = gm_alloc(2 * out->n_points, sizeof *xy);
    if (!drawn || !xy) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a mask");
        goto done;
    }
    for (size_t i = 0; i < out->n_points; i++) {
        xy[2 * i] = out->points[i].x;
        xy[2 * i + 1] = out->points[i].y;
    }
    for (size_t i = 0, from = 0; i < out->n_loops; from = out->ends[i++])
        GM_TRY(gm_mask_polygon(drawn, h, w, xy + 2 * from, out->ends[i] - from, err));
    size_t n = (size_t)h * w, differ = 0;
    for (size_t i = 0; i < n; i++)
        differ += (drawn[i] != 0) != (mask[i] != 0);
    if (differ)
        gm_losses_add(o->lost, "pixels of masks that polygons can't hold (holes)", p->id);
done:
    gm_free(drawn);
    gm_free(xy);
    return st;
}

static enum gm_status put_polygons(struct coco_out *o, struct gm_post *p, const struct gm_rle *m,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint8_t *mask = NULL;
    struct gm_outline out;
    GM_TRY(gm_mask_pixels(m, &mask, err));
    GM_TRY(gm_mask_outline(&p->arena, mask, m->h, m->w, 0, 0, &out, err));
    GM_TRY(check_polygons(o, p, &out, mask, m->h, m->w, err));
    GM_TRY(gm_buf_add_c(&o->text, "[", err));
    for (size_t i = 0, k = 0; i < out.n_loops; i++) {
        GM_TRY(gm_buf_add_c(&o->text, i ? ", [" : "[", err));
        for (bool first = true; k < out.ends[i]; k++, first = false)
            GM_TRY(gm_buf_printf(&o->text, err, first ? "%u, %u" : ", %u, %u", out.points[k].x,
                                 out.points[k].y));
        GM_TRY(gm_buf_add_c(&o->text, "]", err));
    }
    GM_TRY(gm_buf_add_c(&o->text, "]", err));
done:
    gm_free(mask);
    return st;
}

/* In hundredths, as is written. */
static double rounded(double x) { return rint(100 * x) / 100; }

/* Width (0) or height (1) between the corners as they are written, so that adding it to the first gives
 * the second. */
static double side(const struct gm_region *r, int axis)
{
    return rounded(r->box[2 + axis]) - rounded(r->box[axis]);
}

static enum gm_status put_segmentation(struct coco_out *o, struct gm_post *p,
                                       const struct gm_region *r, double *area,
                                       struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_rle *m = &r->mask;
    uint64_t *runs;
    size_t n;
    *area = side(r, 0) * side(r, 1);
    if (m->counts.n == 0)
        return gm_buf_add_c(&o->text, "[]", err);
    GM_TRY(gm_mask_check_size(m->h, m->w, err));
    GM_TRY(gm_rle_to_runs(&p->arena, m->counts, m->h, m->w, &runs, &n, err));
    *area = 0;
    for (size_t i = 1; i < n; i += 2)
        *area += (double)runs[i];
    if (o->masks == GM_MASKS_POLYGONS)
        return put_polygons(o, p, m, err);
    GM_TRY(gm_buf_printf(&o->text, err, "{\"size\": [%u, %u], \"counts\": ", m->h, m->w));
    GM_TRY(o->masks == GM_MASKS_COUNTS ? put_runs(o, p, m, err)
                                       : gm_json_write_str(m->counts, &o->text, err));
    GM_TRY(gm_buf_add_c(&o->text, "}", err));
done:
    return st;
}

static enum gm_status put_annotation(struct coco_out *o, struct gm_post *p, size_t entity,
                                     const struct gm_region *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_entity *e = &p->entities[entity];
    struct gm_buf *b = &o->text;
    uint32_t category;
    double area;
    gm_buf_reset(b);
    GM_TRY(gm_labels_add(&o->categories, e->type, &category, err));
    GM_TRY(gm_buf_printf(
        b, err, "%s{\"id\": %zu, \"image_id\": %zu, \"category_id\": %u, \"bbox\": [",
        o->n_annotations ? ",\n" : "\n", o->n_annotations + 1, o->n_images, category + 1));
    GM_TRY(gm_box_write((double[]){rounded(r->box[0]), rounded(r->box[1]), side(r, 0), side(r, 1)},
                        b, err));
    GM_TRY(gm_buf_add_c(b, "], \"segmentation\": ", err));
    GM_TRY(put_segmentation(o, p, r, &area, err));
    GM_TRY(gm_buf_add_c(b, ", \"area\": ", err));
    GM_TRY(gm_buf_add_number(b, area, 2 * GM_BOX_DECIMALS, err));
    GM_TRY(gm_buf_printf(b, err, ", \"iscrowd\": %d", (int)r->is_crowd));
    if (r->score < 1)
        GM_TRY(gm_buf_printf(b, err, ", \"score\": %.6g", (double)r->score));
    GM_TRY(gm_buf_printf(b, err,
                         ", \"gmner\": {\"entity\": %zu, \"start\": %zu, \"end\": %zu, "
                         "\"text\": ",
                         entity, e->start, e->end));
    GM_TRY(gm_json_write_str(e->text, b, err));
    GM_TRY(gm_buf_add_c(b, "}}", err));
    o->n_annotations++;
    if (fwrite(b->p, 1, b->n, o->annotations) != b->n)
        st = GM_FAIL(err, GM_EIO, "cannot write a temporary file: %s", strerror(errno));
done:
    return st;
}

static enum gm_status put_image(struct coco_out *o, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf *b = &o->text;
    struct gm_str file = p->image;
    if (file.n == 0)
        file = gm_arena_printf(&p->arena, "%.*s.jpg", GM_STR_ARG(p->id));
    if (!file.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_buf_reset(b);
    GM_TRY(gm_buf_printf(b, err, "%s{\"id\": %zu, \"file_name\": ", o->n_images ? ",\n" : "\n",
                         o->n_images + 1));
    GM_TRY(gm_json_write_str(file, b, err));
    if (p->image_w)
        GM_TRY(gm_buf_printf(b, err, ", \"width\": %u, \"height\": %u", p->image_w, p->image_h));
    else
        gm_losses_add(o->lost, "picture sizes that nothing tells (left out)", p->id);
    GM_TRY(gm_buf_add_c(b, ", \"gmner\": {\"id\": ", err));
    GM_TRY(gm_json_write_str(p->id, b, err));
    if (!p->names_only) {
        GM_TRY(gm_buf_add_c(b, ", \"text\": ", err));
        GM_TRY(gm_json_write_str(p->text, b, err));
    }
    GM_TRY(gm_buf_add_c(b, "}}", err));
    GM_TRY(gm_out_write(o->out, gm_buf_str(b), err));
    o->n_images++;
done:
    return st;
}

enum gm_status gm_coco_add(void *state, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct coco_out *o = state;
    GM_TRY(gm_post_image_size(p, err));
    GM_TRY(gm_post_place_image(p, o->dir, err));
    GM_TRY(put_image(o, p, err));
    for (size_t i = 0; i < p->n_entities; i++)
        for (size_t k = 0; k < p->entities[i].n_regions; k++)
            GM_TRY(put_annotation(o, p, i, &p->entities[i].regions[k], err));
done:
    return st;
}

static enum gm_status copy_annotations(struct coco_out *o, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char chunk[1 << 14];
    rewind(o->annotations);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, o->annotations)) > 0;)
        GM_TRY(gm_out_write(o->out, (struct gm_str){chunk, n}, err));
    if (ferror(o->annotations))
        st = GM_FAIL(err, GM_EIO, "cannot read a temporary file: %s", strerror(errno));
done:
    return st;
}

static enum gm_status put_rest(struct coco_out *o, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf *b = &o->text;
    GM_TRY(gm_out_write(o->out, GM_STR("\n],\n\"annotations\": ["), err));
    GM_TRY(copy_annotations(o, err));
    gm_buf_reset(b);
    GM_TRY(gm_buf_add_c(b, "\n],\n\"categories\": [", err));
    for (uint32_t i = 0; i < o->categories.n; i++) {
        GM_TRY(gm_buf_printf(b, err, "%s{\"id\": %u, \"name\": ", i ? ",\n" : "\n", i + 1));
        GM_TRY(gm_json_write_str(gm_labels_at(&o->categories, i), b, err));
        GM_TRY(gm_buf_add_c(b, "}", err));
    }
    GM_TRY(gm_buf_add_c(b, "\n]}\n", err));
    GM_TRY(gm_out_write(o->out, gm_buf_str(b), err));
done:
    return st;
}

enum gm_status gm_coco_commit(void *state, struct gm_error *err)
{
    struct coco_out *o = state;
    enum gm_status st = put_rest(o, err);
    if (st == GM_OK) {
        st = gm_out_commit(o->out, err);
        o->out = NULL;
    }
    gm_coco_abort(o);
    return st;
}
