/* trie.h - strings by their bytes, to find all that a text starts with at one walk. Built once,
 * read from many threads. Internal to src/tokenizer. */
#ifndef GM_TOKENIZER_TRIE_H
#define GM_TOKENIZER_TRIE_H

#include "tokenizer/vocab.h"

struct gm_trie_node {
    uint32_t first; /* its children are nodes [first, first + n) */
    uint16_t n;
    unsigned char byte; /* that leads to it */
    int32_t id;         /* of the string that ends here; -1 = none */
};

struct gm_trie {
    struct gm_trie_node *nodes; /* [n]; node 0 is the root; children by byte */
    size_t n, cap;
    uint32_t by_byte[256]; /* the root's children; 0 = none */
};

/* gm_trie_build - all non-empty strings of the vocabulary with their ids. Errors: NOMEM. */
enum gm_status gm_trie_build(struct gm_trie *t, const struct gm_vocab *v,
                             struct gm_error *err) GM_NODISCARD;
void gm_trie_clear(struct gm_trie *t); /* a zeroed one is fine */

/* gm_trie_child - the node that `byte` leads to from `node`; 0 = none. */
static inline uint32_t gm_trie_child(const struct gm_trie *t, uint32_t node, unsigned char byte)
{
    const struct gm_trie_node *x = &t->nodes[node];
    if (node == 0)
        return t->by_byte[byte];
    uint32_t lo = x->first, hi = x->first + x->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (t->nodes[mid].byte < byte)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < x->first + x->n && t->nodes[lo].byte == byte ? lo : 0;
}

#endif
