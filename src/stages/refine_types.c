/* refine_types.c - the second step of refine: of which types the names are whose type is uncertain, and
 * those whose words the first step has found. */
#include "stages/refine.h"

static enum gm_status take_type(const struct gm_refine *r, struct gm_refine_work *w,
                                struct gm_entity *e, const struct gm_json *answer,
                                struct gm_error *err)
{
    size_t t = gm_refine_find_type(r, gm_refine_reply_text(answer, "type"));
    if (t == r->n_types)
        return gm_llm_reject_entity(&r->base, w->post, e, "unknown_type", err);
    if (!gm_str_eq(r->types[t], e->type)) {
        e->type = r->types[t];
        e->fine_type = GM_STR(""); /* it belonged to the old type */
        e->source = GM_STR("refine");
    }
    return GM_OK;
}

bool gm_refine_is_type_unsure(const struct gm_refine *r, const struct gm_entity *e)
{
    return 1 - gm_refine_type_score(e) > r->type;
}

enum gm_status gm_refine_types(struct gm_refine *r, struct gm_refine_work *w, bool *left,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_refine_list list = {.n = 0};
    struct gm_llm_reply reply = {0};
    for (size_t i = 0; i < w->n && list.n < GM_REFINE_ASKED_MAX; i++)
        if (w->is_fresh[i] || gm_refine_is_type_unsure(r, &w->entities[i]))
            list.at[list.n++] = i;
    list.n_entities = list.n;
    if (list.n == 0)
        return GM_OK;
    GM_TRY(gm_refine_ask(r, w, &list, GM_REFINE_ASK_TYPES, &reply, left, err));
    if (*left)
        goto done;
    if (reply.st == GM_EFORMAT)
        GM_TRY(gm_refine_reject_all(r, w, &list, err));
    const struct gm_json *said = gm_json_get(reply.value, "entities");
    for (size_t i = 0; reply.st == GM_OK && i < gm_json_count(said); i++) {
        long long number = 1;
        (void)gm_json_int(gm_json_get(gm_json_at(said, i), "entity"), &number);
        GM_TRY(take_type(r, w, &w->entities[list.at[number - 1]], gm_json_at(said, i), err));
    }
done:
    gm_llm_reply_clear(&reply);
    return st;
}
