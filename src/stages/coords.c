/* coords.c - a box in a model's numbers (x, y) of a frame F_w x F_h, in pixels of the W x H original:
 *
 *   X = x W / F_w,   Y = y H / F_h, clipped to [0, W] x [0, H]
 *
 * where the frame of a picture that is sent as w x h pixels is w x h, 1000 x 1000, 1 x 1, or with a grid of
 * g = 28 or 32, r(a) = g round(a / g):
 *
 *   r(w) x r(h)                                      between min and max pixels
 *   g floor(w / (s g)) x g floor(h / (s g)),         s = sqrt(w h / max), where that is over max pixels
 *   g ceil(w s / g) x g ceil(h s / g),               s = sqrt(min / (w h)), where it is under min pixels
 *
 * Source: coords.h. Reference: sizes worked out by hand from the published source, tests/unit/test_stages_coords.c. */
#include "stages/coords.h"

#include <math.h>

static const char *const coords_names[GM_N_COORDS] = {"sent", "grid28", "grid32", "1000", "1"};
static const char *const order_names[GM_N_ORDERS] = {"xyxy", "yxyx"};

/* The place of `name` among n names; n when it is none of them. */
static int place(struct gm_str name, const char *const *names, int n)
{
    int i = 0;
    while (i < n && !gm_str_eq_c(name, names[i]))
        i++;
    return i;
}

bool gm_coords_parse(struct gm_str name, enum gm_coords *out)
{
    int i = place(name, coords_names, GM_N_COORDS);
    if (i < GM_N_COORDS)
        *out = (enum gm_coords)i;
    return i < GM_N_COORDS;
}

bool gm_order_parse(struct gm_str name, enum gm_order *out)
{
    int i = place(name, order_names, GM_N_ORDERS);
    if (i < GM_N_ORDERS)
        *out = (enum gm_order)i;
    return i < GM_N_ORDERS;
}

const char *gm_coords_name(enum gm_coords c) { return coords_names[c]; }

const char *gm_order_name(enum gm_order o) { return order_names[o]; }

uint32_t gm_coords_grid(enum gm_coords c) { return c == GM_COORDS_GRID32 ? 32 : 28; }

static struct gm_frame resized(double grid, double w, double h, double min_pixels,
                               double max_pixels)
{
    struct gm_frame f = {fmax(grid, nearbyint(w / grid) * grid),
                         fmax(grid, nearbyint(h / grid) * grid)};
    if (f.w * f.h > max_pixels) {
        double shrink = sqrt(w * h / max_pixels);
        f.w = fmax(grid, floor(w / shrink / grid) * grid);
        f.h = fmax(grid, floor(h / shrink / grid) * grid);
    } else if (f.w * f.h < min_pixels) {
        double grow = sqrt(min_pixels / (w * h));
        f.w = ceil(w * grow / grid) * grid;
        f.h = ceil(h * grow / grid) * grid;
    }
    return f;
}

struct gm_frame gm_coords_frame(enum gm_coords c, uint32_t w, uint32_t h, double max_pixels)
{
    switch (c) {
    case GM_COORDS_GRID28: return resized(28, w, h, 4 * 28 * 28, max_pixels);
    case GM_COORDS_GRID32: return resized(32, w, h, 256 * 256, max_pixels);
    case GM_COORDS_1000: return (struct gm_frame){1000, 1000};
    case GM_COORDS_1: return (struct gm_frame){1, 1};
    case GM_COORDS_SENT:
    case GM_N_COORDS: break;
    }
    return (struct gm_frame){w, h};
}

static double clip(double x, double max) { return x < 0 ? 0 : x > max ? max : x; }

const char *gm_coords_box(const double box[4], struct gm_frame frame, uint32_t full_w,
                          uint32_t full_h, double out[4])
{
    double full[4];
    for (int i = 0; i < 4; i++) {
        double side = i % 2 ? frame.h : frame.w;
        if (!isfinite(box[i]))
            return "box_numbers";
        if (box[i] < -0.1 * side || box[i] > 1.1 * side)
            return "box_outside";
        double target = i % 2 ? full_h : full_w;
        full[i] = clip(box[i] / side * target, target);
    }
    if (!(full[2] - full[0] >= 1) || !(full[3] - full[1] >= 1))
        return "box_empty";
    for (int i = 0; i < 4; i++)
        out[i] = full[i];
    return NULL;
}
