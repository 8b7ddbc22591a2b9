/* pack.c - the pieces of many texts end to end. With P positions and c pieces of context (0: none), a window
 * shows at most R = P - 2 - (c > 0) - c pieces of the text, and begins R / 4 pieces before the last one ended;
 * of the words that two windows show, the first half are the earlier one's. Windows begin and end between
 * words. Tests: windows in tests/unit/test_ner_tagger.c. */
#include "model/pack.h"

#include "model/features.h"
#include "text/parts.h"

#include <math.h>

/* ---- pieces ---- */

/* What a word costs by its place in the vocabulary, which is in order of frequency behind its first word,
 * "the" (Zipf's law: the word of rank r of N has probability 1 / (r ln N)). */
struct vocabulary {
    const struct gm_tokenizer *t;
    int32_t first; /* id of "the"; < 0: the vocabulary isn't one of words */
    double log_n;  /* ln of ln N */
};

static double cost_of(const void *self, struct gm_str word)
{
    const struct vocabulary *v = self;
    int32_t id = gm_tokenizer_id(v->t, word);
    if (word.n == 1) /* letters have ids before the words; as words only these two are likely */
        return gm_str_eq_c(word, "a") || gm_str_eq_c(word, "i") ? 3 + v->log_n : INFINITY;
    return id < v->first ? INFINITY : log(1 + (double)(id - v->first)) + v->log_n;
}

/* The pieces of a hashtag's or handle's name, part by part. */
static enum gm_status pieces_of_name(const struct gm_net *net, struct gm_str word,
                                     struct gm_pieces *tmp, struct gm_arena *a,
                                     struct gm_error *err)
{
    double n = (double)gm_tokenizer_n_ids(net->tokenizer);
    struct vocabulary v = {net->tokenizer, gm_tokenizer_id(net->tokenizer, GM_STR("the")),
                           log(log(n + 2))};
    struct gm_word_costs costs = {cost_of, &v, log(n + 1) + v.log_n, 1.6};
    struct gm_word *parts;
    size_t n_parts;
    enum gm_status st = gm_text_parts(word, v.first < 0 ? NULL : &costs, a, &parts, &n_parts, err);
    for (size_t i = 0; i < n_parts && st == GM_OK; i++)
        st = gm_tokenizer_encode(net->tokenizer, gm_str_sub(word, parts[i].start, parts[i].end),
                                 tmp, err);
    return st;
}

static bool is_name(const struct gm_net *net, const struct gm_str *words, size_t w)
{
    return net->name_parts && w > 0 &&
           (gm_str_eq_c(words[w - 1], "#") || gm_str_eq_c(words[w - 1], "@"));
}

enum gm_status gm_pieces_of_words(const struct gm_net *net, const struct gm_str *words, size_t n,
                                  struct gm_pieces *tmp, struct gm_arena *a, struct gm_pieced *out,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_ids = 0, cap_ids = 0;
    size_t room = (net->enc.config.positions - 3) / 2; /* what a context leaves to the text */
    size_t most = room < GM_WORD_MAX_PIECES ? room : GM_WORD_MAX_PIECES;
    uint32_t *ids = NULL;
    uint32_t *first = gm_arena_alloc(a, n + 1, sizeof *first);
    uint8_t *cases = gm_arena_alloc(a, n, 1);
    if (!first || !cases)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", n);
    for (size_t w = 0; w < n; w++) {
        gm_pieces_reset(tmp);
        GM_TRY(is_name(net, words, w) ? pieces_of_name(net, words[w], tmp, a, err)
                                      : gm_tokenizer_encode(net->tokenizer, words[w], tmp, err));
        first[w] = (uint32_t)n_ids;
        cases[w] = (uint8_t)gm_case_of(words[w]);
        size_t k = tmp->n < most ? tmp->n : most;
        for (size_t i = 0; i < (k ? k : 1); i++) {
            GM_TRY(GM_ARENA_GROW(a, ids, n_ids, cap_ids, err));
            ids[n_ids++] = (uint32_t)(k ? tmp->items[i].id : net->special_ids.unk);
        }
    }
    first[n] = (uint32_t)n_ids;
    *out = (struct gm_pieced){n, ids, first, cases};
done:
    return st;
}

enum gm_status gm_pieces_of_text(const struct gm_net *net, struct gm_str text,
                                 struct gm_pieces *tmp, struct gm_arena *a, struct gm_pieced *out,
                                 struct gm_error *err)
{
    struct gm_word *ranges;
    size_t n;
    enum gm_status st = gm_segment(text, net->cut, a, &ranges, &n, err);
    if (st != GM_OK)
        return st;
    struct gm_str *words = gm_arena_alloc(a, n, sizeof *words);
    if (!words)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        words[i] = gm_str_sub(text, ranges[i].start, ranges[i].end);
    return gm_pieces_of_words(net, words, n, tmp, a, out, err);
}

/* ---- batches ---- */

void gm_packer_init(struct gm_packer *p)
{
    *p = (struct gm_packer){0};
    gm_arena_init(&p->arena, 0);
}

void gm_packer_clear(struct gm_packer *p)
{
    gm_arena_clear(&p->arena);
    gm_packer_init(p);
}

void gm_packer_reset(struct gm_packer *p)
{
    struct gm_arena a = p->arena;
    gm_arena_reset(&a);
    *p = (struct gm_packer){.arena = a};
}

enum gm_status gm_packer_token(struct gm_packer *p, int32_t id, uint32_t type, uint32_t extra,
                               struct gm_error *err)
{
    if (p->n_tokens == p->cap_tokens) { /* four arrays, one capacity */
        uint32_t **arrays[] = {&p->ids, &p->positions, &p->types, &p->extra};
        size_t cap = 0;
        for (size_t i = 0; i < 4; i++) {
            cap = p->cap_tokens;
            enum gm_status st = GM_ARENA_GROW(&p->arena, *arrays[i], p->n_tokens, cap, err);
            if (st != GM_OK)
                return st;
        }
        p->cap_tokens = cap;
    }
    uint32_t start = p->n_seqs ? p->offsets[p->n_seqs] : 0;
    p->ids[p->n_tokens] = (uint32_t)id;
    p->positions[p->n_tokens] = (uint32_t)p->n_tokens - start;
    p->types[p->n_tokens] = type;
    p->extra[p->n_tokens++] = extra;
    return GM_OK;
}

/* Append to an array of running ends that starts with 0. */
static enum gm_status push_end(struct gm_packer *p, uint32_t **ends, size_t *n, size_t *cap,
                               size_t value, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    while (*cap < *n + 2 && st == GM_OK)
        st = gm_arena_grow(&p->arena, (void **)ends, *cap, cap, sizeof **ends, err);
    if (st == GM_OK)
        (*ends)[++*n] = (uint32_t)value;
    return st;
}

enum gm_status gm_packer_end_sequence(struct gm_packer *p, struct gm_error *err)
{
    return push_end(p, &p->offsets, &p->n_seqs, &p->cap_seqs, p->n_tokens, err);
}

enum gm_status gm_packer_end_post(struct gm_packer *p, struct gm_error *err)
{
    size_t n = p->n_posts;
    enum gm_status st = push_end(p, &p->post_seqs, &n, &p->cap_post_seqs, p->n_seqs, err);
    return st == GM_OK ? push_end(p, &p->posts, &p->n_posts, &p->cap_posts, p->n_rows, err) : st;
}

enum gm_status gm_packer_row(struct gm_packer *p, size_t begin, size_t end, struct gm_error *err)
{
    if (p->n_rows == p->cap_rows) {
        size_t cap = p->cap_rows;
        enum gm_status st = GM_ARENA_GROW(&p->arena, p->begin, p->n_rows, cap, err);
        cap = p->cap_rows;
        if (st == GM_OK)
            st = GM_ARENA_GROW(&p->arena, p->end, p->n_rows, cap, err);
        if (st != GM_OK)
            return st;
        p->cap_rows = cap;
    }
    p->begin[p->n_rows] = (uint32_t)begin;
    p->end[p->n_rows++] = (uint32_t)end;
    return GM_OK;
}

/* The words [w0, *w1) of the window that starts with word w0: as many as fit `room` pieces. */
static size_t window_end(const struct gm_pieced *t, size_t w0, size_t room)
{
    size_t w1 = w0;
    while (w1 < t->n_words && t->first[w1 + 1] - t->first[w0] <= room)
        w1++;
    return w1;
}

/* The word where the next window starts: about a quarter of `room` before w1, but after w0. */
static size_t next_start(const struct gm_pieced *t, size_t w0, size_t w1, size_t room)
{
    size_t w = w1;
    while (w > w0 + 1 && t->first[w1] - t->first[w - 1] <= room / 4)
        w--;
    return w;
}

static size_t n_pieces(const struct gm_pieced *t) { return t->n_words ? t->first[t->n_words] : 0; }

/* How a sequence's positions are shared: pieces of text in a window, and of context behind it. */
static void share(const struct gm_net *net, const struct gm_pieced *t,
                  const struct gm_pieced *context, size_t *room, size_t *n_context)
{
    size_t all = net->enc.config.positions - 2, n_text = n_pieces(t);
    *n_context = 0;
    *room = all;
    if (n_pieces(context) == 0)
        return;
    all--; /* one more [SEP] */
    size_t left = n_text < all / 2 ? all - n_text : all - all / 2;
    *n_context = n_pieces(context) < left ? n_pieces(context) : left;
    *room = all - *n_context;
}

/* The first n pieces of `t`, as tokens of the given type. */
static enum gm_status add_pieces(struct gm_packer *p, const struct gm_pieced *t, size_t from_word,
                                 size_t to_word, size_t n, uint32_t type, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t end = t->first[from_word] + n;
    for (size_t w = from_word; w < to_word && st == GM_OK; w++)
        for (size_t i = t->first[w]; i < t->first[w + 1] && i < end && st == GM_OK; i++)
            st = gm_packer_token(p, (int32_t)t->ids[i], type, t->cases[w], err);
    return st;
}

/* Words [w0, w1) with the context behind them, and rows for words [own0, own1). */
static enum gm_status add_window(struct gm_packer *p, const struct gm_net *net,
                                 const struct gm_pieced *t, size_t w0, size_t w1, size_t own0,
                                 size_t own1, const struct gm_pieced *context, size_t n_context,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint32_t behind = net->enc.config.types > 1 ? 1 : 0;
    GM_TRY(gm_packer_token(p, net->special_ids.cls, 0, GM_CASE_NONE, err));
    size_t at = p->n_tokens - t->first[w0]; /* piece i is token at + i */
    GM_TRY(add_pieces(p, t, w0, w1, SIZE_MAX - t->first[w0], 0, err));
    GM_TRY(gm_packer_token(p, net->special_ids.sep, 0, GM_CASE_NONE, err));
    if (n_context) {
        GM_TRY(add_pieces(p, context, 0, context->n_words, n_context, behind, err));
        GM_TRY(gm_packer_token(p, net->special_ids.sep, behind, GM_CASE_NONE, err));
    }
    GM_TRY(gm_packer_end_sequence(p, err));
    for (size_t w = own0; w < own1; w++)
        GM_TRY(gm_packer_row(p, at + t->first[w],
                             at + (net->first_piece ? t->first[w] + 1 : t->first[w + 1]), err));
done:
    return st;
}

enum gm_status gm_packer_add(struct gm_packer *p, const struct gm_net *net,
                             const struct gm_pieced *t, const struct gm_pieced *context,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t room, n_context, own = 0;
    share(net, t, context, &room, &n_context);
    for (size_t w0 = 0; own < t->n_words;) {
        size_t w1 = window_end(t, w0, room), next = next_start(t, w0, w1, room);
        size_t own_end = w1 == t->n_words ? w1 : next + (w1 - next + 1) / 2;
        GM_TRY(add_window(p, net, t, w0, w1, own, own_end, context, n_context, err));
        own = own_end;
        w0 = next;
    }
    st = gm_packer_end_post(p, err);
done:
    return st;
}

size_t gm_packer_cost(const struct gm_net *net, const struct gm_pieced *t,
                      const struct gm_pieced *context)
{
    size_t room, n_context, total = 0;
    share(net, t, context, &room, &n_context);
    for (size_t w0 = 0, w1 = 0; w1 < t->n_words; w0 = next_start(t, w0, w1, room)) {
        w1 = window_end(t, w0, room);
        total += t->first[w1] - t->first[w0] + 2 + (n_context ? n_context + 1 : 0);
    }
    return total;
}

void gm_packer_drop_words(struct gm_packer *p, const struct gm_net *net, double share,
                          uint64_t seed)
{
    struct gm_rng rng;
    gm_rng_init(&rng, seed);
    for (size_t i = 0; i < p->n_tokens && share > 0; i++)
        if (p->ids[i] != (uint32_t)net->special_ids.cls &&
            p->ids[i] != (uint32_t)net->special_ids.sep && gm_rng_uniform(&rng) < share)
            p->ids[i] = (uint32_t)net->special_ids.unk;
}

enum gm_status gm_packer_cut(const struct gm_packer *p, size_t n, struct gm_arena *a,
                             struct gm_slice **slices, size_t *n_out, struct gm_error *err)
{
    n = n < p->n_seqs ? n : p->n_seqs;
    struct gm_slice s = {0};
    *slices = gm_arena_alloc(a, n, sizeof **slices);
    if (!*slices)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (*n_out = 0; s.seq < p->n_seqs;
         s = (struct gm_slice){s.end_seq, s.end_seq, s.end_row, s.end_row}) {
        size_t goal = p->n_tokens * (*n_out + 1) / n;
        do
            s.end_seq++;
        while (s.end_seq < p->n_seqs && p->offsets[s.end_seq] < goal);
        while (s.end_row < p->n_rows && p->begin[s.end_row] < p->offsets[s.end_seq])
            s.end_row++;
        (*slices)[(*n_out)++] = s;
    }
    return GM_OK;
}

struct gm_slice gm_packer_slice(const struct gm_packer *p, size_t from, size_t to)
{
    return (struct gm_slice){p->post_seqs[from], p->post_seqs[to], p->posts[from], p->posts[to]};
}

enum gm_status gm_slice_states(const struct gm_slice *s, const struct gm_packer *p,
                               const struct gm_encoder *enc, struct gm_graph *g, struct gm_var **y,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_seqs = s->end_seq - s->seq, n_rows = s->end_row - s->row;
    uint32_t from = p->offsets[s->seq];
    void *offsets_, *rows_;
    GM_TRY(gm_graph_alloc(g, &offsets_, n_seqs + 1, sizeof(uint32_t), err));
    GM_TRY(gm_graph_alloc(g, &rows_, 2 * n_rows, sizeof(uint32_t), err));
    uint32_t *offsets = offsets_, *begin = rows_, *end = begin + n_rows;
    for (size_t i = 0; i <= n_seqs; i++)
        offsets[i] = p->offsets[s->seq + i] - from;
    for (size_t i = 0; i < n_rows; i++) {
        begin[i] = p->begin[s->row + i] - from;
        end[i] = p->end[s->row + i] - from;
    }
    struct gm_batch b = {.n_tokens = offsets[n_seqs],
                         .n_seqs = n_seqs,
                         .ids = p->ids + from,
                         .positions = p->positions + from,
                         .types = p->types + from,
                         .extra = p->extra + from,
                         .offsets = offsets};
    GM_TRY(gm_encoder_forward(enc, g, &b, y, err));
    GM_TRY(gm_op_mean_rows(g, *y, begin, end, n_rows, y, err));
    st = gm_op_dropout(g, *y, enc->config.hidden_dropout, y, err);
done:
    return st;
}
