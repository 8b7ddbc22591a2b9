#include "tokenizer/charsmap.h"

#include "base/base64.h"
#include "text/unicode.h"
#include "tokenizer/normalise.h"

#include <string.h>

/* Fields of a unit (Darts-clone). */
static bool has_leaf(uint32_t u) { return (u >> 8 & 1) != 0; }
static uint32_t value(uint32_t u) { return u & 0x7FFFFFFF; }
static uint32_t label(uint32_t u) { return u & 0x800000FF; }
static uint32_t offset(uint32_t u) { return u >> 10 << ((u & 0x200) >> 6); }

enum gm_status gm_charsmap_read(struct gm_charsmap *out, struct gm_str base64, struct gm_arena *a,
                                const char *path, struct gm_error *err)
{
    struct gm_str raw = {0};
    enum gm_status st = gm_base64_read(&raw, base64, a, err);
    if (st == GM_ENOMEM)
        return st;
    const unsigned char *bytes = (const unsigned char *)raw.p;
    size_t n = raw.n;
    bool ok = st == GM_OK && n >= 4;
    size_t size =
        ok ? bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24 : 0;
    if (!ok || size > n - 4 || size < 4)
        return GM_FAIL(err, GM_EMODEL, "%s: normalizer.precompiled_charsmap is broken", path);
    uint32_t *units = gm_arena_alloc(a, size / 4, sizeof *units);
    if (!units)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < size / 4; i++) {
        const unsigned char *b = bytes + 4 + 4 * i;
        units[i] = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    }
    size_t texts = 4 + size / 4 * 4;
    *out = (struct gm_charsmap){units, size / 4, {(const char *)bytes + texts, n - texts}};
    if (!gm_utf8_is_valid(out->texts))
        return GM_FAIL(err, GM_EMODEL, "%s: normalizer.precompiled_charsmap is broken", path);
    return GM_OK;
}

bool gm_charsmap_find(const struct gm_charsmap *m, struct gm_str s, struct gm_str *replacement)
{
    size_t at = offset(m->units[0]);
    for (size_t i = 0; i < s.n && s.p[i]; i++) {
        unsigned char c = (unsigned char)s.p[i];
        at ^= c;
        if (at >= m->n_units || label(m->units[at]) != c)
            return false;
        uint32_t unit = m->units[at];
        at ^= offset(unit);
        if (!has_leaf(unit))
            continue;
        size_t start = at < m->n_units ? value(m->units[at]) : SIZE_MAX;
        if (start > m->texts.n ||
            (start < m->texts.n && ((unsigned char)m->texts.p[start] & 0xC0) == 0x80))
            return false;
        const char *end = memchr(m->texts.p + start, 0, m->texts.n - start);
        *replacement = gm_str_sub(m->texts, start, end ? (size_t)(end - m->texts.p) : m->texts.n);
        return true;
    }
    return false;
}

/* The step "Precompiled". The last code point waits, as a replacement that is shorter than what it
 * replaces lets it stand for the difference: also a removed one, and where nothing precedes that,
 * the library forgets it, and all places that follow drift. */
struct mapping {
    struct gm_transform to;
    uint32_t last;
    long change;
    bool waits;
    struct gm_error *err;
};

static enum gm_status push(struct mapping *m, uint32_t cp, long change)
{
    enum gm_status st = m->waits ? gm_transform_emit(&m->to, m->last, m->change, m->err) : GM_OK;
    m->last = cp;
    m->change = change;
    m->waits = true;
    return st;
}

static enum gm_status replace(struct mapping *m, struct gm_str old, struct gm_str new)
{
    enum gm_status st = GM_OK;
    size_t n_old = gm_utf8_count(old), n_new = gm_utf8_count(new);
    for (size_t i = 0, k = 0; i < new.n; k++) {
        uint32_t cp = gm_utf8_next(new, &i);
        GM_TRY(push(m, cp, k >= n_old)); /* those there are more of come last */
    }
    if (n_new < n_old && m->waits)
        m->change -= (long)(n_old - n_new);
done:
    return st;
}

/* The end of the grapheme cluster that starts at `at`. */
static size_t cluster_end(struct gm_str s, size_t at)
{
    int32_t state = 0;
    size_t end = at;
    uint32_t before = gm_utf8_next(s, &end);
    while (end < s.n) {
        size_t next = end;
        if (before < 0x80 && (unsigned char)s.p[end] < 0x80 && before != '\r')
            break;
        uint32_t after = gm_utf8_next(s, &next);
        if (gm_cp_is_grapheme_end(before, after, &state))
            break;
        before = after;
        end = next;
    }
    return end;
}

enum gm_status gm_norm_charsmap_run(const void *settings, const struct gm_aligned_text *in,
                                    struct gm_aligned_text *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_charsmap *map = settings;
    struct mapping m = {.err = err};
    const struct gm_str s = gm_aligned_text_str(in);
    struct gm_str new;
    gm_transform_begin(&m.to, in, out);
    for (size_t at = 0; at < s.n;) {
        size_t end = cluster_end(s, at);
        struct gm_str cluster = gm_str_sub(s, at, end);
        if (cluster.n < 6 && gm_charsmap_find(map, cluster, &new)) { /* the library's limit */
            GM_TRY(replace(&m, cluster, new));
            at = end;
        }
        while (at < end) {
            size_t start = at;
            uint32_t cp = gm_utf8_next(s, &at);
            if (gm_charsmap_find(map, gm_str_sub(s, start, at), &new))
                GM_TRY(replace(&m, gm_str_sub(s, start, at), new));
            else
                GM_TRY(push(&m, cp, 0));
        }
    }
    if (m.waits)
        st = gm_transform_emit(&m.to, m.last, m.change, err);
done:
    return st;
}
