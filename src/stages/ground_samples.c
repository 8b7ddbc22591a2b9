/* ground_samples.c - the score of a model's boxes from how far K answers to the same question agree. For
 * answers A and B, lists of boxes of one entity in pixels:
 *
 *   agreement(A, B) = (sum over a in A of max over b in B of IoU(a, b) + the same from B to A) / (|A| + |B|),
 *                     1 where both have no box
 *   score           = mean agreement of all pairs of answers that could be read; 0 for fewer than two
 *
 * which for answers of one box each is their mean pairwise IoU. Cost O(K^2 boxes^2) an entity.
 * Source: agreement of sampled answers as confidence: Wang et al., ICLR 2023 (self-consistency); the
 * region's uncertainty 1 - score: ReFineG (arXiv 2509.10975).
 * Naive reference: `agreement` in tests/e2e/test_check_llm.py. */
#include "stages/ground_samples.h"

#include "stages/ground_answers.h"

#include "image/overlap.h"

#include <math.h>

enum { BOXES_MAX = 16 };

/* The boxes of one answer about one entity, in pixels. */
struct sample {
    double box[BOXES_MAX][4];
    size_t n;
};

static struct sample read_sample(const struct gm_post *p, const struct gm_json *boxes,
                                 struct gm_frame f)
{
    struct sample s = {.n = 0};
    for (size_t i = 0; i < gm_json_count(boxes) && s.n < BOXES_MAX; i++)
        s.n += !gm_ground_box(gm_json_at(boxes, i), f, p, s.box[s.n]);
    return s;
}

/* Sum over the boxes of a of the best IoU with one of b. */
static double matched(const struct sample *a, const struct sample *b)
{
    double sum = 0;
    for (size_t i = 0; i < a->n; i++) {
        double best = 0;
        for (size_t k = 0; k < b->n; k++)
            best = fmax(best, gm_box_iou(a->box[i], b->box[k]));
        sum += best;
    }
    return sum;
}

static double mean_agreement(const struct sample *s, size_t n)
{
    double sum = 0;
    size_t pairs = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++, pairs++)
            sum += s[i].n + s[k].n
                       ? (matched(&s[i], &s[k]) + matched(&s[k], &s[i])) / (double)(s[i].n + s[k].n)
                       : 1;
    return pairs ? sum / (double)pairs : 0;
}

/* The replies of n rounds, one to each question a round. */
static void score_regions(const struct gm_ground_coords *c, const struct gm_post *p,
                          const struct gm_ground_work *w, const struct gm_llm_reply *replies,
                          size_t n)
{
    struct gm_frame f = w->frame;
    for (size_t i = 0; i < w->n; i++) {
        struct sample samples[GM_GROUND_SAMPLES_MAX];
        size_t n_read = 0;
        for (size_t k = 0; k < n; k++) {
            const struct gm_json *boxes =
                gm_ground_answer_of(c, w, replies + k * (w->n_q + w->n_late), w->of[i]);
            if (boxes)
                samples[n_read++] = read_sample(p, boxes, f);
        }
        for (size_t r = 0; r < w->asked[i]->n_regions; r++)
            w->asked[i]->regions[r].score = (float)mean_agreement(samples, n_read);
    }
}

enum gm_status gm_ground_samples(const struct gm_ground_coords *c, struct gm_llm_stage *s,
                                 struct gm_post *p, struct gm_ground_work *w, size_t n,
                                 double temperature, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool failed = false;
    size_t per = w->n_q + w->n_late, all = n * per;
    struct gm_llm_question *q = gm_arena_alloc(&w->arena, all, sizeof *q);
    struct gm_llm_reply *replies = gm_arena_alloc(&w->arena, all, sizeof *replies);
    if (!q || !replies)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < all; i++) {
        q[i] = i % per < w->n_q ? w->q[i % per] : w->late_q[i % per - w->n_q];
        q[i].sample = 1 + i / per;
        q[i].temperature = temperature;
    }
    GM_TRY(gm_llm_stage_ask(s, &w->picture, q, all, replies, err));
    GM_TRY(gm_ground_resolve(w, replies, all, err));
    for (size_t i = 0; i < all && !failed; i++)
        failed = gm_llm_stage_failed(s, p, &replies[i]);
    if (!failed)
        score_regions(c, p, w, replies, n);
done:
    for (size_t i = 0; i < all; i++)
        gm_llm_reply_clear(&replies[i]);
    return st;
}
