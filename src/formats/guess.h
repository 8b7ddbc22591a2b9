/* guess.h - which format a file is in, by its beginning. Internal to src/formats. */
#ifndef GM_FORMATS_GUESS_H
#define GM_FORMATS_GUESS_H

#include "formats/reader.h"

/* gm_format_guess_file - look at a folder, or at the first 64 KiB of a regular file. AUTO stays for
 * what is not regular or missing, and for what its first line tells better (CoNLL, JSON Lines). */
enum gm_format gm_format_guess_file(const char *path);

/* gm_format_guess_line - by the first line that is not empty: JSONL or CONLL. Errors: FORMAT with
 * path:line (NUL bytes; JSON that is one document, which standard input needs --from for). */
enum gm_status gm_format_guess_line(struct gm_str line, const char *path, size_t number,
                                    enum gm_format *out, struct gm_error *err) GM_NODISCARD;

#endif
