/* check.h - what breaks benchmarks, found in annotated files: see gm_check_kind. */
#ifndef GM_CORPUS_CHECK_H
#define GM_CORPUS_CHECK_H

#include "formats/reader.h"

enum gm_check_kind {
    GM_CHECK_UNREADABLE,   /* a post that can't be read */
    GM_CHECK_LEFT_OUT,     /* what the reader could not use: a mask that can't be decoded, … */
    GM_CHECK_TAGS,         /* tags that are no valid BIO or BIOES */
    GM_CHECK_ENTITY_EMPTY, /* an entity of nothing or of white space; entity_faults.h has more */
    GM_CHECK_ENTITY_SPACE,
    GM_CHECK_ENTITY_MID_WORD,
    GM_CHECK_ENTITY_TWICE,
    GM_CHECK_ENTITY_OVERLAP,
    GM_CHECK_TYPE_UNKNOWN,    /* a type that is not listed, or that no other file has */
    GM_CHECK_BOX_NAME,        /* a box whose name is no entity of its post */
    GM_CHECK_BOX_EMPTY,       /* a box without area */
    GM_CHECK_BOX_OUTSIDE,     /* a box that leaves the picture */
    GM_CHECK_MASK_UNREADABLE, /* runs that are none, or that do not add up to its size */
    GM_CHECK_MASK_SIZE,       /* a mask of another size than the picture */
    GM_CHECK_MASK_EMPTY,      /* a mask without a pixel inside */
    GM_CHECK_IMAGE_MISSING,
    GM_CHECK_IMAGE_UNREADABLE,
    GM_CHECK_IMAGE_SIZE, /* a picture of another size than its boxes' file says */
    GM_CHECK_ID_TWICE,   /* in one file */
    GM_CHECK_LEAK_ID,    /* an id of an earlier file */
    GM_CHECK_LEAK_EXACT, /* a text of an earlier file, web addresses and case aside */
    GM_CHECK_LEAK_NEAR,  /* nearly a text of an earlier file */
    GM_CHECK_KINDS
};

struct gm_check_opts {
    const char *xml_dir; /* boxes of the posts; NULL = none */
    double similarity;   /* of near-duplicates, 0..1 */
    const char *types; /* the types that there are, by commas; NULL: a type is known that another of
                          the files has */
    void (*found)(void *user, enum gm_check_kind kind, const char *file, size_t line,
                  struct gm_str id, const char *message); /* called for each finding */
    void *user;
};

struct gm_check;

/* gm_check_new - what opts points to must outlive the object. Errors: NOMEM. */
enum gm_status gm_check_new(struct gm_check **out, const struct gm_check_opts *opts,
                            struct gm_error *err) GM_NODISCARD;
void gm_check_free(struct gm_check *c); /* NULL-safe */

/* gm_check_file - read every post of an open reader, which keeps bad boxes and counts in `lost`;
 * several files are splits of one benchmark.
 * Images are decoded, so that this costs their decoding; texts cost linear time.
 * Errors: IO, NOMEM; what is wrong with the data is found, not failed on. */
enum gm_status gm_check_file(struct gm_check *c, struct gm_reader *r, struct gm_losses *lost,
                             struct gm_error *err) GM_NODISCARD;

/* gm_check_finish - behind the last file: find what only all files together tell (types). */
void gm_check_finish(struct gm_check *c);

/* gm_check_posts - posts read. gm_check_count - findings of a kind. gm_check_name - "leak-near". */
size_t gm_check_posts(const struct gm_check *c);
size_t gm_check_count(const struct gm_check *c, enum gm_check_kind kind);
const char *gm_check_name(enum gm_check_kind kind);

#endif
