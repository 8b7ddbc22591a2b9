#include "tokenizer/added_tokens.h"

#include "base/utf8.h"
#include "text/unicode.h"

#include <stdlib.h>

enum gm_status gm_added_tokens_put(struct gm_added_tokens *set, struct gm_arena *a,
                                   struct gm_added_token token, struct gm_error *err)
{
    if (token.text.n == 0)
        return GM_OK;
    enum gm_status st = GM_ARENA_GROW(a, set->tokens, set->n, set->cap, err);
    if (st != GM_OK)
        return st;
    token.text = gm_arena_str(a, token.text);
    if (!token.text.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    set->tokens[set->n++] = token;
    return GM_OK;
}

static int by_first_byte(const void *a, const void *b)
{
    const struct gm_added_token *x = a, *y = b;
    unsigned char cx = (unsigned char)x->text.p[0], cy = (unsigned char)y->text.p[0];
    if (cx != cy)
        return cx < cy ? -1 : 1;
    if (x->text.n != y->text.n)
        return x->text.n > y->text.n ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

void gm_added_tokens_seal(struct gm_added_tokens *set)
{
    if (set->n)
        qsort(set->tokens, set->n, sizeof *set->tokens, by_first_byte);
    for (size_t b = 0, i = 0; b <= 256; b++) {
        while (i < set->n && (unsigned char)set->tokens[i].text.p[0] < b)
            i++;
        set->from[b] = i;
    }
}

static size_t before_space(struct gm_str s, size_t least, size_t at)
{
    while (at > least) {
        size_t start = at - 1;
        while (start > least && ((unsigned char)s.p[start] & 0xC0) == 0x80)
            start--;
        size_t pos = start;
        if (!gm_cp_is_space(gm_utf8_next(s, &pos)))
            break;
        at = start;
    }
    return at;
}

static size_t after_space(struct gm_str s, size_t at)
{
    while (at < s.n) {
        size_t pos = at;
        if (!gm_cp_is_space(gm_utf8_next(s, &pos)))
            break;
        at = pos;
    }
    return at;
}

const struct gm_added_token *gm_added_tokens_next(const struct gm_added_tokens *set,
                                                  struct gm_str s, size_t from, size_t *start,
                                                  size_t *end)
{
    for (size_t i = from; i < s.n && set->n; i++) {
        unsigned char b = (unsigned char)s.p[i];
        for (size_t k = set->from[b]; k < set->from[b + 1u]; k++) {
            const struct gm_added_token *t = &set->tokens[k];
            if (!gm_str_starts((struct gm_str){s.p + i, s.n - i}, t->text))
                continue;
            *start = t->lstrip ? before_space(s, from, i) : i;
            *end = t->rstrip ? after_space(s, i + t->text.n) : i + t->text.n;
            return t;
        }
    }
    return NULL;
}

int32_t gm_added_tokens_id(const struct gm_added_tokens *set, struct gm_str text)
{
    for (size_t i = 0; i < set->n; i++)
        if (gm_str_eq(set->tokens[i].text, text))
            return set->tokens[i].id;
    return -1;
}
