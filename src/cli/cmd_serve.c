/* gmner serve: recipes behind HTTP, and a page. */
#include "base/cache.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/llm_options.h"
#include "serve/serve.h"

struct opts {
    const char *listen, *token_file, *tls_cert, *tls_key, *hosts, *data, *browse, *beside, *gold;
    const char *recipes, *settings, *tagger, *precision;
    struct gm_llm_cli llm;
    double max_body, max_memory;
    long long max_posts, max_queue, max_connections, max_header, max_words;
    double request_timeout, header_timeout, body_timeout, post_timeout, drain;
};

/* The words of "a,b" in the arena; how many are too many is an error. */
static enum gm_status split(const char *text, const char **out, size_t max, size_t *n,
                            struct gm_arena *a, const char *option, struct gm_error *err)
{
    struct gm_str word, rest = gm_str(text);
    for (*n = 0; rest.n; ++*n) {
        gm_str_cut(rest, ',', &word, &rest);
        word = gm_str_trim(word);
        if (!word.n || *n == max)
            return GM_FAIL(err, GM_EARG, "--%s: 1 to %zu names separated by commas", option, max);
        if (!(out[*n] = gm_arena_str(a, word).p))
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    return GM_OK;
}

static void on_listening(void *user, const char *url)
{
    (void)user;
    GM_LOG(GM_LOG_INFO, "serve", "listening on %s", url);
}

static enum gm_status fill(const struct opts *o, struct gm_arena *a, struct gm_llm_opts *llm,
                           struct gm_serve_opts *so, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *so = (struct gm_serve_opts){
        .listen = o->listen,
        .token_file = o->token_file,
        .tls_cert = o->tls_cert,
        .tls_key = o->tls_key,
        .max_body_bytes = (size_t)(o->max_body * 1e6),
        .max_held_bytes = (size_t)(o->max_memory * 1e6),
        .max_posts = (size_t)o->max_posts,
        .max_queue = (size_t)o->max_queue,
        .max_connections = (size_t)o->max_connections,
        .max_header_bytes = (size_t)o->max_header,
        .request_s = o->request_timeout,
        .header_s = o->header_timeout,
        .body_s = o->body_timeout,
        .drain_s = o->drain,
        .data = o->data,
        .browse = {o->browse, o->beside},
        .gold = o->gold,
        .listening = on_listening,
        .pipeline = {.settings = o->settings,
                     .tagger = o->tagger,
                     .precision = o->precision,
                     .max_words = (size_t)o->max_words,
                     .post_seconds = o->post_timeout,
                     .cache = gm_cache_path(a),
                     .llm = llm},
    };
    if (o->hosts)
        GM_TRY(split(o->hosts, so->hosts, GM_SERVE_HOSTS, &so->n_hosts, a, "host", err));
    GM_TRY(split(o->recipes, so->recipes, GM_SERVE_RECIPES, &so->n_recipes, a, "recipe", err));
    st = gm_llm_cli_read(&o->llm, a, llm, err);
done:
    return st;
}

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    const struct opts *o = options;
    struct gm_arena a;
    struct gm_llm_opts llm;
    struct gm_serve_opts so;
    (void)args;
    if (o->max_posts > o->max_queue)
        return GM_USAGE(err,
                        "--max-posts %lld can't be over --max-queue %lld: such a request could "
                        "never be taken",
                        o->max_posts, o->max_queue);
    if ((o->beside || o->gold) && !o->browse)
        return GM_USAGE(err, "--beside and --gold go with --browse FILE");
    gm_arena_init(&a, 0);
    enum gm_status st = fill(o, &a, &llm, &so, err);
    if (st == GM_OK)
        st = gm_serve(&so, err);
    gm_arena_clear(&a);
    return st == GM_EARG ? GM_EXIT_USAGE : gm_exit_of(st);
}

static const struct gm_option options[] = {
    {"listen", 0, GM_OPT_STR, offsetof(struct opts, listen), "127.0.0.1:8765", 0, 0, "ADDRESS:PORT",
     "where to listen; port 0 = any that is free; an address that other machines reach needs --token-file"},
    {"recipe", 'r', GM_OPT_STR, offsetof(struct opts, recipes), "embedded", 0, 0, "NAME,…",
     "the recipes to serve, names or files, separated by commas; the first is asked where a request names none"},
    {"token-file", 0, GM_OPT_STR, offsetof(struct opts, token_file), NULL, 0, 0, "FILE",
     "file with the token that requests must have, readable by its owner only"},
    {"tls-cert", 0, GM_OPT_STR, offsetof(struct opts, tls_cert), NULL, 0, 0, "FILE",
     "certificate (PEM), to speak https"},
    {"tls-key", 0, GM_OPT_STR, offsetof(struct opts, tls_key), NULL, 0, 0, "FILE", "and its key"},
    {"host", 0, GM_OPT_STR, offsetof(struct opts, hosts), NULL, 0, 0, "NAME,…",
     "names that the server goes by, beside addresses and localhost; others are refused"},
    {"data", 0, GM_OPT_STR, offsetof(struct opts, data), NULL, 0, 0, "DIR",
     "folder for the records that the page keeps under a permanent address; without it the page keeps none"},
    {"browse", 0, GM_OPT_STR, offsetof(struct opts, browse), NULL, 0, 0, "FILE",
     "a file of posts, in any format, or a run folder, to look through and correct in the page; corrections are "
     "kept in FILE.corrections.jsonl"},
    {"beside", 0, GM_OPT_STR, offsetof(struct opts, beside), NULL, 0, 0, "FILE",
     "a second one, whose posts of the same ids are shown beside, and whose entities can be taken over"},
    {"gold", 0, GM_OPT_STR, offsetof(struct opts, gold), NULL, 0, 0, "FILE",
     "annotated posts; the page can then show what differs from them"},
    {"settings", 0, GM_OPT_STR, offsetof(struct opts, settings), NULL, 0, 0, "FILE",
     "settings of the stages that count before the recipes' own, as `gmner tune` writes them"},
    {"tagger", 0, GM_OPT_STR, offsetof(struct opts, tagger), NULL, 0, 0, "MODEL",
     "a tagger that `gmner train` wrote, or the name of one from `gmner models list`, in place of the recipes'"},
    {"precision", 0, GM_OPT_CHOICE, offsetof(struct opts, precision), NULL, 0, 0,
     "auto|f32|bf16|int8",
     "arithmetic of the native models and the detector (default: the recipe's, else auto)"},
    {"max-body", 0, GM_OPT_NUM, offsetof(struct opts, max_body), "32", 0.001, 1000, "MB",
     "size that the body of a request may have"},
    {"max-memory", 0, GM_OPT_NUM, offsetof(struct opts, max_memory), "512", 0.001, 1e6, "MB",
     "and those of all requests at once"},
    {"max-posts", 0, GM_OPT_INT, offsetof(struct opts, max_posts), "256", 1, 100000, "N",
     "posts that a request may have"},
    {"max-queue", 0, GM_OPT_INT, offsetof(struct opts, max_queue), "1024", 1, 1000000, "N",
     "posts that may wait for a recipe; more are refused with status 429"},
    {"max-words", 0, GM_OPT_INT, offsetof(struct opts, max_words), "20000", 1, 2000000, "N",
     "words that a post may have; one of more fails"},
    {"max-connections", 0, GM_OPT_INT, offsetof(struct opts, max_connections), "4096", 1, 100000,
     "N", "connections at once; more are closed"},
    {"max-header", 0, GM_OPT_INT, offsetof(struct opts, max_header), "16384", 512, 1000000, "BYTES",
     "size that the headers of a request may have"},
    {"timeout", 0, GM_OPT_NUM, offsetof(struct opts, request_timeout), "120", 0.01, 1e6, "SECONDS",
     "time for the answer to a request, waiting included; later it is status 504"},
    {"post-timeout", 0, GM_OPT_NUM, offsetof(struct opts, post_timeout), "60", 0, 1e6, "SECONDS",
     "time that a stage may take for a post, which fails when that is not enough; 0 = any"},
    {"header-timeout", 0, GM_OPT_NUM, offsetof(struct opts, header_timeout), "15", 0.01, 1e6,
     "SECONDS", "time for the headers of a request, from the connection or the last answer on"},
    {"body-timeout", 0, GM_OPT_NUM, offsetof(struct opts, body_timeout), "60", 0.01, 1e6, "SECONDS",
     "time for the body of a request, and for a client to take the answer"},
    {"drain", 0, GM_OPT_NUM, offsetof(struct opts, drain), "30", 0, 1e6, "SECONDS",
     "time for what is queued when the server is told to stop (SIGTERM, Ctrl-C)"},
    GM_LLM_OPTIONS(struct opts, llm),
    GM_OPTION_END,
};

const struct gm_command gm_cmd_serve = {
    .name = "serve",
    .summary = "answer over HTTP what `gmner predict` answers, with a page to try it",
    .usage = "[options]",
    .about =
        "POST /v1/predict takes a post or many, as JSON or as a form; GET / is a page, /openapi.json "
        "describes everything, /metrics counts it (docs/serve.md). The posts of all requests go through "
        "the models together. A picture is sent along; no path and no address that a request names is "
        "opened. Only this machine is listened to, unless --listen and --token-file say otherwise. Messages "
        "go to standard error. SIGTERM or Ctrl-C: nothing new is taken, what is queued is finished.",
    .examples =
        "gmner serve\n"
        "gmner serve --recipe embedded,masks,tag --max-queue 4096\n"
        "gmner serve --browse predicted.jsonl --gold dev.jsonl --data kept\n"
        "gmner serve --listen 0.0.0.0:8765 --token-file token --tls-cert cert.pem --tls-key key.pem\n"
        "curl -H 'Content-Type: application/json' -d '{\"text\": \"Paris in May\"}' "
        "http://127.0.0.1:8765/v1/predict\n",
    .options = options,
    .opts_size = sizeof(struct opts),
    .max_args = 0,
    .run = run,
};
