/* numbered.h - boxes drawn into a picture with a number each, so that a model can say which of them it means.
 * Source: set-of-mark prompting (Yang et al., arXiv 2310.11441). */
#ifndef GM_IMAGE_NUMBERED_H
#define GM_IMAGE_NUMBERED_H

#include "image/image.h"

enum { GM_MARKS_MAX = 20 };

/* gm_draw_numbered - the frames of n boxes [n][4] in pixels of `im`, numbered from 1 on in their order. Each has a
 * colour, and its number on a ground of that colour at the first of its corners (from the inside), its
 * middle, and the place above it where no other number is; frames and letters go by the picture's size. n is
 * at most GM_MARKS_MAX. Errors: NOMEM, IO (no font is installed). Threads: yes, on distinct pictures. */
enum gm_status gm_draw_numbered(struct gm_image *im, const double (*boxes)[4], size_t n,
                                struct gm_error *err) GM_NODISCARD;

#endif
