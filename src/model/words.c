#include "model/words.h"

#include "text/mend.h"

/* Words of raw text: of what it was meant to be, with their places in what it is. */
static enum gm_status words_of_raw(struct gm_str text, enum gm_word_cut cut, struct gm_arena *a,
                                   struct gm_word **ranges, struct gm_str **words, size_t *n,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_mended m;
    GM_TRY(gm_mend(text, a, &m, err));
    GM_TRY(gm_segment(m.text, cut, a, ranges, n, err));
    *words = gm_arena_alloc(a, *n, sizeof **words);
    GM_TRY(*words ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", *n));
    for (size_t i = 0; i < *n; i++) {
        struct gm_word *r = &(*ranges)[i];
        (*words)[i] = gm_str_sub(m.text, r->start, r->end);
        if (m.from)
            *r = (struct gm_word){m.from[r->start], m.from[r->end]};
    }
done:
    return st;
}

enum gm_status gm_words_of(const struct gm_post *p, enum gm_word_cut cut, struct gm_arena *a,
                           struct gm_word **ranges, struct gm_str **words, size_t *n,
                           struct gm_error *err)
{
    if (!p->has_tokens)
        return words_of_raw(p->text, cut, a, ranges, words, n, err);
    *n = p->n_tokens;
    *ranges = gm_arena_alloc(a, *n, sizeof **ranges);
    *words = gm_arena_alloc(a, *n, sizeof **words);
    if (!*words || !*ranges)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", *n);
    for (size_t i = 0; i < *n; i++) {
        (*ranges)[i] = (struct gm_word){p->tokens[i].start, p->tokens[i].end};
        (*words)[i] = gm_str_sub(p->text, (*ranges)[i].start, (*ranges)[i].end);
    }
    return GM_OK;
}
