/* refine_merge.h - what a model's answers about single entities come to together, so that no half of
 * a name is lost and no two entities overlap. Removals come first; then changes make room for each
 * other: each is held against where the others will be, not where they were. */
#ifndef GM_STAGES_REFINE_MERGE_H
#define GM_STAGES_REFINE_MERGE_H

#include "base/str.h"

#include <stdbool.h>

/* One entity of the post, or one that is new. Spans are in code points, half-open. */
struct gm_merge {
    size_t start, end; /* where it is */
    struct gm_str text;
    bool asked; /* the model was asked about it; the others are never touched */
    bool
        is_new; /* the model adds it, at [to_start, to_end) (changed is set); where that can't be it goes.
                     New ones stand behind all others, and so are the later ones */
    bool removed; /* in: the model removes it. out: it goes, for that or as absorbed */
    bool changed; /* the model moves it to [to_start, to_end), which overlaps the old span */
    size_t to_start, to_end;
    struct gm_str
        words;       /* of a change whose words are not in the text: changed is false, why set */
    const char *why; /* in and out: why the change is refused; it stays where it is then */
    bool merged; /* out: its change was accepted and covers another asked entity, or a new one */
};

/* gm_refine_merge - decide over all n together:
 *   a change that overlaps an entity that was not asked, or a part of another asked one, is refused
 *   ("overlap"); of two changes that cross, the later one;
 *   an asked entity that an accepted change covers is absorbed;
 *   a removal is void where a refused change would have taken the entity in. */
void gm_refine_merge(struct gm_merge *m, size_t n);

#endif
