/* What the client logs: its log function may ask the client, as it holds no lock meanwhile. */

#include "unit.h"

#include "base/log.h"
#include "llm/llm.h"
#include "llm_server/server_process.h"

#include <unistd.h>

static enum gm_status has_none(void *user, const char *key, struct gm_buf *out, bool *found,
                               struct gm_error *err)
{
    (void)user, (void)key, (void)out, (void)err;
    *found = false;
    return GM_OK;
}

static enum gm_status keeps_none(void *user, const char *key, struct gm_str reply,
                                 struct gm_error *err)
{
    (void)user, (void)key, (void)reply;
    return GM_FAIL(err, GM_EIO, "the disk is full");
}

static enum gm_status commits_none(void *user, struct gm_error *err)
{
    (void)user, (void)err;
    return GM_OK;
}

struct watcher {
    struct gm_llm *llm;
    size_t n_warnings;
};

/* As a host whose log function waits for a lock that it holds where it asks what was spent. */
static void count_when_told(void *user, enum gm_log_level level, const char *line)
{
    struct watcher *w = user;
    struct gm_llm_stats s;
    w->n_warnings += level == GM_LOG_WARN && strstr(line, "the disk is full") != NULL;
    gm_llm_stats(w->llm, &s);
}

static void ask_once(struct gm_llm_mailbox *box)
{
    const struct gm_llm_part part = {.kind = GM_LLM_TEXT, .bytes = GM_STR("<<x>>")};
    const struct gm_llm_message m = {"user", &part, 1};
    const struct gm_llm_request request = {.messages = &m, .n_messages = 1, .max_tokens = 20};
    struct gm_llm_reply r;
    uint64_t id;
    assert_int_equal(gm_llm_submit(box, &request, &id, NULL), GM_OK);
    if (!gm_llm_poll(box, 20000, &r))
        fail_msg("no reply in 20 s");
    assert_int_equal(r.st, GM_OK);
    gm_llm_reply_clear(&r);
}

static void nothing_is_logged_under_the_lock(void **state)
{
    (void)state;
    struct server_process s;
    struct gm_llm_mailbox *box;
    struct watcher w = {NULL, 0};
    assert_int_equal(server_start(&s, ""), 0);
    const char *urls[] = {s.url};
    struct gm_llm_opts o = gm_llm_opts_default();
    o.endpoints = urls;
    o.n_endpoints = 1;
    o.cache = (struct gm_llm_cache){NULL, has_none, keeps_none, commits_none};
    assert_int_equal(gm_llm_new(&w.llm, &o, NULL), GM_OK);
    assert_int_equal(gm_llm_mailbox_new(&box, w.llm, NULL), GM_OK);
    gm_log_sink(count_when_told, &w);
    alarm(60); /* it would wait for itself for ever */
    for (int i = 0; i < 3; i++)
        ask_once(box);
    gm_llm_mailbox_free(box);
    gm_llm_free(w.llm);
    alarm(0);
    gm_log_sink(NULL, NULL);
    server_stop(&s);
    assert_int_equal(w.n_warnings, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_is_logged_under_the_lock, no_leak)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
