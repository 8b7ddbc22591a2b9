/* entail_train.c - fitting the entailment classifier: an entity is visible (y = 1) when the
 * annotation has a box with its name. For the logit z of a question (entail_model.h), over a
 * batch of B questions:
 *
 *   loss = 1/B sum of log(1 + e^-z) for y = 1, log(1 + e^z) for y = 0
 *   d loss / d z = (1 / (1 + e^-z) - y) / B
 *
 * Captions are left out at random, so that the model works without one. Dev: accuracy and AUC
 * (binary.c). Tests: tests/e2e/test_training.py; the gradient of the head:
 * tests/unit/test_nn_ops.c. */
#include "train/train.h"

#include "base/alloc.h"
#include "base/log.h"
#include "entail/entail_model.h"
#include "eval/binary.h"
#include "train/calibration_report.h"
#include "train/entail_questions.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>

static const double CAPTION_DROPOUT = 0.5;

struct entail_run {
    const struct gm_train_opts *o;
    struct gm_entail *e;
    struct gm_entail_session *session;
    struct gm_questions train, dev;
    const size_t *batch; /* questions of train in the packer */
};

/* ---- what the loop calls ---- */

static size_t cost(void *self, size_t i)
{
    const struct entail_run *run = self;
    return gm_entail_cost(run->e, &run->train.items[i].in, true);
}

static enum gm_status pack(void *self, const size_t *items, size_t n, uint64_t seed,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct entail_run *run = self;
    struct gm_rng rng;
    gm_rng_init(&rng, seed);
    gm_packer_reset(&run->session->net.packer);
    run->batch = items;
    for (size_t i = 0; i < n && st == GM_OK; i++)
        st = gm_entail_add(run->e, &run->session->net.packer, &run->train.items[items[i]].in,
                           gm_rng_uniform(&rng) >= CAPTION_DROPOUT, err);
    if (st == GM_OK)
        gm_packer_drop_words(&run->session->net.packer, &run->e->net, run->o->word_dropout,
                             gm_hash64(seed)); /* not the draws that took captions */
    return st;
}

/* Binary cross-entropy: loss log(1 + e^-z) for yes, log(1 + e^z) for no; gradient p - y. */
static enum gm_status part(void *self, struct gm_graph *g, size_t from, size_t to, double share,
                           double *loss, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct entail_run *run = self;
    struct gm_slice s = gm_packer_slice(&run->session->net.packer, from, to);
    float *out, *d_out;
    GM_TRY(gm_entail_forward(run->e, &run->session->net.packer, g, &s, &out, &d_out, err));
    for (size_t i = 0; i < to - from; i++) {
        bool yes = run->train.items[run->batch[from + i]].visible;
        double z = gm_entail_logit(out, i), signed_z = yes ? -z : z;
        *loss += (signed_z > 0 ? signed_z + log1p(exp(-signed_z)) : log1p(exp(signed_z))) * share;
        float d = (float)((1 / (1 + exp(-z)) - yes) * share);
        d_out[4 * i] = d_out[4 * i + 3] = d;
    }
    st = gm_graph_backward(g, err);
done:
    return st;
}

/* Accuracy at one half and AUC on dev. */
static enum gm_status score_dev(struct entail_run *run, bool with_caption, double *accuracy,
                                double *auc, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_questions *q = &run->dev;
    double *scores = gm_alloc(q->n, sizeof *scores);
    bool *labels = gm_alloc(q->n, sizeof *labels);
    GM_TRY(scores && labels ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < q->n; i++)
        labels[i] = q->items[i].visible;
    GM_TRY(gm_questions_answer(q, run->session, with_caption, scores, err));
    *accuracy = gm_binary_accuracy(gm_binary_count(scores, labels, q->n, 0.5));
    st = gm_auc(scores, labels, q->n, auc, err);
done:
    gm_free(scores);
    gm_free(labels);
    return st;
}

/* The better epoch is the one that ranks better, with and without captions alike. */
static enum gm_status evaluate(void *self, double *score, char *text, size_t cap,
                               struct gm_json *metrics, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct entail_run *run = self;
    double acc, auc, acc_c = 0, auc_c = 0;
    bool captions = run->dev.n_captions > 0;
    GM_TRY(score_dev(run, false, &acc, &auc, err));
    if (captions)
        GM_TRY(score_dev(run, true, &acc_c, &auc_c, err));
    *score = captions ? (auc + auc_c) / 2 : auc;
    int n = snprintf(text, cap, "dev accuracy %.4f AUC %.4f", acc, auc);
    if (captions && n > 0 && (size_t)n < cap)
        snprintf(text + n, cap - (size_t)n, "; with captions %.4f %.4f", acc_c, auc_c);
    bool ok = gm_json_set(metrics, "dev_accuracy", gm_json_new_num(acc)) &&
              gm_json_set(metrics, "dev_auc", gm_json_new_num(auc));
    if (captions)
        ok = ok && gm_json_set(metrics, "dev_accuracy_captions", gm_json_new_num(acc_c)) &&
             gm_json_set(metrics, "dev_auc_captions", gm_json_new_num(auc_c));
    if (!ok)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    return st;
}

static enum gm_status save(void *self, const struct gm_json *training, struct gm_error *err)
{
    struct entail_run *run = self;
    return gm_entail_save(run->e, run->o->out, training, err);
}

/* The answers of a model that has no calibration yet. */
static enum gm_status calibrate(const struct gm_train_opts *o, struct gm_error *err)
{
    bool due;
    enum gm_status st = gm_calibration_due(o->out, &due, err);
    return st == GM_OK && due ? gm_entail_calibrate(o->out, o->dev, o->xml, o->dev_captions, err)
                              : st;
}

enum gm_status gm_train_entail(const struct gm_train_opts *o, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct entail_run run = {.o = o};
    gm_questions_init(&run.train);
    gm_questions_init(&run.dev);
    GM_TRY(gm_entail_open(&run.e, o->encoder, o->precision, &o->net, err));
    GM_TRY(gm_net_check_place(&run.e->net, o->model, err));
    GM_TRY(gm_entail_session_new(&run.session, run.e, err));
    GM_TRY(gm_questions_read(&run.train, run.e, o->train, o->xml, o->captions, o->words, err));
    if (o->dev)
        GM_TRY(gm_questions_read(&run.dev, run.e, o->dev, o->xml, o->dev_captions, NULL, err));
    GM_LOG(GM_LOG_INFO, "train",
           "%zu entities (%zu visible, %zu with a caption), dev %zu (%zu visible)", run.train.n,
           run.train.n_visible, run.train.n_captions, run.dev.n, run.dev.n_visible);
    gm_net_say_trained(&run.e->net);
    st = gm_trainer_run(&(struct gm_trainable){.self = &run,
                                               .lanes = &run.session->net.lanes,
                                               .n_examples = run.train.n,
                                               .cost = cost,
                                               .pack = pack,
                                               .part = part,
                                               .evaluate = o->dev ? evaluate : NULL,
                                               .save = save},
                        o, err);
    if (st == GM_OK && o->dev)
        st = calibrate(o, err);
done:
    gm_entail_session_free(run.session);
    gm_entail_free(run.e);
    gm_questions_clear(&run.train);
    gm_questions_clear(&run.dev);
    return st;
}
