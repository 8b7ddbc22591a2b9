/* yaml.h - YAML files (recipes, training settings) as JSON values; yaml.c is the only user of
 * libyaml. The subset that configuration needs: one document of mappings, sequences and scalars;
 * plain scalars follow the core schema of YAML 1.2 (null, true/false, integers, reals, else
 * strings). Anchors, aliases, tags and duplicate keys are refused. */
#ifndef GM_BASE_YAML_H
#define GM_BASE_YAML_H

#include "base/json.h"

/* gm_yaml_load - read the file at `path` (at most 1 MiB). *out is yours (gm_json_free).
 * Errors: IO, NOMEM, FORMAT with path:line:column. */
enum gm_status gm_yaml_load(struct gm_json **out, const char *path,
                            struct gm_error *err) GM_NODISCARD;

#endif
