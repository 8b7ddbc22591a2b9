/* adapter.h - a model directory in the layout of Hugging Face's peft that holds low-rank adapters (nn/lora.h)
 * and not the encoder: adapter_config.json, adapter_model.safetensors (names with base_model.model. in front),
 * and gmner.json where we wrote it. Encoder, config.json and tokenizer.json are those of the base model. */
#ifndef GM_MODEL_ADAPTER_H
#define GM_MODEL_ADAPTER_H

#include "base/arena.h"
#include "base/json.h"
#include "nn/lora.h"

#define GM_ADAPTER_CONFIG "adapter_config.json"
#define GM_ADAPTER_WEIGHTS "adapter_model.safetensors"
#define GM_ADAPTER_PREFIX "base_model.model."

struct gm_adapter {
    struct gm_lora_opts lora; /* as trained; targets are those that the tensors have */
    const char *base;         /* a model's name as the directory has it, or a folder, absolute */
    const char *base_dir;     /* its folder */
};

/* gm_adapter_read - what `dir` says of itself; `settings` is its gmner.json or NULL, and names the base before
 * adapter_config.json does. *found is false where it is no adapter. All lives in the arena. Errors: MODEL (what is
 * not done here, such as DoRA, by name; the base is missing, with how to get it), IO, FORMAT, NOMEM. */
enum gm_status gm_adapter_read(struct gm_adapter *out, const char *dir,
                               const struct gm_json *settings, struct gm_arena *a, bool *found,
                               struct gm_error *err) GM_NODISCARD;

/* gm_adapter_config - its adapter_config.json, and the rank, alpha and dropout that it says; *j is yours, also after
 * errors. Errors: MODEL (what is not done here, by name), IO, FORMAT, NOMEM. */
enum gm_status gm_adapter_config(struct gm_json **j, struct gm_lora_opts *o, const char *dir,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_adapter_open - its tensors; *out is yours. Errors: MODEL (only a pickle, with the line that converts it), IO,
 * FORMAT, NOMEM. */
enum gm_status gm_adapter_open(struct gm_safetensors **out, const char *dir,
                               struct gm_error *err) GM_NODISCARD;

/* gm_adapter_write - adapter_config.json for adapters of the table's matrices; base: what to name. Errors: IO,
 * NOMEM. */
enum gm_status gm_adapter_write(const struct gm_params *ps, const struct gm_lora_opts *o,
                                const char *base, const char *dir,
                                struct gm_error *err) GM_NODISCARD;

/* gm_adapter_is - whether `dir` has an adapter_config.json. Errors: NOMEM. */
enum gm_status gm_adapter_is(const char *dir, bool *yes, struct gm_error *err) GM_NODISCARD;

#endif
