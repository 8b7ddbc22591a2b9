/* Tasks with boxes through the library: verdicts, every rule, posts that waited in the temporary
 * file, and every allocation failing once. (Scores against the reference: e2e/test_eval_rules.py.) */
#include "post_files.h"

#include "base/json.h"
#include "eval/ap.h"
#include "eval/bootstrap.h"
#include "eval/visible.h"
#include "eval/eval.h"
#include "eval/pairs.h"

#define E(s, t, box)                                      \
    "{\"start\": " s ", \"end\": 3, \"type\": \"" t       \
    "\", \"fine_type\": \"f\", \"expression\": \"x y\", " \
    "\"regions\": [" box "]}"
#define BOX(x)                                                                        \
    "{\"box\": [" x ", 0, 10, 10], \"score\": 0.5, \"label\": \"person\", \"mask\": " \
    "{\"size\": [2, 4], \"counts\": \"44\"}}"

static const char gold_text[] =
    "{\"id\": \"1\", \"text\": \"Ann\", \"image\": \"a.jpg\", \"entities\": [" E(
        "0", "PER",
        BOX("0")) "]}\n"
                  "{\"id\": \"2\", \"text\": \"Bob\", \"entities\": [" E("0", "PER", "") ", " E(
                      "1", "LOC",
                      BOX("5")) "]}\n"
                                "{\"id\": \"3\", \"text\": \"Cy \", \"entities\": []}\n";
/* In another order, so that two posts wait. */
static const char pred_text[] = "{\"id\": \"3\", \"text\": \"Cy \", \"entities\": [" E(
    "0", "ORG", "") "]}\n"
                    "{\"id\": \"2\", \"text\": \"Bob\", \"entities\": [" E("0", "ORG", "") ", " E(
                        "1", "LOC", "") "]}\n"
                                        "{\"id\": \"1\", \"text\": \"Ann\", \"entities\": [" E(
                                            "0", "PER",
                                            BOX("1") ", " BOX("9")) ", " E("0", "PER",
                                                                           BOX("9")) "]}\n";

/* Everything once over both texts; *tp of the rule. */
static enum gm_status run(enum gm_task task, enum gm_rule rule, size_t *tp, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char gold_path[64], pred_path[64];
    struct gm_eval_opts opts = gm_eval_opts_default(task);
    struct gm_eval *e = NULL;
    struct gm_visible *v = NULL;
    struct gm_ap *ap = NULL;
    struct gm_pairs *pairs = NULL;
    struct gm_json *json = NULL;
    struct gm_buf out;
    struct gm_post gold, pred;
    struct gm_bootstrap b;
    struct gm_visible_result r;
    double at[GM_CURVE];
    size_t n;
    bool has;
    opts.rule = rule;
    opts.keep_posts = true;
    gm_buf_init(&out, 1 << 20);
    snprintf(gold_path, sizeof gold_path, "%s", temp_file(gold_text));
    snprintf(pred_path, sizeof pred_path, "%s", temp_file(pred_text));
    GM_TRY(gm_eval_new(&e, &opts, err));
    GM_TRY(gm_visible_new(&v, err));
    GM_TRY(gm_ap_new(&ap, task, err));
    GM_TRY(gm_pairs_open(&pairs, gold_path, pred_path, NULL, err));
    for (;;) {
        GM_TRY(gm_pairs_next(pairs, &gold, &pred, &has, err));
        if (!has)
            break;
        st = gm_eval_add(e, &gold, &pred, err);
        if (st == GM_OK)
            st = gm_visible_add(v, &gold, &pred, err);
        if (st == GM_OK)
            st = gm_ap_add(ap, &gold, &pred, err);
        gm_post_clear(&gold);
        gm_post_clear(&pred);
        GM_TRY(st);
    }
    gm_ap_at(ap, at);
    GM_TRY(gm_visible_result(v, &r, err));
    const struct gm_count *kept = gm_eval_kept(e, &n);
    GM_TRY(gm_bootstrap_run(&b, kept, n, kept, n, 10, 1, err));
    GM_TRY(gm_eval_json(e, &json, err));
    GM_TRY(gm_eval_table(e, true, &out, err));
    *tp = gm_eval_total(e).tp;
done:
    gm_json_free(json);
    gm_buf_clear(&out);
    gm_pairs_free(pairs);
    gm_ap_free(ap);
    gm_visible_free(v);
    gm_eval_free(e);
    unlink(gold_path);
    unlink(pred_path);
    return st;
}

static void test_rules(void **state)
{
    (void)state;
    const struct {
        enum gm_task task;
        size_t tp[3]; /* riveg, set, optimal */
    } cases[] = {{GM_TASK_GMNER, {1, 1, 1}},
                 {GM_TASK_EEG, {2, 2, 2}},
                 {GM_TASK_FMNERG, {2, 2, 2}},
                 {GM_TASK_SMNER, {1, 1, 1}}};
    struct gm_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < 3; k++) {
            size_t tp;
            assert_status(run(cases[i].task, GM_RULE_RIVEG + k, &tp, &err), GM_OK, &err);
            assert_int_equal(tp, cases[i].tp[k]);
        }
}

static void test_torture(void **state)
{
    (void)state;
    const enum gm_rule rules[] = {GM_RULE_RIVEG, GM_RULE_CCKS, GM_RULE_REFINEG};
    struct gm_error err;
    for (size_t i = 0; i < 2; i++)
        for (size_t n = 1;; n++) {
            size_t tp;
            gm_alloc_fail_at(n);
            enum gm_status st = run(i ? GM_TASK_SMNER : GM_TASK_GMNER, rules[i], &tp, &err);
            gm_alloc_fail_at(0);
            assert_int_equal(gm_alloc_live(), 0);
            if (st == GM_OK)
                break;
            assert_int_equal(st, GM_ENOMEM);
            assert_true(n < 10000);
        }
}

/* One post: what each entity has wrong first. */
static void test_verdicts(void **state)
{
    (void)state;
    struct gm_region box = {.box = {0, 0, 10, 10}}, far = {.box = {50, 0, 60, 10}};
    struct gm_entity gold[] = {{.text = GM_STR("a"),
                                .type = GM_STR("PER"),
                                .start = 0,
                                .end = 1,
                                .regions = &box,
                                .n_regions = 1},
                               {.text = GM_STR("b"), .type = GM_STR("PER"), .start = 1, .end = 2},
                               {.text = GM_STR("c"),
                                .type = GM_STR("PER"),
                                .start = 2,
                                .end = 3,
                                .regions = &box,
                                .n_regions = 1},
                               {.text = GM_STR("d"), .type = GM_STR("PER"), .start = 3, .end = 4},
                               {.text = GM_STR("e"), .type = GM_STR("PER"), .start = 4, .end = 5}};
    struct gm_entity pred[5];
    memcpy(pred, gold, sizeof pred);
    pred[0].regions = &far;
    pred[1].type = GM_STR("LOC");
    pred[2].n_regions = 0;
    pred[3].text = GM_STR("de");
    pred[3].end = 5;
    const enum gm_verdict want[] = {GM_VERDICT_BOX, GM_VERDICT_TYPE, GM_VERDICT_IMAGE,
                                    GM_VERDICT_SPAN, GM_VERDICT_RIGHT};
    struct gm_post g, p;
    gm_post_init(&g);
    g.id = GM_STR("1");
    g.text = GM_STR("abcde");
    g.has_entities = true;
    g.n_entities = 5;
    p = g;
    g.entities = gold;
    p.entities = pred;
    for (enum gm_rule rule = GM_RULE_RIVEG; rule <= GM_RULE_REFINEG; rule++) {
        struct gm_eval_opts opts = gm_eval_opts_default(GM_TASK_GMNER);
        struct gm_eval *e;
        opts.rule = rule;
        assert_int_equal(gm_eval_new(&e, &opts, NULL), GM_OK);
        assert_int_equal(gm_eval_add(e, &g, &p, NULL), GM_OK);
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(gm_eval_verdict(e, false, i), want[i]);
            assert_int_equal(gm_eval_verdict(e, true, i), want[i]);
        }
        gm_eval_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {leak_checked(test_rules), leak_checked(test_torture),
                                       leak_checked(test_verdicts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
