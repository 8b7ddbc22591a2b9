/* llm_internal.h - the client's insides. llm.c opens and closes it, mailbox.c is what callers use to ask,
 * client.c is the thread that does the network work, outcome.c and answer.c judge what comes back,
 * warnings.c says what they have to warn of, ask.c moves each request from place to place, ask_body.c writes it. Calls among them go one way.
 * What changes of struct gm_llm is guarded by `lock`, but for drain_at (atomic) and `http`, which is the
 * client's thread's own. */
#ifndef GM_LLM_LLM_INTERNAL_H
#define GM_LLM_LLM_INTERNAL_H

#include "base/rng.h"
#include "base/sha256.h"
#include "llm/endpoint.h"
#include "llm/llm.h"
#include "llm/local_server.h"
#include "llm/message.h"
#include "llm/secret.h"

#include <pthread.h>
#include <stdatomic.h>

/* Where a request is: one place at a time. ask.c draws the ways. */
enum gm_ask_state {
    GM_ASK_SUBMITTED, /* in `inbox`: nobody has looked at it yet */
    GM_ASK_QUEUED,    /* in its group's `waiting`, to be sent for the first time */
    GM_ASK_IN_FLIGHT, /* on the network */
    GM_ASK_BACK,      /* a try has ended, and is judged (outcome.c, answer.c) */
    GM_ASK_AGAIN,     /* in `delayed`, to be sent again */
    GM_ASK_ANSWERED,  /* in `arrived`: the answer is good, and on its way to the cache's file */
    GM_ASK_DONE       /* in its box */
};

struct gm_ask {
    enum gm_ask_state state;
    struct gm_llm_mailbox *box;         /* NULL: the caller has gone */
    struct gm_ask *next;                /* in a queue, or in the box's list */
    struct gm_ask *all_prev, *all_next; /* every ask that is not in its box yet */
    struct gm_buf body; /* the request's JSON; the first head_n bytes stay the same */
    size_t head_n;
    bool fresh;    /* past the cache */
    bool named;    /* its model has a name */
    size_t sample; /* as in gm_llm_request */
    bool can_do_without_pictures;
    struct gm_llm_tail tail;
    bool holds_json; /* the schema and the extra members are held, and no more the caller's */
    enum gm_status (*read)(struct gm_json **out, struct gm_str text, struct gm_error *err);
    const char *(*check)(void *user, const struct gm_json *value);
    char key[GM_SHA256_HEX];         /* of the cache */
    size_t est_prompt, bound_prompt; /* tokens */
    size_t tries, n_asks;
    double ready_at, sent_at; /* s */
    double
        first_at; /* when it was sent first, and later by what servers have it wait; 0 = never sent */
    size_t group;           /* of servers */
    struct gm_endpoint *ep; /* while in flight */
    unsigned sent;          /* GM_LLM_P_…: what it was sent with */
    struct gm_llm_reply reply;
};

#define GM_REPLY_MAX ((size_t)8 << 20) /* bytes of a server's reply */

struct gm_ask_queue {
    struct gm_ask *first, *last;
};

/* The servers of one model. */
struct gm_server_group {
    struct gm_endpoint *ep; /* within those of the client */
    size_t n_ep;
    char *files, *name;          /* gm_llm_servers_id of a named model and of another one; owned */
    struct gm_ask_queue waiting; /* not in the cache: to be sent, in order */
};

struct gm_llm_mailbox {
    struct gm_llm *llm;
    pthread_cond_t arrived;
    struct gm_ask_queue done;
    size_t n_open;                    /* asked and not in `done` yet */
    struct gm_llm_mailbox *next_wake; /* in llm->to_wake */
    bool is_woken, is_gone;           /* in that list; freed by its owner while it was */
};

enum { GM_REJECTS_MAX = 64 };

struct gm_reject {
    const char *stage, *reason;
    size_t n;
};

struct gm_llm {
    struct gm_llm_opts opts; /* its pointers are not used after gm_llm_new */
    char *model;
    const char *key;           /* of --endpoint's servers, one of the secrets; NULL = none */
    struct gm_secrets secrets; /* every key that a request may carry */
    bool has_model;            /* a model was named */
    struct gm_endpoint *ep;    /* of all groups, one behind the other */
    size_t n_ep;
    struct gm_server_group *groups; /* 0: the run's own */
    size_t n_groups, turn;
    struct gm_breaker breaker;
    struct gm_local_server **servers; /* [n_ep], NULL where the endpoint is a URL */
    struct gm_http *http;
    struct gm_rng rng;
    pthread_t thread;
    bool has_thread, has_lock;
    pthread_mutex_t lock;
    _Atomic double drain_at; /* when what is in flight is dropped; 0 = nothing drains */
    bool quit, warned_cache, warned_thoughts;
    struct gm_ask_queue inbox;   /* just submitted */
    struct gm_ask_queue delayed; /* to be sent again at ready_at */
    struct gm_ask_queue arrived; /* answered, and not yet in the cache's file */
    double deliver_at;           /* when those are due */
    struct gm_ask *all;
    struct gm_llm_mailbox *to_wake; /* boxes that got a reply since the lock was taken */
    bool wake_sent;                 /* the client's thread has been told of the inbox */
    struct gm_llm_tail tail;        /* the one written last, with its own hold on its JSON */
    struct gm_buf tail_text;
    struct gm_buf warnings; /* texts that are to be logged, a NUL behind each */
    uint64_t last_id;
    enum gm_status stop; /* OK = going on */
    struct gm_error stop_err;
    double next_request_at, next_token_at; /* the limits a minute */
    double reserved;                       /* money that what is in flight may cost at most */
    struct gm_llm_stats stats;
    struct gm_reject rejects[GM_REJECTS_MAX];
    size_t n_rejects;
};

/* ---- server_group.c ---- */

/* gm_server_groups_open - the endpoints of all groups, starting local servers for GGUF files. Errors: those
 * of gm_llm_new. gm_server_groups_close - also after a failure. */
enum gm_status gm_server_groups_open(struct gm_llm *llm, const struct gm_llm_opts *o,
                                     struct gm_error *err) GM_NODISCARD;
void gm_server_groups_close(struct gm_llm *llm);

/* ---- client.c: what to send when ---- */

/* gm_client_thread - the body of the client's thread; arg is the gm_llm. All that follows is called
 * on that thread, under the lock; gm_ask_enter and gm_asks_orphan on the callers'. */
void *gm_client_thread(void *arg);

/* ---- outcome.c ---- */

/* gm_client_done - a request has ended in some way; takes the body over. */
void gm_client_done(struct gm_llm *llm, struct gm_http_done *d);

/* ---- answer.c ---- */

/* gm_answer_take - a whole chat completion came: use it, or ask again. */
void gm_answer_take(struct gm_llm *llm, struct gm_ask *a, const struct gm_llm_answer *answer,
                    struct gm_str body);
/* gm_answer_cached - whether the answer was in the cache; it is delivered then. */
bool gm_answer_cached(struct gm_llm *llm, struct gm_ask *a);
/* gm_answers_deliver - write the answers of the last moments to the cache, then deliver them;
 * returns when it is due again. */
double gm_answers_deliver(struct gm_llm *llm, double now);

/* ---- mailbox.c ---- */

/* gm_wake_boxes - wake the callers that got something; gives the lock up meanwhile, so that they
 * don't run into it. */
void gm_wake_boxes(struct gm_llm *llm);

/* ---- warnings.c ---- */

/* Nothing is logged under the lock. gm_client_warn - note a text of at most 2,047 bytes, which is cut there.
 * gm_client_say - log what was noted; gives the lock up meanwhile. */
void gm_client_warn(struct gm_llm *llm, const char *fmt, ...) GM_PRINTF(2, 3);
void gm_client_say(struct gm_llm *llm);

/* ---- ask.c: the life of a request ---- */

/* gm_ask_enter - it was submitted; gets its id. gm_ask_queue - it is to be sent. */
void gm_ask_enter(struct gm_llm *llm, struct gm_ask *a, struct gm_llm_mailbox *box);
void gm_ask_queue(struct gm_llm *llm, struct gm_ask *a);
/* gm_ask_next - what to send to a group's servers now: one that is due again, else the first that
 * waits; NULL = none.
 * *next becomes the time when one is due, when that is earlier. gm_ask_take - out of its queue, to be
 * sent, failed or delivered at once. */
struct gm_ask *gm_ask_next(const struct gm_llm *llm, size_t group, double now, double *next);
void gm_ask_take(struct gm_llm *llm, struct gm_ask *a);
/* gm_ask_sent - it went to that endpoint. gm_ask_back - its try has ended in some way; returns the
 * endpoint. What it may cost is reserved in between. */
void gm_ask_sent(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep, double now);
struct gm_endpoint *gm_ask_back(struct gm_llm *llm, struct gm_ask *a);
/* gm_ask_again - send it again at that time. gm_ask_answered - its answer is to be delivered when it
 * is in the cache's file. gm_ask_deliver - into its box (or away, when that has gone).
 * gm_ask_fail - it ends with an error of its own. gm_ask_stopped - it ends because the client has
 * stopped. */
void gm_ask_again(struct gm_llm *llm, struct gm_ask *a, double at);
/* gm_asks_wait - a group's servers ask for a wait, which is no part of the time of what is to be sent again. */
void gm_asks_wait(struct gm_llm *llm, size_t group, double wait_s);
void gm_ask_answered(struct gm_llm *llm, struct gm_ask *a);
void gm_ask_deliver(struct gm_llm *llm, struct gm_ask *a);
void gm_ask_fail(struct gm_llm *llm, struct gm_ask *a, enum gm_status st, const char *what);
void gm_ask_stopped(struct gm_llm *llm, struct gm_ask *a);
/* gm_asks_stop - the client stops: everything that isn't in flight ends; the first reason stays.
 * gm_asks_orphan - the box goes: its replies, and those still to come, have no caller any more.
 * gm_asks_free - free all that are in no box; nothing is in flight. */
void gm_asks_stop(struct gm_llm *llm, enum gm_status st, const char *why);
void gm_asks_orphan(struct gm_llm *llm, struct gm_llm_mailbox *box);
void gm_asks_free(struct gm_llm *llm);
/* gm_ask_pop - the first of a queue, out of it; NULL when empty. gm_ask_free - NULL-safe; it must be in
 * no list. */
struct gm_ask *gm_ask_pop(struct gm_ask_queue *q);
void gm_ask_free(struct gm_ask *a);
/* gm_llm_cost - money for so many tokens. gm_ask_bound - the most that one try may cost. */
double gm_llm_cost(const struct gm_llm *llm, size_t prompt, size_t completion);
double gm_ask_bound(const struct gm_llm *llm, const struct gm_ask *a);

/* ---- ask_body.c ---- */

/* gm_ask_finish_body - put the right tail behind the head. */
enum gm_status gm_ask_finish_body(struct gm_llm *llm, struct gm_ask *a,
                                  struct gm_error *err) GM_NODISCARD;

#endif
