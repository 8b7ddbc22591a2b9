/* ner_labels.c - labels: 0 is O, then for each type B, I (BIO) or B, I, E, S (BIOES), so that label = 1 +
 * type * 2 (or 4) + place in that list. Which may follow which is a table [k][k]: from row to column, those that
 * a valid tag sequence has. Naive reference: transitions_allow_valid_sequences_only in
 * tests/unit/test_ner_tagger.c. */
#include "ner/ner_model.h"

#include <math.h>
#include <string.h>

static size_t per_type(const struct gm_ner_labels *l) { return l->scheme == GM_TAGS_BIOES ? 4 : 2; }

uint16_t gm_ner_label(const struct gm_ner_labels *l, struct gm_tag tag)
{
    static const char prefixes[] = "BIES";
    if (tag.prefix == 'O')
        return 0;
    size_t at = (size_t)(strchr(prefixes, tag.prefix) - prefixes);
    return (uint16_t)(1 + tag.type * per_type(l) + at);
}

struct gm_tag gm_ner_tag(const struct gm_ner_labels *l, size_t label)
{
    if (label == 0)
        return (struct gm_tag){'O', 0};
    return (struct gm_tag){"BIES"[(label - 1) % per_type(l)],
                           (uint32_t)((label - 1) / per_type(l))};
}

static bool opens(char c) { return c == 'B' || c == 'S' || c == 'O'; }

/* Whether `b` may follow `a` in a valid sequence. */
static bool may_follow(const struct gm_ner_labels *l, struct gm_tag a, struct gm_tag b)
{
    bool goes_on = a.prefix != 'O' && a.type == b.type;
    if (l->scheme == GM_TAGS_BIO)
        return b.prefix == 'I' ? goes_on : b.prefix == 'O' || !l->runs || !goes_on;
    bool inside = a.prefix == 'B' || a.prefix == 'I';
    return inside ? !opens(b.prefix) && a.type == b.type : opens(b.prefix);
}

enum gm_status gm_ner_labels_build(struct gm_ner_labels *l, struct gm_error *err)
{
    l->k = 1 + l->types.n * per_type(l);
    l->allowed = gm_arena_alloc(&l->arena, l->k * l->k, 1);
    l->allowed_start = gm_arena_alloc(&l->arena, l->k, 1);
    l->allowed_end = gm_arena_alloc(&l->arena, l->k, 1);
    if (!l->allowed || !l->allowed_start || !l->allowed_end)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < l->k; i++) {
        struct gm_tag a = gm_ner_tag(l, i);
        l->allowed_start[i] = opens(a.prefix);
        l->allowed_end[i] = l->scheme == GM_TAGS_BIO || (a.prefix != 'B' && a.prefix != 'I');
        for (size_t j = 0; j < l->k; j++)
            l->allowed[i * l->k + j] = may_follow(l, a, gm_ner_tag(l, j));
    }
    return GM_OK;
}

void gm_ner_labels_clear(struct gm_ner_labels *l)
{
    gm_labels_clear(&l->types);
    gm_arena_clear(&l->arena);
}

bool gm_ner_same_labels(const struct gm_ner_labels *a, const struct gm_ner_labels *b)
{
    bool same = a->scheme == b->scheme && a->types.n == b->types.n;
    for (uint32_t i = 0; same && i < a->types.n; i++)
        same = gm_str_eq(gm_labels_at(&a->types, i), gm_labels_at(&b->types, i));
    return same;
}

void gm_ner_end_entities(const struct gm_ner_labels *l, float *emit, size_t w)
{
    bool bioes = l->scheme == GM_TAGS_BIOES;
    for (size_t j = 0; j < l->k; j++) {
        char c = gm_ner_tag(l, j).prefix;
        if (c == 'I' || c == 'E')
            emit[w * l->k + j] = -INFINITY;
        if (bioes && (c == 'B' || c == 'I'))
            emit[(w - 1) * l->k + j] = -INFINITY;
    }
}
