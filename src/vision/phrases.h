/* phrases.h - finds what phrases describe in pictures, with an open-vocabulary detector that the user exported to
 * ONNX: OWL-ViT, OWLv2 or Grounding DINO, in a folder as optimum's and transformers.js's exports are:
 *
 *   onnx/model.onnx or model.onnx, or openvino_model.xml    inputs pixel_values, input_ids and, where it has
 *                                          them, attention_mask, token_type_ids, pixel_mask; outputs
 *                                          logits and pred_boxes
 *   config.json                            model_type owlvit, owlv2 or grounding-dino; the most tokens of a text
 *   preprocessor_config.json               how a picture is prepared (vision/processor.h)
 *   tokenizer.json                         (tokenizer/tokenizer.h)
 *
 * All phrases of a picture go through the model in one run, as far as its text has room for them.
 * Sources: Minderer et al., ECCV 2022 (OWL-ViT) and NeurIPS 2023 (OWLv2); Liu et al., ECCV 2024 (Grounding
 * DINO); what is computed around the models: transformers 5.23. */
#ifndef GM_VISION_PHRASES_H
#define GM_VISION_PHRASES_H

#include "base/arena.h"
#include "base/status.h"
#include "image/image.h"
#include "vision/nanodet.h"

#include <stdbool.h>

struct gm_phrases;

/* gm_phrases_files - the files of the folder that a detector is of: config.json, preprocessor_config.json,
 * tokenizer.json, and last the model's network, whose weights may be beside it; in the arena. Errors: MODEL (one
 * is missing: says which), NOMEM. */
enum { GM_PHRASES_FILES = 4 };
enum gm_status gm_phrases_files(struct gm_arena *a, const char *dir,
                                const char *paths[GM_PHRASES_FILES],
                                struct gm_error *err) GM_NODISCARD;

/* gm_phrases_load - a folder as above. *out is yours.
 *   bf16  compute in bf16 where the CPU multiplies it
 * Errors: MODEL (a file is missing, or is of another kind: says which and what would fit), FORMAT (no JSON), those
 * of gm_session_load. Costs the reading of the weights: seconds. */
enum gm_status gm_phrases_load(struct gm_phrases **out, const char *dir, bool bf16,
                               struct gm_error *err) GM_NODISCARD;
void gm_phrases_free(struct gm_phrases *d); /* NULL-safe */

/* gm_phrases_lanes - how many pictures may be looked at at once (vision/vision_session.h): one, with all
 * threads, as the models are large. */
size_t gm_phrases_lanes(const struct gm_phrases *d);

/* What the model says of a picture, in an arena. */
struct gm_phrases_found {
    size_t n_phrases; /* of those given, the first so many */
    size_t n_boxes;
    double (*boxes)[4]; /* [n_boxes] xyxy, pixels of the picture; they may reach out of it */
    float *logits; /* [n_boxes][n_phrases]; Grounding DINO's: the largest of the phrase's tokens */
    float *
        best; /* Grounding DINO: [n_boxes] the largest logit of a box, of whatever token; else NULL */
};

/* gm_phrases_run - one inference.
 *   lane     in [0, gm_phrases_lanes)
 *   phrases  [n], n >= 1
 * Where not all phrases fit in the model's text, out->n_phrases is less than n (never 0): call it again with the
 * others. Errors: NOMEM, MODEL, SHAPE. Threads: one at a time for a lane. */
enum gm_status gm_phrases_run(struct gm_phrases *d, size_t lane, const struct gm_image *im,
                              const struct gm_str *phrases, size_t n, struct gm_arena *a,
                              struct gm_phrases_found *out, struct gm_error *err) GM_NODISCARD;

struct gm_phrases_opts {
    double
        score_min; /* a box needs more; Grounding DINO: its best token does, of whatever phrase, */
    double text_min; /* and the phrase's best token needs more than this */
    double iou_max;  /* of two boxes of a phrase that overlap more, the weaker is dropped */
};

/* gm_phrases_opts_default - transformers' thresholds: 0.1 and 0, of Grounding DINO 0.25 and 0.25; iou_max 0.5. */
struct gm_phrases_opts gm_phrases_opts_default(const struct gm_phrases *d);

/* gm_phrases_pick - the boxes of phrase k of `found`, best first, clipped to w x h pixels; score is the
 * sigmoid of the phrase's logit. out [max] out; returns how many. Pure. Cost: linear in boxes, and max^2. */
size_t gm_phrases_pick(const struct gm_phrases_found *found, size_t k,
                       const struct gm_phrases_opts *opts, uint32_t w, uint32_t h,
                       struct gm_detection *out, size_t max);

#endif
