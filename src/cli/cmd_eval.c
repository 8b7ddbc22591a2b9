/* gmner eval: predictions against gold, as a table, as JSON, as a page. */
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/eval_run.h"
#include "eval/bootstrap.h"
#include "eval/scheme.h"
#include "report/reliability_svg.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct opts {
    const char *task, *rule, *gold, *pred, *vs, *xml, *images, *from, *scheme, *tags, *html, *svg;
    double iou;
    long long bootstrap, seed;
    bool iou_strict, ap, calibration, details, json;
};

/* One evaluation: of --pred, and where asked of --vs beside it. */
struct work {
    const struct opts *o;
    struct gm_eval_opts counting;
    struct gm_eval *eval, *vs;
    struct gm_visible *entail;
    struct gm_ap *ap;
    struct gm_confidences *confidences;
    double ap_at[GM_CURVE];
    size_t n_resample; /* 0 = no intervals */
    long long seed;
    struct gm_bootstrap bootstrap;
    struct gm_buf out;
};

/* ---- what was asked for ---- */

static enum gm_exit check_images(const struct opts *o, bool image, bool entail,
                                 struct gm_error *err)
{
    const struct {
        const char *name;
        bool given;
    } only[] = {
        {"rule", o->rule}, {"iou", o->iou > 0}, {"iou-strict", o->iou_strict}, {"ap", o->ap}};
    for (size_t i = 0; i < sizeof only / sizeof *only && !image; i++)
        if (only[i].given)
            return GM_USAGE(err, "eval: --%s is for tasks with boxes; --task %s has none",
                            only[i].name, o->task);
    if (o->xml && !image && !entail)
        return GM_USAGE(err, "eval: --xml is for tasks with boxes; --task %s has none", o->task);
    return GM_EXIT_DONE;
}

static enum gm_exit check(struct work *w, struct gm_error *err)
{
    const struct opts *o = w->o;
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
    if (o->vs && strcmp(o->gold, "-") == 0)
        return GM_USAGE(err, "eval: with --vs gold is read twice and can't be standard input");
    if (o->tags && strcmp(o->scheme, "strict") != 0)
        return GM_USAGE(err, "eval: --tags is for --scheme strict; conlleval's reading needs no "
                             "scheme");
    if (o->images && !o->html)
        return GM_USAGE(err, "eval: --images is for the pictures of --html FILE");
    w->counting = gm_eval_opts_default(task);
    if (o->rule)
        (void)gm_rule_parse(o->rule, &w->counting.rule);
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

static void warn(size_t posts, size_t failed, const char *gold, const char *pred)
{
    if (failed)
        GM_LOG(GM_LOG_WARN, "eval",
               "%zu of %zu predicted posts of %s carry an error; what they "
               "hold, perhaps nothing, was counted",
               failed, posts, pred);
    if (posts == 0)
        GM_LOG(GM_LOG_WARN, "eval", "%s: no posts", gold);
}

static void warn_counts(const struct gm_eval *e, const struct opts *o, const char *pred)
{
    struct gm_eval_counts c = gm_eval_posts(e);
    warn(c.posts, c.failed_posts, o->gold, pred);
    if (c.posts && !c.gold_in_image && gm_task_has_image(gm_eval_options(e)->task))
        GM_LOG(GM_LOG_WARN, "eval",
               "gold has no regions: every entity counts as not in the "
               "image%s",
               o->xml ? "" : "; --xml DIR reads boxes from Pascal VOC files");
}

static void warn_odd(const char *path, const char *odd, enum gm_tag_scheme as)
{
    GM_LOG(GM_LOG_WARN, "eval", "%s: the tags look like %s, and are read strictly as %s; %s", path,
           odd,
           as == GM_TAGS_BIO     ? "BIO"
           : as == GM_TAGS_BIOES ? "BIOES"
                                 : "IOB1",
           strcmp(odd, "IOB1") == 0 ? "--tags iob1 reads them as they are"
                                    : "--scheme conlleval reads them as they are");
}

/* The scheme of strict reading: as asked for, else gold's, which is then gold's for predictions too.
 * Gold that can be read only once can't be asked. */
static enum gm_status find_scheme(const struct opts *o, struct gm_reader_opts *reading,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *tags = o->tags ? o->tags : "auto", *odd;
    const char *files[] = {o->gold, o->pred, o->vs};
    enum gm_tag_scheme own;
    reading->scheme = strcmp(tags, "bio") == 0     ? GM_TAGS_BIO
                      : strcmp(tags, "bioes") == 0 ? GM_TAGS_BIOES
                      : strcmp(tags, "iob1") == 0  ? GM_TAGS_IOB1
                                                   : GM_TAGS_AUTO;
    if (reading->repair != GM_REPAIR_STRICT || reading->scheme == GM_TAGS_IOB1)
        return GM_OK;
    if (reading->scheme == GM_TAGS_AUTO && !gm_is_file(o->gold) && !gm_is_dir(o->gold) &&
        (strcmp(o->gold, "-") == 0 || access(o->gold, F_OK) == 0))
        return GM_FAIL(err, GM_EARG,
                       "eval: %s can be read only once, so its tags can't be looked at "
                       "first: give their scheme with --tags bio, bioes or iob1",
                       o->gold);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (!files[i] || (i && !gm_is_file(files[i])))
            continue;
        GM_TRY(gm_scheme_find(files[i], reading, &own, &odd, err));
        reading->scheme = reading->scheme == GM_TAGS_AUTO ? own : reading->scheme;
        if (odd)
            warn_odd(files[i], odd, reading->scheme);
    }
done:
    return st;
}

static enum gm_status read_all(struct work *w, struct gm_report *report, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct opts *o = w->o;
    /* A box without area is a box that fits nothing, as in the published scripts: were it left out, its
     * entity would be right where gold has no box, or be judged by another of its boxes. */
    struct gm_reader_opts reading = {.images_dir = o->images, .keeps_bad_boxes = true};
    (void)gm_format_parse(o->from, &reading.format);
    (void)gm_tag_repair_parse(o->scheme, &reading.repair);
    GM_TRY(find_scheme(o, &reading, err));
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

static enum gm_status resample(struct work *w, struct gm_error *err)
{
    size_t n;
    const struct gm_count *posts = gm_eval_kept(w->eval, &n);
    const struct gm_count *vs = w->vs ? gm_eval_kept(w->vs, &n) : NULL;
    return gm_bootstrap_run(&w->bootstrap, posts, vs, n, w->n_resample, (uint64_t)w->seed, err);
}

/* ---- output ---- */

static double mean_ap(const struct work *w)
{
    double sum = 0;
    for (size_t i = 0; i < GM_CURVE; i++)
        sum += w->ap_at[i];
    return sum / GM_CURVE;
}

static enum gm_status table(struct work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_bootstrap *b = &w->bootstrap;
    GM_TRY(gm_eval_table(w->eval, w->o->details, &w->out, err));
    if (w->ap)
        GM_TRY(gm_buf_printf(&w->out, err, "\nbox AP %.4f, at 0.50 %.4f, at 0.75 %.4f\n",
                             mean_ap(w), w->ap_at[0], w->ap_at[5]));
    if (w->confidences)
        GM_TRY(gm_confidences_table(w->confidences, &w->out, err));
    if (b->n)
        GM_TRY(gm_buf_printf(&w->out, err,
                             "\n95%% intervals over %zu resamplings: precision %.4f "
                             "to %.4f, recall %.4f to %.4f, f1 %.4f to %.4f\n",
                             b->n, b->precision.low, b->precision.high, b->recall.low,
                             b->recall.high, b->f1.low, b->f1.high));
    if (w->vs)
        GM_TRY(gm_buf_printf(&w->out, err,
                             "f1 %.4f against %.4f of %s: %+.4f (%+.4f to %+.4f), "
                             "p = %.4f\n",
                             gm_score_f1(gm_eval_total(w->eval)), gm_score_f1(gm_eval_total(w->vs)),
                             w->o->vs, b->diff, b->diff_in.low, b->diff_in.high, b->p_value));
done:
    return st;
}

static bool set_interval(struct gm_json *o, const char *key, struct gm_interval x)
{
    struct gm_json *pair = gm_json_new_array();
    bool ok = pair && gm_json_add(pair, gm_json_new_num(x.low)) &&
              gm_json_add(pair, gm_json_new_num(x.high));
    return gm_json_set(o, key, pair) && ok;
}

static bool set_ap(struct gm_json *o, const struct work *w)
{
    struct gm_json *ap = gm_json_new_object(), *curve = gm_json_new_array();
    bool ok = ap && curve && gm_json_set(ap, "ap", gm_json_new_num(mean_ap(w))) &&
              gm_json_set(ap, "ap50", gm_json_new_num(w->ap_at[0])) &&
              gm_json_set(ap, "ap75", gm_json_new_num(w->ap_at[5]));
    for (size_t i = 0; i < GM_CURVE && ok; i++)
        ok = gm_json_add(curve, gm_json_new_num(w->ap_at[i]));
    ok = gm_json_set(ap, "curve", curve) && ok;
    return gm_json_set(o, "ap", ap) && ok;
}

static bool set_bootstrap(struct gm_json *o, const struct work *w)
{
    const struct gm_bootstrap *b = &w->bootstrap;
    struct gm_json *x = gm_json_new_object();
    bool ok = x && gm_json_set(x, "n", gm_json_new_int((long long)b->n)) &&
              gm_json_set(x, "seed", gm_json_new_int(w->seed)) &&
              set_interval(x, "precision", b->precision) && set_interval(x, "recall", b->recall) &&
              set_interval(x, "f1", b->f1);
    return gm_json_set(o, "bootstrap", x) && ok;
}

/* The second system: its whole result, and the difference. */
static enum gm_status set_vs(struct gm_json *o, const struct work *w, struct gm_error *err)
{
    struct gm_json *x = NULL;
    enum gm_status st = gm_eval_json(w->vs, &x, err);
    if (st != GM_OK)
        return st;
    bool ok = gm_json_set(x, "diff", gm_json_new_num(w->bootstrap.diff)) &&
              set_interval(x, "diff_interval", w->bootstrap.diff_in) &&
              gm_json_set(x, "p_value", gm_json_new_num(w->bootstrap.p_value));
    ok = gm_json_set(o, "vs", x) && ok;
    return ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for the result");
}

static enum gm_status json(struct work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *o = NULL, *calibration;
    bool ok = true;
    GM_TRY(gm_eval_json(w->eval, &o, err));
    if (w->confidences) {
        GM_TRY(gm_confidences_json(w->confidences, &calibration, err));
        ok = gm_json_set(o, "calibration", calibration);
    }
    if (!ok || (w->ap && !set_ap(o, w)) || (w->bootstrap.n && !set_bootstrap(o, w))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for the result");
        goto done;
    }
    if (w->vs)
        GM_TRY(set_vs(o, w, err));
    GM_TRY(gm_json_write(o, false, &w->out, err));
    GM_TRY(gm_buf_add(&w->out, "\n", 1, err));
done:
    gm_json_free(o);
    return st;
}

static enum gm_status entail(struct work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_visible_result r;
    struct gm_json *o = NULL;
    GM_TRY(gm_visible_result(w->entail, &r, err));
    warn(r.posts, r.failed_posts, w->o->gold, w->o->pred);
    if (w->o->json) {
        GM_TRY(gm_visible_json(&r, &o, err));
        GM_TRY(gm_json_write(o, false, &w->out, err));
        GM_TRY(gm_buf_add(&w->out, "\n", 1, err));
    } else {
        GM_TRY(gm_visible_table(&r, &w->out, err));
    }
done:
    gm_json_free(o);
    return st;
}

/* The page's totals: the same table as on the terminal, with all details. */
static enum gm_status finish_page(struct work *w, struct gm_report **report, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_report *r = *report;
    char title[64];
    snprintf(title, sizeof title, "%s, rule %s", w->o->task, gm_rule_name(w->counting.rule));
    gm_buf_reset(&w->out);
    GM_TRY(gm_eval_table(w->eval, true, &w->out, err));
    GM_TRY(gm_report_add_text(r, title, gm_buf_str(&w->out), err));
    *report = NULL;
    GM_TRY(gm_report_commit(r, err));
done:
    return st;
}

static enum gm_status draw(const struct work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf svg;
    gm_buf_init(&svg, (size_t)1 << 20);
    GM_TRY(gm_reliability_svg(w->confidences, w->o->pred, &svg, err));
    GM_TRY(gm_file_write(w->o->svg, gm_buf_str(&svg), err));
done:
    gm_buf_clear(&svg);
    return st;
}

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct work w = {.o = options};
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
        GM_TRY(finish_page(&w, &report, err));
    gm_buf_reset(&w.out);
    GM_TRY(w.entail ? entail(&w, err) : w.o->json ? json(&w, err) : table(&w, err));
    if (w.o->svg)
        GM_TRY(draw(&w, err));
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
    {"task", 0, GM_OPT_CHOICE, offsetof(struct opts, task), "mner", 0, 0,
     "mner|span|eeg|gmner|fmnerg|smner|entail|ccks",
     "what must be right: ends and type (mner), ends (span), entity and box (eeg), with the type "
     "(gmner), the fine type (fmnerg), masks (smner), each box by name (ccks); entail: in the "
     "image"},
    {"gold", 0, GM_OPT_STR, offsetof(struct opts, gold), NULL, 0, 0, "FILE",
     "annotated posts in any format that gmner data reads"},
    {"xml", 0, GM_OPT_STR, offsetof(struct opts, xml), NULL, 0, 0, "DIR",
     "take gold boxes from Pascal VOC files DIR/ID.xml"},
    {"pred", 0, GM_OPT_STR, offsetof(struct opts, pred), NULL, 0, 0, "FILE",
     "predicted posts, in any order, in any of these formats"},
    {"vs", 0, GM_OPT_STR, offsetof(struct opts, vs), NULL, 0, 0, "FILE",
     "a second system's predictions: the difference, and by a paired bootstrap its p-value"},
    {"from", 0, GM_OPT_CHOICE, offsetof(struct opts, from), "auto", 0, 0, GM_READABLE_FORMATS,
     "format of the files; auto tells each by its content"},
    {"scheme", 0, GM_OPT_CHOICE, offsetof(struct opts, scheme), "conlleval", 0, 0,
     "conlleval|strict",
     "what tags that break BIO or BIOES mean in CoNLL files: seqeval's default or strict mode"},
    {"tags", 0, GM_OPT_CHOICE, offsetof(struct opts, tags), NULL, 0, 0, "auto|bio|bioes|iob1",
     "scheme of the tags for --scheme strict; auto: that of the gold file as a whole (default)"},
    {"rule", 0, GM_OPT_CHOICE, offsetof(struct opts, rule), NULL, 0, 0, "riveg|set|optimal|ccks",
     "which prediction is paid by which gold entity, see docs/metrics.md (default riveg; of task "
     "ccks ccks)"},
    {"iou", 0, GM_OPT_NUM, offsetof(struct opts, iou), NULL, 0.01, 1, "X",
     "the least overlap of boxes or masks (default 0.5)"},
    {"iou-strict", 0, GM_OPT_FLAG, offsetof(struct opts, iou_strict), NULL, 0, 0, NULL,
     "the overlap must be more than --iou, not equal"},
    {"ap", 0, GM_OPT_FLAG, offsetof(struct opts, ap), NULL, 0, 0, NULL,
     "also the average precision of the boxes, as COCO defines it"},
    {"calibration", 0, GM_OPT_FLAG, offsetof(struct opts, calibration), NULL, 0, 0, NULL,
     "also how far the entities' confidences are to be trusted: calibration error, risk and "
     "coverage"},
    {"svg", 0, GM_OPT_STR, offsetof(struct opts, svg), NULL, 0, 0, "FILE",
     "draw the reliability diagrams and risk-coverage curves of --calibration"},
    {"bootstrap", 0, GM_OPT_INT, offsetof(struct opts, bootstrap), NULL, 1, 1000000, "N",
     "95% intervals from N resamplings of the posts (default with --vs: 1000)"},
    {"seed", 0, GM_OPT_INT, offsetof(struct opts, seed), NULL, 1, 1e15, "N",
     "seed of the resampling (default 1)"},
    {"details", 0, GM_OPT_FLAG, offsetof(struct opts, details), NULL, 0, 0, NULL,
     "also the scores of groups of entities and the confusion of types; --json always has them"},
    {"json", 0, GM_OPT_FLAG, offsetof(struct opts, json), NULL, 0, 0, NULL,
     "print one line of JSON in place of a table"},
    {"html", 0, GM_OPT_STR, offsetof(struct opts, html), NULL, 0, 0, "FILE",
     "write a page of all posts with their pictures and what is right and wrong in each"},
    {"images", 0, GM_OPT_STR, offsetof(struct opts, images), NULL, 0, 0, "DIR",
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
    .opts_size = sizeof(struct opts),
    .max_args = 0,
    .run = run,
};
