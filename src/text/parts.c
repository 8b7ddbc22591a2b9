/* parts.c - with c(w) the cost of a word, the cheapest way to cut letters [0, n) into words:
 *
 *   best(0) = 0,   best(i) = min over j < i of best(j) + c(letters [j, i))
 *
 * where a word that isn't known costs `unknown` + its letters * `unknown_letter`. */
#include "text/parts.h"

#include "base/utf8.h"
#include "text/unicode.h"

#include <math.h>
#include <string.h>

enum { LONGEST = 20 }; /* letters of a word of the model */

enum shape { UPPER, LOWER, DIGIT, OTHER };

static enum shape shape_of(uint32_t cp)
{
    if (cp >= '0' && cp <= '9')
        return DIGIT;
    if (gm_cp_is_upper(cp))
        return UPPER;
    return gm_cp_is_lower(cp) || gm_cp_is_any_mark(cp) ? LOWER : OTHER;
}

struct parts {
    struct gm_word *items;
    size_t n, cap;
};

static enum gm_status add(struct parts *p, size_t start, size_t end, struct gm_arena *a,
                          struct gm_error *err)
{
    enum gm_status st = GM_ARENA_GROW(a, p->items, p->n, p->cap, err);
    if (st == GM_OK)
        p->items[p->n++] = (struct gm_word){start, end};
    return st;
}

/* Letters [start, end) in the cheapest words. */
static enum gm_status cut_letters(struct gm_str word, size_t start, size_t end,
                                  const struct gm_word_costs *costs, struct parts *out,
                                  struct gm_arena *a, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char low[GM_PARTS_MOST_LETTERS];
    double best[GM_PARTS_MOST_LETTERS + 1] = {0};
    size_t from[GM_PARTS_MOST_LETTERS + 1] = {0}, ends[GM_PARTS_MOST_LETTERS], n = end - start;
    size_t n_ends = 0;
    for (size_t i = 0; i < n; i++)
        low[i] = (char)(word.p[start + i] | 0x20);
    for (size_t i = 1; i <= n; i++) {
        best[i] = INFINITY;
        for (size_t j = 0; j < i; j++) {
            double unknown = costs->unknown + (double)(i - j) * costs->unknown_letter;
            double known = i - j > LONGEST
                               ? INFINITY
                               : costs->cost(costs->self, (struct gm_str){low + j, i - j});
            double cost = best[j] + fmin(known, unknown);
            if (cost < best[i]) {
                best[i] = cost;
                from[i] = j;
            }
        }
    }
    for (size_t i = n; i > 0; i = from[i])
        ends[n_ends++] = i;
    while (n_ends > 0 && st == GM_OK) {
        size_t i = ends[--n_ends];
        st = add(out, start + from[i], start + i, a, err);
    }
    return st;
}

static bool is_letters(struct gm_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] | 0x20) < 'a' || (s.p[i] | 0x20) > 'z')
            return false;
    return true;
}

/* A part by case: whole, or in words. */
static enum gm_status add_run(struct gm_str word, size_t start, size_t end,
                              const struct gm_word_costs *costs, struct parts *out,
                              struct gm_arena *a, struct gm_error *err)
{
    size_t n = end - start;
    if (costs && n >= GM_PARTS_LEAST && n <= GM_PARTS_MOST_LETTERS &&
        is_letters(gm_str_sub(word, start, end)))
        return cut_letters(word, start, end, costs, out, a, err);
    return add(out, start, end, a, err);
}

enum gm_status gm_text_parts(struct gm_str word, const struct gm_word_costs *costs,
                             struct gm_arena *a, struct gm_word **parts, size_t *n,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct parts out = {0};
    size_t start = 0, last_at = 0; /* of the run, and of the code point before `at` */
    enum shape last = OTHER;
    for (size_t at = 0; at < word.n;) {
        size_t here = at, cut = 0;
        enum shape s = shape_of(gm_utf8_next(word, &at));
        if (here > start && (s == DIGIT) != (last == DIGIT))
            cut = here;
        else if (here > start && s == UPPER && last == LOWER)
            cut = here;
        else if (s == LOWER && last == UPPER && last_at > start)
            cut = last_at;
        if (cut) {
            GM_TRY(add_run(word, start, cut, costs, &out, a, err));
            start = cut;
        }
        last = s;
        last_at = here;
    }
    GM_TRY(add_run(word, start, word.n, costs, &out, a, err));
    *parts = out.items;
    *n = out.n;
done:
    return st;
}
