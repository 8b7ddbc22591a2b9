/* tune.h - the settings of a stage, found on annotated posts: `gmner tune` (docs/tune.md).
 *
 * Gold and one or more predicted files are read side by side. What comes of it is one step or more, each a
 * threshold with its curve, for entail also the weights of a fusion. Every figure that is called
 * cross-fitted is of posts that what it judges was not fitted on. */
#ifndef GM_TUNE_TUNE_H
#define GM_TUNE_TUNE_H

#include "base/json.h"
#include "formats/reader.h"
#include "stages/fusion.h"
#include "tune/threshold.h"

enum gm_tune_stage { GM_TUNE_REFINE, GM_TUNE_ENTAIL, GM_TUNE_GROUND };

enum { GM_TUNE_RUNS = 8, GM_TUNE_STEPS = 3 };

/* A predicted file. */
struct gm_tune_run {
    const char *path;
    const char *source; /* entail: whose word `visible` is where the record does not say, "encoder",
                         * "model"; NULL = the encoder's in the first run, the model's in the second */
};

struct gm_tune_opts {
    enum gm_tune_stage stage;
    const char *gold, *xml; /* xml: folder of gold boxes; NULL = those of the file */
    struct gm_tune_run runs[GM_TUNE_RUNS];
    size_t n_runs;
    struct gm_reader_opts reading;
    struct gm_tune_target target;
    size_t n_folds;             /* 2 … GM_TUNE_FOLDS */
    double c;                   /* of the logistic regression, as scikit-learn's C */
    bool unused[GM_EVIDENCE_X]; /* entail: numbers of the evidence that no weight is fitted for */
    double call_cost;           /* price of a request; 0 = not told */
    int by_post; /* one request a post (1) or an entity (0); -1 = as is usual for the stage */
};

/* One threshold. */
struct gm_tune_step {
    const char *stage, *setting; /* what it is set as, such as "refine", "span" */
    const char *measure;         /* what the scores are: "F1 of spans" */
    const char *unit;            /* what is asked about: "entities" */
    struct gm_tune_rule rule;
    bool is_negative;             /* the setting is -t: a bound from above */
    struct gm_tune_point *points; /* nobody first, all last */
    size_t n_points, n_units;
    const struct gm_tune_point *chosen;
    bool reached;                 /* the target */
    struct gm_tune_point crossed; /* cross-fitted, as chosen without the posts that it is of */
};

/* What one source says alone, or all together: answers to "in the image?". */
struct gm_tune_source {
    const char *name;
    size_t n; /* entities that it says something of */
    double accuracy, f1, auc;
    bool is_crossed; /* fitted, on other posts */
};

struct gm_tune_result {
    struct gm_arena arena;
    size_t n_posts, n_failed, n_entities; /* read; with an error; judged */
    struct gm_tune_step steps[GM_TUNE_STEPS];
    size_t n_steps;
    struct gm_tune_source sources[GM_EVIDENCE_SOURCES + 1]; /* the last: fused */
    size_t n_sources;
    struct gm_fusion fusion; /* n = 0: none */
    const char *warnings[4];
    size_t n_warnings;
};

/* gm_tune_run_all - read, fit, judge. *out is yours (gm_tune_clear), also when it fails. Memory: some
 * hundred bytes an entity. Errors: those of reading and pairing (eval/pairs.h); FORMAT (nothing to tune
 * on: it says what is missing), NOMEM. */
enum gm_status gm_tune_run_all(const struct gm_tune_opts *o, struct gm_tune_result *out,
                               struct gm_error *err) GM_NODISCARD;
void gm_tune_clear(struct gm_tune_result *r);

/* gm_tune_setting - what the step's threshold t is as a setting. */
double gm_tune_setting(const struct gm_tune_step *s, double t);

/* gm_tune_table, gm_tune_settings - append what was found as a table for people, as a settings file in YAML
 * with the figures as comments. gm_tune_json - the same as one JSON object (docs/tune.md); *out is yours.
 * Errors: NOMEM. */
enum gm_status gm_tune_table(const struct gm_tune_opts *o, const struct gm_tune_result *r,
                             struct gm_buf *out, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_tune_json(const struct gm_tune_opts *o, const struct gm_tune_result *r,
                            struct gm_json **out, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_tune_settings(const struct gm_tune_opts *o, const struct gm_tune_result *r,
                                struct gm_buf *out, struct gm_error *err) GM_NODISCARD;

#endif
