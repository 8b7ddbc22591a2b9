/* samples.h - the setting `samples` of inform: posts with their knowledge, as a model is shown them.
 *
 *   samples: FILE                                 lines {"text","caption"?,"knowledge"}, the same for every post
 *   samples: {pool: FILE, n: 5, from, images, text, tagger, precision, clip, image_weight: 0.5,
 *             duplicate: 0.8}                     those of a pool that are most like the post (similar/joint.h)
 *
 * Without the setting: prompts/inform_samples.jsonl. A pool's posts without knowledge are passed over. */
#ifndef GM_STAGES_SAMPLES_H
#define GM_STAGES_SAMPLES_H

#include "stages/stage.h"

#define GM_SAMPLES_SETTINGS "samples"

struct gm_samples;

/* gm_samples_open - read the setting and its file. *out is yours. Errors: ARG (of the setting), IO, FORMAT
 * (naming file and line), those of gm_joint_load. Cost: a pool through the tagger. */
enum gm_status gm_samples_open(struct gm_samples **out, const struct gm_json *settings,
                               struct gm_error *err) GM_NODISCARD;
void gm_samples_free(struct gm_samples *s); /* NULL-safe */

/* gm_samples_write - append those for one post, the most similar first: "Post: …", "Photo: …" where there is
 * a caption, "Knowledge: …", a line each, an empty line between two. As many as 64 KiB hold.
 * Errors: NOMEM, those of gm_joint_find. Threads: yes. */
enum gm_status gm_samples_write(struct gm_samples *s, struct gm_post *post, struct gm_buf *out,
                                struct gm_error *err) GM_NODISCARD;

/* gm_samples_fingerprint - what they are, as lines of a stage's fingerprint: the posts, the models that
 * choose. Errors: as gm_samples_open. */
enum gm_status gm_samples_fingerprint(const struct gm_json *settings, struct gm_buf *out,
                                      struct gm_error *err) GM_NODISCARD;

#endif
