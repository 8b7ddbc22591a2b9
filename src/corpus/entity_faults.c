#include "corpus/entity_faults.h"

#include "base/utf8.h"
#include "record/offsets.h"
#include "text/unicode.h"

/* Whether a letter, digit or mark is of a script in which names are not parted by spaces. */
static bool is_unspaced(uint32_t cp)
{
    return gm_cp_unspaced(cp) != GM_SPACED || gm_cp_columns(cp) == 2; /* East Asian: Korean, too */
}

static bool is_of_word(uint32_t cp)
{
    return (gm_cp_is_alnum(cp) || gm_cp_is_any_mark(cp)) && !is_unspaced(cp);
}

/* Whether byte `at` of raw text is inside a word. */
static bool splits_raw_word(struct gm_str text, size_t at)
{
    size_t before = at, after = at;
    if (at == 0 || at >= text.n)
        return false;
    do {
        before--;
    } while (before && ((unsigned char)text.p[before] & 0xC0) == 0x80);
    return is_of_word(gm_utf8_next(text, &before)) && is_of_word(gm_utf8_next(text, &after));
}

/* Whether byte `at` is inside one of the words that the post came with. */
static bool splits_given_word(const struct gm_post *p, size_t at)
{
    size_t i = gm_post_words_before(p, at);
    return i < p->n_tokens && p->tokens[i].start < at;
}

static bool splits_word(const struct gm_post *p, size_t at)
{
    return p->has_tokens ? splits_given_word(p, at) : splits_raw_word(p->text, at);
}

/* The fault of one entity by itself; GM_ENTITY_FAULTS = none. */
static enum gm_entity_fault own_fault(const struct gm_post *p, const struct gm_entity *e,
                                      struct gm_offset *at)
{
    (void)gm_offset_to_cp(at, e->start);
    size_t from = at->byte;
    (void)gm_offset_to_cp(at, e->end);
    struct gm_str text = gm_str_sub(p->text, from, at->byte), trimmed = gm_str_trim(text);
    if (trimmed.n == 0)
        return GM_ENTITY_EMPTY;
    if (trimmed.n != text.n)
        return GM_ENTITY_SPACE;
    return splits_word(p, from) || splits_word(p, at->byte) ? GM_ENTITY_MID_WORD : GM_ENTITY_FAULTS;
}

static bool is_twice(const struct gm_entity *a, const struct gm_entity *b)
{
    return a->start == b->start && a->end == b->end && gm_str_eq(a->type, b->type);
}

enum gm_status gm_entity_faults(struct gm_post *p, struct gm_entity_finding **out, size_t *n,
                                struct gm_error *err)
{
    struct gm_offset at;
    const struct gm_entity *widest = NULL; /* of those before, the one that reaches farthest */
    const struct gm_entity **v = gm_arena_alloc(&p->arena, p->n_entities, sizeof *v);
    *n = 0;
    *out = gm_arena_alloc(&p->arena, 2 * p->n_entities, sizeof **out);
    if (!v || !*out)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu entities", p->n_entities);
    gm_post_by_place(p, v);
    gm_offset_init(&at, p->text);
    for (size_t i = 0; i < p->n_entities; i++) {
        enum gm_entity_fault fault = own_fault(p, v[i], &at);
        if (fault != GM_ENTITY_FAULTS)
            (*out)[(*n)++] = (struct gm_entity_finding){fault, v[i], NULL};
        if (i && is_twice(v[i], v[i - 1]))
            (*out)[(*n)++] = (struct gm_entity_finding){GM_ENTITY_TWICE, v[i], v[i - 1]};
        else if (widest && v[i]->start < widest->end && v[i]->end > v[i]->start)
            (*out)[(*n)++] = (struct gm_entity_finding){GM_ENTITY_OVERLAP, v[i], widest};
        if (!widest || v[i]->end > widest->end)
            widest = v[i];
    }
    return GM_OK;
}
