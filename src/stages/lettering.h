/* lettering.h - an entity's name among the lines of text that were read in the picture: on a sign, a
 * cover, a kit, a poster. */
#ifndef GM_STAGES_LETTERING_H
#define GM_STAGES_LETTERING_H

#include "record/record.h"

struct gm_lettering {
    double share;            /* of the letters of the name's words that were read, 0..1 */
    double box[GM_BOX_XYXY]; /* around the lines that they stand in; zeros where none was read */
    bool is_mention;         /* half of the name or more was read, but in sentences alone */
};

/* gm_lettering_find - look for a name in p->texts. The name is cut into words, a hashtag or handle at its
 * capitals and numbers ("UFC189Live" - ufc 189 live); articles and the like don't count.
 *   A word of five letters or more is read where a line holds it but for one edit in five letters, a
 *   shorter one where it is a word of the line. A name of several parts in one line, run together
 *   ("WiiU"), is read altogether.
 *   Letters are compared without case, accents and what readers take for each other (0 O, 1 I L, 5 S).
 *   In a picture of many lines only those that stand out count: a screenshot or small print mentions a
 *   name, and shows nothing of it.
 *   A line is a sentence for the name when it holds three words more than the name or more, and half as many
 * letters more: who is spoken of is not shown by that.
 * Lines and names are compared by their first 128 letters. Pure. Cost: letters of the name times those of
 * all lines. Source of the search: Sellers, "The theory and computation of evolutionary distances:
 * pattern recognition", J. Algorithms 1, 1980. */
struct gm_lettering gm_lettering_find(const struct gm_post *p, struct gm_str name);

/* gm_lettering_is_page - whether the picture is a page of text, as a screenshot of a message is: six lines or
 * more, none 1.5 times as high as the line in the middle, half of them of five words or more. Pure. */
bool gm_lettering_is_page(const struct gm_post *p);

/* gm_name_is_same - whether two names of persons mean one: equal letters ("Robert Downey, JR",
 * "RobertDowneyJr"), or one of them is the other's first or last word ("Adams", "John Adams"). Pure. */
bool gm_name_is_same(struct gm_str a, struct gm_str b);

#endif
