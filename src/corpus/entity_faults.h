/* entity_faults.h - entities that can't be right where they are in their post's text. */
#ifndef GM_CORPUS_ENTITY_FAULTS_H
#define GM_CORPUS_ENTITY_FAULTS_H

#include "record/record.h"

enum gm_entity_fault {
    GM_ENTITY_EMPTY,    /* of nothing, or of white space */
    GM_ENTITY_SPACE,    /* white space at its beginning or end */
    GM_ENTITY_MID_WORD, /* begins or ends inside a word */
    GM_ENTITY_TWICE,    /* place and type of another */
    GM_ENTITY_OVERLAP,  /* shares characters with another; nested ones do too */
    GM_ENTITY_FAULTS
};

struct gm_entity_finding {
    enum gm_entity_fault fault;
    const struct gm_entity *entity;
    const struct gm_entity
        *other; /* of TWICE and OVERLAP, the earlier one in the text; else NULL */
};

/* gm_entity_faults - what is wrong with the places of a post's entities: *out [*n] in the post's
 * arena, by place. Words are those that the post came with; in raw text an edge between two letters
 * or digits is inside a word, but for scripts that are written without spaces (Chinese, Japanese,
 * Thai, …) or whose particles are joined to names (Korean).
 * Errors: NOMEM. Cost: linear, but for the sorting of the entities. */
enum gm_status gm_entity_faults(struct gm_post *p, struct gm_entity_finding **out, size_t *n,
                                struct gm_error *err) GM_NODISCARD;

#endif
