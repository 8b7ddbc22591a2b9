/* coords_probe.c - for each reading r (frame, order of the axes) of the answers to n questions, whose shapes
 * have the boxes t_i, and with B_i(r) the boxes that answer i says when it is read so:
 *
 *   fit(r) = 1/n sum over i of max { IoU(b, t_i) : b in B_i(r) }, 0 where there is none
 *
 * The shapes are drawn so that no reading but the right one can fit well. IoU: image/overlap.c. Tests:
 * tests/unit/test_stages_probe.c. */
#include "stages/coords_probe.h"

#include "image/draw.h"
#include "image/overlap.h"
#include "stages/said.h"

#include <math.h>

static const struct picture {
    uint32_t w, h;
    struct gm_probe_shape shapes[GM_PROBE_SHAPES];
    struct gm_color colors[GM_PROBE_SHAPES];
} pictures[GM_PROBE_PICTURES] = {
    /* No shape lies where another one, or itself with x and y exchanged, could be meant. The first
     * of each picture is a circle, the second a rectangle. */
    {900,
     500,
     {{"red circle", "a red circle and a blue square", {570, 50, 750, 230}},
      {"blue square", "a red circle and a blue square", {90, 270, 290, 470}}},
     {{220, 30, 30}, {30, 60, 220}}},
    {500,
     900,
     {{"green circle", "a green circle and an orange rectangle", {40, 560, 260, 780}},
      {"orange rectangle", "a green circle and an orange rectangle", {250, 60, 440, 340}}},
     {{20, 140, 40}, {245, 140, 20}}},
    {640,
     640,
     {{"purple circle", "a purple circle and a black rectangle", {400, 70, 590, 260}},
      {"black rectangle", "a purple circle and a black rectangle", {60, 330, 260, 580}}},
     {{130, 40, 160}, {10, 10, 10}}},
};

const struct gm_probe_shape *gm_probe_shape(size_t picture, size_t shape)
{
    return &pictures[picture].shapes[shape];
}

static void draw_circle(struct gm_image *im, const double box[4], struct gm_color color)
{
    double r = (box[2] - box[0]) / 2, x = box[0] + r, y = box[1] + r;
    for (int row = (int)box[1]; row < (int)box[3]; row++) {
        double up = row + 0.5 - y, half = sqrt(fmax(0, r * r - up * up));
        gm_draw_rect(im, (int)round(x - half), row, (int)round(x + half), row + 1, color);
    }
}

enum gm_status gm_probe_picture(struct gm_image **out, size_t picture, struct gm_error *err)
{
    const struct picture *p = &pictures[picture];
    const double *box = p->shapes[1].box;
    enum gm_status st = gm_image_new(out, p->w, p->h, err);
    if (st != GM_OK)
        return st;
    gm_draw_rect(*out, 0, 0, (int)p->w, (int)p->h, (struct gm_color){235, 235, 230});
    draw_circle(*out, p->shapes[0].box, p->colors[0]);
    gm_draw_rect(*out, (int)box[0], (int)box[1], (int)box[2], (int)box[3], p->colors[1]);
    return GM_OK;
}

/* The overlap of the box that fits best; 0 where none can be one. */
static double best_overlap(const struct gm_json *boxes, struct gm_frame f,
                           const struct gm_picture *sent, const double truth[4])
{
    double best = 0;
    for (size_t i = 0; i < gm_json_count(boxes); i++) {
        double said[4] = {0}, box[4];
        for (size_t k = 0; k < 4; k++)
            (void)gm_json_num(gm_json_at(gm_json_at(boxes, i), k), &said[k]);
        if (!gm_coords_box(said, f, sent->full_w, sent->full_h, box))
            best = fmax(best, gm_box_iou(box, truth));
    }
    return best;
}

enum gm_status gm_probe_add(struct gm_probe *p, struct gm_str answer, const double box[4],
                            const struct gm_picture *sent, double max_pixels, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool is_read = false;
    for (enum gm_order o = 0; o < GM_N_ORDERS; o++) {
        struct gm_json *said = NULL;
        st = o == GM_ORDER_YXYX ? gm_said_boxes_yx(&said, answer, err)
                                : gm_said_boxes(&said, answer, err);
        if (st == GM_ENOMEM)
            return st;
        const struct gm_json *boxes = gm_json_get(said, "boxes");
        for (enum gm_coords c = 0; c < GM_N_COORDS; c++) {
            struct gm_frame f = gm_coords_frame(c, sent->w, sent->h, max_pixels);
            p->iou[c][o] += best_overlap(boxes, f, sent, box);
        }
        is_read = is_read || gm_json_count(boxes) > 0;
        gm_json_free(said);
    }
    p->n++;
    p->n_read += is_read;
    return GM_OK;
}

static double mean(const struct gm_probe *p, enum gm_coords c, enum gm_order o)
{
    return p->n ? p->iou[c][o] / (double)p->n : 0;
}

double gm_probe_best(const struct gm_probe *p, enum gm_order order, enum gm_coords *coords,
                     enum gm_order *best)
{
    double most = -1;
    for (enum gm_coords c = 0; c < GM_N_COORDS; c++)
        for (enum gm_order o = 0; o < GM_N_ORDERS; o++)
            if ((order == GM_N_ORDERS || o == order) && mean(p, c, o) > most) {
                most = mean(p, c, o);
                *coords = c;
                *best = o;
            }
    return most;
}

enum gm_status gm_probe_table(const struct gm_probe *p, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (enum gm_coords c = 0; c < GM_N_COORDS; c++)
        for (enum gm_order o = 0; o < GM_N_ORDERS; o++)
            GM_TRY(gm_buf_printf(out, err, "%s%s %s %.2f", c || o ? ", " : "", gm_coords_name(c),
                                 gm_order_name(o), mean(p, c, o)));
done:
    return st;
}
