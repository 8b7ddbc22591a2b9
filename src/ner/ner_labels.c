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

/* The sets of labels that may stand before others, in ranges: one of all of them (BIO) or of those that no entity is
 * open behind (BIOES), and for each type those that are inside of it; of runs also those of all others. */
struct sets {
    uint32_t *first;
    uint16_t *set_of;
    struct gm_crf_range *ranges;
    size_t n, n_ranges;
};

static void add_range(struct sets *s, size_t from, size_t to)
{
    if (from < to)
        s->ranges[s->n_ranges++] = (struct gm_crf_range){(uint16_t)from, (uint16_t)to};
}

static void end_set(struct sets *s) { s->first[++s->n] = (uint32_t)s->n_ranges; }

static void fill_sets(const struct gm_ner_labels *l, struct sets *s)
{
    size_t per = per_type(l);
    bool bioes = per == 4;
    s->first[0] = 0;
    add_range(s, 0, bioes ? 1 : l->k);
    for (size_t z = 0; z < l->types.n && bioes; z++)
        add_range(s, 1 + per * z + 2, 1 + per * z + 4); /* E and S */
    end_set(s);
    s->set_of[0] = 0;
    for (size_t z = 0; z < l->types.n; z++) {
        size_t b = 1 + per * z;
        s->set_of[b] = 0;
        if (l->runs) {
            s->set_of[b] = (uint16_t)s->n;
            add_range(s, 0, b);
            add_range(s, b + 2, l->k);
            end_set(s);
        }
        s->set_of[b + 1] = (uint16_t)s->n; /* I */
        if (bioes) {
            s->set_of[b + 2] = (uint16_t)s->n; /* E */
            s->set_of[b + 3] = 0;              /* S */
        }
        add_range(s, b, b + 2); /* behind B and I */
        end_set(s);
    }
}

static enum gm_status build_moves(struct gm_ner_labels *l, struct gm_error *err)
{
    size_t n_sets = 1 + 2 * l->types.n, n_ranges = 1 + 3 * l->types.n;
    struct sets s = {.first = gm_arena_alloc(&l->arena, n_sets + 1, sizeof *s.first),
                     .set_of = gm_arena_alloc(&l->arena, l->k, sizeof *s.set_of),
                     .ranges = gm_arena_alloc(&l->arena, n_ranges, sizeof *s.ranges)};
    uint32_t *whole = gm_arena_alloc(&l->arena, 2, sizeof *whole);
    uint16_t *zero = gm_arena_alloc(&l->arena, l->k, sizeof *zero);
    struct gm_crf_range *all = gm_arena_alloc(&l->arena, 1, sizeof *all);
    if (!s.first || !s.set_of || !s.ranges || !whole || !zero || !all)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    fill_sets(l, &s);
    l->moves = (struct gm_crf_moves){s.n, s.set_of, s.first, s.ranges};
    *all = (struct gm_crf_range){0, (uint16_t)l->k};
    memset(zero, 0, l->k * sizeof *zero);
    whole[0] = 0;
    whole[1] = 1;
    l->any_move = (struct gm_crf_moves){1, zero, whole, all};
    return GM_OK;
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
    return build_moves(l, err);
}

void gm_ner_map_labels(const struct gm_ner_labels *l, const struct gm_ner_labels *other,
                       uint16_t *map)
{
    for (size_t j = 0; j < l->k; j++) {
        struct gm_tag tag = gm_ner_tag(l, j);
        tag.type = j ? gm_labels_find(&other->types, gm_labels_at(&l->types, tag.type)) : 0;
        map[j] = gm_ner_label(other, tag);
    }
}

void gm_ner_labels_clear(struct gm_ner_labels *l)
{
    gm_labels_clear(&l->types);
    gm_arena_clear(&l->arena);
}

/* Those of `a` that `b` lacks, the first few. */
static enum gm_status add_alone(const struct gm_labels *a, const struct gm_labels *b,
                                const char *whose, struct gm_buf *text, struct gm_error *err)
{
    enum { SHOWN = 5 };
    enum gm_status st = GM_OK;
    size_t n = 0;
    for (uint32_t i = 0; i < a->n; i++) {
        struct gm_str name = gm_labels_at(a, i);
        if (gm_labels_find(b, name) != GM_LABEL_NONE)
            continue;
        if (n < SHOWN)
            GM_TRY(gm_buf_printf(text, err, "%s%.*s",
                                 n         ? ", "
                                 : text->n ? "; "
                                           : "",
                                 GM_STR_ARG(name)));
        n++;
    }
    if (n > SHOWN)
        GM_TRY(gm_buf_printf(text, err, " and %zu more", n - SHOWN));
    if (n)
        st = gm_buf_printf(text, err, " only in %s", whose);
done:
    return st;
}

enum gm_status gm_ner_check_names(const struct gm_labels *model, const struct gm_labels *data,
                                  const char *what, const char *dir, const char *who,
                                  const char *remedy, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf text;
    if (gm_labels_same(model, data))
        return GM_OK;
    gm_buf_init(&text, (size_t)1 << 20);
    GM_TRY(add_alone(model, data, "the model", &text, err));
    GM_TRY(add_alone(data, model, "the data", &text, err));
    st = GM_FAIL(err, GM_EMODEL, "%s: %s whose %s are not those of the training data (%.*s)%s", dir,
                 who, what, GM_STR_ARG(gm_buf_str(&text)), remedy);
done:
    gm_buf_clear(&text);
    return st;
}

static const char *scheme_of(const struct gm_ner_labels *l)
{
    return l->runs ? "runs of classes" : l->scheme == GM_TAGS_BIOES ? "bioes" : "bio";
}

enum gm_status gm_ner_check_scheme(const struct gm_ner_labels *model,
                                   const struct gm_ner_labels *data, const char *dir,
                                   const char *who, struct gm_error *err)
{
    if (model->scheme == data->scheme && model->runs == data->runs)
        return GM_OK;
    return GM_FAIL(err, GM_EMODEL, "%s: %s whose tags are %s where the training's are %s%s", dir,
                   who, scheme_of(model), scheme_of(data),
                   model->runs ? "" : "; set \"scheme\" so in the settings");
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
