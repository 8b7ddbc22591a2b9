/* coords.h - boxes as multimodal models say them, turned into pixels of the original picture. */
#ifndef GM_STAGES_COORDS_H
#define GM_STAGES_COORDS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* What a model's numbers are fractions of. */
enum gm_coords {
    GM_COORDS_SENT,   /* "sent": pixels of the picture as it was sent */
    GM_COORDS_GRID28, /* "grid28": pixels of the picture as the model resizes it to sides that are
                        multiples of 28 (Qwen2.5-VL) */
    GM_COORDS_GRID32, /* "grid32": the same with 32 (the patches of Qwen3-VL) */
    GM_COORDS_1000,   /* "1000": 0..1000 on both axes (Qwen3-VL, Gemini, InternVL) */
    GM_COORDS_1,      /* "1": 0..1 on both axes */
    GM_N_COORDS
};

/* Which axis comes first in a list of four numbers. */
enum gm_order {
    GM_ORDER_XYXY, /* "xyxy" */
    GM_ORDER_YXYX, /* "yxyx": Gemini, PaliGemma */
    GM_N_ORDERS
};

/* gm_coords_parse, gm_order_parse - by the names above; false when it is none.
 * gm_coords_name, gm_order_name - those names. */
bool gm_coords_parse(struct gm_str name, enum gm_coords *out);
bool gm_order_parse(struct gm_str name, enum gm_order *out);
const char *gm_coords_name(enum gm_coords c);
const char *gm_order_name(enum gm_order o);

/* gm_coords_grid - what the sides of a picture are to be multiples of, so that a model of that frame
 * sees what is sent: 28, or 32. */
uint32_t gm_coords_grid(enum gm_coords c);

struct gm_frame {
    double w, h; /* the right and lower border in the model's numbers */
};

/* gm_coords_frame - the frame of a picture sent as w x h pixels. For the grids the model's own
 * resizing is repeated: both sides to the nearest multiple (halves to the even one), then, over
 * max_pixels or under the family's least number (3136 for 28, 65536 for 32), both scaled by one
 * factor and rounded down or up. Source: smart_resize of the published image processors of Qwen2-VL
 * and Qwen3-VL, and their preprocessor_config.json. */
struct gm_frame gm_coords_frame(enum gm_coords c, uint32_t w, uint32_t h, double max_pixels);

/* gm_coords_box - box (xmin, ymin, xmax, ymax in the model's numbers) scaled to the original of
 * full_w x full_h pixels and clipped to it. NULL, or the reason why it can't be one: "box_numbers"
 * (not finite), "box_outside" (over a tenth of the frame beyond it: another convention, or made
 * up), "box_empty" (turned around, or nothing left: under one pixel wide or high). */
const char *gm_coords_box(const double box[4], struct gm_frame frame, uint32_t full_w,
                          uint32_t full_h, double out[4]);

#endif
