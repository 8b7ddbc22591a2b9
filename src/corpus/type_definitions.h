/* type_definitions.h - what the entity types of known data sets mean, and by what one is seen in a
 * picture: for prompts, where the user says nothing else. Sources: the annotated posts of Twitter-GMNER,
 * Twitter-FMNERG and CCKS-2025, whose habits the definitions describe. */
#ifndef GM_CORPUS_TYPE_DEFINITIONS_H
#define GM_CORPUS_TYPE_DEFINITIONS_H

#include "base/json.h"

#include <stddef.h>

/* Some names mean one thing in one data set and another in the next ("location", "other"). */
enum gm_type_family {
    GM_TYPES_TWITTER, /* PER, LOC, ORG, OTHER or MISC */
    GM_TYPES_FMNERG,  /* eight coarse types and 51 fine ones */
    GM_TYPES_CCKS,    /* vehicle, aircraft, vessel, weapon, location, other */
    GM_N_TYPE_FAMILIES
};

/* gm_type_family - the family that knows the most of n type names; of equals the first. */
enum gm_type_family gm_type_family(const struct gm_str *types, size_t n);

/* gm_type_definition - what the family, else the first other one that knows the name in any case, says of
 * it: one or two sentences, NUL-ended, constant. Empty where none knows it. */
struct gm_str gm_type_definition(struct gm_str type, enum gm_type_family family);

/* gm_type_definitions_load - the user's own: a YAML file of lines "TYPE: definition", as an object of
 * texts; with may_lack, of nulls too (a type without). *out is yours, also after an error.
 * Errors: FORMAT, those of gm_yaml_load; all name the path. */
enum gm_status gm_type_definitions_load(struct gm_json **out, const char *path, bool may_lack,
                                        struct gm_error *err) GM_NODISCARD;

#endif
