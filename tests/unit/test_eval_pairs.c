/* Which prediction belongs to which gold post, and what is compared: files of all orders and
 * formats, and every way in which two files can fail to fit. */
#include "post_files.h"

#include "base/json.h"
#include "eval/eval.h"
#include "eval/pairs.h"
#include "eval/post_blob.h"

/* Evaluate the two texts; the status of the first failure. */
static enum gm_status evaluate(const char *gold_text, const char *pred_text, enum gm_task task,
                               struct gm_score *score, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char gold_path[64], pred_path[64];
    struct gm_eval_opts eopts = gm_eval_opts_default(task);
    struct gm_eval *e = NULL;
    struct gm_pairs *pairs = NULL;
    struct gm_post gold, pred;
    bool has = true;
    snprintf(gold_path, sizeof gold_path, "%s", temp_file(gold_text));
    snprintf(pred_path, sizeof pred_path, "%s", temp_file(pred_text));
    GM_TRY(gm_eval_new(&e, &eopts, err));
    GM_TRY(gm_pairs_open(&pairs, gold_path, pred_path, NULL, err));
    for (;;) {
        GM_TRY(gm_pairs_next(pairs, &gold, &pred, &has, err));
        if (!has)
            break;
        st = gm_eval_add(e, &gold, &pred, err);
        gm_post_clear(&gold);
        gm_post_clear(&pred);
        GM_TRY(st);
    }
    *score = gm_eval_total(e);
done:
    gm_pairs_free(pairs);
    gm_eval_free(e);
    unlink(gold_path);
    unlink(pred_path);
    return st;
}

static void expect(const char *gold, const char *pred, enum gm_task task, struct gm_score want)
{
    struct gm_score got;
    struct gm_error err;
    assert_status(evaluate(gold, pred, task, &got, &err), GM_OK, &err);
    assert_int_equal(got.tp, want.tp);
    assert_int_equal(got.n_pred, want.n_pred);
    assert_int_equal(got.n_gold, want.n_gold);
}

static void expect_error(const char *gold, const char *pred, const char *part)
{
    struct gm_score got;
    struct gm_error err = {0};
    assert_int_equal(evaluate(gold, pred, GM_TASK_MNER, &got, &err), GM_EFORMAT);
    if (!strstr(err.msg, part))
        fail_msg("\"%s\" is not in: %s", part, err.msg);
}

static const char *const three = "IMGID:1\nAnn B-PER\nruns O\n\nIMGID:2\nOslo B-LOC\n\n"
                                 "IMGID:3\nhi O\n\n";

/* What a post leaves behind when it waits is gone, and not pointed to; what was seen in its picture stays. */
static void test_waiting_post(void **state)
{
    struct gm_post p, q;
    struct gm_entity candidate = {.text = GM_STR("Oslo")};
    struct gm_object objects[] = {{GM_STR("person"), 0.75F, {1, 2, 3, 4}, NULL},
                                  {GM_STR("car"), 0.5F, {0}, NULL}};
    struct gm_written written = {GM_STR("OSLO S"), 0.25F, {5, 6, 7, 8}, NULL};
    struct gm_buf b;
    (void)state;
    gm_buf_init(&b, 1 << 16);
    gm_post_init(&p);
    p.text = GM_STR("in Oslo");
    p.candidates = &candidate;
    p.n_candidates = 1;
    p.has_candidates = true;
    p.objects = objects;
    p.n_objects = 2;
    p.texts = &written;
    p.n_texts = 1;
    p.has_objects = p.has_texts = true;
    assert_int_equal(
        gm_json_parse(&p.source, GM_STR("{\"x\": 1, \"asked\": [{\"stage\": \"é\"}]}"), NULL),
        GM_OK);
    assert_int_equal(gm_post_put(&p, &b, NULL), GM_OK);
    assert_int_equal(gm_post_take(&q, b.p, NULL), GM_OK);
    assert_true(gm_str_eq(q.text, p.text));
    assert_null(q.candidates);
    assert_int_equal(q.n_candidates, 0);
    assert_false(q.has_candidates);
    assert_true(q.has_objects && q.n_objects == 2 && q.has_texts && q.n_texts == 1);
    assert_true(gm_str_eq_c(q.objects[0].label, "person") && q.objects[0].score == 0.75F);
    assert_true(gm_str_eq_c(q.objects[1].label, "car") && q.objects[0].box[3] == 4);
    assert_true(gm_str_eq_c(q.texts[0].text, "OSLO S") && q.texts[0].box[0] == 5);
    struct gm_str stage = GM_STR("");
    assert_true(
        gm_json_str(gm_json_get(gm_json_at(gm_json_get(q.source, "asked"), 0), "stage"), &stage));
    assert_true(gm_str_eq_c(stage, "é"));
    gm_post_clear(&q);
    gm_post_clear(&p);
    gm_buf_clear(&b);
}

static void test_same_order(void **state)
{
    (void)state;
    expect(three, three, GM_TASK_MNER, (struct gm_score){2, 2, 2});
}

static void test_any_order_and_format(void **state)
{
    (void)state;
    expect(
        three,
        "{\"id\": \"3\", \"text\": \"hi\", \"entities\": []}\n"
        "{\"id\": 2, \"tokens\": [\"Oslo\"], \"entities\": [{\"type\": \"LOC\", \"start\": 0, \"end\": 4}]}\n"
        "{\"id\": \"1\", \"text\": \"Ann runs\", \"entities\": [{\"type\": \"LOC\", \"start\": 0, \"end\": 3}]}\n",
        GM_TASK_MNER, (struct gm_score){1, 2, 2});
    expect(three, "IMGID:3\nhi\tO\n\nIMGID:1\nAnn\tB-LOC\nruns\tO\n\nIMGID:2\nOslo\tS-LOC\n",
           GM_TASK_SPAN, (struct gm_score){2, 2, 2});
}

static void test_repeated_ids(void **state)
{
    (void)state;
    const char *gold = "IMGID:1\nAnn B-PER\n\nIMGID:1\nBob B-PER\n\nIMGID:2\nhi O\n";
    expect(gold, gold, GM_TASK_MNER, (struct gm_score){2, 2, 2});
    expect(gold, "IMGID:2\nhi O\n\nIMGID:1\nAnn O\n\nIMGID:1\nBob B-PER\n", GM_TASK_MNER,
           (struct gm_score){1, 1, 2});
    expect_error(gold, "IMGID:2\nhi O\n\nIMGID:1\nBob O\n\nIMGID:1\nAnn B-PER\n",
                 "post 1: the predicted post has another text: \"Bob\" where gold has \"Ann\"");
}

static void test_no_ids(void **state)
{
    (void)state;
    const char *plain = "Ann B-PER\nruns O\n\nOslo O\n\nhi O\n\n";
    expect(three, plain, GM_TASK_MNER, (struct gm_score){1, 1, 2});
    expect(plain, three, GM_TASK_MNER, (struct gm_score){1, 2, 1});
    expect_error(
        three, "Ann B-PER\nruns O\n\nOslo O\n\n",
        "paired by position, as one has no ids): 1 gold post has no prediction (first: id 3");
    expect_error(three, "Ann B-PER\nruns O\n\nBergen O\n\nhi O\n\n",
                 "post 2: the predicted post has");
}

static void test_missing_and_extra(void **state)
{
    (void)state;
    expect_error(three, "IMGID:1\nAnn B-PER\nruns O\n\n",
                 "2 gold posts have no prediction (first: id 2, line 5)");
    expect_error("IMGID:2\nOslo B-LOC\n", three,
                 "2 predicted posts are not in gold (first: id 1, line 1)");
    expect_error(three, "IMGID:1\nAnn B-PER\nruns O\n\nIMGID:4\nx O\n\nIMGID:3\nhi O\n",
                 "1 gold post has no prediction (first: id 2, line 5); 1 predicted post is not in "
                 "gold (first: id 4, line 5)");
}

static void test_no_entities(void **state)
{
    (void)state;
    const char *gold = "{\"id\": \"1\", \"text\": \"Ann\", \"entities\": []}\n";
    const char *bare = "{\"id\": \"1\", \"text\": \"Ann\"}\n";
    expect_error(gold, bare, "post 1: the prediction file has no entities");
    expect_error(bare, gold, "post 1: the gold file has no entities");
    /* A post that failed predicts nothing. */
    expect(
        "{\"id\": \"1\", \"text\": \"Ann\", \"entities\": [{\"type\": \"PER\", \"start\": 0, \"end\": 3}]}\n",
        "{\"id\": \"1\", \"text\": \"Ann\", \"error\": {\"stage\": \"tag\", \"code\": \"nomem\", "
        "\"message\": \"m\"}}\n",
        GM_TASK_MNER, (struct gm_score){0, 0, 1});
}

/* Raw text against words: places are compared without counting white space. */
static void test_white_space(void **state)
{
    (void)state;
    const char *gold = "IMGID:1\n@ O\nÅsa B-PER\nBerg I-PER\n: O\nOslo B-LOC\n! O\n";
    expect(gold,
           "{\"id\": \"1\", \"text\": \"@Åsa\\u00a0Berg: Oslo!\", \"entities\": ["
           "{\"type\": \"PER\", \"start\": 1, \"end\": 9}, "
           "{\"type\": \"LOC\", \"start\": 11, \"end\": 15}]}\n",
           GM_TASK_MNER, (struct gm_score){2, 2, 2});
    expect(gold,
           "{\"id\": \"1\", \"text\": \"@Åsa Berg: Oslo!\", \"entities\": ["
           "{\"type\": \"LOC\", \"start\": 11, \"end\": 16}, "
           "{\"type\": \"PER\", \"start\": 1, \"end\": 4}]}\n",
           GM_TASK_MNER, (struct gm_score){0, 2, 2});
    expect_error(gold, "{\"id\": \"1\", \"text\": \"@Åsa Berg: Oslo\", \"entities\": []}\n",
                 "another text");
}

static void test_sets(void **state)
{
    (void)state;
    const char *gold = "{\"id\": \"1\", \"text\": \"Ann\", \"entities\": ["
                       "{\"type\": \"PER\", \"start\": 0, \"end\": 3}]}\n";
    expect(gold,
           "{\"id\": \"1\", \"text\": \"Ann\", \"entities\": ["
           "{\"type\": \"PER\", \"start\": 0, \"end\": 3}, {\"type\": \"LOC\", \"start\": 0, "
           "\"end\": 3}, {\"type\": \"PER\", \"start\": 0, \"end\": 3}]}\n",
           GM_TASK_MNER, (struct gm_score){1, 2, 1});
}

static void test_broken_files(void **state)
{
    (void)state;
    expect_error(three, "IMGID:1\nAnn Q-PER\n", ":2: \"Q-PER\" is not a tag");
    expect_error("IMGID:1\nAnn Q-PER\n", three, ":2: \"Q-PER\" is not a tag");
    struct gm_error err;
    struct gm_pairs *p;
    assert_int_equal(gm_pairs_open(&p, "-", "-", NULL, &err), GM_EARG);
    assert_int_equal(gm_pairs_open(&p, "/nowhere/x", "/nowhere/y", NULL, &err), GM_EIO);
    assert_non_null(strstr(err.msg, "/nowhere/x"));
}

static void test_output(void **state)
{
    (void)state;
    struct gm_eval_opts eopts = gm_eval_opts_default(GM_TASK_MNER);
    struct gm_eval *e;
    struct gm_post p;
    struct gm_buf out;
    gm_post_init(&p);
    gm_buf_init(&out, 1 << 20);
    struct gm_entity ents[] = {{.type = GM_STR("b"), .end = 1}, {.type = GM_STR("ä"), .end = 2}};
    p.text = GM_STR("xy");
    p.has_entities = true;
    p.entities = ents;
    p.n_entities = 2;
    assert_int_equal(gm_eval_new(&e, &eopts, NULL), GM_OK);
    assert_int_equal(gm_eval_add(e, &p, &p, NULL), GM_OK);
    struct gm_json *json;
    assert_int_equal(gm_eval_json(e, &json, NULL), GM_OK);
    assert_int_equal(gm_json_write(json, false, &out, NULL), GM_OK);
    gm_json_free(json);
    const char *begins =
        "{\"task\": \"mner\", \"rule\": \"exact\", \"tp\": 2, \"n_pred\": 2, \"n_gold\": 2, "
        "\"precision\": 1.0, \"recall\": 1.0, \"f1\": 1.0, \"per_type\": {"
        "\"b\": {\"tp\": 1, \"n_pred\": 1, \"n_gold\": 1, \"precision\": 1.0, \"recall\": 1.0, "
        "\"f1\": 1.0}, \"ä\": {\"tp\": 1, \"n_pred\": 1, \"n_gold\": 1, \"precision\": 1.0, "
        "\"recall\": 1.0, \"f1\": 1.0}}, \"posts\": 1, \"failed_posts\": 0, \"steps\": [{\"step\": "
        "\"span\", \"tp\": 2, ";
    assert_true(gm_str_starts(gm_buf_str(&out), gm_str(begins)));
    gm_buf_reset(&out);
    assert_int_equal(gm_eval_table(e, false, &out, NULL), GM_OK);
    assert_string_equal(out.p,
                        "       precision     recall         f1     right     found      gold\n"
                        "b         1.0000     1.0000     1.0000         1         1         1\n"
                        "ä         1.0000     1.0000     1.0000         1         1         1\n"
                        "micro     1.0000     1.0000     1.0000         2         2         2\n\n"
                        "f1 with all that follows taken as right, and what each step loses\n"
                        "span          1.0000  +0.0000\ntype          1.0000  +0.0000\n");
    gm_eval_free(e);
    gm_buf_clear(&out);
    gm_post_clear(&p);
}

/* Every allocation fails once; nothing leaks and the failure is reported. */
static void test_torture(void **state)
{
    (void)state;
    struct gm_score s;
    struct gm_error err;
    for (size_t n = 1;; n++) {
        gm_alloc_fail_at(n);
        enum gm_status st =
            evaluate(three,
                     "{\"id\": 2, \"text\": \"Oslo\", \"asked\": [{\"stage\": \"tag\"}], "
                     "\"objects\": [{\"label\": \"car\", \"box\": [0, 0, 1, 1]}], "
                     "\"texts\": [{\"text\": \"S\", \"box\": [0, 0, 1, 1]}], \"entities\": "
                     "[{\"type\": \"LOC\", \"start\": 0, \"end\": 4}]}\n"
                     "{\"id\": 3, \"text\": \"hi\", \"entities\": []}\n"
                     "{\"id\": 1, \"text\": \"Ann runs\", \"entities\": "
                     "[{\"type\": \"PER\", \"start\": 0, \"end\": 3}]}\n",
                     GM_TASK_MNER, &s, &err);
        gm_alloc_fail_at(0);
        assert_int_equal(gm_alloc_live(), 0);
        if (st == GM_OK)
            break;
        assert_int_equal(st, GM_ENOMEM);
        assert_true(n < 10000);
    }
    assert_int_equal(s.tp, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {leak_checked(test_waiting_post),
                                       leak_checked(test_same_order),
                                       leak_checked(test_any_order_and_format),
                                       leak_checked(test_repeated_ids),
                                       leak_checked(test_no_ids),
                                       leak_checked(test_missing_and_extra),
                                       leak_checked(test_no_entities),
                                       leak_checked(test_white_space),
                                       leak_checked(test_sets),
                                       leak_checked(test_broken_files),
                                       leak_checked(test_output),
                                       leak_checked(test_torture)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
