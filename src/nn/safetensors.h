/* safetensors.h - reading (mapped, nothing copied) and writing safetensors files.
 * Format: u64 little-endian header length, a JSON header {name: {dtype, shape, data_offsets}},
 * then the data. Source: the safetensors format description.
 *
 * A file is checked whole before anything of it is used: header within the file and under 100 MB,
 * shapes that multiply without overflow and fit their byte ranges, ranges that neither overlap nor
 * leave holes and end exactly at the file's end. */
#ifndef GM_NN_SAFETENSORS_H
#define GM_NN_SAFETENSORS_H

#include "base/str.h"
#include "nn/tensor.h"

struct gm_safetensors;

/* gm_safetensors_open - map and check the file. *out is yours. Errors: IO, NOMEM, FORMAT (messages
 * start with the path and name the tensor). */
enum gm_status gm_safetensors_open(struct gm_safetensors **out, const char *path,
                                   struct gm_error *err) GM_NODISCARD;
/* gm_safetensors_open_dir - the weights of a Hugging Face directory: model.safetensors, or the files
 * that model.safetensors.index.json names, as if they were one (its path is the index's).
 * Errors: as gm_safetensors_open; MODEL (neither is there, with what to do about a
 * pytorch_model.bin; a tensor is not in the file that the index names). */
enum gm_status gm_safetensors_open_dir(struct gm_safetensors **out, const char *dir,
                                       struct gm_error *err) GM_NODISCARD;
/* gm_safetensors_join - several files as one: takes over files [n], also when it fails; `path` names
 * the whole in messages. A name in several of them is that of the first. Errors: NOMEM. */
enum gm_status gm_safetensors_join(struct gm_safetensors **out, const char *path,
                                   struct gm_safetensors *const *files, size_t n,
                                   struct gm_error *err) GM_NODISCARD;
void gm_safetensors_free(struct gm_safetensors *f); /* NULL-safe; all views of it become invalid */

/* gm_safetensors_get - *out views tensor `name`; false when the file has none. Valid while f lives.
 * A tensor that shares its memory with another one is stored once by safetensors.torch.save_model, and
 * "__metadata__"[name] is then the name of the stored one: it is found by both. */
bool gm_safetensors_get(const struct gm_safetensors *f, const char *name, struct gm_tensor *out);

/* gm_safetensors_release - the values of a view of a file were read and are not needed for now (gm_map_release). */
void gm_safetensors_release(const struct gm_tensor *t);

size_t gm_safetensors_count(const struct gm_safetensors *f);
const char *gm_safetensors_name(const struct gm_safetensors *f, size_t i);
const char *gm_safetensors_path(const struct gm_safetensors *f);

/* gm_safetensors_metadata - value of "__metadata__"[key]; false when absent (always in joined ones).
 * Borrowed. */
bool gm_safetensors_metadata(const struct gm_safetensors *f, const char *key, struct gm_str *out);

/* gm_safetensors_write - n tensors to `path`, whole or not at all; `metadata` is NULL or key, value,
 * key, value, …, NULL. Errors: IO, NOMEM. */
enum gm_status gm_safetensors_write(const char *path, const struct gm_tensor *tensors,
                                    const char *const *names, size_t n, const char *const *metadata,
                                    struct gm_error *err) GM_NODISCARD;

#endif
