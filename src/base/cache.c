#include "base/cache.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"
#include "base/store.h"

#include <pthread.h>
#include <stdlib.h>

struct gm_cache {
    pthread_mutex_t lock;
    struct gm_store *store;
    struct gm_stmt *get, *put;
    bool is_writing; /* a transaction is open: it holds what was put since the last commit */
};

enum { VERSION = 1 };

static const char schema[] =
    "CREATE TABLE reply (key TEXT PRIMARY KEY, reply TEXT NOT NULL, at TEXT NOT NULL);";

const char *gm_cache_path(struct gm_arena *a)
{
    const char *given = getenv("GMNER_CACHE");
    return given && given[0] ? gm_arena_str(a, gm_str(given)).p
                             : gm_user_path(a, "XDG_CACHE_HOME", ".cache", "gmner/replies.sqlite");
}

enum gm_status gm_cache_open(struct gm_cache **out, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    *out = NULL;
    gm_arena_init(&a, 0);
    struct gm_cache *c = gm_alloc(1, sizeof *c);
    if (c)
        pthread_mutex_init(&c->lock, NULL);
    const char *dir = gm_path_dir(&a, path);
    if (!c || !dir) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(gm_mkdirs(dir, err));
    GM_TRY(gm_store_open(&c->store, path, schema, VERSION, err));
    GM_TRY(gm_stmt_new(&c->get, c->store, "SELECT reply FROM reply WHERE key = ?1", err));
    GM_TRY(gm_stmt_new(&c->put, c->store,
                       "INSERT OR REPLACE INTO reply VALUES (?1, ?2, datetime('now'))", err));
    *out = c;
    c = NULL;
done:
    gm_cache_close(c);
    gm_arena_clear(&a);
    return st;
}

void gm_cache_close(struct gm_cache *c)
{
    if (!c)
        return;
    gm_stmt_free(c->get);
    gm_stmt_free(c->put);
    gm_store_close(c->store);
    pthread_mutex_destroy(&c->lock);
    gm_free(c);
}

enum gm_status gm_cache_get(void *user, const char *key, struct gm_buf *out, bool *found,
                            struct gm_error *err)
{
    struct gm_cache *c = user;
    const struct gm_value arg = GM_VALUE_STR(gm_str(key));
    pthread_mutex_lock(&c->lock);
    enum gm_status st = gm_stmt_run(c->get, &arg, 1, found, err);
    if (st == GM_OK && *found)
        st = gm_buf_add_str(out, gm_stmt_text(c->get, 0), err);
    gm_stmt_reset(c->get);
    pthread_mutex_unlock(&c->lock);
    return st;
}

enum gm_status gm_cache_put(void *user, const char *key, struct gm_str reply, struct gm_error *err)
{
    struct gm_cache *c = user;
    const struct gm_value args[] = {GM_VALUE_STR(gm_str(key)),
                                    GM_VALUE_STR(reply.n ? reply : GM_STR(""))};
    enum gm_status st = GM_OK;
    pthread_mutex_lock(&c->lock);
    if (!c->is_writing)
        GM_TRY(gm_store_exec(c->store, "BEGIN IMMEDIATE", err));
    c->is_writing = true;
    GM_TRY(gm_stmt_run(c->put, args, 2, NULL, err));
done:
    pthread_mutex_unlock(&c->lock);
    return st;
}

enum gm_status gm_cache_commit(void *user, struct gm_error *err)
{
    struct gm_cache *c = user;
    pthread_mutex_lock(&c->lock);
    enum gm_status st = c->is_writing ? gm_store_exec(c->store, "COMMIT", err) : GM_OK;
    if (st != GM_OK)
        (void)!gm_store_exec(c->store, "ROLLBACK", NULL); /* fails where COMMIT has done it */
    c->is_writing = false;
    pthread_mutex_unlock(&c->lock);
    return st;
}
