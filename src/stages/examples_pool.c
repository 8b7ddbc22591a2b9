#include "stages/examples_pool.h"

#include "base/alloc.h"
#include "base/log.h"
#include "llm/prompt.h"
#include "similar/vector_cache.h"

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

static void pool_free(void *thing)
{
    struct gm_examples_pool *p = thing;
    if (!p)
        return;
    gm_similar_pool_free(p->similar);
    gm_pool_posts_clear(&p->posts);
    gm_free(p);
}

static enum gm_status pool_make(void **thing, const void *how, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_examples_setting *x = how;
    struct gm_similar_opts opts = x->opts;
    struct gm_arena a;
    struct gm_examples_pool *p = gm_alloc(1, sizeof *p);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&a, 0);
    GM_TRY(gm_pool_posts_load(&p->posts, &x->file, NULL, err));
    for (size_t i = 0; i < p->posts.n; i++)
        p->n_with_picture += p->posts.items[i]->image.n > 0;
    GM_LOG(GM_LOG_INFO, "llm", "the %zu posts of %.*s are indexed for examples", p->posts.n,
           GM_STR_ARG(x->file.pool));
    opts.cache = gm_vector_cache_path(&a);
    st = gm_similar_pool_load(&p->similar, p->posts.items, p->posts.n, &opts, err);
    if (st != GM_OK) {
        gm_error_prefix(err, "setting \"examples\"");
        goto done;
    }
    *thing = p;
    p = NULL;
done:
    pool_free(p);
    gm_arena_clear(&a);
    return st;
}

/* Two stages of a recipe mostly show examples of the same pool. */
static const struct gm_shared_kind pool_kind = {"pool of examples", pool_make, pool_free, true};

/* ---- what they depend on ---- */

enum gm_status gm_examples_pool_fingerprint(const struct gm_examples_setting *x, struct gm_buf *out,
                                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_pool_file_fingerprint(&x->file, out, err));
    st = gm_fingerprint_model(x->encoder.n ? x->encoder.p : "minilm", out, err);
    if (st == GM_OK && x->clip.n)
        st = gm_fingerprint_network("clip", x->clip.p, out, err);
    if (st != GM_OK)
        gm_error_prefix(err, "setting \"examples\"");
done:
    return st;
}

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

enum gm_status gm_examples_pool_get(struct gm_held *out, const struct gm_examples_setting *x,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf key;
    gm_buf_init(&key, (size_t)1 << 20);
    GM_TRY(write_key(x, &key, err));
    st = gm_shared_get(out, &pool_kind, gm_buf_str(&key), x, err);
done:
    gm_buf_clear(&key);
    return st;
}
