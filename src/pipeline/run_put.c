/* What a run writes while it goes: the results of stages, and the final records. */
#include "base/log.h"
#include "pipeline/run_internal.h"

#include <semaphore.h>
#include <time.h>

/* ---- results ---- */

/* Answers come in bursts: those of so long are written together. */
static const struct timespec gather = {0, 2000000};

/* Why a result had to be computed: what the store has of the same post and stage. */
static enum gm_status reason(struct gm_run *r, const struct gm_run_key *key, const char **why,
                             struct gm_error *err)
{
    const struct gm_value args[] = {GM_VALUE_STR(key->post), GM_VALUE_STR(gm_str(key->stage))};
    bool has;
    enum gm_status st = gm_stmt_run(r->last, args, 2, &has, err);
    if (st != GM_OK)
        return st;
    if (!has)
        *why = "new";
    else if (gm_stmt_int(r->last, 0) != key->config)
        *why = "settings";
    else
        *why = gm_stmt_int(r->last, 1) ? "failed" : "input";
    gm_stmt_reset(r->last);
    return GM_OK;
}

static enum gm_status put_one(struct gm_run *r, const struct gm_run_result *x, struct gm_error *err)
{
    const char *why;
    enum gm_status st = reason(r, &x->key, &why, err);
    if (st != GM_OK)
        return st;
    const struct gm_value args[] = {
        GM_VALUE_STR(x->key.post),
        GM_VALUE_STR(gm_str(x->key.stage)),
        GM_VALUE_INT(x->key.config),
        GM_VALUE_STR(gm_str(x->key.input)),
        GM_VALUE_STR(x->error.p ? (struct gm_str){NULL, 0} : x->state),
        GM_VALUE_STR(x->error),
        GM_VALUE_STR(gm_str(why)),
        GM_VALUE_INT(r->session),
    };
    return gm_stmt_run(r->put, args, sizeof args / sizeof *args, NULL, err);
}

/* End a transaction whose work came out as `st`. */
static enum gm_status finish(struct gm_run *r, enum gm_status st, struct gm_error *err)
{
    if (st == GM_OK)
        return gm_store_exec(r->store, "COMMIT", err);
    if (gm_store_exec(r->store, "ROLLBACK", NULL) != GM_OK)
        GM_LOG(GM_LOG_WARN, "run", "a transaction could not be rolled back");
    return st;
}

/* One call of gm_run_put, on its caller's stack. */
struct gm_run_put {
    const struct gm_run_result *results;
    size_t n;
    enum gm_status st;
    struct gm_error *err;
    bool is_done;
    sem_t turn; /* it is done, or its caller is to write */
    struct gm_run_put *next;
};

/* All that waits, in one transaction; what goes wrong with it goes wrong for each. */
static void write_puts(struct gm_run *r, struct gm_run_put *list)
{
    struct gm_error err = {0};
    pthread_mutex_lock(&r->lock);
    enum gm_status st = gm_store_exec(r->store, "BEGIN", &err);
    if (st == GM_OK) {
        for (const struct gm_run_put *p = list; p && st == GM_OK; p = p->next)
            for (size_t i = 0; i < p->n && st == GM_OK; i++)
                st = put_one(r, &p->results[i], &err);
        st = finish(r, st, &err);
    }
    pthread_mutex_unlock(&r->lock);
    for (struct gm_run_put *p = list; p; p = p->next) {
        p->st = st;
        if (st != GM_OK && p->err)
            *p->err = err;
    }
}

/* Whether the caller is the one to write, else it waits its turn in the list. */
static bool join_puts(struct gm_run *r, struct gm_run_put *me)
{
    struct gm_run_put **end = &r->puts;
    pthread_mutex_lock(&r->put_lock);
    while (*end)
        end = &(*end)->next;
    *end = me;
    bool leads = !r->is_putting;
    r->is_putting = true;
    pthread_mutex_unlock(&r->put_lock);
    return leads;
}

static struct gm_run_put *take_puts(struct gm_run *r)
{
    pthread_mutex_lock(&r->put_lock);
    struct gm_run_put *list = r->puts;
    r->puts = NULL;
    pthread_mutex_unlock(&r->put_lock);
    return list;
}

/* Write for all that have come, wake them, and let the first of those that came meanwhile go on. */
static void lead_puts(struct gm_run *r, const struct gm_run_put *me)
{
    nanosleep(&gather, NULL);
    struct gm_run_put *list = take_puts(r), *next;
    write_puts(r, list);
    pthread_mutex_lock(&r->put_lock);
    struct gm_run_put *heir = r->puts;
    r->is_putting = heir != NULL;
    pthread_mutex_unlock(&r->put_lock);
    for (; list; list = next) {
        next = list->next;
        list->is_done = true;
        if (list != me)
            sem_post(&list->turn); /* from here on it may be gone */
    }
    if (heir)
        sem_post(&heir->turn);
}

/* Threads that come while another writes wait, and one of them then writes for all: a transaction
 * costs far more than a row. */
enum gm_status gm_run_put(struct gm_run *r, const struct gm_run_result *results, size_t n,
                          struct gm_error *err)
{
    struct gm_run_put me = {.results = results, .n = n, .err = err};
    sem_init(&me.turn, 0, 0);
    bool leads = join_puts(r, &me);
    while (!leads && sem_wait(&me.turn) != 0) {
    } /* only a signal interrupts it */
    if (!me.is_done)
        lead_puts(r, &me);
    sem_destroy(&me.turn);
    return me.st;
}

/* ---- outputs ---- */

/* Write how many results each stage took over from the store. */
static enum gm_status write_reused(struct gm_run *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < r->n_stages; i++) {
        const struct gm_value args[] = {GM_VALUE_INT(r->session), GM_VALUE_INT(i),
                                        GM_VALUE_INT(r->reused[i])};
        if (r->reused[i] == 0)
            continue;
        GM_TRY(gm_store_once(r->store,
                             "UPDATE session_stage SET reused = reused + ?3 WHERE session = ?1 AND "
                             "place = ?2",
                             args, 3, err));
        r->reused[i] = 0;
    }
done:
    return st;
}

enum gm_status gm_run_write_outputs(struct gm_run *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_store_exec(r->store, "BEGIN", err));
    for (size_t i = 0; i < r->n_waiting && st == GM_OK; i++) {
        const struct gm_run_output *o = &r->waiting[i];
        const struct gm_value args[] = {GM_VALUE_INT(o->pos), GM_VALUE_STR(o->post),
                                        GM_VALUE_STR(o->record), GM_VALUE_STR(o->image),
                                        GM_VALUE_STR(o->error)};
        st = gm_stmt_run(r->output, args, 5, NULL, err);
    }
    if (st == GM_OK)
        st = write_reused(r, err);
    GM_TRY(finish(r, st, err));
    r->n_waiting = 0;
    gm_arena_reset(&r->waiting_arena);
done:
    return st;
}

/* A copy that lasts until the output is stored; the view of nothing stays one. */
static bool keep(struct gm_run *r, struct gm_str *s)
{
    if (!s->p)
        return true;
    *s = gm_arena_str(&r->waiting_arena, *s);
    return s->p != NULL;
}

enum gm_status gm_run_output(struct gm_run *r, const struct gm_run_output *o, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_run_output x = *o;
    pthread_mutex_lock(&r->lock);
    if (r->n_waiting == GM_RUN_OUTPUTS_MAX)
        GM_TRY(gm_run_write_outputs(r, err));
    if (!keep(r, &x.post) || !keep(r, &x.record) || !keep(r, &x.image) || !keep(r, &x.error)) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    r->waiting[r->n_waiting++] = x;
done:
    pthread_mutex_unlock(&r->lock);
    return st;
}
