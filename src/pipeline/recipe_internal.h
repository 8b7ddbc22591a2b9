/* recipe_internal.h - what recipe.c and recipe_settings.c share. */
#ifndef GM_PIPELINE_RECIPE_INTERNAL_H
#define GM_PIPELINE_RECIPE_INTERNAL_H

#include "pipeline/recipe.h"

/* gm_recipe_put - set a stage's setting, and note its place. Errors: NOMEM. */
enum gm_status gm_recipe_put(struct gm_recipe *r, struct gm_recipe_stage *s, const char *key,
                             const struct gm_json *value, const char *path, size_t line,
                             struct gm_error *err) GM_NODISCARD;

#endif
