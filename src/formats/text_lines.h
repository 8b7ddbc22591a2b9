/* text_lines.h - the lines of a text file as the format readers want them: valid UTF-8, and the last one
 * can be handed back. Internal to src/formats. */
#ifndef GM_FORMATS_TEXT_LINES_H
#define GM_FORMATS_TEXT_LINES_H

#include "base/lines.h"

struct gm_text_lines {
    struct gm_lines *lines;
    struct gm_buf repaired; /* the line, when it held invalid UTF-8 */
    struct gm_str line;
    bool is_unread;
    bool told_latin1; /* one warning a file */
};

/* The longest line read, in bytes: a post of GM_POST_MAX_WORDS usual words as JSON. */
#define GM_TEXT_LINE_MAX ((size_t)32 << 20)

/* gm_text_lines_open - path "-" = standard input. Errors: IO, NOMEM. Cleared by gm_text_lines_close. */
enum gm_status gm_text_lines_open(struct gm_text_lines *f, const char *path,
                                  struct gm_error *err) GM_NODISCARD;
/* gm_text_lines_of - of an open input, which is borrowed. Errors: NOMEM. */
enum gm_status gm_text_lines_of(struct gm_text_lines *f, struct gm_input *in,
                                struct gm_error *err) GM_NODISCARD;
void gm_text_lines_close(struct gm_text_lines *f);

/* gm_text_lines_next - as gm_lines_next, each maximal invalid UTF-8 subpart replaced by U+FFFD. The view
 * is valid until the next call that reads. */
enum gm_status gm_text_lines_next(struct gm_text_lines *f, struct gm_str *line, bool *has,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_tell_latin1 - warn, and say true, when ill-formed `text`, which begins at that line of the file,
 * looks like Latin-1 or Windows-1252: replacing its letters is hardly what the user wants. */
bool gm_tell_latin1(struct gm_str text, const char *path, size_t line);

/* gm_text_lines_unread - let the next gm_text_lines_next return the last line once more. */
void gm_text_lines_unread(struct gm_text_lines *f);

size_t gm_text_lines_number(const struct gm_text_lines *f); /* of the line last returned, 1-based */
const char *gm_text_lines_path(const struct gm_text_lines *f); /* for messages */

#endif
