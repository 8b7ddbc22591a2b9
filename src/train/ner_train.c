/* ner_train.c - fitting the tagger on posts with gold entities. For a batch of B posts, with
 * weights u (teacher_weight, 0 without a teacher) and v (fine_weight):
 *
 *   loss = 1/B sum over posts of [ (1 - u) CRF loss of the gold labels (crf.c)
 *                                  + u cross-entropy with the teacher's marginals (crf_soft.c)
 *                                  + v cross-entropy of the fine types (fine_types.c) ]
 *
 * Tests: tests/e2e/test_training.py, test_tagging.py; gradients: tests/unit/test_nn_crf.c,
 * test_nn_ops.c. */
#include "train/train.h"

#include "base/alloc.h"
#include "base/log.h"
#include "eval/eval.h"
#include "train/calibration_report.h"
#include "train/ner_examples.h"
#include "train/posts.h"
#include "train/trainer.h"

#include <stdio.h>

struct ner_run {
    const struct gm_train_opts *o;
    struct gm_tagger *t;
    struct gm_tagger_session *session;
    struct gm_ner_examples train;
    struct gm_posts gold, pred; /* dev: as read, and to be predicted */
    bool scored;      /* dev has entities that could be found, so that it can choose an epoch */
    bool fine_scored; /* the same of fine types, which then are what chooses */
    struct gm_pieces tmp;
    struct gm_arena batch;           /* a batch's examples in other spellings, and targets: */
    uint16_t *labels, *fine_classes; /* [n_rows] */
    float *soft;                     /* [n_rows, k] */
};

static size_t cost(void *self, size_t i)
{
    const struct ner_run *run = self;
    return gm_packer_cost(&run->t->net, &run->train.items[i].text, &run->train.items[i].context);
}

/* The examples of a batch; some of them spelled otherwise, drawn by the seed and their numbers. */
static enum gm_status pick(struct ner_run *run, const size_t *items, size_t n, uint64_t seed,
                           struct gm_ner_example **out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_ner_example *e = gm_arena_alloc(&run->batch, n, sizeof *e);
    GM_TRY(e ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < n; i++) {
        struct gm_rng rng;
        const struct gm_ner_example *from = &run->train.items[items[i]];
        gm_rng_init(&rng, gm_hash64(seed ^ gm_hash64(items[i])));
        e[i] = *from;
        if (from->words && gm_rng_uniform(&rng) < run->o->spellings)
            GM_TRY(gm_ner_example_spell(&run->train, run->t, from, &rng, &run->tmp, &run->batch,
                                        &e[i], err));
    }
    *out = e;
done:
    return st;
}

/* The batch in the packer, and what its words should be. */
static enum gm_status pack(void *self, const size_t *items, size_t n, uint64_t seed,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct ner_run *run = self;
    struct gm_packer *p = &run->session->net.packer;
    size_t k = run->t->labels.k;
    struct gm_ner_example *examples;
    gm_packer_reset(p);
    gm_arena_reset(&run->batch);
    GM_TRY(pick(run, items, n, seed, &examples, err));
    for (size_t i = 0; i < n; i++)
        GM_TRY(gm_packer_add(p, &run->t->net, &examples[i].text, &examples[i].context, err));
    gm_packer_drop_words(p, &run->t->net, run->o->word_dropout, seed);
    run->labels = gm_arena_alloc(&run->batch, p->n_rows, sizeof *run->labels);
    run->fine_classes = gm_arena_alloc(&run->batch, p->n_rows, sizeof *run->fine_classes);
    run->soft = gm_arena_alloc(&run->batch, run->o->teacher ? p->n_rows * k : 0, sizeof *run->soft);
    GM_TRY(run->labels && run->fine_classes && run->soft
               ? GM_OK
               : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < n; i++) {
        const struct gm_ner_example *e = &examples[i];
        size_t at = p->posts[i], rows = e->text.n_words;
        memcpy(run->labels + at, e->gold, rows * sizeof *e->gold);
        if (e->fine_classes)
            memcpy(run->fine_classes + at, e->fine_classes, rows * sizeof *e->fine_classes);
        if (e->soft)
            memcpy(run->soft + at * k, e->soft, rows * k * sizeof *e->soft);
    }
done:
    return st;
}

/* Losses of a slice's rows, their gradients, and those of the CRF's parameters: of the gold labels
 * and, with a teacher, of its probabilities; and of the fine types. offsets [n+1]: rows of its posts. */
static enum gm_status losses(const struct ner_run *run, struct gm_graph *g,
                             const struct gm_slice *s, const struct gm_ner_scores *x,
                             const uint32_t *offsets, size_t n, double share, double *loss,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_tagger *t = run->t;
    struct gm_param *p = g->params->p;
    struct gm_crf crf = gm_ner_crf(t);
    struct gm_arena work;
    void *d_;
    size_t k = crf.k, n_d = k * k + 2 * k;
    double soft = run->o->teacher ? run->o->teacher_weight : 0;
    gm_arena_init(&work, 0);
    GM_TRY(gm_graph_alloc(g, &d_, n_d, sizeof(float), err));
    float *d = memset(d_, 0, n_d * sizeof *d);
    struct gm_crf_grad grad = {.trans = d, .start = d + k * k, .end = d + k * k + k};
    GM_TRY(gm_crf_nll(&crf, x->emit, offsets, n, run->labels + s->row, (1 - soft) * share,
                      x->d_emit, &grad, loss, &work, err));
    if (soft > 0)
        GM_TRY(gm_crf_soft(&crf, x->emit, offsets, n, run->soft + s->row * k, soft * share,
                           x->d_emit, &grad, loss, &work, err));
    if (t->fine_types.pairs.n)
        gm_fine_types_loss(&t->fine_types, x->fine_logits, run->fine_classes + s->row,
                           s->end_row - s->row, run->o->fine_weight * share, x->d_fine_logits,
                           loss);
    gm_params_add_grad(&p[t->trans], grad.trans);
    gm_params_add_grad(&p[t->start], grad.start);
    gm_params_add_grad(&p[t->end], grad.end);
done:
    gm_arena_clear(&work);
    return st;
}

static enum gm_status part(void *self, struct gm_graph *g, size_t from, size_t to, double share,
                           double *loss, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct ner_run *run = self;
    const struct gm_packer *p = &run->session->net.packer;
    struct gm_slice s = gm_packer_slice(p, from, to);
    struct gm_ner_scores x;
    void *offsets_;
    if (s.seq == s.end_seq) /* nothing but posts without words */
        return GM_OK;
    GM_TRY(gm_graph_alloc(g, &offsets_, to - from + 1, sizeof(uint32_t), err));
    uint32_t *offsets = offsets_;
    for (size_t i = from; i <= to; i++)
        offsets[i - from] = p->posts[i] - p->posts[from];
    GM_TRY(gm_ner_emissions(run->t, p, g, &s, &x, err));
    GM_TRY(losses(run, g, &s, &x, offsets, to - from, share, loss, err));
    st = gm_graph_backward(g, err);
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
    GM_TRY(gm_tagger_predict(run->session, posts, run->pred.n, err));
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
    if (run->fine_scored) { /* right in both types is what counts then */
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

static enum gm_status read_dev(struct ner_run *run, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_posts_read_pair(&run->gold, &run->pred, run->o->dev, err));
    if (run->gold.n == 0)
        st = GM_FAIL(err, GM_EFORMAT, "%s: no posts to evaluate on", run->o->dev);
done:
    return st;
}

/* Entities of dev that a perfect tagger would find; the types that only dev has are named. */
static enum gm_status look_at_dev(struct ner_run *run, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_labels unknown;
    size_t n_known = 0, n_fine = 0;
    gm_labels_init(&unknown, GM_NER_MAX_TYPES);
    for (size_t i = 0; i < run->gold.n; i++)
        for (size_t k = 0; k < run->gold.items[i].n_entities; k++) {
            const struct gm_entity *e = &run->gold.items[i].entities[k];
            bool known = gm_labels_find(&run->t->labels.types, e->type) != GM_LABEL_NONE;
            uint32_t id;
            n_known += known;
            n_fine += known && e->fine_type.n > 0;
            if (!known && unknown.n < GM_NER_MAX_TYPES)
                GM_TRY(gm_labels_add(&unknown, e->type, &id, err));
        }
    run->scored = n_known > 0;
    run->fine_scored = n_fine > 0 && run->t->fine_types.pairs.n > 0 && !run->t->fine_types.helper;
    for (uint32_t i = 0; i < unknown.n; i++)
        GM_LOG(GM_LOG_WARN, "train", "%s: type %.*s is not in %s and can't be found", run->o->dev,
               GM_STR_ARG(gm_labels_at(&unknown, i)), run->o->train);
    if (!run->scored)
        GM_LOG(GM_LOG_WARN, "train",
               "%s: no entities of the types of %s: it can't choose an epoch nor "
               "calibrate scores; the last epoch is kept",
               run->o->dev, run->o->train);
    else if (!run->fine_scored && run->t->fine_types.pairs.n && !run->t->fine_types.helper)
        GM_LOG(GM_LOG_WARN, "train", "%s: no fine types: epochs are chosen by coarse types",
               run->o->dev);
done:
    gm_labels_clear(&unknown);
    return st;
}

/* The scores of a model that has none yet; one that a finished run left keeps what it has. */
static enum gm_status calibrate(const struct gm_train_opts *o, struct gm_error *err)
{
    bool due;
    enum gm_status st = gm_calibration_due(o->out, &due, err);
    return st == GM_OK && due ? gm_tagger_calibrate(o->out, o->dev, err) : st;
}

enum gm_status gm_train_ner(const struct gm_train_opts *o, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct ner_run run = {.o = o};
    gm_arena_init(&run.batch, 0);
    gm_pieces_init(&run.tmp);
    if (o->dev)
        GM_TRY(read_dev(&run, err));
    GM_TRY(gm_ner_examples_read(&run.train, &run.t, o, err));
    GM_TRY(gm_tagger_session_new(&run.session, run.t, err));
    GM_TRY(gm_posts_cut(&run.gold, run.t->net.cut, err));
    GM_TRY(gm_posts_cut(&run.pred, run.t->net.cut, err));
    if (o->dev)
        GM_TRY(look_at_dev(&run, err));
    GM_LOG(GM_LOG_INFO, "train",
           "%zu examples, %zu dev posts, %zu types, %zu fine types%s, words: %s, %s", run.train.n,
           run.gold.n, run.t->labels.types.n, run.t->fine_types.pairs.n,
           run.t->fine_types.helper ? " as helpers" : "", gm_cut_name(run.t->net.cut),
           run.t->net.params.dtype == GM_BF16 ? "bf16" : "f32");
    gm_net_say_trained(&run.t->net);
    st = gm_trainer_run(&(struct gm_trainable){.self = &run,
                                               .lanes = &run.session->net.lanes,
                                               .n_examples = run.train.n,
                                               .cost = cost,
                                               .pack = pack,
                                               .part = part,
                                               .evaluate = run.scored ? evaluate : NULL,
                                               .save = save},
                        o, err);
    if (st == GM_OK && run.scored)
        st = calibrate(o, err);
done:
    gm_posts_clear(&run.gold);
    gm_posts_clear(&run.pred);
    gm_tagger_session_free(run.session);
    gm_tagger_free(run.t);
    gm_ner_examples_clear(&run.train);
    gm_pieces_clear(&run.tmp);
    gm_arena_clear(&run.batch);
    return st;
}
