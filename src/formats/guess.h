/* guess.h - which format a file is in, by its beginning. Internal to src/formats. */
#ifndef GM_FORMATS_GUESS_H
#define GM_FORMATS_GUESS_H

#include "formats/reader.h"

/* gm_format_guess - look at an input's beginning, at most 64 KiB of it, and of a pipe no further than it
 * takes. AUTO is for what the first line tells better (CoNLL, JSON Lines). Errors: as gm_input_peek. */
enum gm_status gm_format_guess(struct gm_input *in, enum gm_format *out,
                               struct gm_error *err) GM_NODISCARD;

/* gm_format_guess_line - by the first line that is not empty: JSONL or CONLL. Errors: FORMAT with
 * path:line (NUL bytes; JSON that is one document, which standard input needs --from for). */
enum gm_status gm_format_guess_line(struct gm_str line, const char *path, size_t number,
                                    enum gm_format *out, struct gm_error *err) GM_NODISCARD;

#endif
