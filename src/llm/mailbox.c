/* Requests on their way from a caller's box to the client's thread and back. */
#include "base/alloc.h"
#include "llm/llm_internal.h"

#include <time.h>

static const size_t max_body_bytes = (size_t)256 << 20;

static void box_destroy(struct gm_llm_mailbox *box)
{
    pthread_cond_destroy(&box->arrived);
    gm_free(box);
}

void gm_wake_boxes(struct gm_llm *llm)
{
    struct gm_llm_mailbox *list = llm->to_wake, *next;
    llm->to_wake = NULL;
    if (!list)
        return;
    pthread_mutex_unlock(&llm->lock);
    for (struct gm_llm_mailbox *b = list; b; b = b->next_wake)
        pthread_cond_signal(&b->arrived);
    pthread_mutex_lock(&llm->lock);
    for (struct gm_llm_mailbox *b = list; b; b = next) {
        next = b->next_wake;
        b->is_woken = false;
        if (b->is_gone)
            box_destroy(b);
    }
}

enum gm_status gm_llm_mailbox_new(struct gm_llm_mailbox **out, struct gm_llm *llm,
                                  struct gm_error *err)
{
    pthread_condattr_t attr;
    *out = NULL;
    struct gm_llm_mailbox *box = gm_alloc(1, sizeof *box);
    if (!box)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    box->llm = llm;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&box->arrived, &attr);
    pthread_condattr_destroy(&attr);
    *out = box;
    return GM_OK;
}

void gm_llm_mailbox_free(struct gm_llm_mailbox *box)
{
    if (!box)
        return;
    struct gm_llm *llm = box->llm;
    pthread_mutex_lock(&llm->lock);
    gm_asks_orphan(llm, box);
    if (box->is_woken)
        box->is_gone = true; /* the client's thread is about to signal it, and frees it then */
    else
        box_destroy(box);
    pthread_mutex_unlock(&llm->lock);
}

static unsigned unsaid(enum gm_llm_max_name name)
{
    switch (name) {
    case GM_LLM_MAX_COMPLETION_TOKENS: return GM_LLM_P_MAX_TOKENS;
    case GM_LLM_MAX_UNSAID: return GM_LLM_P_MAX_TOKENS | GM_LLM_P_MAX_COMPLETION;
    case GM_LLM_MAX_TOKENS: break;
    }
    return 0;
}

enum gm_status gm_llm_submit(struct gm_llm_mailbox *box, const struct gm_llm_request *req,
                             uint64_t *id, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_llm *llm = box->llm;
    struct gm_ask *a = gm_alloc(1, sizeof *a);
    if (!a)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_buf_init(&a->body, max_body_bytes);
    const char *own = req->servers ? "default" : llm->model;
    a->group = req->servers;
    GM_TRY(gm_llm_write_head(req->model ? req->model : own, req->messages, req->n_messages,
                             &a->body, err));
    a->head_n = a->body.n;
    a->tail = (struct gm_llm_tail){.temperature = req->temperature,
                                   .top_p = req->top_p,
                                   .max_tokens = req->max_tokens > 0 ? req->max_tokens : 512,
                                   .seed = req->seed,
                                   .logprobs = req->logprobs,
                                   .schema = req->schema,
                                   .extra = req->extra,
                                   .without = unsaid(req->max_name)};
    a->can_do_without_pictures = req->can_do_without_pictures;
    a->fresh = req->fresh;
    a->named = req->model || (req->servers == 0 && llm->has_model);
    a->sample = req->sample;
    a->read = req->read;
    a->check = req->check;
    a->est_prompt = gm_llm_estimate(req->messages, req->n_messages, false);
    a->bound_prompt = gm_llm_estimate(req->messages, req->n_messages, true);
    a->reply.user = req->user;
    pthread_mutex_lock(&llm->lock);
    gm_ask_enter(llm, a, box);
    *id = a->reply.id;
    bool wake = !llm->wake_sent;
    llm->wake_sent = true;
    pthread_mutex_unlock(&llm->lock);
    if (wake)
        gm_http_wake(llm->http);
    a = NULL;
done:
    gm_ask_free(a);
    return st;
}

bool gm_llm_poll(struct gm_llm_mailbox *box, int timeout_ms, struct gm_llm_reply *out)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&box->llm->lock);
    int rc = timeout_ms > 0 ? 0 : 1;
    while (!box->done.first && rc == 0)
        rc = pthread_cond_timedwait(&box->arrived, &box->llm->lock, &until);
    struct gm_ask *a = gm_ask_pop(&box->done);
    pthread_mutex_unlock(&box->llm->lock);
    if (!a)
        return false;
    *out = a->reply;
    gm_buf_init(&a->reply.text, 0); /* what it holds went to *out */
    a->reply.value = a->reply.logprobs = NULL;
    gm_ask_free(a);
    return true;
}
