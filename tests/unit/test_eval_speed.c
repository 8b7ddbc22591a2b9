/* 20,000 predictions, in many posts and all in one: the counts are right, and what the evaluation costs
 * beside parsing its inputs is printed (a figure to read, not to assert: machines are noisy). */
#include "post_files.h"

#include "base/rng.h"
#include "eval/eval.h"
#include "eval/pairs.h"

#include <sys/resource.h>

enum { POSTS = 10000, ROUNDS = 3 };

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Two entities a post, a third of them in the image; predictions differ a little. */
static void write_posts(FILE *f, size_t n_posts, size_t per_post, uint64_t noise)
{
    static const char *const types[] = {"PER", "LOC", "ORG", "OTHER"};
    struct gm_rng r, wrong;
    gm_rng_init(&r, 1);
    gm_rng_init(&wrong, noise);
    for (size_t i = 0; i < n_posts; i++) {
        fprintf(f, "{\"id\": \"%zu\", \"text\": \"", i);
        for (size_t k = 0; k < per_post; k++)
            fprintf(f, "RT Ann%06zu went to the new city hall , ", k);
        fprintf(f, "\", \"entities\": [");
        for (size_t k = 0; k < per_post; k++) {
            size_t type = gm_rng_below(&r, 4), x = gm_rng_below(&r, 300);
            size_t off = noise && gm_rng_below(&wrong, 5) == 0;
            fprintf(f,
                    "%s{\"start\": %zu, \"end\": %zu, \"type\": \"%s\", \"score\": 0.9731, "
                    "\"regions\": [",
                    k ? ", " : "", 40 * k + 3, 40 * k + 12, types[(type + off) % 4]);
            if (gm_rng_below(&r, 3) == 0)
                fprintf(f, "{\"box\": [%zu.25, 10, %zu.5, 170], \"score\": 0.81}", x + off * 40,
                        x + 120);
            fprintf(f, "]}");
        }
        fprintf(f, "]}\n");
    }
}

static void write_file(char path[64], size_t n_posts, size_t per_post, uint64_t noise)
{
    snprintf(path, 64, "%s", temp_file(""));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    write_posts(f, n_posts, per_post, noise);
    assert_int_equal(fclose(f), 0);
}

static double parse(const char *path)
{
    struct gm_reader *r;
    struct gm_post post;
    bool has;
    double start = cpu_s();
    assert_int_equal(gm_reader_open(&r, path, NULL, NULL), GM_OK);
    for (;;) {
        assert_int_equal(gm_reader_next(r, &post, &has, NULL), GM_OK);
        if (!has)
            break;
        gm_post_clear(&post);
    }
    gm_reader_free(r);
    return cpu_s() - start;
}

static double evaluate(const char *gold_path, const char *pred_path, size_t *n_pred)
{
    struct gm_eval_opts opts = gm_eval_opts_default(GM_TASK_GMNER);
    struct gm_eval *e;
    struct gm_pairs *pairs;
    struct gm_post gold, pred;
    bool has;
    double start = cpu_s();
    assert_int_equal(gm_eval_new(&e, &opts, NULL), GM_OK);
    assert_int_equal(gm_pairs_open(&pairs, gold_path, pred_path, NULL, NULL), GM_OK);
    for (;;) {
        assert_int_equal(gm_pairs_next(pairs, &gold, &pred, &has, NULL), GM_OK);
        if (!has)
            break;
        assert_int_equal(gm_eval_add(e, &gold, &pred, NULL), GM_OK);
        gm_post_clear(&gold);
        gm_post_clear(&pred);
    }
    *n_pred = gm_eval_total(e).n_pred;
    assert_true(gm_eval_total(e).tp > *n_pred / 2 && gm_eval_total(e).tp < *n_pred);
    gm_pairs_free(pairs);
    gm_eval_free(e);
    return cpu_s() - start;
}

/* The least of some rounds of each, taken in turns: a machine that slows down slows both. */
static void count_and_time(size_t n_posts, size_t per_post)
{
    char gold[64], pred[64];
    double reading = 1e9, whole = 1e9;
    size_t n_pred = 0;
    write_file(gold, n_posts, per_post, 0);
    write_file(pred, n_posts, per_post, 7);
    for (size_t i = 0; i < ROUNDS; i++) {
        double r = parse(gold) + parse(pred), w = evaluate(gold, pred, &n_pred);
        reading = r < reading ? r : reading;
        whole = w < whole ? w : whole;
    }
    unlink(gold);
    unlink(pred);
    print_message("%zu predictions in %zu posts: parsing %.0f ms, evaluation with it %.0f ms, "
                  "ratio %.2f\n",
                  n_pred, n_posts, reading * 1e3, whole * 1e3, whole / reading);
    assert_int_equal(n_pred, n_posts * per_post);
}

static void test_posts(void **state)
{
    (void)state;
    count_and_time(POSTS, 2);
}

static void test_one_post(void **state)
{
    (void)state;
    count_and_time(1, 2 * POSTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {leak_checked(test_posts), leak_checked(test_one_post)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
