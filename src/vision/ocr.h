/* ocr.h - reads the text in pictures with PP-OCR's three models: a detector of lines, a recogniser of
 * their characters (18,708 of many scripts, Latin and Chinese above all), and a classifier of lines that
 * stand on their head. What it does follows RapidOCR 3.10.0, so that it finds the same lines and reads
 * the same in them. */
#ifndef GM_VISION_OCR_H
#define GM_VISION_OCR_H

#include "base/arena.h"
#include "base/status.h"
#include "image/image.h"
#include "vision/textmap.h"

#include <stdbool.h>
#include <stddef.h>

struct gm_ocr_opts {
    struct gm_textmap_opts map;
    size_t
        side; /* a picture whose shorter side is smaller is enlarged to it before lines are looked
                      for; 0 = as it is. RapidOCR's is 736: it finds a few smaller lines, at twice the
                      cost */
    size_t pixels; /* a picture of more is reduced to it */
    size_t glance; /* first a look at the picture with its shorter side reduced to this: where that
                      shows no text the picture is done; 0 = none */
    size_t lines;  /* only so many lines are read, the highest ones; 0 = all */
    bool
        tight; /* each line is read at its own width. RapidOCR follows short ones by grey, and makes
                         neighbours in width as wide as the widest: a little surer, at twice the cost */
    double score_min; /* lines that are less sure are dropped; 0..1 */
    double
        upright_min; /* of lines that are less sure than this the classifier is asked whether they stand on their
                           head. RapidOCR asks it of all (1), and is misled by it more often than helped */
    bool bf16_find,
        bf16_read; /* the detector, the recogniser: compute in bf16 where the CPU multiplies it */
};

struct gm_ocr_opts gm_ocr_opts_default(void);

/* Where a reader's three models are. */
struct gm_ocr_files {
    const char *detector, *recogniser, *classifier;
};

/* The most boxes of one picture. */
enum { GM_OCR_BOXES_MAX = 1000 };

struct gm_text_line {
    struct gm_str text; /* UTF-8, not blank, without spaces at its ends */
    float score;        /* 0..1: mean probability of its characters */
    struct gm_quad quad;
};

struct gm_ocr;

/* gm_ocr_load - opens the detector alone: most pictures have no text. opts NULL = default.
 * *out is yours. Errors: MODEL, NOMEM. */
enum gm_status gm_ocr_load(struct gm_ocr **out, const struct gm_ocr_files *files,
                           const struct gm_ocr_opts *opts, struct gm_error *err) GM_NODISCARD;
void gm_ocr_free(struct gm_ocr *r); /* NULL-safe */

/* gm_ocr_lanes - how many pictures may be looked at at once (vision/vision_session.h). */
size_t gm_ocr_lanes(const struct gm_ocr *r);

/* gm_ocr_find - where lines are. As soon as a picture seems to have some, a thread of its own opens the
 * recogniser, unless the caller's budget is one thread.
 *   lane  in [0, gm_ocr_lanes)
 *   out [max] out, boxes in pixels of `im`, in reading order;  *n  how many
 * Errors: NOMEM, MODEL, SHAPE. Threads: one at a time for a lane. Memory: that of opts.pixels, however
 * large the picture is. */
enum gm_status gm_ocr_find(struct gm_ocr *r, size_t lane, const struct gm_image *im,
                           struct gm_text_box *out, size_t max, size_t *n,
                           struct gm_error *err) GM_NODISCARD;

/* gm_ocr_prepare - the recogniser is open after it; before gm_ocr_read, by one thread.
 * Errors: MODEL, NOMEM. */
enum gm_status gm_ocr_prepare(struct gm_ocr *r, struct gm_error *err) GM_NODISCARD;

/* gm_ocr_read - what stands in the boxes[n] that gm_ocr_find gave, in their order; those in which
 * nothing is read are left out. The classifier is opened when a line is not surely read as it stands.
 *   out [n] out;  *n_lines  how many; texts are in the arena
 * Errors: as gm_ocr_find. Threads: one at a time for a lane. */
enum gm_status gm_ocr_read(struct gm_ocr *r, size_t lane, const struct gm_image *im,
                           const struct gm_text_box *boxes, size_t n, struct gm_arena *a,
                           struct gm_text_line *out, size_t *n_lines,
                           struct gm_error *err) GM_NODISCARD;

#endif
