#include "text/normalise.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

/* A code point of a run of combining marks, which NFD sorts by class. */
struct gm_normal_mark {
    uint32_t cp, src;
    uint32_t order; /* place in the run, so that equal classes keep their order */
    uint16_t class;
    bool inserted;  /* not the first code point that its source decomposed to */
};

/* Room for all that one code point of the source can become: three parts by decomposition, two of
 * lower case each, four bytes each, and two spaces. */
enum { ROOM = 64 };

void gm_normal_init(struct gm_normal *t) { *t = (struct gm_normal){0}; }

void gm_normal_clear(struct gm_normal *t)
{
    gm_free(t->p);
    gm_free(t->src);
    gm_free(t->run);
    *t = (struct gm_normal){0};
}

static enum gm_status read_flag(bool *out, const struct gm_json *json, const char *key,
                                const char *path, struct gm_error *err)
{
    if (gm_json_bool(gm_json_get(json, key), out))
        return GM_OK;
    return GM_FAIL(err, GM_EMODEL, "%s: normalizer.%s is %s; it must be true or false", path, key,
                   gm_json_kind_name(gm_json_kind(gm_json_get(json, key))));
}

enum gm_status gm_normaliser_read(struct gm_normaliser *out, const struct gm_json *json,
                                  const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str type = GM_STR("null");
    gm_json_str(gm_json_get(json, "type"), &type);
    if (!gm_str_eq_c(type, "BertNormalizer"))
        return GM_FAIL(err, GM_EMODEL, "%s: normalizer %.*s is not supported (BertNormalizer is)",
                       path, GM_STR_ARG(type));
    GM_TRY(read_flag(&out->clean_text, json, "clean_text", path, err));
    GM_TRY(read_flag(&out->handle_chinese_chars, json, "handle_chinese_chars", path, err));
    GM_TRY(read_flag(&out->lowercase, json, "lowercase", path, err));
    const struct gm_json *strip = gm_json_get(json, "strip_accents");
    out->strip_accents = out->lowercase; /* what null stands for */
    if (gm_json_kind(strip) != GM_JSON_NONE && gm_json_kind(strip) != GM_JSON_NULL)
        GM_TRY(read_flag(&out->strip_accents, json, "strip_accents", path, err));
done:
    return st;
}

static bool is_chinese(uint32_t cp)
{
    /* The library's ranges; it has U+2B920 where the block starts at U+2B820. */
    return (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF) ||
           (cp >= 0x20000 && cp <= 0x2A6DF) || (cp >= 0x2A700 && cp <= 0x2B81F) ||
           (cp >= 0x2B920 && cp <= 0x2CEAF) || (cp >= 0xF900 && cp <= 0xFAFF) ||
           (cp >= 0x2F800 && cp <= 0x2FA1F);
}

static enum gm_status make_room(struct gm_normal *t, size_t more, struct gm_error *err)
{
    if (t->cap - t->n >= more)
        return GM_OK;
    size_t cap = t->cap < 256 ? 512 : t->cap * 2;
    while (cap - t->n < more)
        cap *= 2;
    char *p = gm_realloc(t->p, cap, sizeof *p);
    t->p = p ? p : t->p;
    uint32_t *src = p ? gm_realloc(t->src, cap, sizeof *src) : NULL;
    if (!src)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu bytes of text", cap);
    t->src = src;
    t->cap = cap;
    return GM_OK;
}

static void put(struct gm_normal *t, uint32_t cp, uint32_t src)
{
    size_t n = gm_utf8_put(cp, t->p + t->n);
    for (size_t i = 0; i < n; i++)
        t->src[t->n++] = src;
}

/* The last two steps for one code point; make_room was called. */
static void finish(const struct gm_normaliser *nz, struct gm_normal *t, uint32_t cp, uint32_t src)
{
    uint32_t low[GM_CP_PARTS];
    if (nz->strip_accents && gm_cp_hf_is_mark(cp))
        return;
    if (!nz->lowercase) {
        put(t, cp, src);
        return;
    }
    size_t n = gm_cp_lower(cp, low);
    for (size_t i = 0; i < n; i++)
        put(t, low[i], src);
}

static int by_class(const void *a, const void *b)
{
    const struct gm_normal_mark *x = a, *y = b;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Put the waiting marks in canonical order and finish them. The library aligns by place, not by
 * mark: the k-th mark that replaces a source character gets the k-th source's number. */
static enum gm_status flush_run(const struct gm_normaliser *nz, struct gm_normal *t,
                                struct gm_error *err)
{
    enum gm_status st = make_room(t, t->n_run * ROOM, err);
    if (st != GM_OK)
        return st;
    struct gm_normal_mark *run = t->run;
    bool sorted = true;
    size_t n_src = 0;
    for (size_t i = 0; i < t->n_run; i++)
        sorted = sorted && (i == 0 || run[i - 1].class <= run[i].class);
    if (!sorted) {
        /* The source numbers keep their places: kept in the first `n_src` of them while sorting. */
        uint32_t *places = gm_alloc(t->n_run, sizeof *places);
        if (!places)
            return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu marks", t->n_run);
        for (size_t i = 0; i < t->n_run; i++)
            if (!run[i].inserted)
                places[n_src++] = run[i].src;
        uint32_t before = run[0].src;
        qsort(run, t->n_run, sizeof *run, by_class);
        for (size_t i = 0, k = 0; i < t->n_run; i++) {
            if (!run[i].inserted)
                before = places[k++];
            run[i].src = before;
        }
        gm_free(places);
    }
    for (size_t i = 0; i < t->n_run; i++)
        finish(nz, t, run[i].cp, run[i].src);
    t->n_run = 0;
    return GM_OK;
}

static enum gm_status add_mark(struct gm_normal *t, struct gm_normal_mark mark,
                               struct gm_error *err)
{
    if (t->n_run == t->cap_run) {
        size_t cap = t->cap_run ? t->cap_run * 2 : 16;
        struct gm_normal_mark *run = gm_realloc(t->run, cap, sizeof *run);
        if (!run)
            return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu marks", cap);
        t->run = run;
        t->cap_run = cap;
    }
    mark.order = (uint32_t)t->n_run;
    t->run[t->n_run++] = mark;
    return GM_OK;
}

/* One code point from decomposition on. */
static enum gm_status decompose(const struct gm_normaliser *nz, struct gm_normal *t, uint32_t cp,
                                uint32_t src, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint32_t parts[GM_CP_PARTS] = {cp};
    size_t n = nz->strip_accents ? gm_cp_decompose(cp, parts) : 1;
    for (size_t i = 0; i < n; i++) {
        unsigned class = nz->strip_accents ? gm_cp_hf_combining_class(parts[i]) : 0;
        if (class) {
            GM_TRY(add_mark(t, (struct gm_normal_mark){.cp = parts[i], .src = src,
                                                       .class = (uint16_t)class, .inserted = i > 0},
                            err));
            continue;
        }
        if (t->n_run)
            GM_TRY(flush_run(nz, t, err));
        GM_TRY(make_room(t, ROOM, err));
        finish(nz, t, parts[i], src);
    }
done:
    return st;
}

/* A code point under 128: the same steps without tables. */
static enum gm_status add_ascii(const struct gm_normaliser *nz, struct gm_normal *t, char c,
                                uint32_t src, struct gm_error *err)
{
    if (nz->clean_text && (c < ' ' || c == 0x7F)) {
        if (c != '\t' && c != '\n' && c != '\r')
            return GM_OK;
        c = ' ';
    }
    enum gm_status st = t->n_run ? flush_run(nz, t, err) : GM_OK;
    if (st == GM_OK)
        st = make_room(t, ROOM, err);
    if (st != GM_OK)
        return st;
    if (nz->lowercase && c >= 'A' && c <= 'Z')
        c = (char)(c + ('a' - 'A'));
    t->p[t->n] = c;
    t->src[t->n++] = src;
    return GM_OK;
}

enum gm_status gm_normalise(const struct gm_normaliser *nz, struct gm_str s, uint32_t first,
                            struct gm_normal *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint32_t src = first;
    out->n = out->n_run = 0;
    GM_TRY(make_room(out, s.n < SIZE_MAX / 4 ? s.n + ROOM : s.n, err));
    for (size_t i = 0; i < s.n; src++) {
        if ((unsigned char)s.p[i] < 0x80) {
            GM_TRY(add_ascii(nz, out, s.p[i++], src, err));
            continue;
        }
        uint32_t cp = gm_utf8_next(s, &i);
        if (nz->clean_text) {
            if (cp == 0xFFFD || gm_cp_hf_is_control(cp))
                continue;
            cp = gm_cp_is_space(cp) ? ' ' : cp;
        }
        bool apart = nz->handle_chinese_chars && is_chinese(cp);
        if (apart)
            GM_TRY(decompose(nz, out, ' ', src, err));
        GM_TRY(decompose(nz, out, cp, src, err));
        if (apart)
            GM_TRY(decompose(nz, out, ' ', src, err));
    }
    GM_TRY(flush_run(nz, out, err));
done:
    return st;
}
