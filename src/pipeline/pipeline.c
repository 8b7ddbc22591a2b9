#include "pipeline/pipeline.h"

#include "base/alloc.h"
#include "base/file.h"
#include "pipeline/recipe.h"

#include <string.h>

enum { BATCH_POSTS = 64, BATCH_IMAGES = 16 };

/* A stage of the recipe and its backend's state, once that is open. */
struct stage {
    const struct gm_backend *backend;
    const struct gm_json *settings; /* the recipe's */
    void *self;
    bool is_open;
};

struct gm_pipeline {
    struct gm_recipe *recipe;
    struct stage *stages;
    size_t n_stages;
};

/* A folder without "/" would be taken for the name of a model: "./" makes it a path. */
static enum gm_status set_tagger(struct gm_recipe *r, const char *dir, struct gm_error *err)
{
    size_t n;
    if (!gm_is_dir(dir))
        return GM_FAIL(err, GM_EARG,
                       "%s: no such model folder; `gmner train --task ner` writes one", dir);
    const char *path = strchr(dir, '/') ? dir : gm_arena_printf(&r->arena, "./%s", dir).p;
    if (!path)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    enum gm_status st = gm_recipe_set(r, "tag", NULL, "model", path, &n, err);
    if (st == GM_OK && n == 0)
        st =
            GM_FAIL(err, GM_EARG, "recipe %s has no tag stage that a tagger could be for", r->name);
    return st;
}

enum gm_status gm_pipeline_open(struct gm_pipeline **out, const struct gm_pipeline_opts *opts,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    struct gm_pipeline *p = gm_alloc(1, sizeof *p);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(gm_recipe_load(&p->recipe, opts->recipe ? opts->recipe : "embedded", err));
    if (opts->tagger)
        GM_TRY(set_tagger(p->recipe, opts->tagger, err));
    if (opts->precision)
        GM_TRY(gm_recipe_set(p->recipe, NULL, "native", "precision", opts->precision, NULL, err));
    p->stages = gm_alloc(p->recipe->n_stages, sizeof *p->stages);
    if (!p->stages) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    p->n_stages = p->recipe->n_stages;
    for (size_t i = 0; i < p->n_stages; i++)
        p->stages[i] = (struct stage){.backend = p->recipe->stages[i].backend,
                                      .settings = p->recipe->stages[i].settings};
    *out = p;
    p = NULL;
done:
    gm_pipeline_free(p);
    return st;
}

void gm_pipeline_free(struct gm_pipeline *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_stages; i++)
        if (p->stages[i].is_open)
            p->stages[i].backend->close(p->stages[i].self);
    gm_free(p->stages);
    gm_recipe_free(p->recipe);
    gm_free(p);
}

/* What an earlier run found is found anew: the entities when the recipe starts with the tagger, and
 * a failure in any case. */
static void start_post(const struct gm_pipeline *p, struct gm_post *post)
{
    post->error.stage = post->error.code = post->error.message = GM_STR("");
    if (strcmp(p->stages[0].backend->stage, "tag") == 0) {
        post->entities = NULL;
        post->n_entities = 0;
        post->has_entities = false;
    }
}

/* Whether this stage has something to do for this post. */
static bool needs(const struct stage *s, const struct gm_post *post)
{
    if (post->error.stage.n)
        return false;
    return !s->backend->needs_image || post->image.n > 0;
}

static enum gm_status run_stage(struct stage *s, struct gm_post **posts, size_t n,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (!s->is_open) {
        GM_TRY(s->backend->open(&s->self, s->settings, err));
        s->is_open = true;
    }
    GM_TRY(s->backend->run(s->self, posts, n, err));
done:
    return st;
}

enum gm_status gm_pipeline_run(struct gm_pipeline *p, struct gm_post **posts, size_t n,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post **todo = gm_alloc(n, sizeof *todo);
    if (!todo)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        start_post(p, posts[i]);
    for (size_t i = 0; i < p->n_stages && st == GM_OK; i++) {
        struct stage *s = &p->stages[i];
        size_t n_todo = 0;
        for (size_t k = 0; k < n; k++)
            if (needs(s, posts[k]))
                todo[n_todo++] = posts[k];
        if (n_todo == 0)
            continue;
        st = run_stage(s, todo, n_todo, err);
        if (st != GM_OK)
            gm_error_prefix(err, "stage %s", s->backend->stage);
    }
    gm_free(todo);
    return st;
}

struct batch {
    struct gm_post post[BATCH_POSTS];
    struct gm_post *ptr[BATCH_POSTS];
    size_t n, n_images;
};

static void batch_clear(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        gm_post_clear(&b->post[i]);
    b->n = b->n_images = 0;
}

/* Read until the batch is full; *more is false at the end of the input. */
static enum gm_status batch_fill(struct batch *b, struct gm_reader *reader,
                                 const struct gm_stream_sink *sink, bool *more,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    while (b->n < BATCH_POSTS && b->n_images < BATCH_IMAGES && *more) {
        struct gm_error why = {0};
        struct gm_post *post = &b->post[b->n];
        st = gm_reader_next(reader, post, more, &why);
        if (st != GM_OK) {
            if (*more)
                st = sink->unreadable(sink->user, &why, err);
            else if (err)
                *err = why;
            GM_TRY(st);
            continue;
        }
        if (!*more)
            break;
        b->ptr[b->n++] = post; /* from here on batch_clear sees it */
        if (sink->prepare)
            GM_TRY(sink->prepare(sink->user, post, err));
        b->n_images += post->image.n > 0;
    }
done:
    return st;
}

enum gm_status gm_pipeline_stream(struct gm_pipeline *p, struct gm_reader *reader,
                                  const struct gm_stream_sink *sink, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool more = true;
    struct batch *b = gm_alloc(1, sizeof *b);
    if (!b)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    while (more) {
        GM_TRY(batch_fill(b, reader, sink, &more, err));
        if (b->n)
            GM_TRY(gm_pipeline_run(p, b->ptr, b->n, err));
        for (size_t i = 0; i < b->n; i++)
            GM_TRY(sink->post(sink->user, &b->post[i], err));
        batch_clear(b);
    }
done:
    batch_clear(b);
    gm_free(b);
    return st;
}
