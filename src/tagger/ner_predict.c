/* ner_predict.c - entities of posts: CRF decoding and how sure the model is. */
#include "tagger/ner_model.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <math.h>

/* What decoding one post needs to know of it. */
struct decoded {
    const uint16_t *best;           /* [n] labels */
    struct gm_crf_lattice lattice;
    const double *max_marginal;     /* [n,k] */
    double score;                   /* of the best path */
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

static enum gm_status add_entities(struct gm_tagger *t, const struct gm_ner_rows *r,
                                   const struct decoded *d, const struct gm_span *spans, size_t n, struct gm_error *err)
{
    struct gm_post *p = r->post;
    size_t byte = 0, point = 0; /* code points before `byte` */
    p->entities = gm_arena_alloc(&p->arena, n, sizeof *p->entities);
    if (!p->entities)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const struct gm_span *s = &spans[i];
        size_t from = r->words[s->first].start, to = r->words[s->end - 1].end;
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
        if (r->fine) {
            struct gm_str fine = gm_fine_pick(&t->fine, type, r->fine + s->first * gm_fine_k(&t->fine),
                                              s->end - s->first);
            p->entities[i].fine_type = gm_arena_str(&p->arena, fine);
            if (!p->entities[i].fine_type.p)
                return GM_FAIL(err, GM_ENOMEM, "out of memory");
        }
        p->entities[i].score = gm_calibrated(&t->calibration, p->entities[i].uncertainty.marginal);
    }
    p->n_entities = n;
    return GM_OK;
}

/* Entities from the best labels of one post. */
static enum gm_status decode(void *self, const struct gm_ner_rows *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_tagger *t = self;
    struct gm_crf crf = gm_ner_crf(t);
    struct decoded d;
    size_t n = r->n_words;
    gm_arena_reset(&t->work);
    uint16_t *best = gm_arena_alloc(&t->work, n, sizeof *best);
    struct gm_tag *tags = gm_arena_alloc(&t->work, n, sizeof *tags);
    struct gm_span *spans = gm_arena_alloc(&t->work, n, sizeof *spans);
    if (!best || !tags || !spans)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", n);
    GM_TRY(gm_crf_viterbi(&crf, r->emit, n, best, &d.score, &t->work, err));
    for (size_t i = 0; i < n; i++)
        tags[i] = gm_ner_tag(&t->labels, best[i]);
    size_t n_spans = gm_tags_to_spans(tags, n, t->labels.scheme, GM_REPAIR_STRICT, spans);
    r->post->has_entities = true;
    r->post->n_entities = 0;
    if (n_spans == 0)
        return GM_OK;
    double *most = gm_arena_alloc(&t->work, n * t->labels.k, sizeof *most);
    if (!most)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", n);
    d.best = best;
    d.max_marginal = most;
    GM_TRY(gm_crf_max_marginals(&crf, r->emit, n, most, &t->work, err));
    GM_TRY(gm_crf_lattice_fill(&d.lattice, &crf, r->emit, n, &t->work, err));
    st = add_entities(t, r, &d, spans, n_spans, err);
done:
    return st;
}


enum gm_status gm_tagger_predict(struct gm_tagger *t, struct gm_post **posts, size_t n,
                                 struct gm_error *err)
{
    size_t n_todo = 0;
    struct gm_post **todo = gm_alloc(n, sizeof *todo);
    if (!todo)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (!posts[i]->error.stage.n && !posts[i]->has_entities)
            todo[n_todo++] = posts[i];
    enum gm_status st = gm_ner_each(t, todo, n_todo, decode, t, err);
    gm_free(todo);
    return st;
}
