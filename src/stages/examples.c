#include "stages/examples.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/sha256.h"
#include "formats/reader.h"
#include "formats/voc_xml.h"
#include "similar/similar.h"

#include <pthread.h>

/* Pictures of samples that were sent once are kept up to so many bytes: a few samples are examples of many
 * posts, and encoding a picture takes as long as everything else. */
enum { KEPT_MAX = 64 << 20 };

struct gm_examples {
    struct gm_arena arena; /* holds the settings' texts */
    struct gm_similar_pool *pool;
    struct gm_post **posts; /* [n] owned */
    size_t n, cap;
    size_t k;
    pthread_mutex_t lock;    /* of what is below */
    struct gm_picture *kept; /* [n] .w == 0: not there */
    size_t kept_bytes;
    atomic_bool warned; /* of a picture that can't be read */
};

/* ---- the setting ---- */

struct setting {
    struct gm_str pool, from, images, xml, encoder, precision, clip, entity;
    double k;
    struct gm_similar_opts opts;
};

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

static enum gm_status read_texts(struct setting *x, const struct gm_json *j, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct {
        const char *key;
        struct gm_str *to;
    } texts[] = {{"pool", &x->pool}, {"from", &x->from},       {"images", &x->images},
                 {"xml", &x->xml},   {"encoder", &x->encoder}, {"precision", &x->precision},
                 {"clip", &x->clip}, {"entity", &x->entity}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        GM_TRY(gm_settings_str(j, texts[i].key, texts[i].to, err));
    x->opts.encoder = x->encoder.p;
    x->opts.precision = x->precision.p;
    x->opts.clip = x->clip.p;
done:
    return st;
}

static enum gm_status read_setting(struct setting *x, const struct gm_json *j, struct gm_error *err)
{
    static const char *const known[] = {"pool",   "k",         "from",      "images",
                                        "xml",    "encoder",   "precision", "clip",
                                        "entity", "duplicate", "weights",   NULL};
    enum gm_status st = GM_OK;
    enum gm_format format;
    *x = (struct setting){
        .from = GM_STR("auto"), .entity = GM_STR("sum"), .k = 3, .opts = gm_similar_opts_default()};
    if (gm_json_kind(j) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EARG, "setting \"examples\" must be as {pool: FILE, k: 3}");
    GM_TRY(gm_settings_check(j, "examples", known, err));
    GM_TRY(read_texts(x, j, err));
    GM_TRY(gm_settings_num(j, "k", 1, GM_PROMPT_EXAMPLES_MAX, &x->k, err));
    GM_TRY(gm_settings_num(j, "duplicate", 0.1, 1, &x->opts.rule.duplicate, err));
    GM_TRY(read_weights(gm_json_get(j, "weights"), x->opts.rule.weight, err));
    x->opts.rule.best = gm_str_eq_c(x->entity, "best");
    if (!x->pool.n)
        st =
            GM_FAIL(err, GM_EARG, "setting \"examples\" needs \"pool\", a file of annotated posts");
    else if (!x->opts.rule.best && !gm_str_eq_c(x->entity, "sum"))
        st = GM_FAIL(err, GM_EARG, "setting \"entity\" is \"%.*s\"; it must be sum or best",
                     GM_STR_ARG(x->entity));
    else if (!gm_format_parse(x->from.p, &format))
        st = GM_FAIL(err, GM_EARG, "setting \"from\" is \"%.*s\"; it must be one of %s",
                     GM_STR_ARG(x->from), GM_READABLE_FORMATS);
done:
    if (st != GM_OK)
        gm_error_prefix(err, "examples");
    return st;
}

/* ---- the pool ---- */

/* `fn` for every annotated post of the pool, which it may take over (*taken). */
static enum gm_status each_sample(const struct setting *x,
                                  enum gm_status (*fn)(void *user, struct gm_post *p, bool *taken,
                                                       struct gm_error *err),
                                  void *user, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_reader *r = NULL;
    struct gm_reader_opts ro = {.images_dir = x->images.p};
    (void)gm_format_parse(x->from.p, &ro.format); /* read_setting has looked at it */
    GM_TRY(gm_reader_open(&r, x->pool.p, &ro, err));
    for (;;) {
        struct gm_post p;
        bool has, taken = false;
        GM_TRY(gm_reader_next(r, &p, &has, err));
        if (!has)
            break;
        if (x->xml.n)
            st = gm_post_add_boxes(&p, x->xml.p, NULL, err);
        if (st == GM_OK)
            st = fn(user, &p, &taken, err);
        if (!taken)
            gm_post_clear(&p);
        GM_TRY(st);
    }
done:
    gm_reader_free(r);
    if (st != GM_OK)
        gm_error_prefix(err, "examples");
    return st;
}

struct filling {
    struct gm_examples *e;
    bool need_pictures;
};

static enum gm_status take_sample(void *user, struct gm_post *p, bool *taken, struct gm_error *err)
{
    const struct filling *f = user;
    struct gm_examples *e = f->e;
    enum gm_status st = GM_OK;
    if (f->need_pictures && !p->image.n)
        return GM_OK;
    GM_TRY(GM_ARENA_GROW(&e->arena, e->posts, e->n, e->cap, err));
    struct gm_post *own = gm_alloc(1, sizeof *own);
    if (!own)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    *own = *p;
    e->posts[e->n++] = own;
    *taken = true;
done:
    return st;
}

static enum gm_status fill(struct gm_examples *e, const struct setting *x, bool need_pictures,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct filling f = {e, need_pictures};
    GM_TRY(each_sample(x, take_sample, &f, err));
    if (e->n == 0)
        return GM_FAIL(err, GM_EFORMAT, "examples: %.*s has no post%s", GM_STR_ARG(x->pool),
                       need_pictures ? " with a picture; \"images\" names their folder" : "");
    if (!(e->kept = gm_arena_alloc(&e->arena, e->n, sizeof *e->kept)))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_LOG(GM_LOG_INFO, "llm", "the %zu posts of %.*s are indexed for examples", e->n,
           GM_STR_ARG(x->pool));
    GM_TRY(gm_similar_pool_load(&e->pool, e->posts, e->n, &x->opts, err));
done:
    return st;
}

enum gm_status gm_examples_open(struct gm_examples **out, const struct gm_llm_stage *s,
                                const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *j = gm_json_get(settings, GM_EXAMPLES_SETTINGS);
    struct setting x;
    *out = NULL;
    if (!j)
        return GM_OK;
    struct gm_examples *e = gm_alloc(1, sizeof *e);
    if (!e)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&e->arena, 0);
    pthread_mutex_init(&e->lock, NULL);
    GM_TRY(read_setting(&x, j, err));
    e->k = (size_t)x.k;
    if (!gm_prompt_has_examples(s->prompt)) {
        st = GM_FAIL(err, GM_EARG, "setting \"examples\": the prompt has no {{#examples}}");
        goto done;
    }
    GM_TRY(fill(e, &x, s->kind->needs_picture == GM_LLM_PICTURE_NEEDED, err));
    *out = e;
    e = NULL;
done:
    gm_examples_free(e);
    return st;
}

void gm_examples_free(struct gm_examples *e)
{
    if (!e)
        return;
    gm_similar_pool_free(e->pool);
    for (size_t i = 0; i < e->n; i++) {
        if (e->kept)
            gm_picture_clear(&e->kept[i]);
        gm_post_clear(e->posts[i]);
        gm_free(e->posts[i]);
    }
    pthread_mutex_destroy(&e->lock);
    gm_arena_clear(&e->arena);
    gm_free(e);
}

/* ---- what they depend on ---- */

static enum gm_status hash_sample(void *user, struct gm_post *p, bool *taken, struct gm_error *err)
{
    (void)taken;
    return gm_post_to_json(p, user, err);
}

enum gm_status gm_examples_fingerprint(const struct gm_json *settings, struct gm_buf *out,
                                       struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *j = gm_json_get(settings, GM_EXAMPLES_SETTINGS);
    char hex[GM_SHA256_HEX];
    struct setting x;
    struct gm_buf all;
    if (!j)
        return GM_OK;
    gm_buf_init(&all, SIZE_MAX / 2);
    GM_TRY(read_setting(&x, j, err));
    GM_TRY(each_sample(&x, hash_sample, &all, err));
    gm_sha256(gm_buf_str(&all), hex);
    GM_TRY(gm_buf_printf(out, err, "examples=%s\n", hex));
    GM_TRY(gm_fingerprint_model(x.encoder.n ? x.encoder.p : "minilm", out, err));
    if (x.clip.n)
        st = gm_fingerprint_file("clip", x.clip.p, out, err);
done:
    gm_buf_clear(&all);
    return st;
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

static enum gm_status fill_example(size_t i, size_t n_more, struct gm_arena *a,
                                   struct gm_example_set *set, struct gm_error *err)
{
    const struct gm_post *p = set->posts[i];
    struct gm_prompt_value *v = gm_arena_alloc(a, GM_EXAMPLES_N_VALUES + n_more, sizeof *v);
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
    set->more[i] = v + GM_EXAMPLES_N_VALUES;
    set->each[i].n_values = GM_EXAMPLES_N_VALUES + n_more;
    return GM_OK;
}

enum gm_status gm_examples_find(struct gm_examples *e, struct gm_llm_stage *s, struct gm_post *post,
                                bool with_pictures, size_t n_more, struct gm_arena *a,
                                struct gm_example_set *set, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_similar_hit hits[GM_PROMPT_EXAMPLES_MAX];
    size_t n = 0;
    *set = (struct gm_example_set){.n = 0};
    if (!e)
        return GM_OK;
    GM_TRY(gm_similar_find(e->pool, &post, 1, e->k, hits, &n, err));
    for (size_t i = 0; i < n; i++) {
        size_t at = set->n;
        set->posts[at] = e->posts[hits[i].post];
        set->each[at] = (struct gm_prompt_example){.picture = NULL};
        if (with_pictures && set->posts[at]->image.n)
            GM_TRY(take_picture(e, s, hits[i].post, at, set, err));
        if (!set->each[at].picture && s->kind->needs_picture == GM_LLM_PICTURE_NEEDED)
            continue;
        set->n++;
        GM_TRY(fill_example(at, n_more, a, set, err));
    }
done:
    return st;
}

void gm_example_set_clear(struct gm_example_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        gm_picture_clear(&set->pictures[i]);
}
