/* gmner tune: settings of a stage out of annotated posts and what runs predicted for them. */
#include "base/file.h"
#include "base/input.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "report/tune_svg.h"
#include "tune/tune.h"

#include <string.h>

enum { TEXT_MAX = 1 << 30 };

struct opts {
    const char *stage, *gold, *xml, *pred, *from, *target, *calls, *numbers, *output, *svg;
    long long folds;
    double c, call_cost;
    bool json;
};

/* "best", "precision=0.9", "f1=0.8", "calls=0.2". */
static enum gm_exit parse_target(const char *text, struct gm_tune_target *out, struct gm_error *err)
{
    static const char *const kinds[] = {"best", "precision", "f1", "calls"};
    struct gm_str kind, value;
    size_t k = 0;
    bool has = gm_str_cut(gm_str(text), '=', &kind, &value);
    out->value = 0;
    while (k < sizeof kinds / sizeof *kinds && !gm_str_eq_c(kind, kinds[k]))
        k++;
    if (k == sizeof kinds / sizeof *kinds || has != (k > 0) ||
        (has && (!gm_str_to_double(value, &out->value) || !(out->value >= 0) || out->value > 1)))
        return GM_USAGE(err,
                        "--target: \"%s\" is none of best, precision=P, f1=F and calls=S, with a "
                        "number from 0 to 1 such as precision=0.9",
                        text);
    out->kind = (enum gm_tune_target_kind)k;
    return GM_EXIT_DONE;
}

/* "FILE", or "encoder=FILE". A file of such a name is given as ./encoder=FILE. */
static enum gm_exit add_run(struct gm_tune_opts *o, const char *text, struct gm_error *err)
{
    if (o->n_runs == GM_TUNE_RUNS)
        return GM_USAGE(err, "tune: more than %d predicted files", (int)GM_TUNE_RUNS);
    struct gm_tune_run *run = &o->runs[o->n_runs++];
    *run = (struct gm_tune_run){.path = text};
    for (size_t k = 0; k < GM_N_WITNESSES; k++) {
        const char *name = gm_witness_names[k];
        size_t n = strlen(name);
        if (strncmp(text, name, n) == 0 && text[n] == '=')
            *run = (struct gm_tune_run){.path = text + n + 1, .source = name};
    }
    return GM_EXIT_DONE;
}

/* "encoder,person_score": all others are left out. */
static enum gm_exit read_numbers(struct gm_tune_opts *o, const char *list, struct gm_error *err)
{
    struct gm_str name, rest = gm_str(list);
    for (size_t i = 0; i < GM_EVIDENCE_X; i++)
        o->unused[i] = true;
    while (rest.n) {
        size_t i = 0;
        gm_str_cut(rest, ',', &name, &rest);
        while (i < GM_EVIDENCE_X && !gm_str_eq_c(name, gm_evidence_x[i].name))
            i++;
        if (i == GM_EVIDENCE_X)
            return GM_USAGE(
                err,
                "--numbers: there is no number \"%.*s\" of the evidence; docs/recipes.md "
                "lists them",
                GM_STR_ARG(name));
        o->unused[i] = false;
    }
    return GM_EXIT_DONE;
}

static enum gm_exit check_runs(const struct gm_tune_opts *o, struct gm_error *err)
{
    static const size_t most[] = {2, GM_TUNE_RUNS, 1};
    if (o->n_runs > most[o->stage])
        return GM_USAGE(err,
                        "tune: %zu predicted files; refine takes one, or one and what a model made "
                        "of it, ground takes one",
                        o->n_runs);
    for (size_t i = 0; i < o->n_runs; i++) {
        if (o->runs[i].source && o->stage != GM_TUNE_ENTAIL)
            return GM_USAGE(err, "tune: %s=%s: sources are for --stage entail", o->runs[i].source,
                            o->runs[i].path);
        if (o->n_runs > 1 && (strcmp(o->runs[i].path, "-") == 0 || gm_input_is_once(o->gold)))
            return GM_USAGE(err,
                            "tune: of several runs none is standard input, nor is gold, which is "
                            "read with each and can't be a pipe");
    }
    return GM_EXIT_DONE;
}

static const struct gm_option_readers readers[] = {
    {"c", "entail"}, {"numbers", "entail"}, {NULL, NULL}};

static enum gm_exit read_opts(const struct opts *c, const struct gm_args *args,
                              struct gm_tune_opts *o, struct gm_error *err)
{
    static const char *const stages[] = {"refine", "entail", "ground"};
    if (!c->stage || !c->gold || !c->pred)
        return GM_USAGE(err, "tune: --%s is missing",
                        !c->stage ? "stage refine|entail|ground"
                        : c->gold ? "pred RUN"
                                  : "gold FILE");
    if (gm_options_check_verb(readers, "tune", c->stage, args, err) != GM_OK)
        return GM_EXIT_USAGE;
    while (strcmp(c->stage, stages[o->stage]) != 0)
        o->stage++;
    o->gold = c->gold;
    o->xml = c->xml;
    o->n_folds = (size_t)c->folds;
    o->c = c->c;
    o->call_cost = c->call_cost;
    o->by_post = c->calls ? strcmp(c->calls, "post") == 0 : -1;
    (void)gm_format_parse(c->from, &o->reading.format); /* the option table lists what it knows */
    enum gm_exit e = parse_target(c->target, &o->target, err);
    if (e == GM_EXIT_DONE)
        e = add_run(o, c->pred, err);
    for (size_t i = 0; i < args->n && e == GM_EXIT_DONE; i++)
        e = add_run(o, args->v[i], err);
    if (e == GM_EXIT_DONE && c->numbers)
        e = read_numbers(o, c->numbers, err);
    return e == GM_EXIT_DONE ? check_runs(o, err) : e;
}

static enum gm_status write_file(const char *path, struct gm_str text, struct gm_error *err)
{
    struct gm_out *out = NULL;
    enum gm_status st = gm_out_open(&out, path, err);
    if (st == GM_OK)
        st = gm_out_write(out, text, err);
    if (st != GM_OK) {
        gm_out_abort(out);
        return st;
    }
    return gm_out_commit(out, err);
}

static enum gm_status print(const struct opts *c, const struct gm_tune_opts *o,
                            const struct gm_tune_result *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    struct gm_buf text;
    gm_buf_init(&text, TEXT_MAX);
    if (c->output) {
        GM_TRY(gm_tune_settings(o, r, &text, err));
        GM_TRY(write_file(c->output, gm_buf_str(&text), err));
    }
    if (c->svg) {
        gm_buf_reset(&text);
        GM_TRY(gm_tune_svg(o, r, c->stage, &text, err));
        GM_TRY(write_file(c->svg, gm_buf_str(&text), err));
    }
    gm_buf_reset(&text);
    if (c->json) {
        GM_TRY(gm_tune_json(o, r, &j, err));
        GM_TRY(gm_json_write(j, false, &text, err));
        GM_TRY(gm_buf_add_c(&text, "\n", err));
    } else {
        GM_TRY(gm_tune_table(o, r, &text, err));
    }
    GM_TRY(gm_print(gm_buf_str(&text), err));
done:
    gm_json_free(j);
    gm_buf_clear(&text);
    return st;
}

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    const struct opts *c = options;
    enum gm_status st = GM_OK;
    struct gm_tune_opts o = {.stage = GM_TUNE_REFINE};
    struct gm_tune_result r;
    enum gm_exit usage = read_opts(c, args, &o, err);
    if (usage != GM_EXIT_DONE)
        return usage;
    GM_TRY(gm_tune_run_all(&o, &r, err));
    if (r.n_failed)
        GM_LOG(GM_LOG_WARN, "tune",
               "%zu of %zu posts of %s have an error and count as what they hold", r.n_failed,
               r.n_posts, o.runs[0].path);
    for (size_t i = 0; i < r.n_warnings; i++)
        GM_LOG(GM_LOG_WARN, "tune", "%s", r.warnings[i]);
    GM_TRY(print(c, &o, &r, err));
done:
    gm_tune_clear(&r);
    return gm_exit_of(st);
}

static const struct gm_option options[] = {
    {"stage", 0, GM_OPT_CHOICE, offsetof(struct opts, stage), NULL, 0, 0, "refine|entail|ground",
     "what is tuned: who is asked about spans, types and regions; how evidence is weighed and for whom a "
     "model is asked; for whom a box is looked for (needed)"},
    {"gold", 0, GM_OPT_STR, offsetof(struct opts, gold), NULL, 0, 0, "FILE",
     "annotated posts, never those that a model was trained on or is judged by in the end (needed)"},
    {"xml", 0, GM_OPT_STR, offsetof(struct opts, xml), NULL, 0, 0, "DIR",
     "take gold boxes from Pascal VOC files DIR/ID.xml"},
    {"pred", 0, GM_OPT_STR, offsetof(struct opts, pred), NULL, 0, 0, "RUN",
     "predicted posts; more files may follow: of refine what a model made of all; of entail other "
     "sources, as RUN or encoder=RUN, model=RUN, reader=RUN (needed)"},
    {"from", 0, GM_OPT_CHOICE, offsetof(struct opts, from), "auto", 0, 0, GM_READABLE_FORMATS,
     "format of the files; auto tells each by its content"},
    {"target", 0, GM_OPT_STR, offsetof(struct opts, target), "best", 0, 0,
     "best|precision=P|f1=F|calls=S",
     "best: the highest score; precision, f1: what is to be reached; calls: the highest share of calls"},
    {"calls", 0, GM_OPT_CHOICE, offsetof(struct opts, calls), NULL, 0, 0, "entity|post",
     "what a request is about (default: refine a post, entail and ground an entity)"},
    {"call-cost", 0, GM_OPT_NUM, offsetof(struct opts, call_cost), NULL, 0, 1e9, "AMOUNT",
     "price of a request, to tell what the calls cost"},
    {"folds", 0, GM_OPT_INT, offsetof(struct opts, folds), "5", 2, GM_TUNE_FOLDS, "N",
     "parts of the cross-fitting; a post's is decided by its id"},
    {"c", 0, GM_OPT_NUM, offsetof(struct opts, c), "1", 1e-6, 1e6, "C",
     "entail: how much the examples count against the penalty on weights, as in scikit-learn"},
    {"numbers", 0, GM_OPT_STR, offsetof(struct opts, numbers), NULL, 0, 0, "NAME,…",
     "entail: the numbers of the evidence that are weighed, such as encoder,person_score,first: few for "
     "few posts (default: all of every source)"},
    {"svg", 0, GM_OPT_STR, offsetof(struct opts, svg), NULL, 0, 0, "FILE", "draw the curves"},
    {"json", 0, GM_OPT_FLAG, offsetof(struct opts, json), NULL, 0, 0, NULL,
     "print one line of JSON, with the curves, in place of a table"},
    {"output", 'o', GM_OPT_STR, offsetof(struct opts, output), NULL, 0, 0, "FILE",
     "write the settings to FILE, for a recipe's \"settings\" or --settings of gmner predict"},
    GM_OPTION_END,
};

const struct gm_command gm_cmd_tune = {
    .name = "tune",
    .summary = "find a stage's thresholds and weights on annotated posts",
    .usage = "--stage STAGE --gold FILE --pred RUN [RUN…] [options]",
    .about =
        "Thresholds with their curves (score, calls, cost), an oracle's ceiling, for entail the "
        "weights of a fusion, and a settings file for recipes: docs/tune.md. What is called "
        "cross-fitted was chosen without the posts that it is judged on; the settings themselves are "
        "fitted on all of them.",
    .examples =
        "gmner tune --stage refine --gold dev.txt --pred tagged.jsonl asked.jsonl -o tuned.yaml\n"
        "gmner tune --stage refine --gold dev.txt --pred tagged.jsonl --target calls=0.2 --svg curve.svg\n"
        "gmner tune --stage entail --gold dev.txt --xml xml --pred encoder.jsonl model=yes.jsonl\n"
        "gmner tune --stage ground --gold dev.txt --xml xml --pred all.jsonl --target precision=0.6\n",
    .options = options,
    .opts_size = sizeof(struct opts),
    .max_args = GM_TUNE_RUNS,
    .run = run,
};
