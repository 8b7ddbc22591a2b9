/* jsonl.h - posts from JSON Lines: one record a line (docs/record.md). Internal to src/formats. */
#ifndef GM_FORMATS_JSONL_H
#define GM_FORMATS_JSONL_H

#include "formats/text_lines.h"
#include "record/record.h"

/* gm_jsonl_next - as gm_reader_next; a record without an id stays without one. *line is the number
 * of its line. base_dir: what relative image paths start from (NULL: the working directory). */
enum gm_status gm_jsonl_next(struct gm_text_lines *lines, const char *base_dir,
                             struct gm_post *post, size_t *line, bool *has,
                             struct gm_error *err) GM_NODISCARD;

#endif
