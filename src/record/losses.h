/* losses.h - what a file could not hold, or a reader could not use: named and counted, so that
 * nothing is dropped silently. */
#ifndef GM_RECORD_LOSSES_H
#define GM_RECORD_LOSSES_H

#include "record/record.h"

enum { GM_LOSS_NAME_MAX = 80, GM_LOSS_KINDS_MAX = 64 };

struct gm_loss {
    char what[GM_LOSS_NAME_MAX];  /* "captions" */
    char first[GM_LOSS_NAME_MAX]; /* where it was first seen: "post 17" */
    size_t n;
    bool is_fault; /* of the data, not of the format */
};

/* Owns nothing on the heap; kinds past the 64th are counted together as "other things". */
struct gm_losses {
    struct gm_loss kinds[GM_LOSS_KINDS_MAX];
    size_t n;
};

/* gm_losses_add - count one more of `what`, met in the post `id` (empty: unknown). Long names are
 * cut. l NULL: not counted. */
void gm_losses_add(struct gm_losses *l, const char *what, struct gm_str id);

/* gm_losses_fault - the same, of what is wrong in the data itself: `data check` finds it.
 * gm_losses_mask - a fault: a mask that is left out, and why. */
void gm_losses_fault(struct gm_losses *l, const char *what, struct gm_str id);
void gm_losses_mask(struct gm_losses *l, struct gm_str id, const char *why);

/* gm_losses_unboxed - count an entity that is in the image (GM_VISIBLE_MIN) and has no box, for formats
 * where an entity without a box is not in the image. */
void gm_losses_unboxed(struct gm_losses *l, const struct gm_entity *e, struct gm_str id);

/* gm_losses_tell - one warning a kind in the log of `module`: "WHAT: captions: 3 (first: post 17)". */
void gm_losses_tell(const struct gm_losses *l, const char *module, const char *what);

/* What a record may have beyond what a format can hold, as bits. */
enum gm_holds {
    GM_HOLDS_TEXT = 1 << 0,
    GM_HOLDS_TOKENS = 1 << 1,
    GM_HOLDS_IMAGE = 1 << 2,
    GM_HOLDS_CAPTION = 1 << 3,
    GM_HOLDS_KNOWLEDGE = 1 << 4,
    GM_HOLDS_OBJECTS = 1 << 5,
    GM_HOLDS_ERROR = 1 << 6,
    GM_HOLDS_FIELDS = 1 << 7, /* the input's own fields */
    GM_HOLDS_TYPE = 1 << 8,
    GM_HOLDS_FINE = 1 << 9,
    GM_HOLDS_SCORE = 1 << 10,       /* of an entity, other than 1 */
    GM_HOLDS_UNCERTAINTY = 1 << 11, /* and what the tagger may have missed */
    GM_HOLDS_NOTE = 1 << 12,
    GM_HOLDS_EXPRESSION = 1 << 13,
    GM_HOLDS_VISIBLE = 1 << 14, /* as a probability */
    GM_HOLDS_BOX = 1 << 15,
    GM_HOLDS_BOX_SCORE = 1 << 16, /* other than 1 */
    GM_HOLDS_BOX_LABEL = 1 << 17,
    GM_HOLDS_MASK = 1 << 18,
    GM_HOLDS_POSITION = 1 << 19,    /* where in the text an entity is */
    GM_HOLDS_UNGROUNDED = 1 << 20,  /* entities without a box */
    GM_HOLDS_NOTHING_BOX = 1 << 21, /* [0, 0, 0, 0] as a box that fits nothing (regions.h) */
    GM_HOLDS_EVIDENCE = 1 << 22,
    GM_HOLDS_TEXTS = 1 << 23, /* what is written in the image */
    GM_HOLDS_CAPTION_SHORT = 1 << 24,
    GM_HOLDS_ALL = (1 << 25) - 1
};

/* gm_losses_post - count all that `p` has and a format that holds `holds` has not. */
void gm_losses_post(struct gm_losses *l, const struct gm_post *p, unsigned holds);

#endif
