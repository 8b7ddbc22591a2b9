#include "tokenizer/trie.h"

#include "base/alloc.h"

#include <stdlib.h>

struct key {
    struct gm_str s;
    int32_t id;
};

static int by_bytes(const void *a, const void *b)
{
    return gm_str_cmp(((const struct key *)a)->s, ((const struct key *)b)->s);
}

void gm_trie_clear(struct gm_trie *t)
{
    gm_free(t->nodes);
    *t = (struct gm_trie){0};
}

static enum gm_status add_node(struct gm_trie *t, unsigned char byte, struct gm_error *err)
{
    enum gm_status st = GM_GROW(t->nodes, t->n, t->cap, err);
    if (st == GM_OK)
        t->nodes[t->n++] = (struct gm_trie_node){.byte = byte, .id = -1};
    return st;
}

/* Sorted keys [from, to) share their first `depth` bytes, which end at one node. */
struct range {
    size_t from, to;
    uint32_t node;
    size_t depth;
};

/* The node's children, each with its range of keys appended to `queue`. */
static enum gm_status expand(struct gm_trie *t, const struct key *keys, struct range r,
                             struct range *queue, size_t *n_queue, struct gm_error *err)
{
    t->nodes[r.node].first = (uint32_t)t->n;
    while (r.from < r.to && keys[r.from].s.n == r.depth)
        t->nodes[r.node].id = keys[r.from++].id;
    for (size_t i = r.from, end; i < r.to; i = end) {
        char c = keys[i].s.p[r.depth];
        for (end = i + 1; end < r.to && keys[end].s.p[r.depth] == c; end++) {
        }
        enum gm_status st = add_node(t, (unsigned char)c, err);
        if (st != GM_OK)
            return st;
        queue[(*n_queue)++] = (struct range){i, end, (uint32_t)t->n - 1, r.depth + 1};
        t->nodes[r.node].n++;
    }
    return GM_OK;
}

enum gm_status gm_trie_build(struct gm_trie *t, const struct gm_vocab *v, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_bytes = 0, n_queue = 0;
    struct key *keys = gm_alloc(v->n ? v->n : 1, sizeof *keys);
    struct range *queue = NULL;
    *t = (struct gm_trie){0};
    for (size_t i = 0; keys && i < v->n; i++) {
        keys[i].s = gm_vocab_at(v, i, &keys[i].id);
        n_bytes += keys[i].s.n;
    }
    queue = keys ? gm_alloc(n_bytes + 1, sizeof *queue) : NULL; /* at most a node for each byte */
    if (!queue) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a vocabulary of %zu tokens", v->n);
        goto done;
    }
    qsort(keys, v->n, sizeof *keys, by_bytes);
    GM_TRY(add_node(t, 0, err));
    queue[n_queue++] = (struct range){0, v->n, 0, 0};
    for (size_t i = 0; i < n_queue; i++) /* breadth first: a node's children lie together */
        GM_TRY(expand(t, keys, queue[i], queue, &n_queue, err));
    for (uint32_t i = 0; i < t->nodes[0].n; i++)
        t->by_byte[t->nodes[t->nodes[0].first + i].byte] = t->nodes[0].first + i;
done:
    gm_free(queue);
    gm_free(keys);
    return st;
}
