/* ner_emit.c - from posts to the scores of their words' labels: pieces, packed slices of about
 * equal length, encoder and heads. With x [rows][H] the mean state of each word's pieces, or the first one's:
 *
 *   emissions e = x W' + b [rows][k],   fine types' logits z = x Wf' + bf [rows][kf]
 *
 * in f32; rows are the words of all posts end to end, row [w][j] at w*k + j. Where a line ends
 * between two words, labels that would carry an entity over it get -infinity. Reference:
 * transformers' states (tests/unit/test_nn_encoder.c) and windows in
 * tests/unit/test_ner_tagger.c. */
#include "ner/name_policy.h"
#include "ner/softmax_head.h"

#include "base/utf8.h"

#include <math.h>

enum gm_status gm_ner_emissions(const struct gm_tagger *t, const struct gm_packer *p,
                                struct gm_graph *g, const struct gm_slice *s,
                                struct gm_ner_scores *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = s->end_row - s->row;
    struct gm_var *x;
    *out = (struct gm_ner_scores){0};
    GM_TRY(gm_slice_states(s, p, &t->net.enc, g, &x, err));
    if (t->has_dense) {
        GM_TRY(gm_op_linear_activate(g, x, t->dense.w, t->dense.b, t->dense_f, &x, err));
        GM_TRY(gm_op_layernorm(g, x, NULL, 0, t->dense_norm.w, t->dense_norm.b,
                               t->net.enc.config.norm_eps, &x, err));
    }
    GM_TRY(gm_op_head(g, x, n, t->head_w, t->head_b, &out->emit, &out->d_emit, err));
    if (t->softmax)
        GM_TRY(gm_softmax_head_join(t, g, n, &out->emit, err));
    if (t->fine_types.pairs.n)
        st = gm_op_head(g, x, n, t->fine_types.w, t->fine_types.b, &out->fine_logits,
                        &out->d_fine_logits, err);
done:
    return st;
}

struct scoring {
    const struct gm_tagger *t;
    const struct gm_packer *packer;
    const struct gm_slice *slices;
    float *emit, *fine_logits; /* [n_rows, k], [n_rows, kf] of all posts; fine_logits NULL = none */
};

static enum gm_status score_slice(void *self, struct gm_graph *g, size_t i, struct gm_error *err)
{
    const struct scoring *x = self;
    const struct gm_slice *s = &x->slices[i];
    struct gm_ner_scores out;
    size_t n = s->end_row - s->row, k = x->t->labels.k, kf = gm_fine_types_k(&x->t->fine_types);
    gm_graph_begin(g, false, 0);
    enum gm_status st = gm_ner_emissions(x->t, x->packer, g, s, &out, err);
    if (st != GM_OK)
        return st;
    memcpy(x->emit + s->row * k, out.emit, n * k * sizeof *out.emit);
    if (x->fine_logits)
        memcpy(x->fine_logits + s->row * kf, out.fine_logits, n * kf * sizeof *out.fine_logits);
    return GM_OK;
}

/* Whether white space holds the end of a line: line feed, vertical tab, form feed, carriage return,
 * U+0085, U+2028 and U+2029 (UAX 14, classes BK, CR, LF, NL). */
static bool has_line_end(struct gm_str space)
{
    for (size_t at = 0; at < space.n;) {
        uint32_t cp = gm_utf8_next(space, &at);
        if ((cp >= '\n' && cp <= '\r') || cp == 0x85 || cp == 0x2028 || cp == 0x2029)
            return true;
    }
    return false;
}

static bool line_ends_before(const struct gm_ner_rows *r, size_t w)
{
    return w > 0 && has_line_end(gm_str_sub(r->post->text, r->words[w - 1].end, r->words[w].start));
}

/* No entity goes on over the end of a line. Where one never follows another of its type, it may do so over the end of a
 * line: a word without text is put there, which is outside. */
static enum gm_status part_lines(const struct gm_ner_labels *l, struct gm_ner_rows *r,
                                 struct gm_arena *a, struct gm_error *err)
{
    size_t n = r->n_words, n_ends = 0, at = 0, k = l->k;
    for (size_t w = 0; w < n; w++)
        n_ends += line_ends_before(r, w);
    if (n_ends == 0)
        return GM_OK;
    struct gm_word *words = gm_arena_alloc(a, n + n_ends, sizeof *words);
    float *emit = gm_arena_alloc(a, (n + n_ends) * k, sizeof *emit);
    if (!words || !emit)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t w = 0; w < n; w++) {
        if (line_ends_before(r, w)) {
            words[at] = (struct gm_word){r->words[w - 1].end, r->words[w - 1].end};
            for (size_t j = 1; j < k; j++)
                emit[at * k + j] = -INFINITY;
            at++;
        }
        words[at] = r->words[w];
        memcpy(emit + at++ * k, r->emit + w * k, k * sizeof *emit);
    }
    r->words = words;
    r->emit = emit;
    r->n_words = at;
    return GM_OK;
}

/* The same where it may anywhere. */
static void end_entities_at_lines(const struct gm_ner_labels *l, const struct gm_ner_rows *r,
                                  float *emit)
{
    for (size_t w = 1; w < r->n_words; w++)
        if (line_ends_before(r, w))
            gm_ner_end_entities(l, emit, w);
}

enum gm_status gm_ner_pack(const struct gm_tagger *t, struct gm_packer *p,
                           struct gm_post *const *posts, size_t n, bool with_knowledge,
                           struct gm_ner_rows *rows, struct gm_arena *a, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_pieces tmp;
    struct gm_arena pieces; /* of one post */
    gm_arena_init(&pieces, 0);
    gm_pieces_init(&tmp);
    gm_packer_reset(p);
    for (size_t i = 0; i < n; i++) {
        struct gm_ner_rows *r = &rows[i];
        struct gm_pieced text, context;
        struct gm_str *words;
        *r = (struct gm_ner_rows){.post = posts[i]};
        gm_arena_reset(&pieces);
        GM_TRY(gm_words_of(r->post, t->net.cut, a, &r->words, &words, &r->n_words, err));
        GM_TRY(gm_pieces_of_words(&t->net, words, r->n_words, &tmp, &pieces, &text, err));
        GM_TRY(gm_pieces_of_text(&t->net, with_knowledge ? r->post->knowledge : GM_STR(""), &tmp,
                                 &pieces, &context, err));
        GM_TRY(gm_packer_add(p, &t->net, &text, &context, err));
    }
done:
    gm_pieces_clear(&tmp);
    gm_arena_clear(&pieces);
    return st;
}

/* The scores of an ensemble's first member, emit [rows][k] of the posts in its packer, become the weighted means of all
 * members'. */
static enum gm_status pool(struct gm_tagger_session *s, struct gm_post **posts, size_t n,
                           float *emit, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_tagger *t = s->t;
    const struct gm_packer *p = &s->net.packer;
    struct gm_ner_rows *theirs;
    struct gm_arena a; /* of one member's scores */
    size_t k = t->labels.k;
    gm_arena_init(&a, 0);
    for (size_t x = 0; x < p->n_rows * k; x++)
        emit[x] *= t->weight;
    for (size_t m = 0; m < t->n_others; m++) {
        const struct gm_ner_other *o = &t->others[m];
        gm_arena_reset(&a);
        GM_TRY(gm_ner_score(s->others[m], posts, n, &a, &theirs, err));
        for (size_t i = 0; i < n; i++)
            for (size_t x = 0; x < theirs[i].n_words * k; x++)
                emit[p->posts[i] * k + x] += o->weight * theirs[i].emit[x / k * k + o->map[x % k]];
    }
done:
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_ner_score(struct gm_tagger_session *s, struct gm_post **posts, size_t n,
                            struct gm_arena *a, struct gm_ner_rows **rows, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_tagger *t = s->t;
    struct gm_packer *p = &s->net.packer;
    bool has_fine = t->fine_types.pairs.n > 0 && !t->fine_types.helper;
    size_t k = t->labels.k, kf = gm_fine_types_k(&t->fine_types), n_slices;
    struct gm_slice *slices;
    *rows = gm_arena_alloc(a, n, sizeof **rows);
    GM_TRY(*rows ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_ner_pack(t, p, posts, n, t->knowledge, *rows, a, err));
    struct scoring x = {.t = t, .packer = p};
    x.emit = gm_arena_alloc(a, p->n_rows, k * sizeof *x.emit);
    x.fine_logits = has_fine ? gm_arena_alloc(a, p->n_rows, kf * sizeof *x.fine_logits) : NULL;
    GM_TRY(x.emit && (x.fine_logits || !has_fine) ? GM_OK
                                                  : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_packer_cut(p, gm_lanes_parts(&s->net.lanes, p->n_tokens, false), a, &slices,
                         &n_slices, err));
    x.slices = slices;
    GM_TRY(gm_lanes_run(&s->net.lanes, n_slices, score_slice, &x, err));
    if (t->n_others)
        GM_TRY(pool(s, posts, n, x.emit, err));
    for (size_t i = 0; i < n; i++) {
        if (!t->labels.runs)
            end_entities_at_lines(&t->labels, &(*rows)[i], x.emit + p->posts[i] * k);
        if (t->tweets)
            gm_name_policy_weigh(&t->labels, &(*rows)[i], x.emit + p->posts[i] * k);
        (*rows)[i].emit = x.emit + p->posts[i] * k;
        (*rows)[i].fine_logits = has_fine ? x.fine_logits + p->posts[i] * kf : NULL;
        if (t->labels.runs) /* taggers of others, without fine types */
            GM_TRY(part_lines(&t->labels, &(*rows)[i], a, err));
    }
done:
    return st;
}
