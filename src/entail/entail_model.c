/* entail_model.c - the classifier's input and its head. With x [2n][H] the states of n
 * questions' two rows, [CLS] and the mean of the entity's pieces, and W [2][H], b [2]:
 *
 *   out = x W' + b   [2n][2]
 *   z[i] = out[2i][0] + out[2i+1][1] = W_0 . x[2i] + b_0 + W_1 . x[2i+1] + b_1
 *
 * Test of the input: entailment_keeps_the_mention in tests/unit/test_ner_tagger.c. */
#include "entail/entail_model.h"

#include "base/alloc.h"
#include "model/features.h"
#include "model/words.h"
#include "record/offsets.h"

static enum gm_status add_head(struct gm_entail *e, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_params *ps = &e->net.params;
    size_t h = e->net.enc.config.hidden;
    GM_TRY(gm_params_add(ps, &e->head_w, GM_VECTOR, 2, h, err, "classifier.weight"));
    GM_TRY(gm_params_add(ps, &e->head_b, GM_VECTOR, 2, 0, err, "classifier.bias"));
    ps->p[e->head_w].group = ps->p[e->head_b].group = 1;
    ps->p[e->net.enc.extra].group = 1;
    ps->p[e->head_w].decay = true;
done:
    return st;
}

static enum gm_status init_head(struct gm_entail *e, struct gm_error *err)
{
    struct gm_rng rng;
    gm_rng_init(&rng, GM_HEAD_SEED);
    enum gm_status st = gm_params_init_normal(&e->net.params, e->net.enc.extra, 0.02, &rng, err);
    if (st == GM_OK)
        st = gm_params_init_normal(&e->net.params, e->head_w, 0.02, &rng, err);
    return st == GM_OK ? gm_params_init_const(&e->net.params, e->head_b, 0, err) : st;
}

enum gm_status gm_entail_open(struct gm_entail **out, const char *dir, const char *precision,
                              const struct gm_net_tuning *tuning, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_net_opts net = {.task = "entail",
                              .precision = precision,
                              .training = tuning != NULL,
                              .tuning = tuning,
                              .extra_rows = 2 * GM_N_CASES,
                              .extra_name = "case_embeddings.weight"};
    *out = NULL;
    struct gm_entail *e = gm_alloc(1, sizeof *e);
    if (!e)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(gm_net_open(&e->net, dir, &net, err));
    if (!e->net.settings && !tuning) {
        st = GM_FAIL(err, GM_EMODEL, "%s: no gmner.json: not a trained classifier", e->net.dir);
        goto done;
    }
    const struct gm_json *j = gm_json_get(e->net.settings, "calibration");
    GM_TRY(gm_calibration_read(&e->calibration[0], gm_json_get(j, "text"), e->net.dir, err));
    GM_TRY(gm_calibration_read(&e->calibration[1], gm_json_get(j, "captions"), e->net.dir, err));
    if (e->net.settings)
        GM_TRY(add_head(e, err));
    GM_TRY(gm_net_bind(&e->net, err));
    if (!e->net.settings) { /* whatever head a plain encoder comes with is not ours */
        gm_net_say_head(&e->net);
        GM_TRY(add_head(e, err));
        GM_TRY(init_head(e, err));
    }
    if (tuning)
        GM_TRY(gm_net_tune(&e->net, tuning, err));
    GM_TRY(gm_net_ready(&e->net, &net, err));
    *out = e;
    e = NULL;
done:
    gm_entail_free(e);
    return st;
}

enum gm_status gm_entail_load(struct gm_entail **out, const char *dir,
                              const struct gm_entail_opts *opts, struct gm_error *err)
{
    return gm_entail_open(out, dir, opts ? opts->precision : NULL, NULL, err);
}

void gm_entail_free(struct gm_entail *e)
{
    if (!e)
        return;
    gm_net_clear(&e->net);
    gm_free(e);
}

enum gm_status gm_entail_session_new(struct gm_entail_session **out, const struct gm_entail *e,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_entail_session *s = gm_alloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    s->e = e;
    GM_TRY(gm_net_session_init(&s->net, &e->net, err));
    *out = s;
    s = NULL;
done:
    gm_entail_session_free(s);
    return st;
}

void gm_entail_session_free(struct gm_entail_session *s)
{
    if (!s)
        return;
    gm_net_session_clear(&s->net);
    gm_free(s);
}

enum gm_status gm_entail_save(const struct gm_entail *e, const char *dir,
                              const struct gm_json *training, struct gm_error *err)
{
    struct gm_json *s = gm_json_new_object();
    bool ok = s && gm_json_set(s, "format", gm_json_new_int(1)) &&
              gm_json_set(s, "task", gm_json_new_str(GM_STR("entail"))) &&
              gm_json_set(s, "training", gm_json_ref(training));
    enum gm_status st =
        ok ? gm_net_save(&e->net, dir, s, true, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_json_free(s);
    return st;
}

/* How many of the words [n], which are in order, end at byte `at` of the text or before. */
static size_t words_before(const struct gm_word *words, size_t n, size_t at)
{
    size_t low = 0;
    while (n) { /* the answer is in [low, low + n] */
        size_t half = n / 2;
        if (words[low + half].end > at) {
            n = half;
        } else {
            low += half + 1;
            n -= half + 1;
        }
    }
    return low;
}

/* Words [*first, *end) that overlap code points [from, to) of the text, in which `at` is a place. */
static void mention(struct gm_offset *at, const struct gm_word *words, size_t n, size_t from,
                    size_t to, size_t *first, size_t *end)
{
    (void)gm_offset_to_cp(at, from);
    *first = *end = words_before(words, n, at->byte);
    (void)gm_offset_to_cp(at, to);
    while (*end < n && words[*end].start < at->byte)
        ++*end;
}

enum gm_status gm_entail_inputs(const struct gm_entail *e, const struct gm_post *p,
                                struct gm_pieces *tmp, struct gm_arena *a,
                                struct gm_entail_input **inputs, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_word *ranges;
    struct gm_str *words;
    struct gm_pieced text, caption = {0};
    struct gm_offset at;
    size_t n;
    gm_offset_init(&at, p->text);
    GM_TRY(gm_words_of(p, e->net.cut, a, &ranges, &words, &n, err));
    GM_TRY(gm_pieces_of_words(&e->net, words, n, tmp, a, &text, err));
    if (gm_post_short_caption(p).n)
        GM_TRY(gm_pieces_of_text(&e->net, gm_post_short_caption(p), tmp, a, &caption, err));
    *inputs = gm_arena_alloc(a, p->n_entities, sizeof **inputs);
    GM_TRY(*inputs ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entail_input *in = &(*inputs)[i];
        *in = (struct gm_entail_input){.text = text, .caption = caption};
        mention(&at, ranges, n, p->entities[i].start, p->entities[i].end, &in->first, &in->end);
        GM_TRY(gm_pieces_of_text(&e->net, p->entities[i].type, tmp, a, &in->type, err));
    }
done:
    return st;
}

/* Which pieces of each part fit the encoder's positions: the caption's first ones, and of the text
 * those around the mention. */
struct fit {
    size_t text_from, text_to;       /* pieces of the text */
    size_t mention_from, mention_to; /* pieces of the mention, within the above */
    size_t type, caption;            /* number of pieces */
};

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static struct fit fit(const struct gm_entail *e, const struct gm_entail_input *in,
                      bool with_caption)
{
    struct fit f = {0};
    size_t room = e->net.enc.config.positions - 4; /* [CLS] and three [SEP] */
    size_t m0 = in->text.first[in->first], m1 = in->text.first[in->end];
    size_t n_text = in->text.first[in->text.n_words];
    size_t n_mention = smaller(m1 - m0, smaller(room / 4, GM_ENTAIL_TEXT_PIECES / 2));
    f.type = smaller(in->type.n_words ? in->type.first[in->type.n_words] : 0, room / 8);
    if (with_caption && in->caption.n_words)
        f.caption = smaller(in->caption.first[in->caption.n_words],
                            smaller(GM_ENTAIL_CAPTION_PIECES, room / 4));
    size_t left = smaller(room - f.type - f.caption - n_mention, /* the mention stands twice */
                          GM_ENTAIL_TEXT_PIECES);
    size_t before = smaller(m0, (left - n_mention) / 2);
    f.text_from = m0 - before;
    f.text_to = smaller(n_text, f.text_from + left);
    f.mention_from = m0;
    f.mention_to = m0 + n_mention;
    return f;
}

size_t gm_entail_cost(const struct gm_entail *e, const struct gm_entail_input *in,
                      bool with_caption)
{
    struct fit f = fit(e, in, with_caption);
    return (f.caption ? 4u : 3u) + (f.text_to - f.text_from) + (f.mention_to - f.mention_from) +
           f.type + f.caption;
}

/* The word that piece i belongs to, by bisection. */
static size_t word_of(const struct gm_pieced *t, size_t i)
{
    size_t low = 0, high = t->n_words;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        *(t->first[mid] <= i ? &low : &high) = mid;
    }
    return low;
}

/* Pieces [from, to) of a text. Those in [m0, m1) get the case classes of a mention. */
static enum gm_status add_pieces(struct gm_packer *p, const struct gm_pieced *t, size_t from,
                                 size_t to, uint32_t type, size_t m0, size_t m1,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t w = from < to ? word_of(t, from) : t->n_words;
    for (; w < t->n_words && t->first[w] < to && st == GM_OK; w++)
        for (size_t i = t->first[w]; i < t->first[w + 1] && st == GM_OK; i++)
            if (i >= from && i < to)
                st = gm_packer_token(p, (int32_t)t->ids[i], type,
                                     t->cases[w] + (i >= m0 && i < m1 ? (uint32_t)GM_N_CASES : 0u),
                                     err);
    return st;
}

enum gm_status gm_entail_add(const struct gm_entail *e, struct gm_packer *p,
                             const struct gm_entail_input *in, bool with_caption,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct fit f = fit(e, in, with_caption);
    int32_t sep = e->net.special_ids.sep;
    size_t start = p->n_tokens, mention_at = start + 1 + f.mention_from - f.text_from;
    GM_TRY(gm_packer_token(p, e->net.special_ids.cls, 0, GM_CASE_NONE, err));
    GM_TRY(add_pieces(p, &in->text, f.text_from, f.text_to, 0, f.mention_from, f.mention_to, err));
    GM_TRY(gm_packer_token(p, sep, 0, GM_CASE_NONE, err));
    GM_TRY(add_pieces(p, &in->text, f.mention_from, f.mention_to, 1, f.mention_from, f.mention_to,
                      err));
    GM_TRY(add_pieces(p, &in->type, 0, f.type, 1, 0, 0, err));
    GM_TRY(gm_packer_token(p, sep, 1, GM_CASE_NONE, err));
    if (f.caption) {
        GM_TRY(add_pieces(p, &in->caption, 0, f.caption, 1, 0, 0, err));
        GM_TRY(gm_packer_token(p, sep, 1, GM_CASE_NONE, err));
    }
    GM_TRY(gm_packer_end_sequence(p, err));
    GM_TRY(gm_packer_row(p, start, start + 1, err));
    GM_TRY(gm_packer_row(p, mention_at, mention_at + f.mention_to - f.mention_from, err));
    st = gm_packer_end_post(p, err);
done:
    return st;
}

enum gm_status gm_entail_forward(const struct gm_entail *e, const struct gm_packer *p,
                                 struct gm_graph *g, const struct gm_slice *s, float **out,
                                 float **d_out, struct gm_error *err)
{
    struct gm_var *x;
    enum gm_status st = gm_slice_states(s, p, &e->net.enc, g, &x, err);
    return st == GM_OK
               ? gm_op_head(g, x, s->end_row - s->row, e->head_w, e->head_b, out, d_out, err)
               : st;
}

double gm_entail_logit(const float *out, size_t i)
{
    return (double)out[4 * i] + (double)out[4 * i + 3];
}
