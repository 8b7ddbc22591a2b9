/* steps.h - the "normalizer" or "pre_tokenizer" of a tokenizer.json: a list of steps, its Sequences
 * laid flat. Internal to src/tokenizer. */
#ifndef GM_TOKENIZER_STEPS_H
#define GM_TOKENIZER_STEPS_H

#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"

struct gm_aligned_text;
struct gm_pretokens;

/* A step of a normaliser: set `out` to what it makes of `in`. Threads: yes. Errors: NOMEM. */
typedef enum gm_status gm_norm_run(const void *settings, const struct gm_aligned_text *in,
                                   struct gm_aligned_text *out, struct gm_error *err);

/* A step of a pre-tokeniser. Threads: yes, with separate `p`. Errors: NOMEM. */
typedef enum gm_status gm_pretoken_run(const void *settings, struct gm_pretokens *p,
                                       struct gm_error *err);

union gm_step_run {
    gm_norm_run *norm;
    gm_pretoken_run *pre;
};

struct gm_steps {
    struct gm_step {
        union gm_step_run run;
        const void *settings; /* of its own type; in the arena */
    } * items;                /* in the arena */
    size_t n, cap;
};

struct gm_step_kind {
    const char *type; /* "Lowercase" */
    union gm_step_run run;
    /* read - fill the settings, `size` zeroed bytes; NULL: they are `fixed`. Errors: MODEL,
     * NOMEM. */
    enum gm_status (*read)(void *settings, const struct gm_json *json, struct gm_arena *a,
                           const char *path, struct gm_error *err);
    size_t size;
    const void *fixed;
};

/* The kinds of steps that a member of tokenizer.json may have. */
struct gm_step_kinds {
    const char *member, *list; /* "normalizer", and the key of its Sequences' steps */
    const struct gm_step_kind *kinds;
    size_t n;
};

/* gm_steps_read - the steps in `root`, a tokenizer.json (null or no such member: no steps); all
 * memory from `a`, which must outlive them. `path` is for messages.
 * Errors: MODEL (a kind or setting that is not supported, named), NOMEM. */
enum gm_status gm_steps_read(struct gm_steps *out, const struct gm_step_kinds *kinds,
                             const struct gm_json *root, struct gm_arena *a, const char *path,
                             struct gm_error *err) GM_NODISCARD;

#endif
