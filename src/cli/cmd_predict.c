/* gmner predict: posts in, entities with boxes and masks out. */
#include "base/cache.h"
#include "base/file.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/count_posts.h"
#include "cli/llm_options.h"
#include "cli/predict_out.h"
#include "cli/pulse.h"
#include "base/troubles.h"
#include "formats/captions.h"
#include "pipeline/pipeline.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct opts {
    const char *text, *image;
    const char *from, *images, *captions, *captions_short;
    const char *recipe, *settings, *tagger, *precision;
    const char *output, *html;
    const char *run, *shard;
    struct gm_llm_cli llm;
    long long max_words;
    double post_timeout;
    bool strict;
};

/* One run: where posts come from and go to, and how many failed. */
struct job {
    const struct opts *o;
    struct gm_pipeline *pipeline;
    const struct gm_llm_opts *llm;
    struct gm_predict_out *out;                    /* NULL in a dry run */
    struct gm_captions *captions, *captions_short; /* NULL = none */
    struct gm_pulse pulse;
    size_t n_posts, n_failed, n_unreadable;
    struct gm_troubles troubles; /* of those */
};

/* Captions of files, for a post that has none. */
static enum gm_status on_prepare(void *user, struct gm_post *post, struct gm_error *err)
{
    const struct job *job = user;
    enum gm_status st = GM_OK;
    if (!post->caption.n)
        GM_TRY(gm_captions_copy(job->captions, post->id, &post->arena, &post->caption, err));
    if (!post->caption_short.n)
        st = gm_captions_copy(job->captions_short, post->id, &post->arena, &post->caption_short,
                              err);
done:
    return st;
}

static void tell_failed(struct job *job, const struct gm_post *post)
{
    char of[128], message[GM_ERROR_MAX];
    snprintf(of, sizeof of, "post %.*s", GM_STR_ARG(post->id));
    snprintf(message, sizeof message, "%.*s: %.*s", GM_STR_ARG(post->error.stage),
             GM_STR_ARG(post->error.message));
    gm_troubles_tell(&job->troubles, "predict", of, message);
}

static enum gm_status on_post(void *user, struct gm_post *post, struct gm_error *err)
{
    struct job *job = user;
    job->n_posts++;
    if (post->error.stage.n) {
        job->n_failed++;
        if (job->o->strict)
            return GM_FAIL(err, GM_EFORMAT, "post %.*s: %.*s: %.*s", GM_STR_ARG(post->id),
                           GM_STR_ARG(post->error.stage), GM_STR_ARG(post->error.message));
        tell_failed(job, post);
    }
    return job->out ? gm_predict_out_post(job->out, post, err) : GM_OK;
}

static enum gm_status on_unreadable(void *user, const struct gm_error *e, struct gm_error *err)
{
    struct job *job = user;
    job->n_unreadable++;
    if (job->o->strict) {
        *err = *e;
        return e->code;
    }
    gm_troubles_tell(&job->troubles, "predict", NULL, e->msg);
    return GM_OK;
}

static enum gm_status on_flush(void *user, struct gm_error *err)
{
    struct job *job = user;
    return job->out ? gm_predict_out_flush(job->out, err) : GM_OK;
}

static void on_tick(void *user, size_t n_done)
{
    struct job *job = user;
    struct gm_llm *llm = gm_pipeline_llm(job->pipeline);
    struct gm_log_field extra[GM_LLM_PROGRESS_MAX];
    if (gm_pulse_is_due(&job->pulse))
        gm_pulse_tick(&job->pulse, n_done, extra,
                      llm ? gm_llm_cli_progress(llm, job->llm, extra) : 0);
}

static bool on_should_stop(void *user)
{
    const struct job *job = user;
    if (gm_stop_requested() && gm_pipeline_llm(job->pipeline))
        GM_LOG(GM_LOG_INFO, "predict",
               "stopping; requests under way that are not answered in a moment are asked "
               "again when the run goes on");
    return gm_stop_requested();
}

static enum gm_status set_member(struct gm_json *j, const char *key, const char *value,
                                 struct gm_error *err)
{
    struct gm_buf valid;
    gm_buf_init(&valid, SIZE_MAX - 1);
    enum gm_status st = gm_utf8_repair(gm_str(value), &valid, err);
    if (st == GM_OK && !gm_json_set(j, key, gm_json_new_str(gm_buf_str(&valid))))
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_buf_clear(&valid);
    return st;
}

/* The post of --text and --image, through the same record as a line of a file. */
static enum gm_status run_one(struct job *job, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post post;
    gm_post_init(&post);
    struct gm_json *j = gm_json_new_object();
    if (!j) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(set_member(j, "id", "1", err));
    GM_TRY(set_member(j, "text", job->o->text, err));
    if (job->o->image)
        GM_TRY(set_member(j, "image", job->o->image, err));
    struct gm_json *line = j;
    j = NULL;
    GM_TRY(gm_post_from_json(&post, line, NULL, err));
    gm_pulse_start(&job->pulse, job->pipeline, 1);
    GM_TRY(gm_pipeline_run(job->pipeline, &post, err));
    gm_pulse_end(&job->pulse);
    GM_TRY(on_post(job, &post, err));
done:
    gm_pulse_end(&job->pulse);
    gm_json_free(j);
    gm_post_clear(&post);
    return st;
}

static enum gm_status run_file(struct job *job, const char *path, const struct gm_shard *shard,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_reader *reader = NULL;
    struct gm_reader_opts ro = {.images_dir = job->o->images};
    const struct gm_stream_sink sink = {.user = job,
                                        .prepare = on_prepare,
                                        .post = on_post,
                                        .unreadable = on_unreadable,
                                        .flush = on_flush,
                                        .tick = on_tick,
                                        .should_stop = on_should_stop};
    (void)gm_format_parse(job->o->from, &ro.format); /* the option table lists what it knows */
    GM_TRY(gm_reader_open(&reader, path, &ro, err));
    size_t total = gm_count_posts(path, gm_reader_format(reader));
    if (shard->n > 1)
        total = total / shard->n + (total % shard->n >= shard->i);
    if (job->o->output || !isatty(STDOUT_FILENO))
        gm_pulse_start(&job->pulse, job->pipeline, total);
    gm_stop_catch();
    GM_TRY(gm_pipeline_stream(job->pipeline, reader, &sink, err));
done:
    gm_pulse_end(&job->pulse);
    gm_reader_free(reader);
    return st;
}

static enum gm_exit check(const struct opts *o, const struct gm_args *args, struct gm_error *err)
{
    if (o->image && !o->text)
        return GM_USAGE(err,
                        "--image goes with --text; posts of a file name their images themselves");
    if (o->text && args->n)
        return GM_USAGE(err, "either --text or the file %s, not both", args->v[0]);
    if (o->text && (o->images || o->captions || o->captions_short))
        return GM_USAGE(
            err, "--images, --captions and --captions-short go with a file, not with --text");
    if (o->text && (o->run || o->shard))
        return GM_USAGE(err, "--run and --shard go with a file, not with --text");
    if (args->n && gm_output_spares("predict", o->output, args->v[0], err) != GM_EXIT_DONE)
        return GM_EXIT_USAGE;
    if (args->n && gm_output_spares("predict", o->html, args->v[0], err) != GM_EXIT_DONE)
        return GM_EXIT_USAGE;
    if (!o->text && !args->n && isatty(STDIN_FILENO))
        return GM_USAGE(
            err, "no posts: give --text TEXT or a FILE; `gmner predict --help` has examples");
    return GM_EXIT_DONE;
}

/* "2/8": the second of eight parts. */
static enum gm_exit parse_shard(const char *text, struct gm_shard *shard, struct gm_error *err)
{
    struct gm_str i, n;
    long long part = 0, parts = 0;
    *shard = (struct gm_shard){1, 1};
    if (!text)
        return GM_EXIT_DONE;
    if (!gm_str_cut(gm_str(text), '/', &i, &n) || !gm_str_to_int(i, &part) ||
        !gm_str_to_int(n, &parts) || part < 1 || part > parts)
        return GM_USAGE(err, "--shard: \"%s\" is no part: give 1/4, 2/4, 3/4 or 4/4 for four parts",
                        text);
    *shard = (struct gm_shard){(size_t)part, (size_t)parts};
    return GM_EXIT_DONE;
}

static enum gm_exit finish(struct job *job, const char *run)
{
    size_t bad = job->n_failed + job->n_unreadable;
    if (!bad)
        return GM_EXIT_DONE;
    gm_troubles_end(&job->troubles, "predict");
    GM_LOG(GM_LOG_INFO, "predict", "posts=%zu failed=%zu unreadable_lines=%zu%s", job->n_posts,
           job->n_failed, job->n_unreadable,
           job->n_failed && run ? "; the same command again tries those that failed" : "");
    return GM_EXIT_SOME;
}

/* What becomes of the work that was done when a run ends early. */
static void tell_how_to_go_on(enum gm_status st, const char *run)
{
    if (run)
        GM_LOG(GM_LOG_INFO, "predict", "what is done is kept in %s; the same command goes on there",
               run);
    else if (st == GM_ECANCEL)
        GM_LOG(GM_LOG_INFO, "predict", "nothing is kept; --run DIR would keep what is done");
}

/* Posts in, posts out; *code is what finish says. */
static enum gm_status work(struct job *job, const struct gm_args *args,
                           const struct gm_shard *shard, enum gm_exit *code, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct opts *o = job->o;
    struct gm_predict_out *out;
    /* Outputs before the work, so that one that can't be written is known at once. */
    if (!job->llm->dry_run)
        GM_TRY(gm_predict_out_open(&job->out, o->output, o->html, err));
    if (o->captions)
        GM_TRY(gm_captions_load(&job->captions, o->captions, err));
    if (o->captions_short)
        GM_TRY(gm_captions_load(&job->captions_short, o->captions_short, err));
    GM_TRY(o->text ? run_one(job, err) : run_file(job, args->n ? args->v[0] : "-", shard, err));
    out = job->out;
    job->out = NULL;
    if (out)
        GM_TRY(gm_predict_out_commit(out, err));
    *code = finish(job, gm_pipeline_run_dir(job->pipeline));
done:
    gm_troubles_end(&job->troubles, "predict");
    return st;
}

static enum gm_status tell_dry_run(const struct job *job, struct gm_error *err)
{
    struct gm_buf text;
    gm_buf_init(&text, 1 << 16);
    enum gm_status st = gm_llm_cli_dry(gm_pipeline_llm(job->pipeline), job->llm, &text, err);
    if (st == GM_OK)
        st = gm_print(gm_buf_str(&text), err);
    gm_buf_clear(&text);
    return st;
}

/* What the pipeline needs to know of the options. */
static enum gm_status pipeline_opts(const struct opts *o, struct gm_arena *a,
                                    struct gm_llm_opts *llm, struct gm_pipeline_opts *po,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    po->recipe = o->recipe;
    po->settings = o->settings;
    po->tagger = o->tagger;
    po->precision = o->precision;
    po->run = o->run;
    po->max_words = (size_t)o->max_words;
    po->post_seconds = o->post_timeout;
    po->cache = gm_cache_path(a);
    po->llm = llm;
    if (!o->text && o->output && strcmp(o->output, "-") != 0) {
        po->run_if_llm = gm_arena_printf(a, "%s.run", o->output).p;
        if (!po->run_if_llm)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    GM_TRY(gm_llm_cli_read(&o->llm, a, llm, err));
done:
    return st;
}

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    const struct opts *o = options;
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_llm_opts llm;
    struct job job = {.o = o, .llm = &llm};
    struct gm_pipeline_opts po = {0};
    enum gm_exit code = check(o, args, err);
    if (code == GM_EXIT_DONE)
        code = parse_shard(o->shard, &po.shard, err);
    if (code != GM_EXIT_DONE)
        return code;
    gm_arena_init(&a, 0);
    st = pipeline_opts(o, &a, &llm, &po, err);
    if (st == GM_OK)
        st = gm_pipeline_open(&job.pipeline, &po, err);
    if (st == GM_OK && (o->llm.endpoint || o->llm.dry_run) && !gm_pipeline_uses_llm(job.pipeline))
        st = GM_FAIL(err, GM_EARG,
                     "recipe %s asks no language model: --endpoint and --dry-run are "
                     "for those that do",
                     o->recipe);
    if (st != GM_OK) {
        code = st == GM_EARG ? GM_EXIT_USAGE : GM_EXIT_FAILED;
        goto done;
    }
    st = work(&job, args, &po.shard, &code, err);
    if (st == GM_OK && llm.dry_run)
        st = tell_dry_run(&job, err);
    else if (gm_pipeline_llm(job.pipeline))
        gm_llm_cli_summary(gm_pipeline_llm(job.pipeline), &llm);
    if (st != GM_OK) {
        tell_how_to_go_on(st, gm_pipeline_run_dir(job.pipeline));
        code = GM_EXIT_FAILED;
    }
done:
    gm_predict_out_abort(job.out);
    gm_captions_free(job.captions);
    gm_captions_free(job.captions_short);
    gm_pipeline_leave(job.pipeline);
    gm_arena_clear(&a);
    return code;
}

static const struct gm_option options[] = {
    {"text", 0, GM_OPT_STR, offsetof(struct opts, text), NULL, 0, 0, "TEXT",
     "the text of one post, in place of a file"},
    {"image", 0, GM_OPT_STR, offsetof(struct opts, image), NULL, 0, 0, "FILE",
     "the image of that post: JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF"},
    {"from", 0, GM_OPT_CHOICE, offsetof(struct opts, from), "auto", 0, 0, GM_READABLE_FORMATS,
     "format of the input; auto looks at its content"},
    {"images", 0, GM_OPT_STR, offsetof(struct opts, images), NULL, 0, 0, "DIR",
     "folder of the images: DIR/ID.jpg for CoNLL posts, base of relative paths for JSON Lines"},
    {"captions", 0, GM_OPT_STR, offsetof(struct opts, captions), NULL, 0, 0, "FILE",
     "image captions, lines \"imgid:ID###CAPTION\", for posts that have none"},
    {"captions-short", 0, GM_OPT_STR, offsetof(struct opts, captions_short), NULL, 0, 0, "FILE",
     "captions of one short sentence in the same form, which entailment reads in place of the others"},
    {"recipe", 'r', GM_OPT_STR, offsetof(struct opts, recipe), "embedded", 0, 0, "NAME|FILE",
     "which stages to run: a recipe of the program or a YAML file"},
    {"settings", 0, GM_OPT_STR, offsetof(struct opts, settings), NULL, 0, 0, "FILE",
     "settings of its stages that count before its own, as `gmner tune` writes them"},
    {"tagger", 0, GM_OPT_STR, offsetof(struct opts, tagger), NULL, 0, 0, "MODEL",
     "a tagger that `gmner train` wrote, or the name of one from `gmner models list`, in place of the recipe's"},
    {"precision", 0, GM_OPT_CHOICE, offsetof(struct opts, precision), NULL, 0, 0,
     "auto|f32|bf16|int8",
     "arithmetic of the native models and the detector; auto is bf16 where the processor has it "
     "(default: the recipe's, else auto)"},
    {"output", 'o', GM_OPT_STR, offsetof(struct opts, output), NULL, 0, 0, "FILE",
     "write JSON Lines to FILE, which is replaced only when all is done"},
    {"html", 0, GM_OPT_STR, offsetof(struct opts, html), NULL, 0, 0, "FILE",
     "also write a self-contained page with the pictures, boxes and masks"},
    {"run", 0, GM_OPT_STR, offsetof(struct opts, run), NULL, 0, 0, "DIR",
     "keep every result of every stage in this folder: the same command goes on where it was, and "
     "a changed setting repeats only what it must (default: none; for recipes with a language "
     "model OUT.run)"},
    {"shard", 0, GM_OPT_STR, offsetof(struct opts, shard), NULL, 0, 0, "I/N",
     "work on part I of N of the posts only (every Nth one); `gmner runs merge` joins the parts"},
    GM_LLM_OPTIONS(struct opts, llm),
    GM_LLM_OPTION_DRY_RUN(struct opts, llm),
    {"max-words", 0, GM_OPT_INT, offsetof(struct opts, max_words), "20000", 1, 2000000, "N",
     "words that a post may have; one of more fails"},
    {"post-timeout", 0, GM_OPT_NUM, offsetof(struct opts, post_timeout), "0", 0, 1e6, "SECONDS",
     "time that a stage may take for a post, which fails when that is not enough; 0 = any"},
    {"strict", 0, GM_OPT_FLAG, offsetof(struct opts, strict), NULL, 0, 0, NULL,
     "stop at the first post that fails, without output"},
    GM_OPTION_END,
};

const struct gm_command gm_cmd_predict = {
    .name = "predict",
    .summary = "find the entities of posts, in text and image",
    .usage = "[FILE|-] [options]",
    .about =
        "Posts come from --text and --image (one post), or from FILE or standard input, in any "
        "format of docs/formats.md that has texts, packed by gzip or not. Where the input pauses, "
        "the answers to the posts so far come. A terminal "
        "gets a coloured view, a pipe or -o gets JSON Lines, in the order of "
        "the input. Posts without an image are only tagged. A post that fails carries \"error\" "
        "and keeps what was found before; a line that can't be read is reported and left out; "
        "both give exit status 3. Relative image paths start at the folder of the file that they "
        "are in: of the input as it is read, of the output as it is written.",
    .examples =
        "gmner predict --text 'Grace Hopper at the Navy Yard' --image grace.jpg\n"
        "gmner predict posts.jsonl -o out.jsonl --html out.html\n"
        "gmner predict dev.txt --from conll --images photos --captions captions.txt -o out.jsonl\n"
        "gmner predict posts.jsonl -o out.jsonl --run work\n"
        "echo 'Paris in May' | gmner predict --from text --recipe tag\n",
    .options = options,
    .opts_size = sizeof(struct opts),
    .max_args = 1,
    .run = run,
};
