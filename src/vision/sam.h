/* sam.h - which pixels a box means, by SAM (Segment Anything: ViT-B/L/H, SlimSAM, MobileSAM) or
 * EfficientSAM: an image encoder, which looks at a picture once, and a mask decoder, which is asked about
 * each box. Both are files of the user (ONNX or OpenVINO IR), in one of three layouts, told apart by the names of
 * their inputs:
 *
 *   transformers  pixel_values -> image_embeddings, image_positional_embeddings;
 *                 input_boxes and/or input_points, input_labels -> iou_scores, pred_masks
 *   Meta's        one input -> image_embeddings; point_coords, point_labels, mask_input, has_mask_input,
 *                 orig_im_size -> masks, iou_predictions, low_res_masks
 *   EfficientSAM  batched_images -> image_embeddings;
 *                 batched_point_coords, batched_point_labels, orig_im_size -> output_masks, iou_predictions
 *
 * Of the masks that a decoder offers for a box, that with the largest predicted IoU counts.
 * Source: Kirillov et al., Segment Anything, ICCV 2023; Xiong et al., EfficientSAM, CVPR 2024. */
#ifndef GM_VISION_SAM_H
#define GM_VISION_SAM_H

#include "base/arena.h"
#include "base/status.h"
#include "image/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gm_sam_files {
    const char *encoder, *decoder;
};

/* gm_sam_find - the two files of a model in folder `dir` or its folder onnx/ (.onnx, .xml): the decoder has
 * "decoder" in its name, the encoder "encoder" alone. Of several (quantised copies beside the whole
 * one) the shortest name counts. What *files names already is taken from the folder instead. The paths live in the
 * arena. Errors: MODEL (none; several alike), IO, NOMEM. */
enum gm_status gm_sam_find(struct gm_arena *a, const char *dir, struct gm_sam_files *files,
                           struct gm_error *err) GM_NODISCARD;

struct gm_sam;

/* gm_sam_load - bf16: of the encoder, where the CPU multiplies it. *out is yours.
 * Errors: MODEL (no such file; inputs or outputs that are none of the three layouts': says which), those of
 * gm_session_load. */
enum gm_status gm_sam_load(struct gm_sam **out, const struct gm_sam_files *files, bool bf16,
                           struct gm_error *err) GM_NODISCARD;
void gm_sam_free(struct gm_sam *s); /* NULL-safe */

/* gm_sam_takes_boxes - whether the decoder takes boxes; false: points alone, and the middle of a box
 * stands for it. */
bool gm_sam_takes_boxes(const struct gm_sam *s);

/* gm_sam_look - encode a picture; gm_sam_mask is about it until the next one. With all threads.
 * Errors: NOMEM, MODEL, SHAPE. Threads: one at a time. */
enum gm_status gm_sam_look(struct gm_sam *s, const struct gm_image *im,
                           struct gm_error *err) GM_NODISCARD;

/* gm_sam_mask - the mask of one box of the picture looked at last.
 *   box   xyxy in its pixels
 *   mask  [h][w] out  1 = inside; it may reach a little out of the box
 *   area  out         pixels set
 *   iou   out         what the model predicts of the mask; NULL: not wanted
 * Errors: MODEL, SHAPE, NOMEM. Threads: one at a time. */
enum gm_status gm_sam_mask(struct gm_sam *s, const double box[4], uint8_t *mask, size_t *area,
                           float *iou, struct gm_error *err) GM_NODISCARD;

/* gm_sam_map - for tests: the logits [h][w] of the mask asked for last, as the decoder gave them; borrowed
 * until the next box. */
const float *gm_sam_map(const struct gm_sam *s, size_t *h, size_t *w);

#endif
