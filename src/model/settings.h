/* settings.h - gmner.json of a model directory: what gmner says of the model beyond what its config.json does
 * (docs/models.md). */
#ifndef GM_MODEL_SETTINGS_H
#define GM_MODEL_SETTINGS_H

#include "base/json.h"

/* gm_model_settings_load - *out is yours; NULL where `dir` has no gmner.json, as a plain encoder or somebody
 * else's tagger. Errors: IO, FORMAT, NOMEM. */
enum gm_status gm_model_settings_load(struct gm_json **out, const char *dir,
                                      struct gm_error *err) GM_NODISCARD;

/* gm_model_settings_check - that they are of a model for `task` ("ner", "entail"), in the format that we write; dir: whose
 * they are. Errors: MODEL. */
enum gm_status gm_model_settings_check(const struct gm_json *settings, const char *dir,
                                       const char *task, struct gm_error *err) GM_NODISCARD;

/* gm_model_settings_save - in its place, whole or not at all (base/file.h). Errors: IO, NOMEM. */
enum gm_status gm_model_settings_save(const struct gm_json *settings, const char *dir,
                                      struct gm_error *err) GM_NODISCARD;

#endif
