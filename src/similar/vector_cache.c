/* vector_cache.c - a row is the SHA-256 of "ENCODER\nCONTENT" and, as bytes, the vector and the first 16 hex
 * digits of the SHA-256 of its bytes. Numbers are as this machine has them: the key has their byte order. */
#include "similar/vector_cache.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cache.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/log.h"
#include "base/path.h"
#include "base/sha256.h"
#include "base/store.h"

#include <pthread.h>
#include <string.h>

enum { VERSION = 1, SUM = 16, CONTENT_MAX = 64 << 20 };

static const char schema[] = "CREATE TABLE vector (key TEXT PRIMARY KEY, value BLOB NOT NULL);";

struct gm_vector_cache {
    pthread_mutex_t lock;
    struct gm_store *store;
    struct gm_stmt *get, *put;
    struct gm_buf encoder, text; /* text: of a key; then of a value */
    size_t dim;
    bool is_broken; /* told of; nothing more is tried */
};

const char *gm_vector_cache_path(struct gm_arena *a)
{
    const char *replies = gm_cache_path(a), *dir = replies ? gm_path_dir(a, replies) : NULL;
    return dir ? gm_path_join(a, dir, "vectors.sqlite") : NULL;
}

static void tell(const struct gm_error *why)
{
    GM_LOG(GM_LOG_WARN, "similar", "vectors are not kept for the next time: %s", why->msg);
}

static enum gm_status open_file(struct gm_vector_cache *c, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    const char *dir = gm_path_dir(&a, path);
    GM_TRY(dir ? gm_mkdirs(dir, err) : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_store_open(&c->store, path, schema, VERSION, err));
    GM_TRY(gm_stmt_new(&c->get, c->store, "SELECT value FROM vector WHERE key = ?1", err));
    st = gm_stmt_new(&c->put, c->store, "INSERT OR REPLACE INTO vector VALUES (?1, ?2)", err);
done:
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_vector_cache_open(struct gm_vector_cache **out, const char *path,
                                    struct gm_str encoder, size_t dim, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_error why;
    const uint16_t one = 1;
    *out = NULL;
    if (!path)
        return GM_OK;
    struct gm_vector_cache *c = gm_alloc(1, sizeof *c);
    if (!c)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    pthread_mutex_init(&c->lock, NULL);
    gm_buf_init(&c->encoder, CONTENT_MAX);
    gm_buf_init(&c->text, CONTENT_MAX);
    c->dim = dim;
    GM_TRY(gm_buf_printf(&c->encoder, err, "%.*s %zu %d\n", GM_STR_ARG(encoder), dim,
                         *(const uint8_t *)&one));
    enum gm_status opened = open_file(c, path, &why);
    if (opened == GM_OK) {
        *out = c;
        c = NULL;
    } else if (opened == GM_ENOMEM) {
        st = GM_FAIL(err, opened, "%s", why.msg);
    } else {
        tell(&why);
    }
done:
    gm_vector_cache_close(c);
    return st;
}

enum gm_status gm_vector_cache_open_model(struct gm_vector_cache **out, const char *path,
                                          const char *model, const char *what,
                                          const char *precision, size_t dim, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf encoder;
    *out = NULL;
    if (!path)
        return GM_OK;
    gm_buf_init(&encoder, (size_t)1 << 20);
    GM_TRY(gm_fingerprint_model(model, &encoder, err));
    GM_TRY(gm_buf_printf(&encoder, err, "%s %s", what, precision ? precision : "f32"));
    st = gm_vector_cache_open(out, path, gm_buf_str(&encoder), dim, err);
done:
    gm_buf_clear(&encoder);
    return st;
}

void gm_vector_cache_close(struct gm_vector_cache *c)
{
    if (!c)
        return;
    gm_stmt_free(c->get);
    gm_stmt_free(c->put);
    gm_store_close(c->store);
    gm_buf_clear(&c->encoder);
    gm_buf_clear(&c->text);
    pthread_mutex_destroy(&c->lock);
    gm_free(c);
}

static enum gm_status key_of(struct gm_vector_cache *c, struct gm_str content,
                             char key[GM_SHA256_HEX], struct gm_error *err)
{
    enum gm_status st = GM_OK;
    gm_buf_reset(&c->text);
    GM_TRY(gm_buf_add_str(&c->text, gm_buf_str(&c->encoder), err));
    GM_TRY(gm_buf_add_str(&c->text, content, err));
    gm_sha256(gm_buf_str(&c->text), key);
done:
    return st;
}

static void sum_of(const float *vector, size_t dim, char sum[GM_SHA256_HEX])
{
    gm_sha256((struct gm_str){(const char *)(const void *)vector, dim * sizeof *vector}, sum);
}

static enum gm_status get_one(struct gm_vector_cache *c, struct gm_str content, float *out,
                              bool *found, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char key[GM_SHA256_HEX], sum[GM_SHA256_HEX];
    size_t bytes = c->dim * sizeof *out;
    bool has;
    *found = false;
    GM_TRY(key_of(c, content, key, err));
    const struct gm_value arg = GM_VALUE_STR(gm_str(key));
    GM_TRY(gm_stmt_run(c->get, &arg, 1, &has, err));
    struct gm_str value = has ? gm_stmt_bytes(c->get, 0) : GM_STR("");
    if (value.n == bytes + SUM) {
        memcpy(out, value.p, bytes);
        sum_of(out, c->dim, sum);
        *found = memcmp(sum, value.p + bytes, SUM) == 0;
    }
    gm_stmt_reset(c->get);
done:
    return st;
}

static enum gm_status put_one(struct gm_vector_cache *c, struct gm_str content, const float *vector,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char key[GM_SHA256_HEX], sum[GM_SHA256_HEX];
    GM_TRY(key_of(c, content, key, err));
    sum_of(vector, c->dim, sum);
    gm_buf_reset(&c->text);
    GM_TRY(gm_buf_add(&c->text, vector, c->dim * sizeof *vector, err));
    GM_TRY(gm_buf_add(&c->text, sum, SUM, err));
    const struct gm_value args[] = {GM_VALUE_STR(gm_str(key)), GM_VALUE_BLOB(gm_buf_str(&c->text))};
    st = gm_stmt_run(c->put, args, 2, NULL, err);
done:
    return st;
}

void gm_vector_cache_get(struct gm_vector_cache *c, const struct gm_str *contents, size_t n,
                         float *out, bool *found)
{
    struct gm_error why;
    memset(found, 0, n * sizeof *found);
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    bool was_broken = c->is_broken;
    for (size_t i = 0; i < n && !c->is_broken; i++)
        c->is_broken = get_one(c, contents[i], out + i * c->dim, &found[i], &why) != GM_OK;
    bool breaks = c->is_broken && !was_broken;
    pthread_mutex_unlock(&c->lock);
    if (breaks)
        tell(&why);
}

static enum gm_status put_all(struct gm_vector_cache *c, const struct gm_str *contents, size_t n,
                              const float *vectors, const bool *known, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_store_exec(c->store, "BEGIN IMMEDIATE", err));
    for (size_t i = 0; i < n && st == GM_OK; i++)
        if (!known[i])
            st = put_one(c, contents[i], vectors + i * c->dim, err);
    if (st == GM_OK)
        st = gm_store_exec(c->store, "COMMIT", err);
    if (st != GM_OK)
        (void)!gm_store_exec(c->store, "ROLLBACK", NULL); /* fails where COMMIT has done it */
done:
    return st;
}

void gm_vector_cache_put(struct gm_vector_cache *c, const struct gm_str *contents, size_t n,
                         const float *vectors, const bool *known)
{
    struct gm_error why;
    size_t i = 0;
    while (i < n && known[i])
        i++;
    if (!c || i == n)
        return;
    pthread_mutex_lock(&c->lock);
    bool breaks = !c->is_broken && put_all(c, contents, n, vectors, known, &why) != GM_OK;
    c->is_broken = c->is_broken || breaks;
    pthread_mutex_unlock(&c->lock);
    if (breaks)
        tell(&why);
}

enum gm_status gm_vector_cache_embed(struct gm_vector_cache *c, const struct gm_str *contents,
                                     size_t n, size_t dim, float *out, gm_embed_fn *embed,
                                     void *user, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_at = 0;
    bool *known = gm_alloc(n, sizeof *known);
    size_t *at = gm_alloc(n, sizeof *at);
    float *fresh = gm_alloc(n, dim * sizeof *fresh);
    if (!known || !at || !fresh) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu vectors", n);
        goto done;
    }
    gm_vector_cache_get(c, contents, n, out, known);
    for (size_t i = 0; i < n; i++)
        if (!known[i])
            at[n_at++] = i;
    if (n_at)
        GM_TRY(embed(user, at, n_at, fresh, err));
    for (size_t i = 0; i < n_at; i++)
        memcpy(out + at[i] * dim, fresh + i * dim, dim * sizeof *fresh);
    gm_vector_cache_put(c, contents, n, out, known);
done:
    gm_free(known);
    gm_free(at);
    gm_free(fresh);
    return st;
}
