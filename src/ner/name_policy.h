/* name_policy.h - which names of a tweet's raw text are entities, by fixed rules on top of what the tagger found.
 *
 * Annotated tweets don't agree on handles, hashtags, holidays and nationalities, and a tagger follows what it was
 * trained on (Twitter-GMNER: half of the nationalities, nearly all holidays, one handle in six). These rules are
 * of one mind; docs/tagging.md says why, and docs/results.md what each did on tweets annotated by eye:
 *
 *   separator  a name ends at " - ", " | ", " + " and their like
 *   hashtag    without "#", and whole; more of them are names than in the training data
 *   handle     an entity only as a person, without "@", and whole; never the account of "RT @user", "via @user"
 *   title      of a person (Mr, Sen., Captain) is not part of the name
 *   end        ", Jr" and the last dot of an abbreviation belong to the name: U.S., Robert Downey, Jr.
 *   holiday    plain ones (Valentine's Day, #ChristmasEve) are no entities
 *   people     nationalities and faiths (Irish, Saudis, Catholics) are no entities by themselves
 *   platform   Twitter, eBay and their like are organisations
 *
 * They hold for the types PER, LOC, ORG, OTHER and MISC; entities of other types are left as the tagger found them.
 * Posts that came with words (tokens) are left alone: they are of a data set, which has a policy of its own.
 * Private to src/ner. */
#ifndef GM_NER_NAME_POLICY_H
#define GM_NER_NAME_POLICY_H

#include "ner/ner_model.h"

/* gm_name_policy_weigh - what is decided before the labels are: separators, and the weight of hashtags; emit
 * [n_words, k] is changed. Threads: yes. */
void gm_name_policy_weigh(const struct gm_ner_labels *l, const struct gm_ner_rows *r, float *emit);

/* gm_name_policy_apply - the rest: drop and mend the entities of a post, in order and not overlapping. Offsets
 * stay exact, scores as they are. Cost O(text + entities). Threads: yes. */
void gm_name_policy_apply(struct gm_post *p);

#endif
