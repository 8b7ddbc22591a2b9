#include "stages/refine_words.h"

#include "base/utf8.h"
#include "text/segment.h"
#include "text/unicode.h"

#include <stdint.h>
#include <string.h>

/* How alike words and text must be. */
enum likeness { SAME, BUT_SPACE, BUT_CASE, N_LIKENESSES };

static void skip_space(struct gm_str s, size_t *at)
{
    for (size_t next = *at; next < s.n; *at = next)
        if (!gm_cp_is_space(gm_utf8_next(s, &next)))
            break;
}

static bool are_alike(uint32_t a, uint32_t b, bool fold)
{
    uint32_t x[GM_CP_PARTS], y[GM_CP_PARTS];
    if (a == b || !fold)
        return a == b;
    size_t n = gm_cp_lower(a, x);
    return n == gm_cp_lower(b, y) && memcmp(x, y, n * sizeof *x) == 0;
}

/* Where `words` that begin at byte `at` end; SIZE_MAX = they don't. */
static size_t match(struct gm_str text, size_t at, struct gm_str words, enum likeness how)
{
    if (how == SAME)
        return gm_str_starts(gm_str_sub(text, at, text.n), words) ? at + words.n : SIZE_MAX;
    size_t end = at, k = 0;
    for (skip_space(words, &k); k < words.n; skip_space(words, &k)) {
        size_t next = end;
        if (end > at)
            skip_space(text, &next);
        if (next >= text.n ||
            !are_alike(gm_utf8_next(text, &next), gm_utf8_next(words, &k), how == BUT_CASE))
            return SIZE_MAX;
        end = next;
    }
    return end > at ? end : SIZE_MAX;
}

static size_t distance(size_t a, size_t b) { return a > b ? a - b : b - a; }

const char *gm_find_words(struct gm_str text, struct gm_str words, struct gm_place near,
                          struct gm_place *out, struct gm_str *found)
{
    const char *why = "not_in_text";
    size_t best = SIZE_MAX;
    words = gm_str_trim(words);
    for (enum likeness how = SAME; words.n && how < N_LIKENESSES && best == SIZE_MAX; how++) {
        size_t start = 0; /* code points before byte `at` */
        for (size_t at = 0; at < text.n; start++) {
            size_t end = match(text, at, words, how), from = at;
            (void)gm_utf8_next(text, &at);
            if (end == SIZE_MAX)
                continue;
            struct gm_str there = gm_str_sub(text, from, end);
            struct gm_place p = {start, start + gm_utf8_count(there)};
            why = "moved";
            if (!gm_is_word_edge(text, from) || !gm_is_word_edge(text, end) ||
                p.end <= near.start || near.end <= p.start || distance(start, near.start) >= best)
                continue;
            best = distance(start, near.start);
            *out = p;
            *found = there;
        }
    }
    return best == SIZE_MAX ? why : NULL;
}
