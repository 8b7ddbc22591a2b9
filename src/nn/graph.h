/* graph.h - the tape: operations run at once, and remember how to run backwards.
 *
 * A variable is a block of activations [rows, cols] in the compute type T, with its gradient. Rows
 * are padded to a bucket (gm_rows_bucket); the padding holds anything in the forward pass and zero
 * in gradients. Everything a step makes lives in the workspace and goes with it.
 * One graph belongs to one thread; operations use the thread budget inside. */
#ifndef GM_NN_GRAPH_H
#define GM_NN_GRAPH_H

#include "nn/engine.h"
#include "nn/kernels/kernels.h"
#include "nn/params.h"

struct gm_var {
    size_t rows, cols;
    void *x; /* T [rows, cols] */
    void *d; /* T, gradient; NULL until backward reaches it */
    bool has_d;
};

struct gm_node;
struct gm_spare;

struct gm_graph {
    struct gm_engine *engine; /* borrowed */
    struct gm_params *params; /* borrowed */
    struct gm_workspace *ws;  /* owned */
    const struct gm_kernels *kn;
    enum gm_dtype dtype; /* T */
    bool training;       /* record backward functions; apply dropout */
    uint64_t seed;       /* of the next dropout; set before each step */
    struct gm_node *last;
    struct gm_spare *spare; /* gradients' memory that is free again */
};

/* gm_graph_init - for the parameters' compute type; holds at most max_bytes of activations. */
enum gm_status gm_graph_init(struct gm_graph *g, struct gm_engine *e, struct gm_params *ps,
                             size_t max_bytes, struct gm_error *err) GM_NODISCARD;
void gm_graph_clear(struct gm_graph *g);

/* gm_graph_begin - start a step: forget all variables. `seed` drives its dropout masks. */
void gm_graph_begin(struct gm_graph *g, bool training, uint64_t seed);

/* gm_graph_alloc - n elements of `size` bytes for this step. NOMEM names the bound. */
enum gm_status gm_graph_alloc(struct gm_graph *g, void **out, size_t n, size_t size,
                              struct gm_error *err) GM_NODISCARD;
enum gm_status gm_graph_var(struct gm_graph *g, struct gm_var **out, size_t rows, size_t cols,
                            struct gm_error *err) GM_NODISCARD;
/* gm_graph_grad - make sure that v->d is there. What it holds counts where v->has_d says that somebody wrote
 * it; else it is anything, and the caller writes all of it. Its memory is that of a gradient of the same size
 * that is no longer needed, where there is one: it is still in the cache. Errors: NOMEM. */
enum gm_status gm_graph_grad(struct gm_graph *g, struct gm_var *v,
                             struct gm_error *err) GM_NODISCARD;

/* gm_graph_record - append a backward function; `ctx` is of this step's memory, y what the operation
 * made (NULL = no variable): its gradient is forgotten when `back` has run. Nothing happens when not
 * training. */
enum gm_status gm_graph_record(struct gm_graph *g,
                               enum gm_status (*back)(struct gm_graph *g, void *ctx,
                                                      struct gm_error *err),
                               void *ctx, struct gm_var *y, struct gm_error *err) GM_NODISCARD;
/* gm_graph_backward - run all recorded functions, newest first. The losses' own gradients were set
 * by their operations. */
enum gm_status gm_graph_backward(struct gm_graph *g, struct gm_error *err) GM_NODISCARD;

/* gm_graph_dropout - the settings of a new mask with drop probability p (none when not training). */
struct gm_dropout gm_graph_dropout(struct gm_graph *g, double p);

#endif
