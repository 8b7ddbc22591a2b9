/* session.h - one loaded vision model and how to run it. session.c is the only user of OpenVINO;
 * its library is opened when the first session is loaded, so that text-only work never pays for it.
 *
 * The numbers are always f32: on CPUs that could do bf16 the runtime is told not to, so that results
 * are the same everywhere. Threads: the budget of base/parallel.h, split inside the model. */
#ifndef GM_VISION_SESSION_H
#define GM_VISION_SESSION_H

#include "base/status.h"

#include <stddef.h>

struct gm_session;

enum { GM_SESSION_RANK_MAX = 6 };

/* One f32 tensor of a model, row-major. */
struct gm_session_tensor {
    const char *name;   /* the model's own name of the input or output; borrowed */
    const float *data;  /* inputs: the caller's. Outputs: the session's, valid until its next run */
    size_t dims[GM_SESSION_RANK_MAX];
    size_t rank;
};

struct gm_session_opts {
    const char *model;  /* name in `gmner models list`, for messages; NULL = a model of the user */
    const struct gm_session_tensor *inputs; /* fix these inputs to these dims (data is ignored); */
    size_t n_inputs;                        /* 0 = shapes as the file has them */
};

/* gm_session_load - read and compile an ONNX, TFLite or OpenVINO IR (.xml) file for the CPU.
 *   opts  may be NULL
 * *out is yours (gm_session_free). Errors: MODEL, naming the command that mends it (no runtime, no
 * such file, not a model), SHAPE (inputs that the model can't be fixed to), NOMEM.
 * Costs 0.1 to 0.5 s. */
enum gm_status gm_session_load(struct gm_session **out, const char *path,
                               const struct gm_session_opts *opts,
                               struct gm_error *err) GM_NODISCARD;
void gm_session_free(struct gm_session *s); /* NULL-safe */

/* gm_session_run - one inference.
 *   in   [n_in]   every input of the model: name, data, dims
 *   out  [n_out]  name given by the caller; data, dims and rank filled in
 * Errors: SHAPE (dims the model does not take, an output that is not f32), MODEL (no such name, the
 * runtime failed). Threads: one at a time for a session. */
enum gm_status gm_session_run(struct gm_session *s, const struct gm_session_tensor *in, size_t n_in,
                              struct gm_session_tensor *out, size_t n_out,
                              struct gm_error *err) GM_NODISCARD;

/* gm_session_expect - SHAPE error unless `t` has exactly these dims; for models whose output's
 * layout the caller relies on. */
enum gm_status gm_session_expect(const struct gm_session *s, const struct gm_session_tensor *t,
                                 const size_t *dims, size_t rank,
                                 struct gm_error *err) GM_NODISCARD;

#endif
