/* onnx_meta.h - a text of an ONNX file's metadata, which OpenVINO's C interface does not tell. */
#ifndef GM_VISION_ONNX_META_H
#define GM_VISION_ONNX_META_H

#include "base/arena.h"
#include "base/status.h"

/* gm_onnx_meta - the value of the metadata key `key` of the file `path`, copied into the arena.
 * Errors: IO, MODEL (no ONNX file, or no such key), NOMEM. */
enum gm_status gm_onnx_meta(struct gm_arena *a, const char *path, const char *key,
                            struct gm_str *out, struct gm_error *err) GM_NODISCARD;

#endif
