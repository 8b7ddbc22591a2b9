/* gmner eval: predictions against gold, as a table or as JSON. */
#include "base/log.h"
#include "cli/cmd.h"
#include "eval/eval.h"
#include "eval/pairs.h"

struct opts {
    const char *task, *gold, *pred, *from, *scheme;
    bool json;
};

/* Count every pair of posts. */
static enum gm_status count(struct gm_eval *e, const struct opts *o, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_reader_opts reading = {0};
    struct gm_pairs *pairs = NULL;
    struct gm_post gold, pred;
    bool has = true;
    (void)gm_format_parse(o->from, &reading.format);  /* both are checked by the option table */
    (void)gm_tag_repair_parse(o->scheme, &reading.repair);
    GM_TRY(gm_pairs_open(&pairs, o->gold, o->pred, &reading, err));
    for (;;) {
        GM_TRY(gm_pairs_next(pairs, &gold, &pred, &has, err));
        if (!has)
            break;
        st = gm_eval_add(e, &gold, &pred, err);
        gm_post_clear(&gold);
        gm_post_clear(&pred);
        GM_TRY(st);
    }
done:
    gm_pairs_free(pairs);
    return st;
}

static enum gm_status print_result(const struct gm_eval *e, bool json, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf out;
    gm_buf_init(&out, (size_t)64 << 20);
    GM_TRY(json ? gm_eval_json(e, &out, err) : gm_eval_table(e, &out, err));
    GM_TRY(gm_print(gm_buf_str(&out), err));
done:
    gm_buf_clear(&out);
    return st;
}

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct opts *o = options;
    struct gm_eval_opts counting = {GM_TASK_MNER};
    struct gm_eval *e = NULL;
    (void)args;
    if (!o->gold || !o->pred)
        return GM_USAGE(err, "eval: --%s FILE is missing", o->gold ? "pred" : "gold");
    (void)gm_task_parse(o->task, &counting.task);
    GM_TRY(gm_eval_new(&e, &counting, err));
    GM_TRY(count(e, o, err));
    size_t failed = gm_eval_posts(e).failed_posts;
    if (failed)
        GM_LOG(GM_LOG_WARN, "eval", "%zu of %zu predicted posts carry an error; what they hold, "
               "perhaps nothing, was counted", failed, gm_eval_posts(e).posts);
    if (gm_eval_posts(e).posts == 0)
        GM_LOG(GM_LOG_WARN, "eval", "%s: no posts", o->gold);
    GM_TRY(print_result(e, o->json, err));
done:
    gm_eval_free(e);
    return gm_exit_of(st);
}

static const struct gm_option options[] = {
    {"task", 0, GM_OPT_CHOICE, offsetof(struct opts, task), "mner", 0, 0, "mner|span",
     "what is right: the entity's ends and type (mner), or its ends alone (span)"},
    {"gold", 0, GM_OPT_STR, offsetof(struct opts, gold), NULL, 0, 0, "FILE",
     "annotated posts: CoNLL or JSON Lines"},
    {"pred", 0, GM_OPT_STR, offsetof(struct opts, pred), NULL, 0, 0, "FILE",
     "predicted posts, in any order: JSON Lines or CoNLL"},
    {"from", 0, GM_OPT_CHOICE, offsetof(struct opts, from), "auto", 0, 0, "auto|jsonl|conll",
     "format of both files; auto tells each by its first line"},
    {"scheme", 0, GM_OPT_CHOICE, offsetof(struct opts, scheme), "conlleval", 0, 0,
     "conlleval|strict",
     "what tags that break BIO or BIOES mean in CoNLL files: seqeval's default or strict mode"},
    {"json", 0, GM_OPT_FLAG, offsetof(struct opts, json), NULL, 0, 0, NULL,
     "print one line of JSON in place of a table"},
    GM_OPTION_END,
};

const struct gm_command gm_cmd_eval = {
    .name = "eval",
    .summary = "score predictions against gold",
    .usage = "--gold FILE --pred FILE [options]",
    .about = "Posts are paired by id, or by position where one file has no ids; a post that is "
             "missing on either side, or whose text differs, is an error. Raw text may be "
             "compared with tokenised text: white space does not count.",
    .examples = "gmner eval --gold dev.txt --pred out.jsonl\n"
                "gmner eval --task span --gold dev.txt --pred out.jsonl --json\n",
    .options = options,
    .opts_size = sizeof(struct opts),
    .max_args = 0,
    .run = run,
};
