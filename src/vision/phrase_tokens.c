#include "vision/phrase_tokens.h"

static enum gm_status room(struct gm_phrase_tokens *out, size_t rows, size_t cols, size_t n,
                           struct gm_arena *a, struct gm_error *err)
{
    out->rows = rows;
    out->cols = cols;
    out->ids = gm_arena_alloc(a, rows * cols, sizeof *out->ids);
    out->mask = gm_arena_alloc(a, rows * cols, sizeof *out->mask);
    out->from = gm_arena_alloc(a, n, sizeof *out->from);
    out->to = gm_arena_alloc(a, n, sizeof *out->to);
    if (!out->ids || !out->mask || !out->from || !out->to)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu phrases", n);
    return GM_OK;
}

/* Append to the row that ends at *at. */
static void put(struct gm_phrase_tokens *out, size_t *at, int32_t id)
{
    out->ids[*at] = (float)id;
    out->mask[(*at)++] = 1;
}

static enum gm_status make_rows(struct gm_phrase_tokens *out, const struct gm_tokenizer *t,
                                struct gm_pieces *pieces, size_t most, const struct gm_str *phrases,
                                size_t n, struct gm_arena *a, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_special_tokens_ids around = gm_tokenizer_special(t);
    GM_TRY(room(out, n, most, n, a, err));
    for (out->n = 0; out->n < n; out->n++) {
        size_t at = out->n * most;
        gm_pieces_reset(pieces);
        GM_TRY(gm_tokenizer_encode(t, phrases[out->n], pieces, err));
        put(out, &at, around.cls);
        for (size_t i = 0; i < pieces->n && i + 2 < most; i++)
            put(out, &at, pieces->items[i].id);
        put(out, &at, around.sep);
    }
done:
    return st;
}

/* The pieces of a phrase without those that would end it, in place; how many are left, at most `most`. */
static size_t inner(const struct gm_tokenizer *t, struct gm_pieces *pieces, size_t most)
{
    struct gm_special_tokens_ids around = gm_tokenizer_special(t);
    int32_t stop = gm_tokenizer_id(t, GM_STR(".")), question = gm_tokenizer_id(t, GM_STR("?"));
    size_t n = 0;
    for (size_t i = 0; i < pieces->n && n < most; i++) {
        int32_t id = pieces->items[i].id;
        if (id != stop && id != question && id != around.cls && id != around.sep)
            pieces->items[n++].id = id;
    }
    return n;
}

static enum gm_status make_line(struct gm_phrase_tokens *out, const struct gm_tokenizer *t,
                                struct gm_pieces *pieces, size_t most, const struct gm_str *phrases,
                                size_t n, struct gm_arena *a, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_special_tokens_ids around = gm_tokenizer_special(t);
    int32_t stop = gm_tokenizer_id(t, GM_STR("."));
    size_t at = 0;
    GM_TRY(stop >= 0 ? GM_OK : GM_FAIL(err, GM_EMODEL, "the tokenizer has no \".\""));
    GM_TRY(room(out, 1, most, n, a, err));
    put(out, &at, around.cls);
    for (out->n = 0; out->n < n; out->n++) {
        gm_pieces_reset(pieces);
        GM_TRY(gm_tokenizer_encode(t, phrases[out->n], pieces, err));
        size_t k = inner(t, pieces, most - 3); /* as many as fit alone */
        if (at + k + 2 > most)
            break;
        out->from[out->n] = at;
        for (size_t i = 0; i < k; i++)
            put(out, &at, pieces->items[i].id);
        out->to[out->n] = at;
        put(out, &at, stop);
    }
    put(out, &at, around.sep);
    out->cols = at; /* one row: what is behind it does not count */
done:
    return st;
}

enum gm_status gm_phrase_tokens_make(struct gm_phrase_tokens *out, const struct gm_tokenizer *t,
                                     bool line, size_t most, const struct gm_str *phrases, size_t n,
                                     struct gm_arena *a, struct gm_error *err)
{
    struct gm_pieces pieces;
    struct gm_special_tokens_ids around = gm_tokenizer_special(t);
    *out = (struct gm_phrase_tokens){0};
    if (around.cls < 0 || around.sep < 0)
        return GM_FAIL(err, GM_EMODEL, "the tokenizer puts no tokens around a text");
    gm_pieces_init(&pieces);
    enum gm_status st = line ? make_line(out, t, &pieces, most, phrases, n, a, err)
                             : make_rows(out, t, &pieces, most, phrases, n, a, err);
    gm_pieces_clear(&pieces);
    return st;
}
