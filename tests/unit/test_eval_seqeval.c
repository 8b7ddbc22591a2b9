/* The whole way - CoNLL files, pairing, counting - against what seqeval 1.2.2 says about the same
 * 10,400 pairs of tag sequences (tests/golden/seqeval.txt, made by tests/ref/seqeval_reference.py). */
#include "post_files.h"

#include "base/rng.h"
#include "record/tags.h"
#include "eval/eval.h"
#include "eval/pairs.h"

#include <math.h>

enum { SEED = 20250, BATCHES = 520, BATCH = 20, LONGEST = 12 };

static const char *const types[] = {"PER", "LOC", "ORG", "a-b"};
static const struct {
    const char *name, *prefixes;
    enum gm_tag_scheme scheme;
    enum gm_tag_repair repair;
} modes[] = {{"conlleval", "BIES", GM_TAGS_AUTO, GM_REPAIR_CONLLEVAL},
             {"bio", "BI", GM_TAGS_BIO, GM_REPAIR_STRICT},
             {"bioes", "BIES", GM_TAGS_BIOES, GM_REPAIR_STRICT},
             {"iob1", "BI", GM_TAGS_IOB1, GM_REPAIR_STRICT}};
enum { MODES = sizeof modes / sizeof *modes };

static size_t below(struct gm_rng *r, size_t n) { return (size_t)((gm_rng_u64(r) >> 32) % n); }

static void draw_tag(struct gm_rng *r, const char *prefixes, char tag[8])
{
    if (below(r, 4) == 0) {
        snprintf(tag, 8, "O");
        return;
    }
    char prefix = prefixes[below(r, strlen(prefixes))];
    snprintf(tag, 8, "%c-%s", prefix, types[below(r, 4)]);
}

static void add(struct gm_buf *b, const char *s)
{
    assert_int_equal(gm_buf_add_c(b, s, NULL), GM_OK);
}

/* One pair of posts, drawn as the script draws it. */
static void draw_pair(struct gm_rng *r, const char *prefixes, struct gm_buf *gold,
                      struct gm_buf *pred)
{
    char tags[LONGEST][8], tag[8], row[64];
    size_t n = below(r, LONGEST + 1);
    add(gold, "IMGID:x\n"); /* ids repeat: pairs must follow the order; texts are equal or fail */
    add(pred, "IMGID:x\n");
    for (size_t i = 0; i < n; i++) {
        draw_tag(r, prefixes, tags[i]);
        snprintf(row, sizeof row, "w%zu\t%s\n", i, tags[i]);
        add(gold, row);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(tag, tags[i], sizeof tag);
        if (below(r, 5) == 0)
            draw_tag(r, prefixes, tag);
        snprintf(row, sizeof row, "w%zu\t%s\n", i, tag);
        add(pred, row);
    }
    add(gold, "\n");
    add(pred, "\n");
}

static struct gm_eval *evaluate(const char *gold_path, const char *pred_path, size_t mode)
{
    struct gm_reader_opts opts = {
        .format = GM_FORMAT_CONLL, .repair = modes[mode].repair, .scheme = modes[mode].scheme};
    struct gm_eval_opts eopts = gm_eval_opts_default(GM_TASK_MNER);
    struct gm_eval *e;
    struct gm_pairs *pairs;
    struct gm_post gold, pred;
    struct gm_error err;
    bool has;
    assert_status(gm_eval_new(&e, &eopts, &err), GM_OK, &err);
    assert_status(gm_pairs_open(&pairs, gold_path, pred_path, &opts, &err), GM_OK, &err);
    for (;;) {
        assert_status(gm_pairs_next(pairs, &gold, &pred, &has, &err), GM_OK, &err);
        if (!has)
            break;
        assert_status(gm_eval_add(e, &gold, &pred, &err), GM_OK, &err);
        gm_post_clear(&gold);
        gm_post_clear(&pred);
    }
    gm_pairs_free(pairs);
    assert_int_equal(gm_eval_posts(e).posts, BATCH);
    return e;
}

/* "batch mode | TYPE tp n_pred n_gold ... | precision recall f1" */
static void check_line(const struct gm_eval *e, size_t batch, const char *mode, char *line)
{
    char *save, *word = strtok_r(line, " ", &save);
    assert_int_equal(strtoul(word, NULL, 10), batch);
    assert_string_equal(strtok_r(NULL, " ", &save), mode);
    strtok_r(NULL, " ", &save);
    size_t i = 0;
    for (; strcmp(word = strtok_r(NULL, " ", &save), "|") != 0; i++) {
        struct gm_str name;
        assert_true(i < gm_eval_types(e));
        struct gm_score s = gm_eval_type(e, i, &name);
        assert_string_equal(name.p, word);
        assert_int_equal(s.tp, strtoul(strtok_r(NULL, " ", &save), NULL, 10));
        assert_int_equal(s.n_pred, strtoul(strtok_r(NULL, " ", &save), NULL, 10));
        assert_int_equal(s.n_gold, strtoul(strtok_r(NULL, " ", &save), NULL, 10));
    }
    assert_int_equal(i, gm_eval_types(e));
    struct gm_score all = gm_eval_total(e);
    const double ours[] = {gm_score_precision(all), gm_score_recall(all), gm_score_f1(all)};
    for (size_t k = 0; k < 3; k++) {
        double theirs = strtod(strtok_r(NULL, " \n", &save), NULL);
        if (fabs(ours[k] - theirs) > 1e-15)
            fail_msg("batch %zu, score %zu: %.17g, seqeval %.17g", batch, k, ours[k], theirs);
    }
}

static void test_seqeval(void **state)
{
    (void)state;
    struct gm_rng r;
    struct gm_buf gold, pred;
    char line[512], gold_path[64];
    FILE *f = fopen("tests/golden/seqeval.txt", "r");
    assert_non_null(f);
    gm_rng_init(&r, SEED);
    gm_buf_init(&gold, 1 << 20);
    gm_buf_init(&pred, 1 << 20);
    for (size_t b = 0; b < BATCHES; b++) {
        gm_buf_reset(&gold);
        gm_buf_reset(&pred);
        for (size_t i = 0; i < BATCH; i++)
            draw_pair(&r, modes[b % MODES].prefixes, &gold, &pred);
        snprintf(gold_path, sizeof gold_path, "%s", temp_file(gold.p));
        const char *pred_path = temp_file(pred.p);
        struct gm_eval *e = evaluate(gold_path, pred_path, b % MODES);
        unlink(gold_path);
        unlink(pred_path);
        assert_non_null(fgets(line, sizeof line, f));
        check_line(e, b, modes[b % MODES].name, line);
        gm_eval_free(e);
    }
    assert_null(fgets(line, sizeof line, f));
    fclose(f);
    gm_buf_clear(&gold);
    gm_buf_clear(&pred);
}

int main(void)
{
    const struct CMUnitTest tests[] = {leak_checked(test_seqeval)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
