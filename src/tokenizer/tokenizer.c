#include "tokenizer/tokenizer.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/utf8.h"
#include "text/unicode.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/layouts.h"
#include "tokenizer/normalise.h"
#include "tokenizer/pretokenise.h"
#include "tokenizer/special_tokens.h"
#include "tokenizer/token_model.h"

enum { MAX_FILE = 128 << 20 };

static const struct gm_token_model *const kinds[] = {&gm_wordpiece, &gm_unigram, &gm_bpe,
                                                     &gm_fast_bpe};

struct gm_tokenizer {
    const struct gm_token_model *kind;
    struct gm_tokens *model; /* of `kind` */
    struct gm_steps normaliser, pretokeniser;
    struct gm_added_tokens raw;        /* added tokens looked for in the text as it is */
    struct gm_added_tokens normalised; /* and in its normalised form */
    struct gm_post_processing post;
    int32_t unk;
    struct spaces *spaces; /* [n_ids] of the vocabulary's tokens; NULL: no trimming */
    size_t n_ids;
    struct gm_arena arena; /* strings of the added tokens, settings */
};

/* White space at the ends of a piece, in code points. */
struct spaces {
    uint32_t before, after;
};

struct gm_pieces_scratch {
    struct gm_aligned_text normalised, spare;
    struct gm_pretokens words;
    struct gm_cuts cuts;
    struct spaces *spaces; /* [cap_spaces] of this call's pieces, when offsets are trimmed */
    size_t cap_spaces;
};

void gm_pieces_init(struct gm_pieces *p) { *p = (struct gm_pieces){0}; }

void gm_pieces_clear(struct gm_pieces *p)
{
    if (p->scratch) {
        gm_aligned_text_clear(&p->scratch->normalised);
        gm_aligned_text_clear(&p->scratch->spare);
        gm_pretokens_clear(&p->scratch->words);
        gm_cuts_clear(&p->scratch->cuts);
        gm_free(p->scratch->spaces);
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
        return GM_FAIL(err, GM_EMODEL,
                       "%s: model %.*s is not supported (WordPiece, Unigram and BPE are)", path,
                       GM_STR_ARG(type));
    void *self;
    enum gm_status st = t->kind->load(&self, model, vocab, path, err);
    t->model = self;
    return st;
}

static bool flag(const struct gm_json *json, const char *key)
{
    bool on = false;
    gm_json_bool(gm_json_get(json, key), &on);
    return on;
}

static enum gm_status load_added_token(struct gm_tokenizer *t, const struct gm_json *json,
                                       struct gm_aligned_text normalised[2], const char *path,
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
    int32_t known = gm_vocab_find(&t->model->vocab, token.text);
    if (known >= 0)
        token.id = known; /* as in the library: the model's vocabulary comes first */
    if ((size_t)token.id >= t->n_ids)
        t->n_ids = (size_t)token.id + 1;
    if (!flag(json, "normalized")) {
        st = gm_added_tokens_put(&t->raw, &t->arena, token, err);
        goto done;
    }
    GM_TRY(gm_normalise(&t->normaliser, token.text, 0, &normalised[0], &normalised[1], err));
    token.text = gm_aligned_text_str(&normalised[0]);
    st = gm_added_tokens_put(&t->normalised, &t->arena, token, err);
done:
    return st;
}

static enum gm_status load_added(struct gm_tokenizer *t, const struct gm_json *list,
                                 const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_aligned_text normalised[2] = {{0}};
    for (size_t i = 0; i < gm_json_count(list); i++)
        GM_TRY(load_added_token(t, gm_json_at(list, i), normalised, path, err));
    gm_added_tokens_seal(&t->raw);
    gm_added_tokens_seal(&t->normalised);
done:
    gm_aligned_text_clear(&normalised[0]);
    gm_aligned_text_clear(&normalised[1]);
    return st;
}

/* White space at the ends of a token; in byte-level vocabularies a space is written U+0120. */
static struct spaces spaces_of(struct gm_str s)
{
    struct spaces n = {0};
    bool at_start = true;
    for (size_t i = 0; i < s.n;) {
        uint32_t cp = gm_utf8_next(s, &i);
        bool space = cp == 0x120 || gm_cp_is_space(cp);
        at_start = at_start && space;
        n.before += at_start;
        n.after = space ? n.after + 1 : 0;
    }
    return n;
}

static enum gm_status load_spaces(struct gm_tokenizer *t, struct gm_error *err)
{
    const struct gm_vocab *v = &t->model->vocab;
    t->spaces = gm_alloc(t->n_ids ? t->n_ids : 1, sizeof *t->spaces);
    if (!t->spaces)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a vocabulary of %zu tokens", t->n_ids);
    for (size_t i = 0; i < v->n; i++) {
        int32_t id;
        struct gm_str token = gm_vocab_at(v, i, &id);
        t->spaces[id] = spaces_of(token);
    }
    return GM_OK;
}

static enum gm_status load_parts(struct gm_tokenizer *t, const struct gm_json *root,
                                 struct gm_str vocab, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (gm_json_kind(root) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EMODEL, "%s: not a tokenizer.json: %s in place of an object", path,
                       gm_json_kind_name(gm_json_kind(root)));
    GM_TRY(load_model(t, gm_json_get(root, "model"), vocab, path, err));
    t->n_ids = t->model->n_ids;
    GM_TRY(gm_steps_read(&t->normaliser, &gm_normalisers, root, &t->arena, path, err));
    GM_TRY(gm_steps_read(&t->pretokeniser, &gm_pretokenisers, root, &t->arena, path, err));
    GM_TRY(load_added(t, gm_json_get(root, "added_tokens"), path, err));
    GM_TRY(gm_post_processing_read(&t->post, &t->raw, &t->model->vocab,
                                   gm_json_get(root, "post_processor"), path, err));
    t->unk = t->model->unk;
    if (t->unk < 0) /* byte-level models need none, but have one for what they can't be given */
        t->unk = gm_tokenizer_id(t, GM_STR("<unk>"));
    if (t->post.trim_offsets)
        GM_TRY(load_spaces(t, err));
done:
    return st;
}

/* The file's JSON with an empty object in place of "model.vocab" where that is an object; the text
 * of "model.vocab" becomes *vocab (empty when there is none). */
static enum gm_status parse(struct gm_json **root, struct gm_str *vocab, struct gm_str file,
                            const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str model;
    struct gm_buf rest;
    gm_buf_init(&rest, MAX_FILE + 2);
    bool found = gm_scan_member(file, "model", &model) && gm_scan_member(model, "vocab", vocab);
    bool apart = found && gm_str_starts(*vocab, GM_STR("{"));
    *vocab = found ? gm_scan_value(*vocab) : GM_STR("");
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

/* From the text of a tokenizer.json. */
static enum gm_status load_text(struct gm_tokenizer **out, struct gm_str text, const char *path,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *root = NULL;
    struct gm_str vocab;
    *out = NULL;
    struct gm_tokenizer *t = gm_alloc(1, sizeof *t);
    if (!t)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&t->arena, 0);
    GM_TRY(parse(&root, &vocab, text, path, err));
    GM_TRY(load_parts(t, root, vocab, path, err));
    *out = t;
    t = NULL;
done:
    gm_json_free(root);
    gm_tokenizer_free(t);
    return st;
}

enum gm_status gm_tokenizer_load(struct gm_tokenizer **out, const char *path, struct gm_error *err)
{
    struct gm_buf file;
    gm_buf_init(&file, MAX_FILE);
    *out = NULL;
    enum gm_status st = gm_file_read(path, &file, err);
    if (st == GM_OK)
        st = load_text(out, gm_buf_str(&file), path, err);
    gm_buf_clear(&file);
    return st;
}

enum gm_status gm_tokenizer_load_dir(struct gm_tokenizer **out, const char *dir,
                                     struct gm_error *err)
{
    struct gm_buf text;
    struct gm_arena a;
    const char *path;
    gm_buf_init(&text, MAX_FILE);
    gm_arena_init(&a, 0);
    *out = NULL;
    enum gm_status st = gm_tokenizer_text(&text, dir, &a, &path, err);
    if (st == GM_OK)
        st = load_text(out, gm_buf_str(&text), path, err);
    gm_arena_clear(&a);
    gm_buf_clear(&text);
    return st;
}

void gm_tokenizer_free(struct gm_tokenizer *t)
{
    if (!t)
        return;
    if (t->kind)
        t->kind->free(t->model);
    gm_free(t->spaces);
    gm_arena_clear(&t->arena);
    gm_free(t);
}

/* ---- encoding ---- */

/* What one call of gm_tokenizer_encode works with. */
struct encoder {
    const struct gm_tokenizer *t;
    struct gm_pieces *out;
    size_t n_before; /* pieces of earlier calls */
    struct gm_error *err;
};

/* Append a piece; `spelling` is needed where it may differ from the vocabulary's: for an added token
 * and for an unknown piece that keeps its text (else empty). */
static enum gm_status put(struct encoder *e, struct gm_piece piece, struct gm_str spelling)
{
    enum gm_status st = GM_OK;
    struct gm_pieces *p = e->out;
    struct gm_pieces_scratch *s = p->scratch;
    size_t i = p->n - e->n_before;
    GM_TRY(GM_GROW(p->items, p->n, p->cap, e->err));
    if (e->t->spaces) {
        GM_TRY(GM_GROW(s->spaces, i, s->cap_spaces, e->err));
        s->spaces[i] = spelling.n ? spaces_of(spelling) : e->t->spaces[piece.id];
    }
    p->items[p->n++] = piece;
done:
    return st;
}

/* Bytes [from, to) of the normalised text, without added tokens: words, then the model's pieces. */
static enum gm_status encode_words(struct encoder *e, size_t from, size_t to)
{
    enum gm_status st = GM_OK;
    struct gm_pieces_scratch *s = e->out->scratch;
    if (from == to)
        return GM_OK;
    GM_TRY(gm_pretokenise(&e->t->pretokeniser, &s->normalised, from, to, &s->words, e->err));
    const struct gm_aligned_text *text = &s->words.text;
    for (size_t w = 0; w < s->words.n; w++) {
        struct gm_stretch x = s->words.items[w];
        s->cuts.n = 0;
        struct gm_str word = gm_str_sub(gm_aligned_text_str(text), x.start, x.end);
        GM_TRY(e->t->kind->cut(e->t->model, word, &s->cuts, e->err));
        for (size_t i = 0; i < s->cuts.n; i++) {
            struct gm_cut c = s->cuts.items[i];
            struct gm_piece piece = {c.id, text->src[x.start + c.start],
                                     text->src[x.start + c.end - 1] + 1};
            bool own = c.id == e->t->model->unk && e->t->kind->unknown_has_text;
            GM_TRY(put(e, piece, own ? gm_str_sub(word, c.start, c.end) : GM_STR("")));
        }
    }
done:
    return st;
}

/* A stretch of the text without added tokens that are looked for before normalisation. */
static enum gm_status encode_stretch(struct encoder *e, struct gm_str s, uint32_t first)
{
    enum gm_status st = GM_OK;
    struct gm_pieces_scratch *work = e->out->scratch;
    size_t at = 0, start, end;
    if (s.n == 0)
        return GM_OK;
    GM_TRY(gm_normalise(&e->t->normaliser, s, first, &work->normalised, &work->spare, e->err));
    const struct gm_str all = gm_aligned_text_str(&work->normalised);
    const uint32_t *src = work->normalised.src;
    const struct gm_added_token *found;
    while ((found = gm_added_tokens_next(&e->t->normalised, all, at, &start, &end)) != NULL) {
        GM_TRY(encode_words(e, at, start));
        GM_TRY(put(e, (struct gm_piece){found->id, src[start], src[end - 1] + 1},
                   gm_str_sub(all, start, end)));
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
    while ((found = gm_added_tokens_next(&e->t->raw, s, at, &start, &end)) != NULL) {
        struct gm_str before = gm_str_sub(s, at, start), token = gm_str_sub(s, start, end);
        GM_TRY(encode_stretch(e, before, cp));
        cp += (uint32_t)gm_utf8_count(before);
        uint32_t length = (uint32_t)gm_utf8_count(token);
        GM_TRY(put(e, (struct gm_piece){found->id, cp, cp + length}, token));
        cp += length;
        at = end;
    }
    GM_TRY(encode_stretch(e, gm_str_sub(s, at, s.n), cp));
done:
    return st;
}

/* Take the white space off the ends of the pieces, as the library's process_offsets does. */
static void trim_offsets(struct encoder *e)
{
    for (size_t i = e->n_before; i < e->out->n; i++) {
        struct gm_piece *p = &e->out->items[i];
        struct spaces n = e->out->scratch->spaces[i - e->n_before];
        bool is_first = i == e->n_before || p->start == 0;
        if (is_first && e->t->post.add_prefix_space && n.before == 1)
            n.before = 0; /* taken for the one that was put in front */
        p->start = p->start + n.before < p->end ? p->start + n.before : p->end;
        if (p->end >= n.after)
            p->end = p->end - n.after > p->start ? p->end - n.after : p->start;
    }
}

enum gm_status gm_tokenizer_encode(const struct gm_tokenizer *t, struct gm_str text,
                                   struct gm_pieces *out, struct gm_error *err)
{
    struct encoder e = {t, out, out->n, err};
    if (text.n >= UINT32_MAX)
        return GM_FAIL(err, GM_EARG, "a text of %zu bytes; at most 4 GiB can be tokenized", text.n);
    if (!out->scratch) {
        out->scratch = gm_alloc(1, sizeof *out->scratch);
        if (!out->scratch)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    enum gm_status st = encode_text(&e, text);
    if (st != GM_OK)
        out->n = e.n_before;
    else if (t->spaces)
        trim_offsets(&e);
    return st;
}

struct gm_special_tokens_ids gm_tokenizer_special(const struct gm_tokenizer *t)
{
    struct gm_special_tokens_ids ids = t->post.ids;
    ids.unk = t->unk;
    return ids;
}

int32_t gm_tokenizer_id(const struct gm_tokenizer *t, struct gm_str token)
{
    int32_t id = gm_added_tokens_id(&t->raw, token);
    return id >= 0 ? id : gm_vocab_find(&t->model->vocab, token);
}

bool gm_tokenizer_parts_chinese(const struct gm_tokenizer *t)
{
    for (size_t i = 0; i < t->normaliser.n; i++) {
        const struct gm_step *step = &t->normaliser.items[i];
        const struct gm_norm_bert *bert = step->settings;
        if (step->run.norm == gm_norm_bert_run && bert->handle_chinese_chars)
            return true;
    }
    return false;
}

size_t gm_tokenizer_n_ids(const struct gm_tokenizer *t) { return t->n_ids; }
