/* net_base.h - the model that a model directory is not whole without: the one that its frozen word embeddings are
 * from, or the whole encoder below its adapters. "base" in gmner.json is {"model", "fingerprint"}. Private to
 * src/model. */
#ifndef GM_MODEL_NET_BASE_H
#define GM_MODEL_NET_BASE_H

#include "model/net.h"

/* gm_net_base_bind - word embeddings of the packaged model that `base` names, checked to be those that the model
 * was trained on. Errors: MODEL, IO, FORMAT, NOMEM. */
enum gm_status gm_net_base_bind(struct gm_net *net, const struct gm_json *base,
                                struct gm_error *err) GM_NODISCARD;

/* gm_net_base_check - that the encoder below an adapter is the one of the fingerprint, where there is one. Errors:
 * MODEL, NOMEM. */
enum gm_status gm_net_base_check(const struct gm_net *net, struct gm_error *err) GM_NODISCARD;

/* gm_net_adapter_base - what an adapter of this net names as its base: a model's name, or the absolute path of a folder, in
 * the arena. NULL where memory is out. */
const char *gm_net_adapter_base(const struct gm_net *net, struct gm_arena *a);

/* gm_net_base_say - add "base" to the settings of a model that is saved without the tensors of its base. Errors:
 * MODEL, NOMEM. */
enum gm_status gm_net_base_say(const struct gm_net *net, struct gm_json *settings,
                               struct gm_error *err) GM_NODISCARD;

#endif
