/* trainer.c - the loop of epochs and steps that taggers and classifiers share. At step s of S,
 * with W = warmup S steps of warm-up, every learning rate is its peak times
 *
 *   (s + 1) / (W + 1)                   for s < W
 *   then with r = (S - s) / (S - W):    r (linear),   (1 - cos(pi r)) / 2 (cosine),   1 (constant)
 *
 * An epoch's order is the last one's, shuffled with a generator of seed and epoch, so that a
 * resumed run meets the same batches. The update is optim.c's, the average of the weights
 * ema.c's. Tests: tests/e2e/test_training.py, test_resume.py. */
#include "train/trainer.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/stop.h"
#include "nn/optim.h"
#include "train/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double PI = 3.14159265358979323846;
#define METRICS "metrics.jsonl"
#define FINISHED "finished" /* member of its last line, */
#define RUN "run"           /* and what the run was: gm_train_opts_identity */

struct loop {
    const struct gm_trainable *t;
    const struct gm_train_opts *o;
    struct gm_train_state s;
    size_t *order;  /* [n_examples], shuffled each epoch */
    size_t n_steps; /* of the whole run: an estimate, for the schedule */
    double tokens_per_s;
    double saved_s;        /* when the last checkpoint was written */
    struct gm_ema average; /* of the weights; empty without o->average */
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
    double warm = l->o->warmup * (double)l->n_steps, at = (double)l->s.step,
           all = (double)l->n_steps;
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
    double scale = schedule(l), norm, share = 1.0 / (double)(to - from);
    struct gm_optim opt = gm_optim_default();
    uint64_t seed = gm_hash64(l->o->seed * 0x9e3779b97f4a7c15u + l->s.step);
    enum gm_status st = GM_OK;
    for (size_t at = from, end; at < to; at = end, seed = gm_hash64(seed)) {
        end = batch_end(l, at);
        GM_TRY(gm_train_batch(l->t, l->order + at, end - at, share, seed, loss, err));
    }
    opt.lr[0] = l->o->lr * scale;
    opt.lr[1] = l->o->head_lr * scale;
    opt.lr[2] = l->o->crf_lr * scale;
    opt.weight_decay = l->o->weight_decay;
    opt.clip_norm = l->o->clip_norm;
    GM_TRY(gm_optim_step(l->t->lanes->params, l->t->lanes->n, &opt, ++l->s.step, &norm, err));
    if (!isfinite(norm) || !isfinite(*loss))
        st = GM_FAIL(err, GM_ESHAPE,
                     "step %zu: the loss is no longer finite; a smaller lr may help (lr is %g)",
                     l->s.step, l->o->lr);
    else if (l->o->average > 0)
        gm_ema_step(&l->average, l->o->average, l->s.step);
done:
    return st;
}

/* The order of the next epoch's examples: that of the last one, shuffled. */
static void begin_epoch(struct loop *l)
{
    struct gm_rng rng;
    gm_rng_init(&rng, gm_hash64(l->o->seed) + ++l->s.epoch);
    gm_rng_shuffle(&rng, l->order, l->t->n_examples);
    l->s.at = 0;
    l->s.loss = 0;
}

static enum gm_status write_checkpoint(struct loop *l, struct gm_error *err)
{
    l->saved_s = gm_clock_s();
    return gm_checkpoint_write(l->o, l->t->lanes->params[0], &l->average, &l->s, err);
}

/* Between two steps: a checkpoint when it is time for one, or when the user stops the run. */
static enum gm_status pause(struct loop *l, struct gm_error *err)
{
    double minutes = l->o->checkpoint_minutes;
    bool stop = gm_stop_requested();
    if (!stop && (minutes <= 0 || gm_clock_s() - l->saved_s < 60 * minutes))
        return GM_OK;
    enum gm_status st = write_checkpoint(l, err);
    if (st != GM_OK || !stop)
        return st;
    return GM_FAIL(
        err, GM_ECANCEL, "stopped in epoch %zu; %s; --resume goes on from here", l->s.epoch,
        l->s.best_epoch ? "the best epoch before it is saved" : "no epoch was saved yet");
}

/* The rest of the epoch. */
static enum gm_status one_epoch(struct loop *l, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_progress bar;
    char label[64];
    size_t tokens = 0, n = l->t->n_examples;
    double start = gm_clock_s();
    snprintf(label, sizeof label, "epoch %zu/%zu", l->s.epoch, l->o->epochs);
    gm_progress_init(&bar, label, n, "posts");
    while (l->s.at < n) {
        double loss = 0;
        size_t from = l->s.at, to = step_end(l, from);
        GM_TRY(pause(l, err));
        for (size_t i = from; i < to; i++)
            tokens += l->t->cost(l->t->self, l->order[i]);
        GM_TRY(one_step(l, from, to, &loss, err));
        l->s.at = to;
        l->s.loss += loss * (double)(to - from);
        l->tokens_per_s = (double)tokens / (gm_clock_s() - start);
        const struct gm_log_field extra[] = {{"loss", l->s.loss / (double)to},
                                             {"tokens_per_s", floor(l->tokens_per_s)}};
        gm_progress_update(&bar, to, extra, 2);
    }
done:
    gm_progress_end(&bar);
    return st;
}

static enum gm_status save_best(struct loop *l, double score, struct gm_error *err)
{
    struct gm_json *training = gm_train_opts_json(l->o);
    if (!training || !gm_json_set(training, "best_epoch", gm_json_new_int((long long)l->s.epoch)) ||
        (l->t->evaluate && !gm_json_set(training, "dev_score", gm_json_new_num(score)))) {
        gm_json_free(training);
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    enum gm_status st = l->t->save(l->t->self, training, err);
    gm_json_free(training);
    return st;
}

static enum gm_status write_file(const struct loop *l, const char *name, struct gm_str text,
                                 struct gm_error *err)
{
    struct gm_arena a;
    gm_arena_init(&a, 0);
    const char *path = gm_path_join(&a, l->o->out, name);
    enum gm_status st =
        path ? gm_file_write(path, text, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_clear(&a);
    return st;
}

static bool is_last_epoch(const struct loop *l)
{
    size_t better = l->s.best > 0 ? l->s.best_epoch : 1; /* the last epoch that brought something */
    bool patient = l->o->patience == 0 || l->s.epoch < better + l->o->patience;
    return l->s.epoch >= l->o->epochs || !patient;
}

/* One more line of metrics.jsonl; the file is whole after each epoch. */
static enum gm_status add_metrics(struct loop *l, struct gm_json *m, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double loss = l->s.loss / (double)l->t->n_examples;
    bool ok = gm_json_set(m, "epoch", gm_json_new_int((long long)l->s.epoch)) &&
              gm_json_set(m, "step", gm_json_new_int((long long)l->s.step)) &&
              gm_json_set(m, "loss", gm_json_new_num(loss)) &&
              gm_json_set(m, "tokens_per_s", gm_json_new_num(floor(l->tokens_per_s)));
    if (is_last_epoch(l))
        ok = ok && gm_json_set(m, FINISHED, gm_json_new_bool(true)) &&
             gm_json_set(m, RUN, gm_json_ref(l->s.run));
    GM_TRY(ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_json_write(m, false, &l->s.metrics, err));
    GM_TRY(gm_buf_add_c(&l->s.metrics, "\n", err));
    st = write_file(l, METRICS, gm_buf_str(&l->s.metrics), err);
done:
    return st;
}

/* Score the weights on dev (without one the last epoch is the best); save them when they are the
 * best so far. */
static enum gm_status end_epoch(struct loop *l, double train_s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double score = (double)l->s.epoch;
    char text[256] = "";
    struct gm_json *m = gm_json_new_object();
    GM_TRY(m ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (l->t->evaluate)
        GM_TRY(l->t->evaluate(l->t->self, &score, text, sizeof text, m, err));
    /* Epochs of score 0 found nothing at all: none is better, and the last of them has learned most. */
    bool better = score > l->s.best || (score <= 0 && l->s.best <= 0);
    GM_LOG(GM_LOG_INFO, "train", "epoch %zu/%zu  loss %.4f  %.0f tokens/s  %.0f s%s%s%s",
           l->s.epoch, l->o->epochs, l->s.loss / (double)l->t->n_examples, l->tokens_per_s, train_s,
           *text ? "  " : "", text, better && l->t->evaluate && score > 0 ? "  (best so far)" : "");
    if (better) {
        l->s.best = score;
        l->s.best_epoch = l->s.epoch;
        GM_TRY(save_best(l, score, err));
    }
    st = add_metrics(l, m, err);
done:
    gm_json_free(m);
    return st;
}

static enum gm_status run_epochs(struct loop *l, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool last = false;
    while (!last) {
        double start = gm_clock_s();
        if (l->s.epoch == 0 || l->s.at == l->t->n_examples)
            begin_epoch(l);
        GM_TRY(one_epoch(l, err));
        double train_s = gm_clock_s() - start;
        gm_ema_swap(&l->average);
        GM_TRY(end_epoch(l, train_s, err));
        gm_ema_swap(&l->average);
        last = is_last_epoch(l);
        GM_TRY(last ? gm_checkpoint_remove(l->o, err) : write_checkpoint(l, err));
    }
    GM_LOG(GM_LOG_INFO, "train", "wrote %s (epoch %zu)", l->o->model, l->s.best_epoch);
done:
    return st;
}

/* ---- beginning, and going on ---- */

/* A new run: its settings and an empty metrics.jsonl, so that an output that can't be written shows
 * now, not hours later. */
static enum gm_status begin(struct loop *l, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf config;
    gm_buf_init(&config, 1 << 20);
    GM_TRY(gm_checkpoint_remove(l->o, err));
    GM_TRY(write_file(l, METRICS, GM_STR(""), err));
    GM_TRY(gm_train_opts_yaml(l->o, &config, err));
    st = write_file(l, "config.yaml", gm_buf_str(&config), err);
done:
    gm_buf_clear(&config);
    return st;
}

/* Whether the run in o->out has come to its end: the last line of metrics.jsonl says so. It must have
 * been this very run, as nothing would be done for another one. */
static enum gm_status is_finished(const struct loop *l, bool *finished, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_buf text;
    struct gm_json *j = NULL;
    *finished = false;
    gm_arena_init(&a, 0);
    gm_buf_init(&text, 64 << 20);
    const char *path = gm_path_join(&a, l->o->out, METRICS);
    GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (!gm_is_file(path))
        goto done;
    GM_TRY(gm_file_read(path, &text, err));
    struct gm_str last = gm_str_trim(gm_buf_str(&text));
    for (size_t i = last.n; i-- > 0;)
        if (last.p[i] == '\n') {
            last = gm_str_sub(last, i + 1, last.n);
            break;
        }
    if (last.n && gm_json_parse(&j, last, NULL) == GM_OK)
        gm_json_bool(gm_json_get(j, FINISHED), finished);
    if (*finished && gm_json_get(j, RUN))
        st = gm_train_same_run(gm_json_get(j, RUN), l->s.run, path, err);
done:
    gm_json_free(j);
    gm_buf_clear(&text);
    gm_arena_clear(&a);
    return st;
}

/* A run that was cut short goes on from its checkpoint; one without is begun. */
static enum gm_status resume(struct loop *l, bool *finished, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool found;
    GM_TRY(gm_checkpoint_read(l->o, l->t->lanes->params[0], &l->average, &l->s, &found, err));
    if (!found) {
        GM_TRY(is_finished(l, finished, err));
        if (!*finished)
            GM_LOG(GM_LOG_INFO, "train", "%s: no checkpoint: the run is begun", l->o->out);
        return *finished ? GM_OK : begin(l, err);
    }
    if (l->s.epoch == 0 || l->s.epoch > l->o->epochs || l->s.at > l->t->n_examples) {
        st = GM_FAIL(err, GM_EFORMAT,
                     "%s/checkpoint.safetensors: damaged (epoch %zu, example %zu); begin "
                     "again with --overwrite",
                     l->o->out, l->s.epoch, l->s.at);
        goto done;
    }
    size_t epoch = l->s.epoch, at = l->s.at;
    double loss = l->s.loss;
    for (l->s.epoch = 0; l->s.epoch < epoch;)
        begin_epoch(l);
    l->s.at = at;
    l->s.loss = loss;
    GM_LOG(GM_LOG_INFO, "train", "%s: going on in epoch %zu behind step %zu", l->o->out, epoch,
           l->s.step);
done:
    return st;
}

static enum gm_status run(struct loop *l, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_train_opts *o = l->o;
    struct gm_json *identity = NULL;
    bool finished = false;
    GM_TRY(gm_mkdirs(o->out, err));
    gm_out_sweep(o->out);
    gm_out_sweep(o->model);
    GM_TRY(gm_train_opts_identity(o, &identity, err));
    l->s.run = identity;
    if (o->average > 0)
        GM_TRY(gm_ema_init(&l->average, l->t->lanes->params[0], err));
    GM_TRY(o->resume ? resume(l, &finished, err) : begin(l, err));
    l->saved_s = gm_clock_s();
    if (!finished)
        st = run_epochs(l, err);
    else
        GM_LOG(GM_LOG_INFO, "train", "%s: this run has come to its end already", o->model);
done:
    gm_json_free(identity);
    return st;
}

enum gm_status gm_trainer_run(const struct gm_trainable *t, const struct gm_train_opts *o,
                              struct gm_error *err)
{
    struct loop l = {.t = t, .o = o, .s.best = -1};
    if (t->n_examples == 0)
        return GM_FAIL(err, GM_EARG, "%s: no examples to train on", o->train);
    gm_buf_init(&l.s.metrics, 64 << 20);
    l.order = gm_alloc(t->n_examples, sizeof *l.order);
    if (!l.order)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < t->n_examples; i++)
        l.order[i] = i;
    l.n_steps = count_steps(&l) * o->epochs;
    enum gm_status st = run(&l, err);
    gm_ema_clear(&l.average);
    gm_buf_clear(&l.s.metrics);
    gm_free(l.order);
    return st;
}
