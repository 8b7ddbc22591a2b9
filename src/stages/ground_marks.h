/* ground_marks.h - boxes that are chosen and not said: proposed regions are drawn into the picture and numbered
 * (image/numbered.h), and a model answers with numbers. What it answers becomes boxes in pixels of the original, in place of those
 * that a model says (ground_coords.h). Source: set-of-mark prompting (Yang et al., arXiv 2310.11441). */
#ifndef GM_STAGES_GROUND_MARKS_H
#define GM_STAGES_GROUND_MARKS_H

#include "base/json.h"
#include "image/numbered.h"
#include "llm/picture.h"
#include "stages/proposals.h"

/* The settings that this reads: how many regions are numbered at most (0, the default: none are, boxes are said), and
 * the file that proposes them (default: the post's objects). */
#define GM_MARKS_SETTINGS "marks", "proposals"

/* A stage's. */
struct gm_marks {
    double most;
    struct gm_proposals *proposals; /* NULL = the post's objects */
};

/* A post's: those that are drawn, by number. */
struct gm_marked {
    double box[GM_MARKS_MAX][4],
        drawn[GM_MARKS_MAX][4]; /* pixels of the original; of what is sent */
    double score[GM_MARKS_MAX];
    struct gm_str label[GM_MARKS_MAX]; /* borrowed */
    size_t n;
};

/* gm_marks_open - *m is zeroed. gm_marks_are_set - whether settings ask for marks at all. gm_marks_fingerprint - the
 * file's content. Errors: ARG, those of gm_proposals_load. */
enum gm_status gm_marks_open(struct gm_marks *m, const struct gm_json *settings,
                             struct gm_error *err) GM_NODISCARD;
void gm_marks_clear(struct gm_marks *m);
bool gm_marks_are_set(const struct gm_json *settings);
enum gm_status gm_marks_fingerprint(const struct gm_json *settings, struct gm_buf *out,
                                    struct gm_error *err) GM_NODISCARD;

/* gm_marks_choose - the post's regions, those of the highest score first; of two that cover nearly the same
 * (IoU of 0.9) the first. out->n is 0 where none are proposed. Errors: ARG (the picture was not looked at). */
enum gm_status gm_marks_choose(const struct gm_marks *m, const struct gm_post *p,
                               struct gm_marked *out, struct gm_error *err) GM_NODISCARD;

/* gm_marks_paint - `paint` of a picture's view (llm/picture.h); user is a struct gm_marked. */
enum gm_status gm_marks_paint(void *user, struct gm_image *im, const struct gm_picture *picture,
                              struct gm_error *err) GM_NODISCARD;

/* gm_marks_fit - whether all numbers of an answer ("numbers") are drawn ones. gm_marks_resolve - give the answer, and each of
 * its "entities", the member "boxes" that its numbers stand for; numbers that are not drawn are left out. Errors: NOMEM. */
bool gm_marks_fit(const struct gm_marked *m, const struct gm_json *answer);
enum gm_status gm_marks_resolve(const struct gm_marked *m, struct gm_json *answer,
                                struct gm_error *err) GM_NODISCARD;

/* gm_marks_number - which mark a box is, from 1 on; 0 = none.
 * gm_marks_credit - the entity's regions get score and label of their marks; a person's label stays. Errors: NOMEM. */
size_t gm_marks_number(const struct gm_marked *m, const double box[4]);
enum gm_status gm_marks_credit(const struct gm_marked *m, struct gm_post *p, struct gm_entity *e,
                               struct gm_error *err) GM_NODISCARD;

#endif
