#include "stages/examples_pool.h"

#include "base/alloc.h"
#include "base/log.h"
#include "llm/prompt.h"
#include "similar/vector_cache.h"

#include <pthread.h>

/* ---- the setting ---- */

static enum gm_status read_weights(const struct gm_json *w, double weight[GM_SIMILAR_PARTS],
                                   struct gm_error *err)
{
    static const char *const parts[] = {"text", "image", "entity", NULL};
    enum gm_status st = GM_OK;
    if (!w)
        return GM_OK;
    if (gm_json_kind(w) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EARG,
                       "setting \"weights\" must be as {text: 0.4, image: 0.2, entity: 0.6}");
    GM_TRY(gm_settings_check(w, "examples", parts, err));
    for (size_t i = 0; i < GM_SIMILAR_PARTS; i++) {
        weight[i] = 0;
        GM_TRY(gm_settings_num(w, parts[i], 0, 1e6, &weight[i], err));
    }
done:
    return st;
}

static enum gm_status read_texts(struct gm_examples_setting *x, const struct gm_json *j,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct {
        const char *key;
        struct gm_str *to;
    } texts[] = {{"encoder", &x->encoder},
                 {"precision", &x->precision},
                 {"clip", &x->clip},
                 {"entity", &x->entity}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        GM_TRY(gm_settings_str(j, texts[i].key, texts[i].to, err));
    x->opts.encoder = x->encoder.p;
    x->opts.precision = x->precision.p;
    x->opts.clip = x->clip.p;
done:
    return st;
}

enum gm_status gm_examples_setting_read(struct gm_examples_setting *x, const struct gm_json *j,
                                        struct gm_error *err)
{
    static const char *const known[] = {
        GM_POOL_FILE_SETTINGS, "k",       "encoder", "precision", "clip", "entity",
        "duplicate",           "weights", "index",   NULL};
    enum gm_status st = GM_OK;
    struct gm_str index = GM_STR("exact");
    *x = (struct gm_examples_setting){
        .entity = GM_STR("sum"), .k = 3, .opts = gm_similar_opts_default()};
    if (gm_json_kind(j) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EARG, "setting \"examples\" must be as {pool: FILE, k: 3}");
    GM_TRY(gm_settings_check(j, "examples", known, err));
    GM_TRY(gm_pool_file_read(&x->file, "examples", j, err));
    GM_TRY(read_texts(x, j, err));
    GM_TRY(gm_settings_whole(j, "k", 1, GM_PROMPT_EXAMPLES_MAX, &x->k, err));
    GM_TRY(gm_settings_num(j, "duplicate", 0.1, 1, &x->opts.rule.duplicate, err));
    GM_TRY(read_weights(gm_json_get(j, "weights"), x->opts.rule.weight, err));
    GM_TRY(gm_settings_str(j, "index", &index, err));
    x->opts.rule.best = gm_str_eq_c(x->entity, "best");
    x->opts.indexed = gm_str_eq_c(index, "hnsw");
    if (!x->opts.rule.best && !gm_str_eq_c(x->entity, "sum"))
        st = GM_FAIL(err, GM_EARG, "setting \"entity\" is \"%.*s\"; it must be sum or best",
                     GM_STR_ARG(x->entity));
    else if (!x->opts.indexed && !gm_str_eq_c(index, "exact"))
        st = GM_FAIL(err, GM_EARG, "setting \"index\" is \"%.*s\"; it must be exact or hnsw",
                     GM_STR_ARG(index));
done:
    if (st != GM_OK)
        gm_error_prefix(err, "setting \"examples\"");
    return st;
}

/* ---- the pool ---- */

static void pool_free(struct gm_examples_pool *p)
{
    if (!p)
        return;
    gm_similar_pool_free(p->similar);
    gm_pool_posts_clear(&p->posts);
    gm_arena_clear(&p->arena);
    gm_free(p);
}

static enum gm_status pool_new(struct gm_examples_pool **out, const struct gm_examples_setting *x,
                               struct gm_str key, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_examples_pool *p = gm_alloc(1, sizeof *p);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&p->arena, 0);
    p->key = gm_arena_str(&p->arena, key);
    if (!p->key.p) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(gm_pool_posts_load(&p->posts, &x->file, NULL, err));
    for (size_t i = 0; i < p->posts.n; i++)
        p->n_with_picture += p->posts.items[i]->image.n > 0;
    GM_LOG(GM_LOG_INFO, "llm", "the %zu posts of %.*s are indexed for examples", p->posts.n,
           GM_STR_ARG(x->file.pool));
    struct gm_similar_opts opts = x->opts;
    opts.cache = gm_vector_cache_path(&p->arena);
    st = gm_similar_pool_load(&p->similar, p->posts.items, p->posts.n, &opts, err);
    if (st != GM_OK) {
        gm_error_prefix(err, "setting \"examples\"");
        goto done;
    }
    *out = p;
    p = NULL;
done:
    pool_free(p);
    return st;
}

/* ---- what they depend on ---- */

enum gm_status gm_examples_pool_fingerprint(const struct gm_examples_setting *x, struct gm_buf *out,
                                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_pool_file_fingerprint(&x->file, out, err));
    st = gm_fingerprint_model(x->encoder.n ? x->encoder.p : "minilm", out, err);
    if (st == GM_OK && x->clip.n)
        st = gm_fingerprint_file("clip", x->clip.p, out, err);
    if (st != GM_OK)
        gm_error_prefix(err, "setting \"examples\"");
done:
    return st;
}

/* ---- the pools that are open ---- */

/* Two stages of a recipe mostly show examples of the same pool, which takes long to index. */
static struct {
    pthread_mutex_t lock;
    struct gm_examples_pool *first;
} open_pools = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* All that a pool's index depends on. */
static enum gm_status write_key(const struct gm_examples_setting *x, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_similar_rule *r = &x->opts.rule;
    GM_TRY(gm_buf_printf(out, err, "%.*s %.*s %g %g %g %g %d %d\n", GM_STR_ARG(x->precision),
                         GM_STR_ARG(x->file.images), r->weight[0], r->weight[1], r->weight[2],
                         r->duplicate, r->best, x->opts.indexed));
    st = gm_examples_pool_fingerprint(x, out, err);
done:
    return st;
}

static struct gm_examples_pool *find_open(struct gm_str key)
{
    struct gm_examples_pool *p = open_pools.first;
    while (p && !gm_str_eq(p->key, key))
        p = p->next;
    return p;
}

enum gm_status gm_examples_pool_get(struct gm_examples_pool **out,
                                    const struct gm_examples_setting *x, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf key;
    *out = NULL;
    gm_buf_init(&key, (size_t)1 << 20);
    pthread_mutex_lock(&open_pools.lock);
    GM_TRY(write_key(x, &key, err));
    *out = find_open(gm_buf_str(&key));
    if (!*out) {
        GM_TRY(pool_new(out, x, gm_buf_str(&key), err));
        (*out)->next = open_pools.first;
        open_pools.first = *out;
    }
    (*out)->n_users++;
done:
    pthread_mutex_unlock(&open_pools.lock);
    gm_buf_clear(&key);
    return st;
}

void gm_examples_pool_put(struct gm_examples_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&open_pools.lock);
    bool is_last = --p->n_users == 0;
    for (struct gm_examples_pool **at = &open_pools.first; is_last && *at; at = &(*at)->next)
        if (*at == p) {
            *at = p->next;
            break;
        }
    pthread_mutex_unlock(&open_pools.lock);
    if (is_last)
        pool_free(p);
}
