/* vision_session.h - one loaded vision model and how to run it. session_load.c and vision_session.c are the only users of OpenVINO;
 * its library is opened when the first session is loaded, so that text-only work never pays for it.
 *
 * Tensors are f32; what a model takes as whole numbers (labels, token ids, sizes) or truth values is given as
 * f32 that hold them. Inside, the numbers are f32 too, or bf16 where the caller allows it and the CPU
 * multiplies it.
 *
 * Threads: a session has lanes, one a thread of the budget (base/parallel.h), at most
 * GM_SESSION_LANES_MAX (or one with all threads, where the caller wants that). A lane is an inference of its own on its share of the threads, so that with
 * a picture a lane (gm_parallel_tasks) one is decoded while another is looked at, and no thread
 * waits for the others inside of the model. Sessions of one host (base/host.h) that load the same file alike
 * share what the runtime made of it, which has room for as many of them as the host says; lanes are their own. */
#ifndef GM_VISION_VISION_SESSION_H
#define GM_VISION_VISION_SESSION_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct gm_session;

enum { GM_SESSION_RANK_MAX = 6, GM_SESSION_LANES_MAX = 16 };

/* One f32 tensor of a model, row-major. */
struct gm_session_tensor {
    const char *name;  /* the model's own name of the input or output; borrowed */
    const float *data; /* inputs: the caller's. Outputs: the lane's, valid until its next run */
    size_t dims[GM_SESSION_RANK_MAX];
    size_t rank;
};

struct gm_session_opts {
    const char *model; /* name in `gmner models list`, for messages; NULL = a model of the user */
    const struct gm_session_tensor *inputs; /* fix these inputs to these dims (data is ignored); */
    size_t n_inputs;                        /* 0 = shapes as the file has them */
    bool bf16; /* compute in bf16 where the CPU multiplies it; else f32 everywhere */
    /* Inputs will have ever other dims: little of what the runtime prepares for each is kept, which
     * bounds the memory. */
    bool many_shapes;
    /* One lane with all threads, for models that are too large to have one a thread. */
    bool one_lane;
    /* Inputs [N,C,H,W] whose N is open get 1 there: a model of fixed shapes is the faster one. */
    bool batch_of_one;
};

/* gm_session_load - read and compile an ONNX, TFLite or OpenVINO IR (.xml) file for the CPU.
 *   opts  may be NULL
 * *out is yours (gm_session_free). Errors: MODEL, naming the command that mends it (no runtime, no
 * such file, not a model), IO (the file can't be opened), SHAPE (inputs that the model can't be fixed to),
 * NOMEM (too few addresses for the runtime, too).
 * Costs 0.1 to 0.5 s. */
enum gm_status gm_session_load(struct gm_session **out, const char *path,
                               const struct gm_session_opts *opts,
                               struct gm_error *err) GM_NODISCARD;
void gm_session_free(struct gm_session *s); /* NULL-safe */

/* What a model has as an input or output. */
struct gm_session_port {
    char *name;                       /* the model's own; borrowed from the session; may be empty */
    size_t dims[GM_SESSION_RANK_MAX]; /* 0 = any */
    size_t rank; /* 0 also where the model leaves it open, or has more than GM_SESSION_RANK_MAX */
};

/* gm_session_inputs, gm_session_outputs - all of the model's, in its own order, *n of them: for models
 * of the user, whose names are not known beforehand. Borrowed. */
const struct gm_session_port *gm_session_inputs(const struct gm_session *s, size_t *n);
const struct gm_session_port *gm_session_outputs(const struct gm_session *s, size_t *n);

/* gm_session_has_input, gm_session_has_output - whether one has the name, which may be another of its names
 * than gm_session_inputs and gm_session_outputs tell. */
bool gm_session_has_input(const struct gm_session *s, const char *name);
bool gm_session_has_output(const struct gm_session *s, const char *name);

/* gm_session_lanes - how many inferences may run at once: lanes are numbered from 0. */
size_t gm_session_lanes(const struct gm_session *s);

/* gm_session_run - one inference.
 *   in   [n_in]   every input of the model: name, data, dims
 *   out  [n_out]  name given by the caller; data, dims and rank filled in
 * Errors: SHAPE (dims the model does not take, an output that is not f32), MODEL (no such name, the
 * runtime failed), ARG (over 16 outputs), NOMEM. Threads: one at a time for a lane. */
enum gm_status gm_session_run(struct gm_session *s, size_t lane, const struct gm_session_tensor *in,
                              size_t n_in, struct gm_session_tensor *out, size_t n_out,
                              struct gm_error *err) GM_NODISCARD;

/* gm_session_expect - SHAPE error unless `t` has exactly these dims; for models whose output's
 * layout the caller relies on. */
enum gm_status gm_session_expect(const struct gm_session *s, const struct gm_session_tensor *t,
                                 const size_t *dims, size_t rank,
                                 struct gm_error *err) GM_NODISCARD;

#endif
