#include "tagger/trainer.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/stop.h"
#include "nn/average.h"
#include "nn/optim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

struct loop {
    const struct gm_trainable *t;
    const struct gm_train_opts *o;
    size_t *order;           /* [n_examples], shuffled each epoch */
    size_t step, n_steps;    /* of the whole run; n_steps is an estimate for the schedule */
    size_t epoch, best_epoch;
    double best;             /* dev score */
    double tokens_per_s;
    struct gm_average average; /* of the weights; empty without o->average */
    struct gm_buf metrics;   /* lines of metrics.jsonl */
};

/* Consecutive examples up to batch_posts and batch_tokens. */
static size_t batch_end(const struct loop *l, size_t from)
{
    size_t tokens = 0, to = from;
    while (to < l->t->n_examples && to - from < l->o->batch_posts) {
        tokens += l->t->cost(l->t->self, l->order[to]);
        if (to > from && tokens > l->o->batch_tokens)
            break;
        to++;
    }
    return to;
}

/* The examples of a step: `accumulate` batches. */
static size_t step_end(const struct loop *l, size_t from)
{
    for (size_t i = 0; i < l->o->accumulate && from < l->t->n_examples; i++)
        from = batch_end(l, from);
    return from;
}

static size_t count_steps(const struct loop *l)
{
    size_t n = 0;
    for (size_t at = 0; at < l->t->n_examples; at = step_end(l, at))
        n++;
    return n;
}

/* Factor of the rates: linear warm-up, then linear or cosine decay to zero, or none. */
static double schedule(const struct loop *l)
{
    double warm = l->o->warmup * (double)l->n_steps, at = (double)l->step, all = (double)l->n_steps;
    if (at < warm)
        return (at + 1) / (warm + 1);
    if (strcmp(l->o->schedule, "constant") == 0)
        return 1;
    double left = all > warm && at < all ? (all - at) / (all - warm) : 0;
    return strcmp(l->o->schedule, "cosine") == 0 ? (1 - cos(PI * left)) / 2 : left;
}

/* Batches [from, to), one after the other, then one update. */
static enum gm_status one_step(struct loop *l, size_t from, size_t to, double *loss,
                               struct gm_error *err)
{
    double scale = schedule(l), norm;
    struct gm_optim opt = gm_optim_default();
    uint64_t seed = gm_hash64(l->o->seed * 0x9e3779b97f4a7c15u + l->step);
    if (gm_stop_requested())
        return GM_FAIL(err, GM_ECANCEL, "stopped in epoch %zu; %s", l->epoch,
                       l->best_epoch ? "the best epoch before it is saved" : "nothing was saved yet");
    for (size_t at = from, end; at < to; at = end, seed = gm_hash64(seed)) {
        end = batch_end(l, at);
        enum gm_status st = l->t->step(l->t->self, l->order + at, end - at, to - from, seed, loss, err);
        if (st != GM_OK)
            return st;
    }
    opt.lr[0] = l->o->lr * scale;
    opt.lr[1] = l->o->head_lr * scale;
    opt.lr[2] = l->o->crf_lr * scale;
    opt.weight_decay = l->o->weight_decay;
    opt.clip_norm = l->o->clip_norm;
    gm_optim_step(l->t->params, &opt, ++l->step, &norm);
    if (!isfinite(norm) || !isfinite(*loss))
        return GM_FAIL(err, GM_ESHAPE,
                       "step %zu: the loss is no longer finite; a smaller lr may help (lr is %g)",
                       l->step, l->o->lr);
    if (l->o->average > 0)
        gm_average_step(&l->average, l->o->average, l->step);
    return GM_OK;
}

static enum gm_status one_epoch(struct loop *l, double *mean_loss, struct gm_error *err)
{
    struct gm_progress bar;
    struct gm_rng rng;
    char label[64];
    size_t tokens = 0, n = l->t->n_examples;
    double total = 0, start = gm_clock_s();
    snprintf(label, sizeof label, "epoch %zu/%zu", l->epoch, l->o->epochs);
    gm_rng_init(&rng, gm_hash64(l->o->seed) + l->epoch);
    gm_rng_shuffle(&rng, l->order, n);
    gm_progress_init(&bar, label, n, "posts");
    for (size_t from = 0, to; from < n; from = to) {
        double loss = 0;
        to = step_end(l, from);
        for (size_t i = from; i < to; i++)
            tokens += l->t->cost(l->t->self, l->order[i]);
        enum gm_status st = one_step(l, from, to, &loss, err);
        if (st != GM_OK) {
            gm_progress_end(&bar);
            return st;
        }
        total += loss * (double)(to - from);
        l->tokens_per_s = (double)tokens / (gm_clock_s() - start);
        const struct gm_log_field extra[] = {{"loss", total / (double)to},
                                             {"tokens_per_s", floor(l->tokens_per_s)}};
        gm_progress_update(&bar, to, extra, 2);
    }
    gm_progress_end(&bar);
    *mean_loss = total / (double)n;
    return GM_OK;
}

static enum gm_status save_best(struct loop *l, double score, struct gm_error *err)
{
    struct gm_json *training = gm_train_opts_json(l->o);
    if (!training || !gm_json_set(training, "best_epoch", gm_json_new_int((long long)l->epoch)) ||
        (l->t->evaluate && !gm_json_set(training, "dev_score", gm_json_new_num(score)))) {
        gm_json_free(training);
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    enum gm_status st = l->t->save(l->t->self, training, err);
    gm_json_free(training);
    return st;
}

/* metrics.jsonl as it stands. */
static enum gm_status write_metrics(const struct loop *l, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(gm_mkdirs(l->o->out, err));
    const char *path = gm_path_join(&a, l->o->out, "metrics.jsonl");
    GM_TRY(path ? gm_file_write(path, gm_buf_str(&l->metrics), err)
                : GM_FAIL(err, GM_ENOMEM, "out of memory"));
done:
    gm_arena_clear(&a);
    return st;
}

/* One more line of metrics.jsonl; the file is whole after each epoch. */
static enum gm_status add_metrics(struct loop *l, struct gm_json *m, double loss, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (!gm_json_set(m, "epoch", gm_json_new_int((long long)l->epoch)) ||
        !gm_json_set(m, "step", gm_json_new_int((long long)l->step)) ||
        !gm_json_set(m, "loss", gm_json_new_num(loss)) ||
        !gm_json_set(m, "tokens_per_s", gm_json_new_num(floor(l->tokens_per_s)))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(gm_json_write(m, false, &l->metrics, err));
    GM_TRY(gm_buf_add_c(&l->metrics, "\n", err));
    st = write_metrics(l, err);
done:
    return st;
}

/* Score the weights on dev (without one the last epoch is the best); save them when they are the
 * best so far. */
static enum gm_status end_epoch(struct loop *l, double loss, double train_s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double score = (double)l->epoch;
    char text[256] = "";
    struct gm_json *m = gm_json_new_object();
    GM_TRY(m ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (l->t->evaluate)
        GM_TRY(l->t->evaluate(l->t->self, &score, text, sizeof text, m, err));
    bool better = score > l->best;
    GM_LOG(GM_LOG_INFO, "train", "epoch %zu/%zu  loss %.4f  %.0f tokens/s  %.0f s%s%s%s", l->epoch,
           l->o->epochs, loss, l->tokens_per_s, train_s, *text ? "  " : "", text,
           better && l->t->evaluate ? "  (best so far)" : "");
    GM_TRY(add_metrics(l, m, loss, err));
    if (better) {
        l->best = score;
        l->best_epoch = l->epoch;
        st = save_best(l, score, err);
    }
done:
    gm_json_free(m);
    return st;
}

static bool is_patient(const struct loop *l)
{
    return l->o->patience == 0 || l->epoch < l->best_epoch + l->o->patience;
}

static enum gm_status run_epochs(struct loop *l, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(write_metrics(l, err)); /* an output that can't be written shows now, not hours later */
    while (l->epoch < l->o->epochs && is_patient(l)) {
        double loss, start = gm_clock_s();
        l->epoch++;
        GM_TRY(one_epoch(l, &loss, err));
        double train_s = gm_clock_s() - start;
        gm_average_swap(&l->average);
        GM_TRY(end_epoch(l, loss, train_s, err));
        gm_average_swap(&l->average);
    }
    GM_LOG(GM_LOG_INFO, "train", "wrote %s (epoch %zu)", l->o->out, l->best_epoch);
done:
    return st;
}

enum gm_status gm_trainer_run(const struct gm_trainable *t, const struct gm_train_opts *o,
                              struct gm_error *err)
{
    struct loop l = {.t = t, .o = o, .best = -1};
    if (t->n_examples == 0)
        return GM_FAIL(err, GM_EARG, "%s: no examples to train on", o->train);
    gm_buf_init(&l.metrics, 64 << 20);
    l.order = gm_alloc(t->n_examples, sizeof *l.order);
    if (!l.order)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < t->n_examples; i++)
        l.order[i] = i;
    l.n_steps = count_steps(&l) * o->epochs;
    enum gm_status st = o->average > 0 ? gm_average_init(&l.average, t->params, err) : GM_OK;
    if (st == GM_OK)
        st = run_epochs(&l, err);
    gm_average_clear(&l.average);
    gm_buf_clear(&l.metrics);
    gm_free(l.order);
    return st;
}
