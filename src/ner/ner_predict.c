/* ner_predict.c - entities of posts: CRF decoding and how sure the model is. Of words [a, b)
 * that the best path y makes one entity, with P the CRF's probabilities (crf.c):
 *
 *   marginal = P(y_a … y_b-1, and word b does not go on with the entity)
 *   entropy  = mean over its words t of - sum over j of P(y_t = j) log P(y_t = j), in nats
 *   margin   = score(y) - max score of a path with another label at one of its words, or on which
 *              the entity goes on at word b
 *   score    = the calibrated marginal (calibration.c)
 *   span_score = the calibrated probability of an entity there, whatever its type (ner_spans.c)
 *   type_score = score / span_score: of the type, where the span is right
 *
 * Source of entropy and margin: Settles 2009 (active learning). Naive reference of the parts:
 * all paths, in tests/unit/test_nn_crf.c. */
#include "ner/name_policy.h"
#include "ner/ner_spans.h"
#include "ner/softmax_head.h"

#include "base/alloc.h"
#include "base/host.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/utf8.h"
#include "record/offsets.h"

#include <math.h>
#include <stdlib.h>

/* What decoding one post needs to know of it. */
struct decoded {
    const uint16_t *best; /* [n] labels */
    struct gm_crf_lattice lattice;
    const double *max_marginal; /* [n,k] */
    double score;               /* of the best path */
    struct gm_ner_lattice spans;
    uint16_t *work; /* [n] */
};

/* How sure the model is of words [first, end) being this entity. `inside` is the label that would
 * make the entity go on at word `end`; >= k: its last label ends it. */
static struct gm_uncertainty uncertainty(const struct decoded *d, const struct gm_span *s,
                                         size_t inside)
{
    const struct gm_crf_lattice *l = &d->lattice;
    double entropy = 0, rival = -INFINITY;
    for (size_t t = s->first; t < s->end; t++)
        for (size_t j = 0; j < l->k; j++) {
            double p = gm_crf_marginal(l, t, j);
            entropy -= p > 0 ? p * log(p) : 0;
            if (j != d->best[t])
                rival = fmax(rival, d->max_marginal[t * l->k + j]);
        }
    if (inside < l->k && s->end < l->n)
        rival = fmax(rival, d->max_marginal[s->end * l->k + inside]);
    struct gm_span_odds odds = gm_ner_span_odds(&d->spans, s->first, s->end, d->work);
    double marginal = gm_crf_span(l, s->first, s->end, d->best + s->first, inside);
    double span = gm_calibrated(d->spans.calibration, fmax(odds.any, marginal));
    return (struct gm_uncertainty){
        .has = true,
        .marginal = marginal,
        .entropy = entropy / (double)(s->end - s->first),
        .margin = d->score - rival,
        .span_score = span,
        .type_score = span > 0 ? gm_calibrated(d->spans.calibration, marginal) / span : 0};
}

/* An entity of the post whose words are those of the span; `at` goes on from span to span. */
static enum gm_status make_entity(const struct gm_tagger *t, const struct gm_ner_rows *r,
                                  const struct gm_span *s, struct gm_offset *at,
                                  struct gm_entity *out, struct gm_error *err)
{
    size_t from = r->words[s->first].start, to = r->words[s->end - 1].end;
    *out = (struct gm_entity){
        .text = gm_str_sub(r->post->text, from, to),
        .type = gm_arena_str(&r->post->arena, gm_labels_at(&t->labels.types, s->type)),
        .source = GM_STR("tag"),
        .visible = -1};
    gm_offset_to_byte(at, from);
    out->start = at->cp;
    out->end = at->cp + gm_utf8_count(out->text);
    return out->type.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status add_entities(const struct gm_tagger *t, const struct gm_ner_rows *r,
                                   const struct decoded *d, const struct gm_span *spans, size_t n,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post *p = r->post;
    struct gm_offset at;
    gm_offset_init(&at, p->text);
    p->entities = gm_arena_alloc(&p->arena, n, sizeof *p->entities);
    if (!p->entities)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const struct gm_span *s = &spans[i];
        struct gm_entity *e = &p->entities[i];
        size_t inside = t->labels.scheme == GM_TAGS_BIO
                            ? gm_ner_label(&t->labels, (struct gm_tag){'I', s->type})
                            : t->labels.k;
        GM_TRY(make_entity(t, r, s, &at, e, err));
        e->uncertainty = uncertainty(d, s, inside);
        e->score = gm_calibrated(&t->calibration, e->uncertainty.marginal);
        if (r->fine_logits) {
            struct gm_str fine_type = gm_fine_types_pick(
                &t->fine_types, e->type,
                r->fine_logits + s->first * gm_fine_types_k(&t->fine_types), s->end - s->first);
            e->fine_type = gm_arena_str(&p->arena, fine_type);
            if (!e->fine_type.p)
                return GM_FAIL(err, GM_ENOMEM, "out of memory");
        }
    }
    p->n_entities = n;
done:
    return st;
}

static int by_place(const void *a, const void *b)
{
    const struct gm_candidate *x = a, *y = b;
    return (x->span.first > y->span.first) - (x->span.first < y->span.first);
}

/* What may have been missed, in order of the text. */
static enum gm_status add_candidates(const struct gm_tagger *t, const struct gm_ner_rows *r,
                                     const struct decoded *d, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post *p = r->post;
    struct gm_candidate found[GM_CANDIDATES_MAX];
    struct gm_offset at;
    gm_offset_init(&at, p->text);
    size_t n = gm_ner_candidates(&d->spans, t->candidates_min, GM_CANDIDATES_MAX, d->work, found);
    qsort(found, n, sizeof *found, by_place);
    p->candidates = gm_arena_alloc(&p->arena, n, sizeof *p->candidates);
    if (!p->candidates)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        GM_TRY(make_entity(t, r, &found[i].span, &at, &p->candidates[i], err));
        p->candidates[i].score = gm_calibrated(&t->calibration, found[i].odds.any);
    }
    p->n_candidates = n;
done:
    return st;
}

/* Entities from the best labels of one post. */
static enum gm_status decode(const struct gm_tagger *t, const struct gm_ner_rows *r,
                             struct gm_arena *work, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_crf crf = gm_ner_crf(t), lattice = gm_ner_lattice_crf(t);
    struct decoded d;
    size_t n = r->n_words;
    struct gm_ner_path path;
    d.work = gm_arena_alloc(work, n, sizeof *d.work);
    if (!d.work)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", n);
    GM_TRY(gm_ner_best_path(t, r, work, &path, err));
    r->post->has_entities = true;
    r->post->n_entities = r->post->n_candidates = 0;
    r->post->has_candidates = t->candidates_min > 0;
    if (path.n_spans == 0 && (n == 0 || !r->post->has_candidates))
        return GM_OK;
    double *most = gm_arena_alloc(work, n * t->labels.k, sizeof *most);
    if (!most)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", n);
    d.best = path.best;
    d.score = path.score;
    d.max_marginal = most;
    GM_TRY(gm_crf_max_marginals(&crf, r->emit, n, most, work, err));
    GM_TRY(gm_crf_lattice_fill(&d.lattice, &lattice, r->emit, n, work, err));
    d.spans = (struct gm_ner_lattice){&t->labels, &t->calibration, &d.lattice, path.best};
    GM_TRY(add_entities(t, r, &d, path.spans, path.n_spans, err));
    if (r->post->has_candidates)
        st = add_candidates(t, r, &d, err);
done:
    return st;
}

struct decoding {
    const struct gm_tagger *t;
    const struct gm_ner_rows *rows;
    struct thread {
        struct gm_arena work; /* of one post */
        enum gm_status st;
        struct gm_error err;
    } * threads;
};

static void decode_one(void *self, size_t thread, size_t i)
{
    const struct decoding *x = self;
    struct thread *own = &x->threads[thread];
    gm_arena_reset(&own->work);
    if (own->st == GM_OK)
        own->st = decode(x->t, &x->rows[i], &own->work, &own->err);
}

/* Fewer posts are decoded before other threads have begun. */
enum { DECODED_ALONE = 32 };

static enum gm_status decode_all(const struct gm_tagger *t, const struct gm_ner_rows *rows,
                                 size_t n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_threads = n < DECODED_ALONE ? 1 : gm_threads();
    struct decoding x = {t, rows, gm_alloc(n_threads, sizeof *x.threads)};
    if (!x.threads)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n_threads; i++)
        gm_arena_init(&x.threads[i].work, 0);
    gm_parallel_tasks(n, n_threads, decode_one, &x);
    for (size_t i = 0; i < n_threads; i++) {
        if (st == GM_OK && x.threads[i].st != GM_OK) {
            st = x.threads[i].st;
            if (err)
                *err = x.threads[i].err;
        }
        gm_arena_clear(&x.threads[i].work);
    }
    gm_free(x.threads);
    return st;
}

/* Tags of IOB1 look like those of BIO by their names; read as such, hardly anything is found. */
static void look_for_iob1(struct gm_tagger_session *s, const struct gm_ner_rows *rows, size_t n)
{
    enum { FEW = 3 };
    if (s->told || !gm_tagger_may_be_iob1(s->t))
        return;
    for (size_t i = 0; i < n; i++)
        gm_softmax_head_signs(s->t, rows[i].emit, rows[i].n_words, &s->n_begins, &s->n_odd);
    s->told = s->n_odd >= FEW && s->n_odd > 3 * s->n_begins;
    if (s->told)
        GM_LOG(
            GM_LOG_WARN, "tagger",
            "%s: %zu of %zu entities would begin with I-, as in IOB1, and are not found; if it was trained so, "
            "%s settles it, or {\"format\": 1, \"task\": \"ner\", \"head\": \"softmax\", \"scheme\": "
            "\"iob1\"} as its gmner.json",
            s->t->net.dir, s->n_odd, s->n_odd + s->n_begins,
            gm_option("`gmner models calibrate DIR --dev FILE`"));
}

static void drop_unsure(struct gm_post *p, double min)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_entities; i++)
        if (p->entities[i].score >= min)
            p->entities[n++] = p->entities[i];
    p->n_entities = n;
}

enum gm_status gm_tagger_predict(struct gm_tagger_session *s, struct gm_post **posts, size_t n,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_ner_rows *rows;
    struct gm_arena a;
    size_t n_todo = 0;
    gm_arena_init(&a, 0);
    struct gm_post **todo = gm_arena_alloc(&a, n, sizeof *todo);
    GM_TRY(todo ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < n; i++)
        if (!posts[i]->error.stage.n && !posts[i]->has_entities)
            todo[n_todo++] = posts[i];
    GM_TRY(gm_ner_score(s, todo, n_todo, &a, &rows, err));
    look_for_iob1(s, rows, n_todo);
    GM_TRY(decode_all(s->t, rows, n_todo, err));
    for (size_t i = 0; i < n_todo; i++) {
        drop_unsure(todo[i], s->t->min_score);
        if (s->t->tweets)
            gm_name_policy_apply(todo[i]);
    }
done:
    gm_arena_clear(&a);
    return st;
}
