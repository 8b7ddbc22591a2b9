/* fine_types.c - a softmax over fine types for every word: K = 1 + pairs of (type, fine type),
 * class 0 is "none". For the logits z [n][K] of n words with classes y:
 *
 *   loss = - sum over words i of log softmax(z[i])[y_i];   d z[i][j] = softmax(z[i])[j] - [y_i = j]
 *   chosen for an entity of type c: the pair (c, f) with the largest sum of z over its words
 *
 * Words of an unknown pair are left out. The sums are f64. Reference: differences and a plain
 * search in tests/unit/test_ner_fine.c. */
#include "ner/fine_types.h"

#include "record/tags.h"

#include <math.h>
#include <string.h>

enum { MAX_PAIRS = 10000 };

void gm_fine_types_init(struct gm_fine_types *f)
{
    *f = (struct gm_fine_types){0};
    gm_labels_init(&f->pairs, MAX_PAIRS);
}

void gm_fine_types_clear(struct gm_fine_types *f) { gm_labels_clear(&f->pairs); }

size_t gm_fine_types_k(const struct gm_fine_types *f) { return 1 + f->pairs.n; }

/* The post's entities with pairs as types; those without a fine type get the empty name. */
static enum gm_status with_pairs(const struct gm_post *p, struct gm_arena *a, struct gm_post *out,
                                 struct gm_error *err)
{
    *out = *p;
    out->entities = gm_arena_alloc(a, p->n_entities, sizeof *out->entities);
    if (!out->entities)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entity *e = &out->entities[i];
        *e = p->entities[i];
        e->type = e->fine_type.n ? gm_arena_printf(a, "%.*s\t%.*s", GM_STR_ARG(e->type),
                                                   GM_STR_ARG(e->fine_type))
                                 : GM_STR("");
        if (!e->type.p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    return GM_OK;
}

enum gm_status gm_fine_types_collect(struct gm_fine_types *f, const struct gm_post *p,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_post paired;
    uint32_t id;
    gm_arena_init(&a, 0);
    GM_TRY(with_pairs(p, &a, &paired, err));
    for (size_t i = 0; i < paired.n_entities; i++)
        if (paired.entities[i].type.n)
            GM_TRY(gm_labels_add(&f->pairs, paired.entities[i].type, &id, err));
done:
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_fine_types_classes(struct gm_fine_types *f, const struct gm_post *p,
                                     uint16_t *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_post paired;
    struct gm_labels names; /* of this post: "" is not to become a class */
    size_t n, n_skipped;
    gm_arena_init(&a, 0);
    gm_labels_init(&names, MAX_PAIRS);
    struct gm_span *spans = gm_arena_alloc(&a, p->n_entities, sizeof *spans);
    GM_TRY(spans ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(with_pairs(p, &a, &paired, err));
    GM_TRY(gm_post_spans(&paired, &names, spans, &n, &n_skipped, err));
    memset(out, 0, p->n_tokens * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        uint32_t pair = gm_labels_find(&f->pairs, gm_labels_at(&names, spans[i].type));
        for (size_t w = spans[i].first; w < spans[i].end; w++)
            out[w] = pair == GM_LABEL_NONE ? GM_FINE_UNKNOWN : (uint16_t)(1 + pair);
    }
done:
    gm_labels_clear(&names);
    gm_arena_clear(&a);
    return st;
}

void gm_fine_types_loss(const struct gm_fine_types *f, const float *logits, const uint16_t *classes,
                        size_t n, double weight, float *d_logits, double *loss)
{
    size_t k = gm_fine_types_k(f);
    for (size_t i = 0; i < n; i++) {
        const float *z = logits + i * k;
        double top = z[0], sum = 0;
        if (classes[i] == GM_FINE_UNKNOWN)
            continue;
        for (size_t j = 1; j < k; j++)
            top = z[j] > top ? z[j] : top;
        for (size_t j = 0; j < k; j++)
            sum += exp(z[j] - top);
        for (size_t j = 0; j < k; j++)
            d_logits[i * k + j] += (float)(weight * (exp(z[j] - top) / sum - (classes[i] == j)));
        *loss += weight * (top + log(sum) - z[classes[i]]);
    }
}

struct gm_str gm_fine_types_pick(const struct gm_fine_types *f, struct gm_str coarse,
                                 const float *logits, size_t n)
{
    size_t k = gm_fine_types_k(f);
    struct gm_str best = {0};
    double top = -INFINITY;
    for (uint32_t i = 0; i < f->pairs.n; i++) {
        struct gm_str pair = gm_labels_at(&f->pairs, i);
        double sum = 0;
        if (pair.n <= coarse.n || pair.p[coarse.n] != '\t' ||
            memcmp(pair.p, coarse.p, coarse.n) != 0)
            continue;
        for (size_t w = 0; w < n; w++)
            sum += logits[w * k + 1 + i];
        if (sum > top) {
            top = sum;
            best = gm_str_sub(pair, coarse.n + 1, pair.n);
        }
    }
    return best;
}

struct gm_json *gm_fine_types_json(const struct gm_fine_types *f)
{
    struct gm_json *list = gm_json_new_array();
    bool ok = list != NULL;
    for (uint32_t i = 0; ok && i < f->pairs.n; i++) {
        struct gm_str pair = gm_labels_at(&f->pairs, i);
        size_t tab = (size_t)((const char *)memchr(pair.p, '\t', pair.n) - pair.p);
        struct gm_json *one = gm_json_new_object();
        ok = one && gm_json_set(one, "type", gm_json_new_str(gm_str_sub(pair, 0, tab))) &&
             gm_json_set(one, "name", gm_json_new_str(gm_str_sub(pair, tab + 1, pair.n)));
        ok = gm_json_add(list, one) && ok;
    }
    if (ok)
        return list;
    gm_json_free(list);
    return NULL;
}

enum gm_status gm_fine_types_read(struct gm_fine_types *f, const struct gm_json *pairs,
                                  const char *where, struct gm_error *err)
{
    for (size_t i = 0, n = gm_json_count(pairs); i < n; i++) {
        const struct gm_json *one = gm_json_at(pairs, i);
        struct gm_str type, name;
        struct gm_arena a;
        uint32_t id;
        if (!gm_json_str(gm_json_get(one, "type"), &type) || memchr(type.p, '\t', type.n) ||
            !gm_json_str(gm_json_get(one, "name"), &name))
            return GM_FAIL(err, GM_EMODEL,
                           "%s: \"fine_types\" must be a list of {\"type\", \"name\"}", where);
        gm_arena_init(&a, 0);
        struct gm_str pair = gm_arena_printf(&a, "%.*s\t%.*s", GM_STR_ARG(type), GM_STR_ARG(name));
        enum gm_status st = pair.p ? gm_labels_add(&f->pairs, pair, &id, err)
                                   : GM_FAIL(err, GM_ENOMEM, "out of memory");
        gm_arena_clear(&a);
        if (st != GM_OK)
            return st;
    }
    return GM_OK;
}
