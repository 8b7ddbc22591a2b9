/* evidence.h - what is known of whether an entity is in the image, as the numbers that a fusion weighs
 * (fusion.h): the record's evidence, the detector's objects, and what the caption quotes. */
#ifndef GM_STAGES_EVIDENCE_H
#define GM_STAGES_EVIDENCE_H

#include "record/offsets.h"
#include "record/record.h"

/* Where evidence comes from; a set of them is the sum of their bits. */
enum gm_evidence_bit {
    GM_EVIDENCE_ENCODER = 1,
    GM_EVIDENCE_MODEL = 2,
    GM_EVIDENCE_DETECTOR = 4,
    GM_EVIDENCE_READER = 8,
    GM_EVIDENCE_MENTION = 16
};
enum { GM_EVIDENCE_SOURCES = 5, GM_EVIDENCE_SETS = 1 << GM_EVIDENCE_SOURCES, GM_EVIDENCE_X = 15 };

/* A number x[i] of the evidence, and the source that it is from. */
struct gm_evidence_x {
    const char *name; /* "encoder", "person_score", … */
    unsigned source;
};
extern const struct gm_evidence_x gm_evidence_x[GM_EVIDENCE_X];
extern const char *const gm_evidence_source_names[GM_EVIDENCE_SOURCES]; /* bit 1 << i */

/* gm_evidence_logit - log(p / (1 - p)), p held off 0 and 1 by 1e-3: a plain yes is worth 6.9. */
double gm_evidence_logit(double p);

/* A post whose entities are looked at one by one, best in order of mention. */
struct gm_evidence_post {
    const struct gm_post *post; /* borrowed */
    struct gm_offset at;        /* a place in its text, as byte and as code point */
    size_t first;               /* where its first entity begins */
};

/* gm_evidence_begin - read once what all entities of the post share. Cost: linear in them. */
void gm_evidence_begin(struct gm_evidence_post *v, const struct gm_post *p);

/* gm_evidence_take - x of an entity, and the set of the sources that say something; the numbers of the
 * others are 0.
 *   encoder, model   the logits of their probabilities
 *   detector         where the picture was looked at. person: 1 for a person, who has besides the logit of
 *                    the best person's score (0.05 where there is none), that one's share of the area
 *                    of all objects, and log(1 + the number of persons). thing: for anything else, the
 *                    largest product of an object's score and its nearness in meaning. beside_person: 1
 *                    for a thing (gm_entity_kind) in a picture of somebody, with a score of 0.4 or more
 *   reader           reader: the share of the name that was read in the picture: the record's, else of
 *                    the lines in `texts` (lettering.h), else of the words that the caption quotes ("a
 *                    sign that says "Navy Yard""); a caption without quotation marks says nothing.
 *                    title: the same for a thing, whose name on it is the thing itself, unless a sentence
 *                    holds it
 *   mention          where any other source is known. organisation, place, thing_type: 1 for such a type
 *                    (a person has none of them); hashtag: 1 for one; first: 1 for the post's first
 *                    entity
 * Cost: linear in objects, caption and texts, and in the way from the entity before, not in the text. */
unsigned gm_evidence_take(struct gm_evidence_post *v, const struct gm_entity *e,
                          double x[GM_EVIDENCE_X]);

#endif
