/* input.h - the bytes of a file, a pipe or standard input, read once from front to back. What gzip
 * packed is unpacked on the way, known by its first bytes, so that every reader takes such files.
 * The bytes at the front can be looked at before they are read: a pipe gives them only once. */
#ifndef GM_BASE_INPUT_H
#define GM_BASE_INPUT_H

#include "base/buf.h"
#include "base/file.h"
#include "base/status.h"
#include "base/str.h"

struct gm_input;

/* gm_input_open - path "-" = standard input. Errors: IO (missing, a directory, unreadable), NOMEM. */
enum gm_status gm_input_open(struct gm_input **out, const char *path,
                             struct gm_error *err) GM_NODISCARD;
void gm_input_close(struct gm_input *in); /* NULL-safe; standard input stays open */

/* gm_input_is_once - whether what is at a path can be read one time only: standard input, "-", and what is neither a
 * file nor a folder, such as a pipe. false: nothing is there. */
bool gm_input_is_once(const char *path);

/* gm_input_read - at least 1 and at most n of the next bytes to p; *got is 0 at the end only. Waits
 * for no more than it must: what a pipe has is given at once.
 * Errors: IO; FORMAT (gzip data that is damaged or ends too early; a file packed by another program,
 * which is named); NOMEM. */
enum gm_status gm_input_read(struct gm_input *in, char *p, size_t n, size_t *got,
                             struct gm_error *err) GM_NODISCARD;

/* gm_input_peek - the bytes at the front, before any was read: *head, which is valid until the next
 * call, is longer than at the last call by what one read gives, until it has over max bytes or
 * *at_end. The same bytes are then read. Errors: as gm_input_read. */
enum gm_status gm_input_peek(struct gm_input *in, size_t max, struct gm_str *head, bool *at_end,
                             struct gm_error *err) GM_NODISCARD;

/* gm_input_all - all bytes: *map of a regular file that is not packed, else *copy, which the caller has
 * initialised and whose maximum holds; *text is the view of one of them. None may have been read. The
 * caller closes and clears both. Errors: as gm_input_read; NOMEM (over the maximum). */
enum gm_status gm_input_all(struct gm_input *in, struct gm_map *map, struct gm_buf *copy,
                            struct gm_str *text, struct gm_error *err) GM_NODISCARD;

/* gm_input_on_wait - call `wait` before every read of the descriptor, which may be a pipe or a terminal
 * that has nothing yet: it is to return when descriptor fd has something (poll), and may do other work
 * until then. A status other than OK is what the reading call then returns. NULL = just wait. */
typedef enum gm_status gm_wait_fn(void *user, int fd, struct gm_error *err);
void gm_input_on_wait(struct gm_input *in, gm_wait_fn *wait, void *user);

const char *gm_input_path(const struct gm_input *in); /* for messages; "standard input" for "-" */

#endif
