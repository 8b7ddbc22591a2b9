/* session_internal.h - what a session is: session_load.c makes it, vision_session.c runs it. The two are the only
 * users of OpenVINO. */
#ifndef GM_VISION_SESSION_INTERNAL_H
#define GM_VISION_SESSION_INTERNAL_H

#include "base/shared.h"
#include "vision/openvino_api.h"
#include "vision/prepared.h"
#include "vision/vision_session.h"

enum { GM_SESSION_OUTPUTS_MAX = 16 }; /* of one run */

struct gm_session_lane {
    ov_infer_request_t *request;
    ov_tensor_t *held[GM_SESSION_OUTPUTS_MAX]; /* what the outputs of the last run point into */
    size_t n_held;
};

struct gm_session_ports {
    struct gm_session_port *items;
    size_t n;
};

/* A model that is ready for this CPU; it is only read. */
struct gm_compiled {
    struct gm_openvino_api ov;
    char *path;
    ov_core_t *core; /* one a model: creating one takes 2 ms, sharing would need a global */
    struct gm_prepared prepared; /* which `compiled` reads on in */
    ov_compiled_model_t *compiled;
    struct gm_session_ports inputs, outputs;
};

struct gm_session {
    struct gm_held held;         /* the model, which sessions of a host share */
    const struct gm_compiled *m; /* that */
    struct gm_session_lane lanes[GM_SESSION_LANES_MAX];
    size_t n_lanes;
};

/* gm_session_fail - the runtime's own words, which run over several lines, behind ours; NOMEM in place of `code` where
 * they mean that. */
enum gm_status gm_session_fail(const struct gm_compiled *m, enum gm_status code, ov_status_e rc,
                               const char *what, struct gm_error *err);

/* gm_session_dims - a tensor's dims as the runtime takes them. Errors: SHAPE (too many). */
enum gm_status gm_session_dims(const struct gm_session_tensor *t, int64_t dims[GM_SESSION_RANK_MAX],
                               struct gm_error *err) GM_NODISCARD;

#endif
