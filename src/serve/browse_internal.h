/* browse_internal.h - what the files of browse.h share. */
#ifndef GM_SERVE_BROWSE_INTERNAL_H
#define GM_SERVE_BROWSE_INTERNAL_H

#include "eval/eval.h"
#include "serve/browse.h"
#include "serve/post_spool.h"

#include <pthread.h>
#include <sys/types.h>

enum { BROWSE_TYPES = 63, BROWSE_SOURCES = 31, BROWSE_LEASES = 256, BROWSE_RECORD_MAX = 1 << 28 };

/* What an entity has wrong, as bits. */
enum { WRONG_SPAN = 1, WRONG_TYPE = 2, WRONG_IMAGE = 4, WRONG_BOX = 8 };

/* What posts are compared with. */
enum { BROWSE_GOLD, BROWSE_BESIDE, BROWSE_RIVALS };

struct browse_row {
    struct gm_str id, text; /* the text's beginning */
    uint64_t types;         /* bit i: an entity has type i; the last bit: one that has no number */
    uint32_t sources, n_entities;
    double score_min; /* over 1: there is no entity */
    float uncertainty;
    struct {
        uint8_t wrong;
        bool has; /* the rival has the post, and they can be compared */
    } by[BROWSE_RIVALS];
    bool has_image, has_region, has_error;
    size_t version;
    off_t at; /* of the version's line in the journal, where version > 0 */
    size_t n;
};

struct browse_rank {
    float uncertainty;
    size_t row;
};

struct browse_lease {
    size_t post;
    long long until_ns;
    char who[GM_BROWSE_WHO_MAX], name[GM_BROWSE_WHO_MAX];
};

struct gm_browse {
    pthread_mutex_t lock;
    struct gm_arena arena; /* ids, texts, names */
    const char *path, *journal_path;
    struct gm_post_spool *posts, *rivals[BROWSE_RIVALS]; /* a rival NULL = there is none */
    struct gm_eval *eval;
    struct browse_row *rows;
    size_t n, cap;
    struct browse_rank *
        by_uncertainty; /* [n], as of the start, so that a queue stays as it is while one goes through it */
    struct gm_str types[BROWSE_TYPES], sources[BROWSE_SOURCES];
    size_t n_types, n_sources, n_corrected;
    int journal; /* -1 = not open */
    off_t journal_end;
    struct browse_lease leases[BROWSE_LEASES];
};

/* gm_browse_note - what the index tells of post i is that of `post` from now on. */
enum gm_status gm_browse_note(struct gm_browse *b, size_t i, const struct gm_post *post,
                              struct gm_error *err) GM_NODISCARD;
/* gm_browse_journal_open - read the journal and note what it has. gm_browse_journal_add - a line for the new
 * record of post i, on the disk when it returns; the row is then that version's. */
enum gm_status gm_browse_journal_open(struct gm_browse *b, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_browse_journal_add(struct gm_browse *b, size_t i, struct gm_str who,
                                     const struct gm_post *post, struct gm_error *err) GM_NODISCARD;
/* gm_browse_journal_get - the record of post i of a row whose version > 0; *out is yours. */
enum gm_status gm_browse_journal_get(const struct gm_browse *b, size_t i, struct gm_json **out,
                                     struct gm_error *err) GM_NODISCARD;

/* gm_browse_read - gm_browse_post under the lock. */
enum gm_status gm_browse_read(struct gm_browse *b, size_t i, struct gm_post *post,
                              struct gm_error *err) GM_NODISCARD;

#endif
