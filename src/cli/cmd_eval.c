/* gmner eval: predictions against gold, as a table, as JSON, as a page. */
#include "base/input.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/eval_work.h"

#include <string.h>

/* ---- what was asked for ---- */

static enum gm_exit check_images(const struct gm_eval_args *o, bool image, bool entail,
                                 struct gm_error *err)
{
    const struct {
        const char *name;
        bool given;
    } only[] = {{"rule", o->rule},
                {"box", o->box},
                {"iou", o->iou > 0},
                {"iou-strict", o->iou_strict},
                {"ap", o->ap}};
    for (size_t i = 0; i < sizeof only / sizeof *only && !image; i++)
        if (only[i].given)
            return GM_USAGE(err, "eval: --%s is for tasks with boxes; --task %s has none",
                            only[i].name, o->task);
    if (o->xml && !image && !entail)
        return GM_USAGE(err, "eval: --xml is for tasks with boxes; --task %s has none", o->task);
    return GM_EXIT_DONE;
}

static enum gm_exit check(struct gm_eval_work *w, struct gm_error *err)
{
    const struct gm_eval_args *o = w->o;
    enum gm_task task = GM_TASK_MNER;
    bool entail = strcmp(o->task, "entail") == 0;
    if (!o->gold || !o->pred)
        return GM_USAGE(err, "eval: --%s FILE is missing", o->gold ? "pred" : "gold");
    if (!entail)
        (void)gm_task_parse(o->task, &task); /* the option table has checked it */
    enum gm_exit e = check_images(o, !entail && gm_task_has_image(task), entail, err);
    if (e != GM_EXIT_DONE)
        return e;
    if (entail && (o->vs || o->bootstrap || o->html || o->details || o->calibration))
        return GM_USAGE(err, "eval: --vs, --bootstrap, --html, --details and --calibration are not "
                             "for --task entail");
    if (o->svg && !o->calibration)
        return GM_USAGE(err, "eval: --svg is for the curves of --calibration");
    if (o->vs && gm_input_is_once(o->gold))
        return GM_USAGE(err,
                        "eval: with --vs gold is read twice and can't be standard input or a pipe");
    if (o->tags && strcmp(o->scheme, "strict") != 0)
        return GM_USAGE(err, "eval: --tags is for --scheme strict; conlleval's reading needs no "
                             "scheme");
    if (o->images && !o->html)
        return GM_USAGE(err, "eval: --images is for the pictures of --html FILE");
    w->counting = gm_eval_opts_default(task);
    if (o->rule)
        (void)gm_rule_parse(o->rule, &w->counting.rule);
    if (o->box && !gm_rule_picks_box(w->counting.rule))
        return GM_USAGE(
            err, "eval: --box is for the rules riveg, set and optimal; by %s each box counts",
            gm_rule_name(w->counting.rule));
    if (o->box)
        (void)gm_box_pick_parse(o->box, &w->counting.box);
    if (o->iou > 0)
        w->counting.iou = o->iou;
    w->counting.iou_strict = o->iou_strict;
    if (o->seed && !o->bootstrap && !o->vs)
        return GM_USAGE(err, "eval: --seed is for the resampling of --bootstrap and --vs");
    w->seed = o->seed ? o->seed : 1;
    w->n_resample = o->bootstrap ? (size_t)o->bootstrap : o->vs ? 1000 : 0;
    w->counting.keep_posts = w->n_resample > 0;
    return GM_EXIT_DONE;
}

/* ---- counting ---- */

static void warn_counts(const struct gm_eval *e, const struct gm_eval_args *o, const char *pred)
{
    struct gm_eval_counts c = gm_eval_posts(e);
    gm_eval_warn(c.posts, c.failed_posts, o->gold, pred);
    if (c.posts && !c.gold_in_image && gm_task_has_image(gm_eval_options(e)->task))
        GM_LOG(GM_LOG_WARN, "eval",
               "gold has no regions: every entity counts as not in the "
               "image%s",
               o->xml ? "" : "; --xml DIR reads boxes from Pascal VOC files");
}

static enum gm_status read_all(struct gm_eval_work *w, struct gm_report *report,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_eval_args *o = w->o;
    /* A box without area is a box that fits nothing, as in the published scripts: were it left out, its
     * entity would be right where gold has no box, or be judged by another of its boxes. */
    struct gm_reader_opts reading = {.images_dir = o->images, .keeps_bad_boxes = true};
    (void)gm_format_parse(o->from, &reading.format);
    (void)gm_tag_repair_parse(o->scheme, &reading.repair);
    reading.entries_apart = w->counting.rule == GM_RULE_REFINEG; /* which goes by their order */
    GM_TRY(gm_eval_find_scheme(o, &reading, err));
    if (strcmp(o->task, "entail") == 0)
        GM_TRY(gm_visible_new(&w->entail, err));
    else
        GM_TRY(gm_eval_new(&w->eval, &w->counting, err));
    if (o->ap)
        GM_TRY(gm_ap_new(&w->ap, w->counting.task, err));
    if (o->calibration)
        GM_TRY(gm_confidences_new(&w->confidences, err));
    struct gm_eval_sinks first = {w->eval, w->entail, w->ap, w->confidences, report}, second = {0};
    GM_TRY(gm_eval_read(&first, o->gold, o->pred, o->xml, &reading, err));
    if (w->eval)
        warn_counts(w->eval, o, o->pred);
    if (o->vs) {
        GM_TRY(gm_eval_new(&w->vs, &w->counting, err));
        second.eval = w->vs;
        GM_TRY(gm_eval_read(&second, o->gold, o->vs, o->xml, &reading, err));
        warn_counts(w->vs, o, o->vs);
    }
    if (w->ap)
        gm_ap_at(w->ap, w->ap_at);
done:
    return st;
}

static enum gm_status resample(struct gm_eval_work *w, struct gm_error *err)
{
    size_t n, n_vs = 0;
    const struct gm_count *posts = gm_eval_kept(w->eval, &n);
    const struct gm_count *vs = w->vs ? gm_eval_kept(w->vs, &n_vs) : NULL;
    return gm_bootstrap_run(&w->bootstrap, posts, n, vs, n_vs, w->n_resample, (uint64_t)w->seed,
                            err);
}

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_eval_work w = {.o = options};
    struct gm_report *report = NULL;
    (void)args;
    enum gm_exit usage = check(&w, err);
    if (usage != GM_EXIT_DONE)
        return usage;
    gm_buf_init(&w.out, (size_t)1 << 30);
    if (w.o->html)
        GM_TRY(gm_report_open(&report, w.o->html, "gmner eval", err));
    GM_TRY(read_all(&w, report, err));
    if (w.n_resample)
        GM_TRY(resample(&w, err));
    if (report)
        GM_TRY(gm_eval_page(&w, &report, err));
    GM_TRY(gm_eval_print(&w, err));
    if (w.o->svg)
        GM_TRY(gm_eval_draw(&w, err));
    GM_TRY(gm_print(gm_buf_str(&w.out), err));
done:
    gm_report_abort(report);
    gm_eval_free(w.eval);
    gm_eval_free(w.vs);
    gm_visible_free(w.entail);
    gm_ap_free(w.ap);
    gm_confidences_free(w.confidences);
    gm_buf_clear(&w.out);
    return gm_exit_of(st);
}

static const struct gm_option options[] = {
    {"task", 0, GM_OPT_CHOICE, offsetof(struct gm_eval_args, task), "mner", 0, 0,
     "mner|span|eeg|gmner|fmnerg|smner|entail|ccks",
     "what must be right: ends and type (mner), ends (span), entity and box (eeg), with the type "
     "(gmner), the fine type (fmnerg), masks (smner), each box by name (ccks); entail: in the "
     "image"},
    {"gold", 0, GM_OPT_STR, offsetof(struct gm_eval_args, gold), NULL, 0, 0, "FILE",
     "annotated posts in any format that gmner data reads (needed)"},
    {"xml", 0, GM_OPT_STR, offsetof(struct gm_eval_args, xml), NULL, 0, 0, "DIR",
     "take gold boxes from Pascal VOC files DIR/ID.xml, gold masks from DIR/ID.json"},
    {"pred", 0, GM_OPT_STR, offsetof(struct gm_eval_args, pred), NULL, 0, 0, "FILE",
     "predicted posts, in any order, in any of these formats (needed)"},
    {"vs", 0, GM_OPT_STR, offsetof(struct gm_eval_args, vs), NULL, 0, 0, "FILE",
     "a second system's predictions: the difference, and by a paired bootstrap its p-value"},
    {"from", 0, GM_OPT_CHOICE, offsetof(struct gm_eval_args, from), "auto", 0, 0,
     GM_READABLE_FORMATS, "format of the files; auto tells each by its content"},
    {"scheme", 0, GM_OPT_CHOICE, offsetof(struct gm_eval_args, scheme), "conlleval", 0, 0,
     "conlleval|strict",
     "what tags that break BIO or BIOES mean in CoNLL files: seqeval's default or strict mode"},
    {"tags", 0, GM_OPT_CHOICE, offsetof(struct gm_eval_args, tags), NULL, 0, 0,
     "auto|bio|bioes|iob1",
     "scheme of the tags for --scheme strict; auto: that of the gold file as a whole (default: auto)"},
    {"rule", 0, GM_OPT_CHOICE, offsetof(struct gm_eval_args, rule), NULL, 0, 0,
     "riveg|set|optimal|ccks|refineg",
     "which prediction is paid by which gold entity, see docs/metrics.md (default: riveg; of "
     "task ccks: ccks)"},
    {"box", 0, GM_OPT_CHOICE, offsetof(struct gm_eval_args, box), NULL, 0, 0, "best|last|any",
     "which of a prediction's boxes counts: the first, the last, or whichever fits (default: any; by "
     "riveg best, and last in files without texts such as RiVEG's own)"},
    {"iou", 0, GM_OPT_NUM, offsetof(struct gm_eval_args, iou), NULL, 0.01, 1, "X",
     "the least overlap of boxes or masks (default: 0.5)"},
    {"iou-strict", 0, GM_OPT_FLAG, offsetof(struct gm_eval_args, iou_strict), NULL, 0, 0, NULL,
     "the overlap must be more than --iou, not equal"},
    {"ap", 0, GM_OPT_FLAG, offsetof(struct gm_eval_args, ap), NULL, 0, 0, NULL,
     "also the average precision of the boxes, as COCO defines it"},
    {"calibration", 0, GM_OPT_FLAG, offsetof(struct gm_eval_args, calibration), NULL, 0, 0, NULL,
     "also how far the entities' confidences are to be trusted: calibration error, risk and "
     "coverage"},
    {"svg", 0, GM_OPT_STR, offsetof(struct gm_eval_args, svg), NULL, 0, 0, "FILE",
     "draw the reliability diagrams and risk-coverage curves of --calibration"},
    {"bootstrap", 0, GM_OPT_INT, offsetof(struct gm_eval_args, bootstrap), NULL, 1, 1000000, "N",
     "95% intervals from N resamplings of the posts (default: none; with --vs 1000)"},
    {"seed", 0, GM_OPT_INT, offsetof(struct gm_eval_args, seed), NULL, 1, 1e15, "N",
     "seed of the resampling (default: 1)"},
    {"details", 0, GM_OPT_FLAG, offsetof(struct gm_eval_args, details), NULL, 0, 0, NULL,
     "also the scores of groups of entities and the confusion of types; --json always has them"},
    {"json", 0, GM_OPT_FLAG, offsetof(struct gm_eval_args, json), NULL, 0, 0, NULL,
     "print one line of JSON in place of a table"},
    {"html", 0, GM_OPT_STR, offsetof(struct gm_eval_args, html), NULL, 0, 0, "FILE",
     "write a page of all posts with their pictures and what is right and wrong in each"},
    {"images", 0, GM_OPT_STR, offsetof(struct gm_eval_args, images), NULL, 0, 0, "DIR",
     "folder of the pictures for --html: of CoNLL posts ID.jpg"},
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
                "gmner eval --task gmner --gold dev.txt --xml xml --pred out.jsonl --details\n"
                "gmner eval --gold dev.txt --pred out.jsonl --calibration --svg curves.svg\n"
                "gmner eval --task gmner --gold dev.txt --xml xml --pred a.jsonl --vs b.jsonl "
                "--json\n",
    .options = options,
    .opts_size = sizeof(struct gm_eval_args),
    .max_args = 0,
    .run = run,
};
