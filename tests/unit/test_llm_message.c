/* Bodies, replies, thoughts, yes against no, what server errors mean, endpoints' health, key files. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "llm/endpoint.h"
#include "llm/llm_internal.h"
#include "llm/message.h"
#include "llm/schema.h"
#include "llm/secret.h"
#include "llm/server_error.h"

static void body(void **state)
{
    (void)state;
    struct gm_buf b;
    struct gm_json *schema;
    const struct gm_llm_part text = {.kind = GM_LLM_TEXT, .bytes = GM_STR("a\"\n")};
    const struct gm_llm_message m = {"user", &text, 1};
    assert_int_equal(gm_schema_parse(&schema, GM_STR("{\"type\":\"object\"}"), NULL), GM_OK);
    const struct gm_llm_tail tail = {0.5, -1, 9, 3, true, schema, NULL, 0};
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

/* A tail that memory was out for is written anew for the next request. */
static void half_a_tail_is_not_kept(void **state)
{
    (void)state;
    struct gm_llm llm = {.model = NULL};
    struct gm_ask a = {.tail = {0.5, -1, 9, 3, false, NULL, NULL, 0}};
    gm_buf_init(&a.body, 1000);
    gm_buf_init(&llm.tail_text, 20);
    assert_int_equal(gm_ask_finish_body(&llm, &a, NULL), GM_ENOMEM);
    llm.tail_text.max = 1000;
    assert_int_equal(gm_ask_finish_body(&llm, &a, NULL), GM_OK);
    assert_string_equal(a.body.p, ",\"max_tokens\":9,\"temperature\":0.5,\"seed\":3}");
    gm_buf_clear(&a.body);
    gm_buf_clear(&llm.tail_text);
}

static void pictures_are_data_urls(void **state)
{
    (void)state;
    struct gm_buf b;
    const struct gm_llm_part part = {.kind = GM_LLM_JPEG, .bytes = GM_STR("foob")};
    const struct gm_llm_message m = {"user", &part, 1};
    gm_buf_init(&b, 1000);
    assert_int_equal(gm_llm_write_head("m", &m, 1, &b, NULL), GM_OK);
    assert_non_null(strstr(b.p, "\"data:image/jpeg;base64,Zm9vYg==\""));
    gm_buf_clear(&b);
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
    static const char *const bad[] = {"", "{", "[]", "{\"choices\":[]}"};
    for (size_t i = 0; i < 4; i++) {
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
    /* reasons first: the last such word is the answer */
    assert_true(yes("[{\"token\":\"no\",\"logprob\":-3},{\"token\":\"body\",\"logprob\":-3},"
                    "{\"token\":\"Yes\",\"logprob\":-3}]") == 1);
    assert_true(isnan(yes("[{\"token\":\"perhaps\",\"logprob\":0}]")));
    assert_true(isnan(yes("[]")));
    assert_true(isnan(gm_llm_yes(NULL)));
}

/* The answer in a choice with this JSON in it: its text, or why there is none. */
static const char *answer_in(const char *choice)
{
    static char out[600];
    char body[1500];
    struct gm_llm_answer a;
    struct gm_error err = {0};
    snprintf(body, sizeof body, "{\"choices\":[{%s}]}", choice);
    must(gm_llm_read_answer(&a, gm_str(body), &err), &err);
    if (a.none[0])
        snprintf(out, sizeof out, "%s%s", a.refused ? "! " : "- ", a.none);
    else
        snprintf(out, sizeof out, "%.*s", GM_STR_ARG(gm_str_trim(a.text)));
    gm_json_free(a.envelope);
    return out;
}

static const char *content(const char *json)
{
    char choice[1200];
    snprintf(choice, sizeof choice, "\"message\":{\"content\":%s}", json);
    return answer_in(choice);
}

static void contents(void **state)
{
    (void)state;
    assert_string_equal(content("[{\"type\":\"thinking\",\"thinking\":[{\"text\":\"no\"}]},"
                                "{\"type\":\"text\",\"text\":\"A person \"},\"on \","
                                "{\"type\":\"output_text\",\"text\":\"a stage.\"}]"),
                        "A person on a stage.");
    assert_string_equal(content("null"), "- an empty answer");
    assert_string_equal(content("\"\""), "- an empty answer");
    assert_string_equal(answer_in("\"message\":{}"), "- an empty answer");
    assert_string_equal(answer_in("\"text\":\"old form\""), "old form");
    assert_string_equal(answer_in("\"message\":{\"content\":null},\"finish_reason\":\"length\""),
                        "- max_tokens were used up before an answer");
    assert_string_equal(answer_in("\"message\":{\"content\":null,\"refusal\":\"I can't help.\"}"),
                        "! refused: I can't help.");
    assert_string_equal(content("[{\"type\":\"refusal\",\"refusal\":\"No.\"}]"), "! refused: No.");
    assert_string_equal(
        answer_in("\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"see\"}}]}"),
        "! the model calls the tool \"see\" in place of an answer");
    assert_string_equal(
        answer_in("\"message\":{\"content\":\"\"},\"finish_reason\":\"content_filter\""),
        "! refused: the server's content filter took it away");
    assert_string_equal(content("\"A cat \\ud83d on\""), "A cat \357\277\275 on");
}

static void thoughts(void **state)
{
    (void)state;
    static const char none[] = "- the model's thoughts end without an answer";
    assert_string_equal(content("\"<think>\\nNo, a dog?\\n</think>\\n\\nA cat.\""), "A cat.");
    assert_string_equal(content("\"<thinking>a</thinking>b<THINK>c</THINK>d\""), "d");
    assert_string_equal(content("\"no opening </think> yes\""), "yes");
    assert_string_equal(content("\"[THINK]a[/THINK]b\""), "b");
    assert_string_equal(content("\"<think>\\n{\\\"boxes\\\": [[1, 2, 3, 4]]} is\""), none);
    assert_string_equal(content("\"<think>a</think><think>b\""), none);
    assert_string_equal(content("\"<|channel|>analysis<|message|>no<|end|><|start|>assistant"
                                "<|channel|>final <|constrain|>json<|message|>yes<|return|>\""),
                        "yes");
    assert_string_equal(content("\"<|channel|>analysis<|message|>is it\""), none);
    assert_string_equal(content("\"analysisIs it?assistantfinalyes\""), "yes");
    assert_string_equal(content("\"An analysis of art\""), "An analysis of art");
}

static double yes_in(const char *text, const char *tokens)
{
    char body[2000];
    struct gm_llm_answer a;
    snprintf(body, sizeof body,
             "{\"choices\":[{\"message\":{\"content\":\"%s\"},\"logprobs\":{\"content\":[%s]}}]}",
             text, tokens);
    must(gm_llm_read_answer(&a, gm_str(body), NULL), &(struct gm_error){0});
    double p = gm_llm_yes(a.logprobs);
    gm_json_free(a.envelope);
    return p;
}

/* The token is looked for in the answer alone, and Python's -Infinity is a probability of 0. */
static void yes_behind_thoughts(void **state)
{
    (void)state;
#define TOKEN(t) "{\"token\":\"" t "\",\"logprob\":-0.1}"
    const char *tokens = TOKEN("<think>") "," TOKEN("No") "," TOKEN("</think>") "," TOKEN(
        "Yes") "," TOKEN("<|im_end|>");
    assert_true(yes_in("<think>No</think>Yes", tokens) == 1);
    assert_true(yes_in("Yes", tokens) == 1); /* the server has cut the thoughts itself */
    assert_true(yes_in("\xe2\x80\x9cYes\xe2\x80\x9d", tokens) == 1); /* not as in the tokens */
    assert_true(yes_in("Yes", "{\"token\":\"Yes\",\"logprob\":0,\"top_logprobs\":["
                              "{\"token\":\"Yes\",\"logprob\":0},"
                              "{\"token\":\"No\",\"logprob\":-Infinity}]}") == 1);
#undef TOKEN
}

static const struct gm_secrets no_secrets;

/* Keys of which one begins as another does, and one that may stand in a query. */
static void know_keys(struct gm_secrets *s)
{
    struct gm_error err;
    assert_int_equal(gm_secrets_add(s, gm_strdup("sk-abc"), &err), GM_OK);
    assert_int_equal(gm_secrets_add(s, gm_strdup("sk-abc123"), &err), GM_OK);
    assert_int_equal(gm_secrets_add(s, gm_strdup("no"), &err), GM_OK); /* too short to be hidden */
    assert_int_equal(gm_secrets_add(s, NULL, &err), GM_OK);
    assert_int_equal(
        gm_secrets_add_query(
            s, "http://h:1/v1?api-version=2024-02-01&api_key=q-77&Code=c-8888#key=frag", &err),
        GM_OK);
    assert_int_equal(gm_secrets_add_query(s, "http://h/key=path", &err), GM_OK);
    assert_int_equal(s->n, 5);
}

static const char *words_of(const char *body)
{
    static struct gm_server_error e;
    struct gm_secrets s = {0};
    know_keys(&s);
    gm_server_error_read(&e, 400, gm_str(body), &s);
    gm_secrets_clear(&s);
    return e.text;
}

static void messages_without_keys(void **state)
{
    (void)state;
    char longer[1100];
    static const char *const cases[][2] = {
        {"{\"error\":{\"message\":\"Bad key sk-abc123!\\nUse another sk-abc123\"}}",
         "Bad key *********! Use another *********"},
        {"{\"error\":\"plain\"}", "plain"},
        {"\xef\xbb\xbf[{\"error\":{\"message\":\"in a list\"}}]", "in a list"},
        {"404 page not found", "404 page not found"},
        {"{\"detail\":[{\"loc\":[\"body\",\"seed\"],\"msg\":\"Extra inputs\"}]}",
         "seed: Extra inputs"},
        {"", ""},
        {"sk-abcd sk-abc sk-abc12", "******d ****** ********"}, /* the last may be cut */
        {"no GET /v1?api-version=2024-02-01&api_key=q-77&code=c-8888 here",
         "no GET /v1?api-version=2024-02-01&api_key=****&code=****** here"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(words_of(cases[i][0]), cases[i][1]);
    /* the key lies across the place where the message is cut */
    memset(longer, 'x', sizeof longer);
    memcpy(longer + 994, "sk-abc123", 10);
    assert_null(strstr(words_of(longer), "sk-a"));
}

static void what_errors_mean(void **state)
{
    (void)state;
    static const struct {
        int status, means_status;
        const char *body;
        bool quota, model;
    } cases[] = {
        {200, 429,
         "{\"error\":{\"message\":\"Rate limit exceeded: free-models-per-day\",\"code\":"
         "429}}",
         true, false},
        {200, 429, "{\"error\":{\"message\":\"slow down\",\"code\":\"429\"}}", false, false},
        {200, 500, "{\"error\":\"No model is loaded\"}", false, false},
        {200, 502, "{\"choices\":[{\"error\":{\"code\":502,\"message\":\"x\"}}]}", false, false},
        {200, 404, "{\"error\":\"Unexpected endpoint or method. (POST /chat/completions)\"}", false,
         false},
        {429, 429,
         "{\"error\":{\"message\":\"You exceeded your current quota\",\"type\":"
         "\"insufficient_quota\"}}",
         true, false},
        {429, 429,
         "{\"error\":{\"message\":\"You exceeded your current quota. Please retry in "
         "34 s.\"}}",
         false, false},
        {429, 429, "{\"error\":{\"message\":\"Rate limit reached\"}}", false, false},
        {402, 402, "{\"error\":{\"message\":\"Payment required\"}}", true, false},
        {400, 400, "{\"error\":{\"message\":\"Invalid model name passed in model=m\"}}", false,
         true},
        {404, 404, "{\"error\":{\"message\":\"The model `m` does not exist.\"}}", false, true},
        {404, 404, "{\"error\":\"model 'm' not found, try pulling it first\"}", false, true},
        {400, 400, "{\"error\":{\"message\":\"This model has no eyes\"}}", false, false},
        {404, 404, "404 page not found", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_server_error e;
        gm_server_error_read(&e, cases[i].status, gm_str(cases[i].body), &no_secrets);
        if (e.status != cases[i].means_status || gm_server_error_is_quota(&e) != cases[i].quota ||
            gm_server_error_is_model(&e) != cases[i].model)
            fail_msg("%s: %d", cases[i].body, e.status);
    }
}

static void refused_parameters(void **state)
{
    (void)state;
    static const struct {
        int status;
        unsigned names;
        const char *text;
    } cases[] = {
        {400, GM_LLM_P_SCHEMA, "This response_format type is unavailable now"},
        {400, GM_LLM_P_SCHEMA, "Unknown name 'additionalProperties' at 'config.response_schema'"},
        {400, GM_LLM_P_SCHEMA, "Grammar error: unimplemented keys"},
        {500, GM_LLM_P_SCHEMA, "[{'loc': ('body', 'response_format', 'type')}]"},
        {400, GM_LLM_P_LOGPROBS, "logprobs is not supported"},
        {400, GM_LLM_P_MAX_TOKENS,
         "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."},
        {422, GM_LLM_P_MAX_COMPLETION, "Unrecognized request argument: max_completion_tokens"},
        {400, GM_LLM_P_TEMPERATURE, "'temperature' does not support 0 with this model."},
        {422, GM_LLM_P_SEED, "seed: Extra inputs are not permitted"},
        {400, GM_LLM_P_TOP_P, "`temperature_x` and `top_p` cannot both be unknown"},
        {400, 0, "max_tokens is too large: 5000"},
        {400, 0, "the context has 4096 tokens at most"},
        {401, 0, "logprobs: no"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_server_error e;
        unsigned sent = 127u & ~(cases[i].names == GM_LLM_P_MAX_COMPLETION ? 32u : 64u);
        gm_server_error_read(&e, cases[i].status, gm_str(cases[i].text), &no_secrets);
        if (gm_server_error_param(&e, sent) != cases[i].names)
            fail_msg("%s: %u", cases[i].text, gm_server_error_param(&e, sent));
        assert_int_equal(gm_server_error_param(&e, 0), 0); /* what wasn't sent isn't refused */
    }
}

/* Each parameter that an endpoint refuses is left out; max_tokens has a second name. */
static void tails_without(void **state)
{
    (void)state;
    struct gm_buf b;
    struct gm_llm_tail t = {0.5, 0.9, 9, 3, true, NULL, NULL, GM_LLM_P_MAX_TOKENS | GM_LLM_P_SEED};
    gm_buf_init(&b, 1000);
    assert_int_equal(gm_llm_write_tail(&t, &b, NULL), GM_OK);
    assert_string_equal(b.p, ",\"max_completion_tokens\":9,\"temperature\":0.5,\"top_p\":0.9,"
                             "\"logprobs\":true,\"top_logprobs\":5}");
    t.without = 127;
    gm_buf_reset(&b);
    assert_int_equal(gm_llm_write_tail(&t, &b, NULL), GM_OK);
    assert_string_equal(b.p, "}");
    gm_buf_clear(&b);
}

/* The user's own members stand in place of ours, and null takes one out. */
static void extra_members(void **state)
{
    (void)state;
    struct gm_buf b;
    struct gm_json *extra;
    assert_int_equal(
        gm_json_parse(&extra,
                      GM_STR("{\"temperature\": 1, \"seed\": null, \"max_completion_tokens\": 7, "
                             "\"chat_template_kwargs\": {\"enable_thinking\": false}}"),
                      NULL),
        GM_OK);
    const struct gm_llm_tail t = {0.5, 0.9, 9, 3, false, NULL, extra, 0};
    gm_buf_init(&b, 1000);
    assert_int_equal(gm_llm_write_tail(&t, &b, NULL), GM_OK);
    assert_string_equal(b.p, ",\"top_p\":0.9,\"temperature\":1,\"max_completion_tokens\":7,"
                             "\"chat_template_kwargs\":{\"enable_thinking\": false}}");
    assert_int_equal(gm_llm_tail_sends(&t), GM_LLM_P_TOP_P);
    gm_buf_clear(&b);
    gm_json_free(extra);
}

/* Servers' ways to say how many pictures a request may have, and errors with other numbers. */
static void too_many_pictures(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t most;
    } cases[] = {
        {"At most 1 image(s) may be provided in one request.", 1},
        {"At most 2 image(s) may be provided in one prompt.", 2},
        {"You set image=3 (or defaulted to 1) in `--limit-mm-per-prompt`, but passed 4 image items in the same "
         "prompt.",
         3},
        {"Too many images in request. Max is 10.", 10},
        {"Too many images in request: 11 images provided, but the model supports a maximum of 10 images.",
         10},
        {"At most 0 image(s) may be provided in one prompt.", 0},
        {"Images may have up to 20 MB", 0},
        {"maximum context length is 4096 tokens, of which 3000 are images", 0},
        {"max_tokens is too large: at most 8192", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_server_error e = {.status = 400};
        snprintf(e.text, sizeof e.text, "%s", cases[i].text);
        if (gm_server_error_most_pictures(&e) != cases[i].most)
            fail_msg("%s", cases[i].text);
        e.status = 429;
        assert_int_equal(gm_server_error_most_pictures(&e), 0);
    }
}

/* Servers' ways to say that they have no eyes, and errors that speak of pictures for another reason. */
static void no_pictures(void **state)
{
    (void)state;
    static const char *const none[] = {
        "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
        "m is not a multimodal model",
        "At most 0 image(s) may be provided in one prompt.",
        "Invalid content type. image_url is only supported by certain models.",
        "No endpoints found that support image input",
        "This model doesn't support images",
    };
    static const char *const other[] = {"The image is too large", "cannot load model",
                                        "Unsupported parameter: 'max_tokens'",
                                        "failed to decode the image"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct gm_server_error e = {.status = 400};
        snprintf(e.text, sizeof e.text, "%s", none[i]);
        if (!gm_server_error_is_pictures(&e))
            fail_msg("%s", none[i]);
        e.status = 429;
        assert_false(gm_server_error_is_pictures(&e));
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        struct gm_server_error e = {.status = 400};
        snprintf(e.text, sizeof e.text, "%s", other[i]);
        if (gm_server_error_is_pictures(&e))
            fail_msg("%s", other[i]);
    }
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
    assert_true(gm_endpoint_cool(&e, 9, 10, 5));      /* the first: it did ask too much */
    assert_false(gm_endpoint_cool(&e, 9.5, 10.1, 5)); /* sent before the server said so */
    assert_false(gm_endpoint_ready(&e, &b, 15));
    assert_true(gm_endpoint_ready(&e, &b, 15.2));
    assert_true(gm_endpoint_cool(&e, 15.2, 15.3, 1)); /* another window */
}

/* A wait that is longer than a request may take ends as a breakdown does, unless another endpoint may answer. */
static void long_waits(void **state)
{
    (void)state;
    const struct gm_breaker b = {.fails = 3, .rest_s = 2, .dead_s = 10, .wait_max_s = 900};
    struct gm_endpoint e[2] = {{.rest_s = 2}, {.rest_s = 2}};
    (void)gm_endpoint_cool(&e[0], 9, 10, 36000);
    assert_null(gm_endpoints_dead(e, 2, &b, 11));
    assert_true(gm_endpoint_next(e, 2, 11) <= 11);
    assert_true(gm_endpoint_next(e, 1, 11) >= 36010);
    for (int i = 0; i < 3; i++)
        (void)gm_endpoint_failed(&e[1], &b, 11, "x");
    assert_null(gm_endpoints_dead(e, 2, &b, 12)); /* the other may come back */
    assert_ptr_equal(gm_endpoints_dead(e, 2, &b, 22), &e[0]);
    gm_endpoint_ok(&e[1], &b);
    (void)gm_endpoint_cool(&e[1], 29, 30, 600);
    assert_null(gm_endpoints_dead(e, 2, &b, 31)); /* that is waited for */
    assert_ptr_equal(gm_endpoints_dead(e, 1, &b, 31), &e[0]);
    assert_null(gm_endpoints_dead(e, 1, &b, 35200));
}

/* A key goes to the server that it is for, and to no other. */
static void keys_of_servers(void **state)
{
    (void)state;
    static const struct {
        const char *origin, *key;
    } cases[] = {{NULL, "sk-1"},
                 {"https://b.example", "sk-2"},
                 {"HTTPS://B.example", "sk-2"},
                 {"https://b.example:8443", NULL},
                 {"http://b.example", NULL},
                 {"https://b.example.evil.example", NULL},
                 {"http://127.0.0.1:8000", "sk-3"},
                 {"http://127.0.0.1:80", NULL}};
    char path[] = "/tmp/gm-key-XXXXXX", *key;
    struct gm_error err;
    int fd = mkstemp(path);
    static const char text[] = "https://b.example/v1 sk-2\n\nsk-1\nhttp://127.0.0.1:8000  sk-3\n";
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_str o = gm_str(cases[i].origin);
        assert_int_equal(gm_secret_read(&key, path, cases[i].origin ? &o : NULL, &err), GM_OK);
        if (!cases[i].key)
            assert_null(key);
        else
            assert_string_equal(key, cases[i].key);
        gm_secret_free(key);
    }
    assert_int_equal(write(fd, "sk-4\n", 5), 5);
    close(fd);
    assert_int_equal(gm_secret_read(&key, path, NULL, &err), GM_EARG);
    assert_null(key);
    assert_null(strstr(err.msg, "sk-"));
    unlink(path);
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
    assert_int_equal(gm_secret_read(&key, path, NULL, &err), GM_OK);
    assert_string_equal(key, "sk-1");
    gm_secret_free(key);
    chmod(path, 0640);
    assert_int_equal(gm_secret_read(&key, path, NULL, &err), GM_EARG);
    assert_non_null(strstr(err.msg, "chmod 600"));
    assert_null(key);
    chmod(path, 0600);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(gm_secret_read(&key, path, NULL, &err), GM_EARG);
    unlink(path);
    assert_int_equal(gm_secret_read(&key, path, NULL, &err), GM_EIO);
    setenv("OPENAI_API_KEY", "two words", 1);
    assert_int_equal(gm_secret_read(&key, NULL, NULL, &err), GM_EARG);
    assert_null(strstr(err.msg, "two words"));
    unsetenv("OPENAI_API_KEY");
    assert_int_equal(gm_secret_read(&key, NULL, NULL, &err), GM_OK);
    assert_null(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(body, no_leak),
        cmocka_unit_test_teardown(half_a_tail_is_not_kept, no_leak),
        cmocka_unit_test_teardown(pictures_are_data_urls, no_leak),
        cmocka_unit_test_teardown(replies, no_leak),
        cmocka_unit_test_teardown(yes_against_no, no_leak),
        cmocka_unit_test_teardown(contents, no_leak),
        cmocka_unit_test_teardown(thoughts, no_leak),
        cmocka_unit_test_teardown(yes_behind_thoughts, no_leak),
        cmocka_unit_test_teardown(messages_without_keys, no_leak),
        cmocka_unit_test_teardown(what_errors_mean, no_leak),
        cmocka_unit_test_teardown(refused_parameters, no_leak),
        cmocka_unit_test_teardown(tails_without, no_leak),
        cmocka_unit_test_teardown(extra_members, no_leak),
        cmocka_unit_test_teardown(no_pictures, no_leak),
        cmocka_unit_test_teardown(too_many_pictures, no_leak),
        cmocka_unit_test_teardown(estimates, no_leak),
        cmocka_unit_test_teardown(endpoint_health, no_leak),
        cmocka_unit_test_teardown(cool_down_is_shared, no_leak),
        cmocka_unit_test_teardown(key_files, no_leak),
        cmocka_unit_test_teardown(keys_of_servers, no_leak),
        cmocka_unit_test_teardown(long_waits, no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
