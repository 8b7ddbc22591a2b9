/* tag_names.h - what the names of a token classifier's labels say: "B-PER", "b_per", "PER-B", "PER", "O".
 *
 *   prefix  a letter, "-" or "_", a type; the letters of BIO, BIOES, BILOU, BMES and BMEWO in either case
 *   suffix  the same the other way round
 *   bare    types alone: IO
 *
 * All labels have one form, but for the one that is outside of entities: "O", or with prefixes and suffixes the
 * only label that has none; and those of special tokens ("[PAD]", "<s>", with prefixes and suffixes also "X" and
 * "PAD"), which are read as outside. Private to src/ner. */
#ifndef GM_NER_TAG_NAMES_H
#define GM_NER_TAG_NAMES_H

#include "base/arena.h"
#include "base/status.h"
#include "record/tags.h"

/* One label: its type, and B, I, E, S in our letters, or O; a bare type is I. */
struct gm_tag_name {
    char prefix;
    struct gm_str type; /* a part of the name; of O the name */
    bool is_filler;     /* O, as it is of special tokens */
};

struct gm_tag_names {
    struct gm_tag_name *items; /* [n] in the arena */
    enum gm_tag_scheme
        scheme; /* BIOES where there are both E and S; else BIO, in which S is B, and E is I */
    bool runs;  /* runs of one class are an entity: there is no B, or not for every type (IOB1) */
};

/* gm_tag_names_read - of n names, which live as long as the result. Errors: MODEL (no form fits, naming the label that
 * does not; none is outside), NOMEM. */
enum gm_status gm_tag_names_read(const struct gm_str *names, size_t n, struct gm_arena *a,
                                 struct gm_tag_names *out, struct gm_error *err) GM_NODISCARD;

#endif
