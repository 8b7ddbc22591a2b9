/* clip.h - a picture as one vector, by the vision half of any CLIP-like model (CLIP, OpenCLIP, SigLIP
 * exports with the same preprocessing) in ONNX or OpenVINO IR.
 * Source: Radford et al., Learning Transferable Visual Models from Natural Language Supervision, ICML
 * 2021; the preprocessing is that of its image processor: the shorter side to 224 pixels (bicubic),
 * the middle square of that, (value / 255 - mean) / deviation. */
#ifndef GM_VISION_CLIP_H
#define GM_VISION_CLIP_H

#include "base/status.h"
#include "image/image.h"

#include <stdbool.h>
#include <stddef.h>

struct gm_clip;

/* gm_clip_load - a model file of the user. It has one input [N,3,H,W]; where H and W are fixed, they
 * take the place of 224. Of its outputs "image_embeds" is taken, else "pooler_output", else the first
 * of rank 2, else the first; it must be one vector a picture. *out is yours.
 *   bf16  compute in bf16 where the CPU multiplies it; else f32
 * Errors: MODEL (no such file, not such a model: says what it has), those of gm_session_load and
 * gm_session_run. Costs one run. */
enum gm_status gm_clip_load(struct gm_clip **out, const char *path, bool bf16,
                            struct gm_error *err) GM_NODISCARD;
void gm_clip_free(struct gm_clip *c); /* NULL-safe */

/* gm_clip_dim - numbers a vector has. gm_clip_lanes - how many pictures may be looked at at once
 * (vision/vision_session.h). */
size_t gm_clip_dim(const struct gm_clip *c);
size_t gm_clip_lanes(const struct gm_clip *c);

/* gm_clip_run - the vector of one picture.
 *   lane  in [0, gm_clip_lanes)
 *   out   [dim] out  of length 1; zeros where the model gives nothing else
 * Errors: NOMEM, MODEL, SHAPE. Threads: one at a time for a lane. */
enum gm_status gm_clip_run(struct gm_clip *c, size_t lane, const struct gm_image *im, float *out,
                           struct gm_error *err) GM_NODISCARD;

#endif
