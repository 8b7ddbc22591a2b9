/* 10,000 requests against a server that spoils one in five, in every way it knows: each ends once,
 * with its own right answer or an error; and no answer that came is asked for again. */

#include "unit.h"

#include "base/file.h"
#include "base/lines.h"
#include "llm/llm.h"
#include "llm/schema.h"
#include "llm_server/server_process.h"

enum { N = 10000 };

static int times_replied[N], times_sent_whole[N];

static void submit(struct gm_llm_mailbox *box, size_t i, const struct gm_json *schema)
{
    char text[60];
    uint64_t id;
    snprintf(text, sizeof text, "<<{\"n\": %zu}>>", i);
    const struct gm_llm_part part = {.kind = GM_LLM_TEXT, .bytes = gm_str(text)};
    const struct gm_llm_message m = {"user", &part, 1};
    const struct gm_llm_request r = {.user = &times_replied[i],
                                     .messages = &m,
                                     .n_messages = 1,
                                     .temperature = 0,
                                     .top_p = -1,
                                     .seed = -1,
                                     .max_tokens = 20,
                                     .schema = schema};
    assert_int_equal(gm_llm_submit(box, &r, &id, NULL), GM_OK);
}

/* The server's log: what it answered in full, and so must not have been asked again. */
static void read_log(const char *path)
{
    struct gm_lines *l;
    struct gm_str line;
    bool has = true;
    assert_int_equal(gm_lines_open(&l, path, 1000, NULL), GM_OK);
    while (gm_lines_next(l, &line, &has, NULL) == GM_OK && has) {
        const char *digits = line.p + strcspn(line.p, "0123456789");
        long n = strtol(digits, NULL, 10);
        assert_true(n >= 0 && n < N);
        times_sent_whole[n]++;
    }
    gm_lines_free(l);
}

static void ten_thousand(void **state)
{
    (void)state;
    struct server_process s;
    struct gm_llm *llm;
    struct gm_llm_mailbox *box;
    struct gm_json *schema;
    struct gm_llm_stats st;
    char args[120], log[64];
    size_t ok = 0, failed = 0, twice = 0;
    snprintf(log, sizeof log, "/tmp/gm-faults-%ld.log", (long)getpid());
    unlink(log);
    snprintf(args, sizeof args, "--faults 20 --seed 5 --slots 256 --log %s", log);
    assert_int_equal(server_start(&s, args), 0);
    assert_int_equal(gm_schema_parse(&schema,
                                     GM_STR("{\"type\":\"object\",\"properties\":{\"n\":{"
                                            "\"type\":\"integer\"}},\"required\":[\"n\"]}"),
                                     NULL),
                     GM_OK);
    const char *urls[] = {s.url};
    struct gm_llm_opts o = gm_llm_opts_default();
    o.endpoints = urls;
    o.n_endpoints = 1;
    o.in_flight = 128;
    o.backoff_s = 0.02;
    o.backoff_max_s = 0.3;
    o.max_tries = 8;
    o.breaker_fails = 64;
    assert_int_equal(gm_llm_new(&llm, &o, NULL), GM_OK);
    assert_int_equal(gm_llm_mailbox_new(&box, llm, NULL), GM_OK);
    for (size_t i = 0; i < N; i++)
        submit(box, i, schema);
    for (size_t i = 0; i < N; i++) {
        struct gm_llm_reply r;
        long long n;
        if (!gm_llm_poll(box, 60000, &r))
            fail_msg("no reply in 60 s, after %zu", i);
        int *counter = r.user;
        ++*counter;
        if (r.st == GM_OK) {
            ok++;
            assert_true(gm_json_int(gm_json_get(r.value, "n"), &n));
            assert_int_equal(n, counter - times_replied);
        } else {
            failed++;
            assert_true(r.err.msg[0] && !r.stopped);
        }
        gm_llm_reply_clear(&r);
    }
    gm_llm_stats(llm, &st);
    gm_llm_mailbox_free(box);
    gm_llm_free(llm);
    gm_json_free(schema);
    server_stop(&s);
    read_log(log);
    unlink(log);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(times_replied[i], 1);
        twice += times_sent_whole[i] > 1;
    }
    print_message("ok=%zu failed=%zu sent=%zu retries=%zu reasks=%zu\n", ok, failed, st.sent,
                  st.retries, st.reasks);
    assert_int_equal(ok + failed, N);
    assert_int_equal(twice, 0);
    /* a redirect, one fault of 15, is not tried again: 10,000 x 0.2 / 15 = 133 of them */
    assert_true(failed > 80 && failed < 220);
    assert_true(st.retries > 1000);
    assert_int_equal(st.failed, failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(ten_thousand, no_leak)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
