/* gmner inside of another program, for tests/e2e/test_embed.py: posts as lines of JSON from standard input,
 * records to standard output.
 *
 *     embed RECIPE [name=value…]   batch=N posts a call, 0 = a stream (the default); bytes=1: its pictures are given in memory; hosts=N threads, each with a
 *                                  session and all posts, whose records must be the same; options of gmner_opts:
 *                                  threads, sessions, endpoint, model, key, in_flight, run, home, cache, log=1
 *                                  usage=1: what each post of a stream, and all of it, has cost, on stderr
 *
 * The records of the first thread are written. */
#define _POSIX_C_SOURCE 200809L
#include <gmner/gmner.h>

#include <locale.h>
#include <signal.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOSTS_MAX = 64 };

struct text {
    char *p;
    size_t n;
};

struct host {
    struct gmner_model *model;
    struct text in, out;
    size_t batch;
    char *next; /* of a stream */
    size_t bytes, usage;
    struct text picture;
    int rc;
};

static void add(struct text *t, const char *p, size_t n)
{
    t->p = realloc(t->p, t->n + n + 1);
    if (!t->p)
        abort();
    memcpy(t->p + t->n, p, n);
    t->n += n;
    t->p[t->n] = 0;
}

static int fail(const struct gmner_error *e)
{
    fprintf(stderr, "%s: %s\n", gmner_status_name(e->status), e->message);
    return e->status;
}

static void take(struct host *h, struct gmner_result *r, size_t post)
{
    const char *json;
    size_t n;
    struct gmner_error e;
    if (gmner_result_json(r, post, &json, &n, &e) != 0)
        h->rc = fail(&e);
    else
        add(&h->out, json, n);
}

/* The file that the line names, in memory; the name stays, and leads nowhere. */
static void hold_picture(struct host *h, struct gmner_post *post)
{
    static const char key[] = "\"image\": \"";
    char path[4096] = "", block[65536];
    const char *from = strstr(h->next, key);
    if (!from || from > h->next + post->json_len)
        return;
    from += sizeof key - 1;
    snprintf(path, sizeof path, "%.*s", (int)strcspn(from, "\""), from);
    FILE *f = fopen(path, "rb");
    h->picture.n = 0;
    for (size_t n; f && (n = fread(block, 1, sizeof block, f)) > 0;)
        add(&h->picture, block, n);
    if (f)
        fclose(f);
    post->image_bytes = h->picture.p;
    post->image_len = h->picture.n;
}

static int next(void *user, struct gmner_post *post)
{
    struct host *h = user;
    char *end = strchr(h->next, '\n');
    if (!end)
        return GMNER_NEXT_END;
    post->json = h->next;
    post->json_len = (size_t)(end - h->next);
    if (h->bytes)
        hold_picture(h, post);
    h->next = end + 1;
    return GMNER_NEXT_POST;
}

static void tell_usage(const struct host *h)
{
    struct gmner_usage u = {.struct_size = sizeof u};
    struct gmner_error e;
    if (h->usage && gmner_model_usage(h->model, &u, &e) == 0)
        fprintf(stderr, "requests=%zu answered=%zu tokens=%zu\n", u.requests, u.answered,
                u.prompt_tokens + u.completion_tokens);
}

static int put(void *user, struct gmner_result *r)
{
    take(user, r, 0);
    tell_usage(user);
    add(&((struct host *)user)->out, "\n", 1);
    gmner_result_free(r);
    return 0;
}

/* Lines from `from` on, `batch` of them at most; *n their bytes. */
static size_t lines(const char *from, size_t batch)
{
    const char *end = from;
    for (size_t i = 0; i < batch && *end; i++) {
        const char *line_end = strchr(end, '\n');
        end = line_end ? line_end + 1 : end + strlen(end);
    }
    return (size_t)(end - from);
}

static int in_batches(struct host *h, struct gmner_session *s, struct gmner_error *e)
{
    int rc = 0;
    for (size_t at = 0, n; at < h->in.n && rc == 0; at += n) {
        struct gmner_result *r;
        n = lines(h->in.p + at, h->batch);
        rc = gmner_predict_json(s, h->in.p + at, n, &r, e);
        if (rc == 0)
            take(h, r, GMNER_ALL_POSTS);
        gmner_result_free(r);
    }
    return rc;
}

static void *work(void *arg)
{
    struct host *h = arg;
    struct gmner_session *s;
    struct gmner_error e;
    const struct gmner_stream stream = {
        .struct_size = sizeof stream, .user = h, .next = next, .put = put};
    h->next = h->in.p;
    int rc = gmner_session_new(h->model, &s, &e);
    if (rc == 0)
        rc = h->batch ? in_batches(h, s, &e) : gmner_stream_run(s, &stream, &e);
    if (rc != 0)
        h->rc = fail(&e);
    tell_usage(h);
    gmner_session_free(s);
    free(h->picture.p);
    return NULL;
}

static void say(void *user, int level, const char *line)
{
    (void)user;
    fprintf(stderr, "log %d: %s\n", level, line);
}

/* One "name=value"; 0 = there is no such name. */
static int set(struct gmner_opts *o, struct host *h, size_t *hosts, char *word)
{
    char *value = strchr(word, '=');
    if (!value)
        return 0;
    *value++ = 0;
    const struct {
        const char *name;
        const char **text;
        size_t *number;
    } known[] = {{"batch", NULL, &h->batch},
                 {"bytes", NULL, &h->bytes},
                 {"usage", NULL, &h->usage},
                 {"hosts", NULL, hosts},
                 {"threads", NULL, &o->threads},
                 {"sessions", NULL, &o->sessions},
                 {"in_flight", NULL, &o->llm_in_flight},
                 {"endpoint", &o->llm_endpoint, NULL},
                 {"model", &o->llm_model, NULL},
                 {"key", &o->llm_key, NULL},
                 {"run", &o->run, NULL},
                 {"home", &o->home, NULL},
                 {"cache", &o->llm_cache, NULL}};
    if (strcmp(word, "log") == 0)
        o->log = say;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(word, known[i].name) == 0 && known[i].text)
            *known[i].text = value;
        else if (strcmp(word, known[i].name) == 0)
            *known[i].number = strtoul(value, NULL, 10);
    return 1;
}

static int run_all(struct host *first, size_t n)
{
    pthread_t threads[HOSTS_MAX];
    struct host hosts[HOSTS_MAX];
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        hosts[i] = *first;
        if (pthread_create(&threads[i], NULL, work, &hosts[i]) != 0)
            abort();
    }
    for (size_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        rc = rc ? rc : hosts[i].rc;
        if (hosts[i].out.n != hosts[0].out.n ||
            memcmp(hosts[i].out.p, hosts[0].out.p, hosts[0].out.n) != 0)
            rc = fprintf(stderr, "thread %zu has other records\n", i);
    }
    fwrite(hosts[0].out.p, 1, hosts[0].out.n, stdout);
    for (size_t i = 0; i < n; i++)
        free(hosts[i].out.p);
    return rc;
}

/* What belongs to the process. */
struct state {
    void (*handlers[32])(int);
    char locale[512];
    char **environment, *last;
};

extern char **environ;

static void look(struct state *s)
{
    struct sigaction a;
    memset(s, 0, sizeof *s);
    for (int i = 1; i < 32; i++)
        if (sigaction(i, NULL, &a) == 0)
            s->handlers[i] = a.sa_handler;
    snprintf(s->locale, sizeof s->locale, "%s", setlocale(LC_ALL, NULL));
    s->environment = environ;
    for (char **e = environ; *e; e++)
        s->last = *e;
}

int main(int argc, char **argv)
{
    struct state before, after;
    struct gmner_opts o;
    struct gmner_error e;
    struct host h = {0};
    size_t hosts = 1;
    char block[65536];
    setlocale(LC_ALL, ""); /* as programs with windows do: numbers may have a comma then */
    gmner_opts_init(&o, sizeof o);
    o.recipe = argc > 1 ? argv[1] : NULL;
    for (int i = 2; i < argc; i++)
        if (!set(&o, &h, &hosts, argv[i]))
            return 2;
    for (size_t n; (n = fread(block, 1, sizeof block, stdin)) > 0;)
        add(&h.in, block, n);
    add(&h.in, "", 0);
    if (hosts < 1 || hosts > HOSTS_MAX)
        return 2;
    look(&before);
    int rc = gmner_open(&o, &h.model, &e);
    rc = rc ? fail(&e) : run_all(&h, hosts);
    gmner_close(h.model);
    free(h.in.p);
    look(&after);
    if (memcmp(&before, &after, sizeof before) != 0)
        rc = fprintf(stderr,
                     "signal handlers, the locale or the environment are not as they were\n");
    return rc ? 1 : 0;
}
