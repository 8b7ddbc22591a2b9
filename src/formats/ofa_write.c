/* ofa_write.c - posts as rows for OFA; ofa.c has the columns and the maths of the locations. */
#include "base/base64.h"
#include "formats/ofa.h"
#include "formats/row_number.h"
#include "formats/text_out.h"
#include "image/image.h"
#include "record/image_path.h"
#include "record/regions.h"

#include <math.h>
#include <string.h>

enum { N_BINS = 1000 };
static const size_t max_picture_bytes = (size_t)512 << 20;

struct ofa_out {
    struct gm_text_out base;
    struct gm_buf file, picture; /* of the post: its picture's bytes, its column */
    size_t n_entities;           /* so far */
    bool has_boxes;
    bool has_rows; /* of the post in hand */
};

enum gm_status gm_ofa_create(void **state, const struct gm_target *to, struct gm_error *err)
{
    enum gm_status st = gm_text_out_new(state, sizeof(struct ofa_out), to, err);
    struct ofa_out *o = *state;
    if (st != GM_OK)
        return st;
    o->has_boxes = to->opts.format == GM_FORMAT_OFA_VG;
    gm_buf_init(&o->file, max_picture_bytes);
    gm_buf_init(&o->picture, max_picture_bytes * 2);
    return GM_OK;
}

static void clear_pictures(struct ofa_out *o)
{
    if (!o)
        return;
    gm_buf_clear(&o->file);
    gm_buf_clear(&o->picture);
}

enum gm_status gm_ofa_commit(void *state, struct gm_error *err)
{
    clear_pictures(state);
    return gm_text_out_commit(state, err);
}

void gm_ofa_abort(void *state)
{
    clear_pictures(state);
    gm_text_out_abort(state);
}

/* Text in a column: what would end it becomes a space, in names and types the mark behind a type, and in types
 * the one before it '_'. */
enum field { PLAIN, NAME, TYPE };

static enum gm_status put(struct ofa_out *o, enum field field, struct gm_str s, struct gm_str id,
                          struct gm_error *err)
{
    size_t from = o->base.text.n;
    bool is_broken = false, is_marked = false;
    enum gm_status st = gm_buf_add_str(&o->base.text, s, err);
    for (size_t i = 0; i < s.n && st == GM_OK; i++) {
        char *c = &o->base.text.p[from + i];
        bool ends = *c == '\t' || *c == '\n' || *c == '\r';
        bool mark = *c == 0 || (field == TYPE && *c == '(') ||
                    (field != PLAIN && gm_str_starts(gm_str_sub(s, i, s.n), GM_STR(")-")));
        *c = mark ? '_' : ends ? ' ' : *c;
        is_broken = is_broken || ends;
        is_marked = is_marked || mark;
    }
    if (is_broken)
        gm_losses_add(o->base.to.lost, "tabs and line ends inside a column (now spaces)", id);
    if (is_marked)
        gm_losses_add(o->base.to.lost, "marks of the format inside a column (now _)", id);
    return st;
}

/* "ID.jpg#N", "ID" and the tab behind. */
static enum gm_status put_ids(struct ofa_out *o, struct gm_str id, size_t box, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(put(o, PLAIN, id.n ? id : GM_STR("_"), id, err));
    GM_TRY(gm_row_number_write(&o->base.text, o->n_entities, box, err));
    GM_TRY(gm_buf_add_c(&o->base.text, "\t", err));
    GM_TRY(put(o, PLAIN, id.n ? id : GM_STR("_"), id, err));
    GM_TRY(gm_buf_add_c(&o->base.text, "\t", err));
done:
    return st;
}

/* "Entity(TYPE)-expression" */
static enum gm_status put_entity(struct ofa_out *o, const struct gm_post *p,
                                 const struct gm_entity *e, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(put(o, NAME, e->text, p->id, err));
    GM_TRY(gm_buf_add_c(&o->base.text, "(", err));
    GM_TRY(put(o, TYPE, e->type, p->id, err));
    GM_TRY(gm_buf_add_c(&o->base.text, e->expression.n ? ")-" : ")", err));
    GM_TRY(put(o, PLAIN, e->expression, p->id, err));
    if (e->expression.n == 0)
        gm_losses_add(o->base.to.lost, "expressions of entities that have none (the name alone)",
                      p->id);
done:
    return st;
}

static enum gm_status put_row_ve(struct ofa_out *o, const struct gm_post *p,
                                 const struct gm_entity *e, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool is_in = e->n_regions > 0 || e->visible >= GM_VISIBLE_MIN;
    GM_TRY(put_ids(o, p->id, 0, err));
    GM_TRY(gm_buf_add_str(&o->base.text, gm_buf_str(&o->picture), err));
    GM_TRY(gm_buf_add_c(&o->base.text, "\t", err));
    GM_TRY(put_entity(o, p, e, err));
    GM_TRY(gm_buf_add_c(&o->base.text, "\t", err));
    GM_TRY(put(o, PLAIN, gm_post_short_caption(p), p->id, err));
    GM_TRY(gm_buf_add_c(&o->base.text, is_in ? "\tentailment\n" : "\tcontradiction\n", err));
done:
    return st;
}

/* The box cut at the picture's edges; false: nothing is left. */
static bool cut_box(const struct gm_post *p, const double box[GM_BOX_XYXY], double out[GM_BOX_XYXY],
                    struct gm_losses *lost)
{
    bool is_cut = false;
    for (size_t i = 0; i < GM_BOX_XYXY; i++) {
        out[i] = fmin(fmax(box[i], 0), i % 2 ? p->image_h : p->image_w);
        is_cut = is_cut || out[i] != box[i];
    }
    bool has_area = gm_box_has_area(out);
    if (is_cut)
        gm_losses_add(lost,
                      has_area ? "parts of boxes outside of the picture (cut off)"
                               : "boxes outside of the picture (left out)",
                      p->id);
    return has_area;
}

static enum gm_status put_row_vg(struct ofa_out *o, const struct gm_post *p,
                                 const struct gm_entity *e, size_t k, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf *b = &o->base.text;
    double box[GM_BOX_XYXY];
    if (!cut_box(p, e->regions[k].box, box, o->base.to.lost))
        return GM_OK;
    GM_TRY(put_ids(o, p->id, k, err));
    GM_TRY(put_entity(o, p, e, err));
    for (size_t i = 0; i < GM_BOX_XYXY; i++) {
        GM_TRY(gm_buf_add_c(b, i ? "," : "\t", err));
        GM_TRY(gm_buf_add_number(b, box[i], GM_BOX_DECIMALS, err));
    }
    GM_TRY(gm_buf_add_c(b, "\t", err));
    GM_TRY(gm_buf_add_str(b, gm_buf_str(&o->picture), err));
    for (size_t i = 0; i < GM_BOX_XYXY; i++)
        GM_TRY(gm_buf_printf(b, err, "%s<bin_%.0f>", i ? " " : "\t",
                             rint(box[i] / (i % 2 ? p->image_h : p->image_w) * (N_BINS - 1))));
    GM_TRY(gm_buf_add_c(b, "\n", err));
done:
    return st;
}

/* The column of the post's picture and its size; an empty column: it has none that can be read. */
static enum gm_status take_picture(struct ofa_out *o, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str path = gm_arena_str(&p->arena, p->image);
    uint32_t size[2];
    gm_buf_reset(&o->picture);
    gm_buf_reset(&o->file);
    GM_TRY(path.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (path.n == 0)
        return GM_OK;
    if (o->base.to.opts.picture_paths) {
        GM_TRY(gm_post_image_size(p, err));
        GM_TRY(gm_post_place_image(p, o->base.to.dir, err));
        bool is_column = !memchr(p->image.p, '\t', p->image.n) && p->image_w;
        return is_column ? gm_buf_add_str(&o->picture, p->image, err) : GM_OK;
    }
    st = gm_image_export(&o->file, path.p, size, err);
    if (st == GM_EFORMAT || st == GM_EIO)
        return GM_OK;
    GM_TRY(st);
    p->image_w = size[0];
    p->image_h = size[1];
    st = gm_base64_write(&o->picture, gm_buf_str(&o->file), err);
done:
    return st;
}

static enum gm_status put_rows(struct ofa_out *o, struct gm_post *p, const struct gm_entity *e,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    gm_buf_reset(&o->base.text);
    if (!o->has_boxes)
        GM_TRY(put_row_ve(o, p, e, err));
    for (size_t k = 0; k < e->n_regions && o->has_boxes; k++)
        GM_TRY(put_row_vg(o, p, e, k, err));
    o->n_entities++;
    if (o->base.text.n && !o->has_rows)
        GM_TRY(gm_text_out_begin(&o->base, p->id, err));
    o->has_rows = o->has_rows || o->base.text.n;
    st = gm_out_write(o->base.out, gm_buf_str(&o->base.text), err);
done:
    return st;
}

enum gm_status gm_ofa_add(void *state, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct ofa_out *o = state;
    if (p->n_entities == 0) {
        gm_losses_add(o->base.to.lost, "posts without entities", p->id);
        return GM_OK;
    }
    o->has_rows = false;
    GM_TRY(take_picture(o, p, err));
    for (size_t i = 0; i < p->n_entities; i++)
        if (o->picture.n)
            GM_TRY(put_rows(o, p, &p->entities[i], err));
        else
            gm_losses_add(o->base.to.lost, "entities of posts without a picture that can be read",
                          p->id);
done:
    return st;
}
