/* image_internal.h - what the decoders of the formats share; each *.c of a format is the only user
 * of its library. */
#ifndef GM_IMAGE_IMAGE_INTERNAL_H
#define GM_IMAGE_IMAGE_INTERNAL_H

#include "image/image.h"

#include <stdbool.h>

/* A decoder turns a whole file's bytes into a picture as stored, and tells its EXIF orientation
 * (1 = upright). *out is the caller's on success; *orientation is always set.
 * Errors: FORMAT ("truncated ...", "damaged ...", over the limits), NOMEM.
 * JPEG alone: side_min as in gm_image_load_small, size = width and height stored in the file. */
enum gm_status gm_jpeg_decode(struct gm_image **out, struct gm_str bytes, uint32_t side_min,
                              uint32_t size[2], int *orientation,
                              struct gm_error *err) GM_NODISCARD;
enum gm_status gm_png_decode(struct gm_image **out, struct gm_str bytes, int *orientation,
                             struct gm_error *err) GM_NODISCARD;
enum gm_status gm_webp_decode(struct gm_image **out, struct gm_str bytes, int *orientation,
                              struct gm_error *err) GM_NODISCARD;
enum gm_status gm_gif_decode(struct gm_image **out, struct gm_str bytes, int *orientation,
                             struct gm_error *err) GM_NODISCARD;
enum gm_status gm_bmp_decode(struct gm_image **out, struct gm_str bytes, int *orientation,
                             struct gm_error *err) GM_NODISCARD;
enum gm_status gm_tiff_decode(struct gm_image **out, struct gm_str bytes, int *orientation,
                              struct gm_error *err) GM_NODISCARD;
/* HEIC and AVIF; a FORMAT error that says what to install where libheif can't be loaded. */
enum gm_status gm_heif_decode(struct gm_image **out, struct gm_str bytes, int *orientation,
                              struct gm_error *err) GM_NODISCARD;

/* gm_image_check_size - FORMAT error when a header's size is 0 or over the limits. */
enum gm_status gm_image_check_size(uint64_t w, uint64_t h, struct gm_error *err) GM_NODISCARD;

/* gm_image_blend - fill `im` from RGBA pixels [h][w][4] laid on white. */
void gm_image_blend(struct gm_image *im, const uint8_t *rgba);

/* gm_exif_orientation - the orientation of an EXIF block (with or without its "Exif\0\0" head);
 * 1 when it has none, is broken, or holds nonsense. */
int gm_exif_orientation(struct gm_str exif);

#endif
