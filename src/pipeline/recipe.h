/* recipe.h - which stages a run has, in which order, with which backends and settings.
 *
 * A YAML file: {name, description, settings, stages: [{stage: tag, backend: native, KEY: VALUE, …},
 * …]}; the keys beside `stage` and `backend` are the backend's settings; `backend` left out means the
 * stage's embedded default. Stages must be in pipeline order, each at most once.
 * `settings` names a settings file, or a list of them, from the recipe's folder: {STAGE: {KEY: VALUE,
 * …}, …}, as `gmner tune` writes. A file later in the list counts before an earlier one, and what the
 * recipe itself says of a stage before both. */
#ifndef GM_PIPELINE_RECIPE_H
#define GM_PIPELINE_RECIPE_H

#include "base/arena.h"
#include "base/json.h"
#include "stages/stage.h"

struct gm_recipe_stage {
    const struct gm_backend *backend;
    struct gm_json *settings; /* an object, owned by the recipe */
    struct gm_json *origins;  /* "FILE:LINE" of each setting that a file has, by its key */
};

struct gm_recipe {
    struct gm_arena arena;
    const char *name, *description, *path;
    struct gm_recipe_stage *stages;
    size_t n_stages;
};

/* gm_recipe_load - `which` is the name of a recipe that comes with the program ("embedded") or,
 * when it has a "/" or ends in ".yaml" or ".yml", the path of a file. *out is yours
 * (gm_recipe_free). Errors: ARG (no such recipe; the message lists those there are), IO, FORMAT
 * naming file and key, NOMEM. */
enum gm_status gm_recipe_load(struct gm_recipe **out, const char *which,
                              struct gm_error *err) GM_NODISCARD;
void gm_recipe_free(struct gm_recipe *r); /* NULL-safe */

/* gm_recipe_include - take over what a settings file says of the recipe's stages; `replaces`: also where
 * the recipe has the setting already. Errors: IO, NOMEM, FORMAT naming file and line (also: a stage that
 * the recipe does not have). */
enum gm_status gm_recipe_include(struct gm_recipe *r, const char *path, bool replaces,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_recipe_where - "FILE:LINE" of the setting that `message` names in quotes, as those of
 * gm_settings_* do, among the stage's (which is known by its settings); NULL when there is none. */
const char *gm_recipe_where(const struct gm_recipe *r, const struct gm_json *settings,
                            const char *message);

/* gm_recipe_set - set (or replace) the text setting `key` of every stage whose stage name (unless
 * NULL) and backend name (unless NULL) are these; *n_set counts them (NULL allowed).
 * Errors: NOMEM (also: value is not UTF-8). */
enum gm_status gm_recipe_set(struct gm_recipe *r, const char *stage, const char *backend,
                             const char *key, const char *value, size_t *n_set,
                             struct gm_error *err) GM_NODISCARD;

/* gm_recipe_remove - take a setting out of a stage; nothing where it has none. */
void gm_recipe_remove(struct gm_recipe *r, const char *stage, const char *key);

#endif
