#include "text/tokenizer.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/added.h"
#include "text/json_scan.h"
#include "text/normalise.h"
#include "text/pretokenise.h"
#include "text/special.h"
#include "text/token_model.h"

enum { MAX_FILE = 128 << 20 };

static const struct gm_token_model *const kinds[] = {&gm_wordpiece};

struct gm_tokenizer {
    const struct gm_token_model *kind;
    void *model; /* of `kind` */
    struct gm_normaliser normaliser;
    struct gm_added raw;    /* added tokens looked for in the text as it is */
    struct gm_added normal; /* and in its normalised form */
    struct gm_special_ids special;
    size_t n_ids;
    struct gm_arena arena; /* strings of the added tokens */
};

struct gm_pieces_scratch {
    struct gm_normal normal;
    struct gm_cuts cuts;
};

void gm_pieces_init(struct gm_pieces *p) { *p = (struct gm_pieces){0}; }

void gm_pieces_clear(struct gm_pieces *p)
{
    if (p->scratch) {
        gm_normal_clear(&p->scratch->normal);
        gm_free(p->scratch->cuts.items);
        gm_free(p->scratch);
    }
    gm_free(p->items);
    *p = (struct gm_pieces){0};
}

void gm_pieces_reset(struct gm_pieces *p) { p->n = 0; }

/* ---- loading ---- */

static enum gm_status load_model(struct gm_tokenizer *t, const struct gm_json *model,
                                 struct gm_str vocab, const char *path, struct gm_error *err)
{
    struct gm_str type = GM_STR("null");
    gm_json_str(gm_json_get(model, "type"), &type);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (gm_str_eq_c(type, kinds[i]->type))
            t->kind = kinds[i];
    if (!t->kind)
        return GM_FAIL(err, GM_EMODEL, "%s: model %.*s is not supported (WordPiece is)", path,
                       GM_STR_ARG(type));
    return t->kind->load(&t->model, model, vocab, path, err);
}

static bool flag(const struct gm_json *json, const char *key)
{
    bool on = false;
    gm_json_bool(gm_json_get(json, key), &on);
    return on;
}

static enum gm_status load_added_token(struct gm_tokenizer *t, const struct gm_json *json,
                                       struct gm_normal *normal, const char *path,
                                       struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_added_token token = {.lstrip = flag(json, "lstrip"), .rstrip = flag(json, "rstrip")};
    if (!gm_json_str(gm_json_get(json, "content"), &token.text))
        return GM_FAIL(err, GM_EMODEL, "%s: an added token without \"content\"", path);
    GM_TRY(gm_token_id_read(&token.id, gm_json_get(json, "id"), path, token.text, err));
    if (flag(json, "single_word")) {
        st = GM_FAIL(err, GM_EMODEL, "%s: added token %.*s: single_word is not supported", path,
                     GM_STR_ARG(token.text));
        goto done;
    }
    int32_t known = t->kind->id(t->model, token.text);
    if (known >= 0)
        token.id = known; /* as in the library: the model's vocabulary comes first */
    if ((size_t)token.id >= t->n_ids)
        t->n_ids = (size_t)token.id + 1;
    if (!flag(json, "normalized")) {
        st = gm_added_put(&t->raw, &t->arena, token, err);
        goto done;
    }
    GM_TRY(gm_normalise(&t->normaliser, token.text, 0, normal, err));
    token.text = (struct gm_str){normal->p, normal->n};
    st = gm_added_put(&t->normal, &t->arena, token, err);
done:
    return st;
}

static enum gm_status load_added(struct gm_tokenizer *t, const struct gm_json *list,
                                 const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_normal normal;
    gm_normal_init(&normal);
    for (size_t i = 0; i < gm_json_count(list); i++)
        GM_TRY(load_added_token(t, gm_json_at(list, i), &normal, path, err));
    gm_added_seal(&t->raw);
    gm_added_seal(&t->normal);
done:
    gm_normal_clear(&normal);
    return st;
}

static enum gm_status load_parts(struct gm_tokenizer *t, const struct gm_json *root,
                                 struct gm_str vocab, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (gm_json_kind(root) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EMODEL, "%s: not a tokenizer.json: %s in place of an object", path,
                       gm_json_kind_name(gm_json_kind(root)));
    GM_TRY(load_model(t, gm_json_get(root, "model"), vocab, path, err));
    t->n_ids = t->kind->n_ids(t->model);
    GM_TRY(gm_normaliser_read(&t->normaliser, gm_json_get(root, "normalizer"), path, err));
    GM_TRY(gm_pretokenise_check(gm_json_get(root, "pre_tokenizer"), path, err));
    GM_TRY(load_added(t, gm_json_get(root, "added_tokens"), path, err));
    GM_TRY(gm_special_read(&t->special, t, gm_json_get(root, "post_processor"), path, err));
    t->special.unk = t->kind->unk(t->model);
done:
    return st;
}

/* The file's JSON with an empty object in place of "model.vocab", whose text becomes *vocab (empty
 * when it is no object). */
static enum gm_status parse(struct gm_json **root, struct gm_str *vocab, struct gm_str file,
                            const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str model;
    struct gm_buf rest;
    gm_buf_init(&rest, MAX_FILE + 2);
    bool apart = gm_scan_member(file, "model", &model) && gm_scan_member(model, "vocab", vocab) &&
                 gm_str_starts(*vocab, GM_STR("{"));
    *vocab = apart ? gm_scan_value(*vocab) : GM_STR("");
    if (!apart) {
        GM_TRY(gm_buf_add_str(&rest, file, err));
    } else {
        size_t start = (size_t)(vocab->p - file.p);
        GM_TRY(gm_buf_add_str(&rest, gm_str_sub(file, 0, start), err));
        GM_TRY(gm_buf_add_c(&rest, "{}", err));
        GM_TRY(gm_buf_add_str(&rest, gm_str_sub(file, start + vocab->n, file.n), err));
    }
    st = gm_json_parse(root, gm_buf_str(&rest), err);
    if (st == GM_EFORMAT && apart) /* once more, for the line and column in the file */
        st = gm_json_parse(root, file, err);
    if (st == GM_EFORMAT)
        gm_error_prefix(err, "%s", path);
done:
    gm_buf_clear(&rest);
    return st;
}

enum gm_status gm_tokenizer_load(struct gm_tokenizer **out, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *root = NULL;
    struct gm_buf file;
    struct gm_str vocab;
    *out = NULL;
    struct gm_tokenizer *t = gm_alloc(1, sizeof *t);
    if (!t)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&t->arena, 0);
    gm_buf_init(&file, MAX_FILE);
    GM_TRY(gm_file_read(path, &file, err));
    GM_TRY(parse(&root, &vocab, gm_buf_str(&file), path, err));
    GM_TRY(load_parts(t, root, vocab, path, err));
    *out = t;
    t = NULL;
done:
    gm_json_free(root);
    gm_buf_clear(&file);
    gm_tokenizer_free(t);
    return st;
}

void gm_tokenizer_free(struct gm_tokenizer *t)
{
    if (!t)
        return;
    if (t->kind)
        t->kind->free(t->model);
    gm_arena_clear(&t->arena);
    gm_free(t);
}

/* ---- encoding ---- */

/* What one call of gm_tokenizer_encode works with. */
struct encoder {
    const struct gm_tokenizer *t;
    struct gm_pieces *out;
    struct gm_error *err;
};

static enum gm_status put(struct encoder *e, struct gm_piece piece)
{
    struct gm_pieces *p = e->out;
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 64;
        struct gm_piece *items = gm_realloc(p->items, cap, sizeof *items);
        if (!items)
            return GM_FAIL(e->err, GM_ENOMEM, "out of memory for %zu word pieces", cap);
        p->items = items;
        p->cap = cap;
    }
    p->items[p->n++] = piece;
    return GM_OK;
}

/* Bytes [start, end) of the normalised text, not empty, are one piece. */
static enum gm_status put_bytes(struct encoder *e, int32_t id, size_t start, size_t end)
{
    const uint32_t *src = e->out->scratch->normal.src;
    return put(e, (struct gm_piece){id, src[start], src[end - 1] + 1});
}

/* A stretch of the normalised text without added tokens: words, then the model's pieces. */
static enum gm_status encode_words(struct encoder *e, size_t start, size_t end)
{
    enum gm_status st = GM_OK;
    struct gm_pieces_scratch *s = e->out->scratch;
    struct gm_str all = {s->normal.p, end};
    struct gm_str word;
    for (size_t at = start; gm_pretokenise_next(all, &at, &word);) {
        size_t base = (size_t)(word.p - all.p);
        s->cuts.n = 0;
        GM_TRY(e->t->kind->cut(e->t->model, word, &s->cuts, e->err));
        for (size_t i = 0; i < s->cuts.n; i++) {
            struct gm_cut c = s->cuts.items[i];
            GM_TRY(put_bytes(e, c.id, base + c.start, base + c.end));
        }
    }
done:
    return st;
}

/* A stretch of the text without added tokens that are looked for before normalisation. */
static enum gm_status encode_stretch(struct encoder *e, struct gm_str s, uint32_t first)
{
    enum gm_status st = GM_OK;
    struct gm_normal *normal = &e->out->scratch->normal;
    size_t at = 0, start, end;
    if (s.n == 0)
        return GM_OK;
    GM_TRY(gm_normalise(&e->t->normaliser, s, first, normal, e->err));
    const struct gm_str all = {normal->p, normal->n};
    const struct gm_added_token *found;
    while ((found = gm_added_next(&e->t->normal, all, at, &start, &end)) != NULL) {
        GM_TRY(encode_words(e, at, start));
        GM_TRY(put_bytes(e, found->id, start, end));
        at = end;
    }
    GM_TRY(encode_words(e, at, all.n));
done:
    return st;
}

static enum gm_status encode_text(struct encoder *e, struct gm_str s)
{
    enum gm_status st = GM_OK;
    size_t at = 0, start, end;
    uint32_t cp = 0; /* number of the code point at `at` */
    const struct gm_added_token *found;
    while ((found = gm_added_next(&e->t->raw, s, at, &start, &end)) != NULL) {
        struct gm_str before = gm_str_sub(s, at, start);
        GM_TRY(encode_stretch(e, before, cp));
        cp += (uint32_t)gm_utf8_count(before);
        uint32_t length = (uint32_t)gm_utf8_count(gm_str_sub(s, start, end));
        GM_TRY(put(e, (struct gm_piece){found->id, cp, cp + length}));
        cp += length;
        at = end;
    }
    GM_TRY(encode_stretch(e, gm_str_sub(s, at, s.n), cp));
done:
    return st;
}

enum gm_status gm_tokenizer_encode(const struct gm_tokenizer *t, struct gm_str text,
                                   struct gm_pieces *out, struct gm_error *err)
{
    struct encoder e = {t, out, err};
    size_t n_before = out->n;
    if (text.n >= UINT32_MAX)
        return GM_FAIL(err, GM_EARG, "a text of %zu bytes; at most 4 GiB can be tokenized", text.n);
    if (!out->scratch) {
        out->scratch = gm_alloc(1, sizeof *out->scratch);
        if (!out->scratch)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    enum gm_status st = encode_text(&e, text);
    if (st != GM_OK)
        out->n = n_before;
    return st;
}

struct gm_special_ids gm_tokenizer_special(const struct gm_tokenizer *t) { return t->special; }

int32_t gm_tokenizer_id(const struct gm_tokenizer *t, struct gm_str token)
{
    for (size_t i = 0; i < t->raw.n; i++)
        if (gm_str_eq(t->raw.tokens[i].text, token))
            return t->raw.tokens[i].id;
    return t->kind->id(t->model, token);
}

size_t gm_tokenizer_n_ids(const struct gm_tokenizer *t) { return t->n_ids; }
