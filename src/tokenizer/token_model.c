#include "tokenizer/token_model.h"

#include "base/alloc.h"

enum gm_status gm_cuts_add(struct gm_cuts *c, struct gm_cut cut, struct gm_error *err)
{
    enum gm_status st = GM_GROW(c->items, c->n, c->cap, err);
    if (st == GM_OK)
        c->items[c->n++] = cut;
    return st;
}

void gm_cuts_clear(struct gm_cuts *c)
{
    gm_free(c->items);
    gm_free(c->work);
    *c = (struct gm_cuts){0};
}

enum gm_status gm_cuts_work(struct gm_cuts *c, void **out, size_t n, size_t size,
                            struct gm_error *err)
{
    size_t bytes;
    if (!gm_mul_size(n, size, &bytes))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (bytes > c->cap_work) {
        bytes += bytes / 2;
        gm_free(c->work);
        c->cap_work = 0;
        c->work = gm_alloc(bytes, 1);
        if (!c->work)
            return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu bytes", bytes);
        c->cap_work = bytes;
    }
    *out = c->work;
    return GM_OK;
}

enum gm_status gm_token_id_check(int32_t *out, long long id, const char *path, struct gm_str what,
                                 struct gm_error *err)
{
    enum { MAX_ID = 1 << 24 }; /* ids size tables; the largest vocabularies have 2^18 tokens */
    if (id < 0 || id >= MAX_ID)
        return GM_FAIL(err, GM_EMODEL, "%s: the id of token \"%.*s\" is not a number in 0..%d",
                       path, GM_STR_ARG(what), MAX_ID - 1);
    *out = (int32_t)id;
    return GM_OK;
}

enum gm_status gm_token_id_read(int32_t *out, const struct gm_json *json, const char *path,
                                struct gm_str what, struct gm_error *err)
{
    long long id = -1; /* what is no integer is out of range as well */
    gm_json_int(json, &id);
    return gm_token_id_check(out, id, path, what, err);
}
