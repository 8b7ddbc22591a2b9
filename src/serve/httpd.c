/* HTTP by libmicrohttpd: a few threads with epoll; a call that waits for its answer is suspended and costs
 * none of them.
 *
 * Who may touch a call: the connection's thread, and whoever holds the call. Its answer changes under the
 * call's lock, and the connection is resumed under it too, so that a resume always finds it suspended. */
#define _GNU_SOURCE /* POLLRDHUP */
#include "serve/httpd.h"

#include "base/alloc.h"
#include "base/log.h"
#include "serve/clock.h"
#include "serve/conns.h"
#include "serve/listen.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = 1 << 16, PENDING_MAX = 1 << 30 };

struct gm_httpd {
    struct MHD_Daemon *daemon;
    struct gm_httpd_opts opts;
    uint16_t port;
    struct gm_conns conns;
};

struct header {
    const char *name, *value;
    struct header *next;
};

struct gm_call_state {
    struct gm_httpd *h;
    struct MHD_Connection *connection;
    int fd; /* the connection's, as long as it is not gone */
    bool has_begun, is_queued;
    atomic_int refs;
    pthread_mutex_t lock;
    /* Under the lock: */
    bool is_suspended, is_gone; /* is_gone: the connection is done with it */
    bool is_stream, is_ended, is_broken;
    const char *type;
    struct header *headers;
    struct gm_buf out; /* the answer, or the pieces that the client has not taken */
    size_t taken;      /* bytes of those */
};

/* ---- connections ---- */

/* The connection has so many seconds for what it does now; 0 = as long as it takes. */
static void set_deadline(struct gm_call_state *s, double seconds, bool is_idle)
{
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(s->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (i && i->socket_context)
        gm_conns_set(&s->h->conns, i->socket_context, seconds, is_idle);
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct gm_httpd *h = user;
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (what == MHD_CONNECTION_NOTIFY_STARTED && i)
        *context = gm_conns_add(&h->conns, i->connect_fd, h->opts.header_s);
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        return;
    gm_conns_remove(&h->conns, *context);
    *context = NULL;
}

void gm_httpd_tick(struct gm_httpd *h) { gm_conns_close_late(&h->conns, !h->opts.tls_cert); }
size_t gm_httpd_connections(struct gm_httpd *h) { return gm_conns_count(&h->conns); }

/* ---- calls ---- */

static void drop(struct gm_call *call)
{
    if (!call || atomic_fetch_sub(&call->state->refs, 1) != 1)
        return;
    gm_buf_clear(&call->body);
    gm_buf_clear(&call->state->out);
    pthread_mutex_destroy(&call->state->lock);
    gm_arena_clear(&call->arena);
    gm_free(call->state);
    gm_free(call);
}

void gm_call_hold(struct gm_call *call) { atomic_fetch_add(&call->state->refs, 1); }
void gm_call_release(struct gm_call *call) { drop(call); }

/* The request line is there: `target` is the path with the query, as it was sent. */
static void *on_target(void *user, const char *target, struct MHD_Connection *connection)
{
    struct gm_call *call = gm_alloc(1, sizeof *call);
    struct gm_call_state *s = gm_alloc(1, sizeof *s);
    if (!call || !s) {
        gm_free(call);
        gm_free(s);
        return NULL; /* on_request closes the connection */
    }
    *s = (struct gm_call_state){.h = user, .connection = connection, .refs = 1};
    pthread_mutex_init(&s->lock, NULL);
    gm_buf_init(&s->out, PENDING_MAX);
    gm_arena_init(&call->arena, 0);
    gm_buf_init(&call->body, 0);
    call->state = s;
    gm_str_cut(gm_arena_str(&call->arena, gm_str(target)), '?', &call->path, &call->query);
    return call;
}

struct gm_str gm_call_header(const struct gm_call *call, const char *name)
{
    return gm_str(MHD_lookup_connection_value(call->state->connection, MHD_HEADER_KIND, name));
}

struct each {
    void (*fn)(void *user, struct gm_str name, struct gm_str value);
    void *user;
};

/* MHD_KeyValueIteratorN */
static enum MHD_Result on_each(void *each, enum MHD_ValueKind kind, const char *name, size_t n_name,
                               const char *value, size_t n_value)
{
    const struct each *e = each;
    (void)kind;
    e->fn(e->user, (struct gm_str){name, n_name}, (struct gm_str){value ? value : "", n_value});
    return MHD_YES;
}

void gm_call_each_header(const struct gm_call *call,
                         void (*fn)(void *user, struct gm_str name, struct gm_str value),
                         void *user)
{
    struct each e = {fn, user};
    (void)MHD_get_connection_values_n(call->state->connection, MHD_HEADER_KIND, on_each, &e);
}

bool gm_call_is_alone(struct gm_call *call)
{
    struct gm_call_state *s = call->state;
    pthread_mutex_lock(&s->lock); /* until it is unlocked the descriptor is nobody else's */
    struct pollfd p = {.fd = s->fd, .events = POLLRDHUP};
    bool is = s->is_gone || (poll(&p, 1, 0) > 0 && p.revents);
    pthread_mutex_unlock(&s->lock);
    return is;
}

void gm_call_set_header(struct gm_call *call, const char *name, const char *value)
{
    struct header *h = gm_arena_alloc(&call->arena, 1, sizeof *h);
    struct gm_str copy = gm_arena_str(&call->arena, gm_str(value));
    if (!h || !copy.p)
        return;
    *h = (struct header){name, copy.p, call->state->headers};
    call->state->headers = h;
}

/* Under the lock. */
static void wake(struct gm_call_state *s)
{
    if (s->is_suspended && !s->is_gone)
        MHD_resume_connection(s->connection);
    s->is_suspended = false;
}

static void begin_answer(struct gm_call *call, int status, const char *type)
{
    if (call->state->h->opts.headers)
        call->state->h->opts.headers(call->state->h->opts.user, call);
    call->status = status;
    call->state->type = type;
}

void gm_call_answer(struct gm_call *call, int status, const char *type, struct gm_buf *body)
{
    struct gm_call_state *s = call->state;
    pthread_mutex_lock(&s->lock);
    begin_answer(call, status, type);
    s->out = *body;
    s->is_ended = true;
    *body = (struct gm_buf){0};
    wake(s);
    pthread_mutex_unlock(&s->lock);
}

void gm_call_stream(struct gm_call *call, int status, const char *type)
{
    struct gm_call_state *s = call->state;
    pthread_mutex_lock(&s->lock);
    begin_answer(call, status, type);
    s->is_stream = true;
    wake(s);
    pthread_mutex_unlock(&s->lock);
}

void gm_call_push(struct gm_call *call, struct gm_str piece)
{
    struct gm_call_state *s = call->state;
    pthread_mutex_lock(&s->lock);
    if (!s->is_gone && gm_buf_add_str(&s->out, piece, NULL) != GM_OK)
        s->is_broken = true;
    wake(s);
    pthread_mutex_unlock(&s->lock);
}

void gm_call_end(struct gm_call *call)
{
    struct gm_call_state *s = call->state;
    pthread_mutex_lock(&s->lock);
    s->is_ended = true;
    wake(s);
    pthread_mutex_unlock(&s->lock);
}

/* ---- answers ---- */

/* The next bytes of a stream (MHD_ContentReaderCallback). */
static ssize_t read_stream(void *user, uint64_t pos, char *to, size_t max)
{
    struct gm_call *call = user;
    struct gm_call_state *s = call->state;
    (void)pos;
    pthread_mutex_lock(&s->lock);
    size_t n = s->out.n - s->taken;
    n = n < max ? n : max;
    if (n)
        memcpy(to, s->out.p + s->taken, n);
    s->taken += n;
    if (n && s->taken == s->out.n) {
        gm_buf_reset(&s->out);
        s->taken = 0;
    }
    if (!n && !s->is_ended && !s->is_broken) {
        s->is_suspended = true;
        MHD_suspend_connection(s->connection);
    }
    set_deadline(s, n || s->is_ended ? s->h->opts.body_s : 0, false);
    ssize_t result = n ? (ssize_t)n : s->is_ended ? MHD_CONTENT_READER_END_OF_STREAM : 0;
    if (s->is_broken)
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    pthread_mutex_unlock(&s->lock);
    return result;
}

static void end_stream(void *user) { drop(user); }

static struct MHD_Response *make_response(struct gm_call *call)
{
    struct gm_call_state *s = call->state;
    struct MHD_Response *r;
    if (s->is_stream) {
        gm_call_hold(call);
        r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, read_stream, call,
                                              end_stream);
        if (!r)
            drop(call);
        return r;
    }
    r = MHD_create_response_from_buffer_with_free_callback(s->out.n, s->out.p, gm_free);
    if (r)
        s->out = (struct gm_buf){0};
    return r;
}

/* Under the lock, on the connection's thread. */
static enum MHD_Result queue_answer(struct gm_call *call)
{
    struct gm_call_state *s = call->state;
    struct MHD_Response *r = make_response(call);
    if (!r)
        return MHD_NO;
    if (s->type)
        (void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, s->type);
    for (const struct header *h = s->headers; h; h = h->next)
        (void)MHD_add_response_header(r, h->name, h->value);
    enum MHD_Result ok = MHD_queue_response(s->connection, (unsigned)call->status, r);
    MHD_destroy_response(r);
    s->is_queued = true;
    return ok;
}

static enum MHD_Result answer_or_wait(struct gm_call *call)
{
    struct gm_call_state *s = call->state;
    enum MHD_Result ok = MHD_YES;
    pthread_mutex_lock(&s->lock);
    if (call->status && !s->is_queued) {
        set_deadline(s, s->h->opts.body_s, false);
        ok = queue_answer(call);
    } else if (!call->status) {
        set_deadline(s, 0, false);
        s->is_suspended = true;
        MHD_suspend_connection(s->connection);
    }
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* ---- requests ---- */

static enum MHD_Result on_header(struct gm_call *call, const char *method, const char *version)
{
    struct gm_call_state *s = call->state;
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(s->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(s->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    s->has_begun = true;
    s->fd = fd ? fd->connect_fd : -1;
    call->started_ns = gm_now_ns();
    call->header_bytes = i ? i->header_size : 0;
    call->method = gm_arena_str(&call->arena, gm_str(method));
    call->version = gm_arena_str(&call->arena, gm_str(version));
    set_deadline(s, s->h->opts.body_s, false);
    s->h->opts.begin(s->h->opts.user, call);
    if (call->is_unclear)
        gm_call_set_header(call, MHD_HTTP_HEADER_CONNECTION, "close");
    /* Who sends a body and waits for a word before it has the answer now. Others would not read it while
     * they write, so their body is read and thrown away first, where it is known which bytes are its. */
    if (call->status && (call->is_unclear || gm_call_header(call, MHD_HTTP_HEADER_EXPECT).n))
        return answer_or_wait(call);
    return MHD_YES;
}

static void on_body(struct gm_call *call, const char *data, size_t n)
{
    if (call->status || call->is_too_long)
        return;
    if (gm_buf_add(&call->body, data, n, NULL) == GM_OK)
        return;
    call->is_too_long = true;
    gm_buf_clear(&call->body);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **con_cls)
{
    struct gm_call *call = *con_cls;
    (void)user, (void)connection, (void)url;
    if (!call)
        return MHD_NO;
    if (!call->state->has_begun)
        return on_header(call, method, version);
    if (*n) {
        on_body(call, data, *n);
        *n = 0;
        return MHD_YES;
    }
    if (!call->status)
        call->state->h->opts.handle(call->state->h->opts.user, call);
    return answer_or_wait(call);
}

static void on_done(void *user, struct MHD_Connection *connection, void **con_cls,
                    enum MHD_RequestTerminationCode how)
{
    struct gm_httpd *h = user;
    struct gm_call *call = *con_cls;
    (void)connection, (void)how;
    if (!call)
        return;
    *con_cls = NULL;
    set_deadline(call->state, h->opts.header_s, true);
    pthread_mutex_lock(&call->state->lock);
    call->state->is_gone = true;
    gm_buf_clear(&call->state->out);
    pthread_mutex_unlock(&call->state->lock);
    if (call->state->has_begun && h->opts.done)
        h->opts.done(h->opts.user, call);
    drop(call);
}

/* ---- starting and stopping ---- */

static void on_log(void *user, const char *fmt, va_list args)
{
    char line[512];
    (void)user;
    vsnprintf(line, sizeof line, fmt, args);
    GM_LOG(GM_LOG_DEBUG, "serve", "%s", line);
}

static struct MHD_Daemon *start_daemon(struct gm_httpd *h, int fd)
{
    const struct gm_httpd_opts *o = &h->opts;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)o->tls_cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)o->tls_key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0,
         (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     (o->tls_cert ? (unsigned)MHD_USE_TLS : 0);
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)o->threads,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->max_connections,
        /* room for the headers that are too long, so that we say so, and for the answer's */
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, 2 * o->max_header_bytes + 8192,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, h, MHD_OPTION_NOTIFY_COMPLETED, on_done, h,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, o->tls_cert ? tls : &tls[3],
        MHD_OPTION_END);
}

enum gm_status gm_httpd_start(struct gm_httpd **out, const struct gm_httpd_opts *opts,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    int fd = -1;
    *out = NULL;
    struct gm_httpd *h = gm_alloc(1, sizeof *h);
    if (!h)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    h->opts = *opts;
    gm_conns_init(&h->conns);
    gm_listen_raise_files(opts->max_connections);
    GM_TRY(gm_listen(opts->address, opts->port, &fd, &h->port, err));
    h->daemon = start_daemon(h, fd);
    if (!h->daemon) {
        st = opts->tls_cert
                 ? GM_FAIL(err, GM_EARG,
                           "the server does not start: certificate and key must be "
                           "PEM, and belong together")
                 : GM_FAIL(err, GM_EIO, "the server does not start: %s", strerror(errno));
        goto done;
    }
    fd = -1; /* the daemon's */
    *out = h;
    h = NULL;
done:
    if (fd >= 0)
        close(fd);
    gm_httpd_stop(h);
    return st;
}

uint16_t gm_httpd_port(const struct gm_httpd *h) { return h->port; }

void gm_httpd_stop(struct gm_httpd *h)
{
    if (!h)
        return;
    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    gm_conns_clear(&h->conns);
    gm_free(h);
}
