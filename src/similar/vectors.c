/* vectors.c - the arrays of vectors.h, row i of dim numbers at i dim. The sum of a post's entities' vectors is
 * kept, as the sum over all pairs of cosines is the product of two such sums. Near-duplicates: for sets of words
 * A and B, |A and B| / |A or B| >= least (corpus/word_set.c). */
#include "similar/vectors.h"

#include <string.h>

struct set {
    size_t from, n; /* of the hashes */
    uint64_t exact;
};

void gm_similar_vectors_init(struct gm_similar_vectors *v, size_t dim, size_t image_dim)
{
    *v = (struct gm_similar_vectors){.dim = dim, .image_dim = image_dim};
    struct gm_buf *all[] = {&v->text,     &v->image, &v->has_image, &v->sum,    &v->first,
                            &v->entities, &v->name,  &v->kinds,     &v->hashes, &v->sets};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        gm_buf_init(all[i], SIZE_MAX / 2);
    gm_labels_init(&v->names, UINT32_MAX - 1);
}

void gm_similar_vectors_clear(struct gm_similar_vectors *v)
{
    struct gm_buf *all[] = {&v->text,     &v->image, &v->has_image, &v->sum,    &v->first,
                            &v->entities, &v->name,  &v->kinds,     &v->hashes, &v->sets};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        gm_buf_clear(all[i]);
    gm_labels_clear(&v->names);
    v->n = 0;
}

const float *gm_similar_vectors_row(const struct gm_buf *rows, size_t dim, size_t i)
{
    return (const float *)(const void *)rows->p + i * dim;
}

/* One more row, zeroed. */
static enum gm_status add_row(struct gm_buf *rows, size_t dim, float **row, struct gm_error *err)
{
    size_t bytes = dim * sizeof **row;
    enum gm_status st = gm_buf_reserve(rows, bytes, err);
    if (st != GM_OK)
        return st;
    *row = (float *)(void *)(rows->p + rows->n);
    memset(*row, 0, bytes);
    rows->n += bytes;
    return GM_OK;
}

static enum gm_status add_entities(struct gm_similar_vectors *v,
                                   const struct gm_similar_entity *entities, size_t n,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t end = 0;
    float *sum;
    GM_TRY(add_row(&v->sum, v->dim, &sum, err));
    for (size_t i = 0; i < n; i++) {
        const float *x = gm_similar_vectors_row(&v->name, v->dim, entities[i].name);
        for (size_t k = 0; k < v->dim; k++)
            sum[k] += x[k];
    }
    GM_TRY(gm_buf_add(&v->entities, entities, n * sizeof *entities, err));
    if (v->n == 0)
        GM_TRY(gm_buf_add(&v->first, &end, sizeof end, err));
    end = v->entities.n / sizeof *entities;
    st = gm_buf_add(&v->first, &end, sizeof end, err);
done:
    return st;
}

enum gm_status gm_similar_vectors_add(struct gm_similar_vectors *v, struct gm_str words,
                                      const float *text, const float *image,
                                      const struct gm_similar_entity *entities, size_t n,
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct set set = {.from = v->hashes.n / sizeof(uint64_t)};
    uint8_t has_image = image != NULL;
    float *row;
    GM_TRY(gm_word_set_read(words, &v->hashes, &set.n, &set.exact, err));
    GM_TRY(gm_buf_add(&v->sets, &set, sizeof set, err));
    GM_TRY(gm_buf_add(&v->text, text, v->dim * sizeof *text, err));
    GM_TRY(gm_buf_add(&v->has_image, &has_image, 1, err));
    GM_TRY(add_row(&v->image, v->image_dim, &row, err));
    if (image)
        memcpy(row, image, v->image_dim * sizeof *row);
    GM_TRY(add_entities(v, entities, n, err));
    v->n++;
done:
    return st;
}

const struct gm_similar_entity *gm_similar_vectors_entities(const struct gm_similar_vectors *v,
                                                            size_t i, size_t *n)
{
    const size_t *first = (const void *)v->first.p;
    *n = first[i + 1] - first[i];
    return (const struct gm_similar_entity *)(const void *)v->entities.p + first[i];
}

void gm_similar_vectors_kinds(const struct gm_similar_vectors *v, size_t i, size_t n_types,
                              float *out)
{
    size_t n;
    const struct gm_similar_entity *e = gm_similar_vectors_entities(v, i, &n);
    memset(out, 0, (n_types + 1) * sizeof *out);
    for (size_t k = 0; k < n; k++)
        if (e[k].type < n_types)
            out[e[k].type]++;
    out[n_types] = gm_similar_vectors_has_image(v, i) ? 1 : 0;
}

enum gm_status gm_similar_vectors_count_types(struct gm_similar_vectors *v, size_t n_types,
                                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    float *row;
    v->n_types = n_types;
    gm_buf_reset(&v->kinds);
    for (size_t i = 0; i < v->n; i++) {
        GM_TRY(add_row(&v->kinds, n_types + 1, &row, err));
        gm_similar_vectors_kinds(v, i, n_types, row);
    }
done:
    return st;
}

bool gm_similar_vectors_has_image(const struct gm_similar_vectors *v, size_t i)
{
    return v->has_image.p[i];
}

static struct gm_word_set set_of(const struct gm_similar_vectors *v, size_t i)
{
    const struct set *s = (const struct set *)(const void *)v->sets.p + i;
    return (struct gm_word_set){(const uint64_t *)(const void *)v->hashes.p + s->from, s->n,
                                s->exact};
}

bool gm_similar_vectors_alike(const struct gm_similar_vectors *a, size_t i,
                              const struct gm_similar_vectors *b, size_t k, double least)
{
    struct gm_word_set x = set_of(a, i), y = set_of(b, k);
    double similarity;
    bool is_exact;
    return gm_word_set_alike(&x, &y, least, &similarity, &is_exact);
}
