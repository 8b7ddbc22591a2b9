/* bench_vision.c - one vision model over a list of pictures, from the files to its results: a picture a lane.
 *
 *   bench_vision KIND MODEL PICTURES THREADS auto|f32|bf16 [OUT [ASKED]]
 *
 * KIND of the table below; PICTURES: a file with a path a line; ASKED: one with what a picture is asked, a line
 * each, for kinds that want that. The first picture is looked at once
 * before the clock starts. One JSON line: seconds, CPU seconds of all threads, pictures. OUT gets the results as
 * f32, one picture after the other. bench/vision.py measures with it, tests/ref/vision_reference.py compares. */
#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/path.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "image/image.h"
#include "nn/engine.h"
#include "vision/clip.h"
#include "vision/phrases.h"
#include "vision/sam.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { LIST_MAX = 1 << 24 };

struct job;

/* What a kind of model does: load it, and look at a picture. */
struct kind {
    const char *name;
    enum gm_status (*load)(struct job *job, const char *path, bool bf16, struct gm_error *err);
    enum gm_status (*look)(struct job *job, size_t lane, const struct gm_image *im,
                           struct gm_buf *out, struct gm_error *err);
};

struct job {
    const struct kind *kind;
    void *model;
    size_t lanes;
    struct gm_arena arena; /* holds the lists */
    struct gm_str *paths;  /* [n], ended by NUL */
    size_t n;
    struct gm_str *asked; /* [n_asked] */
    size_t n_asked;
    struct gm_buf *results; /* [n] of f32 */
    pthread_mutex_t one;
    enum gm_status st; /* the first failure */
    struct gm_error err;
};

static enum gm_status clip_load(struct job *job, const char *path, bool bf16, struct gm_error *err)
{
    struct gm_clip *c = NULL;
    enum gm_status st = gm_clip_load(&c, path, bf16, err);
    job->model = c;
    job->lanes = c ? gm_clip_lanes(c) : 0;
    return st;
}

static enum gm_status clip_look(struct job *job, size_t lane, const struct gm_image *im,
                                struct gm_buf *out, struct gm_error *err)
{
    size_t dim = gm_clip_dim(job->model);
    float *v = gm_alloc(dim, sizeof *v);
    enum gm_status st = v ? gm_clip_run(job->model, lane, im, v, err) : GM_ENOMEM;
    if (st == GM_OK)
        st = gm_buf_add(out, v, dim * sizeof *v, err);
    gm_free(v);
    return st;
}

/* `path` is the encoder; the decoder lies beside it. */
static enum gm_status sam_load(struct job *job, const char *path, bool bf16, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_sam_files files = {0};
    struct gm_sam *s = NULL;
    const char *dir = gm_path_dir(&job->arena, path);
    GM_TRY(dir ? GM_OK : GM_ENOMEM);
    GM_TRY(gm_sam_find(&job->arena, dir, &files, err));
    GM_TRY(gm_sam_load(&s, &files, bf16, err));
    job->model = s;
    job->lanes = 1;
done:
    return st;
}

/* The logits of the box around the picture's middle half. */
static enum gm_status sam_look(struct job *job, size_t lane, const struct gm_image *im,
                               struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const double box[4] = {im->w / 4.0, im->h / 4.0, im->w * 0.75, im->h * 0.75};
    size_t area, h, w;
    uint8_t *mask = gm_alloc((size_t)im->w * im->h, 1);
    (void)lane;
    GM_TRY(mask ? GM_OK : GM_ENOMEM);
    GM_TRY(gm_sam_look(job->model, im, err));
    GM_TRY(gm_sam_mask(job->model, box, mask, &area, NULL, err));
    const float *map = gm_sam_map(job->model, &h, &w);
    GM_TRY(gm_buf_add(out, map, h * w * sizeof *map, err));
done:
    gm_free(mask);
    return st;
}

static enum gm_status phrases_load(struct job *job, const char *path, bool bf16,
                                   struct gm_error *err)
{
    struct gm_phrases *d = NULL;
    enum gm_status st = gm_phrases_load(&d, path, bf16, err);
    job->model = d;
    job->lanes = d ? gm_phrases_lanes(d) : 0;
    return st;
}

/* All logits of the phrases, then all boxes as shares of the picture's width and height. */
static enum gm_status phrases_look(struct job *job, size_t lane, const struct gm_image *im,
                                   struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_phrases_found f;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(gm_phrases_run(job->model, lane, im, job->asked, job->n_asked, &a, &f, err));
    GM_TRY(gm_buf_add(out, f.logits, f.n_boxes * f.n_phrases * sizeof *f.logits, err));
    for (size_t i = 0; i < 4 * f.n_boxes; i++) {
        float share = (float)(f.boxes[i / 4][i % 4] / (i % 2 ? im->h : im->w));
        GM_TRY(gm_buf_add(out, &share, sizeof share, err));
    }
done:
    gm_arena_clear(&a);
    return st;
}

static const struct kind KINDS[] = {{"clip", clip_load, clip_look},
                                    {"sam", sam_load, sam_look},
                                    {"owlvit", phrases_load, phrases_look},
                                    {"owlv2", phrases_load, phrases_look},
                                    {"grounding-dino", phrases_load, phrases_look}};

static enum gm_status look_at(struct job *job, size_t lane, size_t i, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *im = NULL;
    GM_TRY(gm_image_load(&im, job->paths[i].p, err));
    gm_buf_reset(&job->results[i]);
    GM_TRY(job->kind->look(job, lane, im, &job->results[i], err));
done:
    gm_image_free(im);
    return st;
}

static void look_at_one(void *ctx, size_t lane, size_t i)
{
    struct job *job = ctx;
    struct gm_error err = {0};
    enum gm_status st = look_at(job, lane, i, &err);
    pthread_mutex_lock(&job->one);
    if (st != GM_OK && job->st == GM_OK) {
        job->st = st;
        job->err = err;
    }
    pthread_mutex_unlock(&job->one);
}

static enum gm_status read_lines(struct gm_arena *a, const char *path, struct gm_str **out,
                                 size_t *n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf text;
    size_t cap = 0;
    gm_buf_init(&text, LIST_MAX);
    GM_TRY(gm_file_read(path, &text, err));
    struct gm_str rest = gm_buf_str(&text), line;
    while (rest.n) {
        gm_str_cut(rest, '\n', &line, &rest);
        GM_TRY(GM_ARENA_GROW(a, *out, *n, cap, err));
        (*out)[(*n)++] = gm_arena_str(a, line);
    }
done:
    gm_buf_clear(&text);
    return st;
}

static enum gm_status read_lists(struct job *job, char **argv, int argc, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(read_lines(&job->arena, argv[3], &job->paths, &job->n, err));
    if (argc > 7)
        GM_TRY(read_lines(&job->arena, argv[7], &job->asked, &job->n_asked, err));
    job->results = gm_arena_alloc(&job->arena, job->n, sizeof *job->results);
    for (size_t i = 0; job->results && i < job->n; i++)
        gm_buf_init(&job->results[i], 1 << 28);
    if (!job->results || job->n == 0)
        st = GM_FAIL(err, GM_EARG, "no pictures in %s", argv[3]);
done:
    return st;
}

static double cpu_s(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static enum gm_status run(struct job *job, char **argv, int argc, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_precision p;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        if (strcmp(KINDS[i].name, argv[1]) == 0)
            job->kind = &KINDS[i];
    if (!job->kind) {
        st = GM_FAIL(err, GM_EARG, "no kind \"%s\"", argv[1]);
        goto done;
    }
    gm_threads_set(strtoul(argv[4], NULL, 10));
    GM_TRY(read_lists(job, argv, argc, err));
    GM_TRY(gm_precision_pick(argv[5], &p, err));
    GM_TRY(job->kind->load(job, argv[2], p.dtype == GM_BF16, err));
    GM_TRY(look_at(job, 0, 0, err));
    double wall = gm_clock_s(), cpu = cpu_s();
    gm_parallel_tasks(job->n, job->lanes, look_at_one, job);
    printf("{\"wall_s\": %.4f, \"cpu_s\": %.4f, \"pictures\": %zu}\n", gm_clock_s() - wall,
           cpu_s() - cpu, job->n);
    *err = job->err;
    st = job->st;
done:
    return st;
}

int main(int argc, char **argv)
{
    struct gm_error err = {0};
    struct job job = {.one = PTHREAD_MUTEX_INITIALIZER};
    if (argc < 6 || argc > 8) {
        fprintf(stderr, "usage: bench_vision KIND MODEL PICTURES THREADS auto|f32|bf16 "
                        "[OUT [ASKED]]\n");
        return 2;
    }
    gm_arena_init(&job.arena, 0);
    enum gm_status st = run(&job, argv, argc, &err);
    FILE *f = st == GM_OK && argc > 6 ? fopen(argv[6], "wb") : NULL;
    for (size_t i = 0; f && i < job.n; i++)
        fwrite(job.results[i].p, 1, job.results[i].n, f);
    if (st != GM_OK || (argc > 6 && (!f || fclose(f) != 0))) {
        fprintf(stderr, "bench_vision: %s\n", st != GM_OK ? err.msg : "can't write OUT");
        return 1;
    }
    return 0;
}
