/* What a request says, as JSON: the head with its messages stays, the tail is written for each try. */
#include "llm/llm_internal.h"

/* The tail as JSON; one is kept, as all requests of a stage have the same. */
static enum gm_status get_tail(struct gm_llm *llm, const struct gm_llm_tail *t, struct gm_str *out,
                               struct gm_error *err)
{
    const struct gm_llm_tail *k = &llm->tail;
    enum gm_status st = GM_OK;
    bool same = llm->tail_text.n && k->temperature == t->temperature && k->top_p == t->top_p &&
                k->max_tokens == t->max_tokens && k->seed == t->seed &&
                k->logprobs == t->logprobs && k->schema == t->schema && k->extra == t->extra &&
                k->without == t->without;
    if (!same) {
        gm_buf_reset(&llm->tail_text);
        st = gm_llm_write_tail(t, &llm->tail_text, err);
        if (st != GM_OK) /* half of it is nobody's */
            gm_buf_reset(&llm->tail_text);
        gm_json_free((struct gm_json *)(uintptr_t)llm->tail.schema);
        gm_json_free((struct gm_json *)(uintptr_t)llm->tail.extra);
        llm->tail = *t;
        llm->tail.schema = t->schema ? gm_json_ref(t->schema) : NULL;
        llm->tail.extra = t->extra ? gm_json_ref(t->extra) : NULL;
    }
    *out = gm_buf_str(&llm->tail_text);
    return st;
}

enum gm_status gm_ask_finish_body(struct gm_llm *llm, struct gm_ask *a, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_llm_tail t = a->tail;
    struct gm_str tail;
    if (a->ep)
        t.without |= a->ep->refused;
    if (a->n_asks > 0) { /* another answer to the same question, not the same one again */
        t.seed = (t.seed < 0 ? 0 : t.seed) + (long long)a->n_asks;
        if (t.temperature >= 0 && t.temperature < 0.4) /* none is the server's own */
            t.temperature = 0.4;
    }
    a->sent = gm_llm_tail_sends(&t);
    a->body.n = a->head_n;
    GM_TRY(get_tail(llm, &t, &tail, err));
    GM_TRY(gm_buf_add_str(&a->body, tail, err));
done:
    return st;
}
