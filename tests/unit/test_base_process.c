/* Log lines, progress, random numbers, checksums, the thread budget. */

#include "unit.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "base/utf8.h"

#include <math.h>
#include <omp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- log and progress, through a sink ---- */

static char logged[4096];
static enum gm_log_level logged_level;
static size_t n_logged;

static void sink(void *user, enum gm_log_level level, const char *line)
{
    assert_ptr_equal(user, logged);
    snprintf(logged, sizeof logged, "%s", line);
    logged_level = level;
    n_logged++;
}

static int log_setup(void **state)
{
    (void)state;
    gm_log_setup(GM_LOG_TEXT, GM_LOG_INFO);
    gm_log_sink(sink, logged);
    n_logged = 0;
    return 0;
}

static int log_teardown(void **state)
{
    gm_log_setup(GM_LOG_TEXT, GM_LOG_INFO);
    gm_log_sink(NULL, NULL);
    return no_leak(state);
}

static void log_text(void **state)
{
    (void)state;
    GM_LOG(GM_LOG_INFO, "train", "epoch=%d loss=%.2f", 1, 0.5);
    assert_string_equal(logged, "gmner: train: epoch=1 loss=0.50");
    GM_LOG(GM_LOG_WARN, "train", "careful");
    assert_string_equal(logged, "gmner: warning: careful");
    GM_LOG(GM_LOG_ERROR, "cli", "f.txt:3: bad");
    assert_string_equal(logged, "gmner: error: f.txt:3: bad");
    assert_int_equal(logged_level, GM_LOG_ERROR);
    assert_int_equal(n_logged, 3);
    GM_LOG(GM_LOG_DEBUG, "train", "not shown");
    assert_int_equal(n_logged, 3);
    gm_log_setup(GM_LOG_TEXT, GM_LOG_DEBUG);
    GM_LOG(GM_LOG_DEBUG, "train", "shown");
    assert_int_equal(n_logged, 4);
    gm_log_setup(GM_LOG_TEXT, GM_LOG_ERROR);
    GM_LOG(GM_LOG_WARN, "train", "not shown");
    assert_int_equal(n_logged, 4);
    assert_false(gm_log_is_terminal());
}

/* One event is one line, whatever was in it. */
static void log_is_one_line(void **state)
{
    char text[5000];
    (void)state;
    GM_LOG(GM_LOG_INFO, "m", "a\nb\r\x1b[2J");
    assert_string_equal(logged, "gmner: m: a b  [2J");
    for (size_t pad = 0; pad < 3; pad++) {
        memset(text, 'x', pad);
        for (size_t i = pad; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 4);
        gm_log_setup(pad ? GM_LOG_JSON : GM_LOG_TEXT, GM_LOG_INFO);
        GM_LOG(GM_LOG_INFO, "m", "%s", text);
        assert_true(gm_utf8_is_valid(gm_str(logged)));
        assert_true(strlen(logged) > 1900);
    }
}

static void log_json(void **state)
{
    struct gm_json *j;
    struct gm_str s;
    (void)state;
    gm_log_setup(GM_LOG_JSON, GM_LOG_INFO);
    assert_int_equal(gm_log_format(), GM_LOG_JSON);
    GM_LOG(GM_LOG_WARN, "train", "say \"hi\"\n\xC3\xA9 %d%%", 7);
    assert_null(strchr(logged, '\n'));
    assert_int_equal(gm_json_parse(&j, gm_str(logged), NULL), GM_OK);
    assert_int_equal(gm_json_count(j), 4);
    assert_true(gm_json_str(gm_json_get(j, "level"), &s) && gm_str_eq_c(s, "warning"));
    assert_true(gm_json_str(gm_json_get(j, "module"), &s) && gm_str_eq_c(s, "train"));
    assert_true(gm_json_str(gm_json_get(j, "msg"), &s) && gm_str_starts(s, GM_STR("say \"hi\"")));
    assert_true(gm_str_ends(s, GM_STR("\xC3\xA9 7%")));
    assert_true(gm_json_str(gm_json_get(j, "time"), &s));
    assert_int_equal(s.n, strlen("2026-01-31T12:34:56Z"));
    assert_true(s.p[4] == '-' && s.p[10] == 'T' && s.p[19] == 'Z');
    gm_json_free(j);
}

static double number(const struct gm_json *j, const char *key)
{
    double x = -1;
    assert_true(gm_json_num(gm_json_get(j, key), &x));
    return x;
}

static void log_fields(void **state)
{
    const struct gm_log_field f[] = {{"n", 12}, {"loss", 0.125}, {"cost", 1.0 / 3}, {"bad", NAN}};
    struct gm_json *j;
    (void)state;
    gm_log_fields(GM_LOG_INFO, "m", "event", f, 4);
    assert_string_equal(logged, "gmner: m: event: n=12 loss=0.125 cost=0.333333 bad=null");
    gm_log_setup(GM_LOG_JSON, GM_LOG_INFO);
    gm_log_fields(GM_LOG_INFO, "m", "event", f, 4);
    assert_int_equal(gm_json_parse(&j, gm_str(logged), NULL), GM_OK);
    assert_int_equal(gm_json_count(j), 8);
    assert_true(number(j, "n") == 12 && number(j, "loss") == 0.125);
    assert_int_equal(gm_json_kind(gm_json_get(j, "bad")), GM_JSON_NULL);
    gm_json_free(j);
}

static void progress_lines(void **state)
{
    const struct gm_log_field loss = {"loss", 0.5};
    struct gm_progress p;
    struct gm_json *j;
    (void)state;
    gm_progress_init(&p, "epoch 1/6", 200, "posts");
    assert_false(gm_progress_due(&p));
    gm_progress_update(&p, 1, NULL, 0);
    assert_int_equal(n_logged, 0); /* at most a line every five seconds */
    p.start_s -= 8;
    p.shown_s -= 8;
    gm_progress_update(&p, 100, &loss, 1);
    assert_int_equal(n_logged, 1);
    assert_true(gm_str_starts(gm_str(logged),
                              GM_STR("gmner: progress: epoch 1/6: posts=100 total=200 per_s=12.")));
    assert_non_null(strstr(logged, " loss=0.5"));
    gm_progress_update(&p, 101, NULL, 0);
    assert_int_equal(n_logged, 1);
    gm_log_setup(GM_LOG_JSON, GM_LOG_INFO);
    p.shown_s -= 10;
    gm_progress_update(&p, 300, &loss, 1); /* more than there were */
    assert_int_equal(n_logged, 2);
    assert_int_equal(gm_json_parse(&j, gm_str(logged), NULL), GM_OK);
    assert_true(number(j, "posts") == 300 && number(j, "total") == 200 && number(j, "eta_s") == 0);
    assert_true(number(j, "per_s") > 1 && number(j, "loss") == 0.5);
    gm_json_free(j);
    gm_log_setup(GM_LOG_TEXT, GM_LOG_INFO);
    gm_progress_end(&p);
    gm_progress_init(&p, "reading", 0, "posts"); /* of unknown length */
    p.start_s -= 10;
    p.shown_s -= 10;
    gm_progress_update(&p, 0, NULL, 0);
    assert_string_equal(logged, "gmner: progress: reading: posts=0 per_s=0");
    double before = gm_clock_s();
    assert_true(gm_clock_s() >= before);
}

/* ---- random numbers ---- */

/* The reference in a few lines of Python: splitmix64 of the seed, then xoshiro256**. */
static void rng_reference(void **state)
{
    static const uint64_t seed_0[] = {0x99ec5f36cb75f2b4u, 0xbf6e1f784956452au,
                                      0x1a5f849d4933e6e0u};
    struct gm_rng r, same;
    (void)state;
    gm_rng_init(&r, 0);
    gm_rng_init(&same, 0);
    for (size_t i = 0; i < 3; i++) {
        uint64_t x = gm_rng_u64(&r);
        assert_true(x == seed_0[i] && x == gm_rng_u64(&same));
    }
    gm_rng_init(&same, 1);
    assert_true(gm_rng_u64(&same) != seed_0[0]);
    assert_true(gm_hash64(0) == 0xe220a8397b1dcdafu); /* first output of splitmix64 with seed 0 */
}

static void rng_distributions(void **state)
{
    enum { N = 200000 };
    struct gm_rng r;
    size_t count[7] = {0};
    double sum = 0, squares = 0, mean = 0;
    (void)state;
    gm_rng_init(&r, 5);
    for (size_t i = 0; i < N; i++) {
        count[gm_rng_below(&r, 7)]++;
        double u = gm_rng_uniform(&r), z = gm_rng_normal(&r);
        assert_true(u >= 0 && u < 1 && isfinite(z));
        mean += u;
        sum += z;
        squares += z * z;
    }
    for (size_t k = 0; k < 7; k++)
        assert_true(fabs((double)count[k] - N / 7.0) < 5 * sqrt(N / 7.0));
    assert_true(fabs(mean / N - 0.5) < 0.005);
    assert_true(fabs(sum / N) < 0.02 && fabs(squares / N - 1) < 0.03);
    assert_int_equal(gm_rng_below(&r, 1), 0);
}

static void rng_shuffle(void **state)
{
    size_t items[100], first[3] = {0};
    struct gm_rng r;
    (void)state;
    gm_rng_init(&r, 6);
    for (size_t round = 0; round < 3000; round++) {
        for (size_t i = 0; i < 100; i++)
            items[i] = i;
        gm_rng_shuffle(&r, items, round % 2 ? 3 : 100);
        size_t seen[100] = {0};
        for (size_t i = 0; i < 100; i++)
            seen[items[i]]++;
        for (size_t i = 0; i < 100; i++)
            assert_int_equal(seen[i], 1);
        if (round % 2)
            first[items[0]]++;
    }
    for (size_t k = 0; k < 3; k++)
        assert_true(first[k] > 400 && first[k] < 600);
    gm_rng_shuffle(&r, items, 0);
}

/* ---- SHA-256: the examples of FIPS 180-4 ---- */

static void sha256_vectors(void **state)
{
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[GM_SHA256_HEX], path[] = "/tmp/gm_test_sha_XXXXXX";
    struct gm_error err;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gm_sha256(gm_str(cases[i].text), hex);
        assert_string_equal(hex, cases[i].hex);
    }
    char *million = gm_alloc(1000000, 1);
    memset(million, 'a', 1000000);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(gm_sha256_file(path, hex, &err), GM_OK); /* an empty file has a digest too */
    assert_string_equal(hex, cases[0].hex);
    assert_int_equal(gm_file_write(path, (struct gm_str){million, 1000000}, NULL), GM_OK);
    assert_int_equal(gm_sha256_file(path, hex, &err), GM_OK);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    gm_free(million);
    remove(path);
    assert_int_equal(gm_sha256_file(path, hex, &err), GM_EIO);
}

/* ---- threads ---- */

static void mark(void *ctx, size_t i) { ((unsigned char *)ctx)[i]++; }

struct tasks {
    atomic_int done[1000], busy[3];
};

static void task(void *ctx, size_t lane, size_t i)
{
    struct tasks *t = ctx;
    assert_true(lane < 3);
    assert_int_equal(atomic_fetch_add(&t->busy[lane], 1), 0);
    if (i % 100 == 0)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    atomic_fetch_add(&t->done[i], 1);
    atomic_fetch_sub(&t->busy[lane], 1);
}

/* Every item once, and a lane has one at a time. */
static void parallel_tasks(void **state)
{
    (void)state;
    static struct tasks t;
    size_t before = gm_threads();
    gm_threads_set(5);
    gm_parallel_tasks(1000, 3, task, &t);
    gm_parallel_tasks(0, 3, task, &t);
    gm_parallel_tasks(1, 1, task, &t);
    gm_threads_set(before);
    assert_int_equal(t.done[0], 2);
    for (size_t i = 1; i < 1000; i++)
        assert_int_equal(t.done[i], 1);
}

static void parallel_for(void **state)
{
    enum { N = 10007 };
    static unsigned char done[N];
    (void)state;
    gm_threads_set(3);
    assert_int_equal(gm_threads(), 3);
    gm_parallel_for(N, mark, done);
    gm_parallel_for(1, mark, done);
    gm_parallel_for(0, mark, done);
    assert_int_equal(done[0], 2);
    for (size_t i = 1; i < N; i++)
        assert_int_equal(done[i], 1);
    gm_threads_set(0); /* leaves the default or what was set */
    assert_int_equal(gm_threads(), 3);
    gm_threads_set(5000);
    assert_int_equal(gm_threads(), 1024);
    omp_set_num_threads(5000); /* as OMP_NUM_THREADS may say */
    gm_threads_set(0);
    assert_int_equal(gm_threads(), 1024);
    gm_threads_set(3);
}

/* ---- a thread of our own ---- */

struct own {
    size_t budget;
    atomic_int lanes; /* bit i: lane i has worked */
    bool blocks_int, blocks_segv;
};

static void note_lane(void *ctx, size_t lane, size_t i)
{
    (void)i;
    nanosleep(&(struct timespec){0, 100000}, NULL);
    atomic_fetch_or(&((struct own *)ctx)->lanes, 1 << lane);
}

static void *own_thread(void *arg)
{
    struct own *o = arg;
    sigset_t set;
    o->budget = gm_threads();
    gm_parallel_tasks(50, 8, note_lane, o);
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    o->blocks_int = sigismember(&set, SIGINT) == 1;
    o->blocks_segv = sigismember(&set, SIGSEGV) == 1;
    return o;
}

/* The budget is the new thread's own, and its starter keeps what it had. */
static void thread_budget(void **state)
{
    (void)state;
    size_t before = gm_threads();
    gm_threads_set(4);
    for (size_t budget = 1; budget <= 2; budget++) {
        struct own o = {0};
        void *result;
        pthread_t t;
        struct gm_error err;
        sigset_t set;
        assert_int_equal(gm_thread_start(&t, budget, own_thread, &o, &err), GM_OK);
        assert_int_equal(pthread_join(t, &result), 0);
        assert_ptr_equal(result, &o);
        assert_int_equal(o.budget, budget);
        assert_int_equal(o.lanes & ~((1 << budget) - 1), 0);
        assert_true(o.blocks_int);
        assert_false(o.blocks_segv);
        pthread_sigmask(SIG_BLOCK, NULL, &set);
        assert_int_equal(sigismember(&set, SIGINT), 0);
        assert_int_equal(gm_threads(), 4);
    }
    gm_threads_set(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(log_text, log_setup, log_teardown),
        cmocka_unit_test_setup_teardown(log_is_one_line, log_setup, log_teardown),
        cmocka_unit_test_setup_teardown(log_json, log_setup, log_teardown),
        cmocka_unit_test_setup_teardown(log_fields, log_setup, log_teardown),
        cmocka_unit_test_setup_teardown(progress_lines, log_setup, log_teardown),
        cmocka_unit_test(rng_reference),
        cmocka_unit_test(rng_distributions),
        cmocka_unit_test(rng_shuffle),
        cmocka_unit_test(sha256_vectors),
        cmocka_unit_test(parallel_for),
        cmocka_unit_test(parallel_tasks),
        cmocka_unit_test(thread_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
