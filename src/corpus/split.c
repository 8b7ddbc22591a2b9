#include "corpus/split.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "record/labels.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_POSTS = 100000000 };

struct unit {
    uint64_t stratum, order; /* of a root: sort keys */
    uint32_t parent;         /* union-find over posts that stay together */
    uint32_t n, part;        /* of a root: posts, part */
};

struct gm_split {
    struct gm_buf units;   /* struct unit, one a post */
    struct gm_labels seen; /* hashes of ids and texts */
    struct gm_buf first;   /* uint32_t: the post that brought each */
};

enum gm_status gm_split_new(struct gm_split **out, struct gm_error *err)
{
    struct gm_split *s = gm_alloc(1, sizeof *s);
    *out = s;
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_buf_init(&s->units, (size_t)MAX_POSTS * sizeof(struct unit));
    gm_labels_init(&s->seen, 2 * MAX_POSTS);
    gm_buf_init(&s->first, (size_t)MAX_POSTS * 2 * sizeof(uint32_t));
    return GM_OK;
}

void gm_split_free(struct gm_split *s)
{
    if (!s)
        return;
    gm_buf_clear(&s->units);
    gm_labels_clear(&s->seen);
    gm_buf_clear(&s->first);
    gm_free(s);
}

static struct unit *units(const struct gm_split *s) { return (struct unit *)(void *)s->units.p; }

static uint32_t root_of(struct unit *v, uint32_t i)
{
    while (v[i].parent != i) {
        v[i].parent = v[v[i].parent].parent;
        i = v[i].parent;
    }
    return i;
}

/* Types as a set: the sum of mixed hashes of the distinct ones does not mind their order. */
static uint64_t stratum_of(const struct gm_post *p)
{
    uint64_t types = 0, grounded = 0;
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *e = &p->entities[i];
        bool is_new = true;
        for (size_t k = 0; k < i && k < 64 && is_new; k++)
            is_new = !gm_str_eq(p->entities[k].type, e->type);
        types += is_new ? gm_hash64(gm_str_hash(e->type)) : 0;
        grounded |= e->n_regions > 0;
    }
    size_t n = p->n_entities < 4 ? p->n_entities : 4;
    return gm_hash64(types ^ gm_hash64(n * 2 + grounded));
}

/* Tie post `i` to the post that had `key` before, if there is one. */
static enum gm_status tie(struct gm_split *s, uint32_t i, uint64_t key, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint32_t id;
    char bytes[sizeof key];
    memcpy(bytes, &key, sizeof key);
    GM_TRY(gm_labels_add(&s->seen, (struct gm_str){bytes, sizeof bytes}, &id, err));
    if (id * sizeof i == s->first.n)
        return gm_buf_add(&s->first, &i, sizeof i, err);
    struct unit *v = units(s);
    uint32_t a = root_of(v, ((uint32_t *)(void *)s->first.p)[id]), b = root_of(v, i);
    if (a != b) {
        v[b].parent = a;
        v[a].n += v[b].n;
    }
done:
    return st;
}

enum gm_status gm_split_add(struct gm_split *s, const struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint32_t i = (uint32_t)(s->units.n / sizeof(struct unit));
    struct unit u = {.stratum = stratum_of(p), .parent = i, .n = 1};
    GM_TRY(gm_buf_add(&s->units, &u, sizeof u, err));
    if (p->has_id)
        GM_TRY(tie(s, i, gm_str_hash(p->id), err));
    if (!p->names_only && p->text.n)
        GM_TRY(tie(s, i, gm_hash64(gm_str_hash(p->text)) | 1, err));
done:
    return st;
}

static int by_stratum(const void *a, const void *b)
{
    const struct unit *x = *(struct unit *const *)a, *y = *(struct unit *const *)b;
    if (x->stratum != y->stratum)
        return x->stratum < y->stratum ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* The part that is farthest behind its share of the posts dealt so far. */
static uint32_t neediest(const double *shares, const double *counts, size_t n_parts, double total)
{
    size_t best = 0;
    for (size_t k = 1; k < n_parts; k++)
        if (shares[k] * total - counts[k] > shares[best] * total - counts[best])
            best = k;
    return (uint32_t)best;
}

enum gm_status gm_split_deal(struct gm_split *s, const double *shares, size_t n_parts,
                             uint64_t seed, struct gm_error *err)
{
    struct unit *v = units(s);
    size_t n = s->units.n / sizeof *v, n_roots = 0;
    struct unit **roots = gm_alloc(n, sizeof *roots);
    double *counts = gm_alloc(n_parts, sizeof *counts), total = 0;
    enum gm_status st = GM_OK;
    struct gm_rng rng;
    if (!roots || !counts) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu posts", n);
        goto done;
    }
    gm_rng_init(&rng, seed);
    for (size_t i = 0; i < n; i++) {
        v[i].order = gm_rng_u64(&rng);
        if (v[i].parent == i)
            roots[n_roots++] = &v[i];
    }
    if (n_roots)
        qsort(roots, n_roots, sizeof *roots, by_stratum);
    for (size_t i = 0; i < n_roots; i++) {
        total += roots[i]->n;
        roots[i]->part = neediest(shares, counts, n_parts, total);
        counts[roots[i]->part] += roots[i]->n;
    }
done:
    gm_free(roots);
    gm_free(counts);
    return st;
}

size_t gm_split_part(const struct gm_split *s, size_t i)
{
    struct unit *v = units(s);
    return v[root_of(v, (uint32_t)i)].part;
}
