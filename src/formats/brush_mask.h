/* brush_mask.h - Label Studio's brush masks: a bit-packed run-length encoding of RGBA bytes, rows first,
 * which has nothing to do with COCO's. All functions are safe from any thread.
 *
 * A stream of bits, high ones first: 32 bits the number of values (h*w*4), 5 bits the bits of a value
 * less one, four times 4 bits the widths of a length less one. Then until all values are there: 1 bit
 * (1 = one value repeated, 0 = values one by one), 2 bits which width, the length less one in that
 * width, and the value or the values. A pixel is inside when its alpha, the fourth value, is not 0.
 * Source: label_studio_converter.brush and @thi.ng/rle-pack, whose formats' descriptions are public. */
#ifndef GM_FORMATS_BRUSH_MASK_H
#define GM_FORMATS_BRUSH_MASK_H

#include "base/buf.h"
#include "base/status.h"

#include <stdint.h>

/* gm_brush_mask_encode - append the bytes of a mask [h][w] (0 = outside, which becomes four zeros; inside
 * becomes four times 255). Errors: ARG (no pixels, h*w*4 over 2^32 - 1), NOMEM. */
enum gm_status gm_brush_mask_encode(const uint8_t *mask, uint32_t h, uint32_t w, struct gm_buf *out,
                                    struct gm_error *err) GM_NODISCARD;

/* gm_brush_mask_decode - the reverse into mask [h][w] (0 or 1), which the caller gives. Any widths of
 * values and lengths are read. Errors: FORMAT (another number of values, bits that end early). */
enum gm_status gm_brush_mask_decode(const uint8_t *bytes, size_t n, uint32_t h, uint32_t w,
                                    uint8_t *mask, struct gm_error *err) GM_NODISCARD;

#endif
