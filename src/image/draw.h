/* draw.h - boxes and masks drawn into a picture; what reaches outside is cut off. Text is label.h's.
 * Safe from any thread on distinct pictures. */
#ifndef GM_IMAGE_DRAW_H
#define GM_IMAGE_DRAW_H

#include "image/image.h"
#include "image/palette.h"

/* gm_draw_box - the frame of the box [x0,y0,x1,y1) in pixels, `thick_px` wide to the inside, with a
 * thin light edge around it that keeps it visible on any ground. */
void gm_draw_box(struct gm_image *im, const double box[4], struct gm_color color,
                 uint32_t thick_px);

/* gm_draw_tint - tint the pixels [x0,x1) x [y0,y1) with `opacity` (0..1). gm_draw_rect - fill them. */
void gm_draw_tint(struct gm_image *im, int x0, int y0, int x1, int y1, struct gm_color color,
                  float opacity);
void gm_draw_rect(struct gm_image *im, int x0, int y0, int x1, int y1, struct gm_color color);

/* gm_draw_mask - tint the pixels of a mask [im->h][im->w] (0 = outside) with `opacity` (0..1) and
 * draw its contour `thick_px` wide. */
void gm_draw_mask(struct gm_image *im, const uint8_t *mask, struct gm_color color, float opacity,
                  uint32_t thick_px);

/* gm_draw_clip - a coordinate as a whole number in [0, most]; NaN becomes 0. */
int gm_draw_clip(double v, uint32_t most);

#endif
