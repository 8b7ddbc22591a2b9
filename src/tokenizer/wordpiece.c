/* WordPiece: a word is cut from left to right into the longest pieces that the vocabulary has;
 * pieces after the first are written there with a prefix ("##"). A word that can't be cut to its
 * end, or is too long, is the unknown token as a whole.
 * Source: Wu et al., arXiv 1609.08144, section 4.1; greedy cutting as in BERT's tokenizer. */
#include "base/alloc.h"
#include "base/utf8.h"
#include "tokenizer/token_model.h"
#include "tokenizer/vocab.h"

struct wordpiece {
    struct gm_tokens base; /* first */
    struct gm_vocab rest;  /* the tokens with the prefix, without it */
    size_t max_chars;      /* of a word */
};

static void wordpiece_free(void *self)
{
    struct wordpiece *w = self;
    if (!w)
        return;
    gm_vocab_clear(&w->base.vocab);
    gm_vocab_clear(&w->rest);
    gm_free(w);
}

static enum gm_status load_vocab(struct wordpiece *w, struct gm_str vocab, struct gm_str prefix,
                                 const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str token;
    int32_t id;
    size_t n_rest = 0;
    GM_TRY(gm_vocab_read(&w->base.vocab, vocab, &w->base.n_ids, path, err));
    for (size_t i = 0; i < w->base.vocab.n; i++)
        n_rest += gm_str_starts(gm_vocab_at(&w->base.vocab, i, &id), prefix);
    GM_TRY(gm_vocab_init(&w->rest, n_rest, err));
    for (size_t i = 0; i < w->base.vocab.n; i++) {
        token = gm_vocab_at(&w->base.vocab, i, &id);
        if (gm_str_starts(token, prefix))
            GM_TRY(gm_vocab_put(&w->rest, gm_str_sub(token, prefix.n, token.n), id, err));
    }
done:
    return st;
}

static enum gm_status wordpiece_load(void **self, const struct gm_json *model, struct gm_str vocab,
                                     const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str unk = GM_STR("[UNK]"), prefix = GM_STR("##");
    long long max_chars = 100;
    struct wordpiece *w = gm_alloc(1, sizeof *w);
    *self = NULL;
    if (!w)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (!gm_str_starts(vocab, GM_STR("{"))) {
        enum gm_json_kind kind = gm_json_kind(gm_json_get(model, "vocab"));
        st = GM_FAIL(err, GM_EMODEL, "%s: model.vocab is %s; it must be an object of token ids",
                     path, gm_json_kind_name(kind));
        goto done;
    }
    gm_json_str(gm_json_get(model, "unk_token"), &unk);
    gm_json_str(gm_json_get(model, "continuing_subword_prefix"), &prefix);
    gm_json_int(gm_json_get(model, "max_input_chars_per_word"), &max_chars);
    w->max_chars = max_chars < 0 ? 0 : (size_t)max_chars;
    GM_TRY(load_vocab(w, vocab, prefix, path, err));
    w->base.unk = gm_vocab_find(&w->base.vocab, unk);
    if (w->base.unk < 0) {
        st = GM_FAIL(err, GM_EMODEL, "%s: the unknown token %.*s is not in model.vocab", path,
                     GM_STR_ARG(unk));
        goto done;
    }
    *self = w;
    w = NULL;
done:
    wordpiece_free(w);
    return st;
}

static enum gm_status wordpiece_cut(const void *self, struct gm_str word, struct gm_cuts *out,
                                    struct gm_error *err)
{
    const struct wordpiece *w = self;
    const struct gm_cut unknown = {w->base.unk, 0, word.n};
    enum gm_status st = GM_OK;
    size_t n_before = out->n;
    if (word.n > w->max_chars && gm_utf8_count(word) > w->max_chars)
        return gm_cuts_add(out, unknown, err);
    int32_t id = gm_vocab_find(&w->base.vocab, word);
    if (id >= 0) /* most words: no need to try the prefixes */
        return gm_cuts_add(out, (struct gm_cut){id, 0, word.n}, err);
    for (size_t at = 0; at < word.n && st == GM_OK;) {
        size_t n = gm_vocab_longest_prefix(at ? &w->rest : &w->base.vocab,
                                           gm_str_sub(word, at, word.n), &id);
        if (n == 0) {
            out->n = n_before;
            return gm_cuts_add(out, unknown, err);
        }
        st = gm_cuts_add(out, (struct gm_cut){id, at, at + n}, err);
        at += n;
    }
    return st;
}

const struct gm_token_model gm_wordpiece = {
    .type = "WordPiece",
    .load = wordpiece_load,
    .free = wordpiece_free,
    .cut = wordpiece_cut,
};
