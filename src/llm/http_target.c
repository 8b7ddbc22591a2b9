/* Where requests go: the address put together from its parts, and the headers, the key among them. */
#include "llm/http_internal.h"

#include "base/alloc.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void start_curl(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

bool gm_curl_is_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* libcurl's own global state */
    return pthread_once(&once, start_curl) == 0;
}

static enum gm_status check_url(const char *url, bool *loopback, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char *host = NULL, *user = NULL, *scheme = NULL;
    CURLU *u = curl_url();
    if (!u)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        st = GM_FAIL(err, GM_EARG, "an endpoint must be http://HOST[:PORT]/… or https://…");
    else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
        st = GM_FAIL(err, GM_EARG,
                     "an endpoint's URL must not hold a user or password; keys come from "
                     "OPENAI_API_KEY or a key file");
    else
        *loopback = strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                    strcmp(host, "[::1]") == 0;
    curl_free(host);
    curl_free(user);
    curl_free(scheme);
    curl_url_cleanup(u);
    return st;
}

/* A copy of u's text in our own memory; NULL = none left. */
static char *url_text(CURLU *u)
{
    char *text = NULL;
    if (curl_url_get(u, CURLUPART_URL, &text, 0) != CURLUE_OK)
        return NULL;
    char *copy = gm_strdup(text);
    curl_free(text);
    return copy;
}

/* u's path with `path` behind it, unless it is there already. */
static bool extend_path(CURLU *u, const char *path)
{
    char *old = NULL;
    struct gm_buf whole;
    if (curl_url_get(u, CURLUPART_PATH, &old, 0) != CURLUE_OK)
        return false;
    struct gm_str p = gm_str(old);
    gm_buf_init(&whole, 1 << 16);
    while (p.n && p.p[p.n - 1] == '/')
        p.n--;
    bool ok = gm_buf_printf(&whole, NULL, "%.*s%s", GM_STR_ARG(p),
                            gm_str_ends(p, gm_str(path)) ? "" : path) == GM_OK &&
              curl_url_set(u, CURLUPART_PATH, whole.p, 0) == CURLUE_OK;
    gm_buf_clear(&whole);
    curl_free(old);
    return ok;
}

/* The addresses of a target: put together by the URL's parts, so that a query stays behind. */
static enum gm_status set_address(struct gm_http_target *t, const char *url, const char *path,
                                  struct gm_error *err)
{
    CURLU *u = curl_url();
    bool ok = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK && extend_path(u, path) &&
              curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK && (t->url = url_text(u)) &&
              curl_url_set(u, CURLUPART_QUERY, NULL, 0) == CURLUE_OK && (t->address = url_text(u));
    curl_url_cleanup(u);
    return ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static bool add_header(struct gm_http_target *t, const char *line)
{
    struct curl_slist *more = curl_slist_append(t->headers, line);
    if (more)
        t->headers = more;
    return more != NULL;
}

static enum gm_status add_secret(struct gm_http_target *t, const char *head, const char *key,
                                 struct gm_error *err)
{
    struct gm_buf line;
    gm_buf_init(&line, 1 << 16);
    enum gm_status st = gm_buf_printf(&line, err, "%s%s", head, key);
    if (st == GM_OK && !add_header(t, line.p))
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_wipe(line.p, line.n);
    gm_buf_clear(&line);
    return st;
}

enum gm_status gm_http_target_new(struct gm_http_target **out, const char *url, const char *path,
                                  const char *key, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    if (!gm_curl_is_ready())
        return GM_FAIL(err, GM_ENET, "libcurl does not start");
    struct gm_http_target *t = gm_alloc(1, sizeof *t);
    if (!t)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(check_url(url, &t->loopback, err));
    const char *ca = getenv("SSL_CERT_FILE");
    if (ca && ca[0] && !(t->ca_file = gm_strdup(ca))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(set_address(t, url, path, err));
    /* No "Expect: 100-continue": it costs a round trip for each picture. */
    if (!add_header(t, "Content-Type: application/json") || !add_header(t, "Expect:")) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    if (key)
        GM_TRY(add_secret(t, "Authorization: Bearer ", key, err));
    if (key && strstr(t->url, "api-version=")) /* Azure's deployments know a key by this name */
        GM_TRY(add_secret(t, "api-key: ", key, err));
    *out = t;
    t = NULL;
done:
    gm_http_target_free(t);
    return st;
}

void gm_http_target_free(struct gm_http_target *t)
{
    if (!t)
        return;
    for (struct curl_slist *s = t->headers; s; s = s->next)
        gm_wipe(s->data, strlen(s->data));
    curl_slist_free_all(t->headers);
    gm_free(t->ca_file);
    gm_free(t->url);
    gm_free(t->address);
    gm_free(t);
}

const char *gm_http_target_address(const struct gm_http_target *t) { return t->address; }
