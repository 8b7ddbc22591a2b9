/* image.h - pictures in memory: decoding, orientation, resizing, encoding.
 * Functions are safe from any thread on distinct objects. */
#ifndef GM_IMAGE_IMAGE_H
#define GM_IMAGE_IMAGE_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

/* 8-bit RGB, rows top to bottom without padding. */
struct gm_image {
    uint32_t w, h;  /* pixels */
    uint8_t *rgb;   /* [h][w][3], owned */
};

/* Limits that a header is checked against before anything is allocated. */
enum { GM_IMAGE_MAX_SIDE = 30000, GM_IMAGE_MAX_PIXELS = 100 * 1000 * 1000 };

/* gm_image_load - decode a JPEG, PNG or WebP file by its content (not its name) and turn it upright
 * by its EXIF orientation; alpha is blended on white, grey and CMYK become RGB.
 * *out is yours (gm_image_free). Errors: IO (missing, directory), FORMAT (empty, not a picture,
 * truncated, over the limits), NOMEM; messages start with the path. */
enum gm_status gm_image_load(struct gm_image **out, const char *path,
                             struct gm_error *err) GM_NODISCARD;

/* gm_image_decode - the same from the bytes of a file. */
enum gm_status gm_image_decode(struct gm_image **out, struct gm_str bytes,
                               struct gm_error *err) GM_NODISCARD;

/* gm_image_new - w x h black pixels. Errors: ARG (0 or over the limits), NOMEM. */
enum gm_status gm_image_new(struct gm_image **out, uint32_t w, uint32_t h,
                            struct gm_error *err) GM_NODISCARD;
void gm_image_free(struct gm_image *im); /* NULL-safe */

/* gm_image_orient - turn the stored picture upright: `orientation` is EXIF's 1..8 (TIFF 6.0 tag
 * 0x0112), anything else leaves it as it is. Widths and heights swap for 5..8. Errors: NOMEM. */
enum gm_status gm_image_orient(struct gm_image *im, int orientation,
                               struct gm_error *err) GM_NODISCARD;

/* gm_image_resize - antialiased bilinear (triangle filter widened by the scale, as Pillow's
 * BILINEAR) of the box [x0,x1) x [y0,y1) of `src`, in pixels, to w x h. *out is yours.
 * A box that reaches outside is clipped to the picture. Errors: ARG (empty box), NOMEM. */
enum gm_status gm_image_resize(struct gm_image **out, const struct gm_image *src,
                               const float box[4], uint32_t w, uint32_t h,
                               struct gm_error *err) GM_NODISCARD;

/* gm_plane_resize - the same filter on one channel of floats: all of src [src_h][src_w] to
 * dst [h][w], which the caller gives. Errors: ARG (a side of 0), NOMEM. */
enum gm_status gm_plane_resize(const float *src, uint32_t src_w, uint32_t src_h, float *dst,
                               uint32_t w, uint32_t h, struct gm_error *err) GM_NODISCARD;

/* gm_image_write_png, gm_image_write_jpeg - append the encoded picture; quality is 1..100.
 * Errors: ARG, NOMEM (over the buffer's maximum too). */
enum gm_status gm_image_write_png(const struct gm_image *im, struct gm_buf *out,
                                  struct gm_error *err) GM_NODISCARD;
enum gm_status gm_image_write_jpeg(const struct gm_image *im, int quality, struct gm_buf *out,
                                   struct gm_error *err) GM_NODISCARD;

#endif
