#include "tagger/train.h"
enum gm_status gm_train_entail(const struct gm_train_opts *o, struct gm_error *err)
{
    (void)o;
    return GM_FAIL(err, GM_EARG, "not yet");
}
