/* conns.h - the open connections of a server, each with the time that what it does now may take. Any thread. */
#ifndef GM_SERVE_CONNS_H
#define GM_SERVE_CONNS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct gm_conn;

struct gm_conns {
    pthread_mutex_t lock;
    struct gm_conn *first;
    size_t n;
};

void gm_conns_init(struct gm_conns *c);
void gm_conns_clear(struct gm_conns *c); /* when all have been removed */

/* gm_conns_add - a connection that has so many seconds for its first request; NULL when memory is out: it
 * is then not watched. gm_conns_remove - before its socket is closed, whose number then stands for another.
 * NULL-safe. */
struct gm_conn *gm_conns_add(struct gm_conns *c, int fd, double seconds);
void gm_conns_remove(struct gm_conns *c, struct gm_conn *conn);

/* gm_conns_set - it has so many seconds from now for what it does now; 0 = any number. is_waiting: for a
 * request whose headers have not come. */
void gm_conns_set(struct gm_conns *c, struct gm_conn *conn, double seconds, bool is_waiting);

/* gm_conns_close_late - shut those down whose time is over; `says`: with status 408 in plain text, where
 * no request has come. */
void gm_conns_close_late(struct gm_conns *c, bool says);
size_t gm_conns_count(struct gm_conns *c);

#endif
