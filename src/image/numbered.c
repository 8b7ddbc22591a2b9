#include "image/numbered.h"

#include "image/draw.h"
#include "image/label.h"
#include "image/overlap.h"

#include <math.h>
#include <stdio.h>

/* The size of frames and letters. */
struct pen {
    struct gm_font *font;
    uint32_t size_px, thick_px;
};

static double bounded(double x, double least, double most) { return fmin(most, fmax(least, x)); }

static enum gm_status open_pen(struct pen *pen, const struct gm_image *im, struct gm_error *err)
{
    double side = im->w < im->h ? im->w : im->h;
    pen->size_px = (uint32_t)bounded(side / 26, 13, 36);
    pen->thick_px = (uint32_t)bounded(side / 250, 2, 4);
    return gm_font_open(&pen->font, pen->size_px, true, err);
}

/* About as large as gm_draw_label makes a number of so many digits: a bold digit is 0.7 of the size wide. */
static void label_size(const struct pen *pen, size_t number, double out[2])
{
    out[0] = pen->size_px * (0.7 * (number > 9 ? 2 : 1) + 0.4);
    out[1] = gm_draw_label_height(pen->font);
}

enum { PLACES = 6 };

/* Where the number could stand, best first: its upper left corner. */
static void find_places(const double box[4], const double size[2], double thick,
                        double at[PLACES][2])
{
    double left = box[0] + thick, right = box[2] - thick - size[0];
    double top = box[1] + thick, bottom = box[3] - thick - size[1];
    const double places[PLACES][2] = {
        {left, top},
        {right, top},
        {left, bottom},
        {right, bottom},
        {(box[0] + box[2] - size[0]) / 2, (box[1] + box[3] - size[1]) / 2},
        {box[0], box[1] - size[1]},
    };
    for (size_t i = 0; i < PLACES; i++) {
        at[i][0] = places[i][0];
        at[i][1] = places[i][1];
    }
}

/* Move a label into the picture, as gm_draw_label does. */
static void place(const struct gm_image *im, const double at[2], const double size[2],
                  double label[4])
{
    label[0] = bounded(at[0], 0, fmax(0, im->w - size[0]));
    label[1] = bounded(at[1], 0, fmax(0, im->h - size[1]));
    label[2] = label[0] + size[0];
    label[3] = label[1] + size[1];
}

/* The first place that covers least of the earlier numbers. */
static void choose_place(const struct gm_image *im, const struct pen *pen, const double box[4],
                         double (*labels)[4], size_t n)
{
    double size[2], at[PLACES][2], least = (double)INFINITY;
    label_size(pen, n + 1, size);
    find_places(box, size, pen->thick_px, at);
    for (size_t i = 0; i < PLACES && least > 0; i++) {
        double label[4], covered = 0;
        place(im, at[i], size, label);
        for (size_t k = 0; k < n; k++)
            covered += gm_box_cover(label, labels[k]);
        if (covered >= least)
            continue;
        least = covered;
        for (size_t k = 0; k < 4; k++)
            labels[n][k] = label[k];
    }
}

enum gm_status gm_draw_numbered(struct gm_image *im, const double (*boxes)[4], size_t n,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct pen pen = {NULL, 0, 0};
    double labels[GM_MARKS_MAX][4];
    GM_TRY(open_pen(&pen, im, err));
    for (size_t i = 0; i < n; i++)
        gm_draw_box(im, boxes[i], gm_palette_nth(i), pen.thick_px);
    for (size_t i = 0; i < n; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i + 1);
        choose_place(im, &pen, boxes[i], labels, i);
        GM_TRY(gm_draw_label(im, pen.font, (float)labels[i][0], (float)labels[i][3], gm_str(number),
                             gm_palette_nth(i), err));
    }
done:
    gm_font_free(pen.font);
    return st;
}
