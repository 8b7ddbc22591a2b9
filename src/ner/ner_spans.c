/* ner_spans.c - what the CRF thinks of single spans, on the best path or not. For words [a, b), a type
 * z and the labels y(z) that make exactly these words an entity of it (crf.c has P):
 *
 *   p(z) = P(labels a … b-1 = y(z), and word b does not go on with the entity)
 *   span = sum over z of p(z): an entity from a to b, whatever its type
 *   type = p(z) / span: the type, where the span is right
 *
 * Each p(z) is forward-backward constrained to those labels (gm_crf_span). The calibration keeps the
 * order of probabilities, so that calibrated p(z) <= calibrated span, and their quotient is the type's
 * score. Naive reference: all paths, spans_of_all_types in tests/unit/test_ner_spans.c. */
#include "ner/ner_spans.h"

enum gm_status gm_ner_best_path(const struct gm_tagger *t, const struct gm_ner_rows *r,
                                struct gm_arena *work, struct gm_ner_path *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_crf crf = gm_ner_crf(t);
    size_t n = r->n_words;
    struct gm_tag *tags = gm_arena_alloc(work, n, sizeof *tags);
    *out = (struct gm_ner_path){.best = gm_arena_alloc(work, n, sizeof *out->best),
                                .spans = gm_arena_alloc(work, n, sizeof *out->spans)};
    if (!tags || !out->best || !out->spans)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", n);
    GM_TRY(gm_crf_viterbi(&crf, r->emit, n, out->best, &out->score, work, err));
    for (size_t i = 0; i < n; i++)
        tags[i] = gm_ner_tag(&t->labels, out->best[i]);
    out->n_spans = gm_tags_to_spans(tags, n, t->labels.scheme, GM_REPAIR_STRICT, out->spans);
done:
    return st;
}

/* The labels of n words that are an entity of that type, or, when `open`, the first n of a longer one. */
static void fill_labels(const struct gm_ner_labels *l, uint32_t type, size_t n, bool open,
                        uint16_t *out)
{
    bool bio = l->scheme == GM_TAGS_BIO;
    for (size_t i = 0; i < n; i++)
        out[i] = gm_ner_label(l, (struct gm_tag){i ? 'I' : 'B', type});
    if (!bio && !open)
        out[n - 1] = gm_ner_label(l, (struct gm_tag){n == 1 ? 'S' : 'E', type});
}

/* The label of an entity of that type that goes on; BIOES says so in the last label itself. */
static size_t goes_on(const struct gm_ner_labels *l, uint32_t type)
{
    return l->scheme == GM_TAGS_BIO ? gm_ner_label(l, (struct gm_tag){'I', type}) : l->k;
}

double gm_ner_span_probability(const struct gm_ner_lattice *x, size_t first, size_t end,
                               uint32_t type, uint16_t *work)
{
    fill_labels(x->labels, type, end - first, false, work);
    return gm_crf_span(x->lattice, first, end, work, goes_on(x->labels, type));
}

struct gm_span_odds gm_ner_span_odds(const struct gm_ner_lattice *x, size_t first, size_t end,
                                     uint16_t *work)
{
    const struct gm_ner_labels *labels = x->labels;
    struct gm_span_odds o = {.any = 0};
    for (uint32_t z = 0; z < labels->types.n; z++) {
        double p = gm_ner_span_probability(x, first, end, z, work);
        o.any += p;
        if (p > o.best) {
            o.best = p;
            o.type = z;
        }
    }
    o.any = o.any > 1 ? 1 : o.any;
    return o;
}

/* Probability that an entity of any type begins at `first` and goes on to word end - 1 at least (in
 * BIOES: beyond it): a bound for all spans from `first` that end behind `end`. */
static double reach(const struct gm_ner_lattice *x, size_t first, size_t end, uint16_t *work)
{
    const struct gm_ner_labels *labels = x->labels;
    double sum = 0;
    for (uint32_t z = 0; z < labels->types.n; z++) {
        fill_labels(labels, z, end - first, true, work);
        sum += gm_crf_span(x->lattice, first, end, work, labels->k);
    }
    return sum > 1 ? 1 : sum;
}

static bool is_free(const struct gm_candidate *taken, size_t n, size_t first, size_t end)
{
    for (size_t i = 0; i < n; i++)
        if (taken[i].span.first < end && first < taken[i].span.end)
            return false;
    return true;
}

/* The likeliest span that overlaps neither an entity of the best path nor one of those taken. */
static bool find_best(const struct gm_ner_lattice *x, const struct gm_candidate *taken, size_t n,
                      double min, uint16_t *work, struct gm_candidate *out)
{
    const struct gm_crf_lattice *l = x->lattice;
    double top = 0;
    for (size_t first = 0; first < l->n; first++)
        for (size_t end = first + 1; end <= l->n && x->best[end - 1] == 0; end++) {
            if (!is_free(taken, n, first, end))
                break;
            struct gm_span_odds o = gm_ner_span_odds(x, first, end, work);
            if (o.any > top && gm_calibrated(x->calibration, o.any) >= min) {
                *out = (struct gm_candidate){{first, end, o.type}, o};
                top = o.any;
            }
            if (gm_calibrated(x->calibration, reach(x, first, end, work)) < min)
                break;
        }
    return top > 0;
}

size_t gm_ner_candidates(const struct gm_ner_lattice *x, double min, size_t max, uint16_t *work,
                         struct gm_candidate *out)
{
    size_t n = 0;
    while (n < max && find_best(x, out, n, min, work, &out[n]))
        n++;
    return n;
}
