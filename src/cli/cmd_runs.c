/* gmner runs: what a run folder holds and why; the parts of a job put together. */
#include "base/file.h"
#include "base/path.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/predict_out.h"
#include "pipeline/merge.h"
#include "pipeline/run.h"

#include <string.h>

struct opts {
    const char *output, *html;
};

static enum gm_exit show(const struct gm_args *args, struct gm_error *err)
{
    struct gm_buf text;
    if (args->n != 2)
        return GM_USAGE(err, "usage: gmner runs show DIR");
    gm_buf_init(&text, (size_t)1 << 24);
    enum gm_status st = gm_run_show(args->v[1], &text, err);
    if (st == GM_OK)
        st = gm_print(gm_buf_str(&text), err);
    gm_buf_clear(&text);
    return gm_exit_of(st);
}

static enum gm_status on_post(void *user, struct gm_post *post, struct gm_error *err)
{
    return gm_predict_out_post(user, post, err);
}

/* Not DONE as long as a post is missing, doubtful or failed: what is wrong was said already. */
static enum gm_exit tell(const struct gm_merge_report *r)
{
    GM_LOG(GM_LOG_INFO, "runs",
           "posts=%zu failed=%zu unreadable_lines=%zu missing=%zu duplicates=%zu conflicts=%zu",
           r->n_posts, r->n_failed, r->n_unreadable, r->n_missing, r->n_duplicates, r->n_conflicts);
    return r->n_failed || r->n_unreadable || r->n_missing || r->n_conflicts ? GM_EXIT_SOME
                                                                            : GM_EXIT_DONE;
}

static enum gm_exit merge(const struct opts *o, const struct gm_args *args, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_merge_report report;
    struct gm_predict_out *out = NULL, *whole;
    struct gm_arena a;
    if (args->n < 2)
        return GM_USAGE(err, "usage: gmner runs merge DIR... -o FILE");
    gm_arena_init(&a, 0);
    const char *dir = o->output && strcmp(o->output, "-") != 0 ? gm_path_dir(&a, o->output) : ".";
    if (!dir) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(gm_predict_out_open(&out, o->output, o->html, err));
    GM_TRY(gm_runs_merge(args->v + 1, args->n - 1, dir, on_post, out, &report, err));
    whole = out;
    out = NULL;
    GM_TRY(gm_predict_out_commit(whole, err));
done:
    gm_predict_out_abort(out);
    gm_arena_clear(&a);
    return st == GM_OK ? tell(&report) : GM_EXIT_FAILED;
}

static const struct gm_option_readers readers[] = {
    {"output", "merge"},
    {"html", "merge"},
    {NULL, NULL},
};

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    const struct opts *o = options;
    if (gm_options_check_verb(readers, "runs", args->v[0], args, err) != GM_OK)
        return GM_EXIT_USAGE;
    if (strcmp(args->v[0], "merge") == 0)
        return merge(o, args, err);
    if (strcmp(args->v[0], "show") == 0)
        return show(args, err);
    return GM_USAGE(err, "runs: \"%s\" is none of show, merge", args->v[0]);
}

static const struct gm_option options[] = {
    {"output", 'o', GM_OPT_STR, offsetof(struct opts, output), NULL, 0, 0, "FILE",
     "merge: write JSON Lines to FILE, which is replaced only when all is done"},
    {"html", 0, GM_OPT_STR, offsetof(struct opts, html), NULL, 0, 0, "FILE",
     "merge: also write a self-contained page"},
    GM_OPTION_END,
};

const struct gm_command gm_cmd_runs = {
    .name = "runs",
    .summary = "look into run folders, join the parts of a job",
    .words = "show|merge",
    .usage = "show DIR | merge DIR... [options]",
    .about =
        "A run folder (`gmner predict --run DIR`) holds every result of every stage. show tells how "
        "far it is, which stages ran in each session and why. merge puts the posts of a job that "
        "was split with --shard back into the order of the input, and reports those that are "
        "missing or there twice (exit status 3).",
    .examples = "gmner runs show work\n"
                "gmner runs merge part1.run part2.run -o all.jsonl\n",
    .options = options,
    .opts_size = sizeof(struct opts),
    .min_args = 1,
    .max_args = 10000,
    .run = run,
};
