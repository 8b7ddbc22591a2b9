/* What was learned of a model, kept in the cache of replies. */
#include "llm/llm_internal.h"

/* A name that stands for whatever the server has at the moment says nothing of tomorrow's. */
static bool has_name(const struct gm_llm *llm, size_t servers, const char *model)
{
    return model || (servers == 0 && llm->has_model);
}

static enum gm_status fact_key(const struct gm_llm *llm, size_t servers, const char *model,
                               const char *what, char key[GM_SHA256_HEX], struct gm_error *err)
{
    struct gm_buf b;
    gm_buf_init(&b, (size_t)1 << 20);
    enum gm_status st = gm_buf_printf(&b, err, "fact\n%s\n%s\n%s", what, llm->groups[servers].name,
                                      model ? model : llm->model);
    if (st == GM_OK)
        gm_sha256(gm_buf_str(&b), key);
    gm_buf_clear(&b);
    return st;
}

enum gm_status gm_llm_fact_get(const struct gm_llm *llm, size_t servers, const char *model,
                               const char *what, struct gm_buf *out, bool *found,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char key[GM_SHA256_HEX];
    const struct gm_llm_cache *cache = &llm->opts.cache;
    *found = false;
    if (!cache->get || !has_name(llm, servers, model))
        return GM_OK;
    GM_TRY(fact_key(llm, servers, model, what, key, err));
    if (cache->get(cache->user, key, out, found, NULL) != GM_OK)
        *found = false; /* as with replies: no run depends on the cache */
done:
    return st;
}

enum gm_status gm_llm_fact_put(const struct gm_llm *llm, size_t servers, const char *model,
                               const char *what, struct gm_str value, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char key[GM_SHA256_HEX];
    const struct gm_llm_cache *cache = &llm->opts.cache;
    if (!cache->put || !has_name(llm, servers, model))
        return GM_OK;
    GM_TRY(fact_key(llm, servers, model, what, key, err));
    if (cache->put(cache->user, key, value, NULL) == GM_OK)
        (void)!cache->commit(cache->user, NULL);
done:
    return st;
}
