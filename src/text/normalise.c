#include "text/normalise.h"

#include "text/charsmap.h"
#include "text/pattern.h"

#include <string.h>

/* What reading one normaliser works with. */
struct reader {
    struct gm_normaliser *out;
    struct gm_arena *a;
    const char *path;
    struct gm_error *err;
};

static enum gm_status read_flag(const struct reader *r, bool *out, const struct gm_json *json,
                                const char *key)
{
    if (gm_json_bool(gm_json_get(json, key), out))
        return GM_OK;
    return GM_FAIL(r->err, GM_EMODEL, "%s: normalizer.%s is %s; it must be true or false", r->path,
                   key, gm_json_kind_name(gm_json_kind(gm_json_get(json, key))));
}

/* Append a step; its settings become a copy of `settings` [size]. */
static enum gm_status add(struct reader *r, gm_norm_run *run, const void *settings, size_t size)
{
    struct gm_normaliser *nz = r->out;
    struct gm_error *err = r->err;
    enum gm_status st = GM_OK;
    void *copy = gm_arena_alloc(r->a, 1, size ? size : 1);
    if (!copy)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (size)
        memcpy(copy, settings, size);
    GM_TRY(GM_ARENA_GROW(r->a, nz->steps, nz->n, nz->cap, err));
    nz->steps[nz->n++] = (struct gm_norm_step){run, copy};
done:
    return st;
}

static enum gm_status read_bert(struct reader *r, const struct gm_json *json)
{
    enum gm_status st = GM_OK;
    struct gm_norm_bert set = {0};
    GM_TRY(read_flag(r, &set.clean_text, json, "clean_text"));
    GM_TRY(read_flag(r, &set.handle_chinese_chars, json, "handle_chinese_chars"));
    GM_TRY(read_flag(r, &set.lowercase, json, "lowercase"));
    const struct gm_json *strip = gm_json_get(json, "strip_accents");
    set.strip_accents = set.lowercase; /* what null stands for */
    if (gm_json_kind(strip) != GM_JSON_NONE && gm_json_kind(strip) != GM_JSON_NULL)
        GM_TRY(read_flag(r, &set.strip_accents, json, "strip_accents"));
    st = add(r, gm_norm_bert_run, &set, sizeof set);
done:
    return st;
}

static enum gm_status read_nfd(struct reader *r, const struct gm_json *json)
{
    (void)json;
    return add(r, gm_norm_unicode_run, &(struct gm_norm_unicode){false, false},
               sizeof(struct gm_norm_unicode));
}

static enum gm_status read_nfkd(struct reader *r, const struct gm_json *json)
{
    (void)json;
    return add(r, gm_norm_unicode_run, &(struct gm_norm_unicode){true, false},
               sizeof(struct gm_norm_unicode));
}

static enum gm_status read_nfc(struct reader *r, const struct gm_json *json)
{
    (void)json;
    return add(r, gm_norm_unicode_run, &(struct gm_norm_unicode){false, true},
               sizeof(struct gm_norm_unicode));
}

static enum gm_status read_nfkc(struct reader *r, const struct gm_json *json)
{
    (void)json;
    return add(r, gm_norm_unicode_run, &(struct gm_norm_unicode){true, true},
               sizeof(struct gm_norm_unicode));
}

static enum gm_status read_lowercase(struct reader *r, const struct gm_json *json)
{
    (void)json;
    return add(r, gm_norm_lowercase_run, NULL, 0);
}

static enum gm_status read_strip_accents(struct reader *r, const struct gm_json *json)
{
    (void)json;
    return add(r, gm_norm_strip_accents_run, NULL, 0);
}

static enum gm_status read_strip(struct reader *r, const struct gm_json *json)
{
    enum gm_status st = GM_OK;
    struct gm_norm_strip set = {0};
    GM_TRY(read_flag(r, &set.left, json, "strip_left"));
    GM_TRY(read_flag(r, &set.right, json, "strip_right"));
    st = add(r, gm_norm_strip_run, &set, sizeof set);
done:
    return st;
}

static enum gm_status read_replace(struct reader *r, const struct gm_json *json)
{
    enum gm_status st = GM_OK;
    struct gm_error *err = r->err;
    struct gm_norm_replace set = {0};
    if (!gm_json_str(gm_json_get(json, "content"), &set.content))
        return GM_FAIL(err, GM_EMODEL, "%s: normalizer Replace without \"content\"", r->path);
    set.content = gm_arena_str(r->a, set.content);
    if (!set.content.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(gm_pattern_read(&set.pattern, gm_json_get(json, "pattern"), r->a, r->path, err));
    st = add(r, gm_norm_replace_run, &set, sizeof set);
done:
    return st;
}

static enum gm_status read_precompiled(struct reader *r, const struct gm_json *json)
{
    enum gm_status st = GM_OK;
    struct gm_str text = {0};
    struct gm_charsmap map;
    if (!gm_json_str(gm_json_get(json, "precompiled_charsmap"), &text))
        return GM_FAIL(r->err, GM_EMODEL, "%s: normalizer Precompiled without its map", r->path);
    GM_TRY(gm_charsmap_read(&map, text, r->a, r->path, r->err));
    st = add(r, gm_norm_charsmap_run, &map, sizeof map);
done:
    return st;
}

static enum gm_status read_one(struct reader *r, const struct gm_json *json)
{
    static const struct {
        const char *type;
        enum gm_status (*read)(struct reader *r, const struct gm_json *json);
    } kinds[] = {
        {"BertNormalizer", read_bert}, {"NFD", read_nfd},
        {"NFKD", read_nfkd},           {"NFC", read_nfc},
        {"NFKC", read_nfkc},           {"Lowercase", read_lowercase},
        {"Strip", read_strip},         {"StripAccents", read_strip_accents},
        {"Replace", read_replace},     {"Precompiled", read_precompiled},
    };
    enum gm_status st = GM_OK;
    struct gm_str type = GM_STR("without a type");
    gm_json_str(gm_json_get(json, "type"), &type);
    if (gm_str_eq_c(type, "Sequence")) {
        const struct gm_json *list = gm_json_get(json, "normalizers");
        for (size_t i = 0; i < gm_json_count(list); i++)
            GM_TRY(read_one(r, gm_json_at(list, i)));
        return GM_OK;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (gm_str_eq_c(type, kinds[i].type))
            return kinds[i].read(r, json);
    st = GM_FAIL(r->err, GM_EMODEL,
                 "%s: normalizer %.*s is not supported (BertNormalizer, NFC, NFD, NFKC, NFKD, "
                 "Lowercase, Strip, StripAccents, Replace, Precompiled and Sequence are)",
                 r->path, GM_STR_ARG(type));
done:
    return st;
}

enum gm_status gm_normaliser_read(struct gm_normaliser *out, const struct gm_json *json,
                                  struct gm_arena *a, const char *path, struct gm_error *err)
{
    struct reader r = {out, a, path, err};
    *out = (struct gm_normaliser){0};
    if (gm_json_kind(json) == GM_JSON_NONE || gm_json_kind(json) == GM_JSON_NULL)
        return GM_OK;
    return read_one(&r, json);
}

enum gm_status gm_normalise(const struct gm_normaliser *nz, struct gm_str s, uint32_t first,
                            struct gm_normal *out, struct gm_normal *spare, struct gm_error *err)
{
    enum gm_status st = gm_normal_set(out, s, first, err);
    for (size_t i = 0; i < nz->n && st == GM_OK; i++) {
        gm_normal_swap(out, spare);
        st = nz->steps[i].run(nz->steps[i].settings, spare, out, err);
    }
    return st;
}
