/* optim.h - AdamW over the parameter table; of embeddings only the rows seen in the batch.
 * Source: Loshchilov, Hutter, ICLR 2019. A row that was not seen keeps weight and moments as they
 * are (as torch.optim.SparseAdam does), which makes a step independent of the vocabulary's size. */
#ifndef GM_NN_OPTIM_H
#define GM_NN_OPTIM_H

#include "nn/params.h"

enum { GM_OPTIM_GROUPS = 4 };

struct gm_optim {
    double lr[GM_OPTIM_GROUPS]; /* of this step, by gm_param.group; times gm_param.lr_scale */
    double weight_decay;        /* for parameters with .decay */
    double beta1, beta2, eps;
    double clip_norm; /* the gradients' largest L2 norm over all parameters; 0 = none */
};

/* gm_optim_default - betas 0.9 and 0.999, eps 1e-8, decay 0.01, clipping at 1. */
struct gm_optim gm_optim_default(void);

/* gm_optim_step - step number t (1, 2, …): update every parameter of ps[0] that has a gradient in one
 * of the n tables, which are those of a model's lanes, by their sum, and forget the gradients. *norm
 * (NULL allowed) gets the norm before clipping. A norm that is not finite changes no weight and
 * leaves *norm so: the caller decides. Errors: NOMEM. */
enum gm_status gm_optim_step(struct gm_params *const *ps, size_t n, const struct gm_optim *o,
                             size_t t, double *norm, struct gm_error *err) GM_NODISCARD;

#endif
