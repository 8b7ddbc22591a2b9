/* The cache of replies that runs share, given to a client. */
#include "base/cache.h"
#include "base/log.h"
#include "llm/llm.h"

enum gm_status gm_llm_open_cache(struct gm_llm_opts *opts, struct gm_cache **cache,
                                 const char *path, struct gm_error *err)
{
    struct gm_error why = {0};
    enum gm_status st = gm_cache_open(cache, path, &why);
    if (st == GM_ENOMEM)
        return GM_FAIL(err, st, "%s", why.msg);
    if (st == GM_OK)
        opts->cache = (struct gm_llm_cache){*cache, gm_cache_get, gm_cache_put, gm_cache_commit};
    else
        GM_LOG(
            GM_LOG_WARN, "llm",
            "answers cannot be cached: %s; the run goes on without, and one that ends early begins anew "
            "(another file: GMNER_CACHE=FILE)",
            why.msg);
    return GM_OK;
}
