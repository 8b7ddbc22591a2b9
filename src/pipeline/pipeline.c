/* Opening the stages of a recipe. */
#include "base/alloc.h"
#include "base/cache.h"
#include "base/host.h"
#include "base/log.h"
#include "base/models.h"
#include "base/path.h"
#include "pipeline/ahead.h"
#include "pipeline/pipeline_internal.h"
#include "stages/native_stage.h"

#include <string.h>

/* A name goes into the recipe as it is, and so into the run folder's configuration: the run goes on
 * from any folder, wherever the model lies. */
static enum gm_status set_tagger(struct gm_recipe *r, const char *model, struct gm_error *err)
{
    size_t n;
    const char *dir, *name;
    enum gm_status st = gm_model_find(&r->arena, model, &dir, &name, err);
    if (st == GM_EMODEL)
        return GM_FAIL(err, GM_EARG,
                       "%s: no such model folder, and no model of this name "
                       "(`gmner models list`); %s writes one",
                       model, gm_option("`gmner train --task ner`"));
    if (st == GM_OK)
        st = gm_recipe_set(r, "tag", NULL, "model", name ? name : dir, &n, err);
    if (st == GM_OK && n == 0)
        st =
            GM_FAIL(err, GM_EARG, "recipe %s has no tag stage that a tagger could be for", r->name);
    return st;
}

bool gm_pipeline_uses_llm(const struct gm_pipeline *p)
{
    for (size_t i = 0; i < p->n_stages; i++)
        if (p->stages[i].backend->llm)
            return true;
    return false;
}

struct gm_llm *gm_pipeline_llm(const struct gm_pipeline *p) { return p->llm; }

const char *gm_pipeline_run_dir(const struct gm_pipeline *p) { return p->run_dir; }
const char *gm_pipeline_at(const struct gm_pipeline *p) { return p->at; }

/* The model's name is part of each stage's configuration. */
static enum gm_status set_model(struct gm_pipeline *p, const struct gm_stage *s, const char *model,
                                struct gm_error *err)
{
    return model ? gm_recipe_set(p->recipe, s->backend->stage, NULL, "model", model, NULL, err)
                 : GM_OK;
}

/* Which stage it is, and the line of the setting that the message is about. */
static void name_stage(const struct gm_pipeline *p, const struct gm_backend *b,
                       const struct gm_json *settings, struct gm_error *err)
{
    const char *where = err ? gm_recipe_where(p->recipe, settings, err->msg) : NULL;
    gm_error_prefix(err, "stage %s", b->stage);
    if (where)
        gm_error_prefix(err, "%s", where);
}

/* The setting `endpoint`: servers of the stage's own. It goes out of the settings, as where an answer
 * comes from is no part of what it depends on; --model is for the run's servers. */
static enum gm_status set_servers(struct gm_pipeline *p, struct gm_stage *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_llm_servers *own = &p->more[p->n_more];
    struct gm_str text = {NULL, 0};
    GM_TRY(gm_settings_str(s->settings, "endpoint", &text, err));
    if (!text.p)
        goto done;
    GM_TRY(gm_llm_endpoints_read(own, text, &p->recipe->arena, err));
    if (!gm_json_get(s->settings, "model"))
        GM_TRY(set_model(p, s, gm_llm_model_of(own->endpoints[0]), err));
    gm_recipe_remove(p->recipe, s->backend->stage, "endpoint");
    s->servers = ++p->n_more;
done:
    if (st != GM_OK)
        name_stage(p, s->backend, s->settings, err);
    return st;
}

static enum gm_status set_llm(struct gm_pipeline *p, const struct gm_pipeline_opts *opts,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (!gm_pipeline_uses_llm(p))
        return GM_OK;
    p->own_opts = gm_llm_opts_default();
    p->llm_opts = opts->llm ? opts->llm : &p->own_opts;
    p->cache_path = opts->cache;
    p->shown = opts->client;
    for (size_t i = 0; i < p->n_stages; i++) {
        struct gm_stage *s = &p->stages[i];
        if (!s->backend->llm)
            continue;
        GM_TRY(set_servers(p, s, err));
        if (s->servers)
            continue;
        if (!p->llm_opts->n_endpoints) {
            st = GM_FAIL(err, GM_EARG, "recipe %s asks a language model: give %s", p->recipe->name,
                         gm_option("--endpoint URL or FILE.gguf, or set OPENAI_BASE_URL"));
            goto done;
        }
        const char *model = p->llm_opts->model;
        GM_TRY(set_model(p, s, model ? model : gm_llm_model_of(p->llm_opts->endpoints[0]), err));
    }
done:
    return st;
}

static void add_stage(struct gm_pipeline *p, const struct gm_backend *b,
                      const struct gm_json *settings, bool is_step)
{
    p->stages[p->n_stages] = (struct gm_stage){
        .backend = b, .settings = settings, .place = p->n_stages, .is_step = is_step};
    p->n_stages++;
}

/* The native step that a stage brings along, where its settings ask for it. */
static enum gm_status add_step(struct gm_pipeline *p, const struct gm_backend *step,
                               const char *only_if, const struct gm_json *settings,
                               struct gm_error *err)
{
    struct gm_str value = {NULL, 0};
    if (!step)
        return GM_OK;
    enum gm_status st = gm_settings_str(settings, only_if, &value, err);
    if (st == GM_OK && value.n)
        add_stage(p, step, settings, true);
    if (st != GM_OK)
        name_stage(p, step, settings, err);
    return st;
}

/* The recipe's, each with its steps. */
static enum gm_status list_stages(struct gm_pipeline *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    p->stages = gm_alloc(3 * p->recipe->n_stages, sizeof *p->stages);
    p->more = gm_alloc(3 * p->recipe->n_stages, sizeof *p->more);
    if (!p->stages || !p->more)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->recipe->n_stages; i++) {
        const struct gm_backend *b = p->recipe->stages[i].backend;
        const struct gm_json *settings = p->recipe->stages[i].settings;
        GM_TRY(add_step(p, b->first, b->first_if, settings, err));
        add_stage(p, b, settings, false);
        GM_TRY(add_step(p, b->then, b->then_if, settings, err));
    }
done:
    return st;
}

/* An object of the same members; NULL when memory is out. */
static struct gm_json *copy_of(const struct gm_json *from)
{
    struct gm_json *to = gm_json_new_object();
    bool ok = to != NULL;
    for (void *it = gm_json_first(from); it && ok; it = gm_json_next(from, it))
        ok = gm_json_set(to, gm_json_key(it).p, gm_json_ref(gm_json_value(it)));
    if (ok)
        return to;
    gm_json_free(to);
    return NULL;
}

/* One setting of another stage as the step's own. */
static enum gm_status take_setting(struct gm_stage *s, const struct gm_json *from, const char *key,
                                   struct gm_error *err)
{
    const struct gm_json *value = gm_json_get(from, key);
    if (!value)
        return GM_OK;
    if ((!s->own && !(s->own = copy_of(s->settings))) ||
        !gm_json_set(s->own, key, gm_json_ref(value)))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    s->settings = s->own;
    return GM_OK;
}

/* What a step takes over from a stage that works alike. */
static enum gm_status take_over(struct gm_pipeline *p, struct gm_stage *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *from = NULL;
    for (size_t i = 0; i < p->n_stages && s->backend->like; i++)
        if (strcmp(p->stages[i].backend->stage, s->backend->like) == 0)
            from = p->stages[i].settings;
    if (!from)
        return GM_OK;
    if (s->backend->native->number_key)
        GM_TRY(take_setting(s, from, s->backend->native->number_key, err));
    for (const char *const *key = s->backend->native->more; key && *key; key++)
        GM_TRY(take_setting(s, from, *key, err));
done:
    return st;
}

static enum gm_status check_stage(const struct gm_pipeline *p, const struct gm_stage *s,
                                  struct gm_error *err)
{
    enum gm_status st = s->backend->check(s->backend, s->settings, err);
    if (st != GM_OK)
        name_stage(p, s->backend, s->settings, err);
    if (st == GM_EARG && err) /* the file's fault, as all that a recipe may have wrong */
        err->code = GM_EFORMAT;
    return st == GM_EARG ? GM_EFORMAT : st;
}

enum gm_status gm_pipeline_open(struct gm_pipeline **out, const struct gm_pipeline_opts *opts,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    struct gm_pipeline *p = gm_alloc(1, sizeof *p);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    pthread_mutex_init(&p->lock, NULL);
    p->shard = opts->shard;
    p->max_words = opts->max_words ? opts->max_words : GM_POST_WORDS;
    p->post_seconds = opts->post_seconds;
    GM_TRY(gm_recipe_load(&p->recipe, opts->recipe ? opts->recipe : "embedded", err));
    if (opts->settings)
        GM_TRY(gm_recipe_include(p->recipe, opts->settings, true, err));
    if (opts->tagger)
        GM_TRY(set_tagger(p->recipe, opts->tagger, err));
    if (opts->precision) {
        GM_TRY(gm_recipe_set(p->recipe, NULL, "native", "precision", opts->precision, NULL, err));
        GM_TRY(gm_recipe_set(p->recipe, NULL, "detector", "precision", opts->precision, NULL, err));
        GM_TRY(gm_recipe_set(p->recipe, NULL, "sam", "precision", opts->precision, NULL, err));
    }
    GM_TRY(list_stages(p, err));
    GM_TRY(set_llm(p, opts, err));
    for (size_t i = 0; i < p->n_stages; i++) {
        GM_TRY(take_over(p, &p->stages[i], err));
        GM_TRY(check_stage(p, &p->stages[i], err));
    }
    p->run_dir = opts->run ? opts->run : gm_pipeline_uses_llm(p) ? opts->run_if_llm : NULL;
    if (p->llm_opts && p->llm_opts->dry_run)
        p->run_dir = NULL;
    if (p->run_dir)
        GM_TRY(gm_run_open(&p->run, p->run_dir, p->recipe->name, p->shard, err));
    *out = p;
    p = NULL;
done:
    gm_pipeline_free(p);
    return st;
}

/* What is more than memory. */
static void end(struct gm_pipeline *p)
{
    gm_shared_drop(&p->client);
    gm_run_close(p->run);
}

void gm_pipeline_leave(struct gm_pipeline *p)
{
    static struct gm_pipeline *volatile left; /* what is held is no leak */
    if (!p)
        return;
    gm_ahead_end(p->ahead);
    for (size_t i = 0; i < p->n_stages; i++)
        if (p->stages[i].is_open && !p->stages[i].backend->opens_ahead)
            p->stages[i].backend->close(p->stages[i].self);
    end(p);
    left = p;
    (void)left;
}

void gm_pipeline_free(struct gm_pipeline *p)
{
    if (!p)
        return;
    gm_ahead_end(p->ahead);
    for (size_t i = 0; i < p->n_stages; i++) {
        if (p->stages[i].is_open)
            p->stages[i].backend->close(p->stages[i].self);
        gm_json_free(p->stages[i].own);
    }
    end(p);
    gm_free(p->stages);
    gm_free(p->more);
    gm_recipe_free(p->recipe);
    pthread_mutex_destroy(&p->lock);
    gm_free(p);
}

bool gm_stage_needs(const struct gm_stage *s, const struct gm_post *post)
{
    if (post->error.stage.n)
        return false;
    return (!s->backend->needs_image || post->image.n > 0) &&
           (!s->backend->needs_knowledge || post->knowledge.n > 0);
}

/* ---- the client of the language model ---- */

struct client {
    struct gm_cache *cache;
    struct gm_llm *llm;
};

static void client_free(void *thing)
{
    struct client *c = thing;
    if (!c)
        return;
    gm_llm_free(c->llm);
    gm_cache_close(c->cache);
    gm_free(c);
}

static enum gm_status client_make(void **thing, const void *how, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_pipeline *p = how;
    struct gm_llm_opts opts = *p->llm_opts;
    struct client *c = gm_alloc(1, sizeof *c);
    *thing = NULL;
    if (!c)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    opts.more = p->more;
    opts.n_more = p->n_more;
    if (p->cache_path)
        GM_TRY(gm_llm_open_cache(&opts, &c->cache, p->cache_path, err));
    GM_TRY(gm_llm_new(&c->llm, &opts, err));
    *thing = c;
    c = NULL;
done:
    client_free(c);
    return st;
}

static const struct gm_shared_kind client = {"client", client_make, client_free, false};

static enum gm_status make_llm(struct gm_pipeline *p, struct gm_error *err)
{
    enum gm_status st = gm_shared_get(&p->client, &client, gm_str(p->recipe->path), p, err);
    p->llm = st == GM_OK ? ((struct client *)p->client.thing)->llm : NULL;
    if (p->llm && p->shown)
        atomic_store(p->shown, p->llm);
    return st;
}

bool gm_pipeline_shares_llm(const struct gm_pipeline *p) { return p->llm && !p->client.own; }

void gm_pipeline_go_on(struct gm_pipeline *p)
{
    if (gm_pipeline_shares_llm(p))
        gm_llm_go_on(p->llm);
}

static enum gm_status open_stage(struct gm_pipeline *p, struct gm_stage *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (s->is_open)
        return GM_OK;
    if (s->backend->llm && !p->llm)
        GM_TRY(make_llm(p, err));
    if (!(s->self = gm_ahead_take(p, s)))
        GM_TRY(s->backend->open(&s->self, s->backend, s->settings, err));
    s->is_open = true;
    if (s->backend->llm)
        s->backend->use_llm(s->self, p->llm, s->servers);
done:
    if (st != GM_OK)
        name_stage(p, s->backend, s->settings, err);
    return st;
}

/* Before the first picture is asked about, whatever stage it is that asks: what cannot be done is to be
 * known before money is spent. */
static enum gm_status learn(struct gm_pipeline *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < p->n_stages && st == GM_OK; i++) {
        const struct gm_stage *s = &p->stages[i];
        if (s->backend->learn && (st = s->backend->learn(s->self, err)) != GM_OK)
            gm_error_prefix(err, "stage %s", s->backend->stage);
    }
    p->has_learned = st == GM_OK;
    return st;
}

enum gm_status gm_stage_ready(struct gm_pipeline *p, struct gm_stage *s, bool has_picture,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    pthread_mutex_lock(&p->lock);
    GM_TRY(open_stage(p, s, err));
    for (size_t i = 0; i < p->n_stages && s->backend->llm; i++)
        if (p->stages[i].backend->llm || p->stages[i].is_step)
            GM_TRY(open_stage(p, &p->stages[i], err));
    if (s->backend->llm && has_picture && !p->has_learned)
        GM_TRY(learn(p, err));
done:
    pthread_mutex_unlock(&p->lock);
    return st;
}

/* What the backend says of its files, as "content of FILE=SHA-256": a setting may have the same name
 * as a file has there. */
static enum gm_status contents_text(const struct gm_stage *s, struct gm_buf *out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf lines;
    struct gm_str line, rest;
    gm_buf_init(&lines, (size_t)1 << 24);
    GM_TRY(s->backend->fingerprint(s->backend, s->settings, &lines, err));
    for (rest = gm_buf_str(&lines); rest.n;) {
        gm_str_cut(rest, '\n', &line, &rest);
        GM_TRY(gm_buf_printf(out, err, "content of %.*s\n", GM_STR_ARG(line)));
    }
done:
    gm_buf_clear(&lines);
    return st;
}

/* What a model's answers depend on beside its name, where there is anything. */
static enum gm_status servers_text(const struct gm_pipeline *p, const struct gm_stage *s,
                                   struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_llm_servers run = {p->llm_opts->endpoints, p->llm_opts->n_endpoints};
    struct gm_buf id;
    gm_buf_init(&id, (size_t)1 << 20);
    GM_TRY(gm_llm_servers_id(s->servers ? &p->more[s->servers - 1] : &run,
                             gm_json_get(s->settings, "model") != NULL, &id, err));
    if (id.n)
        st = gm_buf_printf(out, err, "servers=%.*s\n", GM_STR_ARG(gm_buf_str(&id)));
done:
    gm_buf_clear(&id);
    return st;
}

/* "backend=…", the settings, and the contents: one "name=value" a line. */
static enum gm_status config_text(const struct gm_pipeline *p, const struct gm_stage *s,
                                  struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err, "backend=%s\n", s->backend->name));
    for (void *it = gm_json_first(s->settings); it; it = gm_json_next(s->settings, it)) {
        GM_TRY(gm_buf_printf(out, err, "%s=", gm_json_key(it).p));
        GM_TRY(gm_json_write(gm_json_value(it), false, out, err));
        GM_TRY(gm_buf_add_c(out, "\n", err));
    }
    if (s->backend->llm)
        GM_TRY(servers_text(p, s, out, err));
    if (s->backend->fingerprint)
        GM_TRY(contents_text(s, out, err));
done:
    return st;
}

enum gm_status gm_stage_config(struct gm_pipeline *p, struct gm_stage *s, long long *config,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf text;
    gm_buf_init(&text, (size_t)1 << 24);
    pthread_mutex_lock(&p->lock);
    if (!s->has_config) {
        GM_TRY(config_text(p, s, &text, err));
        GM_TRY(
            gm_run_config(p->run, s->place, s->backend->stage, gm_buf_str(&text), &s->config, err));
        s->has_config = true;
    }
    *config = s->config;
done:
    pthread_mutex_unlock(&p->lock);
    gm_buf_clear(&text);
    if (st != GM_OK)
        name_stage(p, s->backend, s->settings, err);
    return st;
}
