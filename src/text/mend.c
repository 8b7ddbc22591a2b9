#include "text/mend.h"

#include "base/utf8.h"

#include <stdint.h>

/* The code points of Windows-1252's bytes 0x80 to 0x9F; 0: none, which is then read as the control. */
static const uint16_t windows_1252[] = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

/* GBK A1A4 to A1B1, and A8A1 to A8BA (letters of pinyin). */
static const uint16_t gbk_a1[] = {0xB7,   0x2C9,  0x2C7,  0xA8,   0x3003, 0x3005, 0x2014,
                                  0xFF5E, 0x2016, 0x2026, 0x2018, 0x2019, 0x201C, 0x201D};
static const uint16_t gbk_a8[] = {0x101, 0xE1,  0x1CE, 0xE0,  0x113, 0xE9,  0x11B, 0xE8,  0x12B,
                                  0xED,  0x1D0, 0xEC,  0x14D, 0xF3,  0x1D2, 0xF2,  0x16B, 0xFA,
                                  0x1D4, 0xF9,  0x1D6, 0x1D8, 0x1DA, 0x1DC, 0xFC,  0xEA};
enum { GBK_A1_FIRST = 0xA4, GBK_A8_FIRST = 0xA1 };

/* The byte that a character stands for in Windows-1252; -1 = none. */
static int byte_of(uint32_t cp)
{
    if (cp < 0x100)
        return (int)cp;
    for (size_t i = 0; i < sizeof windows_1252 / sizeof *windows_1252; i++)
        if (windows_1252[i] == cp)
            return (int)(0x80 + i);
    return -1;
}

/* How many bytes a character of UTF-8 has by its first one, of those that are looked for; 0 = it is none. */
static size_t utf8_bytes(uint32_t lead)
{
    switch (lead) {
    case 0xC2:           /* Â: signs of Latin-1 */
    case 0xC3: return 2; /* Ã: its letters */
    case 0xE2: return 3; /* â: punctuation, arrows, signs */
    case 0xF0: return 4; /* ð: emoji */
    default: return 0;
    }
}

/* What was UTF-8 at byte `at`: the code point, and in *end the byte behind it; 0 = nothing was. */
static uint32_t was_utf8(struct gm_str s, size_t at, size_t *end)
{
    char bytes[4];
    struct gm_str was = {bytes, 0};
    size_t pos = at, n = utf8_bytes(gm_utf8_next(s, &pos));
    for (pos = at; was.n < n && pos < s.n; was.n++) {
        int b = byte_of(gm_utf8_next(s, &pos));
        if (b < 0x80)
            return 0;
        bytes[was.n] = (char)b;
    }
    if (n == 0 || was.n < n || !gm_utf8_is_valid(was))
        return 0;
    *end = pos;
    pos = 0;
    return gm_utf8_next(was, &pos);
}

/* The same of GBK. */
static uint32_t was_gbk(struct gm_str s, size_t at, size_t *end)
{
    size_t pos = at;
    uint32_t row = gm_utf8_next(s, &pos);
    if ((row != 0xA1 && row != 0xA8) || pos >= s.n)
        return 0;
    uint32_t cell = gm_utf8_next(s, &pos);
    const uint16_t *table = row == 0xA1 ? gbk_a1 : gbk_a8;
    uint32_t first = row == 0xA1 ? GBK_A1_FIRST : GBK_A8_FIRST;
    size_t n = row == 0xA1 ? sizeof gbk_a1 / sizeof *gbk_a1 : sizeof gbk_a8 / sizeof *gbk_a8;
    if (cell < first || cell - first >= n)
        return 0;
    *end = pos;
    return table[cell - first];
}

static uint32_t mended_at(struct gm_str s, size_t at, size_t *end)
{
    if ((unsigned char)s.p[at] < 0x80)
        return 0;
    uint32_t cp = was_utf8(s, at, end);
    return cp ? cp : was_gbk(s, at, end);
}

static bool is_broken(struct gm_str s)
{
    size_t end;
    for (size_t at = 0; at < s.n; at++)
        if (((unsigned char)s.p[at] & 0xC0) != 0x80 && mended_at(s, at, &end))
            return true;
    return false;
}

enum gm_status gm_mend(struct gm_str text, struct gm_arena *a, struct gm_mended *out,
                       struct gm_error *err)
{
    *out = (struct gm_mended){.text = text};
    if (!is_broken(text))
        return GM_OK;
    size_t n = 0; /* what is mended is never longer than it was */
    char *p = gm_arena_alloc(a, text.n, 1);
    out->from = gm_arena_alloc(a, text.n + 1, sizeof *out->from);
    if (!p || !out->from)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a text of %zu bytes", text.n);
    for (size_t at = 0; at < text.n;) {
        size_t end = at, was = n;
        uint32_t cp = mended_at(text, at, &end);
        if (cp) {
            n += gm_utf8_put(cp, p + n);
        } else {
            (void)gm_utf8_next(text, &end);
            for (size_t i = at; i < end; i++)
                p[n++] = text.p[i];
        }
        for (size_t i = was; i < n; i++)
            out->from[i] = cp ? at : at + (i - was);
        at = end;
    }
    out->from[n] = text.n;
    out->text = (struct gm_str){p, n};
    return GM_OK;
}
