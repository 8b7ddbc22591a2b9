/* session.h - what one caller needs to run a model that others run too: the lanes, with their
 * engines and activations, and the batch being packed. The model itself is only read: its weights
 * were laid out for the products when it was opened (gm_net_ready). So a process opens a model once
 * and has a session for each caller. */
#ifndef GM_MODEL_SESSION_H
#define GM_MODEL_SESSION_H

#include "model/pack.h"
#include "nn/lanes.h"

struct gm_net_session {
    struct gm_lanes lanes;
    struct gm_packer packer;
};

/* gm_net_session_init - on a net that is ready (gm_net_ready) and outlives the session; takes the
 * thread budget as it is now. In training there is one session at a time, and its lanes write the
 * net's parameters. Errors: NOMEM, SHAPE. Threads: sessions of one net are independent; one call at
 * a time on one session. */
enum gm_status gm_net_session_init(struct gm_net_session *s, const struct gm_net *net,
                                   struct gm_error *err) GM_NODISCARD;
void gm_net_session_clear(struct gm_net_session *s); /* before the net; a zeroed one is fine */

#endif
