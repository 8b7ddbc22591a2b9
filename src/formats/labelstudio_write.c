/* labelstudio_write.c - posts as Label Studio tasks, entities and regions as pre-annotations
 * (predictions) of one task: labels on the text, rectangles and brushes on the image, and relations
 * that tie them. docs/formats.md has the labelling configuration that shows them. */
#include "formats/brush_mask.h"
#include "formats/labelstudio.h"
#include "record/image_path.h"
#include "record/record_mask.h"

#include "base/alloc.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>

struct task_out {
    struct gm_out *out;
    struct gm_losses *lost;
    const char *dir;
    struct gm_writer_opts opts;
    struct gm_buf text, brush_mask;
    size_t n_tasks, n_results;
    uint32_t w, h; /* of the post's picture; 0 = not known */
};

void gm_labelstudio_abort(void *state)
{
    struct task_out *o = state;
    if (!o)
        return;
    gm_out_abort(o->out);
    gm_buf_clear(&o->text);
    gm_buf_clear(&o->brush_mask);
    gm_free(o);
}

enum gm_status gm_labelstudio_create(void **state, const struct gm_target *to, struct gm_error *err)
{
    struct task_out *o = gm_alloc(1, sizeof *o);
    *state = o;
    if (!o)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    o->lost = to->lost;
    o->dir = to->dir;
    o->opts = to->opts;
    gm_buf_init(&o->text, (size_t)1 << 30);
    gm_buf_init(&o->brush_mask, (size_t)1 << 28);
    enum gm_status st = gm_out_open(&o->out, to->path, err);
    if (st != GM_OK) {
        gm_labelstudio_abort(o);
        *state = NULL;
    }
    return st;
}

/* "key": "value", with the comma before it. */
static enum gm_status put_str(struct gm_buf *b, const char *key, struct gm_str s,
                              struct gm_error *err)
{
    enum gm_status st = gm_buf_printf(b, err, ", \"%s\": ", key);
    return st == GM_OK ? gm_json_write_str(s, b, err) : st;
}

/* Begin one result: its id, names and type. `to` is "text" or "image". */
static enum gm_status begin(struct task_out *o, const char *id, const char *name, const char *to,
                            const char *type, double score, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(&o->text, err,
                         "%s{\"id\": \"%s\", \"from_name\": \"%s\", \"to_name\": "
                         "\"%s\", \"type\": \"%s\"",
                         o->n_results++ ? ", " : "", id, name, to, type));
    if (score < 1)
        GM_TRY(gm_buf_printf(&o->text, err, ", \"score\": %.6g", score));
    if (strcmp(to, "image") == 0)
        GM_TRY(gm_buf_printf(&o->text, err,
                             ", \"original_width\": %u, \"original_height\": %u, "
                             "\"image_rotation\": 0",
                             o->w, o->h));
done:
    return st;
}

static enum gm_status put_meta(struct gm_buf *b, const struct gm_entity *e, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (!e->fine_type.n && !e->expression.n && e->visible < 0)
        return GM_OK;
    GM_TRY(gm_buf_add_c(b, ", \"meta\": {\"text\": []", err));
    if (e->fine_type.n)
        GM_TRY(put_str(b, "fine_type", e->fine_type, err));
    if (e->expression.n)
        GM_TRY(put_str(b, "expression", e->expression, err));
    if (e->visible >= 0)
        GM_TRY(gm_buf_printf(b, err, ", \"visible\": %.6g", e->visible));
    GM_TRY(gm_buf_add_c(b, "}", err));
done:
    return st;
}

static enum gm_status put_entity(struct task_out *o, const struct gm_entity *e, const char *id,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf *b = &o->text;
    GM_TRY(begin(o, id, "label", "text", "labels", e->score, err));
    GM_TRY(put_meta(b, e, err));
    GM_TRY(gm_buf_printf(b, err, ", \"value\": {\"start\": %zu, \"end\": %zu", e->start, e->end));
    GM_TRY(put_str(b, "text", e->text, err));
    GM_TRY(gm_buf_add_c(b, ", \"labels\": [", err));
    GM_TRY(gm_json_write_str(e->type, b, err));
    GM_TRY(gm_buf_add_c(b, "]}}", err));
done:
    return st;
}

static enum gm_status put_rectangle(struct task_out *o, const double box[GM_BOX_XYXY], double score,
                                    struct gm_str label, const char *id, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf *b = &o->text;
    double w = 100.0 / o->w, h = 100.0 / o->h;
    GM_TRY(begin(o, id, "box", "image", "rectanglelabels", score, err));
    GM_TRY(gm_buf_printf(b, err,
                         ", \"value\": {\"x\": %.10g, \"y\": %.10g, \"width\": %.10g, "
                         "\"height\": %.10g, \"rotation\": 0, \"rectanglelabels\": [",
                         box[0] * w, box[1] * h, (box[2] - box[0]) * w, (box[3] - box[1]) * h));
    GM_TRY(gm_json_write_str(label, b, err));
    GM_TRY(gm_buf_add_c(b, "]}}", err));
done:
    return st;
}

static enum gm_status put_brush(struct task_out *o, const struct gm_region *r, struct gm_str label,
                                const char *parent, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf *b = &o->text;
    char id[80];
    uint8_t *mask = NULL;
    snprintf(id, sizeof id, "%sm", parent);
    gm_buf_reset(&o->brush_mask);
    GM_TRY(gm_mask_pixels(&r->mask, &mask, err));
    GM_TRY(gm_brush_mask_encode(mask, r->mask.h, r->mask.w, &o->brush_mask, err));
    GM_TRY(begin(o, id, "brush", "image", "brushlabels", 1, err));
    GM_TRY(gm_buf_printf(b, err,
                         ", \"parentID\": \"%s\", \"value\": {\"format\": \"rle\", "
                         "\"rle\": [",
                         parent));
    for (size_t i = 0; i < o->brush_mask.n; i++) {
        char number[8];
        int n =
            snprintf(number, sizeof number, i ? ",%u" : "%u", (unsigned char)o->brush_mask.p[i]);
        GM_TRY(gm_buf_add(b, number, (size_t)n, err));
    }
    GM_TRY(gm_buf_add_c(b, "], \"brushlabels\": [", err));
    GM_TRY(gm_json_write_str(label, b, err));
    GM_TRY(gm_buf_add_c(b, "]}}", err));
done:
    gm_free(mask);
    return st;
}

static enum gm_status put_regions(struct task_out *o, const struct gm_post *p,
                                  const struct gm_entity *e, const char *of, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < e->n_regions; i++) {
        const struct gm_region *r = &e->regions[i];
        char id[64];
        if (!o->w) {
            gm_losses_add(o->lost, "boxes in pictures whose size nothing tells", p->id);
            continue;
        }
        snprintf(id, sizeof id, "%sr%zu", of, i);
        GM_TRY(put_rectangle(o, r->box, (double)r->score, e->type, id, err));
        bool fits = r->mask.w == o->w && r->mask.h == o->h;
        if (r->mask.counts.n && fits)
            GM_TRY(put_brush(o, r, e->type, id, err));
        else if (r->mask.counts.n)
            gm_losses_add(o->lost, "masks of another size than the picture's", p->id);
        GM_TRY(gm_buf_printf(&o->text, err,
                             ", {\"type\": \"relation\", \"from_id\": \"%s\", "
                             "\"to_id\": \"%s\", \"direction\": \"right\", \"labels\": []}",
                             of, id));
    }
done:
    return st;
}

static enum gm_status put_results(struct task_out *o, const struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char id[32];
    o->n_results = 0;
    for (size_t i = 0; i < p->n_entities; i++) {
        snprintf(id, sizeof id, "e%zu", i);
        GM_TRY(put_entity(o, &p->entities[i], id, err));
        GM_TRY(put_regions(o, p, &p->entities[i], id, err));
    }
    for (size_t i = 0; i < p->n_objects; i++) {
        snprintf(id, sizeof id, "o%zu", i);
        if (o->w)
            GM_TRY(put_rectangle(o, p->objects[i].box, (double)p->objects[i].score,
                                 p->objects[i].label, id, err));
        else
            gm_losses_add(o->lost, "boxes in pictures whose size nothing tells", p->id);
    }
done:
    return st;
}

/* The part of a path below `dir`; empty when it is not there. */
static struct gm_str below(struct gm_str path, const char *dir)
{
    struct gm_str d = gm_str(dir);
    while (d.n > 1 && d.p[d.n - 1] == '/')
        d.n--;
    bool in = d.n && gm_str_starts(path, d) && path.n > d.n + 1 && path.p[d.n] == '/';
    return in ? gm_str_sub(path, d.n + 1, path.n) : GM_STR("");
}

/* The path as it is below the prefix, in an address: `given` is right from the current folder, `placed`
 * from the output's. */
static enum gm_status put_address(struct gm_buf *b, const struct gm_writer_opts *opts,
                                  struct gm_str given, struct gm_str placed, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf address;
    gm_buf_init(&address, (size_t)1 << 20);
    struct gm_str path = below(given, opts->images_dir);
    if (!path.n)
        path = placed.p[0] == '/' || gm_str_starts(placed, GM_STR("../")) ? gm_image_name(placed)
                                                                          : placed;
    GM_TRY(gm_buf_add_c(&address, opts->image_prefix, err));
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
                     (c && strchr("-._~/", c));
        GM_TRY(gm_buf_printf(&address, err, plain ? "%c" : "%%%02X", c));
    }
    GM_TRY(gm_buf_add_c(b, ", \"image\": ", err));
    GM_TRY(gm_json_write_str(gm_buf_str(&address), b, err));
done:
    gm_buf_clear(&address);
    return st;
}

enum gm_status gm_labelstudio_add(void *state, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct task_out *o = state;
    struct gm_buf *b = &o->text;
    gm_buf_reset(b);
    GM_TRY(gm_post_image_size(p, err));
    o->w = p->image_w;
    o->h = p->image_h;
    struct gm_str given = p->image;
    GM_TRY(gm_post_place_image(p, o->dir, err));
    GM_TRY(
        gm_buf_add_c(b, o->n_tasks++ ? ",\n{\"data\": {\"id\": " : "[\n{\"data\": {\"id\": ", err));
    GM_TRY(gm_json_write_str(p->id, b, err));
    GM_TRY(put_str(b, "text", p->text, err));
    if (p->image.n && o->opts.image_prefix && !gm_image_is_address(p->image))
        GM_TRY(put_address(b, &o->opts, given, p->image, err));
    else if (p->image.n)
        GM_TRY(put_str(b, "image", p->image, err));
    if (p->caption.n)
        GM_TRY(put_str(b, "caption", p->caption, err));
    if (p->caption_short.n)
        GM_TRY(put_str(b, "caption_short", p->caption_short, err));
    GM_TRY(gm_buf_add_c(b, "}", err));
    if (p->has_entities || p->n_objects) {
        GM_TRY(gm_buf_add_c(b, ", \"predictions\": [{\"model_version\": \"gmner\", \"result\": [",
                            err));
        GM_TRY(put_results(o, p, err));
        GM_TRY(gm_buf_add_c(b, "]}]", err));
    }
    GM_TRY(gm_buf_add_c(b, "}", err));
    GM_TRY(gm_out_write(o->out, gm_buf_str(b), err));
done:
    return st;
}

enum gm_status gm_labelstudio_commit(void *state, struct gm_error *err)
{
    struct task_out *o = state;
    enum gm_status st = gm_out_write(o->out, o->n_tasks ? GM_STR("\n]\n") : GM_STR("[]\n"), err);
    if (st == GM_OK) {
        st = gm_out_commit(o->out, err);
        o->out = NULL;
    }
    gm_labelstudio_abort(o);
    return st;
}
