/* lanes.h - a batch in parts, each of which goes through the model on one thread.
 *
 * A lane has a graph, an engine and, in training, gradients of its own; the values are everyone's.
 * So threads meet at the end of a batch and not behind every operation, where a core that is late
 * (or taken away for a while, as on shared machines) would hold up all others a thousand times a
 * second. Small batches and models whose gradients are large go the other way: one part, all
 * threads within each operation. */
#ifndef GM_NN_LANES_H
#define GM_NN_LANES_H

#include "nn/graph.h"

struct gm_lane;

struct gm_lanes {
    struct gm_params **params; /* [n] the model's own (borrowed); in training from the second on
                                  copies with own gradients */
    struct gm_lane *items;
    size_t n;
};

/* gm_lanes_init - as many lanes as the thread budget has threads; in training fewer where the copies
 * of the gradients would be large (more than 256 MB: one lane). A lane holds at most max_bytes of
 * activations. The parameters are ready (gm_params_ready). For prediction the first lanes of some
 * parameters lay the matrices out as products read them; afterwards nothing writes the parameters,
 * and any number of lanes, on threads of their own, may share them. Errors: NOMEM, SHAPE; what was made by
 * then is cleared by gm_lanes_clear. */
enum gm_status gm_lanes_init(struct gm_lanes *l, struct gm_params *ps, size_t max_bytes,
                             struct gm_error *err) GM_NODISCARD;
void gm_lanes_clear(struct gm_lanes *l); /* before the parameters; a zeroed one is fine */

/* gm_lanes_parts - into how many parts, of about equal cost, to cut a batch of so many rows. Training:
 * one for each lane; prediction: so many that a part stays in a core's cache. 1 for few rows. */
size_t gm_lanes_parts(const struct gm_lanes *l, size_t rows, bool training);

/* One part: from gm_graph_begin to what is wanted of it; in training also gm_graph_backward. */
typedef enum gm_status gm_lane_fn(void *ctx, struct gm_graph *g, size_t part, struct gm_error *err);

/* gm_lanes_run - fn for each of n parts, on any thread; a single part has all threads within its
 * operations. In training n <= l->n, and part i always has lane i, so that results do not depend on
 * chance; gm_optim_step adds up what l->params then have. What fn makes in its graph is there until
 * the lane's next part. Returns the first failing lane's error; the other parts may then
 * have been left out. Between parts the calling thread's limit holds (base/stop.h: CANCEL, AGAIN). */
enum gm_status gm_lanes_run(struct gm_lanes *l, size_t n, gm_lane_fn *fn, void *ctx,
                            struct gm_error *err) GM_NODISCARD;

#endif
