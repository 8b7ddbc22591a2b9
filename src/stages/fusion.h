/* fusion.h - the probability that an entity is in the image, out of all evidence that there is: a
 * logistic regression for each set of sources,
 *
 *   visible = 1 / (1 + exp(-(bias_S + sum over i in S of w_S,i x_i)))
 *
 * x from evidence.h, weights from `gmner tune --stage entail`. A regression of its own for each set is
 * how a source that says nothing is dealt with: no number stands for what is not known. */
#ifndef GM_STAGES_FUSION_H
#define GM_STAGES_FUSION_H

#include "base/json.h"
#include "stages/evidence.h"

/* The weights for one set of sources. */
struct gm_fusion_set {
    unsigned sources;
    double bias, w[GM_EVIDENCE_X];
};

struct gm_fusion {
    struct gm_fusion_set sets[GM_EVIDENCE_SETS]; /* each set of sources once */
    size_t n;                                    /* 0 = nothing is fused */
};

/* gm_fusion_read - from the setting `fusion`: {"encoder+model": {bias: B, encoder: W, model: W}, …};
 * a number that is not named weighs nothing. n is 0 where there is no such setting. Errors: ARG. */
enum gm_status gm_fusion_read(struct gm_fusion *f, const struct gm_json *settings,
                              struct gm_error *err) GM_NODISCARD;

/* gm_fusion_find - the weights for what is known: those of exactly these sources, else those of the
 * most of them (the first of the list where several have as many); NULL = there are none. */
const struct gm_fusion_set *gm_fusion_find(const struct gm_fusion *f, unsigned sources);

/* gm_fusion_logit - bias + sum of w x. */
double gm_fusion_logit(const struct gm_fusion_set *s, const double x[GM_EVIDENCE_X]);

/* gm_fusion_apply - set `visible` of the post's entities from their evidence; it stays where the fusion has
 * no weights for that. Cost: that of gm_evidence_take for each. */
void gm_fusion_apply(const struct gm_fusion *f, struct gm_post *p);

#endif
