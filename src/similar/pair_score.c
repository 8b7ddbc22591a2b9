/* pair_score.c - the terms of search.h for one pair, from the vectors in f64. Reference: all pairs, one by one, in
 * tests/unit/test_similar_search.c. */
#include "similar/pair_score.h"

#include <math.h>

/* Eight sums side by side, which the compiler adds as vectors. */
static double dot(const struct gm_buf *a, size_t i, const struct gm_buf *b, size_t k, size_t dim)
{
    enum { WIDE = 8 };
    const float *x = gm_similar_vectors_row(a, dim, i), *y = gm_similar_vectors_row(b, dim, k);
    double sums[WIDE] = {0}, sum = 0;
    size_t c = 0;
    for (; c + WIDE <= dim; c += WIDE)
        for (size_t j = 0; j < WIDE; j++)
            sums[j] += (double)x[c + j] * (double)y[c + j];
    for (; c < dim; c++)
        sum += (double)x[c] * (double)y[c];
    for (size_t j = 0; j < WIDE; j++)
        sum += sums[j];
    return sum;
}

/* The mean over q's entities of the best that sample s has for each. */
static double best_value(const struct gm_similar_sides *p, size_t q, size_t s)
{
    size_t nq, ns;
    const struct gm_similar_entity *a = gm_similar_vectors_entities(p->posts, q, &nq);
    const struct gm_similar_entity *b = gm_similar_vectors_entities(p->pool, s, &ns);
    double total = 0;
    for (size_t i = 0; i < nq && ns; i++) {
        double most = -INFINITY;
        for (size_t k = 0; k < ns; k++)
            most = fmax(
                most, dot(&p->posts->name, a[i].name, &p->pool->name, b[k].name, p->pool->dim) +
                          (gm_similar_same_type(a[i].type, b[k].type) ? GM_SIMILAR_TYPE_BONUS : 0));
        total += most / (double)nq;
    }
    return total;
}

static double entity_value(const struct gm_similar_sides *p, size_t q, size_t s)
{
    size_t nq, ns, n_equal = 0;
    const struct gm_similar_entity *a = gm_similar_vectors_entities(p->posts, q, &nq);
    const struct gm_similar_entity *b = gm_similar_vectors_entities(p->pool, s, &ns);
    if (p->rule->best)
        return best_value(p, q, s);
    for (size_t i = 0; i < nq; i++)
        for (size_t k = 0; k < ns; k++)
            n_equal += gm_similar_same_type(a[i].type, b[k].type);
    return dot(&p->posts->sum, q, &p->pool->sum, s, p->pool->dim) +
           GM_SIMILAR_TYPE_BONUS * (double)n_equal;
}

/* The scale's ends were found by products of another order of summation, so that the pair at an end may be beside it: it
 * is at it, and equal to what has no such part. */
static double on_scale(double value, double min, double range)
{
    const double rounding = 1e-6;
    double x = range > 0 ? (value - min) / range : 0;
    return fabs(x) < rounding ? 0 : fabs(x - 1) < rounding ? 1 : x;
}

void gm_similar_score(const struct gm_similar_sides *p, const struct gm_similar_scale *scale,
                      size_t q, size_t s, struct gm_similar_hit *hit)
{
    bool images =
        gm_similar_vectors_has_image(p->posts, q) && gm_similar_vectors_has_image(p->pool, s);
    *hit = (struct gm_similar_hit){.post = s};
    for (enum gm_similar_part k = 0; k < GM_SIMILAR_PARTS; k++) {
        hit->value[k] = hit->part[k] = NAN;
        if (p->rule->weight[k] <= 0 || (k == GM_SIMILAR_IMAGE && !images))
            continue;
        hit->value[k] = k == GM_SIMILAR_TEXT
                            ? dot(&p->posts->text, q, &p->pool->text, s, p->pool->dim)
                        : k == GM_SIMILAR_IMAGE
                            ? dot(&p->posts->image, q, &p->pool->image, s, p->pool->image_dim)
                            : entity_value(p, q, s);
        hit->part[k] = on_scale(hit->value[k], scale->min[k], scale->max[k] - scale->min[k]);
        hit->score += p->rule->weight[k] * hit->part[k];
    }
}

int gm_similar_best_first(const void *a, const void *b)
{
    const struct gm_similar_hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->post > y->post) - (x->post < y->post);
}
