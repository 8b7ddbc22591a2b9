/* BertNormalizer: controls are removed and white space made plain, ideographs are put between
 * spaces, accents are stripped after canonical decomposition (NFD, with its ordering of marks),
 * capitals are lowered. The library makes a pass for each of them; here one pass does all. */
#include "base/alloc.h"
#include "text/unicode.h"
#include "tokenizer/normalise.h"

#include <stdlib.h>

/* A code point of a run of combining marks, which NFD sorts by class. */
struct mark {
    uint32_t cp, src;
    uint32_t order; /* place in the run, so that equal classes keep their order */
    uint16_t class;
    bool inserted; /* not the first code point that its source decomposed to */
};

/* What one call works with. */
struct bert {
    const struct gm_norm_bert *set;
    struct gm_aligned_text *out;
    struct mark *run; /* [n_run] marks waiting to be put in order */
    size_t n_run, cap_run;
    struct gm_error *err;
};

/* Room for all that one code point can become: three parts by decomposition, two of lower case
 * each, four bytes each, and two spaces. */
enum { ROOM = 64 };

static bool is_chinese(uint32_t cp)
{
    /* The library's ranges; it has U+2B920 where the block starts at U+2B820. */
    return (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF) ||
           (cp >= 0x20000 && cp <= 0x2A6DF) || (cp >= 0x2A700 && cp <= 0x2B81F) ||
           (cp >= 0x2B920 && cp <= 0x2CEAF) || (cp >= 0xF900 && cp <= 0xFAFF) ||
           (cp >= 0x2F800 && cp <= 0x2FA1F);
}

/* The last two steps for one code point; there is room. */
static void finish(const struct bert *b, uint32_t cp, uint32_t src)
{
    uint32_t low[GM_CP_PARTS];
    if (b->set->strip_accents && gm_cp_hf_is_mark(cp))
        return;
    if (!b->set->lowercase) {
        gm_aligned_text_put(b->out, cp, src);
        return;
    }
    size_t n = gm_cp_lower(cp, low);
    for (size_t i = 0; i < n; i++)
        gm_aligned_text_put(b->out, low[i], src);
}

static int by_class(const void *a, const void *b)
{
    const struct mark *x = a, *y = b;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Put the waiting marks in canonical order and finish them. The library aligns by place, not by
 * mark: the k-th mark that replaces a source character gets the k-th source's number. */
static enum gm_status flush_run(struct bert *b)
{
    enum gm_status st = gm_aligned_text_room(b->out, b->n_run * ROOM, b->err);
    if (st != GM_OK)
        return st;
    struct mark *run = b->run;
    bool sorted = true;
    size_t n_src = 0;
    for (size_t i = 0; i < b->n_run; i++)
        sorted = sorted && (i == 0 || run[i - 1].class <= run[i].class);
    if (!sorted) {
        /* The source numbers keep their places: kept in the first `n_src` of them while sorting. */
        uint32_t *places = gm_alloc(b->n_run, sizeof *places);
        if (!places)
            return GM_FAIL(b->err, GM_ENOMEM, "out of memory for %zu marks", b->n_run);
        for (size_t i = 0; i < b->n_run; i++)
            if (!run[i].inserted)
                places[n_src++] = run[i].src;
        uint32_t before = run[0].src;
        qsort(run, b->n_run, sizeof *run, by_class);
        for (size_t i = 0, k = 0; i < b->n_run; i++) {
            if (!run[i].inserted)
                before = places[k++];
            run[i].src = before;
        }
        gm_free(places);
    }
    for (size_t i = 0; i < b->n_run; i++)
        finish(b, run[i].cp, run[i].src);
    b->n_run = 0;
    return GM_OK;
}

static enum gm_status add_mark(struct bert *b, struct mark mark)
{
    enum gm_status st = GM_GROW(b->run, b->n_run, b->cap_run, b->err);
    mark.order = (uint32_t)b->n_run;
    if (st == GM_OK)
        b->run[b->n_run++] = mark;
    return st;
}

/* One code point from decomposition on. */
static enum gm_status decompose(struct bert *b, uint32_t cp, uint32_t src)
{
    enum gm_status st = GM_OK;
    bool strip = b->set->strip_accents;
    uint32_t parts[GM_CP_PARTS] = {cp};
    size_t n = strip ? gm_cp_decompose(cp, parts) : 1;
    for (size_t i = 0; i < n; i++) {
        unsigned class = strip ? gm_cp_hf_combining_class(parts[i]) : 0;
        if (class) {
            GM_TRY(add_mark(
                b, (struct mark){
                       .cp = parts[i], .src = src, .class = (uint16_t) class, .inserted = i > 0}));
            continue;
        }
        if (b->n_run)
            GM_TRY(flush_run(b));
        GM_TRY(gm_aligned_text_room(b->out, ROOM, b->err));
        finish(b, parts[i], src);
    }
done:
    return st;
}

/* A code point under 128: the same steps without tables. */
static enum gm_status add_ascii(struct bert *b, char c, uint32_t src)
{
    if (b->set->clean_text && (c < ' ' || c == 0x7F)) {
        if (c != '\t' && c != '\n' && c != '\r')
            return GM_OK;
        c = ' ';
    }
    enum gm_status st = b->n_run ? flush_run(b) : GM_OK;
    if (st == GM_OK)
        st = gm_aligned_text_room(b->out, ROOM, b->err);
    if (st != GM_OK)
        return st;
    if (b->set->lowercase && c >= 'A' && c <= 'Z')
        c = (char)(c + ('a' - 'A'));
    b->out->p[b->out->n] = c;
    b->out->src[b->out->n++] = src;
    return GM_OK;
}

enum gm_status gm_norm_bert_run(const void *settings, const struct gm_aligned_text *in,
                                struct gm_aligned_text *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_norm_bert *set = settings;
    struct bert b = {.set = set, .out = out, .err = err};
    const struct gm_str s = gm_aligned_text_str(in);
    out->n = 0;
    GM_TRY(gm_aligned_text_room(out, s.n + ROOM, err));
    for (size_t i = 0; i < s.n;) {
        uint32_t src = in->src[i];
        if ((unsigned char)s.p[i] < 0x80) {
            GM_TRY(add_ascii(&b, s.p[i++], src));
            continue;
        }
        uint32_t cp = gm_utf8_next(s, &i);
        if (set->clean_text) {
            if (cp == 0xFFFD || gm_cp_hf_is_control(cp))
                continue;
            cp = gm_cp_is_space(cp) ? ' ' : cp;
        }
        bool apart = set->handle_chinese_chars && is_chinese(cp);
        if (apart)
            GM_TRY(decompose(&b, ' ', src));
        GM_TRY(decompose(&b, cp, src));
        if (apart)
            GM_TRY(decompose(&b, ' ', src));
    }
    GM_TRY(flush_run(&b));
done:
    gm_free(b.run);
    return st;
}
