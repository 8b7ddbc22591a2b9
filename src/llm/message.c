#include "llm/message.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "llm/json_repair.h"
#include "llm/thoughts.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static enum gm_status write_text(struct gm_str s, struct gm_buf *out, struct gm_error *err)
{
    if (!gm_utf8_is_valid(s))
        return GM_FAIL(err, GM_EFORMAT, "a prompt is not valid UTF-8");
    return gm_json_write_str(s, out, err);
}

static enum gm_status write_part(const struct gm_llm_part *p, struct gm_buf *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (p->kind == GM_LLM_TEXT) {
        GM_TRY(gm_buf_add_c(out, "{\"type\":\"text\",\"text\":", err));
        GM_TRY(write_text(p->bytes, out, err));
        GM_TRY(gm_buf_add_c(out, "}", err));
    } else {
        GM_TRY(gm_buf_add_c(
            out, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/jpeg;base64,", err));
        GM_TRY(gm_base64_write(out, p->bytes, err));
        GM_TRY(gm_buf_add_c(out, "\"}}", err));
    }
done:
    return st;
}

static enum gm_status write_message(const struct gm_llm_message *m, struct gm_buf *out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err, "{\"role\":\"%s\",\"content\":", m->role));
    if (m->n_parts == 1 && m->parts[0].kind == GM_LLM_TEXT) {
        GM_TRY(write_text(m->parts[0].bytes, out, err)); /* the form that every server knows */
    } else {
        GM_TRY(gm_buf_add_c(out, "[", err));
        for (size_t i = 0; i < m->n_parts; i++) {
            GM_TRY(gm_buf_add_c(out, i ? "," : "", err));
            GM_TRY(write_part(&m->parts[i], out, err));
        }
        GM_TRY(gm_buf_add_c(out, "]", err));
    }
    GM_TRY(gm_buf_add_c(out, "}", err));
done:
    return st;
}

enum gm_status gm_llm_write_head(const char *model, const struct gm_llm_message *messages, size_t n,
                                 struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "{\"model\":", err));
    GM_TRY(write_text(gm_str(model), out, err));
    GM_TRY(gm_buf_add_c(out, ",\"messages\":[", err));
    for (size_t i = 0; i < n; i++) {
        GM_TRY(gm_buf_add_c(out, i ? "," : "", err));
        GM_TRY(write_message(&messages[i], out, err));
    }
    GM_TRY(gm_buf_add_c(out, "]", err));
done:
    return st;
}

/* The parameters that the extra members stand in place of. */
static unsigned replaced(const struct gm_json *extra)
{
    static const struct {
        unsigned p;
        const char *name;
    } params[] = {{GM_LLM_P_SCHEMA, "response_format"},
                  {GM_LLM_P_LOGPROBS, "logprobs"},
                  {GM_LLM_P_TEMPERATURE, "temperature"},
                  {GM_LLM_P_TOP_P, "top_p"},
                  {GM_LLM_P_SEED, "seed"},
                  {GM_LLM_P_MAX_TOKENS | GM_LLM_P_MAX_COMPLETION, "max_tokens"},
                  {GM_LLM_P_MAX_TOKENS | GM_LLM_P_MAX_COMPLETION, "max_completion_tokens"}};
    unsigned p = 0;
    for (size_t i = 0; i < sizeof params / sizeof *params; i++)
        p |= gm_json_get(extra, params[i].name) ? params[i].p : 0;
    return p;
}

static enum gm_status write_extra(const struct gm_json *extra, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (void *it = gm_json_first(extra); it; it = gm_json_next(extra, it)) {
        if (gm_json_kind(gm_json_value(it)) == GM_JSON_NULL)
            continue;
        GM_TRY(gm_buf_add_c(out, ",", err));
        GM_TRY(gm_json_write_str(gm_json_key(it), out, err));
        GM_TRY(gm_buf_add_c(out, ":", err));
        GM_TRY(gm_json_write(gm_json_value(it), false, out, err));
    }
done:
    return st;
}

unsigned gm_llm_tail_sends(const struct gm_llm_tail *t)
{
    unsigned all = (t->schema ? GM_LLM_P_SCHEMA : 0u) | (t->logprobs ? GM_LLM_P_LOGPROBS : 0u) |
                   (t->temperature >= 0 ? GM_LLM_P_TEMPERATURE : 0u) |
                   (t->top_p >= 0 ? GM_LLM_P_TOP_P : 0u) | (t->seed >= 0 ? GM_LLM_P_SEED : 0u);
    return (all |
            (t->without & GM_LLM_P_MAX_TOKENS ? GM_LLM_P_MAX_COMPLETION : GM_LLM_P_MAX_TOKENS)) &
           ~t->without & ~replaced(t->extra);
}

enum gm_status gm_llm_write_tail(const struct gm_llm_tail *t, struct gm_buf *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    unsigned sends = gm_llm_tail_sends(t);
    if (sends & GM_LLM_P_MAX_TOKENS)
        GM_TRY(gm_buf_printf(out, err, ",\"max_tokens\":%ld", t->max_tokens));
    if (sends & GM_LLM_P_MAX_COMPLETION)
        GM_TRY(gm_buf_printf(out, err, ",\"max_completion_tokens\":%ld", t->max_tokens));
    if (sends & GM_LLM_P_TEMPERATURE)
        GM_TRY(gm_buf_printf(out, err, ",\"temperature\":%g", t->temperature));
    if (sends & GM_LLM_P_TOP_P)
        GM_TRY(gm_buf_printf(out, err, ",\"top_p\":%g", t->top_p));
    if (sends & GM_LLM_P_SEED)
        GM_TRY(gm_buf_printf(out, err, ",\"seed\":%lld", t->seed));
    if (sends & GM_LLM_P_LOGPROBS)
        GM_TRY(gm_buf_add_c(out, ",\"logprobs\":true,\"top_logprobs\":5", err));
    if (sends & GM_LLM_P_SCHEMA) {
        GM_TRY(gm_buf_add_c(out,
                            ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":"
                            "{\"name\":\"answer\",\"strict\":true,\"schema\":",
                            err));
        GM_TRY(gm_json_write(t->schema, false, out, err));
        GM_TRY(gm_buf_add_c(out, "}}", err));
    }
    GM_TRY(write_extra(t->extra, out, err));
    GM_TRY(gm_buf_add_c(out, "}", err));
done:
    return st;
}

size_t gm_llm_estimate(const struct gm_llm_message *messages, size_t n, bool bound)
{
    size_t total = 16;
    for (size_t i = 0; i < n; i++) {
        total += 16;
        for (size_t k = 0; k < messages[i].n_parts; k++) {
            const struct gm_llm_part *p = &messages[i].parts[k];
            if (p->kind == GM_LLM_TEXT)
                total += bound ? p->bytes.n : (p->bytes.n + 3) / 4;
            else /* a token a 28 x 28 patch (Qwen2.5-VL), the densest of the common encoders */
                total += (size_t)p->w * p->h / (bound ? 500 : 784) + 64;
        }
    }
    return total;
}

static size_t token_count(const struct gm_json *j)
{
    long long n;
    return gm_json_int(j, &n) && n > 0 ? (size_t)n : 0;
}

enum gm_status gm_llm_read_envelope(struct gm_json **out, struct gm_str body, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    enum gm_json_care care;
    struct gm_buf valid;
    *out = NULL;
    gm_buf_init(&valid, body.n * 3 + 1);
    if (!gm_utf8_is_valid(body)) {
        GM_TRY(gm_utf8_repair(body, &valid, err));
        body = gm_buf_str(&valid);
    }
    GM_TRY(gm_json_read_tolerant(out, body, &care, err));
    if (care == GM_JSON_TRUNCATED) {
        st = GM_FAIL(err, GM_EFORMAT, "the reply's JSON is cut off");
        goto done;
    }
    if (gm_json_kind(*out) == GM_JSON_ARRAY && gm_json_count(*out) == 1) {
        struct gm_json *inner = gm_json_ref(gm_json_at(*out, 0));
        gm_json_free(*out);
        *out = inner;
    }
done:
    if (st != GM_OK) {
        gm_json_free(*out);
        *out = NULL;
    }
    gm_buf_clear(&valid);
    return st;
}

/* All text parts of a content that is a list; thoughts have parts of their own kinds. */
static enum gm_status join_parts(const struct gm_json *content, struct gm_buf *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < gm_json_count(content) && st == GM_OK; i++) {
        const struct gm_json *part = gm_json_at(content, i);
        struct gm_str type = GM_STR("text"), text;
        (void)gm_json_str(gm_json_get(part, "type"), &type);
        if (gm_str_eq_c(type, "thinking") || gm_str_eq_c(type, "reasoning"))
            continue;
        if (gm_json_str(part, &text) || gm_json_str(gm_json_get(part, "text"), &text))
            st = gm_buf_add_str(out, text, err);
    }
    return st;
}

/* The text of a choice; one that is put together becomes its "text", so that it has an owner. */
static enum gm_status choice_text(struct gm_json *choice, struct gm_str *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *message = gm_json_get(choice, "message");
    const struct gm_json *content = gm_json_get(message, "content");
    struct gm_buf b;
    *out = GM_STR("");
    if (gm_json_str(content, out) || (!message && gm_json_str(gm_json_get(choice, "text"), out)))
        return GM_OK;
    if (gm_json_kind(content) != GM_JSON_ARRAY)
        return GM_OK;
    gm_buf_init(&b, (size_t)64 << 20);
    GM_TRY(join_parts(content, &b, err));
    if (!gm_json_set(choice, "text", gm_json_new_str(gm_buf_str(&b)))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    (void)gm_json_str(gm_json_get(choice, "text"), out);
done:
    gm_buf_clear(&b);
    return st;
}

/* Why a choice has no text, as far as it says so. */
static void say_none(struct gm_llm_answer *out, const struct gm_json *choice, struct gm_str finish)
{
    const struct gm_json *message = gm_json_get(choice, "message");
    const struct gm_json *content = gm_json_get(message, "content");
    const struct gm_json *call = gm_json_at(gm_json_get(message, "tool_calls"), 0);
    struct gm_str s = {NULL, 0};
    bool says = gm_json_str(gm_json_get(message, "refusal"), &s) && s.n;
    for (size_t i = 0; i < gm_json_count(content) && !says; i++)
        says = gm_json_str(gm_json_get(gm_json_at(content, i), "refusal"), &s) && s.n;
    out->refused = true;
    if (says) {
        snprintf(out->none, sizeof out->none, "refused: %.*s", GM_STR_ARG(s));
    } else if (call) {
        (void)gm_json_str(gm_json_get(gm_json_get(call, "function"), "name"), &s);
        snprintf(out->none, sizeof out->none,
                 "the model calls the tool \"%.*s\" in place of an answer", GM_STR_ARG(s));
    } else if (gm_str_eq_c(finish, "content_filter")) {
        snprintf(out->none, sizeof out->none, "refused: the server's content filter took it away");
    } else {
        out->refused = false;
        snprintf(out->none, sizeof out->none,
                 out->cut ? "max_tokens were used up before an answer" : "an empty answer");
    }
    gm_utf8_one_line(out->none);
}

/* How many bytes of `all`, the tokens' texts, come before the answer: the last place where its
 * words stand. Where they don't, as tokens are written in ways of their own, behind the thoughts. */
static size_t answer_start(struct gm_str all, struct gm_str answer)
{
    answer = gm_str_trim(answer);
    /* From the end: a model that repeats itself says its answer at every place before. */
    for (size_t i = all.n - answer.n + 1; answer.n && answer.n <= all.n && i-- > 0;)
        if (memcmp(all.p + i, answer.p, answer.n) == 0)
            return i;
    struct gm_str rest = all;
    return gm_thoughts_cut(&rest) && rest.n ? (size_t)(rest.p - all.p) : 0;
}

/* The logprobs' tokens without those of the thoughts, in which "no" is often said. */
static enum gm_status cut_tokens(struct gm_json *logprobs, struct gm_str answer,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *tokens = gm_json_get(logprobs, "content");
    struct gm_json *kept = NULL;
    struct gm_str t;
    struct gm_buf all;
    gm_buf_init(&all, (size_t)64 << 20);
    if (gm_json_count(tokens) == 0)
        goto done;
    for (size_t i = 0; i < gm_json_count(tokens); i++)
        if (gm_json_str(gm_json_get(gm_json_at(tokens, i), "token"), &t))
            GM_TRY(gm_buf_add_str(&all, t, err));
    size_t start = answer_start(gm_buf_str(&all), answer), end = 0;
    kept = gm_json_new_array();
    for (size_t i = 0; i < gm_json_count(tokens); i++) {
        const struct gm_json *one = gm_json_at(tokens, i);
        if (gm_json_str(gm_json_get(one, "token"), &t))
            end += t.n;
        if (end > start && !gm_json_add(kept, gm_json_ref(one))) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
            goto done;
        }
    }
    struct gm_json *value = kept;
    kept = NULL;
    if (!gm_json_set(logprobs, "content", value))
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_json_free(kept);
    gm_buf_clear(&all);
    return st;
}

static void read_usage(struct gm_llm_answer *out, const struct gm_json *usage)
{
    out->has_usage = gm_json_get(usage, "prompt_tokens") != NULL;
    out->usage.prompt = token_count(gm_json_get(usage, "prompt_tokens"));
    out->usage.completion = token_count(gm_json_get(usage, "completion_tokens"));
    out->usage.cached =
        token_count(gm_json_get(gm_json_get(usage, "prompt_tokens_details"), "cached_tokens"));
}

enum gm_status gm_llm_read_answer(struct gm_llm_answer *out, struct gm_str body,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str finish = GM_STR("");
    *out = (struct gm_llm_answer){0};
    GM_TRY(gm_llm_read_envelope(&out->envelope, body, err));
    struct gm_json *choice = gm_json_at(gm_json_get(out->envelope, "choices"), 0);
    struct gm_json *logprobs = gm_json_get(choice, "logprobs");
    if (gm_json_kind(choice) != GM_JSON_OBJECT) {
        st = GM_FAIL(err, GM_EFORMAT, "the reply has no choices[0]");
        goto done;
    }
    (void)gm_json_str(gm_json_get(choice, "finish_reason"), &finish);
    out->cut = gm_str_eq_c(finish, "length");
    GM_TRY(choice_text(choice, &out->text, err));
    out->thoughts = !gm_thoughts_cut(&out->text);
    if (out->thoughts)
        snprintf(out->none, sizeof out->none, "the model's thoughts end without an answer");
    else if (!gm_str_trim(out->text).n && gm_json_kind(gm_json_get(choice, "error")) > GM_JSON_NULL)
        st = GM_FAIL(err, GM_EFORMAT, "the reply's choice is an error");
    else if (!gm_str_trim(out->text).n)
        say_none(out, choice, finish);
    if (st != GM_OK)
        goto done;
    GM_TRY(cut_tokens(logprobs, out->text, err));
    out->logprobs = gm_json_get(logprobs, "content");
    read_usage(out, gm_json_get(out->envelope, "usage"));
done:
    if (st != GM_OK) {
        gm_json_free(out->envelope);
        out->envelope = NULL;
    }
    return st;
}

/* 1 for yes or true, 0 for no or false, -1 for anything else; white space and quotes are passed
 * over, as tokens bring them along. */
static int yes_or_no(struct gm_str token)
{
    static const char *const words[] = {"no", "yes", "false", "true"};
    while (token.n && !isalpha((unsigned char)token.p[0]) && (unsigned char)token.p[0] < 0x80)
        token = gm_str_sub(token, 1, token.n);
    while (token.n && !isalpha((unsigned char)token.p[token.n - 1]) &&
           (unsigned char)token.p[token.n - 1] < 0x80)
        token.n--;
    for (int i = 0; i < 4; i++)
        if (token.n == strlen(words[i]) && strncasecmp(token.p, words[i], token.n) == 0)
            return i & 1;
    return -1;
}

static void add_probability(const struct gm_json *entry, double p[2])
{
    struct gm_str token;
    double lp;
    if (!gm_json_str(gm_json_get(entry, "token"), &token) ||
        !gm_json_num(gm_json_get(entry, "logprob"), &lp))
        return;
    int which = yes_or_no(token);
    if (which >= 0)
        p[which] += exp(lp);
}

double gm_llm_yes(const struct gm_json *logprobs)
{
    for (size_t i = gm_json_count(logprobs); i-- > 0;) {
        const struct gm_json *at = gm_json_at(logprobs, i), *top = gm_json_get(at, "top_logprobs");
        struct gm_str token;
        double p[2] = {0, 0};
        if (!gm_json_str(gm_json_get(at, "token"), &token) || yes_or_no(token) < 0)
            continue;
        for (size_t k = 0; k < gm_json_count(top); k++)
            add_probability(gm_json_at(top, k), p);
        if (p[0] + p[1] <= 0)
            add_probability(at, p);
        return p[0] + p[1] > 0 ? p[1] / (p[0] + p[1]) : NAN;
    }
    return NAN;
}
