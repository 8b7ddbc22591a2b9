#include "llm/server_error.h"

#include "base/utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void add(char *out, size_t cap, const char *between, struct gm_str s)
{
    size_t n = strlen(out);
    s = gm_str_trim(s);
    if (s.n && n < cap)
        snprintf(out + n, cap - n, "%s%.*s", n ? between : "", GM_STR_ARG(s));
}

/* "detail" of FastAPI: a text, or a list of {"loc": ["body", NAME], "msg"}. */
static bool add_detail(struct gm_server_error *out, const struct gm_json *detail)
{
    struct gm_str s;
    if (gm_json_str(detail, &s)) {
        add(out->text, sizeof out->text, "", s);
        return true;
    }
    for (size_t i = 0; i < gm_json_count(detail); i++) {
        const struct gm_json *one = gm_json_at(detail, i), *loc = gm_json_get(one, "loc");
        if (gm_json_str(gm_json_at(loc, gm_json_count(loc) - 1), &s))
            add(out->text, sizeof out->text, "; ", s);
        if (gm_json_str(gm_json_get(one, "msg"), &s))
            add(out->text, sizeof out->text, ": ", s);
    }
    return out->text[0] != 0;
}

/* A status that stands in the body, as a number or as digits. */
static int status_in(const struct gm_json *code)
{
    long long n = 0;
    struct gm_str s;
    if (!gm_json_int(code, &n) && gm_json_str(code, &s))
        (void)gm_str_to_int(s, &n);
    return n >= 400 && n <= 599 ? (int)n : 0;
}

static void read_json(struct gm_server_error *out, const struct gm_json *j)
{
    struct gm_str s;
    const struct gm_json *first = gm_json_at(gm_json_get(j, "choices"), 0);
    const struct gm_json *e = gm_json_get(j, "error");
    if (gm_json_kind(e) <= GM_JSON_NULL)
        e = gm_json_get(first, "error");
    out->is_error = gm_json_kind(e) > GM_JSON_NULL;
    if (gm_json_str(gm_json_get(e, "message"), &s) || gm_json_str(e, &s) ||
        gm_json_str(gm_json_get(j, "message"), &s))
        add(out->text, sizeof out->text, "", s);
    else if (add_detail(out, gm_json_get(j, "detail")))
        out->is_error = true;
    if (gm_json_str(gm_json_get(gm_json_get(e, "metadata"), "raw"), &s))
        add(out->text, sizeof out->text, ": ", s); /* of the service behind a gateway */
    if (gm_json_str(gm_json_get(e, "param"), &s))
        add(out->param, sizeof out->param, "", s);
    if (gm_json_str(gm_json_get(e, "type"), &s))
        add(out->code, sizeof out->code, "", s);
    if (gm_json_str(gm_json_get(e, "code"), &s))
        add(out->code, sizeof out->code, " ", s);
}

/* Whether `s` has `word` in it, in letters of any case. */
static bool has(const char *s, const char *word)
{
    size_t n = strlen(word);
    for (; *s; s++)
        if (strncasecmp(s, word, n) == 0)
            return true;
    return false;
}

static bool has_any(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (has(s, *words))
            return true;
    return false;
}

/* The status that an error with HTTP status 200 should have had. */
static int status_of(const struct gm_server_error *e, const struct gm_json *j)
{
    const struct gm_json *error = gm_json_get(j, "error");
    int s = status_in(gm_json_get(error, "code"));
    if (!s)
        s = status_in(gm_json_get(error, "status"));
    if (!s)
        s = status_in(
            gm_json_get(gm_json_get(gm_json_at(gm_json_get(j, "choices"), 0), "error"), "code"));
    if (s)
        return s;
    if (has(e->text, "unexpected endpoint"))
        return 404; /* LM Studio, asked without /v1 */
    if (has(e->code, "rate_limit") || has(e->code, "quota"))
        return 429;
    return has(e->code, "invalid_request") || has(e->code, "not_found") ? 400 : 500;
}

void gm_server_error_read(struct gm_server_error *out, int status, struct gm_str body,
                          const struct gm_secrets *secrets)
{
    struct gm_json *j = NULL;
    *out = (struct gm_server_error){.status = status};
    if (gm_llm_read_envelope(&j, body, NULL) == GM_OK)
        read_json(out, j);
    if (!out->text[0])
        add(out->text, sizeof out->text, "", body);
    /* Keys are hidden before a message cuts the text, or a piece of one could stay. */
    gm_secrets_hide(secrets, out->text);
    gm_utf8_one_line(out->text);
    if (status == 200 && out->is_error)
        out->status = status_of(out, j);
    gm_json_free(j);
}

bool gm_server_error_is_quota(const struct gm_server_error *e)
{
    static const char *const spent[] = {"insufficient_quota",
                                        "exceeded your current quota",
                                        "quota_exceeded",
                                        "quota exceeded",
                                        "billing",
                                        "insufficient balance",
                                        "insufficient credit",
                                        "insufficient_funds",
                                        "credit balance",
                                        "out of credits",
                                        "per-day",
                                        "per day",
                                        NULL};
    static const char *const comes_back[] = {"retry in",     "retry after", "try again in",
                                             "try again at", "retrydelay",  NULL};
    if (e->status == 402)
        return true;
    return e->status == 429 && (has_any(e->text, spent) || has_any(e->code, spent)) &&
           !has_any(e->text, comes_back);
}

bool gm_server_error_is_model(const struct gm_server_error *e)
{
    static const char *const unknown[] = {
        "does not exist",     "doesn't exist",         "invalid model",
        "unknown model",      "no such model",         "not a valid model",
        "unrecognized model", "is not a local folder", NULL};
    if (e->status != 400 && e->status != 404 && e->status != 422)
        return false;
    if (has(e->code, "model_not_found"))
        return true;
    return has(e->text, "model") &&
           (has_any(e->text, unknown) || (e->status == 404 && has(e->text, "not found")));
}

bool gm_server_error_is_pictures(const struct gm_server_error *e)
{
    static const char *const pictures[] = {"image", "vision", "multimodal", "multi-modal", NULL};
    static const char *const none[] = {
        "not support",     "n't support", "unsupported", "only supported",       "is not a",
        "at most 0",       "not allowed", "cannot",      "invalid content type", "no endpoints",
        "expected `text`", "not enabled", NULL};
    return e->status >= 400 && e->status != 401 && e->status != 403 && e->status != 429 &&
           has_any(e->text, pictures) && has_any(e->text, none);
}

/* The number behind `lead`, with `then` behind it; 0 = there is none. */
static size_t number_behind(const char *s, const char *lead, const char *then)
{
    size_t n = strlen(lead);
    for (; *s; s++) {
        char *end;
        if (strncasecmp(s, lead, n) != 0 || !isdigit((unsigned char)s[n]))
            continue;
        unsigned long most = strtoul(s + n, &end, 10);
        if (most <= 10000 && strncasecmp(end, then, strlen(then)) == 0)
            return most;
    }
    return 0;
}

size_t gm_server_error_most_pictures(const struct gm_server_error *e)
{
    static const char *const ways[][2] = {{"at most ", " image"},
                                          {"maximum of ", " image"},
                                          {"up to ", " image"},
                                          {"image=", " (or defaulted"},
                                          {"too many images in request. max is ", ""}};
    size_t most = 0;
    if (e->status < 400 || e->status == 401 || e->status == 403 || e->status == 429)
        return 0;
    for (size_t i = 0; i < sizeof ways / sizeof *ways && most == 0; i++)
        most = number_behind(e->text, ways[i][0], ways[i][1]);
    return most;
}

/* Whether the words hold this name, not as a part of a longer one. */
static bool names(const char *s, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = strstr(s, name); at; at = strstr(at + 1, name)) {
        bool starts = at == s || (!isalnum((unsigned char)at[-1]) && at[-1] != '_');
        if (starts && !isalnum((unsigned char)at[n]) && at[n] != '_')
            return true;
    }
    return false;
}

/* A value out of range is the request's own fault; a parameter that isn't known can be left out. */
static bool is_refusal(const struct gm_server_error *e)
{
    static const char *const words[] = {"unsupported",       "not support",
                                        "n't support",       "unrecognized",
                                        "unknown",           "unexpected",
                                        "not permitted",     "not allowed",
                                        "not available",     "extra_forbidden",
                                        "deprecated",        "only the default",
                                        "instead",           "cannot be specified",
                                        "invalid parameter", "not recognized",
                                        "not implemented",   NULL};
    return has_any(e->text, words) || has_any(e->code, words);
}

unsigned gm_server_error_param(const struct gm_server_error *e, unsigned sent)
{
    static const char *const schema[] = {"response_format", "schema",    "grammar",
                                         "structured",      "guided",    "additionalProperties",
                                         "json_object",     "json mode", NULL};
    static const struct {
        unsigned p;
        const char *name;
    } params[] = {{GM_LLM_P_LOGPROBS, "top_logprobs"},
                  {GM_LLM_P_LOGPROBS, "logprobs"},
                  {GM_LLM_P_MAX_TOKENS, "max_tokens"},
                  {GM_LLM_P_MAX_COMPLETION, "max_completion_tokens"},
                  {GM_LLM_P_TEMPERATURE, "temperature"},
                  {GM_LLM_P_TOP_P, "top_p"},
                  {GM_LLM_P_SEED, "seed"}};
    if (e->status < 400 || e->status == 401 || e->status == 402 || e->status == 403 ||
        e->status == 429)
        return 0;
    for (size_t i = 0; i < sizeof params / sizeof *params; i++)
        if ((sent & params[i].p) &&
            (names(e->param, params[i].name) || names(e->text, params[i].name)) &&
            (params[i].p == GM_LLM_P_LOGPROBS || is_refusal(e)))
            return params[i].p;
    /* Last, as its words are the least certain ones. */
    if ((sent & GM_LLM_P_SCHEMA) && (has_any(e->text, schema) || has_any(e->param, schema)))
        return GM_LLM_P_SCHEMA;
    return 0;
}
