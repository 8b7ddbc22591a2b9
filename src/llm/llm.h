/* llm.h - a client of OpenAI-compatible /v1/chat/completions (vLLM, llama.cpp, hosted ones) that
 * keeps many requests in flight.
 *
 * One gm_llm serves a whole run. It has one thread of its own, which does all network work; any
 * number of threads submit requests, each through a box of its own, and poll that box for replies:
 *
 *     gm_llm_submit(box, &req, &id, err);   never waits for the network
 *     while (gm_llm_poll(box, 1000, &reply)) { … gm_llm_reply_clear(&reply); }
 *
 * Every request gets exactly one reply, in no set order. What happens on the way (docs/llm.md has
 * the rules): a cached answer is given at once; broken connections and statuses 408, 409, 425, 429
 * and 5xx are tried again with exponential back-off and jitter; Retry-After and 429 make the
 * endpoint cool down for everybody; an endpoint that only fails rests and is probed; when all are
 * dead, the key is refused or the budget is spent, the client stops: what waits gets a reply with
 * status NET, ARG or CANCEL and `stopped` set, and the work can go on later.
 * An answer that doesn't fit its schema is asked for again, the same messages at another seed and, where one
 * is sent, a temperature of at least 0.4. */
#ifndef GM_LLM_LLM_H
#define GM_LLM_LLM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/status.h"
#include "llm/chat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gm_llm;
struct gm_llm_mailbox;

/* Where answers are kept from run to run. The functions are called on the client's own thread, and on
 * those that keep facts (gm_llm_fact_put). */
struct gm_llm_cache {
    void *user;
    /* key: 64 hex digits of the whole request; append the reply to `out` and set *found. */
    enum gm_status (*get)(void *user, const char *key, struct gm_buf *out, bool *found,
                          struct gm_error *err);
    /* put: as soon as a good reply has arrived; never for a failure. commit: what was put is to be
     * on the disk when it returns; called before any of those replies is delivered. */
    enum gm_status (*put)(void *user, const char *key, struct gm_str reply, struct gm_error *err);
    enum gm_status (*commit)(void *user, struct gm_error *err);
};

/* Servers of one model. */
struct gm_llm_servers {
    const char *const *endpoints; /* as in struct gm_llm_opts */
    size_t n;
};

struct gm_llm_opts {
    /* "http://127.0.0.1:8080/v1" (or the whole URL up to /chat/completions), or a FILE.gguf that a
     * local server is started for. All serve the same model. Borrowed during gm_llm_new. */
    const char *const *endpoints;
    size_t n_endpoints;
    /* Servers beside those, for requests that name them; borrowed likewise. The key goes to those of the
     * same origin (scheme, host and port) as one of `endpoints`, and others get theirs from key_file. */
    const struct gm_llm_servers *more;
    size_t n_more;
    const char *model;        /* NULL = "default" */
    const char *key;          /* counts before key_file; copied; NULL = none is given here */
    const char *key_file;     /* as in secret.h; NULL = $OPENAI_API_KEY, which may be unset */
    const char *llama_server; /* command for a GGUF file; NULL = "llama-server" */
    size_t in_flight;         /* requests at once, over all endpoints; 1 to 4096 */
    double timeout_s;         /* of one try */
    double deadline_s; /* of one request with all its tries, from its first try, without waits that
                               * a server asks for; where that is longer, the run stops */
    size_t max_tries;  /* tries of one request that may fail */
    size_t max_asks;   /* answers that may be asked for until one fits its schema */
    double backoff_s, backoff_max_s;
    size_t breaker_fails;                    /* failures in a row after which an endpoint rests */
    double breaker_rest_s;                   /* its first rest, doubling up to 30 s */
    double dead_s;                           /* failing this long, it is dead */
    double requests_per_min, tokens_per_min; /* 0 = no limit */
    double price_in, price_out;              /* money a million tokens */
    double budget;                           /* money; 0 = none */
    bool dry_run;                            /* only count: every reply is CANCEL and stopped */
    uint64_t seed;                           /* of the jitter */
    struct gm_llm_cache cache;               /* .get NULL = none */
};

/* gm_llm_endpoints_read - "URL,URL" into *out, in the arena. Errors: ARG (an empty part), NOMEM. */
enum gm_status gm_llm_endpoints_read(struct gm_llm_servers *out, struct gm_str text,
                                     struct gm_arena *a, struct gm_error *err) GM_NODISCARD;

/* gm_llm_model_of - the model's name that an endpoint stands for: that of a GGUF file; NULL = none, as a server
 * may have any. gm_llm_servers_id - what answers of these servers depend on beside the model's name: the content
 * of GGUF files, whose names say little, and where no model is named (`named` false) the
 * servers; appended to `out` as words with spaces between, never with a key, and nothing for servers of a
 * named model, wherever they are. Errors: NOMEM. */
const char *gm_llm_model_of(const char *endpoint);
enum gm_status gm_llm_servers_id(const struct gm_llm_servers *s, bool named, struct gm_buf *out,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_llm_open_cache - the file of replies at `path` (base/cache.h) for the client that is made with `opts`; *cache
 * is yours, to be closed after that client. The cache saves money and time, no run depends on it: where it can't
 * be opened a warning says so, and *cache is NULL. Errors: NOMEM. */
struct gm_cache;
enum gm_status gm_llm_open_cache(struct gm_llm_opts *opts, struct gm_cache **cache,
                                 const char *path, struct gm_error *err) GM_NODISCARD;

/* gm_llm_opts_default - everything but the endpoints. */
struct gm_llm_opts gm_llm_opts_default(void);

/* What a request calls the most tokens of its answer. */
enum gm_llm_max_name {
    GM_LLM_MAX_TOKENS,            /* "max_tokens"; the other name where a server refuses that */
    GM_LLM_MAX_COMPLETION_TOKENS, /* "max_completion_tokens" */
    GM_LLM_MAX_UNSAID             /* nothing: for costs alone */
};

struct gm_llm_request {
    void *user;        /* comes back in the reply */
    size_t servers;    /* 0 = opts.endpoints; i = opts.more[i - 1] */
    const char *model; /* NULL = the client's; of other servers "default" */
    const struct gm_llm_message *messages;
    size_t n_messages;
    double temperature, top_p; /* < 0 = the server's default */
    long max_tokens;           /* of the answer; 0 = 512 */
    enum gm_llm_max_name max_name;
    long long seed;              /* < 0 = none */
    const struct gm_json *extra; /* an object whose members go into the request in place of its own,
                                   * null taking one out; NULL = none; must stay as the schema */
    bool
        can_do_without_pictures; /* a server that refuses them gives an ARG reply with no_pictures, and
                                   * is not taken for one that refuses everything */
    bool fresh;                  /* neither taken from the cache nor put into it */
    size_t
        sample; /* which of several answers to these messages, which the cache keeps apart also where no seed is
                    * sent; 0 = the only one */
    bool logprobs;                /* ask for those of the 5 best tokens */
    const struct gm_json *schema; /* NULL = any text; must stay until the reply is there */
    /* With a schema: reads the answer's text as the form that the schema wants; NULL = the JSON that
     * is in it (json_repair.h). On the client's thread. */
    enum gm_status (*read)(struct gm_json **out, struct gm_str text, struct gm_error *err);
    /* A second check beside the schema: NULL or the reason why the value can't be used. Called on
     * the client's thread; only reads what `user` points to. NULL = none. */
    const char *(*check)(void *user, const struct gm_json *value);
};

struct gm_llm_reply {
    uint64_t id;
    void *user;
    enum gm_status st; /* OK; FORMAT: no answer fit (err says why of the last one); NET: gave up;
                            ARG: the server or the model refuses this request; CANCEL: not asked; NOMEM */
    struct gm_error err;
    bool no_pictures;     /* st ARG: the server takes no pictures */
    size_t most_pictures; /* st ARG: it takes so many a request, and these are more; 0 = not that */
    bool stopped;       /* the client has stopped: this request was not answered, ask again later */
    struct gm_buf text; /* the answer's text; with st FORMAT that of the last one */
    struct gm_json *value;    /* with st OK: the answer; without a schema its text, trimmed */
    struct gm_json *logprobs; /* array of tokens, NULL where the server gave none */
    struct gm_llm_usage usage;
    size_t n_asks; /* answers it took; 0 when it came from the cache */
    bool cached;
};

struct gm_llm_stats {
    size_t submitted, answered, cached, failed; /* requests; failed: with an error that is theirs */
    size_t sent, retries, reasks, invalid;      /* HTTP requests sent; tries after a fault; answers
                                                   asked for again; answers that didn't fit */
    size_t prompt_tokens, completion_tokens, cached_tokens;
    size_t retried_tokens; /* of prompts sent again, and of answers thrown away */
    double cost;           /* money so far, with a guess for tries that broke after being sent */
    size_t in_flight;
    size_t dry_requests, dry_prompt_tokens, dry_completion_tokens; /* dry run; the last: at most */
};

/* gm_llm_new - *out is yours. Starts local servers for GGUF files and waits until they are healthy.
 * Errors: ARG (no endpoint, bad URL, key file that others can read, options out of range), IO, NET, NOMEM,
 * CANCEL (a stop while a local server starts). */
enum gm_status gm_llm_new(struct gm_llm **out, const struct gm_llm_opts *opts,
                          struct gm_error *err) GM_NODISCARD;
/* gm_llm_free - NULL-safe; drops what is in flight, stops local servers. All boxes must be freed.
 */
void gm_llm_free(struct gm_llm *llm);

/* gm_llm_mailbox_new - a place for the replies of one caller. One thread a box at a time. */
enum gm_status gm_llm_mailbox_new(struct gm_llm_mailbox **out, struct gm_llm *llm,
                                  struct gm_error *err) GM_NODISCARD;
/* gm_llm_mailbox_free - NULL-safe; the replies that are still to come are kept in the cache and
 * counted, and then dropped. */
void gm_llm_mailbox_free(struct gm_llm_mailbox *box);

/* gm_llm_submit - ask. Everything but req->schema, req->extra and what req->user points to is copied. Errors:
 * NOMEM, FORMAT (text that is not UTF-8); there is no reply then. */
enum gm_status gm_llm_submit(struct gm_llm_mailbox *box, const struct gm_llm_request *req,
                             uint64_t *id, struct gm_error *err) GM_NODISCARD;
/* gm_llm_poll - wait up to timeout_ms for a reply of this box; false when none came. *out is yours:
 * gm_llm_reply_clear. */
bool gm_llm_poll(struct gm_llm_mailbox *box, int timeout_ms, struct gm_llm_reply *out);
void gm_llm_reply_clear(struct gm_llm_reply *r);

/* gm_llm_in_flight - requests that should be outstanding to keep the endpoints busy. */
size_t gm_llm_in_flight(const struct gm_llm *llm);
bool gm_llm_is_dry(const struct gm_llm *llm);

/* gm_llm_drain - start nothing more: what waits is CANCEL and stopped at once, what is in flight when it
 * has no answer grace_s from now (INFINITY = it is finished). Of several calls the one counts whose time
 * ends first. Threads: yes.
 * GM_LLM_GRACE_S - what a stop leaves, so that the process ends within a second. */
#define GM_LLM_GRACE_S 0.5
void gm_llm_drain(struct gm_llm *llm, double grace_s);

/* gm_llm_go_on - a client that has stopped because its servers were dead or refused it asks them again, for who uses it for
 * longer than one run. Threads: yes. */
void gm_llm_go_on(struct gm_llm *llm);

/* gm_llm_stats - the numbers so far. */
void gm_llm_stats(struct gm_llm *llm, struct gm_llm_stats *out);

/* gm_llm_fact_get, gm_llm_fact_put - something that was learned of the model of a request with these
 * `servers` and `model`, under a name that says what, kept in the cache of replies. Nothing is kept of
 * a model that was not named, as a server may have another one tomorrow, nor without a cache or where
 * that fails. get appends to `out`. Threads: yes. Errors: NOMEM. */
enum gm_status gm_llm_fact_get(const struct gm_llm *llm, size_t servers, const char *model,
                               const char *what, struct gm_buf *out, bool *found,
                               struct gm_error *err) GM_NODISCARD;
enum gm_status gm_llm_fact_put(const struct gm_llm *llm, size_t servers, const char *model,
                               const char *what, struct gm_str value,
                               struct gm_error *err) GM_NODISCARD;

/* gm_llm_reject - count an answer that stage `stage` could not use; stage and reason are texts that
 * outlive the client. gm_llm_rejected - row i of those counts; false past the last. */
void gm_llm_reject(struct gm_llm *llm, const char *stage, const char *reason);
bool gm_llm_rejected(struct gm_llm *llm, size_t i, const char **stage, const char **reason,
                     size_t *n);

#endif
