/* ner_predict.c - entities of posts: pieces, packed batches of similar length, CRF decoding. */
#include "tagger/ner_model.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "tagger/words.h"

#include <math.h>
#include <stdlib.h>

/* One post on its way. */
struct job {
    struct gm_post *post;
    struct gm_word *words; /* bytes of the post's text */
    size_t n_words;
    struct gm_pieced pieced, context; /* context: the post's knowledge */
    size_t cost; /* tokens */
};

/* What decoding one post needs to know of it. */
struct decoded {
    const uint16_t *best;           /* [n] labels */
    struct gm_crf_lattice lattice;
    const double *max_marginal;     /* [n,k] */
    double score;                   /* of the best path */
    const float *fine;              /* [n, gm_fine_k] logits; NULL = no fine types */
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
    return (struct gm_uncertainty){.has = true,
                                   .marginal = gm_crf_span(l, s->first, s->end, d->best + s->first, inside),
                                   .entropy = entropy / (double)(s->end - s->first),
                                   .margin = d->score - rival};
}

static enum gm_status add_entities(struct gm_tagger *t, const struct job *j, const struct decoded *d,
                                   const struct gm_span *spans, size_t n, struct gm_error *err)
{
    struct gm_post *p = j->post;
    size_t byte = 0, point = 0; /* code points before `byte` */
    p->entities = gm_arena_alloc(&p->arena, n, sizeof *p->entities);
    if (!p->entities)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const struct gm_span *s = &spans[i];
        size_t from = j->words[s->first].start, to = j->words[s->end - 1].end;
        struct gm_str type = gm_arena_str(&p->arena, gm_labels_at(&t->labels.types, s->type));
        size_t inside = t->labels.scheme == GM_TAGS_BIO
                            ? gm_ner_label(&t->labels, (struct gm_tag){'I', s->type})
                            : t->labels.k;
        if (!type.p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        point += gm_utf8_count(gm_str_sub(p->text, byte, from));
        byte = from;
        p->entities[i] = (struct gm_entity){.text = gm_str_sub(p->text, from, to),
                                            .type = type,
                                            .start = point,
                                            .end = point + gm_utf8_count(gm_str_sub(p->text, from, to)),
                                            .uncertainty = uncertainty(d, s, inside),
                                            .source = GM_STR("tag"),
                                            .visible = -1};
        if (d->fine) {
            struct gm_str fine = gm_fine_pick(&t->fine, type, d->fine + s->first * gm_fine_k(&t->fine),
                                              s->end - s->first);
            p->entities[i].fine_type = gm_arena_str(&p->arena, fine);
            if (!p->entities[i].fine_type.p)
                return GM_FAIL(err, GM_ENOMEM, "out of memory");
        }
        p->entities[i].score = p->entities[i].uncertainty.marginal;
    }
    p->n_entities = n;
    return GM_OK;
}

/* Entities from the best labels of one post; `emit` and `fine` (NULL: no fine types) are its rows. */
static enum gm_status decode(struct gm_tagger *t, const struct job *j, const float *emit,
                             const float *fine, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_crf crf = gm_ner_crf(t);
    struct decoded d;
    size_t n = j->n_words;
    gm_arena_reset(&t->work);
    uint16_t *best = gm_arena_alloc(&t->work, n, sizeof *best);
    struct gm_tag *tags = gm_arena_alloc(&t->work, n, sizeof *tags);
    struct gm_span *spans = gm_arena_alloc(&t->work, n, sizeof *spans);
    if (!best || !tags || !spans)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", n);
    GM_TRY(gm_crf_viterbi(&crf, emit, n, best, &d.score, &t->work, err));
    for (size_t i = 0; i < n; i++)
        tags[i] = gm_ner_tag(&t->labels, best[i]);
    size_t n_spans = gm_tags_to_spans(tags, n, t->labels.scheme, GM_REPAIR_STRICT, spans);
    j->post->has_entities = true;
    j->post->n_entities = 0;
    if (n_spans == 0)
        return GM_OK;
    double *most = gm_arena_alloc(&t->work, n * t->labels.k, sizeof *most);
    if (!most)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", n);
    d.best = best;
    d.fine = fine;
    d.max_marginal = most;
    GM_TRY(gm_crf_max_marginals(&crf, emit, n, most, &t->work, err));
    GM_TRY(gm_crf_lattice_fill(&d.lattice, &crf, emit, n, &t->work, err));
    st = add_entities(t, j, &d, spans, n_spans, err);
done:
    return st;
}

/* Encode and decode the jobs that are in the packer: one slice, but for posts over batch_tokens. */
static enum gm_status run_batch(struct gm_tagger *t, struct job **jobs, size_t n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_packer *p = &t->packer;
    bool has_fine = t->fine.pairs.n > 0 && !t->fine.helper;
    size_t k = t->labels.k, kf = has_fine ? gm_fine_k(&t->fine) : 0;
    size_t n_rows, seq = 0, row = 0, bytes;
    float *part, *d_part;
    float *emit = gm_mul_size(p->n_rows, (k + kf) * sizeof *emit, &bytes)
                      ? gm_alloc_aligned(bytes, 1) : NULL;
    if (!emit)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    float *fine = has_fine ? emit + p->n_rows * k : NULL;
    while (seq < p->n_seqs) {
        size_t at = row;
        GM_TRY(gm_ner_emissions(t, false, 0, &seq, &row, &part, &d_part, &n_rows, err));
        memcpy(emit + at * k, part, n_rows * k * sizeof *emit);
        if (fine)
            memcpy(fine + at * kf, t->fine.logits, n_rows * kf * sizeof *fine);
    }
    for (size_t i = 0; i < n; i++)
        GM_TRY(decode(t, jobs[i], emit + p->posts[i] * k, fine ? fine + p->posts[i] * kf : NULL, err));
done:
    gm_free(emit);
    return st;
}

static int by_cost(const void *a, const void *b)
{
    const struct job *x = *(struct job *const *)a, *y = *(struct job *const *)b;
    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    return x < y ? -1 : 1; /* in order of input, so that results do not depend on qsort */
}

enum gm_status gm_tagger_predict(struct gm_tagger *t, struct gm_post **posts, size_t n,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_pieces tmp;
    size_t n_jobs = 0;
    gm_arena_init(&a, 0);
    gm_pieces_init(&tmp);
    struct job *jobs = gm_arena_alloc(&a, n, sizeof *jobs);
    struct job **order = gm_arena_alloc(&a, n, sizeof *order);
    if (!jobs || !order) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        struct gm_str *words;
        if (posts[i]->error.stage.n || posts[i]->has_entities)
            continue;
        struct job *j = &jobs[n_jobs];
        j->post = posts[i];
        GM_TRY(gm_words_of(j->post, &a, &j->words, &words, &j->n_words, err));
        GM_TRY(gm_pieces_of_words(&t->net, words, j->n_words, &tmp, &a, &j->pieced, err));
        GM_TRY(gm_pieces_of_text(&t->net, j->post->knowledge, &tmp, &a, &j->context, err));
        j->cost = gm_packer_cost(&t->net, &j->pieced, &j->context);
        order[n_jobs++] = j;
    }
    qsort(order, n_jobs, sizeof *order, by_cost);
    for (size_t from = 0, to; from < n_jobs; from = to) {
        gm_packer_reset(&t->packer);
        for (to = from; to < n_jobs; to++) {
            if (to > from && t->packer.n_tokens + order[to]->cost > t->batch_tokens)
                break;
            GM_TRY(gm_packer_add(&t->packer, &t->net, &order[to]->pieced, &order[to]->context, err));
        }
        GM_TRY(run_batch(t, order + from, to - from, err));
    }
done:
    gm_pieces_clear(&tmp);
    gm_arena_clear(&a);
    return st;
}
