/* image.h - pictures in memory: decoding, orientation, resizing, encoding.
 * Functions are safe from any thread on distinct objects. */
#ifndef GM_IMAGE_IMAGE_H
#define GM_IMAGE_IMAGE_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 8-bit RGB, rows top to bottom without padding. */
struct gm_image {
    uint32_t w, h; /* pixels */
    uint8_t *rgb;  /* [h][w][3], owned */
};

/* Limits that a header is checked against before anything is allocated; that on all pixels is a
 * default. */
enum { GM_IMAGE_MAX_SIDE = 65535, GM_IMAGE_MAX_PIXELS = 100 * 1000 * 1000 };

/* gm_image_max_pixels_set - the limit on all pixels of a picture or mask for the whole process; 0 =
 * GM_IMAGE_MAX_PIXELS. Called once, before pictures are read. That of a host (base/host.h) counts before it. */
void gm_image_max_pixels_set(uint64_t n);
uint64_t gm_image_max_pixels(void);

/* gm_heif_is_there - whether HEIC and AVIF can be read: libheif is looked for at run time. */
bool gm_heif_is_there(void);

/* gm_image_load - decode a JPEG, PNG, WebP, GIF, BMP or TIFF file (or data: URI), or HEIC and AVIF where libheif is
 * there, by its content (not its name) and turn it upright by its EXIF orientation; of several
 * pictures the first; alpha is blended on white, grey and CMYK become RGB.
 * *out is yours (gm_image_free). Errors: IO (missing, an address such as https://, or no
 * regular file: a pipe is never waited for), FORMAT (empty, not a picture, truncated, over the limits), NOMEM; messages start with the
 * path. */
enum gm_status gm_image_load(struct gm_image **out, const char *path,
                             struct gm_error *err) GM_NODISCARD;

/* gm_image_load_small - the same for a caller who needs no more than `side_min` pixels a side: a
 * JPEG of at least twice that is decoded at 1/2, 1/4 or 1/8 of its size, which leaves out most of
 * the work; both sides stay at least side_min. 0 = all pixels.
 *   size [2] out  width and height of the whole upright picture */
enum gm_status gm_image_load_small(struct gm_image **out, const char *path, uint32_t side_min,
                                   uint32_t size[2], struct gm_error *err) GM_NODISCARD;

/* gm_image_decode - as gm_image_load from the bytes of a file. */
enum gm_status gm_image_decode(struct gm_image **out, struct gm_str bytes,
                               struct gm_error *err) GM_NODISCARD;

/* gm_image_export - append to `file` the picture at `path` as programs see it that know nothing of EXIF: its own
 * bytes where it is an upright JPEG, PNG, WebP, GIF or BMP, else a JPEG of it, upright.
 *   size [2] out  width and height of the upright picture
 * Errors: as gm_image_load. */
enum gm_status gm_image_export(struct gm_buf *file, const char *path, uint32_t size[2],
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

/* gm_image_resize_cubic - the same by the bicubic filter, as Pillow's BICUBIC. */
enum gm_status gm_image_resize_cubic(struct gm_image **out, const struct gm_image *src,
                                     const float box[4], uint32_t w, uint32_t h,
                                     struct gm_error *err) GM_NODISCARD;

/* gm_image_resize_bytes - gm_image_resize, rounded where Pillow rounds: the same bytes where that takes
 * rows first, as it always did before version 13, which takes columns first for some sizes: then within
 * one level. Slower. */
enum gm_status gm_image_resize_bytes(struct gm_image **out, const struct gm_image *src,
                                     const float box[4], uint32_t w, uint32_t h,
                                     struct gm_error *err) GM_NODISCARD;

/* One plane of a model's input: a channel (red 0, green 1, blue 2), 0 to 255, x scale + shift. */
struct gm_plane {
    size_t channel;
    float scale, shift;
};

/* gm_image_resize_planes - the whole of `src` to w x h by the same filter, as a model wants it:
 * out [3][h][w], plane by plane as planes[] says, from values that were not rounded to bytes.
 * Errors: ARG (a side of 0), NOMEM. */
enum gm_status gm_image_resize_planes(float *out, const struct gm_image *src, uint32_t w,
                                      uint32_t h, const struct gm_plane planes[3],
                                      struct gm_error *err) GM_NODISCARD;

/* gm_image_square_planes - `src` in the upper left of a black square of its longer side, blurred by a
 * Gaussian where the square shrinks, and read linearly at side x side places: scikit-image's resize with
 * anti_aliasing, as OWLv2's processor does it.
 *   out [3][side][side], plane by plane as planes[] says, from values that were not rounded
 * Errors: ARG (a side of 0), NOMEM. */
enum gm_status gm_image_square_planes(float *out, const struct gm_image *src, uint32_t side,
                                      const struct gm_plane planes[3],
                                      struct gm_error *err) GM_NODISCARD;

/* gm_image_write_png, gm_image_write_jpeg - append the encoded picture; quality is 1..100.
 * Errors: ARG, NOMEM (over the buffer's maximum too). */
enum gm_status gm_image_write_png(const struct gm_image *im, struct gm_buf *out,
                                  struct gm_error *err) GM_NODISCARD;
enum gm_status gm_image_write_jpeg(const struct gm_image *im, int quality, struct gm_buf *out,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_mask_write_png - append a mask [h][w] (0 = outside) as a grey PNG of 0 and 255. Errors: as those. */
enum gm_status gm_mask_write_png(const uint8_t *mask, uint32_t h, uint32_t w, struct gm_buf *out,
                                 struct gm_error *err) GM_NODISCARD;

#endif
