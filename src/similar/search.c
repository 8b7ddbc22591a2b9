/* search.c - two passes over blocks of posts x samples, a block a thread: the extremes of each part,
 * then the best candidates of each post by the sum of the parts. A candidate is compared with the post
 * for being a near-duplicate only when it would be among the best, which few are. Of somewhat more
 * candidates than asked for, whose f32 scores are right to about 1e-6, the final scores and their order
 * are computed in f64.
 *
 * Where there are fewer blocks of posts than threads (one post), the pool is dealt to the threads, and
 * each post's candidates are put together from several lists. */
#include "similar/search.h"

#include "base/alloc.h"
#include "base/parallel.h"
#include "base/stop.h"
#include "similar/pair_score.h"
#include "similar/tile.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SPARE = 8, ITEMS_A_THREAD = 4 }; /* candidates beyond k; pieces of work */

struct lane {
    struct gm_tile *tile;
    struct gm_similar_scale scale; /* of what this thread has seen */
    enum gm_status st;
    struct gm_error err;
};

struct candidate {
    float score;
    uint32_t post;
};

/* Posts in blocks of GM_TILE_POSTS, each beside the pool in n_chunks pieces: an item is one of both. */
struct pass {
    const struct gm_similar_vectors *pool, *posts;
    const struct gm_similar_rule *rule;
    double factor[GM_SIMILAR_PARTS], image_min;
    size_t n_items, n_chunks, n_lanes;
    struct lane *lanes;
    struct gm_limit limit; /* of the thread that waits */
    const struct gm_similar_progress *progress;
    pthread_mutex_t one; /* n_done and the call of progress */
    size_t n_done;
    /* Of the search: */
    size_t n_candidates;          /* room in a list */
    struct candidate *candidates; /* [n_items][GM_TILE_POSTS][n_candidates] best first */
    size_t *n_found;              /* [n_items][GM_TILE_POSTS] */
};

static size_t n_blocks(size_t n, size_t of) { return (n + of - 1) / of; }

static void pass_clear(struct pass *p)
{
    for (size_t i = 0; p->lanes && i < p->n_lanes; i++)
        gm_tile_free(p->lanes[i].tile);
    gm_free(p->lanes);
    gm_free(p->candidates);
    gm_free(p->n_found);
    pthread_mutex_destroy(&p->one);
}

static enum gm_status pass_init(struct pass *p, const struct gm_similar_vectors *pool,
                                const struct gm_similar_vectors *posts,
                                const struct gm_similar_rule *rule,
                                const struct gm_similar_progress *progress, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t blocks = n_blocks(posts->n, GM_TILE_POSTS), tiles = n_blocks(pool->n, GM_TILE_POOL);
    size_t wanted = gm_threads() * ITEMS_A_THREAD;
    *p = (struct pass){.pool = pool, .posts = posts, .rule = rule, .progress = progress};
    pthread_mutex_init(&p->one, NULL);
    p->limit = gm_limit_get();
    p->n_chunks = blocks >= wanted || !blocks ? 1 : n_blocks(wanted, blocks);
    p->n_chunks = p->n_chunks < tiles ? p->n_chunks : tiles;
    p->n_items = blocks * p->n_chunks;
    p->n_lanes = gm_threads() < p->n_items ? gm_threads() : p->n_items;
    p->lanes = gm_alloc(p->n_lanes, sizeof *p->lanes);
    if (!p->lanes)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->n_lanes; i++) {
        struct lane *l = &p->lanes[i];
        for (size_t k = 0; k < GM_SIMILAR_PARTS; k++) {
            l->scale.min[k] = INFINITY;
            l->scale.max[k] = -INFINITY;
        }
        GM_TRY(gm_tile_new(&l->tile, pool, posts, rule, err));
    }
done:
    return st;
}

typedef enum gm_status tile_fn(struct pass *p, struct lane *l, size_t item, size_t first_post,
                               size_t from, size_t to, struct gm_error *err);

/* The posts of an item: [*q0, *q1); the samples: [*p0, *p1). */
static void item_range(const struct pass *p, size_t item, size_t *q0, size_t *q1, size_t *p0,
                       size_t *p1)
{
    size_t tiles = n_blocks(p->pool->n, GM_TILE_POOL), chunk = item % p->n_chunks;
    *q0 = item / p->n_chunks * GM_TILE_POSTS;
    *q1 = *q0 + GM_TILE_POSTS < p->posts->n ? *q0 + GM_TILE_POSTS : p->posts->n;
    *p0 = tiles * chunk / p->n_chunks * GM_TILE_POOL;
    *p1 = tiles * (chunk + 1) / p->n_chunks * GM_TILE_POOL;
    *p1 = *p1 < p->pool->n ? *p1 : p->pool->n;
}

static enum gm_status run_item(struct pass *p, struct lane *l, size_t item, tile_fn *fn)
{
    enum gm_status st = GM_OK;
    size_t q0, q1, p0, p1;
    item_range(p, item, &q0, &q1, &p0, &p1);
    gm_tile_posts(l->tile, q0, q1, p->factor, p->image_min);
    for (size_t from = p0, to; from < p1; from = to) {
        to = from + GM_TILE_POOL < p1 ? from + GM_TILE_POOL : p1;
        GM_TRY(gm_limit_check(&p->limit, &l->err));
        GM_TRY(fn(p, l, item, q0, from, to, &l->err));
    }
    pthread_mutex_lock(&p->one);
    p->n_done++;
    if (p->progress)
        p->progress->fn(p->progress->user, p->n_done, p->n_items);
    pthread_mutex_unlock(&p->one);
done:
    return st;
}

struct run {
    struct pass *pass;
    tile_fn *fn;
};

static void run_task(void *ctx, size_t lane, size_t item)
{
    const struct run *r = ctx;
    struct lane *l = &r->pass->lanes[lane];
    if (l->st == GM_OK)
        l->st = run_item(r->pass, l, item, r->fn);
}

static enum gm_status pass_run(struct pass *p, tile_fn *fn, struct gm_error *err)
{
    gm_parallel_tasks(p->n_items, p->n_lanes, run_task, &(struct run){p, fn});
    for (size_t i = 0; i < p->n_lanes; i++)
        if (p->lanes[i].st != GM_OK) {
            if (err)
                *err = p->lanes[i].err;
            return p->lanes[i].st;
        }
    return GM_OK;
}

/* ---- the extremes ---- */

/* 16 at a time, so that the compiler compares whole vectors. */
static void widen(double *min, double *max, const float *x, size_t n)
{
    enum { WIDE = 16 };
    float least[WIDE], most[WIDE];
    for (size_t k = 0; k < WIDE; k++) {
        least[k] = INFINITY;
        most[k] = -INFINITY;
    }
    size_t i = 0;
    for (; i + WIDE <= n; i += WIDE)
        for (size_t k = 0; k < WIDE; k++) {
            least[k] = x[i + k] < least[k] ? x[i + k] : least[k];
            most[k] = x[i + k] > most[k] ? x[i + k] : most[k];
        }
    for (; i < n; i++) {
        least[0] = x[i] < least[0] ? x[i] : least[0];
        most[0] = x[i] > most[0] ? x[i] : most[0];
    }
    for (size_t k = 0; k < WIDE; k++) {
        *min = (double)least[k] < *min ? (double)least[k] : *min;
        *max = (double)most[k] > *max ? (double)most[k] : *max;
    }
}

/* Only of pairs that both have a picture. */
static void widen_images(struct pass *p, struct lane *l, size_t first_post, size_t n_posts,
                         size_t from, size_t to, const float *x)
{
    double *min = &l->scale.min[GM_SIMILAR_IMAGE], *max = &l->scale.max[GM_SIMILAR_IMAGE];
    for (size_t q = 0; q < n_posts; q++, x += to - from)
        for (size_t k = from, end; k < to; k = end + 1) {
            for (end = k; end < to && gm_similar_vectors_has_image(p->pool, end);)
                end++;
            if (gm_similar_vectors_has_image(p->posts, first_post + q))
                widen(min, max, x + (k - from), end - k);
        }
}

static enum gm_status extremes_of_tile(struct pass *p, struct lane *l, size_t item,
                                       size_t first_post, size_t from, size_t to,
                                       struct gm_error *err)
{
    (void)item;
    size_t left = p->posts->n - first_post, n = left < GM_TILE_POSTS ? left : GM_TILE_POSTS;
    for (enum gm_similar_part k = 0; k < GM_SIMILAR_PARTS; k++) {
        const float *x;
        if (p->factor[k] == 0)
            continue;
        enum gm_status st = gm_tile_part(l->tile, k, from, to, &x, err);
        if (st != GM_OK)
            return st;
        if (k == GM_SIMILAR_IMAGE)
            widen_images(p, l, first_post, n, from, to, x);
        else
            widen(&l->scale.min[k], &l->scale.max[k], x, n * (to - from));
    }
    return GM_OK;
}

enum gm_status gm_similar_extremes(const struct gm_similar_vectors *pool,
                                   const struct gm_similar_vectors *posts,
                                   const struct gm_similar_rule *rule,
                                   const struct gm_similar_progress *progress,
                                   struct gm_similar_scale *scale, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct pass p;
    GM_TRY(pass_init(&p, pool, posts, rule, progress, err));
    for (size_t k = 0; k < GM_SIMILAR_PARTS; k++)
        p.factor[k] = rule->weight[k] > 0 && (k != GM_SIMILAR_IMAGE || pool->image_dim) ? 1 : 0;
    GM_TRY(pass_run(&p, extremes_of_tile, err));
    for (size_t k = 0; k < GM_SIMILAR_PARTS; k++) {
        scale->min[k] = INFINITY;
        scale->max[k] = -INFINITY;
        for (size_t i = 0; i < p.n_lanes; i++) {
            scale->min[k] = fmin(scale->min[k], p.lanes[i].scale.min[k]);
            scale->max[k] = fmax(scale->max[k], p.lanes[i].scale.max[k]);
        }
    }
done:
    pass_clear(&p);
    return st;
}

/* ---- the best ---- */

/* One row of a block: what beats the last of a full list, and is no near-duplicate, goes into it. */
static void pick(const struct pass *p, size_t post, size_t from, size_t to, const float *scores,
                 struct candidate *list, size_t *n)
{
    for (size_t s = from; s < to; s++) {
        float score = scores[s - from];
        bool full = *n == p->n_candidates;
        if ((full && !(score > list[*n - 1].score)) ||
            gm_similar_vectors_alike(p->posts, post, p->pool, s, p->rule->duplicate))
            continue;
        size_t at = full ? *n - 1 : (*n)++;
        for (; at > 0 && list[at - 1].score < score; at--)
            list[at] = list[at - 1];
        list[at] = (struct candidate){score, (uint32_t)s};
    }
}

static enum gm_status search_tile(struct pass *p, struct lane *l, size_t item, size_t first_post,
                                  size_t from, size_t to, struct gm_error *err)
{
    size_t left = p->posts->n - first_post, n = left < GM_TILE_POSTS ? left : GM_TILE_POSTS;
    const float *x;
    enum gm_status st = gm_tile_scores(l->tile, from, to, &x, err);
    if (st != GM_OK)
        return st;
    for (size_t q = 0; q < n; q++) {
        size_t list = item * GM_TILE_POSTS + q;
        pick(p, first_post + q, from, to, x + q * (to - from),
             p->candidates + list * p->n_candidates, &p->n_found[list]);
    }
    return GM_OK;
}

/* What the search writes, and room for the candidates of one post, a thread. */
struct finish {
    const struct pass *p;
    const struct gm_similar_scale *scale;
    size_t k, n_all;
    struct gm_similar_hit *all; /* [lanes][n_all] */
    struct gm_similar_hit *hits;
    size_t *n_hits;
};

/* All lists' candidates of post q, scored and sorted; the first k stay. */
static void finish_post(void *ctx, size_t lane, size_t q)
{
    const struct finish *f = ctx;
    const struct pass *p = f->p;
    const struct gm_similar_sides sides = {p->pool, p->posts, p->rule};
    struct gm_similar_hit *all = f->all + lane * f->n_all;
    size_t n = 0;
    for (size_t c = 0; c < p->n_chunks; c++) {
        size_t list = (q / GM_TILE_POSTS * p->n_chunks + c) * GM_TILE_POSTS + q % GM_TILE_POSTS;
        for (size_t i = 0; i < p->n_found[list]; i++)
            gm_similar_score(&sides, f->scale, q, p->candidates[list * p->n_candidates + i].post,
                             &all[n++]);
    }
    qsort(all, n, sizeof *all, gm_similar_best_first);
    f->n_hits[q] = n < f->k ? n : f->k;
    memcpy(f->hits + q * f->k, all, f->n_hits[q] * sizeof *all);
}

static void set_factors(struct pass *p, const struct gm_similar_scale *scale)
{
    for (size_t k = 0; k < GM_SIMILAR_PARTS; k++) {
        double range = scale->max[k] - scale->min[k]; /* -inf where there is no pair */
        p->factor[k] = p->rule->weight[k] > 0 && range > 0 ? p->rule->weight[k] / range : 0;
    }
    if (p->factor[GM_SIMILAR_IMAGE] > 0)
        p->image_min = scale->min[GM_SIMILAR_IMAGE];
}

enum gm_status gm_similar_search(const struct gm_similar_vectors *pool,
                                 const struct gm_similar_vectors *posts,
                                 const struct gm_similar_rule *rule,
                                 const struct gm_similar_scale *scale, size_t k,
                                 const struct gm_similar_progress *progress,
                                 struct gm_similar_hit *hits, size_t *n_hits, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct pass p;
    struct finish f = {.p = &p, .scale = scale, .k = k, .hits = hits, .n_hits = n_hits};
    GM_TRY(pass_init(&p, pool, posts, rule, progress, err));
    set_factors(&p, scale);
    p.n_candidates = k + SPARE;
    size_t n_lists = p.n_items * GM_TILE_POSTS, n;
    bool fits = gm_mul_size(n_lists, p.n_candidates, &n);
    p.candidates = fits ? gm_alloc(n, sizeof *p.candidates) : NULL;
    p.n_found = gm_alloc(n_lists, sizeof *p.n_found);
    f.n_all = p.n_chunks * p.n_candidates;
    f.all = gm_alloc(p.n_lanes * f.n_all, sizeof *f.all);
    if (!p.candidates || !p.n_found || !f.all) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu candidates a post", p.n_candidates);
        goto done;
    }
    GM_TRY(pass_run(&p, search_tile, err));
    gm_parallel_tasks(posts->n, p.n_lanes, finish_post, &f);
done:
    gm_free(f.all);
    pass_clear(&p);
    return st;
}
