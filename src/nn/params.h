/* params.h - the table of a model's parameters: one row each, which drives loading, initialisation,
 * the optimiser and saving. */
#ifndef GM_NN_PARAMS_H
#define GM_NN_PARAMS_H

#include "base/arena.h"
#include "base/rng.h"
#include "nn/engine.h"
#include "nn/safetensors.h"

enum gm_param_kind {
    GM_VECTOR,   /* biases, norms, transitions: used as f32 */
    GM_MATRIX,   /* [out,in] of a linear layer: used in the compute type */
    GM_EMBEDDING /* [rows,width]: read by rows; gradients only for the rows of a batch */
};

enum { GM_PARAM_PARTS = 3 };

struct gm_lora;

struct gm_param {
    /* What it is. A parameter may be stored as up to three tensors of equal shape, one below the
     * other (query, key, value). */
    const char *names[GM_PARAM_PARTS];
    size_t n_parts;
    enum gm_param_kind kind;
    unsigned rank;
    size_t shape[2]; /* all parts together */
    size_t kernel; /* of a convolution, [out][in * kernel]: stored as [out][in][kernel]; 0 = none */
    size_t n;      /* elements */
    unsigned group; /* learning-rate group */
    float lr_scale; /* factor of the group's rate; 1 at first */
    bool decay;     /* weight decay applies */
    bool frozen;
    bool helper; /* of use in training only, or always zero: not saved */

    /* Its values. */
    const char *file;                  /* where they are from, borrowed from it; NULL = new */
    const char *missing;               /* the tensor that the last file lacked */
    const struct gm_safetensors *some; /* a file that had some of its parts only */
    struct gm_tensor stored;  /* mapped file content; data NULL = none (new, or being trained) */
    float *scale;             /* [shape[0]] of a matrix stored as int8 (int8.h), owned; else NULL */
    float *w;                 /* f32 values, owned; NULL for stored matrices and embeddings */
    uint16_t *w16;            /* bf16 copy of a matrix for products, owned */
    struct gm_packed *packed; /* the same in oneDNN's layout; made when first worth it */
    struct gm_packed *packed_back; /* and as the other operand: of one that is frozen in training */
    bool packed_stale;
    const struct gm_lora
        *lora; /* adapters of a matrix in training (lora.h); in the table's arena */

    /* Training. */
    float *g;          /* gradient [n]; of an embedding: [n_touched, width] */
    bool has_g;        /* g holds something; else the first writer overwrites */
    float *m, *v;      /* Adam's moments [n] */
    uint32_t *slot;    /* embedding: row -> 1 + its place in `touched`; 0 = untouched */
    uint32_t *touched; /* rows with a gradient, in order of first touch */
    size_t n_touched, cap_touched;
};

struct gm_params {
    struct gm_param *p;
    size_t n, cap;
    struct gm_arena arena; /* names */
    enum gm_dtype dtype;   /* compute type */
    bool int8; /* products of linear layers in int8; set by the owner, not with training */
    bool training;
};

void gm_params_init(struct gm_params *ps, enum gm_dtype dtype, bool training);
void gm_params_clear(struct gm_params *ps);

/* gm_params_add - a new row named `name`; its index in *index (pointers move as rows are added).
 * cols 0 = a vector of `rows`. Errors: NOMEM, SHAPE (more elements than can be counted). */
enum gm_status gm_params_add(struct gm_params *ps, size_t *index, enum gm_param_kind kind,
                             size_t rows, size_t cols, struct gm_error *err, const char *name_fmt,
                             ...) GM_PRINTF(7, 8) GM_NODISCARD;
/* gm_params_add_conv - the weight of a convolution, [out][in * kernel], used as f32; stored as [out][in][kernel].
 * Errors: NOMEM, SHAPE. */
enum gm_status gm_params_add_conv(struct gm_params *ps, size_t *index, size_t out, size_t in,
                                  size_t kernel, const char *name,
                                  struct gm_error *err) GM_NODISCARD;
/* gm_params_add_zeros - a vector of n zeros that stays so and is not saved: the bias of a model without.
 * Errors: NOMEM. */
enum gm_status gm_params_add_zeros(struct gm_params *ps, size_t *index, size_t n,
                                   struct gm_error *err) GM_NODISCARD;
/* gm_params_add_parts - the same for up to three tensors (names: then NULL) of [rows,cols] (cols 0: [rows]) each. */
enum gm_status gm_params_add_parts(struct gm_params *ps, size_t *index, enum gm_param_kind kind,
                                   size_t rows, size_t cols,
                                   const char *const names[GM_PARAM_PARTS],
                                   struct gm_error *err) GM_NODISCARD;

/* gm_params_bind - take the values of every parameter that has none yet from `f`, where there (names
 * may carry the prefix "bert.", "roberta." or another family's there, and LayerNorm.gamma and .beta are its .weight and
 * .bias). Of a parameter in parts they may come from one file, and the rest from the next that is bound. The file
 * must outlive the parameters. Matrices may be int8 (int8.h). Errors: NOMEM, MODEL (a shape or type that is not what the model needs, missing or
 * senseless scales, naming file and tensor). */
enum gm_status gm_params_bind(struct gm_params *ps, const struct gm_safetensors *f,
                              struct gm_error *err) GM_NODISCARD;
/* gm_param_bind - the same for one parameter, which may have values: it then takes those of `f`, where there. */
enum gm_status gm_param_bind(struct gm_param *p, const struct gm_safetensors *f,
                             struct gm_error *err) GM_NODISCARD;
/* gm_params_find - tensor `name` of a file, where it may carry such a prefix. */
bool gm_params_find(const struct gm_safetensors *f, const char *name, struct gm_tensor *out);
/* gm_params_is_matrix - whether tensor `name` of a file is a matrix of the table, or part of one. */
bool gm_params_is_matrix(const struct gm_params *ps, const char *name);
/* gm_param_has_values - whether it was bound or initialised. */
bool gm_param_has_values(const struct gm_param *p);
/* gm_params_missing - name of the first parameter that still has no values; NULL = complete. */
const char *gm_params_missing(const struct gm_params *ps);

/* gm_params_init_normal, _const - values for a new parameter. Errors: NOMEM. */
enum gm_status gm_params_init_normal(struct gm_params *ps, size_t index, double std,
                                     struct gm_rng *rng, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_params_init_const(struct gm_params *ps, size_t index, float value,
                                    struct gm_error *err) GM_NODISCARD;

/* gm_params_ready - after binding: copy what must be f32 or bf16, and allocate what training needs.
 * A matrix stays mapped where its product packs what is stored: in prediction int8, or any type for int8
 * products; in training one that is frozen.
 * Errors: NOMEM, MODEL (something is missing, named). */
enum gm_status gm_params_ready(struct gm_params *ps, struct gm_error *err) GM_NODISCARD;
/* gm_param_ready - the same for one of them, which has values. */
enum gm_status gm_param_ready(const struct gm_params *ps, struct gm_param *p,
                              struct gm_error *err) GM_NODISCARD;
/* gm_param_own - make the values writable f32, in p->w. Errors: NOMEM. */
enum gm_status gm_param_own(struct gm_param *p, struct gm_error *err) GM_NODISCARD;

/* gm_param_file_shape - the shape of each of its tensors in a file; returns the rank. */
unsigned gm_param_file_shape(const struct gm_param *p, size_t shape[GM_MAX_RANK]);
/* gm_param_view - the values where they lie; of a matrix in I8 they are those times p->scale. */
struct gm_tensor gm_param_view(const struct gm_param *p);
/* gm_param_matrix - a matrix in the compute type, row-major [out,in]; borrowed. NULL: it is stored
 * in another type and only to be packed. */
const void *gm_param_matrix(const struct gm_param *p, enum gm_dtype dtype);
/* gm_param_row - row of an embedding as f32 into out[width]. */
void gm_param_row(const struct gm_param *p, size_t row, float *out);
/* gm_param_touch - gradient row of an embedding's row, zero when new in this step.
 * NULL when memory is out. */
float *gm_param_touch(struct gm_param *p, size_t row);
/* gm_param_values - all values as f32 into out[n]. */
void gm_param_values(const struct gm_param *p, float *out);
/* gm_param_set - replace the values (training only): the master copy and what is derived from it. */
void gm_param_set(struct gm_param *p, const float *values);
/* gm_param_changed - after p->w was written to: bring what is derived from it up to date. */
void gm_param_changed(struct gm_param *p);

/* gm_params_add_grad - add d [n] to the gradient of a dense parameter; frozen: nothing. */
void gm_params_add_grad(struct gm_param *p, const float *d);

/* gm_params_zero_grad - forget all gradients. */
void gm_params_zero_grad(struct gm_params *ps);

struct gm_params_saving {
    enum gm_dtype dtype;  /* F32 or BF16, of matrices and embeddings; vectors are always f32 */
    bool skip_embeddings; /* leave out frozen embeddings, */
    bool trained_only;    /* or all that is frozen */
    const char *prefix;   /* in front of all names; NULL = none */
};

/* gm_params_save - write all parameters but helpers and what `how` leaves out as safetensors. `metadata` as
 * gm_safetensors_write. Errors: IO, NOMEM. */
enum gm_status gm_params_save(const struct gm_params *ps, const char *path,
                              const struct gm_params_saving *how, const char *const *metadata,
                              struct gm_error *err) GM_NODISCARD;

#endif
