/* The fusion that gmner tune fits: what it is judged on, it has not seen. */
#include "unit.h"

#include <math.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "tune/tune.h"

static char gold_path[80], pred_path[80];

/* A post a line of one entity. encoder, model: probabilities; < 0 = not there. */
static void add_post(struct gm_buf *gold, struct gm_buf *pred, size_t id, bool is_in,
                     double encoder, double model)
{
    static const char *const start =
        "{\"id\": \"%zu\", \"text\": \"Ann\", \"entities\": [{\"type\": \"PER\", \"start\": 0, \"end\": 3";
    assert_int_equal(gm_buf_printf(gold, NULL, start, id), GM_OK);
    assert_int_equal(gm_buf_printf(gold, NULL, "%s}]}\n",
                                   is_in ? ", \"regions\": [{\"box\": [0, 0, 5, 5]}]" : ""),
                     GM_OK);
    assert_int_equal(gm_buf_printf(pred, NULL, start, id), GM_OK);
    assert_int_equal(gm_buf_printf(pred, NULL, ", \"evidence\": {\"encoder\": %.6f", encoder),
                     GM_OK);
    if (model >= 0)
        assert_int_equal(gm_buf_printf(pred, NULL, ", \"model\": %.6f", model), GM_OK);
    assert_int_equal(gm_buf_add_c(pred, "}}]}\n", NULL), GM_OK);
}

static void tune(struct gm_buf *gold, struct gm_buf *pred, struct gm_tune_opts *o,
                 struct gm_tune_result *r)
{
    struct gm_error err = {0};
    snprintf(gold_path, sizeof gold_path, "/tmp/gm-tune-gold-%ld.jsonl", (long)getpid());
    snprintf(pred_path, sizeof pred_path, "/tmp/gm-tune-pred-%ld.jsonl", (long)getpid());
    assert_int_equal(gm_file_write(gold_path, gm_buf_str(gold), NULL), GM_OK);
    assert_int_equal(gm_file_write(pred_path, gm_buf_str(pred), NULL), GM_OK);
    o->stage = GM_TUNE_ENTAIL;
    o->gold = gold_path;
    o->runs[0].path = pred_path;
    o->n_runs = 1;
    o->c = o->c > 0 ? o->c : 1;
    o->by_post = -1;
    if (gm_tune_run_all(o, r, &err) != GM_OK)
        fail_msg("%s", err.msg);
    unlink(gold_path);
    unlink(pred_path);
    gm_buf_reset(gold);
    gm_buf_reset(pred);
}

static const struct gm_tune_source *source(const struct gm_tune_result *r, const char *name)
{
    for (size_t i = 0; i < r->n_sources; i++)
        if (strcmp(r->sources[i].name, name) == 0)
            return &r->sources[i];
    fail_msg("no source %s", name);
    return NULL;
}

/* In one fold a high probability means yes, in the other no: weights of one are all wrong in the
 * other. Any leak of a fold into its own weights would lift the figure above 0. */
static void test_no_leak(void **state)
{
    (void)state;
    struct gm_buf gold, pred;
    struct gm_tune_result r;
    struct gm_tune_opts o = {.n_folds = 2, .target = {GM_TUNE_BEST, 0}};
    gm_buf_init(&gold, 1 << 20);
    gm_buf_init(&pred, 1 << 20);
    for (size_t id = 0; id < 200; id++) {
        char text[20];
        snprintf(text, sizeof text, "%zu", id);
        bool high = gm_hash64(id) & 1;
        bool is_in = high == (gm_tune_fold(gm_str(text), 2) == 0);
        add_post(&gold, &pred, id, is_in, high ? 0.9 : 0.1, high ? 0.8 : 0.2);
    }
    tune(&gold, &pred, &o, &r);
    const struct gm_tune_source *fused = source(&r, "all, fused");
    assert_int_equal(fused->n, 200);
    assert_true(fused->is_crossed && fused->accuracy == 0 && fused->auc == 0);
    assert_int_equal(r.n_steps, 1);
    assert_int_equal(r.steps[0].crossed.score.tp, 0);
    gm_tune_clear(&r);
    gm_buf_clear(&gold);
    gm_buf_clear(&pred);
}

/* The model knows everything, the encoder nothing of what it is unsure of and everything else: asked is
 * where it is unsure, and nowhere else. Where the model said nothing, weights of the encoder alone count. */
static void test_bound(void **state)
{
    (void)state;
    struct gm_buf gold, pred;
    struct gm_tune_result r;
    struct gm_tune_opts o = {.n_folds = 5, .target = {GM_TUNE_BEST, 0}};
    gm_buf_init(&gold, 1 << 20);
    gm_buf_init(&pred, 1 << 20);
    for (size_t id = 0; id < 400; id++) {
        bool is_in = id % 2, unsure = id % 4 < 2, silent = id % 20 == 0;
        double sure = is_in ? 0.95 : 0.05, blind = id % 8 < 4 ? 0.55 : 0.45;
        add_post(&gold, &pred, id, is_in, unsure && !silent ? blind : sure,
                 silent  ? -1
                 : is_in ? 0.99
                         : 0.01);
    }
    tune(&gold, &pred, &o, &r);
    const struct gm_tune_step *s = &r.steps[0];
    double bound = gm_tune_setting(s, s->chosen->t);
    assert_true(bound > log(0.55 / 0.45) && bound < log(0.95 / 0.05));
    assert_int_equal(s->chosen->score.tp, 400);
    assert_int_equal(s->crossed.score.tp, 400);
    assert_int_equal(s->chosen->units, 180);
    assert_int_equal(source(&r, "model")->n, 380);
    assert_true(source(&r, "encoder")->accuracy < 0.8);
    assert_int_equal(r.fusion.n, 7); /* encoder, model and the mention: each, pairs, all */
    assert_non_null(gm_fusion_find(&r.fusion, GM_EVIDENCE_MODEL));
    gm_tune_clear(&r);
    gm_buf_clear(&gold);
    gm_buf_clear(&pred);
}

/* A target of precision: the threshold on `visible`, which goes into the stage ground. */
static void test_precision(void **state)
{
    (void)state;
    struct gm_buf gold, pred;
    struct gm_tune_result r;
    struct gm_tune_opts o = {.n_folds = 4, .target = {GM_TUNE_PRECISION, 0.95}};
    gm_buf_init(&gold, 1 << 20);
    gm_buf_init(&pred, 1 << 20);
    for (size_t id = 0; id < 400; id++) /* of 0.1, 0.3, 0.5, 0.7, 0.9: as many as that are in */
        add_post(&gold, &pred, id, id / 5 % 10 < (id % 5) * 2 + 1 + (id % 5 == 4),
                 0.1 + 0.2 * (double)(id % 5), -1);
    tune(&gold, &pred, &o, &r);
    assert_int_equal(r.n_steps, 1); /* no model: no bound */
    const struct gm_tune_step *s = &r.steps[0];
    assert_string_equal(s->stage, "ground");
    assert_string_equal(s->setting, "visible");
    assert_true(s->reached && s->chosen->units == 80 && s->chosen->score.tp == 80);
    assert_true(gm_score_precision(s->crossed.score) >= 0.95);
    gm_tune_clear(&r);
    gm_buf_clear(&gold);
    gm_buf_clear(&pred);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_leak),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_precision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
