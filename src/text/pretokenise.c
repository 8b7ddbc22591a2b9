#include "text/pretokenise.h"

#include "base/alloc.h"
#include "text/pattern.h"

#include <string.h>

void gm_pretokens_clear(struct gm_pretokens *p)
{
    gm_normal_clear(&p->text);
    gm_normal_clear(&p->spare);
    gm_free(p->items);
    gm_free(p->next);
    *p = (struct gm_pretokens){0};
}

enum gm_status gm_pretokens_push(struct gm_pretokens *p, size_t start, size_t end,
                                 struct gm_error *err)
{
    if (start == end)
        return GM_OK;
    if (p->n_next == p->cap_next) {
        size_t cap = p->cap_next ? p->cap_next * 2 : 64;
        struct gm_stretch *next = gm_realloc(p->next, cap, sizeof *next);
        if (!next)
            return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu words", cap);
        p->next = next;
        p->cap_next = cap;
    }
    p->next[p->n_next++] = (struct gm_stretch){start, end};
    return GM_OK;
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

enum gm_status gm_pretokenise(const struct gm_pretokeniser *pt, const struct gm_normal *text,
                              size_t from, size_t to, struct gm_pretokens *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    p->text.n = p->n_next = 0;
    GM_TRY(gm_normal_copy(&p->text, text, from, to, err));
    GM_TRY(gm_pretokens_push(p, 0, to - from, err));
    take_over(p);
    for (size_t i = 0; i < pt->n; i++) {
        GM_TRY(pt->steps[i].run(pt->steps[i].settings, p, err));
        take_over(p);
    }
done:
    return st;
}

/* ---- reading ---- */

struct reader {
    struct gm_pretokeniser *out;
    struct gm_arena *a;
    const char *path;
    struct gm_error *err;
};

/* Append a step; its settings become a copy of `settings` [size]. */
static enum gm_status add(struct reader *r, gm_pretoken_run *run, const void *settings, size_t size)
{
    struct gm_pretokeniser *pt = r->out;
    struct gm_error *err = r->err;
    enum gm_status st = GM_OK;
    void *copy = gm_arena_alloc(r->a, 1, size ? size : 1);
    if (!copy)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (size)
        memcpy(copy, settings, size);
    GM_TRY(GM_ARENA_GROW(r->a, pt->steps, pt->n, pt->cap, err));
    pt->steps[pt->n++] = (struct gm_pretoken_step){run, copy};
done:
    return st;
}

static bool flag(const struct gm_json *json, const char *key, bool fallback)
{
    gm_json_bool(gm_json_get(json, key), &fallback);
    return fallback;
}

static enum gm_status read_bert(struct reader *r, const struct gm_json *json)
{
    (void)json;
    return add(r, gm_pre_bert_run, NULL, 0);
}

static enum gm_status read_whitespace(struct reader *r, const struct gm_json *json)
{
    (void)json;
    return add(r, gm_pre_whitespace_run, NULL, 0);
}

static enum gm_status read_whitespace_split(struct reader *r, const struct gm_json *json)
{
    (void)json;
    return add(r, gm_pre_whitespace_split_run, NULL, 0);
}

static enum gm_status read_split(struct reader *r, const struct gm_json *json)
{
    static const char *const names[] = {
        [GM_SPLIT_REMOVED] = "Removed",
        [GM_SPLIT_ISOLATED] = "Isolated",
        [GM_SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
        [GM_SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
        [GM_SPLIT_CONTIGUOUS] = "Contiguous",
    };
    enum gm_status st = GM_OK;
    struct gm_pre_split set = {.invert = flag(json, "invert", false)};
    struct gm_str name = {0};
    size_t i = 0, n = sizeof names / sizeof *names;
    gm_json_str(gm_json_get(json, "behavior"), &name);
    while (i < n && !gm_str_eq_c(name, names[i]))
        i++;
    if (i == n)
        return GM_FAIL(r->err, GM_EMODEL, "%s: pre_tokenizer Split: behavior \"%.*s\" is not known",
                       r->path, GM_STR_ARG(name));
    set.behaviour = (enum gm_split_behaviour)i;
    GM_TRY(gm_pattern_read(&set.pattern, gm_json_get(json, "pattern"), r->a, r->path, r->err));
    st = add(r, gm_pre_split_run, &set, sizeof set);
done:
    return st;
}

static enum gm_status read_metaspace(struct reader *r, const struct gm_json *json)
{
    struct gm_pre_metaspace set = {.split = flag(json, "split", true)};
    struct gm_str mark = {0}, scheme = GM_STR("always");
    gm_json_str(gm_json_get(json, "replacement"), &mark);
    gm_json_str(gm_json_get(json, "prepend_scheme"), &scheme);
    if (!flag(json, "add_prefix_space", true)) /* how older files say "never" */
        scheme = GM_STR("never");
    if (gm_utf8_count(mark) != 1)
        return GM_FAIL(r->err, GM_EMODEL,
                       "%s: pre_tokenizer Metaspace: replacement must be one character", r->path);
    set.n_mark = mark.n;
    memcpy(set.mark, mark.p, mark.n);
    if (gm_str_eq_c(scheme, "first"))
        set.prepend = GM_PREPEND_FIRST;
    else if (gm_str_eq_c(scheme, "never"))
        set.prepend = GM_PREPEND_NEVER;
    else if (!gm_str_eq_c(scheme, "always"))
        return GM_FAIL(r->err, GM_EMODEL,
                       "%s: pre_tokenizer Metaspace: prepend_scheme \"%.*s\" is not known", r->path,
                       GM_STR_ARG(scheme));
    return add(r, gm_pre_metaspace_run, &set, sizeof set);
}

static enum gm_status read_byte_level(struct reader *r, const struct gm_json *json)
{
    struct gm_pre_byte_level set = {flag(json, "add_prefix_space", true),
                                    flag(json, "use_regex", true)};
    return add(r, gm_pre_byte_level_run, &set, sizeof set);
}

static enum gm_status read_one(struct reader *r, const struct gm_json *json)
{
    static const struct {
        const char *type;
        enum gm_status (*read)(struct reader *r, const struct gm_json *json);
    } kinds[] = {
        {"BertPreTokenizer", read_bert},   {"Whitespace", read_whitespace},
        {"WhitespaceSplit", read_whitespace_split}, {"Split", read_split},
        {"Metaspace", read_metaspace},     {"ByteLevel", read_byte_level},
    };
    enum gm_status st = GM_OK;
    struct gm_str type = GM_STR("without a type");
    gm_json_str(gm_json_get(json, "type"), &type);
    if (gm_str_eq_c(type, "Sequence")) {
        const struct gm_json *list = gm_json_get(json, "pretokenizers");
        for (size_t i = 0; i < gm_json_count(list); i++)
            GM_TRY(read_one(r, gm_json_at(list, i)));
        return GM_OK;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (gm_str_eq_c(type, kinds[i].type))
            return kinds[i].read(r, json);
    st = GM_FAIL(r->err, GM_EMODEL,
                 "%s: pre_tokenizer %.*s is not supported (BertPreTokenizer, Whitespace, "
                 "WhitespaceSplit, Split, Metaspace, ByteLevel and Sequence are)",
                 r->path, GM_STR_ARG(type));
done:
    return st;
}

enum gm_status gm_pretokeniser_read(struct gm_pretokeniser *out, const struct gm_json *json,
                                    struct gm_arena *a, const char *path, struct gm_error *err)
{
    struct reader r = {out, a, path, err};
    *out = (struct gm_pretokeniser){0};
    if (gm_json_kind(json) == GM_JSON_NONE || gm_json_kind(json) == GM_JSON_NULL)
        return GM_OK;
    return read_one(&r, json);
}
