/* The stream of posts: order, bad lines between good ones, errors that end it, memory that runs
 * out. */
#include "unit.h"

#include "base/file.h"
#include "pipeline/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { N_POSTS = 150, BAD_EVERY = 10 };

static char recipe[64], posts[64];

static int setup(void **state)
{
    struct gm_buf b;
    (void)state;
    snprintf(recipe, sizeof recipe, "/tmp/gm-stream-%ld.yaml", (long)getpid());
    snprintf(posts, sizeof posts, "/tmp/gm-stream-%ld.jsonl", (long)getpid());
    gm_buf_init(&b, 1 << 20);
    enum gm_status st =
        gm_file_write(recipe, GM_STR("name: x\nstages:\n  - stage: expand\n"), NULL);
    for (int i = 0; i < N_POSTS && st == GM_OK; i++)
        st = i % BAD_EVERY == 3 ? gm_buf_add_c(&b, "{\n", NULL)
                                : gm_buf_printf(&b, NULL, "{\"id\": \"%d\", \"text\": \"t\"}\n", i);
    if (st == GM_OK)
        st = gm_file_write(posts, gm_buf_str(&b), NULL);
    gm_buf_clear(&b);
    return st == GM_OK ? 0 : -1;
}

static int teardown(void **state)
{
    unlink(recipe);
    unlink(posts);
    return no_leak(state);
}

struct seen {
    long long last;
    size_t n, n_unreadable, stop_after; /* stop_after 0 = never */
};

static enum gm_status on_post(void *user, struct gm_post *post, struct gm_error *err)
{
    struct seen *s = user;
    long long id;
    if (!gm_str_to_int(post->id, &id) || id <= s->last)
        return GM_FAIL(err, GM_ESHAPE, "out of order");
    s->last = id;
    s->n++;
    return s->stop_after && s->n == s->stop_after ? GM_FAIL(err, GM_ECANCEL, "enough") : GM_OK;
}

static enum gm_status on_unreadable(void *user, const struct gm_error *e, struct gm_error *err)
{
    struct seen *s = user;
    (void)err;
    s->n_unreadable += strstr(e->msg, posts) != NULL;
    return e->code == GM_ENOMEM ? e->code : GM_OK;
}

static enum gm_status stream(struct seen *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_pipeline *p = NULL;
    struct gm_reader *reader = NULL;
    const struct gm_pipeline_opts opts = {.recipe = recipe};
    const struct gm_stream_sink sink = {.user = s, .post = on_post, .unreadable = on_unreadable};
    s->last = -1;
    GM_TRY(gm_pipeline_open(&p, &opts, err));
    GM_TRY(gm_reader_open(&reader, posts, NULL, err));
    GM_TRY(gm_pipeline_stream(p, reader, &sink, err));
done:
    gm_reader_free(reader);
    gm_pipeline_free(p);
    return st;
}

static void test_order(void **state)
{
    (void)state;
    struct seen s = {0};
    struct gm_error err = {0};
    assert_int_equal(stream(&s, &err), GM_OK);
    assert_int_equal(s.n, N_POSTS - N_POSTS / BAD_EVERY);
    assert_int_equal(s.n_unreadable, N_POSTS / BAD_EVERY);
    assert_int_equal(gm_alloc_live(), 0);
}

static void test_stop(void **state)
{
    (void)state;
    struct seen s = {.stop_after = 70};
    struct gm_error err = {0};
    assert_int_equal(stream(&s, &err), GM_ECANCEL);
    assert_string_equal(err.msg, "enough");
    assert_int_equal(s.n, 70);
    assert_int_equal(gm_alloc_live(), 0);
}

/* Every allocation failing in turn: an error or a full run, never a leak. Past the last
 * allocation all runs are full; one full run alone may be a failure that did no harm. */
static void test_no_memory(void **state)
{
    (void)state;
    size_t n_complete = 0, n_failed = 0;
    for (size_t nth = 1; n_complete < 5; nth++) {
        struct seen s = {0};
        gm_alloc_fail_at(nth);
        enum gm_status st = stream(&s, NULL);
        bool complete = st == GM_OK && s.n + s.n_unreadable == N_POSTS;
        n_complete = complete ? n_complete + 1 : 0;
        n_failed += !complete;
        gm_alloc_fail_at(0);
        assert_true(st == GM_OK || st == GM_ENOMEM);
        assert_int_equal(gm_alloc_live(), 0);
        assert_true(nth < 100000);
    }
    assert_true(n_failed > 8);
}

static void test_override(void **state)
{
    (void)state;
    struct gm_pipeline *p;
    struct gm_error err = {0};
    struct gm_pipeline_opts opts = {.recipe = recipe, .tagger = "/tmp"};
    assert_int_equal(gm_pipeline_open(&p, &opts, &err), GM_EARG);
    assert_string_equal(err.msg, "recipe x has no tag stage that a tagger could be for");
    opts.tagger = "/no/such/folder";
    assert_int_equal(gm_pipeline_open(&p, &opts, &err), GM_EARG);
    assert_non_null(strstr(err.msg, "/no/such/folder: no such model folder"));
    assert_null(p);
}

/* Posts that come one by one from a program: two, a pause, and the rest. */
struct given {
    int event;
    long long n, n_waits;
    struct seen seen;
};

static enum gm_status next_post(void *user, struct gm_post *post, bool *has, gm_wait_fn *wait,
                                void *wait_user, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct given *g = user;
    if (g->n == 2 && ++g->n_waits == 1) {
        /* what was given comes to its end while the next one is waited for */
        const uint64_t one = 1;
        assert_int_equal(write(g->event, &one, sizeof one), sizeof one);
        GM_TRY(wait(wait_user, g->event, err));
    }
    *has = g->n < N_POSTS;
    if (!*has)
        return GM_OK;
    gm_post_init(post);
    post->text = GM_STR("t");
    post->id = gm_arena_printf(&post->arena, "%lld", g->n++);
done:
    return st;
}

static enum gm_status on_given(void *user, struct gm_post *post, struct gm_error *err)
{
    return on_post(&((struct given *)user)->seen, post, err);
}

static void test_source(void **state)
{
    (void)state;
    struct gm_pipeline *p;
    const struct gm_pipeline_opts opts = {.recipe = recipe};
    struct given g = {.event = eventfd(0, EFD_CLOEXEC), .seen = {.last = -1}};
    const struct gm_post_source source = {&g, next_post, 0, 0};
    const struct gm_stream_sink sink = {.user = &g, .post = on_given, .any_order = true};
    assert_int_equal(gm_pipeline_open(&p, &opts, NULL), GM_OK);
    assert_int_equal(gm_pipeline_serve(p, &source, &sink, NULL), GM_OK);
    assert_int_equal(g.seen.n, N_POSTS);
    assert_int_equal(g.n_waits, 1);
    gm_pipeline_free(p);
    close(g.event);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    setenv("GMNER_HOME", ".", 0); /* tests run in the root of the sources */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),     cmocka_unit_test(test_stop),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_override),
        cmocka_unit_test(test_source),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
