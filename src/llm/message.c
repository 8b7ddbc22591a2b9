#include "llm/message.h"

#include "base/utf8.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static enum gm_status write_base64(struct gm_str s, struct gm_buf *out, struct gm_error *err)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum gm_status st = gm_buf_reserve(out, (s.n + 2) / 3 * 4, err);
    char quad[4];
    for (size_t i = 0; i < s.n && st == GM_OK; i += 3) {
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (i + k < s.n ? (unsigned char)s.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            quad[k] = i + k <= s.n ? digits[v >> (18 - 6 * k) & 63] : '=';
        st = gm_buf_add(out, quad, 4, err);
    }
    return st;
}

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
        GM_TRY(write_base64(p->bytes, out, err));
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

enum gm_status gm_llm_write_tail(const struct gm_llm_tail *t, struct gm_buf *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err, ",\"max_tokens\":%ld", t->max_tokens));
    if (t->temperature >= 0)
        GM_TRY(gm_buf_printf(out, err, ",\"temperature\":%g", t->temperature));
    if (t->top_p >= 0)
        GM_TRY(gm_buf_printf(out, err, ",\"top_p\":%g", t->top_p));
    if (t->seed >= 0)
        GM_TRY(gm_buf_printf(out, err, ",\"seed\":%lld", t->seed));
    if (t->logprobs)
        GM_TRY(gm_buf_add_c(out, ",\"logprobs\":true,\"top_logprobs\":5", err));
    if (t->schema) {
        GM_TRY(gm_buf_add_c(out,
                            ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":"
                            "{\"name\":\"answer\",\"strict\":true,\"schema\":",
                            err));
        GM_TRY(gm_json_write(t->schema, false, out, err));
        GM_TRY(gm_buf_add_c(out, "}}", err));
    }
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

/* The text of a content that is a string, or a list of parts (some servers). */
static bool content_text(const struct gm_json *content, struct gm_str *out)
{
    if (gm_json_str(content, out))
        return true;
    for (size_t i = 0; i < gm_json_count(content); i++)
        if (gm_json_str(gm_json_get(gm_json_at(content, i), "text"), out))
            return true;
    return false;
}

static size_t token_count(const struct gm_json *j)
{
    long long n;
    return gm_json_int(j, &n) && n > 0 ? (size_t)n : 0;
}

enum gm_status gm_llm_read_answer(struct gm_llm_answer *out, struct gm_str body,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str why;
    struct gm_buf valid;
    *out = (struct gm_llm_answer){0};
    gm_buf_init(&valid, body.n * 3 + 1);
    if (!gm_utf8_is_valid(body)) {
        GM_TRY(gm_utf8_repair(body, &valid, err));
        body = gm_buf_str(&valid);
    }
    GM_TRY(gm_json_parse(&out->envelope, body, err));
    const struct gm_json *choice = gm_json_at(gm_json_get(out->envelope, "choices"), 0);
    const struct gm_json *usage = gm_json_get(out->envelope, "usage");
    const struct gm_json *logprobs = gm_json_get(choice, "logprobs");
    if (!content_text(gm_json_get(gm_json_get(choice, "message"), "content"), &out->text)) {
        st = GM_FAIL(err, GM_EFORMAT, "the reply has no choices[0].message.content");
        goto done;
    }
    out->cut =
        gm_json_str(gm_json_get(choice, "finish_reason"), &why) && gm_str_eq_c(why, "length");
    out->logprobs = gm_json_get(logprobs, "content");
    out->has_usage = gm_json_get(usage, "prompt_tokens") != NULL;
    out->usage.prompt = token_count(gm_json_get(usage, "prompt_tokens"));
    out->usage.completion = token_count(gm_json_get(usage, "completion_tokens"));
    out->usage.cached =
        token_count(gm_json_get(gm_json_get(usage, "prompt_tokens_details"), "cached_tokens"));
done:
    if (st != GM_OK) {
        gm_json_free(out->envelope);
        out->envelope = NULL;
    }
    gm_buf_clear(&valid);
    return st;
}

/* Overwrite every occurrence of the key. */
static void hide_key(char *s, const char *key)
{
    size_t n = key ? strlen(key) : 0;
    for (char *at = n >= 4 ? strstr(s, key) : NULL; at; at = strstr(at + n, key))
        memset(at, '*', n);
}

void gm_llm_server_message(struct gm_str body, const char *key, char *out, size_t cap)
{
    struct gm_json *j = NULL;
    struct gm_str text = body;
    char whole[1024];
    if (gm_json_parse(&j, body, NULL) == GM_OK) {
        const struct gm_json *e = gm_json_get(j, "error");
        if (!gm_json_str(gm_json_get(e, "message"), &text) && !gm_json_str(e, &text))
            (void)gm_json_str(gm_json_get(j, "message"), &text);
    }
    text = gm_str_trim(text);
    /* The key is hidden before the text is cut, or a piece of it could stay. */
    snprintf(whole, sizeof whole, "%.*s", (int)(text.n < 1000 ? text.n : 1000),
             text.n ? text.p : "");
    hide_key(whole, key);
    gm_utf8_one_line(whole);
    snprintf(out, cap, "%s", whole);
    gm_utf8_one_line(out);
    gm_json_free(j);
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
    for (size_t i = 0; i < gm_json_count(logprobs); i++) {
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
