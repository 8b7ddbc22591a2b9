/* Texts that differ in white space only: raw posts against words joined by spaces. */
#include "eval/eval_internal.h"

#include "base/utf8.h"

/* The next character that is no white space; false at the end. */
static bool next_solid(struct gm_str s, size_t *pos, uint32_t *c)
{
    while (*pos < s.n) {
        *c = gm_utf8_next(s, pos);
        if (!gm_cp_is_space(*c))
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
        s->solid += !gm_cp_is_space(gm_utf8_next(s->text, &s->byte));
    return s->solid;
}

struct gm_str gm_solid_copy(struct gm_arena *a, struct gm_str s)
{
    char *to = gm_arena_alloc(a, s.n + 1, 1);
    size_t n = 0, at = 0;
    uint32_t c;
    while (to && next_solid(s, &at, &c))
        n += gm_utf8_put(c, to + n);
    return (struct gm_str){to, n};
}

/* The beginning of a text, for messages. */
static int shown(struct gm_str s) { return (int)(s.n < 120 ? s.n : 120); }

enum gm_status gm_pair_check(const struct gm_post *gold, const struct gm_post *pred, bool by_name,
                             bool *solid, struct gm_error *err)
{
    bool has_texts = !gold->names_only && !pred->names_only;
    if (!has_texts && !by_name)
        return GM_FAIL(err, GM_EFORMAT,
                       "post %.*s: the %s file names entities without their places "
                       "in a text; it can only be compared by name: gmner eval --task gmner with "
                       "--rule riveg, optimal, ccks or refineg",
                       GM_STR_ARG(gold->id), gold->names_only ? "gold" : "prediction");
    *solid = has_texts && !gm_str_eq(gold->text, pred->text);
    if (*solid && !gm_texts_align(gold->text, pred->text))
        return GM_FAIL(err, GM_EFORMAT,
                       "post %.*s: the predicted post has another text: \"%.*s\" where gold has "
                       "\"%.*s\"",
                       GM_STR_ARG(gold->id), shown(pred->text), pred->text.p, shown(gold->text),
                       gold->text.p);
    if (!gold->has_entities)
        return GM_FAIL(err, GM_EFORMAT, "post %.*s: the gold file has no entities or tags for it",
                       GM_STR_ARG(gold->id));
    if (!pred->has_entities && pred->error.stage.n == 0)
        return GM_FAIL(err, GM_EFORMAT,
                       "post %.*s: the prediction file has no entities or tags for "
                       "it; run gmner predict on it first",
                       GM_STR_ARG(gold->id));
    return GM_OK;
}
