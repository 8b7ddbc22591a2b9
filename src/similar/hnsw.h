/* hnsw.h - an approximate index of vectors by inner product: hnswlib behind a C interface, its only user
 * hnsw.cpp. Every vector is close to few others in a graph, along which a search goes nearer and nearer.
 * Source: Malkov, Yashunin, Efficient and robust approximate nearest neighbor search using Hierarchical
 * Navigable Small World graphs, TPAMI 2020. Internal to src/similar. */
#ifndef GM_SIMILAR_HNSW_H
#define GM_SIMILAR_HNSW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gm_hnsw;

/* gm_hnsw_new - for at most max_n vectors of dim numbers, with `links` neighbours a vector, which are the best
 * of `breadth` that are looked at when it is added. NULL: out of memory. Takes 4 dim + 8 links + 20 bytes a
 * vector. gm_hnsw_free is NULL-safe. */
struct gm_hnsw *gm_hnsw_new(size_t dim, size_t max_n, size_t links, size_t breadth);
void gm_hnsw_free(struct gm_hnsw *h);

/* gm_hnsw_add - vector number id, once. false: out of memory, or over max_n. Threads: yes; the graph then
 * depends on the order in which they come. */
bool gm_hnsw_add(struct gm_hnsw *h, uint32_t id, const float *vector);

/* gm_hnsw_search - up to n numbers of the vectors with the largest inner product, in no set order; n is also how
 * many are looked at closely, so that asking for more than are needed finds more of those. SIZE_MAX: out of memory. Threads: yes, when all have been added. */
size_t gm_hnsw_search(const struct gm_hnsw *h, const float *query, size_t n, uint32_t *ids);

#ifdef __cplusplus
}
#endif

#endif
