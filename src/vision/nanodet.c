/* nanodet.c - from NanoDet's outputs to boxes. For each level of stride s and its cell (i, j) of
 * n = 416 / s by n (row i, column j; number i n + j), class scores cls [n n][80] (already
 * probabilities) and the sides' logits dis [n n][4][bins]:
 *
 *   centre = ((j + 1/2) s, (i + 1/2) s),   side d = s * sum over b of b softmax(dis[d])[b]
 *   box = centre - (left, top), centre + (right, bottom)
 *
 * A cell is the detection of its best class, where that reaches the threshold. Suppression drops
 * a box that overlaps a better one of its class by more than iou_max. Source: Li et al., NeurIPS
 * 2020 (distribution focal loss); RangiLyu's nanodet. Naive reference: reference_decode in
 * tests/unit/test_vision_nanodet.c. */
#include "vision/nanodet.h"

#include "image/overlap.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Expectation of bin 0..10 under the softmax of one side's logits. */
static float expected_bin(const float *logits)
{
    float top = logits[0];
    for (size_t i = 1; i < GM_NANODET_BINS; i++)
        top = fmaxf(top, logits[i]);
    double sum = 0, weighted = 0;
    for (size_t i = 0; i < GM_NANODET_BINS; i++) {
        double e = exp((double)logits[i] - (double)top);
        sum += e;
        weighted += e * (double)i;
    }
    return (float)(weighted / sum);
}

static void decode_cell(const struct gm_nanodet_level *l, size_t cell, struct gm_detection *d)
{
    size_t n = GM_NANODET_SIDE / l->stride;
    float stride = (float)l->stride;
    float x = ((float)(cell % n) + 0.5f) * stride;
    float y = ((float)(cell / n) + 0.5f) * stride;
    const float *dis = l->dis + cell * 4 * GM_NANODET_BINS;
    d->box[0] = (double)(x - stride * expected_bin(dis));
    d->box[1] = (double)(y - stride * expected_bin(dis + GM_NANODET_BINS));
    d->box[2] = (double)(x + stride * expected_bin(dis + 2 * GM_NANODET_BINS));
    d->box[3] = (double)(y + stride * expected_bin(dis + 3 * GM_NANODET_BINS));
}

/* Few cells pass the threshold, so that insertion beats sorting. */
size_t gm_detection_insert(struct gm_detection *out, size_t n, size_t max,
                           const struct gm_detection *d)
{
    size_t at = n;
    while (at > 0 && out[at - 1].score < d->score)
        at--;
    if (at == max)
        return n;
    size_t last = n < max ? n : max - 1;
    memmove(out + at + 1, out + at, (last - at) * sizeof *out);
    out[at] = *d;
    return n < max ? n + 1 : max;
}

/* Nearly every cell has no object: this loop, which compiles to vectors, is all that those cost. */
static bool has_object(const float *cls, float score_min)
{
    int any = 0;
    for (size_t c = 0; c < GM_NANODET_CLASSES; c++)
        any |= cls[c] >= score_min;
    return any;
}

size_t gm_nanodet_decode(const struct gm_nanodet_level *levels, size_t n_levels, float score_min,
                         struct gm_detection *out, size_t max)
{
    size_t n_out = 0;
    for (size_t i = 0; i < n_levels; i++) {
        const struct gm_nanodet_level *l = &levels[i];
        size_t n = GM_NANODET_SIDE / l->stride;
        for (size_t cell = 0; cell < n * n; cell++) {
            const float *cls = l->cls + cell * GM_NANODET_CLASSES;
            size_t best = 0;
            if (!has_object(cls, score_min))
                continue;
            for (size_t c = 1; c < GM_NANODET_CLASSES; c++)
                if (cls[c] > cls[best])
                    best = c;
            if (!(cls[best] >= score_min))
                continue;
            struct gm_detection d = {.score = cls[best], .class_id = (uint32_t)best};
            decode_cell(l, cell, &d);
            n_out = gm_detection_insert(out, n_out, max, &d);
        }
    }
    return n_out;
}

size_t gm_nms(struct gm_detection *d, size_t n, float iou_max)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < kept && !(d[k].class_id == d[i].class_id &&
                             gm_box_iou(d[k].box, d[i].box) > (double)iou_max))
            k++;
        if (k == kept)
            d[kept++] = d[i];
    }
    return kept;
}
