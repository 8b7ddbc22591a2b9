/* The client against the scripted server: answers, statuses, limits, budget, cache, drain, keys. */

#include "unit.h"

#include "base/log.h"
#include "base/progress.h"
#include "llm/llm.h"
#include "llm/schema.h"
#include "llm_server/server_process.h"

#include <math.h>
#include <time.h>

static struct gm_json *schema; /* {"n": integer} */

static struct gm_llm_opts quick(void)
{
    struct gm_llm_opts o = gm_llm_opts_default();
    o.backoff_s = 0.02;
    o.backoff_max_s = 0.1;
    o.timeout_s = 5;
    o.dead_s = 0.4;
    o.breaker_rest_s = 0.05;
    return o;
}

static struct gm_llm *open_at(const struct server_process *s, struct gm_llm_opts o)
{
    const char *urls[] = {s->url};
    struct gm_llm *llm = NULL;
    struct gm_error err = {0};
    o.endpoints = urls;
    o.n_endpoints = 1;
    if (gm_llm_new(&llm, &o, &err) != GM_OK)
        fail_msg("%s", err.msg);
    return llm;
}

static uint64_t ask(struct gm_llm_mailbox *box, const char *text, const struct gm_json *with_schema)
{
    struct gm_llm_part part = {.kind = GM_LLM_TEXT, .bytes = gm_str(text)};
    struct gm_llm_message m = {"user", &part, 1};
    struct gm_llm_request r = {.messages = &m,
                               .n_messages = 1,
                               .temperature = 0,
                               .top_p = -1,
                               .seed = -1,
                               .max_tokens = 20,
                               .schema = with_schema};
    uint64_t id = 0;
    struct gm_error err = {0};
    if (gm_llm_submit(box, &r, &id, &err) != GM_OK)
        fail_msg("%s", err.msg);
    return id;
}

static struct gm_llm_reply wait_one(struct gm_llm_mailbox *box)
{
    struct gm_llm_reply r;
    if (!gm_llm_poll(box, 20000, &r))
        fail_msg("no reply in 20 s");
    return r;
}

/* One request against a server started with `args`; the reply and what the client counted. */
static struct gm_llm_reply once(const char *args, struct gm_llm_opts o, const char *text,
                                const struct gm_json *with_schema, struct gm_llm_stats *stats)
{
    struct server_process s;
    struct gm_llm_mailbox *box;
    assert_int_equal(server_start(&s, args), 0);
    struct gm_llm *llm = open_at(&s, o);
    assert_int_equal(gm_llm_mailbox_new(&box, llm, NULL), GM_OK);
    ask(box, text, with_schema);
    struct gm_llm_reply r = wait_one(box);
    gm_llm_stats(llm, stats);
    gm_llm_mailbox_free(box);
    gm_llm_free(llm);
    server_stop(&s);
    return r;
}

static void plain_answer(void **state)
{
    (void)state;
    struct gm_llm_stats s;
    struct gm_llm_reply r = once("", quick(), "say <<hi \303\251>>", NULL, &s);
    struct gm_str v;
    assert_int_equal(r.st, GM_OK);
    assert_string_equal(r.text.p, "hi \303\251");
    assert_true(gm_json_str(r.value, &v) && gm_str_eq_c(v, "hi \303\251"));
    assert_int_equal(s.sent, 1);
    assert_int_equal(s.answered, 1);
    assert_true(s.prompt_tokens > 0 && r.usage.prompt == s.prompt_tokens);
    gm_llm_reply_clear(&r);
}

static void answer_with_schema(void **state)
{
    (void)state;
    struct gm_llm_stats s;
    long long n = 0;
    struct gm_llm_reply r = once("", quick(), "<<```json {'n': 7,} ```>>", schema, &s);
    assert_int_equal(r.st, GM_OK);
    assert_true(gm_json_int(gm_json_get(r.value, "n"), &n) && n == 7);
    assert_int_equal(r.n_asks, 1);
    gm_llm_reply_clear(&r);
}

/* An answer that never fits is asked for max_asks times; the request doesn't grow. */
static void asks_again(void **state)
{
    (void)state;
    struct gm_llm_stats s;
    struct gm_llm_reply r = once("", quick(), "<<[1, 2]>>", schema, &s);
    assert_int_equal(r.st, GM_EFORMAT);
    assert_false(r.stopped);
    assert_non_null(strstr(r.err.msg, "not of type object"));
    assert_int_equal(s.sent, 3);
    assert_int_equal(s.invalid, 3);
    assert_int_equal(s.reasks, 2);
    assert_int_equal(s.retries, 0);
    assert_true(s.retried_tokens > 0);
    /* the server counts a token each 4 bytes of body: the later ones differ by the seed only */
    assert_true(s.prompt_tokens - 3 * (s.prompt_tokens / 3) < 20);
    gm_llm_reply_clear(&r);
}

/* The second answer fits: the first broke the schema. */
static void second_answer_fits(void **state)
{
    (void)state;
    struct gm_llm_stats s;
    struct gm_llm_reply r =
        once("--fault-first 1 --only schema", quick(), "<<{\\\"n\\\": 1}>>", NULL, &s);
    gm_llm_reply_clear(&r);
    r = once("--fault-first 1 --only schema", quick(), "<<{\"n\": 1}>>", schema, &s);
    assert_int_equal(r.st, GM_OK);
    assert_int_equal(r.n_asks, 2);
    assert_int_equal(s.reasks, 1);
    gm_llm_reply_clear(&r);
}

static void every_fault_once(void **state)
{
    (void)state;
    static const char *const faults[] = {"429_after",   "429_date",     "429",  "500",      "503",
                                         "hang_up",     "hang_up_mid",  "drip", "bad_json", "huge",
                                         "long_length", "short_length", "delay"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char args[80];
        struct gm_llm_stats s;
        struct gm_llm_opts o = quick();
        bool late = strcmp(faults[i], "drip") == 0 || strcmp(faults[i], "delay") == 0;
        o.deadline_s = i == 0 ? 1.9 : 900; /* its two waits are no part of it */
        snprintf(args, sizeof args, "--fault-first 2 --only %s", faults[i]);
        double start = gm_clock_s();
        struct gm_llm_reply r = once(args, o, "<<{\"n\": 1}>>", schema, &s);
        if (r.st != GM_OK)
            fail_msg("%s: %s", faults[i], r.err.msg);
        assert_int_equal(s.sent, late ? 1 : 3);
        assert_int_equal(s.retries, late ? 0 : 2);
        assert_true(strncmp(faults[i], "429_", 4) != 0 || gm_clock_s() - start >= 2);
        gm_llm_reply_clear(&r);
    }
}

static void gives_up(void **state)
{
    (void)state;
    struct gm_llm_stats s;
    struct gm_llm_opts o = quick();
    o.max_tries = 3;
    struct gm_llm_reply r = once("--fault-first 100 --only 500", o, "<<x>>", NULL, &s);
    assert_int_equal(r.st, GM_ENET);
    assert_non_null(strstr(r.err.msg, "gave up after 3 tries"));
    assert_non_null(strstr(r.err.msg, "status 500: broken"));
    assert_int_equal(s.sent, 3);
    gm_llm_reply_clear(&r);
    o.max_tries = 100;
    o.deadline_s = 0.3;
    o.dead_s = 60;
    o.breaker_fails = 1000;
    r = once("--fault-first 1000 --only 500", o, "<<x>>", NULL, &s);
    assert_int_equal(r.st, GM_ENET);
    assert_non_null(strstr(r.err.msg, "deadline"));
    gm_llm_reply_clear(&r);
    o = quick();
    o.timeout_s = 0.1;
    o.max_tries = 1;
    r = once("--fault-first 9 --only delay", o, "<<x>>", NULL, &s);
    assert_int_equal(r.st, GM_ENET);
    gm_llm_reply_clear(&r);
}

static void redirect_is_not_followed(void **state)
{
    (void)state;
    struct gm_llm_stats s;
    struct gm_llm_reply r = once("--fault-first 9 --only redirect", quick(), "<<x>>", NULL, &s);
    assert_int_equal(r.st, GM_EARG);
    assert_true(r.stopped);
    assert_non_null(strstr(r.err.msg, "a redirect, which is not followed"));
    assert_int_equal(s.sent, 1);
    gm_llm_reply_clear(&r);
}

enum { PORT = 32 };

/* A server that isn't there, and the words that start one in its place. */
static void start_and_stop(struct server_process *s, char port[PORT])
{
    assert_int_equal(server_start(s, ""), 0);
    snprintf(port, PORT, "--port %ld", strtol(strrchr(s->url, ':') + 1, NULL, 10));
    server_stop(s);
}

static void expect(struct gm_llm_mailbox *box, size_t n, enum gm_status st)
{
    for (size_t i = 0; i < n; i++) {
        struct gm_llm_reply r = wait_one(box);
        assert_int_equal(r.st, st);
        gm_llm_reply_clear(&r);
    }
}

/* A dead endpoint ends the run once, and not every request by itself; who goes on asks it again. */
static void dead_endpoint(void **state)
{
    (void)state;
    struct server_process s;
    struct gm_llm_mailbox *box;
    char port[PORT];
    start_and_stop(&s, port);
    struct gm_llm_opts o = quick();
    o.in_flight = 8;
    struct gm_llm *llm = open_at(&s, o);
    assert_int_equal(gm_llm_mailbox_new(&box, llm, NULL), GM_OK);
    for (int i = 0; i < 200; i++)
        ask(box, "<<x>>", NULL);
    for (int i = 0; i < 200; i++) {
        struct gm_llm_reply r = wait_one(box);
        assert_int_equal(r.st, GM_ENET);
        assert_true(r.stopped);
        assert_non_null(strstr(r.err.msg, "no answer for"));
        gm_llm_reply_clear(&r);
    }
    struct gm_llm_stats st;
    gm_llm_stats(llm, &st);
    assert_true(st.sent < 60);
    assert_int_equal(st.failed, 0);
    assert_int_equal(server_start(&s, port), 0);
    ask(box, "<<ok>>", NULL);
    expect(box, 1, GM_ENET);
    gm_llm_go_on(llm);
    ask(box, "<<ok>>", NULL);
    expect(box, 1, GM_OK);
    gm_llm_mailbox_free(box);
    gm_llm_free(llm);
    server_stop(&s);
}

/* One that comes back before it is given up: requests wait for it. */
static void resting_endpoint_comes_back(void **state)
{
    (void)state;
    struct server_process s;
    struct gm_llm_mailbox *box;
    char port[PORT];
    start_and_stop(&s, port);
    struct gm_llm_opts o = quick();
    o.breaker_fails = 2;
    o.dead_s = 60;
    struct gm_llm *llm = open_at(&s, o);
    assert_int_equal(gm_llm_mailbox_new(&box, llm, NULL), GM_OK);
    for (int i = 0; i < 20; i++)
        ask(box, "<<ok>>", NULL);
    nanosleep(&(struct timespec){0, 300000000}, NULL); /* it rests by now */
    assert_int_equal(server_start(&s, port), 0);
    expect(box, 20, GM_OK);
    gm_llm_mailbox_free(box);
    gm_llm_free(llm);
    server_stop(&s);
}

/* One of two endpoints is dead: the other does it all. */
static void other_endpoint_takes_over(void **state)
{
    (void)state;
    struct server_process dead, alive;
    struct gm_llm_mailbox *box;
    struct gm_llm *llm;
    assert_int_equal(server_start(&dead, ""), 0);
    server_stop(&dead);
    assert_int_equal(server_start(&alive, "--latency-ms 5"), 0);
    const char *urls[] = {dead.url, alive.url};
    struct gm_llm_opts o = quick();
    o.endpoints = urls;
    o.n_endpoints = 2;
    o.breaker_fails = 3;
    assert_int_equal(gm_llm_new(&llm, &o, NULL), GM_OK);
    assert_int_equal(gm_llm_mailbox_new(&box, llm, NULL), GM_OK);
    for (int i = 0; i < 300; i++)
        ask(box, "<<ok>>", NULL);
    expect(box, 300, GM_OK);
    gm_llm_mailbox_free(box);
    gm_llm_free(llm);
    server_stop(&alive);
}

static void budget_is_not_passed(void **state)
{
    (void)state;
    struct server_process s;
    struct gm_llm_mailbox *box;
    struct gm_llm_stats st;
    size_t answered = 0, stopped = 0;
    assert_int_equal(server_start(&s, "--latency-ms 2"), 0);
    struct gm_llm_opts o = quick();
    o.price_in = 1e6 / 100; /* a prompt token costs 0.01 */
    o.price_out = 1e6 / 100;
    o.budget = 20;
    struct gm_llm *llm = open_at(&s, o);
    assert_int_equal(gm_llm_mailbox_new(&box, llm, NULL), GM_OK);
    for (int i = 0; i < 500; i++)
        ask(box, "<<0123456789>>", NULL);
    for (int i = 0; i < 500; i++) {
        struct gm_llm_reply r = wait_one(box);
        answered += r.st == GM_OK;
        if (r.st != GM_OK) {
            stopped++;
            assert_int_equal(r.st, GM_ECANCEL);
            assert_true(r.stopped);
            assert_non_null(strstr(r.err.msg, "budget"));
        }
        gm_llm_reply_clear(&r);
    }
    gm_llm_stats(llm, &st);
    assert_true(st.cost <= o.budget);
    assert_true(st.cost > o.budget - 1.5); /* it went as far as a request's bound allows */
    assert_int_equal(answered + stopped, 500);
    assert_true(answered > 20 && stopped > 20);
    gm_llm_mailbox_free(box);
    gm_llm_free(llm);
    server_stop(&s);
}

static void dry_run_sends_nothing(void **state)
{
    (void)state;
    struct gm_llm_stats s;
    struct gm_llm_opts o = quick();
    o.dry_run = true;
    struct gm_llm_reply r = once("", o, "<<0123456789>>", NULL, &s);
    assert_int_equal(r.st, GM_ECANCEL);
    assert_true(r.stopped);
    assert_int_equal(s.sent, 0);
    assert_int_equal(s.dry_requests, 1);
    assert_int_equal(s.dry_prompt_tokens, 16 + 16 + 4); /* the answer's 14 bytes are 4 tokens */
    assert_int_equal(s.dry_completion_tokens, 20);
    gm_llm_reply_clear(&r);
}

static void requests_per_minute(void **state)
{
    (void)state;
    struct server_process s;
    struct gm_llm_mailbox *box;
    assert_int_equal(server_start(&s, ""), 0);
    struct gm_llm_opts o = quick();
    o.requests_per_min = 1200; /* one each 50 ms */
    struct gm_llm *llm = open_at(&s, o);
    assert_int_equal(gm_llm_mailbox_new(&box, llm, NULL), GM_OK);
    double start = gm_clock_s();
    for (int i = 0; i < 12; i++)
        ask(box, "<<x>>", NULL);
    for (int i = 0; i < 12; i++) {
        struct gm_llm_reply r = wait_one(box);
        assert_int_equal(r.st, GM_OK);
        gm_llm_reply_clear(&r);
    }
    assert_true(gm_clock_s() - start >= 11 * 0.05);
    gm_llm_mailbox_free(box);
    gm_llm_free(llm);
    server_stop(&s);
}

/* One after the other, so that all before the last are counted as the server counts them. */
static void tokens_per_minute(void **state)
{
    (void)state;
    struct server_process s;
    struct gm_llm_mailbox *box;
    struct gm_llm_stats st;
    assert_int_equal(server_start(&s, ""), 0);
    struct gm_llm_opts o = quick();
    o.in_flight = 1;
    o.tokens_per_min = 60 * 1000;
    struct gm_llm *llm = open_at(&s, o);
    assert_int_equal(gm_llm_mailbox_new(&box, llm, NULL), GM_OK);
    double start = gm_clock_s();
    for (int i = 0; i < 12; i++) {
        ask(box, "<<0123456789>>", NULL);
        struct gm_llm_reply r = wait_one(box);
        assert_int_equal(r.st, GM_OK);
        gm_llm_reply_clear(&r);
    }
    double took = gm_clock_s() - start;
    gm_llm_stats(llm, &st);
    assert_true(st.prompt_tokens > 12 * 20);
    assert_true(took >= (double)(st.prompt_tokens + st.completion_tokens) / 12 * 11 / 1000);
    gm_llm_mailbox_free(box);
    gm_llm_free(llm);
    server_stop(&s);
}

/* ---- the cache ---- */

struct memory {
    char key[8][65], body[8][2048];
    size_t n, n_get, n_put, n_committed;
};

static enum gm_status memory_get(void *user, const char *key, struct gm_buf *out, bool *found,
                                 struct gm_error *err)
{
    struct memory *m = user;
    m->n_get++;
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->key[i], key) == 0) {
            *found = true;
            return gm_buf_add_c(out, m->body[i], err);
        }
    return GM_OK;
}

static enum gm_status memory_put(void *user, const char *key, struct gm_str reply,
                                 struct gm_error *err)
{
    struct memory *m = user;
    (void)err;
    assert_true(m->n < 8 && reply.n < 2048);
    m->n_put++;
    snprintf(m->key[m->n], 65, "%s", key);
    snprintf(m->body[m->n++], 2048, "%.*s", GM_STR_ARG(reply));
    return GM_OK;
}

static enum gm_status memory_commit(void *user, struct gm_error *err)
{
    struct memory *m = user;
    (void)err;
    m->n_committed = m->n_put;
    return GM_OK;
}

static void answers_are_cached_and_failures_are_not(void **state)
{
    (void)state;
    struct memory m = {0};
    struct gm_llm_stats s;
    struct gm_llm_opts o = quick();
    o.cache = (struct gm_llm_cache){&m, memory_get, memory_put, memory_commit};
    o.model = "m";
    struct gm_llm_reply r = once("--fault-first 1 --only schema", o, "<<{\"n\": 1}>>", schema, &s);
    assert_int_equal(r.st, GM_OK);
    assert_int_equal(r.n_asks, 2);
    assert_int_equal(m.n_put, 1);
    assert_int_equal(m.n_committed, 1);
    gm_llm_reply_clear(&r);
    /* the same again: no server is asked (this one would fail) */
    r = once("--fault-first 99 --only 500", o, "<<{\"n\": 1}>>", schema, &s);
    assert_int_equal(r.st, GM_OK);
    assert_true(r.cached);
    assert_int_equal(s.sent, 0);
    assert_int_equal(s.cached, 1);
    gm_llm_reply_clear(&r);
    r = once("", o, "<<[]>>", schema, &s); /* an answer that never fits is no answer */
    assert_int_equal(r.st, GM_EFORMAT);
    assert_int_equal(m.n_put, 1);
    gm_llm_reply_clear(&r);
}

/* ---- keys ---- */

static size_t n_leaks;

static void look_for_key(void *user, enum gm_log_level level, const char *line)
{
    (void)user;
    (void)level;
    n_leaks += strstr(line, "sk-secret") != NULL;
}

static void key_is_sent_and_never_shown(void **state)
{
    (void)state;
    struct gm_llm_stats s;
    gm_log_sink(look_for_key, NULL);
    setenv("OPENAI_API_KEY", "sk-secret-1", 1);
    struct gm_llm_reply r = once("--key sk-secret-1", quick(), "<<x>>", NULL, &s);
    assert_int_equal(r.st, GM_OK);
    gm_llm_reply_clear(&r);
    setenv("OPENAI_API_KEY", "sk-secret-2", 1);
    r = once("--key sk-secret-1", quick(), "<<x>>", NULL, &s); /* the server repeats the key */
    unsetenv("OPENAI_API_KEY");
    gm_log_sink(NULL, NULL);
    assert_int_equal(r.st, GM_EARG);
    assert_true(r.stopped);
    assert_null(strstr(r.err.msg, "sk-secret"));
    assert_non_null(strstr(r.err.msg, "OPENAI_API_KEY"));
    assert_int_equal(n_leaks, 0);
    gm_llm_reply_clear(&r);
}

/* ---- stopping ---- */

static void drain_finishes_what_is_in_flight(void **state)
{
    (void)state;
    struct server_process s;
    struct gm_llm_mailbox *box;
    size_t ok = 0, stopped = 0;
    assert_int_equal(server_start(&s, "--latency-ms 300"), 0);
    struct gm_llm_opts o = quick();
    o.in_flight = 4;
    struct gm_llm *llm = open_at(&s, o);
    assert_int_equal(gm_llm_mailbox_new(&box, llm, NULL), GM_OK);
    for (int i = 0; i < 20; i++)
        ask(box, "<<x>>", NULL);
    struct gm_llm_stats st;
    do
        gm_llm_stats(llm, &st);
    while (st.in_flight < 4);
    gm_llm_drain(llm, INFINITY);
    for (int i = 0; i < 20; i++) {
        struct gm_llm_reply r = wait_one(box);
        ok += r.st == GM_OK;
        stopped += r.st == GM_ECANCEL && r.stopped;
        gm_llm_reply_clear(&r);
    }
    assert_int_equal(ok, 4);
    assert_int_equal(stopped, 16);
    gm_llm_mailbox_free(box);
    gm_llm_free(llm);
    server_stop(&s);
}

/* In flight and unanswered when the time is over is stopped as well, and counts as nobody's failure. */
static void drain_drops_what_takes_longer(void **state)
{
    (void)state;
    struct server_process s;
    struct gm_llm_mailbox *box;
    assert_int_equal(server_start(&s, "--latency-ms 20000"), 0);
    struct gm_llm_opts o = quick();
    o.in_flight = 4;
    struct gm_llm *llm = open_at(&s, o);
    assert_int_equal(gm_llm_mailbox_new(&box, llm, NULL), GM_OK);
    for (int i = 0; i < 10; i++)
        ask(box, "<<x>>", NULL);
    struct gm_llm_stats st;
    do
        gm_llm_stats(llm, &st);
    while (st.in_flight < 4);
    double start = gm_clock_s();
    gm_llm_drain(llm, INFINITY);
    gm_llm_drain(llm, 0.2);
    for (int i = 0; i < 10; i++) {
        struct gm_llm_reply r = wait_one(box);
        assert_int_equal(r.st, GM_ECANCEL);
        assert_true(r.stopped);
        gm_llm_reply_clear(&r);
    }
    double took = gm_clock_s() - start;
    assert_true(took >= 0.2 && took < 2);
    gm_llm_stats(llm, &st);
    assert_int_equal(st.in_flight, 0);
    assert_int_equal(st.failed, 0);
    assert_int_equal(st.retries, 0);
    gm_llm_mailbox_free(box);
    gm_llm_free(llm);
    server_stop(&s);
}

/* A caller who goes away, and a client that ends, with requests everywhere. */
static void free_in_the_middle(void **state)
{
    (void)state;
    struct server_process s;
    struct gm_llm_mailbox *box, *other;
    assert_int_equal(server_start(&s, "--latency-ms 50"), 0);
    struct gm_llm_opts o = quick();
    o.in_flight = 4;
    struct gm_llm *llm = open_at(&s, o);
    assert_int_equal(gm_llm_mailbox_new(&box, llm, NULL), GM_OK);
    assert_int_equal(gm_llm_mailbox_new(&other, llm, NULL), GM_OK);
    for (int i = 0; i < 30; i++)
        ask(box, "<<x>>", NULL);
    struct gm_llm_reply r = wait_one(box);
    gm_llm_reply_clear(&r);
    gm_llm_mailbox_free(box);
    ask(other, "<<y>>", NULL);
    r = wait_one(other);
    assert_string_equal(r.text.p, "y");
    gm_llm_reply_clear(&r);
    for (int i = 0; i < 30; i++)
        ask(other, "<<z>>", NULL);
    gm_llm_mailbox_free(other);
    gm_llm_free(llm);
    server_stop(&s);
}

static void bad_options(void **state)
{
    (void)state;
    struct gm_llm *llm;
    struct gm_error err;
    static const char *const bad[] = {"ftp://h/v1", "http://user:pw@127.0.0.1/v1",
                                      "nonsense:", "/no/such/file.gguf"};
    for (size_t i = 0; i < 4; i++) {
        struct gm_llm_opts o = quick();
        o.endpoints = &bad[i];
        o.n_endpoints = 1;
        assert_int_not_equal(gm_llm_new(&llm, &o, &err), GM_OK);
        assert_null(llm);
        assert_null(strstr(err.msg, "user:pw"));
    }
    struct gm_llm_opts none = quick();
    assert_int_equal(gm_llm_new(&llm, &none, &err), GM_EARG);
    assert_non_null(strstr(err.msg, "--endpoint"));
}

static void counts_of_rejects(void **state)
{
    (void)state;
    struct server_process s;
    const char *stage, *reason;
    size_t n;
    assert_int_equal(server_start(&s, ""), 0);
    struct gm_llm *llm = open_at(&s, quick());
    gm_llm_reject(llm, "refine", "schema");
    gm_llm_reject(llm, "refine", "schema");
    gm_llm_reject(llm, "ground", "box");
    assert_true(gm_llm_rejected(llm, 0, &stage, &reason, &n));
    assert_string_equal(reason, "schema");
    assert_int_equal(n, 2);
    assert_true(gm_llm_rejected(llm, 1, &stage, &reason, &n));
    assert_string_equal(stage, "ground");
    assert_false(gm_llm_rejected(llm, 2, &stage, &reason, &n));
    gm_llm_free(llm);
    server_stop(&s);
}

static int group_setup(void **state)
{
    (void)state;
    unsetenv("OPENAI_API_KEY");
    return gm_schema_parse(&schema,
                           GM_STR("{\"type\":\"object\",\"properties\":{\"n\":{\"type\":"
                                  "\"integer\"}},\"required\":[\"n\"]}"),
                           NULL) == GM_OK
               ? 0
               : -1;
}

static int group_teardown(void **state)
{
    (void)state;
    gm_json_free(schema);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(plain_answer, no_leak),
        cmocka_unit_test_teardown(answer_with_schema, no_leak),
        cmocka_unit_test_teardown(asks_again, no_leak),
        cmocka_unit_test_teardown(second_answer_fits, no_leak),
        cmocka_unit_test_teardown(every_fault_once, no_leak),
        cmocka_unit_test_teardown(gives_up, no_leak),
        cmocka_unit_test_teardown(redirect_is_not_followed, no_leak),
        cmocka_unit_test_teardown(dead_endpoint, no_leak),
        cmocka_unit_test_teardown(resting_endpoint_comes_back, no_leak),
        cmocka_unit_test_teardown(other_endpoint_takes_over, no_leak),
        cmocka_unit_test_teardown(budget_is_not_passed, no_leak),
        cmocka_unit_test_teardown(dry_run_sends_nothing, no_leak),
        cmocka_unit_test_teardown(requests_per_minute, no_leak),
        cmocka_unit_test_teardown(tokens_per_minute, no_leak),
        cmocka_unit_test_teardown(answers_are_cached_and_failures_are_not, no_leak),
        cmocka_unit_test_teardown(key_is_sent_and_never_shown, no_leak),
        cmocka_unit_test_teardown(drain_finishes_what_is_in_flight, no_leak),
        cmocka_unit_test_teardown(drain_drops_what_takes_longer, no_leak),
        cmocka_unit_test_teardown(free_in_the_middle, no_leak),
        cmocka_unit_test_teardown(bad_options, no_leak),
        cmocka_unit_test_teardown(counts_of_rejects, no_leak),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
