/* NFD, NFKD, NFC, NFKC (UAX 15), and the normalisers that go code point by code point: Lowercase,
 * StripAccents, Strip. Each says of the code points it emits what the library's says (aligned_text.h). */
#include "base/alloc.h"
#include "text/unicode.h"
#include "tokenizer/normalise.h"

/* A code point on its way, with what it stands for. */
struct item {
    uint32_t cp;
    long change;
    unsigned class;
};

struct items {
    struct item *p;
    size_t n, cap;
};

static enum gm_status add_item(struct items *list, struct item item, struct gm_error *err)
{
    enum gm_status st = GM_GROW(list->p, list->n, list->cap, err);
    if (st == GM_OK)
        list->p[list->n++] = item;
    return st;
}

/* What one call works with. Decomposed code points wait in `marks` until a starter follows; when
 * composing, a starter and the marks that do not join it wait in `starter` and `blocked`. */
struct form {
    struct gm_transform to;
    struct items marks, blocked;
    struct item starter;
    bool has_starter;
    unsigned last_class; /* of the last blocked mark; 0 = none */
    bool composed;
    struct gm_error *err;
};

static enum gm_status flush_composed(struct form *f)
{
    enum gm_status st = GM_OK;
    if (f->has_starter)
        st = gm_transform_emit(&f->to, f->starter.cp, f->starter.change, f->err);
    for (size_t i = 0; i < f->blocked.n && st == GM_OK; i++)
        st = gm_transform_emit(&f->to, f->blocked.p[i].cp, f->blocked.p[i].change, f->err);
    f->blocked.n = 0;
    f->has_starter = false;
    f->last_class = 0;
    return st;
}

/* The next code point in canonical order. */
static enum gm_status compose(struct form *f, struct item x)
{
    enum gm_status st = GM_OK;
    if (!f->composed || (!f->has_starter && x.class != 0))
        return gm_transform_emit(&f->to, x.cp, x.change, f->err);
    bool is_blocked = f->last_class != 0 && f->last_class >= x.class;
    uint32_t both = f->has_starter && !is_blocked ? gm_cp_hf_compose(f->starter.cp, x.cp) : 0;
    if (both) {
        f->starter.cp = both;
        f->starter.change += x.change - 1;
        return GM_OK;
    }
    if (x.class == 0) {
        GM_TRY(flush_composed(f));
        f->starter = x;
        f->has_starter = true;
        return GM_OK;
    }
    f->last_class = x.class;
    st = add_item(&f->blocked, x, f->err);
done:
    return st;
}

/* Merge sort of [from, to) by class, keeping the order of equal ones; `tmp` is as long. */
static void sort_items(struct item *p, struct item *tmp, size_t n)
{
    if (n < 2)
        return;
    size_t half = n / 2;
    sort_items(p, tmp, half);
    sort_items(p + half, tmp, n - half);
    if (p[half - 1].class <= p[half].class)
        return;
    for (size_t i = 0, a = 0, b = half; i < n; i++)
        tmp[i] = b == n || (a < half && p[a].class <= p[b].class) ? p[a++] : p[b++];
    for (size_t i = 0; i < n; i++)
        p[i] = tmp[i];
}

static enum gm_status flush_marks(struct form *f)
{
    enum gm_status st = GM_OK;
    size_t n = f->marks.n;
    if (n > 1) {
        struct item *tmp = gm_alloc(n, sizeof *tmp);
        if (!tmp)
            return GM_FAIL(f->err, GM_ENOMEM, "out of memory for %zu marks", n);
        sort_items(f->marks.p, tmp, n);
        gm_free(tmp);
    }
    for (size_t i = 0; i < n && st == GM_OK; i++)
        st = compose(f, f->marks.p[i]);
    f->marks.n = 0;
    return st;
}

static enum gm_status decomposed(struct form *f, struct item x)
{
    if (x.class)
        return add_item(&f->marks, x, f->err);
    enum gm_status st = f->marks.n ? flush_marks(f) : GM_OK;
    return st == GM_OK ? compose(f, x) : st;
}

enum gm_status gm_norm_unicode_run(const void *settings, const struct gm_aligned_text *in,
                                   struct gm_aligned_text *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_norm_unicode *set = settings;
    struct form f = {.composed = set->composed, .err = err};
    const struct gm_str s = gm_aligned_text_str(in);
    gm_transform_begin(&f.to, in, out);
    for (size_t i = 0; i < s.n;) {
        uint32_t parts[GM_CP_COMPATIBLE_PARTS], cp = gm_utf8_next(s, &i);
        size_t n =
            set->compatible ? gm_cp_hf_decompose_compatible(cp, parts) : gm_cp_decompose(cp, parts);
        for (size_t k = 0; k < n; k++)
            GM_TRY(decomposed(
                &f, (struct item){parts[k], k > 0,
                                  parts[k] < 0x300 ? 0 : gm_cp_hf_combining_class(parts[k])}));
    }
    GM_TRY(flush_marks(&f));
    st = flush_composed(&f);
done:
    gm_free(f.marks.p);
    gm_free(f.blocked.p);
    return st;
}

enum gm_status gm_norm_lowercase_run(const void *settings, const struct gm_aligned_text *in,
                                     struct gm_aligned_text *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_transform to;
    const struct gm_str s = gm_aligned_text_str(in);
    (void)settings;
    gm_transform_begin(&to, in, out);
    for (size_t i = 0; i < s.n;) {
        uint32_t low[GM_CP_PARTS], cp = gm_utf8_next(s, &i);
        size_t n = gm_cp_lower(cp, low);
        for (size_t k = 0; k < n; k++)
            GM_TRY(gm_transform_emit(&to, low[k], k > 0, err));
    }
done:
    return st;
}

enum gm_status gm_norm_strip_accents_run(const void *settings, const struct gm_aligned_text *in,
                                         struct gm_aligned_text *out, struct gm_error *err)
{
    const struct gm_str s = gm_aligned_text_str(in);
    (void)settings;
    out->n = 0;
    enum gm_status st = gm_aligned_text_room(out, s.n, err);
    for (size_t i = 0; i < s.n && st == GM_OK;) {
        size_t start = i;
        if (!gm_cp_hf_is_combining(gm_utf8_next(s, &i)))
            st = gm_aligned_text_copy(out, in, start, i, err);
    }
    return st;
}

enum gm_status gm_norm_strip_run(const void *settings, const struct gm_aligned_text *in,
                                 struct gm_aligned_text *out, struct gm_error *err)
{
    const struct gm_norm_strip *set = settings;
    const struct gm_str s = gm_aligned_text_str(in);
    size_t start = 0, end = 0, i = 0;
    bool inside = !set->left;
    while (i < s.n) {
        size_t here = i;
        bool space = gm_cp_is_space(gm_utf8_next(s, &i));
        if (!inside && !space) {
            inside = true;
            start = here;
        }
        if (!space || !set->right)
            end = i;
    }
    out->n = 0;
    return gm_aligned_text_copy(out, in, start, inside && end > start ? end : start, err);
}
