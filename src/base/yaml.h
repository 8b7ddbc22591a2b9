/* yaml.h - YAML files (recipes, training settings) as JSON values; yaml.c is the only user of
 * libyaml. The subset that configuration needs: one document of mappings, sequences and scalars;
 * plain scalars are null (also ~ and nothing), true/false, decimal integers and reals as YAML 1.2's core
 * schema has them, else strings (True, 0x10 and .inf too). Anchors, aliases, tags and duplicate keys are refused. */
#ifndef GM_BASE_YAML_H
#define GM_BASE_YAML_H

#include "base/arena.h"
#include "base/json.h"

/* gm_yaml_load - read the file at `path` (at most 1 MiB). *out is yours (gm_json_free).
 * Errors: IO, NOMEM, FORMAT with path:line:column. */
enum gm_status gm_yaml_load(struct gm_json **out, const char *path,
                            struct gm_error *err) GM_NODISCARD;

/* In which line of its file each member of each mapping and sequence begins. */
struct gm_yaml_lines {
    struct gm_arena arena;
    struct gm_yaml_line *items;
    size_t n, cap;
};
void gm_yaml_lines_init(struct gm_yaml_lines *l);
void gm_yaml_lines_clear(struct gm_yaml_lines *l);

/* gm_yaml_load_lines - gm_yaml_load, and the lines, for messages about what the values say; they are
 * known as long as the value lives. */
enum gm_status gm_yaml_load_lines(struct gm_json **out, struct gm_yaml_lines *lines,
                                  const char *path, struct gm_error *err) GM_NODISCARD;

/* gm_yaml_line_of, gm_yaml_line_at - of the mapping's key, of the sequence's element; 0 = there is no
 * such. Cost: linear in the file's members. */
size_t gm_yaml_line_of(const struct gm_yaml_lines *l, const struct gm_json *mapping,
                       const char *key);
size_t gm_yaml_line_at(const struct gm_yaml_lines *l, const struct gm_json *sequence, size_t i);

#endif
