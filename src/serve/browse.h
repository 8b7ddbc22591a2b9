/* browse.h - a file of posts that people look through and correct.
 *
 * The posts are read once into a spool (post_spool.h) and a row of an index each. A correction is a new record
 * of one post with the next version number: one line of FILE.corrections.jsonl, which is only ever appended to
 * and is on the disk before the correction counts. So a process that is killed loses nothing, what was there
 * before stays in the journal, and the file itself is never changed. A last line that was cut short is dropped.
 *
 * Safe from any thread: one lock, held while a record is read or written. */
#ifndef GM_SERVE_BROWSE_H
#define GM_SERVE_BROWSE_H

#include "base/json.h"
#include "formats/format_table.h"
#include "record/record.h"

struct gm_browse;

enum { GM_BROWSE_WHO_MAX = 64, GM_BROWSE_LEASE_S = 30 };

/* gm_browse_open - the file at `path` (any format, or a run folder), with its journal; it is compared with the files
 * `gold` and `beside` as they are on the disk, NULL = with none. *out is yours. Errors: those of gm_post_spool_open;
 * IO (the journal can't be written, or another process has it), FORMAT (the journal is of other posts), NOMEM. */
enum gm_status gm_browse_open(struct gm_browse **out, const char *path, const char *gold,
                              const char *beside, struct gm_error *err) GM_NODISCARD;
void gm_browse_free(struct gm_browse *b); /* NULL-safe; not while others use it */

size_t gm_browse_count(const struct gm_browse *b);
/* gm_browse_find - the number of the post with an id; SIZE_MAX = none. */
size_t gm_browse_find(const struct gm_browse *b, struct gm_str id);
/* gm_browse_about - append {"name", "posts", "types", "sources", "gold", "corrected"}. Errors: NOMEM. */
enum gm_status gm_browse_about(struct gm_browse *b, struct gm_buf *out,
                               struct gm_error *err) GM_NODISCARD;

/* Which posts are wanted; an empty text and a score of 1 want all. */
struct gm_browse_filter {
    struct gm_str type, source; /* of an entity */
    double score_max;           /* an entity's score is at most that */
    struct gm_str image; /* "found" (a region), "unfound" (an image, no region), "text", "error" */
    struct gm_str wrong; /* "any", "right", "span", "type", "entailment", "box": against gold */
    struct gm_str differs;   /* the same words: from the file beside, as if that were gold */
    struct gm_str corrected; /* "yes", "no" */
    bool by_uncertainty;     /* the most uncertain first (corpus/select.h), else as in the file */
};

/* gm_browse_rows - append {"total", "rows": [...]}, rows from..from+count-1 of those wanted. Errors: ARG (a filter
 * of another word), NOMEM. Cost: O(posts). */
enum gm_status gm_browse_rows(struct gm_browse *b, const struct gm_browse_filter *f, size_t from,
                              size_t count, struct gm_buf *out, struct gm_error *err) GM_NODISCARD;

/* gm_browse_post - a post as it is now, with its version (0 = as in the file). *post is initialised, and the
 * caller clears it, also on failure. Errors: IO, NOMEM. */
enum gm_status gm_browse_post(struct gm_browse *b, size_t i, struct gm_post *post, size_t *version,
                              struct gm_error *err) GM_NODISCARD;

/* How an edit went. */
enum gm_browse_result {
    GM_BROWSE_DONE,
    GM_BROWSE_HELD /* another has it */,
    GM_BROWSE_OLD /* there is a newer one */
};

/* gm_browse_lease - the post is who's for GM_BROWSE_LEASE_S from now, or no more (`ends`). `holder` [GM_BROWSE_WHO_MAX]:
 * the name of who has it where that is another. */
enum gm_browse_result gm_browse_lease(struct gm_browse *b, size_t i, struct gm_str who,
                                      struct gm_str name, bool ends, char *holder);

/* gm_browse_save - the post has these entities from now on, if it still has version `version` and nobody else has
 * the lease; takes `entities` over. Errors: FORMAT (no entities of this text), IO, NOMEM. */
enum gm_status gm_browse_save(struct gm_browse *b, size_t i, size_t version, struct gm_str who,
                              struct gm_json *entities, enum gm_browse_result *result,
                              struct gm_error *err) GM_NODISCARD;

/* gm_browse_export - append the file of all posts as they are now in a format of `gmner data`; Pascal VOC, which is
 * a folder, as a tar archive. Paths of pictures are right where the file lies beside the one that is browsed.
 * Ends early at the thread's limit (base/stop.h). Errors: those of gm_writer_open; CANCEL, AGAIN (the limit), IO,
 * NOMEM. */
enum gm_status gm_browse_export(struct gm_browse *b, enum gm_format format, struct gm_buf *out,
                                struct gm_error *err) GM_NODISCARD;

#endif
