/* pretokenise.h - cut a normalised text into the stretches that the model sees one by one. A
 * pre-tokeniser is a list of steps (steps.h). Internal to src/tokenizer. */
#ifndef GM_TOKENIZER_PRETOKENISE_H
#define GM_TOKENIZER_PRETOKENISE_H

#include "tokenizer/aligned_text.h"
#include "tokenizer/steps.h"

#include <stdbool.h>

/* A text and its stretches, in order, none empty. Steps that change the text write to `spare` and
 * swap. The caller's storage, reused. */
struct gm_pretokens {
    struct gm_aligned_text text, spare;
    struct gm_stretch {
        size_t start, end; /* bytes of `text` */
    } * items, *next;      /* [n]; working storage of the step that runs */
    size_t n, cap, n_next, cap_next;
};

void gm_pretokens_clear(struct gm_pretokens *p); /* zeroed is empty */

extern const struct gm_step_kinds gm_pretokenisers;

/* gm_pretokenise - cut bytes [from, to) of `text` with all steps; the result is in p->text and
 * p->items. Errors: NOMEM. */
enum gm_status gm_pretokenise(const struct gm_steps *pt, const struct gm_aligned_text *text,
                              size_t from, size_t to, struct gm_pretokens *p,
                              struct gm_error *err) GM_NODISCARD;

/* gm_pretokens_push - append a stretch to the step's result, if it is not empty. Errors: NOMEM. */
enum gm_status gm_pretokens_push(struct gm_pretokens *p, size_t start, size_t end,
                                 struct gm_error *err) GM_NODISCARD;

/* Settings of the kinds of steps; their files are pre_split.c and pre_space.c. */
enum gm_split_behaviour {
    GM_SPLIT_REMOVED,
    GM_SPLIT_ISOLATED,
    GM_SPLIT_MERGED_WITH_PREVIOUS,
    GM_SPLIT_MERGED_WITH_NEXT,
    GM_SPLIT_CONTIGUOUS
};
struct gm_pre_split {
    struct gm_pattern *pattern;
    enum gm_split_behaviour behaviour;
    bool invert;
};
gm_pretoken_run gm_pre_split_run;
gm_pretoken_run gm_pre_bert_run, gm_pre_whitespace_run, gm_pre_whitespace_split_run;

enum gm_prepend { GM_PREPEND_ALWAYS, GM_PREPEND_FIRST, GM_PREPEND_NEVER };
struct gm_pre_metaspace {
    char mark[4]; /* [n_mark] the code point that stands for a space, as UTF-8 */
    size_t n_mark;
    enum gm_prepend prepend;
    bool split;
};
gm_pretoken_run gm_pre_metaspace_run;

struct gm_pre_byte_level {
    bool add_prefix_space, use_regex;
};
gm_pretoken_run gm_pre_byte_level_run;

/* gm_byte_level_char - the code point (U+0021..U+0143) that stands for a byte in the vocabularies
 * of byte-level models. Source: GPT-2's bytes_to_unicode. */
uint32_t gm_byte_level_char(unsigned char byte);

#endif
