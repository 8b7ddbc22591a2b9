/* bench_llm: the stage expand alone on posts that come with entities, against the scripted server
 * (fixed latency, so many slots); prints one JSON line. Run by bench/llm.sh.
 *
 *   bench_llm URL POSTS THREADS [IMAGE]   IMAGE: the stage look with that picture in each post
 *
 * It drives the stage as the pipeline does: THREADS runners, one post each at a time. The processor
 * time is that of this whole process (getrusage), prompts, JSON and stage included. */
#include "base/progress.h"
#include "llm/llm.h"
#include "stages/stage.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { THREADS_MAX = 256 };

struct job {
    const struct gm_backend *backend;
    void *self;
    const char *image;
    size_t n;
    atomic_size_t next, done;
};

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Three entities, the text different in each post. */
static void fill(struct gm_post *p, size_t i, const char *image)
{
    static const struct {
        const char *text, *type;
        size_t start;
    } e[] = {{"Ann Lee", "PER", 0}, {"Rome", "LOC", 11}, {"FIFA", "ORG", 20}};
    gm_post_init(p);
    p->text = gm_arena_printf(&p->arena, "Ann Lee in Rome for FIFA tonight, number %zu of many", i);
    p->image = gm_str(image);
    p->entities = gm_arena_alloc(&p->arena, 3, sizeof *p->entities);
    if (!p->text.p || !p->entities)
        abort();
    p->n_entities = 3;
    for (size_t k = 0; k < 3; k++) {
        p->entities[k].text = gm_str(e[k].text);
        p->entities[k].type = gm_str(e[k].type);
        p->entities[k].start = e[k].start;
        p->entities[k].end = e[k].start + strlen(e[k].text);
        p->entities[k].visible = -1;
    }
}

static bool is_right(const struct job *job, const struct gm_post *p)
{
    if (job->image)
        return p->caption.n > 0 && !p->error.stage.n;
    bool ok = !p->error.stage.n;
    for (size_t k = 0; k < 3; k++) {
        char want[40];
        snprintf(want, sizeof want, "a thing number %zu", k + 1);
        ok = ok && gm_str_eq_c(p->entities[k].expression, want);
    }
    return ok;
}

static void *runner(void *arg)
{
    struct job *job = arg;
    for (size_t i; (i = atomic_fetch_add(&job->next, 1)) < job->n;) {
        struct gm_post post, *p = &post;
        fill(p, i, job->image);
        if (job->backend->run(job->self, &p, 1, NULL) == GM_OK && is_right(job, p))
            atomic_fetch_add(&job->done, 1);
        gm_post_clear(p);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static pthread_t threads[THREADS_MAX];
    struct gm_error err = {0};
    struct gm_llm *llm = NULL;
    if (argc < 4) {
        fputs("usage: bench_llm URL POSTS THREADS [IMAGE]\n", stderr);
        return 2;
    }
    const char *urls[] = {argv[1]};
    struct job job = {.n = strtoul(argv[2], NULL, 10), .image = argc > 4 ? argv[4] : NULL};
    size_t n_threads = strtoul(argv[3], NULL, 10);
    struct gm_llm_opts o = gm_llm_opts_default();
    o.endpoints = urls;
    o.n_endpoints = 1;
    o.in_flight = n_threads = n_threads < THREADS_MAX ? n_threads : THREADS_MAX;
    job.backend = gm_backend_find(job.image ? "look" : "expand", "llm");
    if (job.backend->open(&job.self, NULL, &err) != GM_OK || gm_llm_new(&llm, &o, &err) != GM_OK) {
        fprintf(stderr, "bench_llm: %s\n", err.msg);
        return 1;
    }
    job.backend->use_llm(job.self, llm);
    double start = gm_clock_s(), cpu = cpu_s();
    for (size_t i = 0; i < n_threads; i++)
        pthread_create(&threads[i], NULL, runner, &job);
    for (size_t i = 0; i < n_threads; i++)
        pthread_join(threads[i], NULL);
    double wall = gm_clock_s() - start;
    cpu = cpu_s() - cpu;
    printf("{\"posts\": %zu, \"right\": %zu, \"wall_s\": %.3f, \"cpu_s\": %.3f, \"core_share\": "
           "%.4f}\n",
           job.n, atomic_load(&job.done), wall, cpu, cpu / wall);
    gm_llm_free(llm);
    job.backend->close(job.self);
    return atomic_load(&job.done) == job.n ? 0 : 1;
}
