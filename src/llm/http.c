/* Requests: libcurl's multi interface, driven by epoll. Where they go is in http_target.c. */
#include "llm/http_internal.h"

#include "base/alloc.h"
#include "base/progress.h"

#include <curl/curl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTS_MAX = 64 };

struct transfer {
    CURL *easy;
    struct gm_buf body;
    bool too_large;
    void *user;
    char what[CURL_ERROR_SIZE];
    struct transfer *prev, *next; /* in `busy` or (next only) in `idle` */
};

/* Driven by events: a wake-up costs what has happened, not what is open. */
struct gm_http {
    CURLM *multi;
    int epoll_fd, wake_fd;
    double timer_at; /* when libcurl wants to be called in any case; < 0 = never */
    bool drops;      /* what is busy is given out as dropped */
    struct transfer *busy, *idle;
};

/* libcurl wants to know of a socket: reading, writing, both, or no more. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
    struct gm_http *h = user;
    struct epoll_event e = {.data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(h->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    e.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (known)
        return epoll_ctl(h->epoll_fd, EPOLL_CTL_MOD, fd, &e);
    curl_multi_assign(h->multi, fd, h); /* `known` from now on */
    return epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct gm_http *h = user;
    (void)multi;
    h->timer_at = timeout_ms < 0 ? -1 : gm_clock_s() + (double)timeout_ms / 1000;
    return 0;
}

static enum gm_status open_events(struct gm_http *h, struct gm_error *err)
{
    struct epoll_event e = {.events = EPOLLIN};
    h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    e.data.fd = h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (h->epoll_fd < 0 || h->wake_fd < 0 ||
        epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, h->wake_fd, &e) != 0)
        return GM_FAIL(err, GM_EIO, "no more files can be opened");
    return GM_OK;
}

enum gm_status gm_http_new(struct gm_http **out, size_t max_connections, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    if (!gm_curl_is_ready())
        return GM_FAIL(err, GM_ENET, "libcurl does not start");
    struct gm_http *h = gm_alloc(1, sizeof *h);
    if (!h)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    h->epoll_fd = h->wake_fd = -1;
    h->timer_at = -1;
    GM_TRY(open_events(h, err));
    if (!(h->multi = curl_multi_init())) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    long n = max_connections < 4096 ? (long)max_connections : 4096;
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, n + 4);
    curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    *out = h;
    h = NULL;
done:
    gm_http_free(h);
    return st;
}

static void transfer_free(struct transfer *t)
{
    curl_easy_cleanup(t->easy);
    gm_buf_clear(&t->body);
    gm_free(t);
}

void gm_http_free(struct gm_http *h)
{
    if (!h)
        return;
    for (struct transfer *t = h->busy, *next; t; t = next) {
        next = t->next;
        curl_multi_remove_handle(h->multi, t->easy);
        transfer_free(t);
    }
    for (struct transfer *t = h->idle, *next; t; t = next) {
        next = t->next;
        transfer_free(t);
    }
    if (h->multi)
        curl_multi_cleanup(h->multi);
    if (h->epoll_fd >= 0)
        close(h->epoll_fd);
    if (h->wake_fd >= 0)
        close(h->wake_fd);
    gm_free(h);
}

static size_t on_body(char *p, size_t size, size_t n, void *user)
{
    struct transfer *t = user;
    if (gm_buf_add(&t->body, p, size * n, NULL) == GM_OK)
        return size * n;
    t->too_large = true;
    return 0; /* ends the transfer */
}

static void set_options(struct transfer *t, const struct gm_http_request *req)
{
    CURL *c = t->easy;
    const struct gm_http_target *to = req->target;
    curl_easy_setopt(c, CURLOPT_URL, to->url);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, to->headers);
    curl_easy_setopt(c, CURLOPT_POST, 1L);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.n);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, req->body.p);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->what);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, req->timeout_ms);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, req->connect_timeout_ms);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "gmner");
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, ""); /* what libcurl can decode */
    if (to->ca_file)
        curl_easy_setopt(c, CURLOPT_CAINFO, to->ca_file);
    if (to->loopback)
        curl_easy_setopt(c, CURLOPT_PROXY, "");
}

static struct transfer *transfer_get(struct gm_http *h)
{
    struct transfer *t = h->idle;
    if (t) {
        h->idle = t->next;
        curl_easy_reset(t->easy);
        return t;
    }
    t = gm_alloc(1, sizeof *t);
    if (t && !(t->easy = curl_easy_init())) {
        gm_free(t);
        t = NULL;
    }
    return t;
}

static void transfer_put(struct gm_http *h, struct transfer *t)
{
    t->next = h->idle;
    h->idle = t;
}

enum gm_status gm_http_start(struct gm_http *h, const struct gm_http_request *req,
                             struct gm_error *err)
{
    struct transfer *t = transfer_get(h);
    if (!t)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_buf_init(&t->body, req->max_reply);
    t->user = req->user;
    t->too_large = false;
    t->what[0] = 0;
    set_options(t, req);
    CURLMcode code = curl_multi_add_handle(h->multi, t->easy);
    if (code != CURLM_OK) {
        transfer_put(h, t);
        return GM_FAIL(err, GM_ENET, "cannot start a request: %s", curl_multi_strerror(code));
    }
    t->prev = NULL;
    t->next = h->busy;
    if (h->busy)
        h->busy->prev = t;
    h->busy = t;
    return GM_OK;
}

static void on_event(struct gm_http *h, const struct epoll_event *e)
{
    uint64_t count;
    int running, what = (e->events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                        (e->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                        (e->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    if (e->data.fd == h->wake_fd)
        (void)!read(h->wake_fd, &count, sizeof count);
    else
        curl_multi_socket_action(h->multi, e->data.fd, what, &running);
}

void gm_http_wait(struct gm_http *h, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int running;
    if (h->timer_at >= 0) {
        double left_ms = ceil((h->timer_at - gm_clock_s()) * 1000);
        timeout_ms = left_ms < timeout_ms ? (left_ms > 0 ? (int)left_ms : 0) : timeout_ms;
    }
    int n = epoll_wait(h->epoll_fd, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < n; i++)
        on_event(h, &events[i]);
    if (h->timer_at >= 0 && gm_clock_s() >= h->timer_at) {
        h->timer_at = -1;
        curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

void gm_http_wake(struct gm_http *h)
{
    const uint64_t one = 1;
    (void)!write(h->wake_fd, &one, sizeof one); /* it fails only when it has been woken often */
}

static enum gm_http_fault fault_of(CURLcode code, const struct transfer *t)
{
    switch (code) {
    case CURLE_OK: return GM_HTTP_OK;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return GM_HTTP_CONNECT;
    case CURLE_OPERATION_TIMEDOUT: return GM_HTTP_TIMEOUT;
    case CURLE_ABORTED_BY_CALLBACK: return GM_HTTP_DROPPED; /* there is no such callback of ours */
    case CURLE_WRITE_ERROR: return t->too_large ? GM_HTTP_TOO_LARGE : GM_HTTP_BROKEN;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR: return GM_HTTP_TLS;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return GM_HTTP_BROKEN;
    default: return GM_HTTP_OTHER;
    }
}

static void describe(struct transfer *t, CURLcode code, struct gm_http_done *out)
{
    long status = 0, request_size = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &request_size);
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after);
    *out = (struct gm_http_done){.user = t->user,
                                 .fault = fault_of(code, t),
                                 .status = (int)status,
                                 .retry_after_s = retry_after > 0 ? (double)retry_after : -1,
                                 .sent = request_size > 0,
                                 .body = t->body};
    const char *what = t->too_large ? "the reply is too large"
                       : t->what[0] ? t->what
                                    : curl_easy_strerror(code);
    snprintf(out->what, sizeof out->what, "%s", code == CURLE_OK ? "" : what);
}

static void take_out(struct gm_http *h, struct transfer *t)
{
    curl_multi_remove_handle(h->multi, t->easy);
    if (t->prev)
        t->prev->next = t->next;
    else
        h->busy = t->next;
    if (t->next)
        t->next->prev = t->prev;
    transfer_put(h, t);
}

bool gm_http_next(struct gm_http *h, struct gm_http_done *out)
{
    int queued;
    struct transfer *t = NULL;
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;
    const CURLMsg *m = curl_multi_info_read(h->multi, &queued);
    if (m) {
        code = m->data.result; /* m does not outlive the removal */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
    } else if (h->drops && h->busy) {
        t = h->busy;
        /* else its removal would wait for a name server that does not answer */
        curl_easy_setopt(t->easy, CURLOPT_QUICK_EXIT, 1L);
    }
    h->drops = h->drops && t;
    if (!t)
        return false;
    describe(t, code, out);
    gm_buf_init(&t->body, 0); /* its memory went to *out */
    take_out(h, t);
    return true;
}

void gm_http_drop(struct gm_http *h) { h->drops = true; }

static size_t drop_body(char *p, size_t size, size_t n, void *user)
{
    (void)p;
    (void)user;
    return size * n;
}

int gm_http_status(const char *url, long timeout_ms)
{
    long status = 0;
    CURL *c = gm_curl_is_ready() ? curl_easy_init() : NULL;
    if (!c)
        return 0;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, drop_body);
    if (curl_easy_perform(c) == CURLE_OK)
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(c);
    return (int)status;
}
