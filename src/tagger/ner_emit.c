/* ner_emit.c - from posts to the scores of their words' labels: pieces, packed batches of similar
 * length, encoder and heads. */
#include "tagger/ner_model.h"

#include "base/alloc.h"

#include <stdlib.h>

/* Rows of the sequences that end at token `to` or before, counted from that at token `from`. */
static enum gm_status slice_rows(struct gm_tagger *t, size_t row, uint32_t from, uint32_t to,
                                 uint32_t **begin, uint32_t **end, size_t *n, struct gm_error *err)
{
    const struct gm_packer *p = &t->packer;
    void *rows;
    for (*n = 0; row + *n < p->n_rows && p->begin[row + *n] < to;)
        ++*n;
    enum gm_status st = gm_graph_alloc(&t->net.graph, &rows, 2 * *n, sizeof **begin, err);
    if (st != GM_OK)
        return st;
    *begin = rows;
    *end = *begin + *n;
    for (size_t i = 0; i < *n; i++) {
        (*begin)[i] = p->begin[row + i] - from;
        (*end)[i] = p->end[row + i] - from;
    }
    return GM_OK;
}

enum gm_status gm_ner_emissions(struct gm_tagger *t, bool training, uint64_t seed, size_t *seq,
                                size_t *row, float **emit, float **d_emit, size_t *n_rows,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_graph *g = &t->net.graph;
    const struct gm_packer *p = &t->packer;
    struct gm_var *x;
    uint32_t *begin, *end, from = p->offsets[*seq];
    size_t to_seq = *seq + 1;
    void *offsets_;
    while (to_seq < p->n_seqs && p->offsets[to_seq + 1] - from <= t->batch_tokens)
        to_seq++;
    uint32_t to = p->offsets[to_seq];
    gm_graph_begin(g, training, seed);
    GM_TRY(gm_graph_alloc(g, &offsets_, to_seq - *seq + 1, sizeof(uint32_t), err));
    uint32_t *offsets = offsets_;
    for (size_t s = *seq; s <= to_seq; s++)
        offsets[s - *seq] = p->offsets[s] - from;
    struct gm_batch b = {.n_tokens = to - from, .n_seqs = to_seq - *seq, .ids = p->ids + from,
                         .positions = p->positions + from, .types = p->types + from,
                         .extra = p->extra + from, .offsets = offsets};
    GM_TRY(slice_rows(t, *row, from, to, &begin, &end, n_rows, err));
    GM_TRY(gm_encoder_forward(&t->net.enc, g, &b, &x, err));
    GM_TRY(gm_op_mean_rows(g, x, begin, end, *n_rows, &x, err));
    GM_TRY(gm_op_dropout(g, x, t->net.enc.config.hidden_dropout, &x, err));
    GM_TRY(gm_op_head(g, x, *n_rows, t->head_w, t->head_b, emit, d_emit, err));
    if (t->fine.pairs.n)
        GM_TRY(gm_op_head(g, x, *n_rows, t->fine.w, t->fine.b, &t->fine.logits, &t->fine.d_logits,
                          err));
    *seq = to_seq;
    *row += *n_rows;
done:
    return st;
}

/* One post on its way. */
struct job {
    struct gm_ner_rows rows;
    struct gm_pieced pieced, context; /* context: the post's knowledge */
    size_t cost; /* tokens */
};

/* Encode the jobs that are in the packer: one slice, but for posts over batch_tokens. */
static enum gm_status run_batch(struct gm_tagger *t, struct job **jobs, size_t n,
                                gm_ner_each_fn *fn, void *self, struct gm_error *err)
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
    for (size_t i = 0; i < n; i++) {
        jobs[i]->rows.emit = emit + p->posts[i] * k;
        jobs[i]->rows.fine = fine ? fine + p->posts[i] * kf : NULL;
        GM_TRY(fn(self, &jobs[i]->rows, err));
    }
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

enum gm_status gm_ner_each(struct gm_tagger *t, struct gm_post **posts, size_t n,
                           gm_ner_each_fn *fn, void *self, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_pieces tmp;
    gm_arena_init(&a, 0);
    gm_pieces_init(&tmp);
    struct job *jobs = gm_arena_alloc(&a, n, sizeof *jobs);
    struct job **order = gm_arena_alloc(&a, n, sizeof *order);
    GM_TRY(jobs && order ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < n; i++) {
        struct gm_str *words;
        struct job *j = order[i] = &jobs[i];
        struct gm_ner_rows *r = &j->rows;
        r->post = posts[i];
        r->index = i;
        GM_TRY(gm_words_of(r->post, &a, &r->words, &words, &r->n_words, err));
        GM_TRY(gm_pieces_of_words(&t->net, words, r->n_words, &tmp, &a, &j->pieced, err));
        GM_TRY(gm_pieces_of_text(&t->net, t->knowledge ? r->post->knowledge : GM_STR(""), &tmp, &a,
                                 &j->context, err));
        j->cost = gm_packer_cost(&t->net, &j->pieced, &j->context);
    }
    qsort(order, n, sizeof *order, by_cost);
    for (size_t from = 0, to; from < n; from = to) {
        gm_packer_reset(&t->packer);
        for (to = from; to < n; to++) {
            if (to > from && t->packer.n_tokens + order[to]->cost > t->batch_tokens)
                break;
            GM_TRY(gm_packer_add(&t->packer, &t->net, &order[to]->pieced, &order[to]->context, err));
        }
        GM_TRY(run_batch(t, order + from, to - from, fn, self, err));
    }
done:
    gm_pieces_clear(&tmp);
    gm_arena_clear(&a);
    return st;
}
