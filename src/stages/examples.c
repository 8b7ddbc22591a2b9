#include "stages/examples.h"

#include "base/alloc.h"
#include "base/log.h"
#include "stages/asked.h"
#include "stages/examples_pool.h"

#include <pthread.h>

/* Pictures of samples that were sent once are kept up to so many bytes: a few samples are examples of many
 * posts, and encoding a picture takes as long as everything else. */
enum { KEPT_MAX = 64 << 20 };

struct gm_examples {
    struct gm_arena arena;
    struct gm_held held;
    const struct gm_examples_pool *pool; /* what is held */
    size_t k;
    bool need_pictures;      /* of samples */
    pthread_mutex_t lock;    /* of what is below */
    struct gm_picture *kept; /* [posts of the pool] .w == 0: not there */
    size_t kept_bytes;
    atomic_bool warned; /* of a picture that can't be read */
};

enum gm_status gm_examples_open(struct gm_examples **out, const struct gm_llm_stage *s,
                                const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *j = gm_json_get(settings, GM_EXAMPLES_SETTINGS);
    struct gm_examples_setting x;
    *out = NULL;
    if (!j)
        return GM_OK;
    struct gm_examples *e = gm_alloc(1, sizeof *e);
    if (!e)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&e->arena, 0);
    pthread_mutex_init(&e->lock, NULL);
    GM_TRY(gm_examples_setting_read(&x, j, err));
    e->k = (size_t)x.k;
    e->need_pictures = s->kind->needs_picture == GM_LLM_PICTURE_NEEDED;
    if (!gm_prompt_has_examples(s->prompt)) {
        st = GM_FAIL(err, GM_EARG, "setting \"examples\": the prompt has no {{#examples}}");
        goto done;
    }
    GM_TRY(gm_examples_pool_get(&e->held, &x, err));
    e->pool = e->held.thing;
    if (e->need_pictures && e->pool->n_with_picture == 0)
        st = GM_FAIL(
            err, GM_EFORMAT,
            "setting \"examples\": %.*s has no post with a picture; \"images\" names their folder",
            GM_STR_ARG(x.file.pool));
    else if (!(e->kept = gm_arena_alloc(&e->arena, e->pool->posts.n, sizeof *e->kept)))
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (st == GM_OK) {
        *out = e;
        e = NULL;
    }
done:
    gm_examples_free(e);
    return st;
}

void gm_examples_free(struct gm_examples *e)
{
    if (!e)
        return;
    for (size_t i = 0; e->kept && i < e->pool->posts.n; i++)
        gm_picture_clear(&e->kept[i]);
    gm_shared_drop(&e->held);
    pthread_mutex_destroy(&e->lock);
    gm_arena_clear(&e->arena);
    gm_free(e);
}

enum gm_status gm_examples_fingerprint(const struct gm_json *settings, struct gm_buf *out,
                                       struct gm_error *err)
{
    const struct gm_json *j = gm_json_get(settings, GM_EXAMPLES_SETTINGS);
    struct gm_examples_setting x;
    if (!j)
        return GM_OK;
    enum gm_status st = gm_examples_setting_read(&x, j, err);
    return st == GM_OK ? gm_examples_pool_fingerprint(&x, out, err) : st;
}

/* ---- for one post ---- */

static enum gm_status list_entities(const struct gm_post *p, struct gm_arena *a, struct gm_str *out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf b;
    gm_buf_init(&b, (size_t)4 << 20);
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *e = &p->entities[i];
        GM_TRY(gm_buf_printf(&b, err, "%s%zu. %.*s (%.*s)", i ? "\n" : "", i + 1,
                             GM_STR_ARG(e->text), GM_STR_ARG(e->type)));
    }
    *out = gm_arena_str(a, gm_buf_str(&b));
    if (!out->p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_buf_clear(&b);
    return st;
}

/* The kept picture of a sample; *part borrows it, *out has its sizes alone. */
static bool get_kept(struct gm_examples *e, size_t sample, struct gm_picture *out,
                     struct gm_llm_part *part)
{
    pthread_mutex_lock(&e->lock);
    const struct gm_picture *kept = &e->kept[sample];
    bool is_kept = kept->w > 0;
    if (is_kept) {
        *part = gm_llm_stage_part(kept);
        *out = *kept;
        gm_buf_init(&out->jpeg, 0);
    }
    pthread_mutex_unlock(&e->lock);
    return is_kept;
}

/* The sample takes the picture over where there is room, and no other thread was faster. */
static void keep(struct gm_examples *e, size_t sample, struct gm_picture *picture)
{
    pthread_mutex_lock(&e->lock);
    if (!e->kept[sample].w && e->kept_bytes + picture->jpeg.cap <= KEPT_MAX) {
        e->kept[sample] = *picture;
        e->kept_bytes += picture->jpeg.cap;
        gm_buf_init(&picture->jpeg, 0);
    }
    pthread_mutex_unlock(&e->lock);
}

static enum gm_status take_picture(struct gm_examples *e, struct gm_llm_stage *s, size_t sample,
                                   size_t i, struct gm_example_set *set, struct gm_error *err)
{
    struct gm_picture *picture = &set->pictures[i];
    struct gm_error why;
    enum gm_status st = GM_OK;
    if (!get_kept(e, sample, picture, &set->parts[i])) {
        st = gm_llm_stage_picture_of(s, set->posts[i]->image, picture, &why);
        if (st == GM_OK) {
            set->parts[i] = gm_llm_stage_part(picture); /* the bytes stay where they are */
            keep(e, sample, picture);
        }
    }
    if (st == GM_OK) {
        set->each[i].picture = &set->parts[i];
        return GM_OK;
    }
    gm_picture_clear(picture);
    picture->w = 0;
    if (st != GM_EIO && st != GM_EFORMAT)
        return GM_FAIL(err, st, "%s", why.msg);
    if (!atomic_exchange(&e->warned, true))
        GM_LOG(GM_LOG_WARN, "llm", "an example is shown without its picture: %s", why.msg);
    return GM_OK;
}

static enum gm_status fill_example(size_t i, struct gm_arena *a, struct gm_example_set *set,
                                   struct gm_error *err)
{
    const struct gm_post *p = set->posts[i];
    struct gm_prompt_value *v = gm_arena_alloc(a, GM_EXAMPLES_N_VALUES, sizeof *v);
    struct gm_str number = gm_arena_printf(a, "%zu", i + 1), entities;
    if (!v || !number.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    enum gm_status st = list_entities(p, a, &entities, err);
    if (st != GM_OK)
        return st;
    v[0] = (struct gm_prompt_value){"number", number};
    v[1] = (struct gm_prompt_value){"text", p->text};
    v[2] = (struct gm_prompt_value){"caption", p->caption.p ? p->caption : GM_STR("")};
    v[3] = (struct gm_prompt_value){"entities", entities};
    set->each[i].values = v;
    set->each[i].n_values = GM_EXAMPLES_N_VALUES;
    return GM_OK;
}

/* The samples most like the post, one of them at a time; where each needs a picture, without the others. */
static enum gm_status most_similar(const struct gm_examples *e, struct gm_post *post,
                                   struct gm_arena *a, size_t out[GM_PROMPT_EXAMPLES_MAX],
                                   size_t *n, struct gm_error *err)
{
    size_t without = e->need_pictures ? e->pool->posts.n - e->pool->n_with_picture : 0;
    size_t most = e->k + without < GM_SIMILAR_MAX_K ? e->k + without : GM_SIMILAR_MAX_K, n_hits = 0;
    struct gm_similar_hit *hits = gm_arena_alloc(a, most, sizeof *hits);
    *n = 0;
    if (!hits)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    enum gm_status st = gm_similar_find(e->pool->similar, &post, 1, most, hits, &n_hits, err);
    for (size_t i = 0; st == GM_OK && i < n_hits && *n < e->k; i++)
        if (!e->need_pictures || e->pool->posts.items[hits[i].post]->image.n)
            out[(*n)++] = hits[i].post;
    return st;
}

enum gm_status gm_examples_find(struct gm_examples *e, struct gm_llm_stage *s, struct gm_post *post,
                                bool with_pictures, struct gm_arena *a, struct gm_example_set *set,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t found[GM_PROMPT_EXAMPLES_MAX], n = 0;
    *set = (struct gm_example_set){.n = 0};
    if (!e)
        return GM_OK;
    GM_TRY(most_similar(e, post, a, found, &n, err));
    for (size_t i = 0; i < n; i++) {
        size_t at = set->n;
        set->posts[at] = e->pool->posts.items[found[i]];
        set->each[at] = (struct gm_prompt_example){.picture = NULL};
        if (with_pictures && set->posts[at]->image.n)
            GM_TRY(take_picture(e, s, found[i], at, set, err));
        if (!set->each[at].picture && e->need_pictures)
            continue;
        set->n++;
        GM_TRY(fill_example(at, a, set, err));
        gm_asked_sample(set->posts[at]->id, set->posts[at]->text);
    }
done:
    return st;
}

void gm_example_set_clear(struct gm_example_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        gm_picture_clear(&set->pictures[i]);
}
