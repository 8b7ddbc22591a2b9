#include "tagger/train.h"

#include <stddef.h>
#include <string.h>

enum kind { COUNT, REAL, FLAG, TEXT, SEED };
#define AT(field) offsetof(struct gm_train_opts, field)

/* One row a setting: reading, checking and writing come from it. */
static const struct setting {
    const char *key;
    enum kind kind;
    size_t at;
    double min, max;
    const char *choices; /* TEXT: one of these; NULL = anything */
} settings[] = {
    {"encoder", TEXT, AT(encoder), 0, 0, NULL},
    {"precision", TEXT, AT(precision), 0, 0, "auto|f32|bf16"},
    {"scheme", TEXT, AT(scheme), 0, 0, "bio|bioes"},
    {"fine", TEXT, AT(fine), 0, 0, NULL},
    {"fine_weight", REAL, AT(fine_weight), 0, 100, NULL},
    {"teacher", TEXT, AT(teacher), 0, 0, NULL},
    {"teacher_weight", REAL, AT(teacher_weight), 0, 1, NULL},
    {"knowledge", FLAG, AT(knowledge), 0, 0, NULL},
    {"epochs", COUNT, AT(epochs), 1, 10000, NULL},
    {"patience", COUNT, AT(patience), 0, 10000, NULL},
    {"batch_posts", COUNT, AT(batch_posts), 1, 65536, NULL},
    {"batch_tokens", COUNT, AT(batch_tokens), 64, 1 << 20, NULL},
    {"accumulate", COUNT, AT(accumulate), 1, 4096, NULL},
    {"lr", REAL, AT(lr), 0, 1, NULL},
    {"head_lr", REAL, AT(head_lr), 0, 1, NULL},
    {"crf_lr", REAL, AT(crf_lr), 0, 1, NULL},
    {"schedule", TEXT, AT(schedule), 0, 0, "linear|cosine|constant"},
    {"warmup", REAL, AT(warmup), 0, 1, NULL},
    {"weight_decay", REAL, AT(weight_decay), 0, 10, NULL},
    {"clip_norm", REAL, AT(clip_norm), 0, 1e9, NULL},
    {"average", REAL, AT(average), 0, 0.99999, NULL},
    {"word_dropout", REAL, AT(word_dropout), 0, 0.9, NULL},
    {"hidden_dropout", REAL, AT(net.hidden_dropout), -1, 0.9, NULL},
    {"attention_dropout", REAL, AT(net.attention_dropout), -1, 0.9, NULL},
    {"freeze_embeddings", FLAG, AT(net.freeze_embeddings), 0, 0, NULL},
    {"freeze_layers", COUNT, AT(net.freeze_layers), 0, GM_ENCODER_MAX_LAYERS, NULL},
    {"layer_decay", REAL, AT(net.layer_decay), 0.01, 1, NULL},
    {"seed", SEED, AT(seed), 0, 0, NULL},
};
enum { N_SETTINGS = sizeof settings / sizeof *settings };

struct gm_train_opts gm_train_opts_default(void)
{
    return (struct gm_train_opts){.encoder = "minilm",
                                  .precision = "auto",
                                  .scheme = "bio",
                                  .fine_weight = 0.5,
                                  .teacher_weight = 0.5,
                                  .knowledge = true,
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
                                  .net = {.layer_decay = 1, .hidden_dropout = -1,
                                          .attention_dropout = -1},
                                  .seed = 1};
}

struct gm_train_opts gm_train_opts_entail(void)
{
    struct gm_train_opts o = gm_train_opts_default();
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

enum gm_status gm_train_opts_read(struct gm_train_opts *o, const struct gm_json *j, const char *path,
                                  struct gm_error *err)
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

struct gm_json *gm_train_opts_json(const struct gm_train_opts *o)
{
    struct gm_json *j = gm_json_new_object();
    bool ok = j != NULL;
    for (size_t i = 0; ok && i < N_SETTINGS; i++) {
        const void *at = (const char *)o + settings[i].at;
        struct gm_json *v = NULL;
        if (settings[i].kind == TEXT && !*(const char *const *)at)
            continue;
        switch (settings[i].kind) {
        case TEXT: v = gm_json_new_str(gm_str(*(const char *const *)at)); break;
        case FLAG: v = gm_json_new_bool(*(const bool *)at); break;
        case SEED: v = gm_json_new_int((long long)*(const uint64_t *)at); break;
        case COUNT: v = gm_json_new_int((long long)*(const size_t *)at); break;
        case REAL: v = gm_json_new_num(*(const double *)at); break;
        }
        ok = gm_json_set(j, settings[i].key, v);
    }
    if (ok)
        return j;
    gm_json_free(j);
    return NULL;
}
