/* gmner train: fit a tagger or an entailment classifier. */
#include "train/train.h"
#include "train/train_folder.h"

#include "base/file.h"
#include "base/home_file.h"
#include "base/path.h"
#include "base/stop.h"
#include "base/yaml.h"
#include "cli/cmd.h"

#include <string.h>

struct opts {
    const char *task, *train, *dev, *xml, *captions, *dev_captions, *encoder, *out, *config;
    const char *precision, *fine_file, *teacher;
    long long epochs, batch_posts, batch_tokens, seed;
    double lr, checkpoint_minutes;
    bool resume, overwrite;
};

/* Options that were given override the file; 0, -1 and NULL mean "not given". */
static void override(struct gm_train_opts *t, const struct opts *o)
{
    const struct {
        const char *given, **set;
    } texts[] = {{o->train, &t->train},
                 {o->dev, &t->dev},
                 {o->xml, &t->xml},
                 {o->captions, &t->captions},
                 {o->dev_captions, &t->dev_captions},
                 {o->encoder, &t->encoder},
                 {o->fine_file, &t->fine_file},
                 {o->teacher, &t->teacher},
                 {o->precision, &t->precision}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].given)
            *texts[i].set = texts[i].given;
    t->model = o->out;
    t->resume = o->resume;
    if (o->checkpoint_minutes >= 0)
        t->checkpoint_minutes = o->checkpoint_minutes;
    if (o->epochs)
        t->epochs = (size_t)o->epochs;
    if (o->batch_posts)
        t->batch_posts = (size_t)o->batch_posts;
    if (o->batch_tokens)
        t->batch_tokens = (size_t)o->batch_tokens;
    if (o->seed >= 0)
        t->seed = (uint64_t)o->seed;
    if (o->lr > 0)
        t->lr = o->lr;
}

/* The file of the settings, NULL = none: --config's, else, when resuming, that of the run in folder `dir`. */
static enum gm_status find_config(struct gm_arena *a, const struct opts *o, const char *dir,
                                  const char **path, struct gm_error *err)
{
    const struct gm_home_files recipes = {"recipes/train", "training recipe"};
    *path = o->config;
    if (o->config) /* a file of the user's whatever its name is, as "settings" */
        return gm_is_file(o->config) ? GM_OK : gm_home_file_find(a, &recipes, o->config, path, err);
    if (!o->resume)
        return GM_OK;
    *path = gm_path_join(a, dir, "config.yaml");
    if (!*path)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    *path = gm_is_file(*path) ? *path : NULL;
    return GM_OK;
}

/* The settings: the task's defaults, then the file `path` (NULL = none), then the options. The texts are those of
 * *config, dir and o. */
static enum gm_status settings(struct gm_train_opts *t, struct gm_json **config,
                               const struct opts *o, const char *path, const char *dir,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str task = gm_str("ner");
    if (path)
        GM_TRY(gm_yaml_load(config, path, err));
    gm_json_str(gm_json_get(*config, "task"), &task);
    if (o->task)
        task = gm_str(o->task);
    bool entail = gm_str_eq_c(task, "entail");
    *t = entail ? gm_train_opts_entail() : gm_train_opts_default();
    if (path)
        GM_TRY(gm_train_opts_read(t, *config, path, err));
    t->task = entail ? "entail" : "ner";
    override(t, o);
    t->out = dir;
    GM_TRY(gm_train_opts_check(t, err));
done:
    return st;
}

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct opts *o = options;
    struct gm_train_opts t = {0};
    struct gm_json *config = NULL;
    struct gm_arena a;
    const char *dir, *path;
    enum gm_exit exit = GM_EXIT_DONE;
    (void)args;
    if (!o->out)
        return GM_USAGE(err, "train: -o MODEL is missing");
    if (o->resume && o->overwrite)
        return GM_USAGE(
            err, "train: --resume goes on with a run, --overwrite begins one: give one of them");
    gm_arena_init(&a, 0);
    GM_TRY(gm_train_folder_pick(o->out, o->resume, o->overwrite, &a, &dir, err));
    st = find_config(&a, o, dir, &path, err);
    exit = st == GM_EARG ? GM_EXIT_USAGE : GM_EXIT_DONE;
    GM_TRY(st);
    GM_TRY(settings(&t, &config, o, path, dir, err));
    bool entail = strcmp(t.task, "entail") == 0;
    if (!t.train && o->resume)
        exit = GM_USAGE(err, "train: %s: there is no run to resume; begin one without --resume",
                        o->out);
    else if (!t.train)
        exit = GM_USAGE(err, "train: --train FILE is missing");
    else if (entail && !t.xml)
        exit =
            GM_USAGE(err, "train: --task entail needs --xml DIR (the boxes say what is visible)");
    if (exit != GM_EXIT_DONE)
        goto done;
    gm_stop_catch();
    GM_TRY(entail ? gm_train_entail(&t, err) : gm_train_ner(&t, err));
    st = gm_train_folder_finish(dir, o->out, err);
done:
    gm_json_free(config);
    gm_arena_clear(&a);
    return exit != GM_EXIT_DONE ? exit : gm_exit_of(st);
}

#define AT(field) offsetof(struct opts, field)
static const struct gm_option options[] = {
    {"task", 0, GM_OPT_CHOICE, AT(task), NULL, 0, 0, "ner|entail",
     "ner: the tagger; entail: whether an entity is in the image (default: ner)"},
    {"train", 0, GM_OPT_STR, AT(train), NULL, 0, 0, "FILE",
     "posts with gold entities, in any format that gmner reads (needed, but for --resume, or where FILE.yaml names them)"},
    {"dev", 0, GM_OPT_STR, AT(dev), NULL, 0, 0, "FILE",
     "posts that choose the best epoch; the scores of tagger or classifier are calibrated on them"},
    {"fine", 0, GM_OPT_STR, AT(fine_file), NULL, 0, 0, "FILE",
     "ner: the training posts with fine types (a third column), to learn better by; not predicted"},
    {"teacher", 0, GM_OPT_STR, AT(teacher), NULL, 0, 0, "MODEL",
     "ner: a tagger whose probabilities are learned beside the gold labels"},
    {"output", 'o', GM_OPT_STR, AT(out), NULL, 0, 0, "MODEL", "model directory to write (needed)"},
    {"encoder", 0, GM_OPT_STR, AT(encoder), NULL, 0, 0, "DIR",
     "Hugging Face directory or packaged model to start from (default: minilm)"},
    {"config", 0, GM_OPT_STR, AT(config), NULL, 0, 0, "NAME|FILE.yaml",
     "settings of the run: a training recipe that comes with the program, such as ner-large, or a file of yours; "
     "options given beside it win"},
    {"epochs", 0, GM_OPT_INT, AT(epochs), NULL, 1, 10000, "N",
     "passes over the data (default: 6; of entail 4)"},
    {"lr", 0, GM_OPT_NUM, AT(lr), NULL, 1e-9, 1, "X",
     "peak learning rate of the encoder (default: 1e-4)"},
    {"batch-posts", 0, GM_OPT_INT, AT(batch_posts), NULL, 1, 65536, "N",
     "posts a batch, at most; of entail entities (default: 16; of entail 32)"},
    {"batch-tokens", 0, GM_OPT_INT, AT(batch_tokens), NULL, 64, 1 << 20, "N",
     "word pieces a batch, at most; bounds the memory (default: 4096)"},
    {"precision", 0, GM_OPT_CHOICE, AT(precision), NULL, 0, 0, "auto|f32|bf16",
     "number type of the products; auto: bf16 where the CPU multiplies it (default: auto)"},
    {"resume", 0, GM_OPT_FLAG, AT(resume), NULL, 0, 0, NULL,
     "go on with the run in MODEL that was cut short, with the settings of its config.yaml"},
    {"overwrite", 0, GM_OPT_FLAG, AT(overwrite), NULL, 0, 0, NULL,
     "begin a run where MODEL holds one or a model already; that is replaced when the run is done"},
    {"checkpoint-minutes", 0, GM_OPT_NUM, AT(checkpoint_minutes), "-1", -1, 1e6, "N",
     "time between checkpoints within an epoch, 0: none; each epoch ends with one (default: 10)"},
    {"seed", 0, GM_OPT_INT, AT(seed), "-1", -1, 9e15, "N", "of order and dropout (default: 1)"},
    {"xml", 0, GM_OPT_STR, AT(xml), NULL, 0, 0, "DIR",
     "entail: Pascal VOC boxes of the posts' images (needed by it)"},
    {"captions", 0, GM_OPT_STR, AT(captions), NULL, 0, 0, "FILE",
     "entail: captions of the training posts"},
    {"dev-captions", 0, GM_OPT_STR, AT(dev_captions), NULL, 0, 0, "FILE",
     "entail: captions of the dev posts"},
    GM_OPTION_END,
};

const struct gm_command gm_cmd_train = {
    .name = "train",
    .summary = "fit a tagger or an entailment classifier",
    .usage = "--train FILE [--dev FILE] -o MODEL [options]",
    .about =
        "Reads posts with gold entities in any format of docs/formats.md. Each epoch reports\n"
        "loss, speed and dev scores; the best epoch is kept. The same seed, machine kind,\n"
        "precision and thread count give the same weights. MODEL gets model.safetensors,\n"
        "config.json, tokenizer.json, gmner.json, metrics.jsonl and config.yaml (the settings; `--config`\n"
        "with it trains the same again); with lora_rank in the settings adapter_model.safetensors and\n"
        "adapter_config.json in place of the first three. docs/training.md explains every setting.",
    .examples =
        "gmner train --train train.txt --dev dev.txt -o my-tagger\n"
        "gmner train --config ner-default --train train.txt --dev dev.txt -o my-tagger\n"
        "gmner train --config ner-large --train train.txt --dev dev.txt -o my-large\n"
        "gmner train --task entail --train train.txt --dev dev.txt --xml xml/ -o my-entail\n"
        "gmner train --resume -o my-tagger\n",
    .options = options,
    .opts_size = sizeof(struct opts),
    .run = run,
};
