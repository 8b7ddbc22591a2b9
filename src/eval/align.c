/* Texts that differ in white space only: raw posts against words joined by spaces. */
#include "eval/eval_internal.h"

#include "base/utf8.h"

static bool is_space(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

/* The next character that is no white space; false at the end. */
static bool next_solid(struct gm_str s, size_t *pos, uint32_t *c)
{
    while (*pos < s.n) {
        *c = gm_utf8_next(s, pos);
        if (!is_space(*c))
            return true;
    }
    return false;
}

bool gm_texts_align(struct gm_str a, struct gm_str b)
{
    size_t i = 0, k = 0;
    uint32_t x = 0, y = 0;
    for (;;) {
        bool more_a = next_solid(a, &i, &x), more_b = next_solid(b, &k, &y);
        if (!more_a || !more_b)
            return more_a == more_b;
        if (x != y)
            return false;
    }
}

size_t gm_solid_before(struct gm_solid *s, size_t cp)
{
    if (cp < s->cp)
        s->byte = s->cp = s->solid = 0;
    for (; s->cp < cp && s->byte < s->text.n; s->cp++)
        s->solid += !is_space(gm_utf8_next(s->text, &s->byte));
    return s->solid;
}
