/* calibrate.c - fitting a trained tagger's calibration on annotated posts: the posts are tagged,
 * each entity is judged right or wrong by the exact match of eval.c, and the pairs (marginal,
 * right) go to calibration_fit.c, which has the formula. The classifier's: entail_calibrate.c. */
#include "train/train.h"

#include "base/alloc.h"
#include "base/log.h"
#include "eval/eval.h"
#include "model/settings.h"
#include "ner/ner_model.h"
#include "train/calibration_report.h"
#include "train/posts.h"

/* Marginals of the entities found, and whether each is right; of even posts, then of odd ones. */
struct sample {
    struct gm_buf halves[2]; /* struct gm_judged */
    size_t n_gold;           /* entities in the posts */
};

static enum gm_status judge(struct sample *s, const struct gm_posts *gold,
                            const struct gm_posts *pred, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_eval *e = NULL;
    struct gm_eval_opts opts = gm_eval_opts_default(GM_TASK_MNER);
    GM_TRY(gm_eval_new(&e, &opts, err));
    for (size_t i = 0; i < pred->n; i++) {
        GM_TRY(gm_eval_add(e, &gold->items[i], &pred->items[i], err));
        s->n_gold += gold->items[i].n_entities;
        for (size_t k = 0; k < pred->items[i].n_entities; k++) {
            struct gm_judged j = {pred->items[i].entities[k].uncertainty.marginal,
                                  gm_eval_verdict(e, false, k) == GM_VERDICT_RIGHT};
            GM_TRY(gm_buf_add(&s->halves[i % 2], &j, sizeof j, err));
        }
    }
done:
    gm_eval_free(e);
    return st;
}

/* *iob1 in: whether its tags are to be read so; out: whether they may be. */
static enum gm_status collect(struct sample *s, const char *dir, const char *path, bool *iob1,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_tagger *t = NULL;
    struct gm_tagger_session *session = NULL;
    struct gm_posts gold = {0}, pred = {0};
    struct gm_post **posts = NULL;
    GM_TRY(gm_tagger_load(&t, dir, NULL, err));
    bool may_be = gm_tagger_may_be_iob1(t);
    if (*iob1)
        GM_TRY(gm_tagger_set_iob1(t, err));
    *iob1 = may_be;
    GM_TRY(gm_tagger_session_new(&session, t, err));
    GM_TRY(gm_posts_read_pair(&gold, &pred, path, err));
    GM_TRY(gm_posts_cut(&gold, t->net.cut, err));
    GM_TRY(gm_posts_cut(&pred, t->net.cut, err));
    posts = gm_alloc(pred.n, sizeof *posts);
    GM_TRY(posts ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for %zu posts", pred.n));
    for (size_t i = 0; i < pred.n; i++) {
        posts[i] = &pred.items[i];
        posts[i]->has_entities = false;
    }
    GM_TRY(gm_tagger_predict(session, posts, pred.n, err));
    st = judge(s, &gold, &pred, err);
done:
    gm_free(posts);
    gm_posts_clear(&gold);
    gm_posts_clear(&pred);
    gm_tagger_session_free(session);
    gm_tagger_free(t);
    return st;
}

static struct gm_judged *half(const struct sample *s, size_t i, size_t *n)
{
    *n = s->halves[i].n / sizeof(struct gm_judged);
    return (void *)s->halves[i].p;
}

/* Dice's coefficient of what was found and the gold entities, which is F1. */
static double f1(const struct sample *s)
{
    double n = (double)s->n_gold, right = 0;
    for (size_t h = 0; h < 2; h++) {
        size_t n_half;
        const struct gm_judged *j = half(s, h, &n_half);
        n += (double)n_half;
        for (size_t i = 0; i < n_half; i++)
            right += j[i].right;
    }
    return n > 0 ? 2 * right / n : 0;
}

static void sample_init(struct sample *s)
{
    *s = (struct sample){0};
    gm_buf_init(&s->halves[0], SIZE_MAX - 1);
    gm_buf_init(&s->halves[1], SIZE_MAX - 1);
}

static void sample_clear(struct sample *s)
{
    gm_buf_clear(&s->halves[0]);
    gm_buf_clear(&s->halves[1]);
}

/* The tags of somebody else's tagger, B-, I- and O, are those of IOB2 or of IOB1: with which more is found tells. */
static enum gm_status collect_either(struct sample *s, const char *dir, const char *path,
                                     bool *iob1, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct sample other;
    bool may_be = false;
    sample_init(&other);
    *iob1 = true;
    GM_TRY(collect(s, dir, path, &may_be, err));
    if (may_be)
        GM_TRY(collect(&other, dir, path, iob1, err));
    *iob1 = may_be && f1(&other) > f1(s);
    if (*iob1) {
        struct sample keep = *s;
        *s = other;
        other = keep;
        GM_LOG(GM_LOG_INFO, "tagger",
               "%s: its tags are IOB1's: F1 %.4f on these posts, as BIO %.4f", dir, f1(s),
               f1(&other));
    }
done:
    sample_clear(&other);
    return st;
}

/* gmner.json with the calibration, and the scheme where it was found, in it, everything else as it was. */
static enum gm_status store(const char *dir, const struct gm_calibration_report *r, bool iob1,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *settings = NULL;
    GM_TRY(gm_model_settings_load(&settings, dir, err));
    if (!settings)
        settings = gm_tagger_softmax_settings();
    bool ok = settings && gm_json_set(settings, "calibration", gm_calibration_json(r)) &&
              (!iob1 || gm_json_set(settings, "scheme", gm_json_new_str(GM_STR("iob1"))));
    GM_TRY(ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    st = gm_model_settings_save(settings, dir, err);
done:
    gm_json_free(settings);
    return st;
}

enum gm_status gm_tagger_calibrate(const char *dir, const char *posts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct sample s;
    struct gm_calibration_report r;
    bool iob1;
    sample_init(&s);
    GM_TRY(collect_either(&s, dir, posts, &iob1, err));
    GM_TRY(gm_calibration_report(&r, s.halves, err));
    if (r.n == 0 || s.n_gold == 0) { /* all wrong for want of gold says nothing about the scores */
        GM_LOG(GM_LOG_WARN, "tagger", "%s: no entities %s; not calibrated", posts,
               r.n ? "in it" : "found");
        goto done;
    }
    GM_TRY(store(dir, &r, iob1, err));
    GM_LOG(GM_LOG_INFO, "tagger",
           "calibrated %s on %zu entities, %zu right: expected calibration "
           "error %.4f, before %.4f (each half fitted on the other: %.4f)",
           dir, r.n, r.n_right, r.ece, r.ece_before, r.ece_cross);
done:
    sample_clear(&s);
    return st;
}

enum gm_status gm_model_calibrate(const char *dir, const char *posts, struct gm_error *err)
{
    struct gm_json *settings;
    struct gm_str task = GM_STR("");
    enum gm_status st = gm_model_settings_load(&settings, dir, err);
    (void)gm_json_str(gm_json_get(settings, "task"), &task);
    if (st == GM_OK)
        st = gm_str_eq_c(task, "entail") ? gm_entail_calibrate(dir, posts, NULL, NULL, err)
                                         : gm_tagger_calibrate(dir, posts, err);
    gm_json_free(settings);
    return st;
}
