/* Bodies, replies, yes against no, server messages without keys, endpoints' health, key files. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "llm/endpoint.h"
#include "llm/message.h"
#include "llm/schema.h"
#include "llm/secret.h"

static void body(void **state)
{
    (void)state;
    struct gm_buf b;
    struct gm_json *schema;
    const struct gm_llm_part text = {.kind = GM_LLM_TEXT, .bytes = GM_STR("a\"\n")};
    const struct gm_llm_message m = {"user", &text, 1};
    assert_int_equal(gm_schema_parse(&schema, GM_STR("{\"type\":\"object\"}"), NULL), GM_OK);
    const struct gm_llm_tail tail = {0.5, -1, 9, 3, true, schema};
    gm_buf_init(&b, 10000);
    assert_int_equal(gm_llm_write_head("m", &m, 1, &b, NULL), GM_OK);
    assert_int_equal(gm_llm_write_tail(&tail, &b, NULL), GM_OK);
    assert_string_equal(
        b.p, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\\\"\\n\"}],"
             "\"max_tokens\":9,\"temperature\":0.5,\"seed\":3,\"logprobs\":true,"
             "\"top_logprobs\":5,\"response_format\":{\"type\":\"json_schema\","
             "\"json_schema\":{\"name\":\"answer\",\"strict\":true,\"schema\":"
             "{\"type\": \"object\"}}}}");
    gm_buf_clear(&b);
    gm_json_free(schema);
}

/* RFC 4648's test vectors. */
static void base64(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < 7; i++) {
        struct gm_buf b;
        char want[64];
        const struct gm_llm_part part = {.kind = GM_LLM_JPEG, .bytes = gm_str(cases[i][0])};
        const struct gm_llm_message m = {"user", &part, 1};
        gm_buf_init(&b, 1000);
        assert_int_equal(gm_llm_write_head("m", &m, 1, &b, NULL), GM_OK);
        snprintf(want, sizeof want, "base64,%s\"", cases[i][1]);
        assert_non_null(strstr(b.p, want));
        gm_buf_clear(&b);
    }
}

static void replies(void **state)
{
    (void)state;
    struct gm_llm_answer a;
    const char *good =
        "{\"choices\":[{\"message\":{\"content\":\"hi\"},\"finish_reason\":\"length\"}],"
        "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,"
        "\"prompt_tokens_details\":{\"cached_tokens\":4}}}";
    assert_int_equal(gm_llm_read_answer(&a, gm_str(good), NULL), GM_OK);
    assert_true(gm_str_eq_c(a.text, "hi") && a.cut && a.has_usage);
    assert_int_equal(a.usage.prompt + a.usage.completion * 10 + a.usage.cached * 100, 425);
    gm_json_free(a.envelope);
    static const char *const bad[] = {"", "{", "[]", "{\"choices\":[]}",
                                      "{\"choices\":[{\"message\":{\"content\":null}}]}"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(gm_llm_read_answer(&a, gm_str(bad[i]), NULL), GM_EFORMAT);
        assert_null(a.envelope);
    }
}

static double yes(const char *logprobs)
{
    struct gm_json *j;
    assert_int_equal(gm_json_parse(&j, gm_str(logprobs), NULL), GM_OK);
    double p = gm_llm_yes(j);
    gm_json_free(j);
    return p;
}

static void yes_against_no(void **state)
{
    (void)state;
    assert_true(fabs(yes("[{\"token\":\"Yes\",\"logprob\":-0.1,\"top_logprobs\":["
                         "{\"token\":\"Yes\",\"logprob\":-0.6931471805599453},"
                         "{\"token\":\" yes\",\"logprob\":-2.0794415416798357},"
                         "{\"token\":\"No\",\"logprob\":-2.0794415416798357},"
                         "{\"token\":\"maybe\",\"logprob\":-1}]}]") -
                     0.625 / 0.75) < 1e-12);
    assert_true(fabs(yes("[{\"token\":\"\\\"\",\"logprob\":0},{\"token\":\" no.\",\"logprob\":-0.1,"
                         "\"top_logprobs\":[{\"token\":\"no\",\"logprob\":-0.1}]}]")) < 1e-12);
    assert_true(yes("[{\"token\":\"yes\",\"logprob\":-3}]") == 1);
    assert_true(isnan(yes("[{\"token\":\"perhaps\",\"logprob\":0}]")));
    assert_true(isnan(yes("[]")));
    assert_true(isnan(gm_llm_yes(NULL)));
}

static void messages_without_keys(void **state)
{
    (void)state;
    char out[60];
    gm_llm_server_message(
        GM_STR("{\"error\":{\"message\":\"Bad key sk-abc123!\\nUse another sk-abc123\"}}"),
        "sk-abc123", out, sizeof out);
    assert_string_equal(out, "Bad key *********! Use another *********");
    gm_llm_server_message(GM_STR("{\"error\":\"plain\"}"), NULL, out, sizeof out);
    assert_string_equal(out, "plain");
    gm_llm_server_message(GM_STR(""), "sk-abc123", out, sizeof out);
    assert_string_equal(out, "");
    /* the key lies across the place where the message is cut */
    char small[10];
    gm_llm_server_message(GM_STR("xxxxxx sk-abc123"), "sk-abc123", small, sizeof small);
    assert_null(strstr(small, "sk"));
}

static void estimates(void **state)
{
    (void)state;
    const struct gm_llm_part parts[] = {
        {.kind = GM_LLM_TEXT, .bytes = GM_STR("12345678")},
        {.kind = GM_LLM_JPEG, .bytes = GM_STR("x"), .w = 280, .h = 280}};
    const struct gm_llm_message m = {"user", parts, 2};
    assert_int_equal(gm_llm_estimate(&m, 1, false), 16 + 16 + 2 + 100 + 64);
    assert_true(gm_llm_estimate(&m, 1, true) > gm_llm_estimate(&m, 1, false));
}

static void endpoint_health(void **state)
{
    (void)state;
    const struct gm_breaker b = {.fails = 3, .rest_s = 2, .dead_s = 10};
    struct gm_endpoint e[2] = {{.rest_s = 2}, {.rest_s = 2}};
    e[0].in_flight = 1;
    assert_ptr_equal(gm_endpoint_choose(e, 2, 0, &b, 100), &e[1]); /* the idle one */
    e[1].in_flight = 1;
    assert_ptr_equal(gm_endpoint_choose(e, 2, 1, &b, 100), &e[1]); /* equals take turns */
    assert_true(gm_endpoint_failed(&e[1], &b, 100, "x"));
    assert_true(gm_endpoint_failed(&e[1], &b, 100, "x"));
    assert_true(gm_endpoint_failed(&e[1], &b, 100, "x")); /* the third: it rests from now on */
    assert_false(gm_endpoint_failed(&e[1], &b, 100.1, "x"));
    assert_false(gm_endpoint_ready(&e[1], &b, 101));
    assert_false(gm_endpoint_ready(&e[1], &b, 103)); /* one is still in flight: the probe */
    e[1].in_flight = 0;
    assert_true(gm_endpoint_ready(&e[1], &b, 103));
    (void)gm_endpoint_failed(&e[1], &b, 103, "x");
    assert_false(gm_endpoint_ready(&e[1], &b, 106)); /* twice as long now */
    assert_true(gm_endpoint_ready(&e[1], &b, 107.1));
    assert_null(gm_endpoints_dead(e, 2, &b, 200)); /* the other is healthy */
    for (int i = 0; i < 3; i++)
        (void)gm_endpoint_failed(&e[0], &b, 195, "x");
    assert_null(gm_endpoints_dead(e, 2, &b, 200));
    assert_non_null(gm_endpoints_dead(e, 2, &b, 206));
    gm_endpoint_ok(&e[1], &b);
    assert_null(gm_endpoints_dead(e, 2, &b, 206));
    assert_true(gm_endpoint_ready(&e[1], &b, 104));
}

/* All that were in flight when the window began count once. */
static void cool_down_is_shared(void **state)
{
    (void)state;
    const struct gm_breaker b = {.fails = 3, .rest_s = 2, .dead_s = 10};
    struct gm_endpoint e = {.rest_s = 2};
    assert_true(gm_endpoint_cool(&e, 9, 10, 5));   /* the first: it did ask too much */
    assert_false(gm_endpoint_cool(&e, 9.5, 10.1, 5)); /* sent before the server said so */
    assert_false(gm_endpoint_ready(&e, &b, 15));
    assert_true(gm_endpoint_ready(&e, &b, 15.2));
    assert_true(gm_endpoint_cool(&e, 15.2, 15.3, 1)); /* another window */
}

static void key_files(void **state)
{
    (void)state;
    char path[] = "/tmp/gm-key-XXXXXX", *key;
    struct gm_error err;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, " sk-1 \n", 7), 7);
    close(fd);
    assert_int_equal(gm_secret_read(&key, path, &err), GM_OK);
    assert_string_equal(key, "sk-1");
    gm_secret_free(key);
    chmod(path, 0640);
    assert_int_equal(gm_secret_read(&key, path, &err), GM_EARG);
    assert_non_null(strstr(err.msg, "chmod 600"));
    assert_null(key);
    chmod(path, 0600);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(gm_secret_read(&key, path, &err), GM_EARG);
    unlink(path);
    assert_int_equal(gm_secret_read(&key, path, &err), GM_EIO);
    setenv("OPENAI_API_KEY", "two words", 1);
    assert_int_equal(gm_secret_read(&key, NULL, &err), GM_EARG);
    assert_null(strstr(err.msg, "two words"));
    unsetenv("OPENAI_API_KEY");
    assert_int_equal(gm_secret_read(&key, NULL, &err), GM_OK);
    assert_null(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(body, no_leak),
        cmocka_unit_test_teardown(base64, no_leak),
        cmocka_unit_test_teardown(replies, no_leak),
        cmocka_unit_test_teardown(yes_against_no, no_leak),
        cmocka_unit_test_teardown(messages_without_keys, no_leak),
        cmocka_unit_test_teardown(estimates, no_leak),
        cmocka_unit_test_teardown(endpoint_health, no_leak),
        cmocka_unit_test_teardown(cool_down_is_shared, no_leak),
        cmocka_unit_test_teardown(key_files, no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
