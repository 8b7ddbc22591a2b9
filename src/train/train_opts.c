#include "train/train.h"

#include "base/fingerprint.h"
#include "base/input.h"
#include "base/sha256.h"

#include <stddef.h>
#include <string.h>

enum kind {
    COUNT,
    REAL,
    FLAG,
    TEXT,
    SEED,
    /* These do not shape the weights by their text: */
    INPUT, /* a file that is read */
    PLACE, /* a folder */
    MODEL, /* a folder or name of a model, which is read */
    MINUTES
};
#define AT(field) offsetof(struct gm_train_opts, field)

/* One row a setting: reading, checking and writing come from it. */
static const struct setting {
    const char *key;
    enum kind kind;
    size_t at;
    double min, max;
    const char *choices; /* TEXT: one of these; NULL = anything */
    const char *task;    /* the one that reads it; NULL = all */
} settings[] = {
    {"task", TEXT, AT(task), 0, 0, "ner|entail", NULL},
    {"train", INPUT, AT(train), 0, 0, NULL, NULL},
    {"dev", INPUT, AT(dev), 0, 0, NULL, NULL},
    {"xml", PLACE, AT(xml), 0, 0, NULL, "entail"},
    {"captions", INPUT, AT(captions), 0, 0, NULL, "entail"},
    {"dev_captions", INPUT, AT(dev_captions), 0, 0, NULL, "entail"},
    {"encoder", TEXT, AT(encoder), 0, 0, NULL, NULL},
    {"precision", TEXT, AT(precision), 0, 0, "auto|f32|bf16", NULL},
    {"scheme", TEXT, AT(scheme), 0, 0, "bio|bioes", "ner"},
    {"pooling", TEXT, AT(pooling), 0, 0, "mean|first", "ner"},
    {"case", FLAG, AT(case_features), 0, 0, NULL, "ner"},
    {"fine", INPUT, AT(fine_file), 0, 0, NULL, "ner"},
    {"fine_weight", REAL, AT(fine_weight), 0, 100, NULL, "ner"},
    {"teacher", MODEL, AT(teacher), 0, 0, NULL, "ner"},
    {"teacher_weight", REAL, AT(teacher_weight), 0, 1, NULL, "ner"},
    {"knowledge", FLAG, AT(knowledge), 0, 0, NULL, "ner"},
    {"words", TEXT, AT(words), 0, 0, "auto|spaces|dictionary|characters|letters", NULL},
    {"name_parts", FLAG, AT(name_parts), 0, 0, NULL, "ner"},
    {"spellings", REAL, AT(spellings), 0, 1, NULL, "ner"},
    {"epochs", COUNT, AT(epochs), 1, 10000, NULL, NULL},
    {"patience", COUNT, AT(patience), 0, 10000, NULL, NULL},
    {"batch_posts", COUNT, AT(batch_posts), 1, 65536, NULL, NULL},
    {"batch_tokens", COUNT, AT(batch_tokens), 64, 1 << 20, NULL, NULL},
    {"accumulate", COUNT, AT(accumulate), 1, 4096, NULL, NULL},
    {"lr", REAL, AT(lr), 0, 1, NULL, NULL},
    {"head_lr", REAL, AT(head_lr), 0, 1, NULL, NULL},
    {"crf_lr", REAL, AT(crf_lr), 0, 1, NULL, "ner"},
    {"schedule", TEXT, AT(schedule), 0, 0, "linear|cosine|constant", NULL},
    {"warmup", REAL, AT(warmup), 0, 1, NULL, NULL},
    {"weight_decay", REAL, AT(weight_decay), 0, 10, NULL, NULL},
    {"clip_norm", REAL, AT(clip_norm), 0, 1e9, NULL, NULL},
    {"average", REAL, AT(average), 0, 0.99999, NULL, NULL},
    {"word_dropout", REAL, AT(word_dropout), 0, 0.9, NULL, NULL},
    {"hidden_dropout", REAL, AT(net.hidden_dropout), -1, 0.9, NULL, NULL},
    {"attention_dropout", REAL, AT(net.attention_dropout), -1, 0.9, NULL, NULL},
    {"freeze_embeddings", FLAG, AT(net.freeze_embeddings), 0, 0, NULL, NULL},
    {"freeze_layers", COUNT, AT(net.freeze_layers), 0, GM_ENCODER_MAX_LAYERS, NULL, NULL},
    {"layer_decay", REAL, AT(net.layer_decay), 0.01, 1, NULL, NULL},
    {"lora_rank", COUNT, AT(net.lora.rank), 0, 4096, NULL, NULL},
    {"lora_alpha", REAL, AT(net.lora.alpha), 0, 1e6, NULL, NULL},
    {"lora_dropout", REAL, AT(net.lora.dropout), 0, 0.9, NULL, NULL},
    {"lora_targets", TEXT, AT(net.lora.targets), 0, 0, NULL, NULL},
    {"lora_rs", FLAG, AT(net.lora.rank_stabilised), 0, 0, NULL, NULL},
    {"lora_f32", FLAG, AT(net.lora_f32), 0, 0, NULL, NULL},
    {"checkpoint_minutes", MINUTES, AT(checkpoint_minutes), 0, 1e6, NULL, NULL},
    {"seed", SEED, AT(seed), 0, 0, NULL, NULL},
};
enum { N_SETTINGS = sizeof settings / sizeof *settings };

struct gm_train_opts gm_train_opts_default(void)
{
    return (struct gm_train_opts){
        .task = "ner",
        .encoder = "minilm",
        .precision = "auto",
        .scheme = "bio",
        .pooling = "mean",
        .case_features = true,
        .fine_weight = 0.5,
        .teacher_weight = 0.5,
        .knowledge = true,
        .words = "auto",
        .epochs = 6,
        .batch_posts = 16,
        .batch_tokens = 4096,
        .accumulate = 1,
        .lr = 1e-4,
        .head_lr = 5e-4,
        .crf_lr = 1.5e-2,
        .schedule = "linear",
        .warmup = 0.06,
        .weight_decay = 0.01,
        .clip_norm = 1,
        .checkpoint_minutes = 10,
        .net = {.layer_decay = 1, .hidden_dropout = -1, .attention_dropout = -1, .lora.alpha = 32},
        .seed = 1};
}

struct gm_train_opts gm_train_opts_entail(void)
{
    struct gm_train_opts o = gm_train_opts_default();
    o.task = "entail";
    o.epochs = 4;
    o.batch_posts = 32;
    return o;
}

static const struct setting *find(struct gm_str key)
{
    for (size_t i = 0; i < N_SETTINGS; i++)
        if (gm_str_eq_c(key, settings[i].key))
            return &settings[i];
    return NULL;
}

static bool is_choice(const char *choices, struct gm_str text)
{
    for (const char *end; *choices; choices = *end ? end + 1 : end) {
        end = choices + strcspn(choices, "|");
        if (gm_str_eq(text, (struct gm_str){choices, (size_t)(end - choices)}))
            return true;
    }
    return false;
}

static enum gm_status read_one(struct gm_train_opts *o, const struct setting *s,
                               const struct gm_json *v, const char *path, struct gm_error *err)
{
    void *at = (char *)o + s->at;
    struct gm_str text;
    long long i;
    double d;
    switch (s->kind) {
    case TEXT:
    case INPUT:
    case PLACE:
    case MODEL:
        if (!gm_json_str(v, &text))
            return GM_FAIL(err, GM_EARG, "%s: \"%s\" must be text", path, s->key);
        if (s->choices && !is_choice(s->choices, text))
            return GM_FAIL(err, GM_EARG, "%s: \"%s\" must be one of %s", path, s->key, s->choices);
        *(const char **)at = text.p;
        return GM_OK;
    case FLAG:
        if (!gm_json_bool(v, at))
            return GM_FAIL(err, GM_EARG, "%s: \"%s\" must be true or false", path, s->key);
        return GM_OK;
    case SEED:
        if (!gm_json_int(v, &i) || i < 0)
            return GM_FAIL(err, GM_EARG, "%s: \"%s\" must be a whole number from 0", path, s->key);
        *(uint64_t *)at = (uint64_t)i;
        return GM_OK;
    case COUNT:
    case MINUTES:
    case REAL: break;
    }
    if (!gm_json_num(v, &d) || !(d >= s->min && d <= s->max) ||
        (s->kind == COUNT && d != (double)(size_t)d))
        return GM_FAIL(err, GM_EARG, "%s: \"%s\" must be a %snumber from %g to %g", path, s->key,
                       s->kind == COUNT ? "whole " : "", s->min, s->max);
    if (s->kind == COUNT)
        *(size_t *)at = (size_t)d;
    else
        *(double *)at = d;
    return GM_OK;
}

enum gm_status gm_train_opts_read(struct gm_train_opts *o, const struct gm_json *j,
                                  const char *path, struct gm_error *err)
{
    if (gm_json_kind(j) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EARG, "%s: must be a mapping of settings", path);
    for (void *it = gm_json_first(j); it; it = gm_json_next(j, it)) {
        const struct setting *s = find(gm_json_key(it));
        if (!s)
            return GM_FAIL(err, GM_EARG, "%s: unknown setting \"%.*s\"", path,
                           GM_STR_ARG(gm_json_key(it)));
        enum gm_status st = read_one(o, s, gm_json_value(it), path, err);
        if (st != GM_OK)
            return st;
    }
    return GM_OK;
}

static bool is_text(enum kind k) { return k == TEXT || k == INPUT || k == PLACE || k == MODEL; }

/* The value of a setting. */
static struct gm_json *value_of(const struct gm_train_opts *o, const struct setting *s)
{
    const void *at = (const char *)o + s->at;
    switch (s->kind) {
    case TEXT:
    case INPUT:
    case PLACE:
    case MODEL: return gm_json_new_str(gm_str(*(const char *const *)at));
    case FLAG: return gm_json_new_bool(*(const bool *)at);
    case SEED: return gm_json_new_int((long long)*(const uint64_t *)at);
    case COUNT: return gm_json_new_int((long long)*(const size_t *)at);
    case MINUTES:
    case REAL: break;
    }
    return gm_json_new_num(*(const double *)at);
}

/* A text that was not given has no value to write. */
static bool is_absent(const struct gm_train_opts *o, const struct setting *s)
{
    return is_text(s->kind) && !*(const char *const *)((const char *)o + s->at);
}

static bool is_same(const struct gm_train_opts *a, const struct gm_train_opts *b,
                    const struct setting *s)
{
    const void *x = (const char *)a + s->at, *y = (const char *)b + s->at;
    switch (s->kind) {
    case TEXT:
    case INPUT:
    case PLACE:
    case MODEL: {
        const char *t = *(const char *const *)x, *u = *(const char *const *)y;
        return t == u || (t && u && strcmp(t, u) == 0);
    }
    case FLAG: return *(const bool *)x == *(const bool *)y;
    case SEED: return *(const uint64_t *)x == *(const uint64_t *)y;
    case COUNT: return *(const size_t *)x == *(const size_t *)y;
    case MINUTES:
    case REAL: break;
    }
    return *(const double *)x == *(const double *)y;
}

/* Settings of adapters that are set, where there are none. */
static const char *adapter_setting(const struct gm_train_opts *o, const struct gm_train_opts *plain)
{
    for (const struct setting *s = settings; s < settings + N_SETTINGS && !o->net.lora.rank; s++)
        if (strncmp(s->key, "lora_", 5) == 0 && !is_same(o, plain, s))
            return s->key;
    return NULL;
}

enum gm_status gm_train_opts_check(const struct gm_train_opts *o, struct gm_error *err)
{
    struct gm_train_opts plain =
        strcmp(o->task, "entail") == 0 ? gm_train_opts_entail() : gm_train_opts_default();
    const char *of_adapters = adapter_setting(o, &plain);
    for (const struct setting *s = settings; s < settings + N_SETTINGS; s++) {
        const char *const *text = (const void *)((const char *)o + s->at);
        if (s->task && strcmp(s->task, o->task) != 0 && !is_same(o, &plain, s))
            return GM_FAIL(
                err, GM_EARG,
                "\"%s\" is a setting of task %s, and this run's task is %s: leave it out", s->key,
                s->task, o->task);
        if (s->kind == INPUT && *text && gm_input_is_once(*text))
            return GM_FAIL(
                err, GM_EARG,
                "%s: \"%s\" of a training is read more than once, which a pipe can't be; "
                "save it as a file first",
                *text, s->key);
    }
    if (of_adapters)
        return GM_FAIL(err, GM_EARG,
                       "\"%s\" is a setting of adapters, and without \"lora_rank\" there are none",
                       of_adapters);
    return GM_OK;
}

struct gm_json *gm_train_opts_json(const struct gm_train_opts *o)
{
    struct gm_json *j = gm_json_new_object();
    bool ok = j != NULL;
    for (const struct setting *s = settings; ok && s < settings + N_SETTINGS; s++)
        if (s->kind < INPUT && !is_absent(o, s))
            ok = gm_json_set(j, s->key, value_of(o, s));
    if (ok)
        return j;
    gm_json_free(j);
    return NULL;
}

/* What a run has read: of files the SHA-256, of a model that of its files', a folder as it was given. */
static enum gm_status content_of(struct gm_json **out, const struct setting *s, const char *text,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char hex[GM_SHA256_HEX];
    struct gm_buf files;
    gm_buf_init(&files, SIZE_MAX - 1);
    if (s->kind == INPUT)
        GM_TRY(gm_sha256_file(text, hex, err));
    if (s->kind == MODEL) {
        GM_TRY(gm_fingerprint_model(text, &files, err));
        gm_sha256(gm_buf_str(&files), hex);
    }
    *out = gm_json_new_str(gm_str(s->kind == PLACE ? text : hex));
done:
    gm_buf_clear(&files);
    return st;
}

enum gm_status gm_train_opts_identity(const struct gm_train_opts *o, struct gm_json **out,
                                      struct gm_error *err)
{
    struct gm_json *j = gm_train_opts_json(o), *content;
    enum gm_status st = j ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (const struct setting *s = settings; st == GM_OK && s < settings + N_SETTINGS; s++) {
        const char *const *text = (const void *)((const char *)o + s->at);
        if ((s->kind != INPUT && s->kind != PLACE && s->kind != MODEL) || is_absent(o, s))
            continue;
        st = content_of(&content, s, *text, err);
        if (st == GM_OK && !gm_json_set(j, s->key, content))
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    if (st != GM_OK)
        gm_json_free(j);
    *out = st == GM_OK ? j : NULL;
    return st;
}

enum gm_status gm_train_opts_yaml(const struct gm_train_opts *o, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *v = NULL;
    GM_TRY(gm_buf_add_c(
        out, "# `gmner train --config` with this file trains the same model again.\n", err));
    for (const struct setting *s = settings; s < settings + N_SETTINGS; s++) {
        if (is_absent(o, s))
            continue;
        gm_json_free(v);
        v = value_of(o, s);
        GM_TRY(v ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
        GM_TRY(gm_buf_printf(out, err, "%s: ", s->key));
        GM_TRY(gm_json_write(v, false, out, err));
        GM_TRY(gm_buf_add_c(out, "\n", err));
    }
done:
    gm_json_free(v);
    return st;
}
