/* lora.h - low-rank adapters of linear layers: h = x W0' + s x A' B' with W0 [out,in] frozen, A [rank,in], B
 * [out,rank] and s = alpha / rank (rank-stabilised: alpha / sqrt(rank)). Source: Hu et al., ICLR 2022 (arXiv
 * 2106.09685), equation 3; Kalajdzievski 2023 for s. Names and first values are those of Hugging Face's peft. */
#ifndef GM_NN_LORA_H
#define GM_NN_LORA_H

#include "nn/params.h"

struct gm_lora_opts {
    size_t rank; /* 0 = no adapters */
    double alpha;
    double dropout; /* of what A reads, in training */
    bool rank_stabilised;
    const char *
        targets; /* names of layers, with commas between: the whole name or its end behind a dot, as
                            peft's target_modules; NULL, "" or "all-linear" = all linear layers */
};

/* The adapters of one matrix of the table: one for each of its parts that is a target. They read the same
 * x, so that their A stand one below the other in one parameter. */
struct gm_lora {
    size_t rank, n;
    size_t a; /* parameter [n rank, in] */
    struct {
        size_t b;  /* parameter [rows of the part, rank] */
        size_t at; /* first row of the part in the matrix */
    } part[GM_PARAM_PARTS];
    float scale;
    double dropout;
};

/* gm_lora_scale - s of an adapter of this rank. */
double gm_lora_scale(const struct gm_lora_opts *o, size_t rank);

/* gm_lora_add - new rows A and B for each matrix of the table that is a target, named `<layer>.lora_A.weight`
 * and `<layer>.lora_B.weight`; from then on gm_op_linear adds them up. Errors: ARG (a target that no matrix has,
 * with the names that there are), NOMEM, SHAPE. */
enum gm_status gm_lora_add(struct gm_params *ps, const struct gm_lora_opts *o,
                           struct gm_error *err) GM_NODISCARD;

/* gm_lora_init - as peft does: A uniform in +-1/sqrt(in) (He's initialisation with a = sqrt(5)), B zero, so that the model
 * begins as W0 alone. Only those without values. Errors: NOMEM. */
enum gm_status gm_lora_init(struct gm_params *ps, uint64_t seed, struct gm_error *err) GM_NODISCARD;

/* gm_lora_check - that file `f` has adapters of nothing but matrices of the table and, rank not 0, none
 * but those that gm_lora_add made (pooling layers, which encoders here lack, are left out). Errors: MODEL, naming the tensor. */
enum gm_status gm_lora_check(const struct gm_params *ps, const struct gm_safetensors *f,
                             size_t rank, struct gm_error *err) GM_NODISCARD;

/* gm_lora_merge - W = W0 + s B A in f32 for each matrix that `f` has adapters of (o: alpha; the rank is the
 * tensor's); for prediction then as gm_params_ready keeps it. The base's values are bound. Errors: NOMEM, MODEL (shape or type). */
enum gm_status gm_lora_merge(struct gm_params *ps, const struct gm_safetensors *f,
                             const struct gm_lora_opts *o, struct gm_error *err) GM_NODISCARD;

#endif
