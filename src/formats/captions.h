/* captions.h - image captions by post id from RiVEG's files.
 *
 *   imgid:797970###The picture shows a mailbox with …
 *   goes on, over empty lines too, until the next "imgid:" line
 *
 * The white space of a caption is kept as one space each run. Of an id that repeats, the last
 * caption counts. Source: github.com/JinYuanLi0012/RiVEG. */
#ifndef GM_FORMATS_CAPTIONS_H
#define GM_FORMATS_CAPTIONS_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"
#include "record/labels.h"
#include "record/losses.h"

struct gm_captions;

/* gm_captions_load - read a whole file (at most 1 GiB of captions). *out is yours; immutable, may
 * be read from any thread. Errors: IO, NOMEM, FORMAT with path:line (text before the first imgid, an
 * imgid line without ###). */
enum gm_status gm_captions_load(struct gm_captions **out, const char *path,
                                struct gm_error *err) GM_NODISCARD;
void gm_captions_free(struct gm_captions *c); /* NULL-safe */

/* gm_captions_get - the caption of a post; empty when there is none. Borrowed. c NULL = none. */
struct gm_str gm_captions_get(const struct gm_captions *c, struct gm_str id);
/* gm_captions_copy - the same, copied into the arena; *caption stays as it is where there is none.
 * Errors: NOMEM. */
enum gm_status gm_captions_copy(const struct gm_captions *c, struct gm_str id, struct gm_arena *a,
                                struct gm_str *caption, struct gm_error *err) GM_NODISCARD;
size_t gm_captions_count(const struct gm_captions *c);

/* gm_captions_unused - count those whose id is none of `ids` in `lost`, as `what`. c NULL = none. */
void gm_captions_unused(const struct gm_captions *c, const struct gm_labels *ids, const char *what,
                        struct gm_losses *lost);

#endif
