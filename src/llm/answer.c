/* A model's answer: whether it fits, keeping it, and its way to who asked. On the client's thread,
 * under the lock. */
#include "base/progress.h"
#include "llm/json_repair.h"
#include "llm/llm_internal.h"
#include "llm/schema.h"

#include <math.h>

/* The value of an answer that can be used, or the reason why it can't. */
static enum gm_status read_value(const struct gm_ask *a, const struct gm_llm_answer *answer,
                                 struct gm_json **out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    enum gm_json_care care;
    const char *reason;
    struct gm_json *v = NULL;
    *out = NULL;
    if (answer->none[0]) {
        st = GM_FAIL(err, GM_EFORMAT, "%s", answer->none);
        goto done;
    }
    if (a->tail.schema) {
        if (a->read)
            GM_TRY(a->read(&v, answer->text, err));
        else
            GM_TRY(gm_json_read_tolerant(&v, answer->text, &care, err));
        GM_TRY(gm_schema_check(a->tail.schema, v, err));
    } else if (!(v = gm_json_new_str(gm_str_trim(answer->text)))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    if (a->check && (reason = a->check(a->reply.user, v))) {
        st = GM_FAIL(err, GM_EFORMAT, "%s", reason);
        goto done;
    }
    *out = v;
    v = NULL;
done:
    gm_json_free(v);
    return st;
}

static enum gm_status keep_text(struct gm_ask *a, const struct gm_llm_answer *answer,
                                struct gm_error *err)
{
    gm_buf_init(&a->reply.text, answer->text.n + 1);
    return gm_buf_add_str(&a->reply.text, answer->text, err);
}

/* Put a good answer into the reply. */
static enum gm_status take_answer(struct gm_ask *a, const struct gm_llm_answer *answer,
                                  struct gm_json *value, struct gm_error *err)
{
    struct gm_llm_reply *r = &a->reply;
    enum gm_status st = keep_text(a, answer, err);
    r->value = value;
    r->usage = answer->usage;
    r->logprobs = answer->logprobs ? gm_json_ref(answer->logprobs) : NULL;
    return st;
}

/* The run goes on without its cache; that is said once. */
static void check_kept(struct gm_llm *llm, enum gm_status st, const struct gm_error *err)
{
    if (st == GM_OK || llm->warned_cache)
        return;
    llm->warned_cache = true;
    gm_client_warn(llm, "answers cannot be cached: %s", err->msg);
}

/* Answers come in bursts: those of so long are written to the cache together. A slot of the server
 * does not wait for it, as the next request is sent before. */
static const double gather_s = 0.002;

/* On its way to who asked; with a cache, over the disk. */
static void deliver_kept(struct gm_llm *llm, struct gm_ask *a, struct gm_str body)
{
    struct gm_error err = {0};
    const struct gm_llm_cache *cache = &llm->opts.cache;
    if (!cache->put || a->fresh) {
        gm_ask_deliver(llm, a);
        return;
    }
    check_kept(llm, cache->put(cache->user, a->key, body, &err), &err);
    if (!llm->arrived.first)
        llm->deliver_at = gm_clock_s() + gather_s;
    gm_ask_answered(llm, a);
}

double gm_answers_deliver(struct gm_llm *llm, double now)
{
    struct gm_error err = {0};
    struct gm_ask *a;
    if (!llm->arrived.first)
        return INFINITY;
    if (now < llm->deliver_at)
        return llm->deliver_at;
    check_kept(llm, llm->opts.cache.commit(llm->opts.cache.user, &err), &err);
    while ((a = gm_ask_pop(&llm->arrived)))
        gm_ask_deliver(llm, a);
    return INFINITY;
}

static void count_usage(struct gm_llm *llm, struct gm_ask *a, const struct gm_llm_answer *answer)
{
    const struct gm_llm_usage *u = &answer->usage;
    struct gm_llm_stats *s = &llm->stats;
    s->prompt_tokens += u->prompt;
    s->completion_tokens += u->completion;
    s->cached_tokens += u->cached;
    s->cost +=
        answer->has_usage ? gm_llm_cost(llm, u->prompt, u->completion) : gm_ask_bound(llm, a);
    if (llm->opts.tokens_per_min > 0 && answer->has_usage)
        llm->next_token_at += ((double)u->prompt + (double)u->completion - (double)a->est_prompt) *
                              60 / llm->opts.tokens_per_min;
}

/* A limit that thoughts fill is a setting to mend; said once. */
static void warn_of_thoughts(struct gm_llm *llm, const struct gm_ask *a,
                             const struct gm_llm_answer *answer)
{
    if (!answer->cut || answer->text.n || llm->warned_thoughts)
        return;
    llm->warned_thoughts = true;
    gm_client_warn(
        llm,
        "the model's thoughts fill max_tokens (%ld), and no answer is left; give the stage a "
        "larger max_tokens",
        a->tail.max_tokens);
}

void gm_answer_take(struct gm_llm *llm, struct gm_ask *a, const struct gm_llm_answer *answer,
                    struct gm_str body)
{
    struct gm_error err = {0};
    struct gm_json *value;
    count_usage(llm, a, answer);
    a->n_asks++;
    a->reply.n_asks = a->n_asks;
    enum gm_status st = read_value(a, answer, &value, &err);
    if (st == GM_OK && (st = take_answer(a, answer, value, &err)) == GM_OK) {
        llm->stats.answered++;
        deliver_kept(llm, a, body);
        return;
    }
    gm_secrets_hide(&llm->secrets, err.msg); /* it may be a refusal in the server's words */
    if (st == GM_EFORMAT) {
        warn_of_thoughts(llm, a, answer);
        llm->stats.invalid++;
        llm->stats.retried_tokens += answer->usage.prompt + answer->usage.completion;
    }
    if (st == GM_EFORMAT && a->n_asks < llm->opts.max_asks) {
        llm->stats.reasks++;
        gm_ask_again(llm, a, gm_clock_s());
        return;
    }
    if (st == GM_EFORMAT && keep_text(a, answer, NULL) != GM_OK)
        st = GM_ENOMEM;
    /* What the model or its server will not do is for the user to read, not an answer to judge. */
    gm_ask_fail(llm, a, st == GM_EFORMAT && answer->refused ? GM_EARG : st, err.msg);
}

/* Of the whole request, and of what it depends on beside the words in it; of samples, where no seed tells them apart,
 * also which one. */
static enum gm_status make_key(struct gm_llm *llm, struct gm_ask *a, struct gm_error *err)
{
    const struct gm_server_group *g = &llm->groups[a->group];
    enum gm_status st = gm_ask_finish_body(llm, a, err);
    if (st == GM_OK)
        st = gm_buf_add_str(&a->body, gm_str(a->named ? g->files : g->name), err);
    if (st == GM_OK && a->sample && !(a->sent & GM_LLM_P_SEED))
        st = gm_buf_printf(&a->body, err, "\nsample %zu", a->sample);
    if (st == GM_OK)
        gm_sha256(gm_buf_str(&a->body), a->key);
    return st; /* the body is finished again when it is sent */
}

bool gm_answer_cached(struct gm_llm *llm, struct gm_ask *a)
{
    struct gm_llm_answer answer = {0};
    struct gm_json *value = NULL;
    struct gm_error err;
    struct gm_buf body;
    bool found = false;
    const struct gm_llm_cache *cache = &llm->opts.cache;
    if (!cache->get || a->fresh)
        return false;
    if (make_key(llm, a, &err) != GM_OK) {
        a->fresh = true; /* nothing is kept under no key */
        return false;
    }
    gm_buf_init(&body, GM_REPLY_MAX);
    if (cache->get(cache->user, a->key, &body, &found, &err) != GM_OK)
        found = false;
    found = found && gm_llm_read_answer(&answer, gm_buf_str(&body), &err) == GM_OK &&
            read_value(a, &answer, &value, &err) == GM_OK &&
            take_answer(a, &answer, value, &err) == GM_OK;
    gm_json_free(answer.envelope);
    gm_buf_clear(&body);
    if (found) {
        a->reply.cached = true;
        llm->stats.cached++;
        gm_ask_deliver(llm, a);
    }
    return found;
}
