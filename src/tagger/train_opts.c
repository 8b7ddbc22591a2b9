#include "tagger/train.h"

#include <stddef.h>

enum kind { COUNT, REAL, FLAG, TEXT, SEED };

/* One row a setting: reading, checking and writing come from it. */
static const struct setting {
    const char *key;
    enum kind kind;
    size_t at;
    double min, max;
} settings[] = {
    {"encoder", TEXT, offsetof(struct gm_train_opts, encoder), 0, 0},
    {"precision", TEXT, offsetof(struct gm_train_opts, precision), 0, 0},
    {"scheme", TEXT, offsetof(struct gm_train_opts, scheme), 0, 0},
    {"epochs", COUNT, offsetof(struct gm_train_opts, epochs), 1, 10000},
    {"batch_posts", COUNT, offsetof(struct gm_train_opts, batch_posts), 1, 65536},
    {"batch_tokens", COUNT, offsetof(struct gm_train_opts, batch_tokens), 64, 1 << 20},
    {"lr", REAL, offsetof(struct gm_train_opts, lr), 0, 1},
    {"head_lr", REAL, offsetof(struct gm_train_opts, head_lr), 0, 1},
    {"crf_lr", REAL, offsetof(struct gm_train_opts, crf_lr), 0, 1},
    {"warmup", REAL, offsetof(struct gm_train_opts, warmup), 0, 1},
    {"weight_decay", REAL, offsetof(struct gm_train_opts, weight_decay), 0, 10},
    {"clip_norm", REAL, offsetof(struct gm_train_opts, clip_norm), 0, 1e9},
    {"word_dropout", REAL, offsetof(struct gm_train_opts, word_dropout), 0, 0.9},
    {"freeze_embeddings", FLAG, offsetof(struct gm_train_opts, freeze_embeddings), 0, 0},
    {"seed", SEED, offsetof(struct gm_train_opts, seed), 0, 0},
};
enum { N_SETTINGS = sizeof settings / sizeof *settings };

struct gm_train_opts gm_train_opts_default(void)
{
    return (struct gm_train_opts){.encoder = "minilm",
                                  .precision = "auto",
                                  .scheme = "bio",
                                  .epochs = 6,
                                  .batch_posts = 16,
                                  .batch_tokens = 4096,
                                  .lr = 1e-4,
                                  .head_lr = 5e-4,
                                  .crf_lr = 1.5e-2,
                                  .warmup = 0.06,
                                  .weight_decay = 0.01,
                                  .clip_norm = 1,
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
