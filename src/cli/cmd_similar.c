/* gmner similar: for every post the most similar annotated posts of a pool, as JSON Lines. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/progress.h"
#include "cli/cmd.h"
#include "cli/count_posts.h"
#include "base/troubles.h"
#include "formats/reader.h"
#include "similar/index.h"
#include "similar/similar.h"
#include "similar/vector_cache.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 256, TEXT_MAX = 1 << 30 }; /* posts through the encoders at once; bytes of a line */

struct opts {
    const char *pool, *weights, *entity, *clip, *encoder, *precision, *from, *images, *pool_images,
        *output, *index;
    long long k;
    double duplicate;
};

/* The ids of the posts of a file, in order. */
struct ids {
    struct gm_arena arena;
    struct gm_str *items;
    size_t n, cap;
};

struct job {
    const struct opts *o;
    struct gm_similar_pool *pool;
    struct gm_similar_vectors own; /* of the posts, where they are not the pool's */
    const struct gm_similar_vectors *posts;
    struct ids pool_ids, own_ids;
    const struct ids *post_ids;
    struct gm_similar_hit *hits; /* [posts][k] */
    size_t *n_hits;
    struct gm_progress progress;
    size_t n_bad;                /* posts and pictures that can't be read */
    struct gm_troubles troubles; /* of those */
};

static const char *const PARTS[GM_SIMILAR_PARTS] = {"text", "image", "entity"};

/* "text=0.4,image=0.2,entity=0.6"; a part that is not named weighs nothing. */
static enum gm_exit parse_weights(const char *text, double weight[GM_SIMILAR_PARTS],
                                  struct gm_error *err)
{
    struct gm_str rest = gm_str(text), one, name, value;
    double sum = 0;
    memset(weight, 0, GM_SIMILAR_PARTS * sizeof *weight);
    while (rest.n) {
        size_t k = 0;
        double x;
        gm_str_cut(rest, ',', &one, &rest);
        bool has = gm_str_cut(one, '=', &name, &value) && gm_str_to_double(value, &x);
        while (k < GM_SIMILAR_PARTS && !gm_str_eq_c(name, PARTS[k]))
            k++;
        if (!has || k == GM_SIMILAR_PARTS || !(x >= 0) || !(x <= 1e6))
            return GM_USAGE(err,
                            "--weights: \"%.*s\" is not text, image or entity with a weight, as in "
                            "text=0.4,image=0.2,entity=0.6",
                            GM_STR_ARG(one));
        weight[k] = x;
        sum += x;
    }
    return sum > 0 ? GM_EXIT_DONE : GM_USAGE(err, "--weights: all of \"%s\" are 0", text);
}

/* ---- files of posts to vectors ---- */

static void on_unreadable(void *user, const struct gm_post *post, const struct gm_error *why)
{
    struct job *job = user;
    job->n_bad++;
    char of[160];
    snprintf(of, sizeof of, "post %.*s counts as one without an image", GM_STR_ARG(post->id));
    gm_troubles_tell(&job->troubles, "similar", of, why->msg);
}

static enum gm_status add_id(struct ids *ids, struct gm_str id, struct gm_error *err)
{
    enum gm_status st = GM_ARENA_GROW(&ids->arena, ids->items, ids->n, ids->cap, err);
    if (st != GM_OK)
        return st;
    ids->items[ids->n] = gm_arena_str(&ids->arena, id);
    return ids->items[ids->n++].p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* Up to BATCH posts that can be read; the others are told of. *n is 0 at the end. */
static enum gm_status read_batch(struct job *job, struct gm_reader *r, struct gm_post *posts,
                                 size_t *n, struct gm_error *err)
{
    bool has = true;
    while (*n < BATCH && has) {
        struct gm_error why;
        enum gm_status st = gm_reader_next(r, &posts[*n], &has, &why);
        if (st == GM_OK && has) {
            ++*n;
        } else if (st != GM_OK && has) {
            gm_troubles_tell(&job->troubles, "similar", NULL, why.msg);
            job->n_bad++;
        } else if (st != GM_OK) {
            return GM_FAIL(err, st, "%s", why.msg);
        }
    }
    return GM_OK;
}

/* All posts of a reader into the pool (v NULL) or into v. */
static enum gm_status embed_all(struct job *job, struct gm_reader *r, struct gm_similar_vectors *v,
                                struct ids *ids, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post posts[BATCH], *each[BATCH];
    size_t n;
    do {
        n = 0;
        st = read_batch(job, r, posts, &n, err);
        for (size_t i = 0; i < n && st == GM_OK; i++) {
            each[i] = &posts[i];
            st = add_id(ids, posts[i].id, err);
        }
        if (st == GM_OK)
            st = v ? gm_similar_embed(job->pool, each, n, v, err)
                   : gm_similar_pool_add(job->pool, each, n, err);
        for (size_t i = 0; i < n; i++)
            gm_post_clear(&posts[i]);
        gm_progress_update(&job->progress, ids->n, NULL, 0);
    } while (st == GM_OK && n);
    return st;
}

static enum gm_status embed_file(struct job *job, const char *path, const char *format,
                                 const char *images, struct gm_similar_vectors *v, struct ids *ids,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_reader *r = NULL;
    struct gm_reader_opts ro = {.images_dir = images};
    (void)gm_format_parse(format, &ro.format); /* the option table lists what it knows */
    GM_TRY(gm_reader_open(&r, path, &ro, err));
    gm_progress_init(&job->progress, v ? "posts" : "pool",
                     gm_count_posts(path, gm_reader_format(r)), "posts");
    st = embed_all(job, r, v, ids, err);
    gm_progress_end(&job->progress);
done:
    gm_reader_free(r);
    return st;
}

static enum gm_status embed_both(struct job *job, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct opts *o = job->o;
    const char *pool_images = o->pool_images ? o->pool_images : o->images;
    GM_TRY(embed_file(job, o->pool, "auto", pool_images, NULL, &job->pool_ids, err));
    GM_TRY(gm_similar_pool_finish(job->pool, err));
    job->posts = gm_similar_pool_vectors(job->pool);
    job->post_ids = &job->pool_ids;
    if (strcmp(path, o->pool) == 0) /* a pool beside itself goes through the encoders once */
        goto done;
    gm_similar_vectors_for(job->pool, &job->own);
    job->posts = &job->own;
    job->post_ids = &job->own_ids;
    st = embed_file(job, path, o->from, o->images, &job->own, &job->own_ids, err);
done:
    return st;
}

/* ---- the search ---- */

static void on_progress(void *user, size_t done, size_t total)
{
    struct job *job = user;
    job->progress.total = total;
    gm_progress_update(&job->progress, done, NULL, 0);
}

static enum gm_status search(struct job *job, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_similar_vectors *pool = gm_similar_pool_vectors(job->pool);
    const struct gm_similar_rule *rule = gm_similar_pool_rule(job->pool);
    const struct gm_similar_progress progress = {on_progress, job};
    size_t k = (size_t)job->o->k, n = job->posts->n, all;
    struct gm_similar_scale scale;
    struct gm_similar_index *index = NULL;
    job->hits = gm_mul_size(n, k, &all) ? gm_alloc(all, sizeof *job->hits) : NULL;
    job->n_hits = gm_alloc(n, sizeof *job->n_hits);
    if (!job->hits || !job->n_hits)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu samples of each of %zu posts", k, n);
    if (strcmp(job->o->index, "hnsw") == 0) {
        GM_TRY(gm_similar_extremes_sampled(pool, job->posts, rule, &scale, err));
        gm_progress_init(&job->progress, "index", 0, "blocks");
        GM_TRY(gm_similar_index_new(&index, pool, rule, &scale, &progress, err));
        gm_progress_init(&job->progress, "search", 0, "blocks");
        st = gm_similar_index_search(index, job->posts, k, &progress, job->hits, job->n_hits, err);
    } else {
        gm_progress_init(&job->progress, "extremes", 0, "blocks");
        GM_TRY(gm_similar_extremes(pool, job->posts, rule, &progress, &scale, err));
        gm_progress_init(&job->progress, "search", 0, "blocks");
        st = gm_similar_search(pool, job->posts, rule, &scale, k, &progress, job->hits, job->n_hits,
                               err);
    }
done:
    gm_similar_index_free(index);
    gm_progress_end(&job->progress);
    return st;
}

/* ---- the answer ---- */

static enum gm_status put_parts(const char *name, const double x[GM_SIMILAR_PARTS],
                                struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *before = "";
    GM_TRY(gm_buf_printf(out, err, ", \"%s\": {", name));
    for (size_t k = 0; k < GM_SIMILAR_PARTS; k++) {
        if (isnan(x[k]))
            continue;
        GM_TRY(gm_buf_printf(out, err, "%s\"%s\": %.6f", before, PARTS[k], x[k]));
        before = ", ";
    }
    st = gm_buf_add_c(out, "}", err);
done:
    return st;
}

static enum gm_status put_hit(const struct job *job, const struct gm_similar_hit *h,
                              struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "{\"id\": ", err));
    GM_TRY(gm_json_write_str(job->pool_ids.items[h->post], out, err));
    GM_TRY(gm_buf_printf(out, err, ", \"post\": %zu, \"score\": %.6f", h->post + 1, h->score));
    GM_TRY(put_parts("parts", h->part, out, err));
    GM_TRY(put_parts("values", h->value, out, err));
    st = gm_buf_add_c(out, "}", err);
done:
    return st;
}

static enum gm_status put_post(const struct job *job, size_t i, struct gm_buf *out,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "{\"id\": ", err));
    GM_TRY(gm_json_write_str(job->post_ids->items[i], out, err));
    GM_TRY(gm_buf_add_c(out, ", \"similar\": [", err));
    for (size_t k = 0; k < job->n_hits[i]; k++) {
        GM_TRY(gm_buf_add_c(out, k ? ", " : "", err));
        GM_TRY(put_hit(job, &job->hits[i * (size_t)job->o->k + k], out, err));
    }
    st = gm_buf_add_c(out, "]}\n", err);
done:
    return st;
}

static enum gm_status write_all(const struct job *job, struct gm_out *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf line;
    gm_buf_init(&line, TEXT_MAX);
    for (size_t i = 0; i < job->posts->n && st == GM_OK; i++) {
        gm_buf_reset(&line);
        GM_TRY(put_post(job, i, &line, err));
        st = gm_out_write(out, gm_buf_str(&line), err);
    }
done:
    gm_buf_clear(&line);
    return st;
}

static void job_clear(struct job *job)
{
    gm_free(job->hits);
    gm_free(job->n_hits);
    gm_similar_vectors_clear(&job->own);
    gm_similar_pool_free(job->pool);
    gm_arena_clear(&job->pool_ids.arena);
    gm_arena_clear(&job->own_ids.arena);
}

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct job job = {.o = options};
    struct gm_out *out = NULL, *finished;
    struct gm_similar_opts so = gm_similar_opts_default();
    const struct opts *o = options;
    if (!o->pool)
        return GM_USAGE(err, "--pool FILE is needed: the annotated posts to choose from");
    enum gm_exit code = parse_weights(o->weights, so.rule.weight, err);
    if (code != GM_EXIT_DONE)
        return code;
    code = GM_EXIT_FAILED;
    gm_arena_init(&job.pool_ids.arena, 0);
    gm_arena_init(&job.own_ids.arena, 0);
    gm_similar_vectors_init(&job.own, 0, 0);
    so.encoder = o->encoder;
    so.precision = o->precision;
    so.clip = o->clip;
    so.rule.best = strcmp(o->entity, "best") == 0;
    so.rule.duplicate = o->duplicate;
    so.cache = gm_vector_cache_path(&job.pool_ids.arena);
    so.unreadable = on_unreadable;
    so.user = &job;
    GM_TRY(gm_out_open(&out, o->output, err)); /* known now rather than after the work */
    st = gm_similar_pool_new(&job.pool, &so, err);
    if (st != GM_OK) {
        code = st == GM_EARG ? GM_EXIT_USAGE : GM_EXIT_FAILED;
        goto done;
    }
    GM_TRY(embed_both(&job, args->n ? args->v[0] : "-", err));
    GM_TRY(search(&job, err));
    GM_TRY(write_all(&job, out, err));
    finished = out;
    out = NULL;
    GM_TRY(gm_out_commit(finished, err));
    gm_troubles_end(&job.troubles, "similar");
    code = job.n_bad ? GM_EXIT_SOME : GM_EXIT_DONE;
done:
    gm_out_abort(out);
    job_clear(&job);
    return code;
}

static const struct gm_option options[] = {
    {"pool", 0, GM_OPT_STR, offsetof(struct opts, pool), NULL, 0, 0, "FILE",
     "the annotated posts to choose from, in any format with texts and entities (needed)"},
    {"k", 'k', GM_OPT_INT, offsetof(struct opts, k), "3", 1, GM_SIMILAR_MAX_K, "N",
     "how many samples each post gets"},
    {"weights", 0, GM_OPT_STR, offsetof(struct opts, weights), "text=0.4,image=0.2,entity=0.6", 0,
     0, "PARTS", "what the parts of the similarity count; a part that is not named counts nothing"},
    {"entity", 0, GM_OPT_CHOICE, offsetof(struct opts, entity), "sum", 0, 0, "sum|best",
     "similarity of entities: over all pairs, or the mean of each one's best, which does not favour "
     "samples with many"},
    {"clip", 0, GM_OPT_STR, offsetof(struct opts, clip), NULL, 0, 0, "FILE",
     "the vision half of a CLIP model in ONNX, for the images; without one texts and entities share "
     "the weight"},
    {"encoder", 0, GM_OPT_STR, offsetof(struct opts, encoder), "minilm", 0, 0, "MODEL",
     "the sentence encoder: a packaged model or a Hugging Face directory"},
    {"precision", 0, GM_OPT_CHOICE, offsetof(struct opts, precision), "f32", 0, 0,
     "auto|f32|bf16|int8",
     "arithmetic of the encoders; bf16 is faster, and the third digit of its cosines is not sure"},
    {"duplicate", 0, GM_OPT_NUM, offsetof(struct opts, duplicate), "0.8", 0.1, 1, "J",
     "samples from this Jaccard similarity of their words to the post's on are left out as "
     "near-duplicates"},
    {"index", 0, GM_OPT_CHOICE, offsetof(struct opts, index), "exact", 0, 0, "exact|hnsw",
     "how candidates are found: each post beside every sample, or by a graph, for pools of millions, "
     "that may miss some; what is found is scored alike"},
    {"from", 0, GM_OPT_CHOICE, offsetof(struct opts, from), "auto", 0, 0, GM_READABLE_FORMATS,
     "format of the posts; auto looks at their content, as is done for the pool"},
    {"images", 0, GM_OPT_STR, offsetof(struct opts, images), NULL, 0, 0, "DIR",
     "folder of the images: DIR/ID.jpg for CoNLL posts, base of relative paths for JSON Lines"},
    {"pool-images", 0, GM_OPT_STR, offsetof(struct opts, pool_images), NULL, 0, 0, "DIR",
     "the same for the pool (default: that of --images)"},
    {"output", 'o', GM_OPT_STR, offsetof(struct opts, output), NULL, 0, 0, "FILE",
     "write JSON Lines to FILE, which is replaced only when all is done"},
    GM_OPTION_END,
};

const struct gm_command gm_cmd_similar = {
    .name = "similar",
    .summary = "find the annotated posts that are most like each post",
    .usage = "[FILE|-] --pool FILE [options]",
    .about =
        "For each post of FILE (or standard input) the k samples of the pool with the largest "
        "similarity of texts (sentence vectors), images (CLIP vectors) and entities (vectors of "
        "their names, types), each part scaled to 0..1 over all posts and samples and weighted: "
        "docs/similar.md. The posts' entities are those that the input has. The post itself and "
        "near-duplicates of it are left out, so that FILE may be the pool. One line a post: its id and "
        "\"similar\", best first, each with the sample's id, its number in the pool, the score, its "
        "parts and the values that they were scaled from.",
    .examples = "gmner similar dev.jsonl --pool train.jsonl -o examples.jsonl\n"
                "gmner predict posts.jsonl | gmner similar --pool train.txt --k 5 --entity best\n"
                "gmner similar dev.txt --pool train.txt --images photos --clip clip-vision.onnx\n"
                "gmner similar train.txt --pool train.txt --weights text=1\n",
    .options = options,
    .opts_size = sizeof(struct opts),
    .max_args = 1,
    .run = run,
};
