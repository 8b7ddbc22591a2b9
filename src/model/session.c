#include "model/session.h"

enum gm_status gm_net_session_init(struct gm_net_session *s, const struct gm_net *net,
                                   struct gm_error *err)
{
    gm_packer_init(&s->packer);
    /* Graphs hold parameters that they may write; those of a net that does not train only read. */
    return gm_lanes_init(&s->lanes, (struct gm_params *)&net->params, net->max_activation_bytes,
                         err);
}

void gm_net_session_clear(struct gm_net_session *s)
{
    gm_lanes_clear(&s->lanes);
    gm_packer_clear(&s->packer);
}
