/* backends.h - every backend there is, for the table in stages.c. A backend is a file
 * STAGE_NAME.c that defines one of these; `retag`, `encode` and
 * `detect`, in no recipe, are the steps behind inform and in front of entail and look. */
#ifndef GM_STAGES_BACKENDS_H
#define GM_STAGES_BACKENDS_H

#include "stages/stage.h"

extern const struct gm_backend gm_backend_tag_native;
extern const struct gm_backend gm_backend_retag_native; /* in tag_native.c */
extern const struct gm_backend gm_backend_inform_llm;
extern const struct gm_backend gm_backend_refine_llm;
extern const struct gm_backend gm_backend_look_detector;
extern const struct gm_backend gm_backend_detect; /* in look_detector.c */
extern const struct gm_backend gm_backend_look_llm;
extern const struct gm_backend gm_backend_read_ppocr;
extern const struct gm_backend gm_backend_expand_template;
extern const struct gm_backend gm_backend_expand_llm;
extern const struct gm_backend gm_backend_entail_native;
extern const struct gm_backend gm_backend_encode_native; /* in entail_native.c */
extern const struct gm_backend gm_backend_entail_llm;
extern const struct gm_backend gm_backend_ground_objects;
extern const struct gm_backend gm_backend_ground_phrases;
extern const struct gm_backend gm_backend_ground_llm;
extern const struct gm_backend gm_backend_check_llm;
extern const struct gm_backend gm_backend_segment_matting;
extern const struct gm_backend gm_backend_segment_sam;

/* gm_ground_pass_by, gm_segment_pass_by - `pass_by` of the stages ground and segment: an entity that
 * was judged, and a region without a mask, are told that there is no image. */
enum gm_status gm_ground_pass_by(struct gm_post *p, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_segment_pass_by(struct gm_post *p, struct gm_error *err) GM_NODISCARD;

#endif
