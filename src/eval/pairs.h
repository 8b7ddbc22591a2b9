/* pairs.h - gold posts and their predictions from two files, whatever the format of each.
 *
 * Posts are paired by id; files in the same order are read side by side in constant memory, else
 * predictions wait in a temporary file for their gold post, and memory holds an index of their ids.
 * Of an id that repeats, the first goes with the first, the second with the second. Files where one
 * has no ids are paired by position. Files of RiVEG lines and CCKS entities have nothing for a post
 * without entities: a post that such a file lacks is paired with an empty one. Else nothing is left
 * out in silence: see gm_pairs_next. */
#ifndef GM_EVAL_PAIRS_H
#define GM_EVAL_PAIRS_H

#include "formats/reader.h"

struct gm_pairs;

/* gm_pairs_open - opts (of both files) NULL = all defaults. *out is yours.
 * Errors: as gm_reader_open; ARG (both are standard input). */
enum gm_status gm_pairs_open(struct gm_pairs **out, const char *gold_path, const char *pred_path,
                             const struct gm_reader_opts *opts, struct gm_error *err) GM_NODISCARD;
void gm_pairs_free(struct gm_pairs *p); /* NULL-safe */

/* gm_pairs_next - the next gold post, in the gold file's order, with its prediction (then what only
 * the predictions hold, see above); the caller clears both. *has false: no more pairs (neither post
 * is then initialised). Errors (*has false, nothing more can be read): a post of either file that
 * can't be read (path:line); IO (the temporary file); at the end, FORMAT when gold posts had no
 * prediction or predictions no gold post, with their numbers and the first id and line of each. */
enum gm_status gm_pairs_next(struct gm_pairs *p, struct gm_post *gold, struct gm_post *pred,
                             bool *has, struct gm_error *err) GM_NODISCARD;

/* gm_pairs_blame - put before a message about the pair returned last where its posts stand:
 * "gold.txt:5 and out.jsonl:2: ". NULL err is allowed. */
void gm_pairs_blame(const struct gm_pairs *p, struct gm_error *err);

#endif
