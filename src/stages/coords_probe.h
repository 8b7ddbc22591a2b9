/* coords_probe.h - finding out in which numbers a model says boxes: pictures with shapes whose places
 * are known, and a table of how well each reading of its answers fits them. */
#ifndef GM_STAGES_COORDS_PROBE_H
#define GM_STAGES_COORDS_PROBE_H

#include "base/buf.h"
#include "image/image.h"
#include "llm/picture.h"
#include "stages/coords.h"

enum { GM_PROBE_PICTURES = 3, GM_PROBE_SHAPES = 2 };

/* A coloured shape on the plain ground of a picture. */
struct gm_probe_shape {
    const char *name;    /* "red circle" */
    const char *caption; /* both shapes of its picture: "a red circle and a blue square" */
    double box[4];       /* pixels of the picture */
};

/* gm_probe_picture - draw number `picture` (900 x 500, 500 x 900, 640 x 640); *out is yours.
 * Errors: NOMEM. gm_probe_shape - one of its shapes. No two names in the three pictures are the same. */
enum gm_status gm_probe_picture(struct gm_image **out, size_t picture,
                                struct gm_error *err) GM_NODISCARD;
const struct gm_probe_shape *gm_probe_shape(size_t picture, size_t shape);

/* How well each pair of a frame and an order fits the answers so far. */
struct gm_probe {
    double iou[GM_N_COORDS][GM_N_ORDERS]; /* sums over the answers */
    size_t n, n_read;                     /* shapes asked for; answers with a box */
};

/* gm_probe_add - count what a model said of a shape in a picture that was sent as `sent`; an empty
 * answer counts as one that fits nowhere. Of several boxes the one that fits best counts.
 * max_pixels as in gm_coords_frame. Errors: NOMEM. */
enum gm_status gm_probe_add(struct gm_probe *p, struct gm_str answer, const double box[4],
                            const struct gm_picture *sent, double max_pixels,
                            struct gm_error *err) GM_NODISCARD;

/* gm_probe_best - the pair of the largest mean IoU, which is returned; of equals the first. order:
 * GM_N_ORDERS = all are tried, else that one. */
double gm_probe_best(const struct gm_probe *p, enum gm_order order, enum gm_coords *coords,
                     enum gm_order *best);

/* gm_probe_table - append "sent xyxy 0.12, sent yxyx 0.03, …": the mean IoU of every pair. */
enum gm_status gm_probe_table(const struct gm_probe *p, struct gm_buf *out,
                              struct gm_error *err) GM_NODISCARD;

#endif
