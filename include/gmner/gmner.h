/* gmner.h - the public C API: the same pipeline as `gmner predict`, for use inside of a program.
 *
 *     struct gm_predictor *p;
 *     const char *record;
 *     char why[512];
 *     if (gm_predictor_open(&p, "embedded", why, sizeof why) != 0) ...
 *     if (gm_predictor_run(p, "{\"text\": \"Grace Hopper\"}", &record, why, sizeof why) == 0)
 *         puts(record);
 *     gm_predictor_free(p);
 *
 * Posts and records are JSON as docs/record.md describes it, one object each. Recipes and models
 * are found beside the program that runs, or in $GMNER_HOME. Nothing is printed, and nothing exits.
 * Threads: one call at a time on one predictor; several predictors are independent. */
#ifndef GMNER_H
#define GMNER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gm_predictor;

/* gm_predictor_open - read a recipe: a name ("embedded", "tag"; NULL = "embedded") or the path of a
 * YAML file. Models are loaded when the first post needs them.
 * 0, or a positive number and one line in message[cap] that says what is wrong and how to mend it;
 * *out is then NULL. */
int gm_predictor_open(struct gm_predictor **out, const char *recipe, char *message, size_t cap);

/* gm_predictor_run - one post in, its record out. *record is a JSON object on one line, NUL-ended,
 * valid until the next call on p. Relative image paths are relative to the current folder.
 * 0 also for a post that failed: its record then has an "error". A positive number and a message
 * when `post` is no post, or when a model is missing; *record is then NULL. */
int gm_predictor_run(struct gm_predictor *p, const char *post, const char **record, char *message,
                     size_t cap);

/* gm_predictor_free - NULL is allowed. */
void gm_predictor_free(struct gm_predictor *p);

#ifdef __cplusplus
}
#endif

#endif
