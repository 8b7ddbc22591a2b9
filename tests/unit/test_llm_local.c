/* A real server: llama.cpp's, from the pinned wheel, started by the client for a GGUF file. The
 * answers of a model of 135 million parameters are poor; the protocol is real. */

#include "unit.h"

#include "base/file.h"
#include "llm/llm.h"
#include "llm/local_server.h"
#include "llm/message.h"
#include "llm/schema.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char gguf[] = ".deps/llm/SmolLM2-135M-Instruct.Q4_1.gguf";
static const char command[] = "python3 tools/llama-server.py";
enum { TRY_S = 250, TRIES = 2, WAIT_MS = 550000 }; /* a model on a core that others have */

static struct gm_llm *llm;

static void need_server(void)
{
    if (!llm)
        skip_because("no llama.cpp server and model; `tools/setup.sh tests` gets them (130.6 MB)");
}

static void submit(struct gm_llm_mailbox *box, const struct gm_llm_part *parts, size_t n,
                   const struct gm_json *schema, bool logprobs)
{
    uint64_t id;
    const struct gm_llm_message m = {"user", parts, n};
    const struct gm_llm_request q = {.messages = &m,
                                     .n_messages = 1,
                                     .temperature = 0,
                                     .top_p = -1,
                                     .seed = 1,
                                     .max_tokens = 60,
                                     .schema = schema,
                                     .logprobs = logprobs};
    assert_int_equal(gm_llm_submit(box, &q, &id, NULL), GM_OK);
}

static struct gm_llm_reply reply_to(const struct gm_llm_part *parts, size_t n, bool logprobs)
{
    struct gm_llm_mailbox *box;
    struct gm_llm_reply r;
    assert_int_equal(gm_llm_mailbox_new(&box, llm, NULL), GM_OK);
    submit(box, parts, n, NULL, logprobs);
    assert_true(gm_llm_poll(box, WAIT_MS, &r));
    gm_llm_mailbox_free(box);
    return r;
}

static struct gm_llm_reply ask(const char *text, bool logprobs)
{
    const struct gm_llm_part part = {.kind = GM_LLM_TEXT, .bytes = gm_str(text)};
    struct gm_llm_reply r = reply_to(&part, 1, logprobs);
    if (r.st != GM_OK)
        fail_msg("%s", r.err.msg);
    return r;
}

static void plain_text_and_usage(void **state)
{
    (void)state;
    need_server();
    struct gm_llm_reply r = ask("Say hello.", false);
    assert_true(r.text.n > 0 && r.usage.prompt > 5 && r.usage.completion > 0);
    gm_llm_reply_clear(&r);
}

static void yes_with_logprobs(void **state)
{
    (void)state;
    need_server();
    struct gm_llm_reply r = ask("Is Rome a city? Answer with one word, yes or no.", true);
    assert_non_null(r.logprobs);
    double p = gm_llm_yes(r.logprobs);
    assert_true(isnan(p) || (p >= 0 && p <= 1));
    gm_llm_reply_clear(&r);
}

/* Eight at once, each held to its schema by the server's grammar. */
static void schemas_in_eight_slots(void **state)
{
    (void)state;
    need_server();
    struct gm_json *schema;
    struct gm_llm_mailbox *box;
    char text[80];
    assert_int_equal(
        gm_schema_parse(
            &schema,
            GM_STR("{\"type\":\"object\",\"properties\":{\"colour\":{\"type\":\"string\","
                   "\"enum\":[\"red\",\"green\"]},\"n\":{\"type\":\"integer\"}},"
                   "\"required\":[\"colour\",\"n\"],\"additionalProperties\":false}"),
            NULL),
        GM_OK);
    assert_int_equal(gm_llm_mailbox_new(&box, llm, NULL), GM_OK);
    for (int i = 0; i < 8; i++) {
        snprintf(text, sizeof text, "Name a colour and the number %d, as JSON.", i);
        const struct gm_llm_part part = {.kind = GM_LLM_TEXT, .bytes = gm_str(text)};
        submit(box, &part, 1, schema, false);
    }
    size_t ok = 0;
    for (int i = 0; i < 8; i++) {
        struct gm_llm_reply r;
        assert_true(gm_llm_poll(box, WAIT_MS, &r));
        struct gm_str colour;
        ok += r.st == GM_OK && gm_json_str(gm_json_get(r.value, "colour"), &colour);
        gm_llm_reply_clear(&r);
    }
    assert_true(ok >= 7); /* an endless number may be cut by max_tokens */
    gm_llm_mailbox_free(box);
    gm_json_free(schema);
}

/* A picture for a model that sees none: llama.cpp says 500, and means it for good. */
static void picture_is_refused(void **state)
{
    (void)state;
    need_server();
    const struct gm_llm_part parts[] = {
        {.kind = GM_LLM_TEXT, .bytes = GM_STR("What is this?")},
        {.kind = GM_LLM_JPEG, .bytes = GM_STR("\377\330\377\331"), .w = 1, .h = 1}};
    struct gm_llm_reply r = reply_to(parts, 2, false);
    print_message("a picture: %s\n", r.err.msg);
    assert_int_equal(r.st, GM_EARG);
    assert_non_null(strstr(r.err.msg, "status 500: image input is not supported"));
    gm_llm_reply_clear(&r);
}

static void sleep_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static bool is_alive(pid_t pid) { return kill(pid, 0) == 0 || errno != ESRCH; }

/* A process of ours that starts a server and is killed by force: the server ends too. The command
 * is a little shell script that tells its own process id and is healthy never. */
static void server_ends_with_a_killed_parent(void **state)
{
    (void)state;
    char script[64], pid_file[64], line[32] = "", cmd[80], body[200];
    snprintf(script, sizeof script, "/tmp/gm-server-%ld.sh", (long)getpid());
    snprintf(pid_file, sizeof pid_file, "/tmp/gm-server-%ld.pid", (long)getpid());
    snprintf(body, sizeof body, "echo $$ > %s\nexec sleep 100\n", pid_file);
    assert_int_equal(gm_file_write(script, gm_str(body), NULL), GM_OK);
    snprintf(cmd, sizeof cmd, "sh %s", script);
    pid_t child = fork();
    if (child == 0) {
        struct gm_local_server *s;
        (void)!gm_local_server_start(&s, cmd, script, 1, 60, NULL);
        _exit(1);
    }
    FILE *f = NULL;
    for (int i = 0; i < 100 && !f; i++) {
        sleep_ms(50);
        f = fopen(pid_file, "r");
    }
    assert_non_null(f);
    sleep_ms(200);
    assert_non_null(fgets(line, sizeof line, f));
    fclose(f);
    pid_t server = (pid_t)strtol(line, NULL, 10);
    assert_true(server > 1 && is_alive(server));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (int i = 0; i < 100 && is_alive(server); i++)
        sleep_ms(50);
    assert_false(is_alive(server));
    unlink(script);
    unlink(pid_file);
}

static void command_that_is_missing(void **state)
{
    (void)state;
    struct gm_local_server *s;
    struct gm_error err;
    assert_int_equal(
        gm_local_server_start(&s, "no-such-program-here", "tests/llm.cmake", 1, 5, &err), GM_EIO);
    assert_non_null(strstr(err.msg, "--llama-server"));
    assert_int_equal(gm_local_server_start(&s, "sh -c false", "tests/llm.cmake", 1, 5, &err),
                     GM_ENET);
    assert_non_null(strstr(err.msg, "ended before it was ready"));
    assert_int_equal(gm_local_server_start(&s, NULL, "/no/such.gguf", 1, 5, &err), GM_EIO);
    assert_int_equal(gm_alloc_live(), 0);
}

/* Starts the server, or none where it is not there: need_server then skips the test. */
static int start(void **state)
{
    (void)state;
    if (!gm_is_file(gguf) || !gm_is_dir(".deps/llm/xllamacpp"))
        return 0;
    const char *endpoints[] = {gguf};
    struct gm_error err = {0};
    struct gm_llm_opts o = gm_llm_opts_default();
    o.endpoints = endpoints;
    o.n_endpoints = 1;
    o.llama_server = command;
    o.in_flight = 8;
    o.max_tries = TRIES;
    o.timeout_s = TRY_S;
    if (gm_llm_new(&llm, &o, &err) == GM_OK)
        return 0;
    print_error("%s\n", err.msg);
    return -1;
}

static int stop(void **state)
{
    gm_llm_free(llm);
    llm = NULL;
    return no_leak(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_that_is_missing),
        cmocka_unit_test(server_ends_with_a_killed_parent),
        cmocka_unit_test_setup_teardown(plain_text_and_usage, start, stop),
        cmocka_unit_test_setup_teardown(yes_with_logprobs, start, stop),
        cmocka_unit_test_setup_teardown(schemas_in_eight_slots, start, stop),
        cmocka_unit_test_setup_teardown(picture_is_refused, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
