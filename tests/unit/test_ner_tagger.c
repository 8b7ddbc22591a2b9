/* Parts of the tagger: word shapes, labels and their transitions, packing of long texts, and the
 * input of entailment; with the packaged encoder (.deps/models/minilm, part of the set-up). */
#include "entail/entail_model.h"
#include "model/features.h"
#include "ner/ner_model.h"
#include "nn/crf_moves.h"
#include "train/train.h"

#include "unit.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void word_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum gm_case shape;
    } cases[] = {
        {"speaks", GM_CASE_LOWER},
        {"Cruz", GM_CASE_INITIAL},
        {"VIP", GM_CASE_UPPER},
        {"iPhone", GM_CASE_MIXED},
        {"McCain", GM_CASE_MIXED},
        {"A", GM_CASE_LETTER},
        {"F16", GM_CASE_ALNUM},
        {"2nd", GM_CASE_ALNUM},
        {"2015", GM_CASE_NUMBER},
        {"@", GM_CASE_SYMBOL},
        {"!?", GM_CASE_SYMBOL},
        {"\xF0\x9F\x98\x80", GM_CASE_SYMBOL},
        {"\xC3\x89mile", GM_CASE_INITIAL},           /* É */
        {"\xE5\x8C\x97\xE4\xBA\xAC", GM_CASE_OTHER}, /* 北京 */
        {"7-year", GM_CASE_ALNUM},
        {"Jay-Z", GM_CASE_MIXED},
        {"co-op", GM_CASE_LOWER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (gm_case_of(gm_str(cases[i].word)) != cases[i].shape)
            fail_msg("%s: %d", cases[i].word, (int)gm_case_of(gm_str(cases[i].word)));
}

static struct gm_ner_labels labels_of(enum gm_tag_scheme scheme)
{
    struct gm_ner_labels l = {.scheme = scheme};
    uint32_t id;
    gm_labels_init(&l.types, 10);
    gm_arena_init(&l.arena, 0);
    assert_int_equal(gm_labels_add(&l.types, GM_STR("LOC"), &id, NULL), GM_OK);
    assert_int_equal(gm_labels_add(&l.types, GM_STR("PER"), &id, NULL), GM_OK);
    assert_int_equal(gm_ner_labels_build(&l, NULL), GM_OK);
    return l;
}

/* Every sequence of three labels is allowed exactly when turning it into spans and back gives it
 * again. */
static void transitions_allow_valid_sequences_only(void **state)
{
    (void)state;
    for (int bioes = 0; bioes < 2; bioes++) {
        enum gm_tag_scheme scheme = bioes ? GM_TAGS_BIOES : GM_TAGS_BIO;
        struct gm_ner_labels l = labels_of(scheme);
        size_t k = l.k, n_valid = 0;
        assert_int_equal(k, bioes ? 9 : 5);
        for (size_t code = 0; code < k * k * k; code++) {
            size_t y[3] = {code % k, code / k % k, code / k / k};
            struct gm_tag tags[3], again[3];
            struct gm_span spans[3];
            bool allowed = l.allowed_start[y[0]] && l.allowed[y[0] * k + y[1]] &&
                           l.allowed[y[1] * k + y[2]] && l.allowed_end[y[2]],
                 same = true;
            for (int t = 0; t < 3; t++) {
                tags[t] = gm_ner_tag(&l, y[t]);
                assert_int_equal(gm_ner_label(&l, tags[t]), y[t]);
            }
            size_t n = gm_tags_to_spans(tags, 3, scheme, GM_REPAIR_STRICT, spans);
            gm_spans_to_tags(spans, n, scheme, again, 3);
            for (int t = 0; t < 3; t++)
                same = same && gm_ner_label(&l, again[t]) == y[t];
            assert_int_equal(allowed, same);
            n_valid += allowed;
        }
        assert_true(n_valid > 8);
        gm_ner_labels_clear(&l);
    }
    assert_int_equal(gm_alloc_live(), 0);
}

/* The moves in sets of labels are the table of allowed ones, of every scheme. */
static void moves_are_the_allowed_transitions(void **state)
{
    (void)state;
    static const char *const names[] = {"LOC", "ORG", "PER"};
    for (int scheme = 0; scheme < 3; scheme++)
        for (size_t n = 1; n <= 3; n++) {
            struct gm_error err;
            struct gm_ner_labels l = {.scheme = scheme == 1 ? GM_TAGS_BIOES : GM_TAGS_BIO,
                                      .runs = scheme == 2};
            gm_labels_init(&l.types, 8);
            gm_arena_init(&l.arena, 0);
            for (size_t i = 0; i < n; i++) {
                uint32_t id;
                assert_int_equal(gm_labels_add(&l.types, gm_str(names[i]), &id, &err), GM_OK);
            }
            assert_int_equal(gm_ner_labels_build(&l, &err), GM_OK);
            for (size_t i = 0; i < l.k; i++)
                for (size_t j = 0; j < l.k; j++) {
                    assert_int_equal(gm_crf_moves_may(&l.moves, i, j), l.allowed[i * l.k + j]);
                    assert_true(gm_crf_moves_may(&l.any_move, i, j));
                }
            gm_ner_labels_clear(&l);
        }
    assert_int_equal(gm_alloc_live(), 0);
}

/* ---- with the packaged encoder ---- */

static void open_net(struct gm_net *net)
{
    struct gm_error err;
    /* as for training: one that is to predict as it is would be a token classifier, whose words are first pieces */
    struct gm_net_opts opts = {.task = "ner", .precision = "f32", .training = true};
    if (access(".deps/models/minilm/model.safetensors", R_OK) != 0) {
        skip_because("no .deps/models/minilm; `make setup` gets it");
    }
    if (gm_net_open(net, ".deps/models/minilm", &opts, &err) != GM_OK)
        fail_msg("%s", err.msg);
}

static struct gm_pieced pieces_of(struct gm_net *net, const char *const *words, size_t n,
                                  struct gm_arena *a)
{
    struct gm_pieced out;
    struct gm_pieces tmp;
    struct gm_str *s = gm_arena_alloc(a, n, sizeof *s);
    for (size_t i = 0; i < n; i++)
        s[i] = gm_str(words[i]);
    gm_pieces_init(&tmp);
    assert_int_equal(gm_pieces_of_words(net, s, n, &tmp, a, &out, NULL), GM_OK);
    gm_pieces_clear(&tmp);
    return out;
}

static void every_word_gets_pieces(void **state)
{
    (void)state;
    struct gm_net net;
    struct gm_arena a;
    char huge[2001];
    memset(huge, '!', 2000); /* 2000 punctuation marks are 2000 pieces */
    huge[2000] = 0;
    const char *words[] = {"Mahaveer", "\xEF\xB8\x8F", huge, "home"};
    gm_arena_init(&a, 0);
    open_net(&net);
    struct gm_pieced p = pieces_of(&net, words, 4, &a);
    assert_true(p.first[1] - p.first[0] > 1);
    assert_int_equal(p.first[2] - p.first[1], 1); /* a lone variation selector: unknown */
    assert_int_equal(p.ids[p.first[1]], net.special_ids.unk);
    assert_int_equal(p.first[3] - p.first[2], GM_WORD_MAX_PIECES);
    assert_int_equal(p.first[4] - p.first[3], 1);
    gm_net_clear(&net);
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

/* A hashtag or handle stays one word, of the pieces of its parts; other words are cut as ever. */
static void names_in_parts(void **state)
{
    (void)state;
    static const char *const words[] = {"#", "DonaldTrump", "@", "ladygaga", "DonaldTrump"};
    static const char *const parts[] = {"donald", "trump", "lady", "gaga"};
    struct gm_net net;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    open_net(&net);
    struct gm_pieced whole = pieces_of(&net, words, 5, &a), want = pieces_of(&net, parts, 4, &a);
    net.name_parts = true;
    struct gm_pieced p = pieces_of(&net, words, 5, &a);
    assert_int_equal(p.n_words, 5);
    for (size_t i = 0; i < 2; i++) {
        size_t w = 1 + 2 * i, n = p.first[w + 1] - p.first[w];
        assert_int_equal(n, want.first[2 * i + 2] - want.first[2 * i]);
        assert_memory_equal(p.ids + p.first[w], want.ids + want.first[2 * i], n * sizeof *p.ids);
        assert_int_equal(p.cases[w], whole.cases[w]);
    }
    size_t n = whole.first[5] - whole.first[4];
    assert_int_equal(p.first[5] - p.first[4], n);
    assert_memory_equal(p.ids + p.first[4], whole.ids + whole.first[4], n * sizeof *p.ids);
    gm_net_clear(&net);
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

/* A long post: windows within the encoder's positions, and one row for every word, in order, over
 * that word's own pieces, never at a window's edge where there is context on both sides. */
static void windows_cover_every_word_once(void **state)
{
    (void)state;
    enum { N = 3000 };
    static const char *const some[] = {"Mahaveer", "is", "home", "unbelievably", "!"};
    static const char *words[N];
    struct gm_net net;
    struct gm_arena a;
    struct gm_packer p;
    for (size_t i = 0; i < N; i++)
        words[i] = some[i * i % 5];
    gm_arena_init(&a, 0);
    gm_packer_init(&p);
    open_net(&net);
    struct gm_pieced t = pieces_of(&net, words, N, &a), none = pieces_of(&net, words, 0, &a);
    assert_int_equal(gm_packer_add(&p, &net, &none, &none, NULL), GM_OK);
    assert_int_equal(gm_packer_add(&p, &net, &t, &none, NULL), GM_OK);
    assert_int_equal(p.n_tokens, gm_packer_cost(&net, &t, &none));
    assert_int_equal(p.n_posts, 2);
    assert_int_equal(p.posts[1], 0); /* the empty post */
    assert_int_equal(p.posts[2], N);
    assert_true(p.n_seqs > 3000 / 510);
    for (size_t s = 0; s < p.n_seqs; s++) {
        assert_true(p.offsets[s + 1] - p.offsets[s] <= net.enc.config.positions);
        assert_int_equal(p.ids[p.offsets[s]], net.special_ids.cls);
        assert_int_equal(p.ids[p.offsets[s + 1] - 1], net.special_ids.sep);
        assert_int_equal(p.positions[p.offsets[s + 1] - 1], p.offsets[s + 1] - p.offsets[s] - 1);
    }
    size_t s = 0;
    for (size_t w = 0; w < N; w++) {
        while (p.begin[w] >= p.offsets[s + 1])
            s++;
        assert_int_equal(p.end[w] - p.begin[w], t.first[w + 1] - t.first[w]);
        for (size_t i = p.begin[w]; i < p.end[w]; i++)
            assert_int_equal(p.ids[i], t.ids[t.first[w] + i - p.begin[w]]);
        assert_int_equal(p.extra[p.begin[w]], t.cases[w]);
        if (s > 0)
            assert_true(p.begin[w] - p.offsets[s] > 50);
        if (s + 1 < p.n_seqs)
            assert_true(p.offsets[s + 1] - p.begin[w] > 50);
    }
    gm_packer_clear(&p);
    gm_net_clear(&net);
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

/* The sum of all label scores of two words, each times a weight of its own, by the network as it is opened, and
 * with `g` its gradient there. */
static double weighed_scores(struct gm_tagger *t, struct gm_packer *p, struct gm_graph *g,
                             bool backward)
{
    struct gm_error err = {0};
    struct gm_ner_scores x;
    struct gm_slice s = gm_packer_slice(p, 0, 1);
    double sum = 0;
    gm_graph_begin(g, true, 1);
    if (gm_ner_emissions(t, p, g, &s, &x, &err) != GM_OK)
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < p->n_rows * t->labels.k; i++) {
        float weight = (float)(0.1 + 0.05 * (double)(i * i % 7));
        sum += (double)(weight * x.emit[i]);
        x.d_emit[i] = weight;
    }
    if (backward && gm_graph_backward(g, &err) != GM_OK)
        fail_msg("%s", err.msg);
    return sum;
}

/* Central differences of an embedding's row against its gradient. */
static void check_row(struct gm_tagger *t, struct gm_packer *p, struct gm_graph *g, size_t index,
                      uint32_t row, const char *what)
{
    enum { H = 384, EVERY = 191 };
    struct gm_param *w = &t->net.params.p[index];
    float grad[H];
    assert_int_equal(w->shape[1], H);
    gm_params_zero_grad(&t->net.params);
    (void)weighed_scores(t, p, g, true);
    assert_true(w->slot[row] > 0);
    memcpy(grad, w->g + (size_t)(w->slot[row] - 1) * H, sizeof grad);
    for (size_t i = 0; i < H; i += EVERY) {
        float *at = &w->w[(size_t)row * H + i], old = *at, step = 2e-3F;
        *at = old + step;
        double above = weighed_scores(t, p, g, false);
        *at = old - step;
        double below = weighed_scores(t, p, g, false), want = (above - below) / (2 * (double)step);
        *at = old;
        if (fabs((double)grad[i] - want) > 5e-3 + 2e-2 * fabs(want))
            fail_msg("%s[%zu]: %g, by differences %g", what, i, (double)grad[i], want);
    }
}

/* A word's state from its first piece or from all, with and without its case: the rows, what is in the table of
 * parameters, and the gradients of the pieces' and the cases' embeddings. */
static void first_pieces_and_cases(void **state)
{
    (void)state;
    static const char *const words[] = {"Mahaveer", "rests"};
    for (int kind = 0; kind < 4; kind++) {
        struct gm_error err = {0};
        struct gm_tagger *t;
        struct gm_ner_labels labels = {.scheme = GM_TAGS_BIO};
        const struct gm_net_tuning tuning = {.layer_decay = 1};
        struct gm_packer packer, *p = &packer;
        struct gm_engine *engine;
        struct gm_graph g;
        struct gm_arena a;
        uint32_t id;
        bool first = kind & 1, no_case = kind & 2;
        if (access(".deps/models/minilm/model.safetensors", R_OK) != 0)
            skip_because("no .deps/models/minilm; `make setup` gets it");
        gm_arena_init(&a, 0);
        gm_labels_init(&labels.types, 4);
        gm_arena_init(&labels.arena, 0);
        assert_int_equal(gm_labels_add(&labels.types, GM_STR("PER"), &id, &err), GM_OK);
        const struct gm_ner_open o = {.dir = ".deps/models/minilm",
                                      .precision = "f32",
                                      .first_piece = first,
                                      .no_case = no_case,
                                      .tuning = &tuning,
                                      .labels = &labels};
        if (gm_ner_open(&t, &o, &err) != GM_OK || gm_engine_new(&engine, &err) != GM_OK ||
            gm_graph_init(&g, engine, &t->net.params, (size_t)1 << 28, &err) != GM_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(t->net.enc.has_extra, !no_case);
        struct gm_pieced text = pieces_of(&t->net, words, 2, &a), none = {0};
        gm_packer_init(p);
        assert_int_equal(gm_packer_add(p, &t->net, &text, &none, &err), GM_OK);
        assert_true(text.first[1] > 1);
        assert_int_equal(p->begin[0], 1);
        assert_int_equal(p->end[0], first ? 2 : 1 + text.first[1]);
        check_row(t, p, &g, t->net.enc.word, text.ids[0], "the first piece");
        check_row(t, p, &g, t->net.enc.word, text.ids[1], "the second piece");
        if (!no_case)
            check_row(t, p, &g, t->net.enc.extra, GM_CASE_INITIAL, "the case of names");
        gm_graph_clear(&g);
        gm_engine_free(engine);
        gm_packer_clear(p);
        gm_tagger_free(t);
        gm_arena_clear(&a);
        assert_int_equal(gm_alloc_live(), 0);
    }
}

/* Knowledge follows the text in every window, gets no rows, and leaves the text half of the room. */
static void context_is_attended_to_only(void **state)
{
    (void)state;
    enum { N = 1000 };
    static const char *words[N];
    struct gm_net net;
    struct gm_arena a;
    struct gm_packer p;
    for (size_t i = 0; i < N; i++)
        words[i] = i % 2 ? "home" : "so";
    gm_arena_init(&a, 0);
    gm_packer_init(&p);
    open_net(&net);
    struct gm_pieced two = pieces_of(&net, words, 2, &a), many = pieces_of(&net, words, N, &a);
    assert_int_equal(gm_packer_add(&p, &net, &two, &two, NULL), GM_OK);
    assert_int_equal(p.n_tokens, 7); /* [CLS] so home [SEP] so home [SEP] */
    assert_int_equal(p.n_rows, 2);
    assert_int_equal(p.types[3], 0);
    assert_int_equal(p.ids[3], net.special_ids.sep); /* <EOS> */
    assert_int_equal(p.types[4], 1);
    assert_int_equal(p.ids[6], net.special_ids.sep);
    assert_int_equal(gm_packer_add(&p, &net, &many, &many, NULL), GM_OK);
    assert_int_equal(p.n_rows, 2 + N);
    assert_int_equal(p.n_tokens, 7 + gm_packer_cost(&net, &many, &many));
    for (size_t s = 1; s < p.n_seqs; s++) {
        size_t len = p.offsets[s + 1] - p.offsets[s], n_context = 0;
        for (size_t i = p.offsets[s]; i < p.offsets[s + 1]; i++)
            n_context += p.types[i];
        assert_true(len <= 512 && n_context > 250 && n_context < 258);
    }
    for (size_t r = 0; r < p.n_rows; r++)
        assert_int_equal(p.types[p.begin[r]], 0);
    gm_packer_clear(&p);
    gm_net_clear(&net);
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

/* ---- several callers, one model ---- */

enum { CALLERS = 3, TIMES = 4 };

struct caller {
    const struct gm_tagger *t;
    pthread_t thread;
    struct gm_error err;
    enum gm_status st;
    double score[TIMES][2];
    size_t n[TIMES];
};

static void *tag_often(void *self)
{
    struct caller *c = self;
    struct gm_tagger_session *s = NULL;
    c->st = gm_tagger_session_new(&s, c->t, &c->err);
    for (int i = 0; i < TIMES && c->st == GM_OK; i++) {
        struct gm_post post, *p = &post;
        gm_post_init(p);
        p->text = GM_STR("Grace Hopper spoke at the Navy Yard in Boston");
        c->st = gm_tagger_predict(s, &p, 1, &c->err);
        c->n[i] = p->n_entities;
        for (size_t k = 0; k < p->n_entities && k < 2; k++)
            c->score[i][k] = p->entities[k].score;
        gm_post_clear(p);
    }
    gm_tagger_session_free(s);
    return NULL;
}

/* Sessions on threads of their own share one model, and each finds what it finds alone. */
static void sessions_share_a_model(void **state)
{
    (void)state;
    static struct caller alone, callers[CALLERS];
    struct gm_tagger *t;
    struct gm_error err;
    if (access(".deps/models/minilm/model.safetensors", R_OK) != 0)
        skip_because("no .deps/models/minilm; `make setup` gets it");
    if (gm_tagger_load(&t, "models/ner-default", NULL, &err) != GM_OK)
        fail_msg("%s", err.msg);
    for (int i = 0; i < CALLERS; i++) {
        callers[i].t = t;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, tag_often, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i].thread, NULL);
    alone.t = t;
    tag_often(&alone);
    assert_int_equal(alone.st, GM_OK);
    assert_true(alone.n[0] >= 2);
    for (int i = 0; i < CALLERS; i++) {
        if (callers[i].st != GM_OK)
            fail_msg("%s", callers[i].err.msg);
        assert_memory_equal(callers[i].n, alone.n, sizeof alone.n);
        assert_memory_equal(callers[i].score, alone.score, sizeof alone.score);
    }
    gm_tagger_free(t);
}

/* A question about an entity of a text longer than the encoder reads: the part around it is kept. */
static void entailment_keeps_the_mention(void **state)
{
    (void)state;
    enum { N = 2000, AT = 1500 };
    static struct gm_str words[N];
    struct gm_entail *e;
    struct gm_packer packer;
    struct gm_post post;
    struct gm_arena a;
    struct gm_pieces tmp;
    struct gm_entail_input *in;
    struct gm_error err;
    if (access(".deps/models/minilm/model.safetensors", R_OK) != 0)
        skip_because("no .deps/models/minilm; `make setup` gets it");
    gm_arena_init(&a, 0);
    gm_pieces_init(&tmp);
    gm_packer_init(&packer);
    gm_post_init(&post);
    for (size_t i = 0; i < N; i++)
        words[i] = i == AT ? GM_STR("Berlin") : GM_STR("so");
    assert_int_equal(gm_post_set_words(&post, words, N, &err), GM_OK);
    struct gm_entity entity = {.text = GM_STR("Berlin"),
                               .type = GM_STR("LOC"),
                               .start = 3 * AT,
                               .end = 3 * AT + 6,
                               .visible = -1};
    post.entities = &entity;
    post.n_entities = 1;
    post.caption = GM_STR("a city");
    struct gm_train_opts o = gm_train_opts_entail();
    if (gm_entail_open(&e, ".deps/models/minilm", "f32", &o.net, &err) != GM_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(gm_entail_inputs(e, &post, &tmp, &a, &in, &err), GM_OK);
    assert_int_equal(in->first, AT);
    assert_int_equal(in->end, AT + 1);
    size_t with = gm_entail_cost(e, in, true), without = gm_entail_cost(e, in, false);
    assert_true(with <= 512 && without < with && without > GM_ENTAIL_TEXT_PIECES);
    assert_int_equal(gm_entail_add(e, &packer, in, true, &err), GM_OK);
    assert_int_equal(gm_entail_add(e, &packer, in, false, &err), GM_OK);
    assert_int_equal(packer.n_tokens, with + without);
    assert_int_equal(packer.n_rows, 4);
    uint32_t berlin = (uint32_t)gm_tokenizer_id(e->net.tokenizer, GM_STR("berlin"));
    for (int i = 1; i < 4; i += 2) { /* the mention's rows */
        size_t at = packer.begin[i];
        assert_int_equal(packer.end[i], at + 1);
        assert_int_equal(packer.ids[at], berlin);
        assert_int_equal(packer.extra[at], GM_N_CASES + GM_CASE_INITIAL);
        assert_int_equal(packer.types[at], 0);
    }
    post.entities = NULL;
    gm_packer_clear(&packer);
    gm_entail_free(e);
    gm_post_clear(&post);
    gm_pieces_clear(&tmp);
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

/* Word pieces that the classifier reads for n mentions in a text of as many words. */
static size_t pieces_for(const struct gm_entail *e, size_t n)
{
    struct gm_packer packer;
    struct gm_post post;
    struct gm_arena a;
    struct gm_pieces tmp;
    struct gm_entail_input *in;
    struct gm_error err;
    gm_arena_init(&a, 0);
    gm_pieces_init(&tmp);
    gm_packer_init(&packer);
    gm_post_init(&post);
    struct gm_str *words = gm_arena_alloc(&a, n, sizeof *words);
    struct gm_entity *entities = gm_arena_alloc(&a, n, sizeof *entities);
    assert_true(words && entities);
    for (size_t i = 0; i < n; i++) {
        words[i] = GM_STR("Berlin");
        entities[i] = (struct gm_entity){.text = GM_STR("Berlin"),
                                         .type = GM_STR("LOC"),
                                         .start = 7 * i,
                                         .end = 7 * i + 6,
                                         .visible = -1};
    }
    assert_int_equal(gm_post_set_words(&post, words, n, &err), GM_OK);
    post.entities = entities;
    post.n_entities = n;
    assert_int_equal(gm_entail_inputs(e, &post, &tmp, &a, &in, &err), GM_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(gm_entail_add(e, &packer, &in[i], true, &err), GM_OK);
    size_t pieces = packer.n_tokens;
    post.entities = NULL;
    gm_packer_clear(&packer);
    gm_post_clear(&post);
    gm_pieces_clear(&tmp);
    gm_arena_clear(&a);
    return pieces;
}

/* A question reads no more in a long text than in one of a window's length, so that ten times the entities in
 * ten times the text are ten times the work. */
static void entailment_reads_as_much_for_each(void **state)
{
    (void)state;
    struct gm_entail *e;
    struct gm_error err;
    if (access(".deps/models/minilm/model.safetensors", R_OK) != 0)
        skip_because("no .deps/models/minilm; `make setup` gets it");
    struct gm_train_opts o = gm_train_opts_entail();
    if (gm_entail_open(&e, ".deps/models/minilm", "f32", &o.net, &err) != GM_OK)
        fail_msg("%s", err.msg);
    for (size_t n = 100; n <= 10000; n *= 10)
        assert_in_range(pieces_for(e, n), GM_ENTAIL_TEXT_PIECES * n,
                        (GM_ENTAIL_TEXT_PIECES + 8) * n);
    gm_entail_free(e);
    assert_int_equal(gm_alloc_live(), 0);
}

/* The words of mentions in any order, in a text with code points of one to four bytes, as a count of each code
 * point from the start finds them. */
static void entailment_finds_the_words_of_mentions(void **state)
{
    (void)state;
    enum { N = 300, M = 400 };
    static const char *const forms[] = {"a", "Zo\u00e9", "\u4e2d\u6587", "\U0001f600x", "Anna"};
    static const size_t lengths[] = {1, 3, 2, 2, 4};
    struct gm_str words[N];
    size_t starts[N];
    struct gm_entity entities[M] = {0};
    struct gm_entail *e;
    struct gm_post post;
    struct gm_arena a;
    struct gm_pieces tmp;
    struct gm_entail_input *in;
    struct gm_rng rng;
    struct gm_error err;
    if (access(".deps/models/minilm/model.safetensors", R_OK) != 0)
        skip_because("no .deps/models/minilm; `make setup` gets it");
    gm_rng_init(&rng, 5);
    gm_arena_init(&a, 0);
    gm_pieces_init(&tmp);
    gm_post_init(&post);
    size_t at = 0, lens[N];
    for (size_t i = 0; i < N; i++) {
        size_t form = gm_rng_below(&rng, 5);
        words[i] = gm_str(forms[form]);
        starts[i] = at;
        lens[i] = lengths[form];
        at += lens[i] + 1;
    }
    must(gm_post_set_words(&post, words, N, &err), &err);
    for (size_t i = 0; i < M; i++) {
        size_t from = gm_rng_below(&rng, (uint32_t)at - 1);
        size_t to = from + 1 + gm_rng_below(&rng, 9);
        entities[i] = (struct gm_entity){.type = GM_STR("LOC"), .start = from, .end = to};
    }
    post.entities = entities;
    post.n_entities = M;
    struct gm_train_opts o = gm_train_opts_entail();
    must(gm_entail_open(&e, ".deps/models/minilm", "f32", &o.net, &err), &err);
    must(gm_entail_inputs(e, &post, &tmp, &a, &in, &err), &err);
    for (size_t i = 0; i < M; i++) {
        size_t first = 0, end;
        while (first < N && starts[first] + lens[first] <= entities[i].start)
            first++;
        for (end = first; end < N && starts[end] < entities[i].end;)
            end++;
        assert_int_equal(in[i].first, first);
        assert_int_equal(in[i].end, end);
    }
    post.entities = NULL;
    gm_entail_free(e);
    gm_post_clear(&post);
    gm_pieces_clear(&tmp);
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(word_shapes),
        cmocka_unit_test(transitions_allow_valid_sequences_only),
        cmocka_unit_test(moves_are_the_allowed_transitions),
        cmocka_unit_test(every_word_gets_pieces),
        cmocka_unit_test(names_in_parts),
        cmocka_unit_test(windows_cover_every_word_once),
        cmocka_unit_test(first_pieces_and_cases),
        cmocka_unit_test(context_is_attended_to_only),
        cmocka_unit_test(sessions_share_a_model),
        cmocka_unit_test(entailment_keeps_the_mention),
        cmocka_unit_test(entailment_reads_as_much_for_each),
        cmocka_unit_test(entailment_finds_the_words_of_mentions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
