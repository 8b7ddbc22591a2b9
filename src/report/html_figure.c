/* html_figure.c - see html_figure.h. */
#include "report/html_figure.h"

#include "base/alloc.h"
#include "base/base64.h"
#include "image/image.h"
#include "image/outline.h"
#include "report/html.h"
#include "report/marks.h"

#include <math.h>
#include <stdio.h>

/* The longest side in the page, and libjpeg's quality there: about 60 kB a picture. The style sheet
 * shows it FRAME_W wide and at most FRAME_H high, where a label takes LABEL_H. */
enum { SHOWN_PX = 640, QUALITY = 80, FRAME_W = 432, FRAME_H = 480, LABEL_H = 20 };

/* What one picture's parts share. */
struct figure {
    struct gm_buf *out;
    const struct gm_post *post;
    uint32_t w, h; /* the picture's pixels, the unit of boxes and masks */
    bool has_masks;
};

/* The beginning of <img>, up to within its attributes. */
static enum gm_status open_img(struct figure *f, uint32_t w, uint32_t h, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(f->out, err, "<img width=\"%u\" height=\"%u\" alt=\"", w, h));
    GM_TRY(gm_html_text(f->out, f->post->caption.n ? f->post->caption : GM_STR("the post's image"),
                        err));
done:
    return st;
}

static enum gm_status add_picture(struct figure *f, const struct gm_image *im, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *small = NULL;
    struct gm_buf jpeg;
    double scale = (double)SHOWN_PX / (im->w > im->h ? im->w : im->h);
    gm_buf_init(&jpeg, (size_t)16 << 20);
    if (scale < 1) {
        uint32_t w = (uint32_t)fmax(1, round(im->w * scale));
        uint32_t h = (uint32_t)fmax(1, round(im->h * scale));
        const float all[4] = {0, 0, (float)im->w, (float)im->h};
        GM_TRY(gm_image_resize(&small, im, all, w, h, err));
        im = small;
    }
    GM_TRY(gm_image_write_jpeg(im, QUALITY, &jpeg, err));
    GM_TRY(open_img(f, im->w, im->h, err));
    GM_TRY(gm_buf_add_c(f->out, "\" src=\"data:image/jpeg;base64,", err));
    GM_TRY(gm_base64_write(f->out, gm_buf_str(&jpeg), err));
    GM_TRY(gm_buf_add_c(f->out, "\">", err));
done:
    gm_buf_clear(&jpeg);
    gm_image_free(small);
    return st;
}

/* A mask as one path, its holes as loops of their own. A mask that can't be read is left out. */
static enum gm_status add_mask(struct figure *f, const struct gm_region *region,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_outline o;
    uint8_t *mask = NULL;
    gm_arena_init(&a, 0);
    float px = (float)(f->w > f->h ? f->w : f->h) / SHOWN_PX; /* a pixel of the page */
    px = px > 1 ? px : 1;
    if (!f->has_masks || region->mask.counts.n == 0)
        goto done;
    st = gm_region_mask(region, f->w, f->h, &mask, err);
    if (st == GM_OK)
        st = gm_mask_outline(&a, mask, f->h, f->w, 0.75f * px, (size_t)(16 * px * px), &o, err);
    if (st != GM_OK) {
        st = st == GM_EFORMAT ? GM_OK : st;
        goto done;
    }
    GM_TRY(gm_buf_add_c(f->out, "<path d=\"", err));
    for (size_t i = 0, k = 0; i < o.n_loops; i++) {
        for (char verb = 'M'; k < o.ends[i]; k++, verb = 'L')
            GM_TRY(gm_buf_printf(f->out, err, "%c%u %u", verb, o.points[k].x, o.points[k].y));
        GM_TRY(gm_buf_add_c(f->out, "Z", err));
    }
    GM_TRY(gm_buf_add_c(f->out, "\"/>", err));
done:
    gm_free(mask);
    gm_arena_clear(&a);
    return st;
}

/* The part of a box that is in the picture; false when there is none. */
static bool clip(const struct figure *f, const double box[GM_BOX_XYXY], double out[GM_BOX_XYXY])
{
    for (int i = 0; i < GM_BOX_XYXY; i++) {
        double most = i % 2 ? f->h : f->w;
        out[i] = box[i] > 0 ? fmin(box[i], most) : 0;
    }
    return out[2] > out[0] && out[3] > out[1];
}

static enum gm_status add_rect(struct figure *f, const double box[GM_BOX_XYXY],
                               struct gm_error *err)
{
    double b[GM_BOX_XYXY];
    if (!clip(f, box, b))
        return GM_OK;
    return gm_buf_printf(f->out, err,
                         "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", b[0], b[1],
                         b[2] - b[0], b[3] - b[1]);
}

static enum gm_status add_overlay(struct figure *f, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_post *p = f->post;
    GM_TRY(
        gm_buf_printf(f->out, err, "<svg viewBox=\"0 0 %u %u\" aria-hidden=\"true\">", f->w, f->h));
    for (size_t i = 0; i < p->n_objects; i++) {
        GM_TRY(gm_buf_add_c(f->out, "<g class=\"object\">", err));
        GM_TRY(add_rect(f, p->objects[i].box, err));
        GM_TRY(gm_buf_add_c(f->out, "</g>", err));
    }
    for (size_t i = 0; i < p->n_texts; i++) { /* shown and hidden with the objects */
        GM_TRY(gm_buf_add_c(f->out, "<g class=\"object\">", err));
        GM_TRY(add_rect(f, p->texts[i].box, err));
        GM_TRY(gm_buf_add_c(f->out, "</g>", err));
    }
    for (size_t i = 0; i < p->n_entities; i++)
        for (size_t k = 0; k < p->entities[i].n_regions; k++) {
            GM_TRY(gm_buf_printf(f->out, err, "<g class=\"region\" data-e=\"%zu\"", i));
            GM_TRY(gm_html_color(f->out, gm_palette_color(p->entities[i].type), err));
            GM_TRY(gm_buf_add_c(f->out, ">", err));
            GM_TRY(add_mask(f, &p->entities[i].regions[k], err));
            GM_TRY(add_rect(f, p->entities[i].regions[k].box, err));
            GM_TRY(gm_buf_add_c(f->out, "</g>", err));
        }
    GM_TRY(gm_buf_add_c(f->out, "</svg>", err));
done:
    return st;
}

/* Where labels stand, in pixels of the page, to keep them off each other. Their widths are guessed:
 * the fonts are the browser's. */
enum { MAX_PLACES = 64, LETTER_W = 7, MIN_LABEL_W = 56, MAX_STEPS = 8 };

struct places {
    struct {
        double x0, x1, y;
    } v[MAX_PLACES];
    size_t n;
};

/* How many lines a label must go down from (x, y) to be on no other. */
static unsigned steps_down(struct places *p, double x, double y, double wide)
{
    unsigned step = 0;
    for (size_t i = 0; i < p->n && step < MAX_STEPS; i++)
        if (x < p->v[i].x1 && p->v[i].x0 < x + wide && fabs(y - p->v[i].y) < LABEL_H - 2) {
            y = p->v[i].y + LABEL_H;
            step++;
            i = SIZE_MAX; /* from the start: others may be in the way now */
        }
    if (p->n < MAX_PLACES) {
        p->v[p->n].x0 = x;
        p->v[p->n].x1 = x + wide;
        p->v[p->n++].y = y;
    }
    return step;
}

/* A label at the upper left corner of its box and no wider: above it, or inside where it is at the
 * top. `open` begins the element, up to within its style. */
static enum gm_status add_label(struct figure *f, const char *open, struct gm_str text,
                                const double box[GM_BOX_XYXY], struct places *places,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double shown_h = fmin((double)FRAME_W * f->h / f->w, FRAME_H), px = shown_h / f->h;
    double box_w = (box[2] - box[0]) / f->w, y = box[1] * px;
    bool inside = y < LABEL_H;
    double wide = fmin(fmax(box_w * f->w * px, MIN_LABEL_W), (double)text.n * LETTER_W);
    unsigned step = steps_down(places, box[0] * px, inside ? y : y - LABEL_H, wide);
    GM_TRY(gm_buf_printf(
        f->out, err, "%s;left:min(%.2f%%,60%%);top:%.2f%%;--n:%u;--box:%.2f%%\"%s>", open,
        100 * box[0] / f->w, 100 * box[1] / f->h, step, 100 * box_w, inside ? " data-in" : ""));
    GM_TRY(gm_html_text(f->out, text, err));
    GM_TRY(gm_buf_add_c(f->out, "</span>", err));
done:
    return st;
}

static enum gm_status add_labels(struct figure *f, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    static const char open_seen[] = "<span class=\"label object\" style=\"--c:90,90,90";
    struct places names = {.n = 0}, seen = {.n = 0};
    const struct gm_post *p = f->post;
    double b[GM_BOX_XYXY];
    for (size_t i = 0; i < p->n_objects; i++)
        if (clip(f, p->objects[i].box, b))
            GM_TRY(add_label(f, open_seen, p->objects[i].label, b, &seen, err));
    for (size_t i = 0; i < p->n_texts; i++)
        if (clip(f, p->texts[i].box, b))
            GM_TRY(add_label(f, open_seen, p->texts[i].text, b, &seen, err));
    for (size_t i = 0; i < f->post->n_entities; i++) {
        const struct gm_entity *e = &f->post->entities[i];
        struct gm_color c = gm_palette_color(e->type);
        char open[96];
        snprintf(open, sizeof open, "<span class=\"label\" data-e=\"%zu\" style=\"--c:%d,%d,%d", i,
                 c.r, c.g, c.b);
        for (size_t k = 0; k < e->n_regions; k++)
            if (clip(f, e->regions[k].box, b))
                GM_TRY(add_label(f, open, e->text, b, &names, err));
    }
done:
    return st;
}

static enum gm_status add_missing(struct gm_buf *out, const char *why, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "<figure class=\"missing\"><p>The image can’t be shown.</p><p>", err));
    GM_TRY(gm_html_text(out, gm_str(why), err));
    GM_TRY(gm_buf_add_c(out, "</p></figure>\n", err));
done:
    return st;
}

/* The figure around its picture: `im` NULL = one that the page's reader has already. */
static enum gm_status add_figure(struct figure *f, const struct gm_image *im, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(f->out, err, "<figure><div class=\"frame\" style=\"--w:%u;--h:%u\">", f->w,
                         f->h));
    if (im) {
        GM_TRY(add_picture(f, im, err));
    } else {
        GM_TRY(open_img(f, f->w, f->h, err));
        GM_TRY(gm_buf_add_c(f->out, "\">", err));
    }
    GM_TRY(add_overlay(f, err));
    GM_TRY(add_labels(f, err));
    GM_TRY(gm_buf_add_c(f->out, "</div>", err));
    if (f->post->caption.n) {
        GM_TRY(gm_buf_add_c(f->out, "<figcaption dir=\"auto\">", err));
        GM_TRY(gm_html_text(f->out, f->post->caption, err));
        GM_TRY(gm_buf_add_c(f->out, "</figcaption>", err));
    }
    GM_TRY(gm_buf_add_c(f->out, "</figure>\n", err));
done:
    return st;
}

enum gm_status gm_html_figure(struct gm_buf *out, const struct gm_post *post,
                              const struct gm_html_shown *shown, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_image *im;
    struct gm_image *owned = NULL;
    struct gm_error why;
    uint32_t size[2];
    if (shown) {
        struct figure f = {out, post, shown->w, shown->h, false};
        return shown->w && shown->h ? add_figure(&f, NULL, err) : GM_OK;
    }
    st = gm_post_picture(post, &im, &owned, size, &why);
    if (st == GM_ENOMEM)
        return GM_FAIL(err, st, "%s", why.msg);
    if (st != GM_OK) /* a failed post says why itself */
        return add_missing(out, post->error.stage.n ? "" : why.msg, err);
    if (!im)
        return GM_OK;
    struct figure f = {out, post, size[0], size[1], true};
    GM_TRY(add_figure(&f, im, err));
done:
    gm_image_free(owned);
    return st;
}
