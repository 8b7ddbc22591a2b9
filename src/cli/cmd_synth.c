/* gmner synth: training sentences that a language model makes out of annotated posts. */
#include "base/cache.h"
#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/stop.h"
#include "cli/cmd.h"
#include "cli/llm_options.h"
#include "formats/writer.h"
#include "synth/synth.h"

#include <string.h>

struct opts {
    const char *seeds, *types, *guide, *pool, *dev, *test, *tagger, *precision, *quota, *output,
        *rejects;
    long long keep, vary, none, rewrite, batch, words_min, words_max, seed;
    double similarity, drop, doubt, temperature;
    bool augment, any_letters;
    struct gm_llm_cli llm;
};

struct job {
    const struct gm_llm_opts *llm_opts;
    struct gm_llm *llm;
    struct gm_writer *writer; /* NULL = a dry run */
    struct gm_out *rejects;
    struct gm_progress progress;
};

/* ---- what comes ---- */

static enum gm_status on_accept(void *user, struct gm_post *post, struct gm_error *err)
{
    struct job *job = user;
    return gm_writer_add(job->writer, post, err);
}

static enum gm_status on_reject(void *user, struct gm_str line, struct gm_error *err)
{
    struct job *job = user;
    return gm_out_write(job->rejects, line, err);
}

static size_t sum(const size_t *v, size_t n)
{
    size_t all = 0;
    for (size_t i = 0; i < n; i++)
        all += v[i];
    return all;
}

static void on_progress(void *user, size_t done, size_t total, const struct gm_synth_counts *c)
{
    struct job *job = user;
    struct gm_log_field fields[2 + GM_LLM_PROGRESS_MAX];
    if (!gm_progress_due(&job->progress))
        return;
    fields[0] = (struct gm_log_field){"sentences", (double)sum(c->accepted, GM_SYNTH_KINDS)};
    fields[1] = (struct gm_log_field){"refused", (double)sum(c->refused, GM_SYNTH_REASONS)};
    size_t n = 2 + gm_llm_cli_progress(job->llm, job->llm_opts, fields + 2);
    job->progress.total = total;
    gm_progress_update(&job->progress, done, fields, n);
}

static bool on_should_stop(void *user)
{
    (void)user;
    return gm_stop_requested();
}

/* ---- the end ---- */

static void tell(const struct gm_synth_counts *c)
{
    const struct gm_log_field fields[] = {
        {"seeds", (double)c->n_seeds},
        {"sentences", (double)sum(c->accepted, GM_SYNTH_KINDS)},
        {"keep", (double)c->accepted[GM_SYNTH_KEEP]},
        {"vary", (double)c->accepted[GM_SYNTH_VARY]},
        {"none", (double)c->accepted[GM_SYNTH_NONE]},
        {"rewrite", (double)c->accepted[GM_SYNTH_REWRITE]},
        {"doubtful", (double)c->n_marked},
        {"refused", (double)sum(c->refused, GM_SYNTH_REASONS)},
        {"requests", (double)c->n_requests},
        {"asked_again", (double)c->n_again},
        {"not_asked", (double)c->n_skipped},
        {"failed", (double)c->n_failed},
    };
    gm_log_fields(GM_LOG_INFO, "synth", "made", fields, sizeof fields / sizeof *fields);
    for (int i = 0; i < GM_SYNTH_REASONS; i++)
        if (c->refused[i])
            GM_LOG(GM_LOG_INFO, "synth", "refused: reason=%s n=%zu",
                   gm_synth_reason((enum gm_synth_reason)i), c->refused[i]);
}

static enum gm_status commit(struct job *job, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool is_whole = gm_writer_losses(job->writer)->n == 0;
    struct gm_writer *writer = job->writer;
    struct gm_out *rejects = job->rejects;
    job->writer = NULL;
    st = gm_writer_commit(writer, err);
    if (st != GM_OK)
        return st;
    job->rejects = NULL;
    if (!is_whole)
        GM_LOG(GM_LOG_INFO, "synth",
               "the output holds words and labels alone; a name that ends in "
               ".jsonl would also keep where each sentence comes from");
    return gm_out_commit(rejects, err);
}

static enum gm_status print_dry(const struct job *job, struct gm_error *err)
{
    struct gm_buf text;
    gm_buf_init(&text, 1 << 16);
    enum gm_status st = gm_llm_cli_dry(job->llm, job->llm_opts, &text, err);
    if (st == GM_OK)
        st = gm_print(gm_buf_str(&text), err);
    gm_buf_clear(&text);
    return st;
}

/* ---- the run ---- */

static enum gm_exit check(const struct opts *o, const struct gm_args *args, enum gm_format *format,
                          struct gm_error *err)
{
    if (!o->seeds)
        return GM_USAGE(err, "--seeds FILE is needed: the annotated posts to make sentences of");
    if (o->words_min > o->words_max)
        return GM_USAGE(err, "--min-words %lld is more than --max-words %lld", o->words_min,
                        o->words_max);
    if (o->drop > o->doubt)
        return GM_USAGE(err, "--drop %g is more than --doubt %g", o->drop, o->doubt);
    if (o->augment && (gm_option_given(args, "keep") || gm_option_given(args, "vary") ||
                       gm_option_given(args, "none")))
        return GM_USAGE(
            err,
            "--keep, --vary and --none count new sentences, and --augment makes none: it rewrites "
            "each post --rewrite times");
    if (!o->augment && gm_option_given(args, "rewrite"))
        return GM_USAGE(err, "--rewrite counts how often --augment rewrites a post; new sentences "
                             "are counted by --keep, --vary and --none");
    if (o->llm.dry_run)
        return GM_EXIT_DONE;
    if (!o->output)
        return GM_USAGE(err, "-o FILE is needed: .jsonl, or .conll");
    *format = gm_format_of_name(o->output);
    if (*format != GM_FORMAT_JSONL && *format != GM_FORMAT_CONLL)
        return GM_USAGE(err,
                        "-o %s: the name must end in .jsonl, .conll or .txt (CoNLL); gmner data "
                        "convert makes other formats of it",
                        o->output);
    const char *const read[] = {o->seeds, o->types, o->guide, o->pool, o->dev, o->test};
    for (size_t i = 0; i < sizeof read / sizeof *read; i++)
        if (gm_output_spares("synth", o->output, read[i], err) != GM_EXIT_DONE ||
            gm_output_spares("synth", o->rejects, read[i], err) != GM_EXIT_DONE)
            return GM_EXIT_USAGE;
    return GM_EXIT_DONE;
}

static struct gm_synth_opts opts_of(const struct opts *o)
{
    struct gm_synth_opts so = gm_synth_opts_default();
    so.seeds = o->seeds;
    so.types = o->types;
    so.guide = o->guide;
    so.pool = o->pool;
    so.dev = o->dev;
    so.test = o->test;
    so.n[GM_SYNTH_KEEP] = o->augment ? 0 : (size_t)o->keep;
    so.n[GM_SYNTH_VARY] = o->augment ? 0 : (size_t)o->vary;
    so.n[GM_SYNTH_NONE] = o->augment ? 0 : (size_t)o->none;
    so.n[GM_SYNTH_REWRITE] = o->augment ? (size_t)o->rewrite : 0;
    so.batch = (size_t)o->batch;
    so.words_min = (size_t)o->words_min;
    so.words_max = (size_t)o->words_max;
    so.any_letters = o->any_letters;
    so.similarity = o->similarity;
    so.tagger = o->tagger;
    so.precision = o->precision;
    so.drop = o->drop;
    so.doubt = o->doubt;
    so.quota = o->quota;
    so.model = o->llm.model;
    so.temperature = o->temperature;
    so.seed = (double)o->seed;
    return so;
}

static enum gm_status open_outputs(struct job *job, const struct opts *o, enum gm_format format,
                                   struct gm_arena *a, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_writer_opts wo = {.format = format};
    const char *rejects = o->rejects;
    if (!rejects)
        rejects = gm_arena_printf(a, "%s.refused.jsonl", o->output).p;
    GM_TRY(rejects ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_writer_open(&job->writer, o->output, &wo, err));
    st = gm_out_open(&job->rejects, rejects, err);
done:
    return st;
}

static enum gm_status open_cache(struct gm_cache **cache, struct gm_llm_opts *llm,
                                 struct gm_arena *a, struct gm_error *err)
{
    const char *path = gm_cache_path(a);
    if (path)
        return gm_llm_open_cache(llm, cache, path, err);
    GM_LOG(GM_LOG_WARN, "synth",
           "answers are not kept, so that a run that ends early begins anew: none of GMNER_CACHE, "
           "XDG_CACHE_HOME and HOME is set");
    return GM_OK;
}

static enum gm_status work(struct job *job, struct gm_synth *synth, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_synth_sink sink = {job, on_accept, on_reject, on_progress, on_should_stop};
    gm_stop_catch();
    gm_progress_init(&job->progress, "synth", 0, "requests");
    st = gm_synth_run(synth, job->llm, &sink, err);
    gm_progress_end(&job->progress);
    if (st != GM_OK)
        return st;
    return job->writer ? commit(job, err) : print_dry(job, err);
}

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    const struct opts *o = options;
    enum gm_status st = GM_OK;
    enum gm_format format = GM_FORMAT_AUTO;
    struct gm_arena a;
    struct gm_llm_opts llm;
    struct gm_cache *cache = NULL;
    struct gm_synth *synth = NULL;
    struct job job = {.llm_opts = &llm};
    struct gm_synth_opts so = opts_of(o);
    enum gm_exit code = check(o, args, &format, err);
    bool has_begun = false;
    if (code != GM_EXIT_DONE)
        return code;
    gm_arena_init(&a, 0);
    GM_TRY(gm_llm_cli_read(&o->llm, &a, &llm, err));
    if (!llm.model && llm.n_endpoints)
        so.model = llm.model = gm_llm_model_of(llm.endpoints[0]);
    GM_TRY(gm_synth_new(&synth, &so, err));
    if (!llm.dry_run)
        GM_TRY(open_outputs(&job, o, format, &a, err));
    GM_TRY(open_cache(&cache, &llm, &a, err));
    llm.max_asks = 2; /* once more, as for single sentences */
    GM_TRY(gm_llm_new(&job.llm, &llm, err));
    GM_TRY(work(&job, synth, err));
    if (!llm.dry_run)
        tell(gm_synth_counts(synth));
    if (gm_synth_counts(synth)->n_failed)
        code = GM_EXIT_SOME;
done:
    has_begun = job.llm != NULL;
    if (has_begun && !llm.dry_run)
        gm_llm_cli_summary(job.llm, &llm);
    if (st != GM_OK && llm.cache.get && has_begun)
        GM_LOG(GM_LOG_INFO, "synth",
               "answers that came are kept; the same command goes on with them");
    gm_writer_abort(job.writer);
    gm_out_abort(job.rejects);
    gm_llm_free(job.llm);
    gm_cache_close(cache);
    gm_synth_free(synth);
    gm_arena_clear(&a);
    return st == GM_OK ? code : st == GM_EARG && !has_begun ? GM_EXIT_USAGE : GM_EXIT_FAILED;
}

#define OPT(field) offsetof(struct opts, field)
static const struct gm_option options[] = {
    {"seeds", 0, GM_OPT_STR, OPT(seeds), NULL, 0, 0, "FILE",
     "the annotated posts, in any format with texts (needed)"},
    {"types", 0, GM_OPT_STR, OPT(types), NULL, 0, 0, "FILE",
     "YAML lines \"TYPE: definition\": the types that there are, and what the model is told of them "
     "(default: the types of the seeds, and what is known of their names)"},
    {"guide", 0, GM_OPT_STR, OPT(guide), NULL, 0, 0, "FILE",
     "a guide of `gmner guide`: its definitions, examples and habits for the model"},
    {"output", 'o', GM_OPT_STR, OPT(output), NULL, 0, 0, "FILE",
     "the sentences, as JSON Lines with where each comes from (.jsonl) or as CoNLL (.conll, .txt) (needed, but for --dry-run)"},
    {"rejects", 0, GM_OPT_STR, OPT(rejects), NULL, 0, 0, "FILE",
     "the refused sentences with their reasons (default: OUTPUT.refused.jsonl)"},
    {"keep", 0, GM_OPT_INT, OPT(keep), "20", 0, 1000, "N",
     "sentences of each post that keep its entities"},
    {"vary", 0, GM_OPT_INT, OPT(vary), "10", 0, 1000, "N",
     "sentences of each post with other entities of its types"},
    {"none", 0, GM_OPT_INT, OPT(none), "30", 0, 1000, "N",
     "sentences of each post without entities, without entities too"},
    {"augment", 0, GM_OPT_FLAG, OPT(augment), NULL, 0, 0, NULL,
     "in place of all these: each post in other words, with its entities letter for letter and no "
     "others, and with its knowledge, where it has some, rewritten too"},
    {"rewrite", 0, GM_OPT_INT, OPT(rewrite), "2", 1, 100, "N",
     "with --augment: how often each post is rewritten"},
    {"batch", 0, GM_OPT_INT, OPT(batch), "10", 1, 100, "N", "sentences of one request, at most"},
    {"quota", 0, GM_OPT_STR, OPT(quota), NULL, 0, 0, "N|TYPE=N,…",
     "no more than N sentences with an entity of a type"},
    {"min-words", 0, GM_OPT_INT, OPT(words_min), "10", 1, 1000, "N",
     "words of a sentence, punctuation not counted: shorter ones are refused; a rewritten post has "
     "half to twice the post's"},
    {"max-words", 0, GM_OPT_INT, OPT(words_max), "30", 1, 1000, "N", "longer ones are refused"},
    {"any-letters", 0, GM_OPT_FLAG, OPT(any_letters), NULL, 0, 0, NULL,
     "do not refuse sentences in other scripts or letters than the seeds'"},
    {"similarity", 0, GM_OPT_NUM, OPT(similarity), "0.8", 0.1, 1, "J",
     "sentences are near-duplicates from this Jaccard similarity of their words on: of the seeds, of "
     "each other, and of --pool, --dev and --test"},
    {"pool", 0, GM_OPT_STR, OPT(pool), NULL, 0, 0, "FILE",
     "sentences that are there already, such as an earlier run's"},
    {"dev", 0, GM_OPT_STR, OPT(dev), NULL, 0, 0, "FILE",
     "posts that will be measured on: nothing near them is kept"},
    {"test", 0, GM_OPT_STR, OPT(test), NULL, 0, 0, "FILE", "the same"},
    {"tagger", 0, GM_OPT_STR, OPT(tagger), NULL, 0, 0, "DIR",
     "a tagger that was trained on the seeds alone: look for labels that contradict it"},
    {"precision", 0, GM_OPT_CHOICE, OPT(precision), "auto", 0, 0, "auto|f32|bf16|int8",
     "arithmetic of the tagger"},
    {"drop", 0, GM_OPT_NUM, OPT(drop), "0.1", 0, 1, "P",
     "sentences with a label that is less probable to the tagger are refused"},
    {"doubt", 0, GM_OPT_NUM, OPT(doubt), "0.5", 0, 1, "P", "those less probable are marked"},
    {"temperature", 0, GM_OPT_NUM, OPT(temperature), "0.8", 0, 2, "X",
     "how freely the model chooses its words"},
    {"seed", 0, GM_OPT_INT, OPT(seed), "1", 1, 1e9, "N",
     "another number asks for other sentences of the same posts"},
    GM_LLM_OPTIONS(struct opts, llm),
    GM_LLM_OPTION_DRY_RUN(struct opts, llm),
    GM_OPTION_END,
};

const struct gm_command gm_cmd_synth = {
    .name = "synth",
    .summary = "make training sentences of annotated posts by a language model",
    .usage = "--seeds FILE -o FILE --endpoint URL [options]",
    .about =
        "For each annotated post sentences that keep its entities in new contexts, and some with other "
        "entities of its types; posts without entities give sentences without. With --augment each post "
        "in other words, and its knowledge. Every sentence is checked: "
        "form, types, entities word for word, length, letters, near-duplicates, and with --tagger "
        "conflicts with what the seeds teach. Where some were refused the model is asked once more for as "
        "many; all that was refused is kept with its reason. Answers are kept in the reply cache: the "
        "same command goes on where a run ended. docs/synth.md.",
    .examples =
        "gmner synth --seeds seeds.jsonl --types types.yaml --dev dev.jsonl -o more.conll\n"
        "gmner synth --seeds seeds.txt --tagger seed-tagger -o more.jsonl --quota 2000\n"
        "gmner synth --seeds seeds.txt --pool more.jsonl --seed 2 -o still-more.jsonl\n"
        "gmner synth --augment --seeds plim-train.txt --dev plim-dev.txt -o rewritten.conll\n"
        "gmner synth --seeds seeds.jsonl --dry-run --price 0.5,1.5\n",
    .options = options,
    .opts_size = sizeof(struct opts),
    .max_args = 0,
    .run = run,
};
