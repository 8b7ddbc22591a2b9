/* ner_train.c - fitting the tagger on posts with gold entities. */
#include "tagger/train.h"

#include "base/alloc.h"
#include "base/log.h"
#include "eval/eval.h"
#include "tagger/ner_model.h"
#include "tagger/posts.h"
#include "tagger/trainer.h"
#include "tagger/words.h"

#include <stdio.h>

/* One sequence to learn from: a post, or a part of one that is longer than the encoder reads. */
struct example {
    struct gm_pieced text, context; /* context: the post's knowledge */
    uint16_t *gold, *fine; /* [n_words] labels; classes of gm_fine, NULL = no fine types */
};

struct ner_run {
    const struct gm_train_opts *o;
    struct gm_tagger *t;
    struct gm_arena arena; /* examples */
    struct example *examples;
    size_t n_examples, cap_examples;
    struct gm_posts gold, pred; /* dev: as read, and to be predicted */
    struct gm_posts helpers;    /* posts that only their fine types are taken of */
    struct gm_posts_index by_text; /* of these */
    size_t n_helped;
    uint16_t *batch_gold, *batch_fine; /* [cap_gold] labels of a batch */
    size_t cap_gold;
};

/* ---- examples ---- */

/* Labels of a part of an entity that is too long for one sequence, as an entity of its own. */
static void close_part(const struct gm_ner_labels *l, uint16_t *labels, size_t n)
{
    struct gm_tag first = gm_ner_tag(l, labels[0]);
    if (first.prefix == 'I' || first.prefix == 'E') {
        first.prefix = first.prefix == 'I' ? 'B' : 'S';
        labels[0] = gm_ner_label(l, first);
    }
    struct gm_tag last = gm_ner_tag(l, labels[n - 1]);
    if (l->scheme == GM_TAGS_BIOES && (last.prefix == 'B' || last.prefix == 'I')) {
        last.prefix = last.prefix == 'I' ? 'E' : 'S';
        labels[n - 1] = gm_ner_label(l, last);
    }
}

static enum gm_status add_example(struct ner_run *run, const struct gm_pieced *t,
                                  const struct gm_pieced *context, const uint16_t *gold,
                                  const uint16_t *fine, size_t from, size_t to, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena *a = &run->arena;
    size_t n = to - from;
    GM_TRY(GM_ARENA_GROW(a, run->examples, run->n_examples, run->cap_examples, err));
    uint32_t *first = gm_arena_alloc(a, n + 1, sizeof *first);
    uint16_t *labels = gm_arena_alloc(a, 2 * n, sizeof *labels), *classes = fine ? labels + n : NULL;
    GM_TRY(first && labels ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t w = 0; w <= n; w++)
        first[w] = t->first[from + w] - t->first[from];
    memcpy(labels, gold + from, n * sizeof *labels);
    if (fine)
        memcpy(classes, fine + from, n * sizeof *classes);
    close_part(&run->t->labels, labels, n);
    run->examples[run->n_examples++] = (struct example){
        {n, t->ids + t->first[from], first, t->cases + from}, *context, labels, classes};
done:
    return st;
}

static bool is_inside(const struct gm_ner_labels *l, uint16_t label)
{
    char c = gm_ner_tag(l, label).prefix;
    return c == 'I' || c == 'E';
}

/* A post as examples: one, or several of as many words as the encoder takes, cut within an entity
 * only where that is longer. */
static enum gm_status add_post(struct ner_run *run, const struct gm_pieced *t,
                               const struct gm_pieced *context, const uint16_t *gold,
                               const uint16_t *fine, struct gm_error *err)
{
    size_t room = (run->t->net.enc.config.positions - 3) / (context->n_words ? 2 : 1);
    if (room > run->o->batch_tokens)
        room = run->o->batch_tokens;
    for (size_t from = 0; from < t->n_words;) {
        size_t to = from;
        while (to < t->n_words && t->first[to + 1] - t->first[from] <= room)
            to++;
        size_t cut = to;
        while (cut < t->n_words && cut > from && is_inside(&run->t->labels, gold[cut]))
            cut--;
        if (cut > from)
            to = cut;
        enum gm_status st = add_example(run, t, context, gold, fine, from, to, err);
        if (st != GM_OK)
            return st;
        from = to;
    }
    return GM_OK;
}

static enum gm_status gold_labels(struct ner_run *run, const struct gm_post *p, struct gm_arena *a,
                                  uint16_t **out, size_t *n_skipped, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_ner_labels *l = &run->t->labels;
    size_t n_spans;
    struct gm_span *spans = gm_arena_alloc(a, p->n_entities, sizeof *spans);
    struct gm_tag *tags = gm_arena_alloc(a, p->n_tokens, sizeof *tags);
    *out = gm_arena_alloc(a, p->n_tokens, sizeof **out);
    GM_TRY(spans && tags && *out ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_post_spans(p, &l->types, spans, &n_spans, n_skipped, err));
    gm_spans_to_tags(spans, n_spans, l->scheme, tags, p->n_tokens);
    for (size_t i = 0; i < p->n_tokens; i++)
        (*out)[i] = gm_ner_label(l, tags[i]);
done:
    return st;
}

/* Classes of the post's words: its own, or those of the same text in the helper's posts (unknown
 * where there is none). */
static enum gm_status fine_classes(struct ner_run *run, const struct gm_post *p, struct gm_arena *a,
                                   uint16_t **out, struct gm_error *err)
{
    struct gm_fine *f = &run->t->fine;
    *out = NULL;
    if (f->pairs.n == 0)
        return GM_OK;
    *out = gm_arena_alloc(a, p->n_tokens, sizeof **out);
    if (!*out)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->n_tokens; i++)
        (*out)[i] = GM_FINE_UNKNOWN;
    const struct gm_post *from = f->helper ? gm_posts_index_find(&run->by_text, p->text) : p;
    if (!from || from->n_tokens != p->n_tokens)
        return GM_OK;
    run->n_helped++;
    return gm_fine_classes(f, from, *out, err);
}

static enum gm_status build_examples(struct ner_run *run, const struct gm_posts *train,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_pieces tmp;
    size_t skipped = 0;
    gm_arena_init(&a, 0);
    gm_pieces_init(&tmp);
    for (size_t i = 0; i < train->n; i++) {
        const struct gm_post *p = &train->items[i];
        struct gm_word *ranges;
        struct gm_str *words;
        struct gm_pieced pieced, context;
        uint16_t *gold, *fine;
        size_t n, n_skipped;
        gm_arena_reset(&a);
        GM_TRY(gm_words_of(p, &a, &ranges, &words, &n, err));
        GM_TRY(gm_pieces_of_words(&run->t->net, words, n, &tmp, &run->arena, &pieced, err));
        GM_TRY(gold_labels(run, p, &a, &gold, &n_skipped, err));
        GM_TRY(gm_pieces_of_text(&run->t->net, p->knowledge, &tmp, &run->arena, &context, err));
        GM_TRY(fine_classes(run, p, &a, &fine, err));
        GM_TRY(add_post(run, &pieced, &context, gold, fine, err));
        skipped += n_skipped;
    }
    if (run->t->fine.helper && run->n_helped < train->n)
        GM_LOG(GM_LOG_WARN, "train", "%zu of %zu posts have no post of the same words in %s",
               train->n - run->n_helped, train->n, run->o->fine);
    if (skipped)
        GM_LOG(GM_LOG_WARN, "train", "%zu gold entities overlap or split words and were left out",
               skipped);
done:
    gm_pieces_clear(&tmp);
    gm_arena_clear(&a);
    return st;
}

/* The entity types of the training posts, in order of name. */
static enum gm_status collect_types(struct gm_ner_labels *l, const struct gm_posts *train,
                                    const struct gm_train_opts *o, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_str *names = NULL;
    size_t n = 0, cap = 0;
    gm_arena_init(&a, 0);
    *l = (struct gm_ner_labels){.scheme = strcmp(o->scheme, "bioes") == 0 ? GM_TAGS_BIOES : GM_TAGS_BIO};
    gm_labels_init(&l->types, GM_NER_MAX_TYPES);
    gm_arena_init(&l->arena, 0);
    for (size_t i = 0; i < train->n; i++)
        for (size_t k = 0; k < train->items[i].n_entities; k++) {
            struct gm_str type = train->items[i].entities[k].type;
            size_t at = 0;
            while (at < n && gm_str_cmp(names[at], type) < 0)
                at++;
            if (at < n && gm_str_eq(names[at], type))
                continue;
            GM_TRY(GM_ARENA_GROW(&a, names, n, cap, err));
            memmove(names + at + 1, names + at, (n - at) * sizeof *names);
            names[at] = type;
            n++;
        }
    if (n == 0)
        st = GM_FAIL(err, GM_EFORMAT, "%s: no entities to learn from", o->train);
    for (size_t i = 0; i < n && st == GM_OK; i++) {
        uint32_t id;
        st = gm_labels_add(&l->types, names[i], &id, err);
    }
done:
    gm_arena_clear(&a);
    return st;
}

/* ---- what the loop calls ---- */

static size_t cost(void *self, size_t i)
{
    const struct ner_run *run = self;
    return gm_packer_cost(&run->t->net, &run->examples[i].text, &run->examples[i].context);
}

static void drop_words(struct gm_packer *p, const struct gm_net *net, double share, uint64_t seed)
{
    struct gm_rng rng;
    gm_rng_init(&rng, seed);
    for (size_t i = 0; i < p->n_tokens; i++)
        if (p->ids[i] != (uint32_t)net->special.cls && p->ids[i] != (uint32_t)net->special.sep &&
            gm_rng_uniform(&rng) < share)
            p->ids[i] = (uint32_t)net->special.unk;
}

static enum gm_status pack_batch(struct ner_run *run, const size_t *items, size_t n,
                                 struct gm_error *err)
{
    struct gm_packer *p = &run->t->packer;
    enum gm_status st = GM_OK;
    gm_packer_reset(p);
    for (size_t i = 0; i < n && st == GM_OK; i++)
        st = gm_packer_add(p, &run->t->net, &run->examples[items[i]].text,
                           &run->examples[items[i]].context, err);
    if (st == GM_OK && p->n_rows > run->cap_gold) {
        gm_free(run->batch_gold);
        run->batch_gold = gm_alloc(2 * p->n_rows, sizeof *run->batch_gold);
        run->cap_gold = run->batch_gold ? p->n_rows : 0;
        if (!run->batch_gold)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        run->batch_fine = run->batch_gold + p->n_rows;
    }
    for (size_t i = 0, at = 0; i < n && st == GM_OK; i++) {
        const struct example *e = &run->examples[items[i]];
        memcpy(run->batch_gold + at, e->gold, e->text.n_words * sizeof *e->gold);
        if (e->fine)
            memcpy(run->batch_fine + at, e->fine, e->text.n_words * sizeof *e->fine);
        at += e->text.n_words;
    }
    return st;
}

static enum gm_status step(void *self, const size_t *items, size_t n, size_t n_all, uint64_t seed,
                           double *loss, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct ner_run *run = self;
    struct gm_tagger *t = run->t;
    struct gm_crf crf = gm_ner_crf(t);
    size_t k = t->labels.k, seq = 0, row = 0, n_rows;
    float *emit, *d_emit;
    void *d_;
    GM_TRY(pack_batch(run, items, n, err));
    if (run->o->word_dropout > 0)
        drop_words(&t->packer, &t->net, run->o->word_dropout, seed);
    t->batch_tokens = SIZE_MAX; /* the loop has bounded the batch */
    GM_TRY(gm_ner_emissions(t, true, seed, &seq, &row, &emit, &d_emit, &n_rows, err));
    GM_TRY(gm_graph_alloc(&t->net.graph, &d_, k * k + 2 * k, sizeof(float), err));
    float *d = d_;
    memset(d, 0, (k * k + 2 * k) * sizeof *d);
    struct gm_crf_grad grad = {.trans = d, .start = d + k * k, .end = d + k * k + k};
    GM_TRY(gm_crf_nll(&crf, emit, t->packer.posts, n, run->batch_gold, 1.0 / (double)n_all, d_emit, &grad,
                      loss, &t->work, err));
    if (t->fine.pairs.n)
        gm_fine_loss(&t->fine, run->batch_fine, n_rows, run->o->fine_weight / (double)n_all, loss);
    gm_params_add_grad(&t->net.params.p[t->trans], grad.trans);
    gm_params_add_grad(&t->net.params.p[t->start], grad.start);
    gm_params_add_grad(&t->net.params.p[t->end], grad.end);
    st = gm_graph_backward(&t->net.graph, err);
done:
    return st;
}

/* The predicted entities that agree with gold in span and fine type (and so in coarse type). */
static struct gm_score fine_score(const struct ner_run *run)
{
    struct gm_score s = {0};
    for (size_t i = 0; i < run->gold.n; i++) {
        const struct gm_post *g = &run->gold.items[i], *p = &run->pred.items[i];
        s.n_gold += g->n_entities;
        s.n_pred += p->n_entities;
        for (size_t a = 0; a < g->n_entities; a++)
            for (size_t b = 0; b < p->n_entities; b++)
                s.tp += g->entities[a].start == p->entities[b].start &&
                               g->entities[a].end == p->entities[b].end &&
                               gm_str_eq(g->entities[a].type, p->entities[b].type) &&
                               gm_str_eq(g->entities[a].fine_type, p->entities[b].fine_type);
    }
    return s;
}

static enum gm_status evaluate(void *self, double *score, char *text, size_t cap,
                               struct gm_json *metrics, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct ner_run *run = self;
    struct gm_eval *e = NULL;
    struct gm_post **posts = gm_alloc(run->pred.n, sizeof *posts);
    GM_TRY(posts ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < run->pred.n; i++) {
        posts[i] = &run->pred.items[i];
        posts[i]->has_entities = false;
    }
    run->t->batch_tokens = run->o->batch_tokens;
    GM_TRY(gm_tagger_predict(run->t, posts, run->pred.n, err));
    GM_TRY(gm_eval_new(&e, &(struct gm_eval_opts){.task = GM_TASK_MNER}, err));
    for (size_t i = 0; i < run->pred.n; i++)
        GM_TRY(gm_eval_add(e, &run->gold.items[i], posts[i], err));
    struct gm_score s = gm_eval_total(e);
    *score = gm_score_f1(s);
    int n = snprintf(text, cap, "dev P %.4f R %.4f F1 %.4f", gm_score_precision(s),
                     gm_score_recall(s), *score);
    bool ok = gm_json_set(metrics, "dev_precision", gm_json_new_num(gm_score_precision(s))) &&
              gm_json_set(metrics, "dev_recall", gm_json_new_num(gm_score_recall(s))) &&
              gm_json_set(metrics, "dev_f1", gm_json_new_num(*score));
    if (run->t->fine.pairs.n && !run->t->fine.helper) { /* right in both types is what counts then */
        *score = gm_score_f1(fine_score(run));
        snprintf(text + n, cap - (size_t)n, "  fine F1 %.4f", *score);
        ok = ok && gm_json_set(metrics, "dev_fine_f1", gm_json_new_num(*score));
    }
    if (!ok)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_eval_free(e);
    gm_free(posts);
    return st;
}

static enum gm_status save(void *self, const struct gm_json *training, struct gm_error *err)
{
    struct ner_run *run = self;
    return gm_ner_save(run->t, run->o->out, training, err);
}

/* The fine types of the training posts or, where a file is named for them, of the posts there. */
static enum gm_status collect_fine(struct ner_run *run, struct gm_fine *f, const struct gm_posts *train,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_posts *from = run->o->fine ? &run->helpers : train;
    gm_fine_init(f);
    f->helper = run->o->fine != NULL;
    if (run->o->fine_weight <= 0)
        return GM_OK;
    if (f->helper) {
        GM_TRY(gm_posts_read(&run->helpers, run->o->fine, err));
        GM_TRY(gm_posts_index_init(&run->by_text, &run->helpers, err));
    }
    for (size_t i = 0; i < from->n; i++)
        GM_TRY(gm_fine_collect(f, &from->items[i], err));
    if (f->helper && f->pairs.n == 0)
        st = GM_FAIL(err, GM_EFORMAT, "%s: no fine types (a third column)", run->o->fine);
done:
    return st;
}

/* Labels and fine types of the training posts, and the tagger for them. */
static enum gm_status open_tagger(struct ner_run *run, const struct gm_posts *train,
                                  struct gm_error *err)
{
    const struct gm_train_opts *o = run->o;
    struct gm_ner_labels labels;
    struct gm_fine fine;
    gm_fine_init(&fine);
    enum gm_status st = collect_types(&labels, train, o, err);
    if (st == GM_OK)
        st = collect_fine(run, &fine, train, err);
    if (st != GM_OK) {
        gm_ner_labels_clear(&labels);
        gm_fine_clear(&fine);
        return st;
    }
    return gm_ner_open(&run->t, &(struct gm_ner_open){.dir = o->encoder, .precision = o->precision,
                                                      .tuning = &o->net, .labels = &labels,
                                                      .fine = &fine, .seed = o->seed}, err);
}

enum gm_status gm_train_ner(const struct gm_train_opts *o, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct ner_run run = {.o = o};
    struct gm_posts train = {0};
    gm_arena_init(&run.arena, 0);
    GM_TRY(gm_posts_read(&train, o->train, err));
    if (o->dev) {
        GM_TRY(gm_posts_read(&run.gold, o->dev, err));
        GM_TRY(gm_posts_read(&run.pred, o->dev, err));
        GM_TRY(run.gold.n ? GM_OK : GM_FAIL(err, GM_EFORMAT, "%s: no posts to evaluate on", o->dev));
    }
    GM_TRY(open_tagger(&run, &train, err));
    GM_TRY(build_examples(&run, &train, err));
    gm_posts_clear(&train);
    gm_posts_index_clear(&run.by_text);
    gm_posts_clear(&run.helpers);
    GM_LOG(GM_LOG_INFO, "train", "%zu examples, %zu dev posts, %zu types, %zu fine types%s, %s",
           run.n_examples, run.gold.n, run.t->labels.types.n, run.t->fine.pairs.n,
           run.t->fine.helper ? " as helpers" : "", run.t->net.params.dtype == GM_BF16 ? "bf16" : "f32");
    st = gm_trainer_run(&(struct gm_trainable){.self = &run, .params = &run.t->net.params,
                                               .n_examples = run.n_examples, .cost = cost,
                                               .step = step, .evaluate = o->dev ? evaluate : NULL,
                                               .save = save}, o, err);
done:
    gm_posts_clear(&train);
    gm_posts_clear(&run.gold);
    gm_posts_clear(&run.pred);
    gm_posts_index_clear(&run.by_text);
    gm_posts_clear(&run.helpers);
    gm_tagger_free(run.t);
    gm_arena_clear(&run.arena);
    gm_free(run.batch_gold);
    return st;
}
