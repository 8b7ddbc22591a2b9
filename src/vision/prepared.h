/* prepared.h - vision models as the runtime has prepared them, kept in a folder of files that all runs
 * share, so that the next start is spared half of the work. Only session_load.c uses it.
 *
 * A file is one prepared model, as the runtime writes it, and behind it a mark: what the file is, its length and a
 * checksum of content and key. The key says what the content depends on (gm_prepared_new), and its
 * SHA-256 is the file's name. A file that is not whole, not of this key or not the user's own is as if it
 * were not there, and is replaced. Files appear by a rename, so that two processes may keep the same one at once
 * and a reader has it whole or not at all.
 * What is used last stays: beyond GM_PREPARED_BYTES_MAX the files are removed that were not used for longest.
 *
 * Nothing depends on the folder: where it can't be made, read or written, models are prepared anew.
 * Functions are safe from any thread on different objects. */
#ifndef GM_VISION_PREPARED_H
#define GM_VISION_PREPARED_H

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"

/* Of all files together; a model of over a quarter of it is not kept. */
#define GM_PREPARED_BYTES_MAX ((size_t)512 << 20)

struct gm_prepared {
    struct gm_arena arena;
    const char *path;   /* of the file; NULL = there is no folder for it */
    struct gm_str key;  /* what the content depends on */
    struct gm_map map;  /* of the file, while a model uses it */
    struct gm_str blob; /* the content, in the map: from the start of a page on; .p NULL = none */
};

/* gm_prepared_init - the place of one prepared model in $GMNER_VISION_CACHE, else gmner/vision in $XDG_CACHE_HOME
 * or ~/.cache: none where the variable is "none" or nothing is set.
 *   model    the model's file: its path, length and times of change are part of the key
 *   runtime  the version of what prepares it
 *   how      what else the content depends on, such as precision and shapes
 * The processor's features are part of the key too. `p` is cleared with gm_prepared_clear whatever the
 * result. Errors: NOMEM. */
enum gm_status gm_prepared_init(struct gm_prepared *p, const char *model, const char *runtime,
                                struct gm_str how, struct gm_error *err) GM_NODISCARD;
/* gm_prepared_clear - after the model that was made from the content has gone: it reads on in it. */
void gm_prepared_clear(struct gm_prepared *p);

/* gm_prepared_find - p->blob, if there is a good file; then it counts as used now. Errors: NOMEM. */
enum gm_status gm_prepared_find(struct gm_prepared *p, struct gm_error *err) GM_NODISCARD;

/* gm_prepared_drop - the runtime does not take p->blob: forget it, and remove the file. */
void gm_prepared_drop(struct gm_prepared *p);

/* gm_prepared_keep - write the file with this content, and remove what is too much in its folder. What can't be
 * written is left. Errors: NOMEM. */
enum gm_status gm_prepared_keep(struct gm_prepared *p, struct gm_str blob,
                                struct gm_error *err) GM_NODISCARD;

#endif
