/* proposals.h - regions of pictures that a file proposes, whoever found them: a detector, a region proposal
 * network, a person. JSON Lines {"id" or "image", "objects": [{"box": [xmin, ymin, xmax, ymax], "score"?,
 * "label"?}, …]} in pixels of the original image, so that records with objects will do; several lines of one
 * picture count together. */
#ifndef GM_STAGES_PROPOSALS_H
#define GM_STAGES_PROPOSALS_H

#include "record/record.h"

struct gm_proposals;

/* gm_proposals_load - read the file; *out is yours. Errors: IO, NOMEM, FORMAT (path:line: what is wrong). */
enum gm_status gm_proposals_load(struct gm_proposals **out, const char *path,
                                 struct gm_error *err) GM_NODISCARD;
void gm_proposals_free(struct gm_proposals *p); /* NULL-safe */

/* gm_proposals_find - those of a post, by its id, else by its picture's name without folders: *n, borrowed; 0
 * where the file has none. Threads: yes. */
const struct gm_object *gm_proposals_find(const struct gm_proposals *p, const struct gm_post *post,
                                          size_t *n);

#endif
