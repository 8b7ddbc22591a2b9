#include "stages/samples.h"

#include "base/alloc.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/models.h"
#include "base/path.h"
#include "base/shared.h"
#include "similar/joint.h"
#include "similar/vector_cache.h"
#include "stages/asked.h"
#include "stages/pool_file.h"

#include <stdatomic.h>

enum { SAMPLES_MAX_BYTES = 1 << 16, N_MAX = 20 };

/* Of a pool; all borrowed from the settings. */
struct setting {
    struct gm_pool_file file;
    struct gm_str tagger, precision, clip;
    double n;
    struct gm_joint_opts opts;
};

/* A pool with its vectors. */
struct pool {
    struct gm_pool_posts posts;
    struct gm_joint *joint;
    atomic_bool warned; /* of a picture that can't be read */
};

struct fixed {
    struct gm_str id, text;
};

struct gm_samples {
    struct gm_buf fixed; /* of every post */
    struct gm_arena arena;
    struct fixed *each; /* those of `fixed`, by their lines */
    size_t n_each, cap_each;
    struct gm_held pool; /* a struct pool; nothing = the fixed ones are shown */
    size_t n;
};

static enum gm_status read_setting(struct setting *x, const struct gm_json *j, struct gm_error *err)
{
    static const char *const known[] = {GM_POOL_FILE_SETTINGS, "n",    "tagger",
                                        "precision",           "clip", "image_weight",
                                        "duplicate",           NULL};
    enum gm_status st = GM_OK;
    *x = (struct setting){.tagger = GM_STR("ner-default"), .n = 5, .opts = gm_joint_opts_default()};
    GM_TRY(gm_settings_check(j, "samples", known, err));
    GM_TRY(gm_pool_file_read(&x->file, "samples", j, err));
    GM_TRY(gm_settings_str(j, "tagger", &x->tagger, err));
    GM_TRY(gm_settings_str(j, "precision", &x->precision, err));
    GM_TRY(gm_settings_str(j, "clip", &x->clip, err));
    GM_TRY(gm_settings_whole(j, "n", 1, N_MAX, &x->n, err));
    GM_TRY(gm_settings_num(j, "image_weight", 0, 1, &x->opts.image, err));
    GM_TRY(gm_settings_num(j, "duplicate", 0.1, 1, &x->opts.duplicate, err));
    x->opts.tagger = x->tagger.p;
    x->opts.precision = x->precision.p;
    x->opts.clip = x->clip.p;
done:
    if (st != GM_OK)
        gm_error_prefix(err, "setting \"samples\"");
    return st;
}

/* ---- the same for every post ---- */

/* The file that the settings name, else the one that comes with the program. */
static enum gm_status fixed_path(struct gm_arena *a, const struct gm_json *settings,
                                 const char **path, struct gm_error *err)
{
    struct gm_str own = {NULL, 0};
    enum gm_status st = gm_settings_str(settings, GM_SAMPLES_SETTINGS, &own, err);
    *path = own.p;
    if (st == GM_OK && !own.n)
        st = gm_home_path(a, "prompts/inform_samples.jsonl", path, err);
    if (st == GM_OK && !*path)
        st = GM_FAIL(err, GM_EIO, "no file prompts/inform_samples.jsonl beside the program");
    return st;
}

static enum gm_status add_sample(struct gm_buf *out, struct gm_str text, struct gm_str caption,
                                 struct gm_str knowledge, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err, "%sPost: %.*s\n", out->n ? "\n" : "", GM_STR_ARG(text)));
    if (caption.n)
        GM_TRY(gm_buf_printf(out, err, "Photo: %.*s\n", GM_STR_ARG(caption)));
    st = gm_buf_printf(out, err, "Knowledge: %.*s\n", GM_STR_ARG(knowledge));
done:
    return st;
}

static enum gm_status add_line(void *samples, struct gm_str line, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_samples *s = samples;
    struct gm_json *j = NULL;
    struct gm_str text, caption = {NULL, 0}, knowledge;
    GM_TRY(gm_json_parse(&j, line, err));
    (void)gm_json_str(gm_json_get(j, "caption"), &caption);
    if (!gm_json_str(gm_json_get(j, "text"), &text) ||
        !gm_json_str(gm_json_get(j, "knowledge"), &knowledge))
        st = GM_FAIL(err, GM_EFORMAT, "a sample needs the texts \"text\" and \"knowledge\"");
    else
        st = add_sample(&s->fixed, text, caption, knowledge, err);
    GM_TRY(st);
    GM_TRY(GM_GROW(s->each, s->n_each, s->cap_each, err));
    struct gm_str id = gm_arena_printf(&s->arena, "%zu", s->n_each + 1);
    s->each[s->n_each] = (struct fixed){id, gm_arena_str(&s->arena, text)};
    if (!id.p || !s->each[s->n_each++].text.p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_json_free(j);
    return st;
}

static enum gm_status read_fixed(struct gm_samples *s, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_lines *lines = NULL;
    GM_TRY(gm_lines_open(&lines, path, SAMPLES_MAX_BYTES, err));
    st = gm_lines_each(lines, add_line, s, err);
done:
    gm_lines_free(lines);
    return st;
}

/* ---- of a pool ---- */

static bool has_knowledge(const struct gm_post *p) { return p->knowledge.n && p->text.n; }

static void on_unreadable(void *user, const struct gm_post *post, const struct gm_error *why)
{
    struct pool *p = user;
    if (!atomic_exchange(&p->warned, true))
        GM_LOG(
            GM_LOG_WARN, "llm",
            "samples are chosen as if post %.*s had no picture, and others whose can't be read: %s",
            GM_STR_ARG(post->id), why->msg);
}

static void pool_free(void *thing)
{
    struct pool *p = thing;
    if (!p)
        return;
    gm_joint_free(p->joint);
    gm_pool_posts_clear(&p->posts);
    gm_free(p);
}

static enum gm_status pool_make(void **thing, const void *how, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct setting *x = how;
    struct gm_joint_opts opts = x->opts;
    struct gm_arena a;
    struct pool *p = gm_alloc(1, sizeof *p);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&a, 0);
    opts.cache = gm_vector_cache_path(&a);
    opts.unreadable = on_unreadable;
    opts.user = p;
    GM_TRY(gm_pool_posts_load(&p->posts, &x->file, has_knowledge, err));
    GM_LOG(GM_LOG_INFO, "llm", "samples are chosen from the %zu posts with knowledge of %.*s",
           p->posts.n, GM_STR_ARG(x->file.pool));
    st = gm_joint_load(&p->joint, p->posts.items, p->posts.n, &opts, err);
    if (st != GM_OK) {
        gm_error_prefix(err, "setting \"samples\"");
        goto done;
    }
    *thing = p;
    p = NULL;
done:
    pool_free(p);
    gm_arena_clear(&a);
    return st;
}

static const struct gm_shared_kind pool_kind = {"pool of samples", pool_make, pool_free, true};

static enum gm_status fingerprint_pool(const struct setting *x, struct gm_buf *out,
                                       struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_pool_file_fingerprint(&x->file, out, err));
    st = gm_fingerprint_model(x->tagger.p, out, err);
    if (st == GM_OK && x->clip.n)
        st = gm_fingerprint_network("clip", x->clip.p, out, err);
    if (st != GM_OK)
        gm_error_prefix(err, "setting \"samples\"");
done:
    return st;
}

/* By a name of all that the pool's vectors depend on. */
static enum gm_status open_pool(struct gm_samples *s, const struct gm_json *j, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct setting x;
    struct gm_buf name;
    gm_buf_init(&name, (size_t)1 << 20);
    GM_TRY(read_setting(&x, j, err));
    s->n = (size_t)x.n;
    GM_TRY(gm_buf_printf(&name, err, "%.*s %.*s %g %g\n", GM_STR_ARG(x.precision),
                         GM_STR_ARG(x.file.images), x.opts.image, x.opts.duplicate));
    GM_TRY(fingerprint_pool(&x, &name, err));
    st = gm_shared_get(&s->pool, &pool_kind, gm_buf_str(&name), &x, err);
done:
    gm_buf_clear(&name);
    return st;
}

/* ---- both ---- */

static bool is_pool(const struct gm_json *settings)
{
    return gm_json_kind(gm_json_get(settings, GM_SAMPLES_SETTINGS)) == GM_JSON_OBJECT;
}

enum gm_status gm_samples_open(struct gm_samples **out, const struct gm_json *settings,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *path;
    struct gm_arena a;
    struct gm_samples *s = gm_alloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&a, 0);
    gm_arena_init(&s->arena, 0);
    gm_buf_init(&s->fixed, SAMPLES_MAX_BYTES);
    if (is_pool(settings)) {
        GM_TRY(open_pool(s, gm_json_get(settings, GM_SAMPLES_SETTINGS), err));
    } else {
        GM_TRY(fixed_path(&a, settings, &path, err));
        GM_TRY(read_fixed(s, path, err));
    }
    *out = s;
    s = NULL;
done:
    gm_samples_free(s);
    gm_arena_clear(&a);
    return st;
}

void gm_samples_free(struct gm_samples *s)
{
    if (!s)
        return;
    gm_shared_drop(&s->pool);
    gm_buf_clear(&s->fixed);
    gm_free(s->each);
    gm_arena_clear(&s->arena);
    gm_free(s);
}

enum gm_status gm_samples_write(struct gm_samples *s, struct gm_post *post, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_similar_hit hits[N_MAX];
    size_t n = 0;
    const struct pool *pool = s->pool.thing;
    for (size_t i = 0; !pool && i < s->n_each; i++)
        gm_asked_sample(s->each[i].id, s->each[i].text);
    if (!pool)
        return gm_buf_add_str(out, gm_buf_str(&s->fixed), err);
    GM_TRY(gm_joint_find(pool->joint, post, s->n, hits, &n, err));
    for (size_t i = 0; i < n; i++) {
        const struct gm_post *p = pool->posts.items[hits[i].post];
        if (out->n + p->text.n + p->caption.n + p->knowledge.n + 40 > SAMPLES_MAX_BYTES)
            break;
        GM_TRY(add_sample(out, p->text, p->caption, p->knowledge, err));
        gm_asked_sample(p->id, p->text);
    }
done:
    return st;
}

enum gm_status gm_samples_fingerprint(const struct gm_json *settings, struct gm_buf *out,
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *path;
    struct setting x;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    if (is_pool(settings)) {
        GM_TRY(read_setting(&x, gm_json_get(settings, GM_SAMPLES_SETTINGS), err));
        st = fingerprint_pool(&x, out, err);
        goto done;
    }
    GM_TRY(fixed_path(&a, settings, &path, err));
    st = gm_fingerprint_file("samples", path, out, err);
done:
    gm_arena_clear(&a);
    return st;
}
