/* ner_judge.c - the probability of labels that come from somewhere else, such as a language model's:
 *
 *   p = P(the labels of exactly these words and this type)      (ner_spans.c)
 *
 * Naive reference: on the labels that the tagger itself predicts p is their marginal
 * (tests/e2e/test_synth.py); the probability: tests/unit/test_ner_spans.c. */
#include "ner/ner_spans.h"
#include "ner/tagger.h"

#include "base/utf8.h"

#include <math.h>

/* The words [*first, *end) that an entity covers; false where its ends are not theirs. */
static bool find_words(const struct gm_ner_rows *r, const struct gm_entity *e, size_t *first,
                       size_t *end)
{
    size_t from = gm_utf8_offset(r->post->text, e->start);
    size_t to = gm_utf8_offset(r->post->text, e->end);
    size_t w = 0;
    while (w < r->n_words && r->words[w].start < from)
        w++;
    *first = w;
    while (w < r->n_words && r->words[w].end < to)
        w++;
    *end = w + 1;
    return w < r->n_words && *first <= w && r->words[*first].start == from && r->words[w].end == to;
}

static void judge_entities(const struct gm_ner_rows *r, const struct gm_ner_lattice *x,
                           bool *covered, uint16_t *work)
{
    for (size_t i = 0; i < r->post->n_entities; i++) {
        struct gm_entity *e = &r->post->entities[i];
        uint32_t type = gm_labels_find(&x->labels->types, e->type);
        size_t first, end;
        e->score = 0;
        if (!find_words(r, e, &first, &end))
            continue;
        for (size_t w = first; w < end; w++)
            covered[w] = true;
        if (type != GM_LABEL_NONE)
            e->score = fmin(1, gm_ner_span_probability(x, first, end, type, work));
    }
}

static double likeliest_outside(const struct gm_ner_lattice *x, const struct gm_span *spans,
                                size_t n, const bool *covered, uint16_t *work)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_known = false;
        for (size_t w = spans[i].first; w < spans[i].end; w++)
            is_known = is_known || covered[w];
        if (!is_known)
            most = fmax(most, gm_ner_span_probability(x, spans[i].first, spans[i].end,
                                                      spans[i].type, work));
    }
    return fmin(1, most);
}

static enum gm_status judge(const struct gm_tagger *t, const struct gm_ner_rows *r,
                            struct gm_arena *work, double *outside, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_crf crf = gm_ner_lattice_crf(t);
    struct gm_crf_lattice lattice;
    size_t n = r->n_words;
    struct gm_ner_path path;
    bool *covered = gm_arena_alloc(work, n, sizeof *covered);
    *outside = 0;
    if (!covered)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", n);
    if (n == 0)
        return GM_OK;
    GM_TRY(gm_ner_best_path(t, r, work, &path, err));
    GM_TRY(gm_crf_lattice_fill(&lattice, &crf, r->emit, n, work, err));
    const struct gm_ner_lattice x = {.labels = &t->labels, .lattice = &lattice};
    judge_entities(r, &x, covered, path.best); /* only the spans are needed of it now */
    *outside = likeliest_outside(&x, path.spans, path.n_spans, covered, path.best);
done:
    return st;
}

enum gm_status gm_tagger_judge(struct gm_tagger_session *s, struct gm_post **posts, size_t n,
                               double *outside, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_ner_rows *rows;
    struct gm_arena a, work;
    gm_arena_init(&a, 0);
    gm_arena_init(&work, 0);
    GM_TRY(gm_ner_score(s, posts, n, &a, &rows, err));
    for (size_t i = 0; i < n && st == GM_OK; i++) {
        gm_arena_reset(&work);
        st = judge(s->t, &rows[i], &work, &outside[i], err);
    }
done:
    gm_arena_clear(&a);
    gm_arena_clear(&work);
    return st;
}
