/* net.h - what the tagger and the entailment classifier share: tokenizer, encoder, parameters, the
 * head's tables, and how a model directory is opened and written.
 *
 * A model directory holds
 *   gmner.json         task, labels, settings, and where missing tensors come from
 *   config.json        the encoder's shape (as Hugging Face writes it)
 *   tokenizer.json     (of an encoder of others also what older tokenizers kept: tokenizer/layouts.h)
 *   model.safetensors  weights (transformers' names for the encoder), some perhaps int8 (nn/int8.h)
 * Word embeddings that were frozen in training are not written again: "base" in gmner.json names the
 * packaged model they come from, with a fingerprint of its rows, and they are mapped from there.
 * A directory of adapters (adapter.h) holds neither encoder nor tokenizer: "base" names the model that has them. Its adapters
 * are merged when it is opened for prediction, so that it costs no more than a whole model. */
#ifndef GM_MODEL_NET_H
#define GM_MODEL_NET_H

#include "base/json.h"
#include "model/adapter.h"
#include "nn/encoder.h"
#include "text/cut.h"
#include "tokenizer/tokenizer.h"

/* New weights are drawn from this and not from a run's seed: only runs that begin alike can be
 * averaged (Wortsman et al., Model soups, ICML 2022). */
enum { GM_HEAD_SEED = 1 };

struct gm_net {
    struct gm_arena arena;
    struct gm_json *settings; /* gmner.json; NULL for a plain encoder directory */
    const char *dir;
    const char *base_name; /* packaged model that frozen embeddings come from; NULL = none */
    bool is_adapter;
    struct gm_adapter adapter; /* where it is one: its base's weights are in `weights`, */
    struct gm_safetensors *adapter_weights;
    struct gm_lora_opts lora; /* of the adapters in training; rank 0 = none */
    bool lora_f32;
    struct gm_tokenizer *tokenizer;
    struct gm_special_tokens_ids special_ids;
    enum gm_word_cut cut; /* how raw text is cut; training sets it, else as gmner.json says */
    bool name_parts; /* hashtags and handles are read in their parts (pack.h); the caller sets it */
    struct gm_encoder enc;
    bool
        first_piece; /* a word's state is that of its first piece, not the mean of all its pieces */
    struct gm_params params;
    struct gm_safetensors *weights, *base_weights;
    size_t max_activation_bytes; /* of a lane of a session (session.h) */
};

/* What training may change of the encoder. */
struct gm_net_tuning {
    bool freeze_embeddings; /* word embeddings stay as they are, and are not stored again */
    size_t freeze_layers;   /* so many of the lowest layers stay as they are */
    double layer_decay;     /* rate of a layer over that of the layer above it; 1 = all alike */
    double hidden_dropout, attention_dropout; /* < 0: as config.json says */
    struct gm_lora_opts
        lora;      /* rank > 0: only adapters of the encoder, and all that is not the encoder */
    bool lora_f32; /* adapters are saved as f32, else as bf16 */
};

struct gm_net_opts {
    const char *task;      /* "ner", "entail": what gmner.json must say */
    const char *precision; /* auto, f32, bf16, int8 (not with training); NULL = auto */
    bool training;
    const struct gm_net_tuning *tuning; /* of training; NULL = everything is trained */
    bool first_piece; /* as in gm_net; a trained model's own gmner.json goes before it */
    size_t
        extra_rows; /* rows of the extra input embedding; 0 = none, as where gmner.json says so */
    const char *extra_name;
    size_t max_activation_bytes; /* 0 = 4 GiB */
};

/* gm_net_open - step 1: read everything but the head. `dir` is a model directory that we wrote, or a
 * Hugging Face directory, or the name of a packaged model ("minilm"). Then the caller adds its head's
 * parameters to net->params and calls gm_net_bind. Errors: IO, MODEL, FORMAT, ARG (a precision that there is
 * not, or not here), NOMEM; gm_net_clear is called after them, too, here and below. */
enum gm_status gm_net_open(struct gm_net *net, const char *dir, const struct gm_net_opts *opts,
                           struct gm_error *err) GM_NODISCARD;
/* gm_net_bind - step 2: take all values from the files. Afterwards the caller initialises what a
 * plain encoder does not have (gm_params_missing), then calls gm_net_ready. Errors: MODEL (a tensor is
 * missing or of another shape, or the base model is not the one of the fingerprint), IO, FORMAT, NOMEM. */
enum gm_status gm_net_bind(struct gm_net *net, struct gm_error *err) GM_NODISCARD;
/* gm_net_is_theirs - whether a directory with this gmner.json (NULL: without one) is a token classifier of somebody
 * else's, or a plain encoder: its labels are in config.json, and gmner.json, "head": "softmax", only adds to them. */
bool gm_net_is_theirs(const struct gm_json *settings);
/* gm_net_dir_of - the folder that one of the model's files is in: its own, or that of an adapter's base. */
const char *gm_net_dir_of(const struct gm_net *net, const char *name);
/* gm_net_tensor - a tensor that the table of parameters does not have, from the adapter or else the weights; *path
 * is that of the file. False: there is none. */
bool gm_net_tensor(const struct gm_net *net, const char *name, struct gm_tensor *out,
                   const char **path);
/* gm_net_say_trained - a line that says how many numbers are trained. */
void gm_net_say_trained(const struct gm_net *net);
/* gm_net_say_head - a line that says so where a plain encoder comes with a head, which is left out. */
void gm_net_say_head(const struct gm_net *net);
/* gm_net_ready - step 3: checks that nothing is missing; prepares the compute type. For prediction
 * the weights are laid out as products read them, and nothing changes afterwards. Errors: MODEL (missing,
 * or damaged: finite.h), NOMEM, SHAPE. */
enum gm_status gm_net_ready(struct gm_net *net, const struct gm_net_opts *opts,
                            struct gm_error *err) GM_NODISCARD;
void gm_net_clear(struct gm_net *net);

/* gm_net_copy_file - copy a file of a model directory into another one. Errors: IO, NOMEM (over
 * 128 MiB, too). */
enum gm_status gm_net_copy_file(const char *from_dir, const char *to_dir, const char *name,
                                struct gm_error *err) GM_NODISCARD;

/* gm_net_copy_tokenizer - write a model directory's tokenizer.json into another one, as it is or made of what the first
 * has in its place. Errors: as gm_tokenizer_text, and of writing. */
enum gm_status gm_net_copy_tokenizer(const char *from_dir, const char *to_dir,
                                     struct gm_error *err) GM_NODISCARD;

/* gm_net_tune - set what is frozen, rates and dropout (between gm_net_open and gm_net_ready).
 * Errors: ARG (more layers to freeze than there are). */
enum gm_status gm_net_tune(struct gm_net *net, const struct gm_net_tuning *t,
                           struct gm_error *err) GM_NODISCARD;

/* gm_net_check_place - that an adapter in training will not take the place of its base, which would be lost: `model` is
 * where it is to be in the end. Errors: ARG. */
enum gm_status gm_net_check_place(const struct gm_net *net, const char *model,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_net_save - write a model directory; `settings` becomes gmner.json (with "base" added where
 * frozen embeddings, or all of a frozen encoder but its adapters, are left out). Matrices and embeddings as bf16 when `bf16`, else f32. The files are
 * replaced one after the other, gmner.json last. Errors: IO, MODEL, NOMEM. */
enum gm_status gm_net_save(const struct gm_net *net, const char *dir, struct gm_json *settings,
                           bool bf16, struct gm_error *err) GM_NODISCARD;

#endif
