/* seeds.h - the annotated posts that sentences are made from, and the types that there are. Private to
 * src/synth. */
#ifndef GM_SYNTH_SEEDS_H
#define GM_SYNTH_SEEDS_H

#include "record/labels.h"
#include "synth/letters.h"
#include "text/segment.h"

/* A name with its type. */
struct gm_synth_name {
    struct gm_str text;
    uint32_t type;
};

struct gm_synth_seed {
    struct gm_str id, text, knowledge; /* knowledge empty = none */
    size_t n_words;                    /* with a letter or digit */
    const struct gm_synth_name *names; /* [n_names] each once, in order of mention */
    size_t n_names;
};

struct gm_synth_seeds {
    struct gm_arena arena; /* holds all below */
    struct gm_synth_seed *items;
    size_t n, cap;
    struct gm_labels types;
    struct gm_str guide;       /* what a guide says of the posts; empty = none */
    struct gm_str definitions; /* a line "- TYPE: definition" for each type, or its name alone */
    struct gm_letters letters;
    enum gm_word_cut cut; /* how words are found where no spaces are: as in the posts */
};

/* gm_synth_seeds_load - read all posts of `path`, in any format. types_path: a YAML file of lines "TYPE:
 * definition", the types that sentences may have; NULL = those of the seeds. Where there is no definition it is
 * the guide's, and without a guide (guide_path NULL) the one that is known of the name
 * (corpus/type_definitions.h).
 * gm_synth_seeds_clear frees, also after an error.
 * Errors: of reading, with path:line; FORMAT (a post without annotation, a type that the file of types
 * hasn't, no seeds), those of gm_guide_load. Memory: that of the seeds' texts. */
enum gm_status gm_synth_seeds_load(struct gm_synth_seeds *s, const char *path,
                                   const char *types_path, const char *guide_path,
                                   struct gm_error *err) GM_NODISCARD;
/* gm_synth_count_words - those of n words of a text that have a letter or digit. */
size_t gm_synth_count_words(struct gm_str text, const struct gm_word *words, size_t n);
void gm_synth_seeds_clear(struct gm_synth_seeds *s);

#endif
