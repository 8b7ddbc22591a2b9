#include "tokenizer/normalise.h"

#include "tokenizer/charsmap.h"
#include "tokenizer/pattern.h"

static enum gm_status read_flag(bool *out, const struct gm_json *json, const char *key,
                                const char *path, struct gm_error *err)
{
    if (gm_json_bool(gm_json_get(json, key), out))
        return GM_OK;
    return GM_FAIL(err, GM_EMODEL, "%s: normalizer.%s is %s; it must be true or false", path, key,
                   gm_json_kind_name(gm_json_kind(gm_json_get(json, key))));
}

static enum gm_status read_bert(void *settings, const struct gm_json *json, struct gm_arena *a,
                                const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_norm_bert *set = settings;
    (void)a;
    GM_TRY(read_flag(&set->clean_text, json, "clean_text", path, err));
    GM_TRY(read_flag(&set->handle_chinese_chars, json, "handle_chinese_chars", path, err));
    GM_TRY(read_flag(&set->lowercase, json, "lowercase", path, err));
    const struct gm_json *strip = gm_json_get(json, "strip_accents");
    set->strip_accents = set->lowercase; /* what null stands for */
    if (gm_json_kind(strip) != GM_JSON_NONE && gm_json_kind(strip) != GM_JSON_NULL)
        GM_TRY(read_flag(&set->strip_accents, json, "strip_accents", path, err));
done:
    return st;
}

static enum gm_status read_strip(void *settings, const struct gm_json *json, struct gm_arena *a,
                                 const char *path, struct gm_error *err)
{
    struct gm_norm_strip *set = settings;
    (void)a;
    enum gm_status st = read_flag(&set->left, json, "strip_left", path, err);
    return st == GM_OK ? read_flag(&set->right, json, "strip_right", path, err) : st;
}

static enum gm_status read_replace(void *settings, const struct gm_json *json, struct gm_arena *a,
                                   const char *path, struct gm_error *err)
{
    struct gm_norm_replace *set = settings;
    if (!gm_json_str(gm_json_get(json, "content"), &set->content))
        return GM_FAIL(err, GM_EMODEL, "%s: normalizer Replace without \"content\"", path);
    set->content = gm_arena_str(a, set->content);
    if (!set->content.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    return gm_pattern_read(&set->pattern, gm_json_get(json, "pattern"), a, path, err);
}

static enum gm_status read_precompiled(void *settings, const struct gm_json *json,
                                       struct gm_arena *a, const char *path, struct gm_error *err)
{
    struct gm_str text;
    if (!gm_json_str(gm_json_get(json, "precompiled_charsmap"), &text))
        return GM_FAIL(err, GM_EMODEL, "%s: normalizer Precompiled without its map", path);
    return gm_charsmap_read(settings, text, a, path, err);
}

static const struct gm_norm_unicode nfc = {.composed = true}, nfd = {0},
                                    nfkc = {.compatible = true, .composed = true},
                                    nfkd = {.compatible = true};

static const struct gm_step_kind kinds[] = {
    {"BertNormalizer", {gm_norm_bert_run}, read_bert, sizeof(struct gm_norm_bert), NULL},
    {"NFC", {gm_norm_unicode_run}, NULL, 0, &nfc},
    {"NFD", {gm_norm_unicode_run}, NULL, 0, &nfd},
    {"NFKC", {gm_norm_unicode_run}, NULL, 0, &nfkc},
    {"NFKD", {gm_norm_unicode_run}, NULL, 0, &nfkd},
    {"Lowercase", {gm_norm_lowercase_run}, NULL, 0, NULL},
    {"Strip", {gm_norm_strip_run}, read_strip, sizeof(struct gm_norm_strip), NULL},
    {"StripAccents", {gm_norm_strip_accents_run}, NULL, 0, NULL},
    {"Replace", {gm_norm_replace_run}, read_replace, sizeof(struct gm_norm_replace), NULL},
    {"Precompiled", {gm_norm_charsmap_run}, read_precompiled, sizeof(struct gm_charsmap), NULL},
};
const struct gm_step_kinds gm_normalisers = {"normalizer", "normalizers", kinds,
                                             sizeof kinds / sizeof *kinds};

enum gm_status gm_normalise(const struct gm_steps *nz, struct gm_str s, uint32_t first,
                            struct gm_aligned_text *out, struct gm_aligned_text *spare,
                            struct gm_error *err)
{
    enum gm_status st = gm_aligned_text_set(out, s, first, err);
    for (size_t i = 0; i < nz->n && st == GM_OK; i++) {
        gm_aligned_text_swap(out, spare);
        st = nz->items[i].run.norm(nz->items[i].settings, spare, out, err);
    }
    return st;
}
