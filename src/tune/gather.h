/* gather.h - gold and the runs, post by post. Internal to src/tune. */
#ifndef GM_TUNE_GATHER_H
#define GM_TUNE_GATHER_H

#include "tune/tune.h"

/* A post on all sides. runs [n_runs]: the same post in each run. */
struct gm_tune_post {
    struct gm_post gold, runs[GM_TUNE_RUNS];
    size_t number; /* 0, 1, … */
    uint32_t fold;
};

/* gm_tune_each - call `each` for every post; it may change the posts, which live as long as the call.
 * Counts posts, and those that failed in the first run, into *r. Errors: those of reading, and of `each`;
 * FORMAT with path:line (a run whose text is not gold's, a post without entities). */
enum gm_status gm_tune_each(const struct gm_tune_opts *o, struct gm_tune_result *r,
                            enum gm_status (*each)(void *user, struct gm_tune_post *p,
                                                   struct gm_error *err),
                            void *user, struct gm_error *err) GM_NODISCARD;

/* An entity's place in characters that are no white space, which is the same in raw and tokenised
 * text. */
struct gm_tune_place {
    size_t start, end;
};

/* gm_tune_places - of each entity of the post, in the arena; NULL when memory is out. */
struct gm_tune_place *gm_tune_places(const struct gm_post *p, struct gm_arena *a);

/* gm_tune_find - number of the post's entity at that place: the first of the type, else the first; SIZE_MAX =
 * none. at: gm_tune_places of it. */
size_t gm_tune_find(const struct gm_post *p, const struct gm_tune_place *at,
                    struct gm_tune_place place, struct gm_str type);

/* Units that are being gathered. */
struct gm_tune_units {
    struct gm_arena *arena;
    struct gm_tune_unit *items;
    size_t n, cap;
    size_t n_gold[GM_TUNE_FOLDS]; /* gold entities of each fold */
};
enum gm_status gm_tune_units_add(struct gm_tune_units *u, const struct gm_tune_unit *unit,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_tune_finish - curve, choice and cross-fitted figures of a step whose rule and names are set; the
 * units' gold is counted. Errors: NOMEM. */
enum gm_status gm_tune_finish(const struct gm_tune_opts *o, const struct gm_tune_target *target,
                              struct gm_tune_step *s, struct gm_tune_units *u, struct gm_arena *a,
                              struct gm_error *err) GM_NODISCARD;

/* gm_tune_warn - note what the user should know, four at most; the text outlives the result. */
void gm_tune_warn(struct gm_tune_result *r, const char *text);

/* The stages. */
enum gm_status gm_tune_refine(const struct gm_tune_opts *o, struct gm_tune_result *r,
                              struct gm_error *err) GM_NODISCARD;
enum gm_status gm_tune_entail(const struct gm_tune_opts *o, struct gm_tune_result *r,
                              struct gm_error *err) GM_NODISCARD;
enum gm_status gm_tune_ground(const struct gm_tune_opts *o, struct gm_tune_result *r,
                              struct gm_error *err) GM_NODISCARD;

#endif
