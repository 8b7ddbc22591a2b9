/* Kept vectors: what goes in comes out bit for bit, under its encoder alone; damage, other writers, places that
 * can't be written. */
#include "unit.h"

#include "base/file.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/store.h"
#include "similar/vector_cache.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DIM = 5, N = 40 };

static char path[64];
static struct gm_str contents[N];
static float vectors[N][DIM];

static void remove_file(void)
{
    char file[80];
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%s%s", path, ends[i]);
        unlink(file);
    }
}

static int setup(void **state)
{
    static char texts[N][16];
    (void)state;
    snprintf(path, sizeof path, "/tmp/gm-vectors-%ld.sqlite", (long)getpid());
    remove_file();
    for (size_t i = 0; i < N; i++) {
        snprintf(texts[i], sizeof texts[i], "text %zu", i);
        contents[i] = gm_str(texts[i]);
        for (size_t k = 0; k < DIM; k++)
            vectors[i][k] = 1 / (1 + (float)(i * DIM + k));
    }
    return 0;
}

static int teardown(void **state)
{
    remove_file();
    return no_leak(state);
}

static struct gm_vector_cache *open_as(const char *encoder, size_t dim)
{
    struct gm_vector_cache *c;
    assert_int_equal(gm_vector_cache_open(&c, path, gm_str(encoder), dim, NULL), GM_OK);
    return c;
}

static size_t count_found(struct gm_vector_cache *c, size_t n)
{
    float out[N][DIM];
    bool found[N];
    size_t n_found = 0;
    gm_vector_cache_get(c, contents, n, out[0], found);
    for (size_t i = 0; i < n; i++) {
        n_found += found[i];
        if (found[i])
            assert_memory_equal(out[i], vectors[i], sizeof out[i]);
    }
    return n_found;
}

static void put_first(struct gm_vector_cache *c, size_t n)
{
    const bool known[N] = {false};
    gm_vector_cache_put(c, contents, n, vectors[0], known);
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    struct gm_vector_cache *c = open_as("a", DIM);
    assert_int_equal(count_found(c, N), 0);
    put_first(c, 10);
    assert_int_equal(count_found(c, N), 10);
    gm_vector_cache_close(c);
    c = open_as("a", DIM); /* another process */
    assert_int_equal(count_found(c, N), 10);
    gm_vector_cache_close(c);
    c = open_as("b", DIM); /* another encoder */
    assert_int_equal(count_found(c, N), 0);
    gm_vector_cache_close(c);
    c = open_as("a", DIM - 1);
    assert_int_equal(count_found(c, N), 0);
    gm_vector_cache_close(c);
}

/* ---- what is missing is made ---- */

struct asked {
    size_t n, from;
};

static enum gm_status embed(void *user, const size_t *at, size_t n_at, float *fresh,
                            struct gm_error *err)
{
    struct asked *a = user;
    (void)err;
    a->n += n_at;
    a->from = at[0];
    for (size_t i = 0; i < n_at; i++)
        memcpy(fresh + i * DIM, vectors[at[i]], sizeof vectors[0]);
    return GM_OK;
}

static void only_what_is_missing_is_made(void **state)
{
    (void)state;
    float out[N][DIM];
    struct asked asked = {0};
    struct gm_vector_cache *c = open_as("a", DIM);
    put_first(c, 15);
    for (int time = 0; time < 2; time++) {
        memset(out, 0, sizeof out);
        assert_int_equal(gm_vector_cache_embed(c, contents, N, DIM, out[0], embed, &asked, NULL),
                         GM_OK);
        assert_memory_equal(out, vectors, sizeof out);
        assert_int_equal(asked.n, N - 15); /* the second time nothing */
        assert_int_equal(asked.from, 15);
    }
    gm_vector_cache_close(c);
    asked.n = 0;
    assert_int_equal(gm_vector_cache_embed(NULL, contents, N, DIM, out[0], embed, &asked, NULL),
                     GM_OK);
    assert_int_equal(asked.n, N);
}

/* ---- damage ---- */

static void run_sql(const char *sql)
{
    struct gm_store *s;
    assert_int_equal(gm_store_open(&s, path, "", 1, NULL), GM_OK);
    assert_int_equal(gm_store_exec(s, sql, NULL), GM_OK);
    gm_store_close(s);
}

static void damaged_vectors_are_not_there(void **state)
{
    (void)state;
    struct gm_vector_cache *c = open_as("a", DIM);
    put_first(c, 3);
    assert_int_equal(count_found(c, 3), 3);
    run_sql("UPDATE vector SET value = CAST(x'07' || substr(value, 2) AS BLOB) WHERE rowid = 1;"
            "UPDATE vector SET value = substr(value, 1, 10) WHERE rowid = 2");
    assert_int_equal(count_found(c, 3), 1);
    put_first(c, 3); /* made anew */
    assert_int_equal(count_found(c, 3), 3);
    gm_vector_cache_close(c);
}

static void no_file_no_cache(void **state)
{
    (void)state;
    struct gm_vector_cache *c;
    const char junk[8192] = "this is no database";
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(junk, 1, sizeof junk, f), sizeof junk);
    assert_int_equal(fclose(f), 0);
    gm_log_setup(GM_LOG_TEXT, GM_LOG_ERROR);
    c = open_as("a", DIM);
    assert_null(c);
    assert_int_equal(gm_vector_cache_open(&c, "/proc/nowhere/v.sqlite", gm_str("a"), DIM, NULL),
                     GM_OK);
    assert_null(c);
    assert_int_equal(gm_vector_cache_open(&c, NULL, gm_str("a"), DIM, NULL), GM_OK);
    assert_null(c);
    gm_log_setup(GM_LOG_TEXT, GM_LOG_WARN);
    assert_int_equal(count_found(NULL, 3), 0);
    put_first(NULL, 3);
    gm_vector_cache_close(NULL);
}

/* ---- several writers ---- */

struct writer {
    struct gm_vector_cache *c;
    size_t from;
};

static void *write_some(void *user)
{
    struct writer *w = user;
    const bool known[N] = {false};
    for (size_t i = w->from; i < N; i += 2)
        gm_vector_cache_put(w->c, contents + i, 1, vectors[i], known);
    gm_vector_cache_put(w->c, contents, N, vectors[0], known); /* both all */
    return NULL;
}

static void two_writers(void **state)
{
    (void)state;
    struct writer w[2] = {{open_as("a", DIM), 0}, {open_as("a", DIM), 1}};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(gm_thread_start(&threads[i], 1, write_some, &w[i], NULL), GM_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(count_found(w[i].c, N), N);
        gm_vector_cache_close(w[i].c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_goes_in_comes_out, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_is_missing_is_made, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_vectors_are_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(no_file_no_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(two_writers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
