/* entail_questions.h - the questions of annotated posts to the entailment classifier, one an entity: is it in the
 * image? Yes where the annotation has a box of it. Internal to src/train. */
#ifndef GM_TRAIN_ENTAIL_QUESTIONS_H
#define GM_TRAIN_ENTAIL_QUESTIONS_H

#include "entail/entail_model.h"

struct gm_question {
    struct gm_entail_input in;
    size_t post; /* number of its post in the file */
    bool visible;
};

struct gm_questions {
    struct gm_arena arena; /* of the inputs */
    struct gm_question *items;
    size_t n, cap, n_visible, n_captions;
};

void gm_questions_init(struct gm_questions *q);
void gm_questions_clear(struct gm_questions *q);

/* gm_questions_read - append those of a file of posts. `xml`: folder of boxes (formats/voc_xml.h); NULL = the
 * posts have their own. `captions`: file of formats/captions.h; NULL = the posts' own. `words`: how `e` is to cut
 * text from now on, as the setting of training says; NULL = as it does. Errors: as gm_posts_read; FORMAT
 * where all or none of the entities are visible. */
enum gm_status gm_questions_read(struct gm_questions *q, struct gm_entail *e, const char *path,
                                 const char *xml, const char *captions, const char *words,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_questions_answer - p [n]: the probability of yes to each, before calibration, with its caption or without.
 * Errors: as gm_entail_answer. */
enum gm_status gm_questions_answer(const struct gm_questions *q, struct gm_entail_session *s,
                                   bool with_caption, double *p, struct gm_error *err) GM_NODISCARD;

#endif
