/* select.c - the most uncertain posts, none of them a near-duplicate of another: by falling uncertainty
 *
 *   u = sum over the spans of h(p),   h(p) = -p log p - (1 - p) log(1 - p)
 *
 * a post is taken unless one that was taken, or is annotated already, has nearly its words. */
#include "corpus/select.h"

#include "base/alloc.h"
#include "corpus/near_duplicates.h"

#include <math.h>
#include <stdlib.h>

struct candidate {
    struct gm_str text; /* in the arena */
    double uncertainty;
    size_t number;
};

struct gm_select {
    struct gm_arena arena;
    struct gm_near_duplicates *taken;
    struct candidate *all;
    size_t n, cap, n_added;
    size_t *chosen;
};

static double entropy(double p) { return p > 0 && p < 1 ? -p * log(p) - (1 - p) * log1p(-p) : 0; }

double gm_post_uncertainty(const struct gm_post *p)
{
    double sum = 0;
    for (size_t i = 0; i < p->n_entities; i++)
        sum += entropy(p->entities[i].score);
    for (size_t i = 0; i < p->n_candidates; i++)
        sum += entropy(p->candidates[i].score);
    return sum;
}

enum gm_status gm_select_new(struct gm_select **out, double similarity, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_select *s = gm_alloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&s->arena, 0);
    GM_TRY(gm_near_duplicates_new(&s->taken, similarity, err));
    *out = s;
    s = NULL;
done:
    gm_select_free(s);
    return st;
}

void gm_select_free(struct gm_select *s)
{
    if (!s)
        return;
    gm_near_duplicates_free(s->taken);
    gm_arena_clear(&s->arena);
    gm_free(s);
}

/* From now on the text is found. */
static enum gm_status take(struct gm_select *s, struct gm_str text, size_t number,
                           struct gm_error *err)
{
    struct gm_near_duplicates_match match;
    enum gm_status st = gm_near_duplicates_add(s->taken, text, number, &match, err);
    return st == GM_OK ? gm_near_duplicates_next_file(s->taken, err) : st;
}

enum gm_status gm_select_known(struct gm_select *s, const struct gm_post *p, struct gm_error *err)
{
    return take(s, p->text, 0, err);
}

enum gm_status gm_select_add(struct gm_select *s, const struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t number = s->n_added++;
    double u = p->error.stage.n ? 0 : gm_post_uncertainty(p);
    if (!(u > 0))
        return GM_OK;
    GM_TRY(GM_ARENA_GROW(&s->arena, s->all, s->n, s->cap, err));
    s->all[s->n] = (struct candidate){gm_arena_str(&s->arena, p->text), u, number};
    GM_TRY(s->all[s->n].text.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    s->n++;
done:
    return st;
}

static int by_uncertainty(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->uncertainty != y->uncertainty)
        return x->uncertainty > y->uncertainty ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

enum gm_status gm_select_pick(struct gm_select *s, size_t n, const size_t **chosen,
                              size_t *n_chosen, size_t *n_left_out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    s->chosen = gm_arena_alloc(&s->arena, n < s->n ? n : s->n, sizeof *s->chosen);
    *chosen = s->chosen;
    *n_chosen = *n_left_out = 0;
    GM_TRY(s->chosen ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (s->n)
        qsort(s->all, s->n, sizeof *s->all, by_uncertainty);
    for (size_t i = 0; i < s->n && *n_chosen < n; i++) {
        const struct candidate *c = &s->all[i];
        struct gm_near_duplicates_match match;
        GM_TRY(gm_near_duplicates_find(s->taken, c->text, &match, err));
        if (match.post != SIZE_MAX) {
            ++*n_left_out;
            continue;
        }
        GM_TRY(take(s, c->text, c->number, err));
        s->chosen[(*n_chosen)++] = c->number;
    }
done:
    return st;
}
