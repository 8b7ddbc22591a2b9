/* label_affinity.h - how near an object's label is in meaning to an entity that is no person. */
#ifndef GM_STAGES_LABEL_AFFINITY_H
#define GM_STAGES_LABEL_AFFINITY_H

#include "record/record.h"

/* gm_label_affinity - 0 (nothing in common) to 1.
 *   1.0  the label, or its plural, stands in the entity's expression or text ("a dog", "Hot Dogs")
 *   0.8  a word of the table stands there that means such an object ("MacBook" - laptop)
 *   0.6  the fine type, or the type, names the label's kind ("animal" - cat, dog, …)
 * The text counts only for things: a place or an organisation is called "Chicago Bears", "Orange
 * County" or "Apple" without any such object in the picture. Whole words, ASCII case ignored.
 * Source: hand-written table; docs/grounding.md says what it can't know. Pure. */
float gm_label_affinity(struct gm_str label, const struct gm_entity *e);

/* gm_label_is_animal - whether an object's label is that of an animal. Pure. */
bool gm_label_is_animal(struct gm_str label);

/* gm_person_types - the types of one person: Twitter-GMNER's, and those of Twitter-FMNERG; NULL-ended.
 * gm_is_person - whether e has one of them. */
extern const char *const gm_person_types[];
bool gm_is_person(const struct gm_entity *e);

/* gm_entity_kind - what an entity's type, coarse or fine, makes of it: a type that is none of these (OTHER,
 * MISC, a product, a vehicle, an event) is a thing. */
enum gm_entity_kind { GM_KIND_PERSON, GM_KIND_ORGANISATION, GM_KIND_PLACE, GM_KIND_THING };
enum gm_entity_kind gm_entity_kind(const struct gm_entity *e);

#endif
