/* The public API as a host calls it, with only its header: what is wrong is told, and nothing crashes. */
#include "unit.h"

#include "gmner/gmner.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A recipe without models: entities that come with the post get expressions. */
static const char text[] = "name: x\nstages:\n  - stage: expand\n";
static char recipe[64];

static int setup(void **state)
{
    (void)state;
    snprintf(recipe, sizeof recipe, "/tmp/gm-library-%ld.yaml", (long)getpid());
    FILE *f = fopen(recipe, "w");
    if (!f || fputs(text, f) < 0)
        return -1;
    return fclose(f);
}

static int teardown(void **state)
{
    unlink(recipe);
    return no_leak(state);
}

static void open_both(struct gmner_model **m, struct gmner_session **s)
{
    struct gmner_opts o;
    gmner_opts_init(&o, sizeof o);
    o.recipe = recipe;
    o.threads = 2;
    assert_int_equal(gmner_open(&o, m, NULL), GMNER_OK);
    assert_int_equal(gmner_session_new(*m, s, NULL), GMNER_OK);
}

static void test_version(void **state)
{
    (void)state;
    char want[64];
    snprintf(want, sizeof want, "%d.%d.%d", GMNER_VERSION_MAJOR, GMNER_VERSION_MINOR,
             GMNER_VERSION_PATCH);
    assert_string_equal(gmner_version(), want);
    assert_string_equal(gmner_status_name(GMNER_OK), "ok");
    assert_string_equal(gmner_status_name(GMNER_EMODEL), "model");
    assert_string_equal(gmner_status_name(GMNER_ECLOSED), "closed");
    assert_string_equal(gmner_status_name(-1), "unknown");
    assert_string_equal(gmner_status_name(99), "unknown");
}

static void test_null(void **state)
{
    (void)state;
    struct gmner_error e;
    struct gmner_model *m;
    struct gmner_session *s;
    struct gmner_result *r;
    const char *json;
    char *html;
    open_both(&m, &s);
    assert_int_equal(gmner_open(NULL, NULL, &e), GMNER_EARG);
    assert_non_null(strstr(e.message, "model is NULL"));
    assert_int_equal(gmner_session_new(NULL, &s, &e), GMNER_EARG);
    assert_int_equal(gmner_session_new(m, NULL, NULL), GMNER_EARG);
    assert_int_equal(gmner_predict(NULL, NULL, 0, &r, &e), GMNER_EARG);
    assert_null(r);
    assert_int_equal(gmner_predict(s, NULL, 1, &r, &e), GMNER_EARG);
    assert_int_equal(gmner_predict(s, NULL, 1, NULL, &e), GMNER_EARG);
    assert_int_equal(gmner_predict_json(s, NULL, 1, &r, &e), GMNER_EARG);
    assert_int_equal(gmner_stream_run(s, NULL, &e), GMNER_EARG);
    const struct gmner_stream none = {.struct_size = sizeof none};
    assert_int_equal(gmner_stream_run(s, &none, &e), GMNER_EARG);
    assert_int_equal(gmner_result_count(NULL), 0);
    assert_null(gmner_result_post(NULL, 0));
    assert_null(gmner_result_entity(NULL, 0, 0));
    assert_null(gmner_result_region(NULL, 0, 0, 0));
    assert_int_equal(gmner_result_json(NULL, 0, &json, NULL, &e), GMNER_EARG);
    assert_int_equal(gmner_mask_pixels(NULL, NULL, 0, &e), GMNER_EARG);
    assert_int_equal(gmner_model_usage(NULL, NULL, &e), GMNER_EARG);
    assert_int_equal(gmner_model_usage(m, NULL, &e), GMNER_EARG);
    assert_int_equal(gmner_session_close(NULL, &e), GMNER_EARG);
    assert_int_equal(gmner_html(NULL, &html, NULL, &e), GMNER_EARG);
    assert_null(html);
    gmner_html_free(NULL);
    gmner_cancel(NULL);
    gmner_opts_init(NULL, 8);
    gmner_result_free(NULL);
    gmner_session_free(NULL);
    gmner_close(NULL);
    gmner_session_free(s);
    gmner_close(m);
}

/* Options that can't be, each with a word of its message. */
static void test_options(void **state)
{
    (void)state;
    struct gmner_model *m;
    struct gmner_error e;
    const struct {
        struct gmner_opts o;
        int rc;
        const char *says;
    } bad[] = {
        {{.struct_size = 0}, GMNER_EARG, "struct_size is 0"},
        {{.recipe = "none"}, GMNER_EARG, "no recipe \"none\""},
        {{.recipe = "/no/such.yaml"}, GMNER_EIO, "/no/such.yaml"},
        {{.recipe = "tag", .tagger = "/no/tagger"}, GMNER_EARG, "/no/tagger"},
        {{.recipe = "tag", .home = "/nowhere"}, GMNER_OK, ""}, /* found beside the program */
        {{.recipe = "riveg"}, GMNER_EARG, "asks a language model"},
        {{.recipe = "riveg", .llm_endpoint = ","}, GMNER_EARG, "llm_endpoint"},
        {{.recipe = "riveg", .llm_endpoint = "http://127.0.0.1:1/v1", .llm_key = "a\nb"},
         GMNER_EARG,
         "llm_key"},
        {{.recipe = "tag", .llm_budget = -1}, GMNER_EARG, "llm_budget"},
        {{.recipe = "riveg"}, GMNER_EARG, "give option llm_endpoint"},
        {{.recipe = "tag", .threads = 100000}, GMNER_EARG, "threads"},
        {{.recipe = "tag", .precision = "f16"}, GMNER_EFORMAT, "precision"},
        {{.recipe = "tag", .settings = "/no/settings.yaml"}, GMNER_EIO, "/no/settings.yaml"},
        {{.recipe = "tag", .tagger = "no-such-model"}, GMNER_EARG, "no-such-model"},
        {{.recipe = "tag", .log_level = 9}, GMNER_EARG, "log_level"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gmner_opts o = bad[i].o;
        o.struct_size = i ? sizeof o : 0;
        int rc = gmner_open(&o, &m, &e);
        assert_int_equal(e.status, rc);
        if (rc != bad[i].rc)
            fail_msg("row %zu: %d and not %d: %s", i, rc, bad[i].rc, e.message);
        if (!strstr(e.message, bad[i].says))
            fail_msg("%s does not say %s", e.message, bad[i].says);
        if (strstr(e.message, "--"))
            fail_msg("%s gives advice about an option of the program", e.message);
        assert_true((m == NULL) == (bad[i].rc != GMNER_OK));
        gmner_close(m);
    }
}

/* Callers that were compiled with another header. */
static void test_sizes(void **state)
{
    (void)state;
    struct gmner_model *m;
    struct gmner_session *s;
    struct gmner_result *r;
    struct gmner_error e;
    struct {
        struct gmner_opts o;
        const char *more;
    } newer = {{.struct_size = sizeof newer, .recipe = recipe}, NULL};
    struct gmner_opts older = {.struct_size = offsetof(struct gmner_opts, settings),
                               .recipe = recipe};
    older.tagger = "/what an old caller has behind its structure";
    assert_int_equal(gmner_open(&newer.o, &m, &e), GMNER_OK);
    gmner_close(m);
    newer.more = "set";
    assert_int_equal(gmner_open(&newer.o, &m, &e), GMNER_EARG);
    assert_non_null(strstr(e.message, "does not know"));
    assert_int_equal(gmner_open(&older, &m, &e), GMNER_OK);
    assert_int_equal(gmner_session_new(m, &s, &e), GMNER_OK);
    struct old_post {
        size_t struct_size;
        const char *text;
    } old[2] = {{sizeof *old, "one"}, {sizeof *old, "two"}};
    assert_int_equal(gmner_predict(s, (const struct gmner_post *)(const void *)old, 2, &r, &e), 0);
    assert_string_equal(gmner_result_post(r, 1)->text, "two");
    gmner_result_free(r);
    gmner_session_free(s);
    gmner_close(m);
}

/* The page of a result: its second post, whose picture was given as bytes that are none. */
static void check_page(struct gmner_result *r)
{
    struct gmner_post post = {
        .struct_size = sizeof post, .image_bytes = "no picture", .image_len = 10};
    char *html;
    size_t len;
    assert_int_equal(gmner_result_json(r, 1, &post.json, &post.json_len, NULL), GMNER_OK);
    assert_int_equal(gmner_html(&post, &html, &len, NULL), GMNER_OK);
    assert_int_equal(strlen(html), len);
    assert_non_null(strstr(html, "<article"));
    assert_non_null(strstr(html, "PER"));
    gmner_html_free(html);
}

static void test_posts(void **state)
{
    (void)state;
    struct gmner_model *m;
    struct gmner_session *s;
    struct gmner_result *r;
    const char *words[] = {"Ann", "in", NULL};
    const struct gmner_span spans[] = {{0, 3, "PER"}};
    struct gmner_post p[] = {{.text = "Ann in \xFF"},
                             {.tokens = words, .n_tokens = 2, .entities = spans, .n_entities = 1},
                             {.tokens = words, .n_tokens = 3},
                             {.image = "no-text.jpg"},
                             {.json = "{\"id\": 7, \"text\": \"x\", \"own\": 1}", .json_len = 32},
                             {.json = "[1]", .json_len = 3},
                             {.json = "{\"id\": null, \"text\": \"x\", \"image\": null}",
                              .json_len = 40,
                              .image_bytes = "no picture",
                              .image_len = 10},
                             {.text = "x", .entities = spans, .n_entities = 1},
                             {.text = "x", .n_entities = 1}};
    enum { N = sizeof p / sizeof *p };
    static const char *const stages[N] = {"",      "", "input", "input", "",
                                          "input", "", "input", "input"};
    open_both(&m, &s);
    for (size_t i = 0; i < N; i++)
        p[i].struct_size = sizeof *p;
    assert_int_equal(gmner_predict(s, p, N, &r, NULL), GMNER_OK);
    assert_int_equal(gmner_result_count(r), N);
    for (size_t i = 0; i < N; i++)
        assert_string_equal(gmner_result_post(r, i)->error_stage, stages[i]);
    assert_null(gmner_result_post(r, N));
    assert_string_equal(gmner_result_post(r, 0)->text, "Ann in \xEF\xBF\xBD");
    assert_string_equal(gmner_result_post(r, 0)->id, "1");
    assert_string_equal(gmner_result_post(r, 4)->id, "7");
    const struct gmner_entity *e = gmner_result_entity(r, 1, 0);
    assert_string_equal(e->text, "Ann");
    assert_string_equal(e->type, "PER");
    assert_string_equal(e->source, "input");
    assert_true(e->visible < 0);
    assert_null(gmner_result_entity(r, 1, 1));
    assert_null(gmner_result_region(r, 1, 0, 0));
    gmner_session_free(s);
    gmner_close(m); /* results do not need them */
    const char *json;
    size_t len;
    assert_int_equal(gmner_result_json(r, 4, &json, &len, NULL), GMNER_OK);
    assert_non_null(strstr(json, "\"own\": 1"));
    assert_int_equal(strlen(json), len);
    assert_int_equal(gmner_result_json(r, 6, &json, NULL, NULL), GMNER_OK);
    assert_non_null(strstr(json, "{\"id\": \"7\", \"text\": \"x\", \"image\": \"bytes\""));
    assert_int_equal(gmner_result_json(r, N, &json, &len, NULL), GMNER_EARG);
    assert_null(json);
    assert_int_equal(gmner_result_json(r, GMNER_ALL_POSTS, &json, &len, NULL), GMNER_OK);
    assert_int_equal(json[len - 1], '\n');
    check_page(r);
    gmner_result_free(r);
}

static void test_json(void **state)
{
    (void)state;
    struct gmner_model *m;
    struct gmner_session *s;
    struct gmner_result *r;
    static const struct {
        const char *json;
        size_t n, n_bad;
    } cases[] = {
        {"", 0, 0},
        {"  \n\n", 0, 0},
        {"{\"text\": \"a\"}", 1, 0},
        {"{\n \"text\": \"a\"\n}\n", 1, 0},
        {"{\"text\": \"a\"}\n\n{\"text\": \"b\"}\r\n", 2, 0},
        {"{\"text\": \"a\"}\n{\n{\"text\": 1}", 3, 2},
        {"[{\"text\": \"a\"}, {\"text\": \"b\"}, 3]", 3, 1},
        {"[]", 0, 0},
        {"{\"entities\": [{\"type\": \"PER\", \"start\": 0, \"end\": 1}\n], \"text\": \"a\"}", 1,
         0},
        {"{\"own\": {}\n, \"text\": \"a\"}\n", 1, 0},
        {"nothing\n{\"text\": \"a\"}\n[1]", 3, 2},
        {"{\"text\": 1}", 1, 1}};
    static const struct {
        const char *json, *says;
    } refused[] = {{"[{", "1:"},
                   {"nothing", "line 1: 1:"},
                   {"\n\n \"a\"\n7", "line 1: expected an object, found a string"},
                   {"{\"text\": \"a\"} x", "line 1: 1:"},
                   {"{\n\"text\": }", "line 1: "},
                   {"[1, 2]", "none of the array's 2 elements"},
                   {"[] x", "1:"}};
    struct gmner_error e;
    open_both(&m, &s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n_bad = 0;
        assert_int_equal(gmner_predict_json(s, cases[i].json, strlen(cases[i].json), &r, NULL), 0);
        assert_int_equal(gmner_result_count(r), cases[i].n);
        for (size_t k = 0; k < cases[i].n; k++)
            n_bad += gmner_result_post(r, k)->error_stage[0] != 0;
        assert_int_equal(n_bad, cases[i].n_bad);
        gmner_result_free(r);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *json = refused[i].json;
        assert_int_equal(gmner_predict_json(s, json, strlen(json), &r, &e), GMNER_EFORMAT);
        assert_null(r);
        if (!strstr(e.message, refused[i].says))
            fail_msg("%s does not say %s", e.message, refused[i].says);
    }
    gmner_session_free(s);
    gmner_close(m);
}

static void test_closed(void **state)
{
    (void)state;
    struct gmner_model *m;
    struct gmner_session *s;
    struct gmner_result *r;
    struct gmner_error e;
    const struct gmner_post p = {.struct_size = sizeof p, .text = "x"};
    open_both(&m, &s);
    gmner_close(m); /* the session keeps it */
    assert_int_equal(gmner_predict(s, &p, 1, &r, &e), GMNER_OK);
    gmner_result_free(r);
    assert_int_equal(gmner_session_close(s, &e), GMNER_OK);
    assert_int_equal(gmner_session_close(s, &e), GMNER_OK);
    assert_int_equal(gmner_predict(s, &p, 1, &r, &e), GMNER_ECLOSED);
    assert_null(r);
    assert_non_null(strstr(e.message, "closed"));
    gmner_cancel(s);
    gmner_session_free(s);
}

/* ---- streams ---- */

struct host {
    struct gmner_session *session;
    size_t n, given, taken, later, stop_after;
    int next_says, put_says, busy;
};

static int next(void *user, struct gmner_post *post)
{
    struct host *h = user;
    if (h->next_says)
        return h->next_says;
    if (h->given == h->n)
        return GMNER_NEXT_END;
    if (h->later++ % 3 == 0)
        return GMNER_NEXT_LATER;
    h->given++;
    post->text = h->given % 10 == 3 ? NULL : "Ann";
    return GMNER_NEXT_POST;
}

static int put(void *user, struct gmner_result *r)
{
    struct host *h = user;
    char id[32];
    struct gmner_result *other;
    snprintf(id, sizeof id, "%zu", ++h->taken);
    assert_int_equal(gmner_result_count(r), 1);
    assert_string_equal(gmner_result_post(r, 0)->id, id);
    assert_string_equal(gmner_result_post(r, 0)->error_stage, h->taken % 10 == 3 ? "input" : "");
    if (h->taken == 1)
        h->busy = gmner_predict(h->session, NULL, 0, &other, NULL);
    if (h->stop_after && h->taken == h->stop_after)
        gmner_cancel(h->session);
    gmner_result_free(r);
    return h->put_says;
}

static int stop(void *user) { return ((struct host *)user)->next_says == GMNER_NEXT_LATER; }

static void test_streams(void **state)
{
    (void)state;
    struct gmner_model *m;
    struct gmner_session *s;
    open_both(&m, &s);
    const struct {
        struct host h;
        int rc;
        size_t least, most;
    } cases[] = {{{.n = 300}, GMNER_OK, 300, 300},
                 {{.n = 0}, GMNER_OK, 0, 0},
                 {{.n = 300, .stop_after = 1}, GMNER_ECANCEL, 1, 299},
                 {{.n = 300, .put_says = -1}, GMNER_ECANCEL, 1, 1},
                 {{.n = 300, .next_says = -1}, GMNER_ECANCEL, 0, 0},
                 {{.n = 300, .next_says = GMNER_NEXT_LATER}, GMNER_ECANCEL, 0, 0},
                 {{.n = 20}, GMNER_OK, 20, 20}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct host h = cases[i].h;
        h.session = s;
        const struct gmner_stream stream = {
            .struct_size = sizeof stream, .user = &h, .next = next, .put = put, .stop = stop};
        assert_int_equal(gmner_stream_run(s, &stream, NULL), cases[i].rc);
        assert_in_range(h.taken, cases[i].least, cases[i].most);
        assert_int_equal(h.busy, h.taken ? GMNER_EBUSY : 0);
    }
    gmner_session_free(s);
    gmner_close(m);
}

/* Memory that runs out: an error, nothing lost, and the session goes on. */
static void test_no_memory(void **state)
{
    (void)state;
    struct gmner_model *m;
    struct gmner_session *s;
    struct gmner_result *r;
    const struct gmner_post p[] = {{.struct_size = sizeof *p, .text = "Ann"},
                                   {.struct_size = sizeof *p, .text = "x"}};
    const struct gmner_opts o = {.struct_size = sizeof o, .recipe = recipe};
    for (size_t i = 1, done = 0; !done; i++) {
        size_t live = gm_alloc_live();
        gm_alloc_fail_at(i);
        int rc = gmner_open(&o, &m, NULL);
        done = rc == GMNER_OK;
        assert_true(done || rc == GMNER_ENOMEM);
        gm_alloc_fail_at(0);
        gmner_close(m);
        assert_int_equal(gm_alloc_live(), live);
    }
    open_both(&m, &s);
    for (size_t i = 1, done = 0; !done; i++) {
        size_t live = gm_alloc_live();
        gm_alloc_fail_at(i);
        int rc = gmner_predict(s, p, 2, &r, NULL);
        done = gm_alloc_live() >= live && rc == GMNER_OK && i > 200;
        assert_true(rc == GMNER_OK || rc == GMNER_ENOMEM);
        gm_alloc_fail_at(0);
        gmner_result_free(r);
    }
    gmner_session_free(s);
    gmner_close(m);
}

/* ---- many threads ---- */

static void *many_calls(void *arg)
{
    struct gmner_model *m = arg;
    struct gmner_session *s;
    struct gmner_result *r;
    const char *json;
    const struct gmner_post p = {.struct_size = sizeof p, .text = "Ann"};
    bool ok = gmner_session_new(m, &s, NULL) == GMNER_OK;
    for (int i = 0; i < 50 && ok; i++) {
        ok = gmner_predict(s, &p, 1, &r, NULL) == GMNER_OK &&
             gmner_result_json(r, 0, &json, NULL, NULL) == GMNER_OK && strstr(json, "Ann");
        gmner_result_free(r);
    }
    gmner_session_free(s);
    return ok ? m : NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct gmner_model *m;
    struct gmner_session *s;
    pthread_t threads[4];
    void *ok;
    open_both(&m, &s);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_calls, m), 0);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], &ok);
        assert_ptr_equal(ok, m);
    }
    gmner_session_free(s);
    gmner_close(m);
}

int main(void)
{
    setenv("GMNER_HOME", ".", 0); /* tests run in the root of the sources */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version), cmocka_unit_test(test_null),
        cmocka_unit_test(test_options), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_posts),   cmocka_unit_test(test_json),
        cmocka_unit_test(test_closed),  cmocka_unit_test(test_streams),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
