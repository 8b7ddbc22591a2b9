#include "model/words.h"

enum gm_status gm_words_of(const struct gm_post *p, struct gm_arena *a, struct gm_word **ranges,
                           struct gm_str **words, size_t *n, struct gm_error *err)
{
    if (p->has_tokens) {
        *n = p->n_tokens;
        *ranges = gm_arena_alloc(a, *n, sizeof **ranges);
        for (size_t i = 0; *ranges && i < *n; i++)
            (*ranges)[i] = (struct gm_word){p->tokens[i].start, p->tokens[i].end};
    } else {
        enum gm_status st = gm_segment(p->text, a, ranges, n, err);
        if (st != GM_OK)
            return st;
    }
    *words = gm_arena_alloc(a, *n, sizeof **words);
    if (!*words || (!*ranges && *n))
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", *n);
    for (size_t i = 0; i < *n; i++)
        (*words)[i] = gm_str_sub(p->text, (*ranges)[i].start, (*ranges)[i].end);
    return GM_OK;
}
