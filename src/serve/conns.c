#include "serve/conns.h"

#include "base/alloc.h"
#include "serve/clock.h"

#include <sys/socket.h>

struct gm_conn {
    int fd;
    long long end_ns; /* 0 = none */
    bool is_waiting;
    struct gm_conn *prev, *next;
};

void gm_conns_init(struct gm_conns *c)
{
    *c = (struct gm_conns){0};
    pthread_mutex_init(&c->lock, NULL);
}

void gm_conns_clear(struct gm_conns *c) { pthread_mutex_destroy(&c->lock); }

static long long end_of(double seconds)
{
    return seconds > 0 ? gm_now_ns() + (long long)(seconds * 1e9) : 0;
}

struct gm_conn *gm_conns_add(struct gm_conns *c, int fd, double seconds)
{
    struct gm_conn *conn = gm_alloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    pthread_mutex_lock(&c->lock);
    *conn = (struct gm_conn){fd, end_of(seconds), true, NULL, c->first};
    if (c->first)
        c->first->prev = conn;
    c->first = conn;
    c->n++;
    pthread_mutex_unlock(&c->lock);
    return conn;
}

void gm_conns_remove(struct gm_conns *c, struct gm_conn *conn)
{
    if (!conn)
        return;
    pthread_mutex_lock(&c->lock);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        c->first = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    c->n--;
    pthread_mutex_unlock(&c->lock);
    gm_free(conn);
}

void gm_conns_set(struct gm_conns *c, struct gm_conn *conn, double seconds, bool is_waiting)
{
    pthread_mutex_lock(&c->lock);
    conn->end_ns = end_of(seconds);
    conn->is_waiting = is_waiting;
    pthread_mutex_unlock(&c->lock);
}

void gm_conns_close_late(struct gm_conns *c, bool says)
{
    static const char late[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                               "Content-Length: 0\r\n\r\n";
    long long now = gm_now_ns();
    pthread_mutex_lock(&c->lock);
    for (struct gm_conn *conn = c->first; conn; conn = conn->next) {
        if (!conn->end_ns || now < conn->end_ns)
            continue;
        conn->end_ns = 0;
        if (conn->is_waiting && says)
            (void)send(conn->fd, late, sizeof late - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)shutdown(conn->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&c->lock);
}

size_t gm_conns_count(struct gm_conns *c)
{
    pthread_mutex_lock(&c->lock);
    size_t n = c->n;
    pthread_mutex_unlock(&c->lock);
    return n;
}
