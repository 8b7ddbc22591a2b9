/* guide.h - what a language model is told of a data set: its types' definitions, names, and how their
 * entities show in images. A guide is a YAML file that `gmner guide` draws from annotated posts
 * (guide_count.h) and that may be changed by hand. */
#ifndef GM_CORPUS_GUIDE_H
#define GM_CORPUS_GUIDE_H

#include "base/arena.h"
#include "base/json.h"
#include "corpus/type_definitions.h"

struct gm_guide {
    struct gm_json *file; /* NULL = no guide: built-in definitions alone */
    enum gm_type_family family;
    struct gm_str text; /* what a prompt's {{guide}} becomes; in `arena` */
    struct gm_arena arena;
};

/* gm_guide_load - read the file at `path`; NULL = an empty guide. Unknown keys and values of the wrong kind
 * are refused. gm_guide_clear frees. Errors: IO, FORMAT (with the path), NOMEM. */
enum gm_status gm_guide_load(struct gm_guide *g, const char *path,
                             struct gm_error *err) GM_NODISCARD;
void gm_guide_clear(struct gm_guide *g);

/* gm_guide_definition - the guide's words on a type or fine type, else the built-in ones; empty = none;
 * borrowed. */
struct gm_str gm_guide_definition(const struct gm_guide *g, struct gm_str type);

/* gm_guide_definitions - lines "TYPE: definition" of n types, each once, in the arena; a type without a
 * definition has none. Errors: NOMEM. */
enum gm_status gm_guide_definitions(const struct gm_guide *g, const struct gm_str *types, size_t n,
                                    struct gm_arena *a, struct gm_str *out,
                                    struct gm_error *err) GM_NODISCARD;

#endif
