#include "tokenizer/pretokenise.h"

#include "base/alloc.h"
#include "tokenizer/pattern.h"

#include <string.h>

void gm_pretokens_clear(struct gm_pretokens *p)
{
    gm_aligned_text_clear(&p->text);
    gm_aligned_text_clear(&p->spare);
    gm_free(p->items);
    gm_free(p->next);
    *p = (struct gm_pretokens){0};
}

enum gm_status gm_pretokens_push(struct gm_pretokens *p, size_t start, size_t end,
                                 struct gm_error *err)
{
    if (start == end)
        return GM_OK;
    enum gm_status st = GM_GROW(p->next, p->n_next, p->cap_next, err);
    if (st == GM_OK)
        p->next[p->n_next++] = (struct gm_stretch){start, end};
    return st;
}

/* What the step pushed becomes its result. */
static void take_over(struct gm_pretokens *p)
{
    struct gm_stretch *items = p->items;
    size_t cap = p->cap;
    p->items = p->next;
    p->n = p->n_next;
    p->cap = p->cap_next;
    p->next = items;
    p->cap_next = cap;
    p->n_next = 0;
}

enum gm_status gm_pretokenise(const struct gm_steps *pt, const struct gm_aligned_text *text,
                              size_t from, size_t to, struct gm_pretokens *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    p->text.n = p->n_next = 0;
    GM_TRY(gm_aligned_text_copy(&p->text, text, from, to, err));
    GM_TRY(gm_pretokens_push(p, 0, to - from, err));
    take_over(p);
    for (size_t i = 0; i < pt->n; i++) {
        GM_TRY(pt->items[i].run.pre(pt->items[i].settings, p, err));
        take_over(p);
    }
done:
    return st;
}

/* ---- reading ---- */

static bool flag(const struct gm_json *json, const char *key, bool fallback)
{
    gm_json_bool(gm_json_get(json, key), &fallback);
    return fallback;
}

static enum gm_status read_split(void *settings, const struct gm_json *json, struct gm_arena *a,
                                 const char *path, struct gm_error *err)
{
    static const char *const names[] = {
        [GM_SPLIT_REMOVED] = "Removed",
        [GM_SPLIT_ISOLATED] = "Isolated",
        [GM_SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
        [GM_SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
        [GM_SPLIT_CONTIGUOUS] = "Contiguous",
    };
    struct gm_pre_split *set = settings;
    struct gm_str name = {0};
    size_t i = 0, n = sizeof names / sizeof *names;
    gm_json_str(gm_json_get(json, "behavior"), &name);
    while (i < n && !gm_str_eq_c(name, names[i]))
        i++;
    if (i == n)
        return GM_FAIL(err, GM_EMODEL, "%s: pre_tokenizer Split: behavior \"%.*s\" is not known",
                       path, GM_STR_ARG(name));
    set->behaviour = (enum gm_split_behaviour)i;
    set->invert = flag(json, "invert", false);
    return gm_pattern_read(&set->pattern, gm_json_get(json, "pattern"), a, path, err);
}

static enum gm_status read_metaspace(void *settings, const struct gm_json *json, struct gm_arena *a,
                                     const char *path, struct gm_error *err)
{
    struct gm_pre_metaspace *set = settings;
    struct gm_str mark = {0}, scheme = GM_STR("always");
    (void)a;
    set->split = flag(json, "split", true);
    gm_json_str(gm_json_get(json, "replacement"), &mark);
    gm_json_str(gm_json_get(json, "prepend_scheme"), &scheme);
    if (!flag(json, "add_prefix_space", true)) /* how older files say "never" */
        scheme = GM_STR("never");
    if (gm_utf8_count(mark) != 1)
        return GM_FAIL(err, GM_EMODEL,
                       "%s: pre_tokenizer Metaspace: replacement must be one character", path);
    set->n_mark = mark.n;
    memcpy(set->mark, mark.p, mark.n);
    if (gm_str_eq_c(scheme, "first"))
        set->prepend = GM_PREPEND_FIRST;
    else if (gm_str_eq_c(scheme, "never"))
        set->prepend = GM_PREPEND_NEVER;
    else if (!gm_str_eq_c(scheme, "always"))
        return GM_FAIL(err, GM_EMODEL,
                       "%s: pre_tokenizer Metaspace: prepend_scheme \"%.*s\" is not known", path,
                       GM_STR_ARG(scheme));
    return GM_OK;
}

static enum gm_status read_byte_level(void *settings, const struct gm_json *json,
                                      struct gm_arena *a, const char *path, struct gm_error *err)
{
    (void)a, (void)path, (void)err;
    *(struct gm_pre_byte_level *)settings = (struct gm_pre_byte_level){
        flag(json, "add_prefix_space", true), flag(json, "use_regex", true)};
    return GM_OK;
}

static const struct gm_step_kind kinds[] = {
    {"BertPreTokenizer", {.pre = gm_pre_bert_run}, NULL, 0, NULL},
    {"Whitespace", {.pre = gm_pre_whitespace_run}, NULL, 0, NULL},
    {"WhitespaceSplit", {.pre = gm_pre_whitespace_split_run}, NULL, 0, NULL},
    {"Split", {.pre = gm_pre_split_run}, read_split, sizeof(struct gm_pre_split), NULL},
    {"Metaspace",
     {.pre = gm_pre_metaspace_run},
     read_metaspace,
     sizeof(struct gm_pre_metaspace),
     NULL},
    {"ByteLevel",
     {.pre = gm_pre_byte_level_run},
     read_byte_level,
     sizeof(struct gm_pre_byte_level),
     NULL},
};
const struct gm_step_kinds gm_pretokenisers = {"pre_tokenizer", "pretokenizers", kinds,
                                               sizeof kinds / sizeof *kinds};
