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
#include "formats/captions.h"
#include "formats/voc_xml.h"
#include "train/posts.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>

static const double CAPTION_DROPOUT = 0.5;

struct question {
    struct gm_entail_input in;
    bool visible;
};

struct questions {
    struct gm_arena arena;
    struct question *items;
    size_t n, cap, n_visible, n_captions;
};

struct entail_run {
    const struct gm_train_opts *o;
    struct gm_entail *e;
    struct gm_entail_session *session;
    struct questions train, dev;
    const size_t *batch; /* questions of train in the packer */
};

/* ---- questions from files ---- */

static enum gm_status add_post(struct entail_run *run, struct questions *q, struct gm_post *p,
                               const struct gm_captions *captions, struct gm_pieces *tmp,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_entail_input *inputs;
    GM_TRY(gm_post_add_boxes(p, run->o->xml, NULL, err));
    if (captions)
        p->caption = gm_captions_get(captions, p->id);
    GM_TRY(gm_entail_inputs(run->e, p, tmp, &q->arena, &inputs, err));
    for (size_t i = 0; i < p->n_entities; i++) {
        if (inputs[i].first == inputs[i].end)
            continue;
        GM_TRY(GM_ARENA_GROW(&q->arena, q->items, q->n, q->cap, err));
        q->items[q->n++] = (struct question){inputs[i], p->entities[i].n_regions > 0};
        q->n_visible += p->entities[i].n_regions > 0;
        q->n_captions += p->caption.n > 0;
    }
done:
    return st;
}

static enum gm_status questions_read(struct entail_run *run, struct questions *q, const char *path,
                                     const char *captions_path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_posts posts = {0};
    struct gm_captions *captions = NULL;
    struct gm_pieces tmp;
    gm_pieces_init(&tmp);
    if (captions_path)
        GM_TRY(gm_captions_load(&captions, captions_path, err));
    GM_TRY(gm_posts_read(&posts, path, err));
    if (q == &run->train)
        run->e->net.cut = gm_posts_how_cut(&posts, run->o->words);
    GM_TRY(gm_posts_cut(&posts, run->e->net.cut, err));
    for (size_t i = 0; i < posts.n; i++)
        GM_TRY(add_post(run, q, &posts.items[i], captions, &tmp, err));
    if (q->n == 0)
        st = GM_FAIL(err, GM_EFORMAT, "%s: no entities", path);
    else if (q->n_visible == 0 || q->n_visible == q->n)
        st = GM_FAIL(
            err, GM_EFORMAT,
            "%s: %s of its %zu entities has a box in %s, so there is nothing to tell apart; "
            "is that the folder of these posts' XML files?",
            path, q->n_visible ? "each" : "none", q->n, run->o->xml);
done:
    gm_pieces_clear(&tmp);
    gm_captions_free(captions);
    gm_posts_clear(&posts);
    return st;
}

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
    const struct questions *q = &run->dev;
    double *scores = gm_alloc(q->n, sizeof *scores);
    bool *labels = gm_alloc(q->n, sizeof *labels);
    GM_TRY(scores && labels ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t from = 0, to; from < q->n; from = to) {
        gm_packer_reset(&run->session->net.packer);
        for (to = from; to < q->n && run->session->net.packer.n_tokens < GM_ENTAIL_BATCH_TOKENS;
             to++) {
            GM_TRY(gm_entail_add(run->e, &run->session->net.packer, &q->items[to].in, with_caption,
                                 err));
            labels[to] = q->items[to].visible;
        }
        GM_TRY(gm_entail_answer(run->session, scores + from, err));
    }
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

enum gm_status gm_train_entail(const struct gm_train_opts *o, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct entail_run run = {.o = o};
    gm_arena_init(&run.train.arena, 0);
    gm_arena_init(&run.dev.arena, 0);
    GM_TRY(gm_entail_open(&run.e, o->encoder, o->precision, &o->net, err));
    GM_TRY(gm_entail_session_new(&run.session, run.e, err));
    GM_TRY(questions_read(&run, &run.train, o->train, o->captions, err));
    if (o->dev)
        GM_TRY(questions_read(&run, &run.dev, o->dev, o->dev_captions, err));
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
done:
    gm_entail_session_free(run.session);
    gm_entail_free(run.e);
    gm_arena_clear(&run.train.arena);
    gm_arena_clear(&run.dev.arena);
    return st;
}
