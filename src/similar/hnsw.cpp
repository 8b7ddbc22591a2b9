/* hnswlib behind a C interface; what it throws is false or NULL outside. */
#include "similar/hnsw.h"

#include <hnswlib/hnswlib.h>

#include <exception>
#include <new>

struct gm_hnsw {
    hnswlib::InnerProductSpace space;
    hnswlib::HierarchicalNSW<float> graph;
    gm_hnsw(size_t dim, size_t max_n, size_t links, size_t breadth)
        : space(dim), graph(&space, max_n, links, breadth)
    {
    }
};

struct gm_hnsw *gm_hnsw_new(size_t dim, size_t max_n, size_t links, size_t breadth)
{
    try {
        return new gm_hnsw(dim, max_n ? max_n : 1, links, breadth);
    } catch (const std::exception &) {
        return nullptr;
    }
}

void gm_hnsw_free(struct gm_hnsw *h) { delete h; }

bool gm_hnsw_add(struct gm_hnsw *h, uint32_t id, const float *vector)
{
    try {
        h->graph.addPoint(vector, id);
        return true;
    } catch (const std::exception &) {
        return false;
    }
}

size_t gm_hnsw_search(const struct gm_hnsw *h, const float *query, size_t n, uint32_t *ids)
{
    try {
        auto found = h->graph.searchKnn(query, n);
        size_t i = 0;
        for (; !found.empty(); found.pop())
            ids[i++] = static_cast<uint32_t>(found.top().second);
        return i;
    } catch (const std::exception &) {
        return SIZE_MAX;
    }
}
