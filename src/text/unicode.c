#include "text/unicode.h"

#include "text/unicode_diff.h"

#include <utf8proc.h>

/* Code points of categories Mn, P* and Cf that were added after Unicode 8, as ranges which hold no
 * older one of these categories. Found by asking the library (0.23.3) about every code point. */
static const struct {
    uint32_t first, last;
} after_unicode_8[] = {
    {0x61D, 0x61D},     {0x7FD, 0x7FD},     {0x890, 0x8E2},     {0x9FD, 0x9FE},
    {0xA76, 0xA76},     {0xAFA, 0xAFF},     {0xB55, 0xB55},     {0xC04, 0xC3C},
    {0xC77, 0xC77},     {0xC84, 0xC84},     {0xD00, 0xD00},     {0xD3B, 0xD3C},
    {0xD81, 0xD81},     {0xEBA, 0xEBA},     {0xECE, 0xECE},     {0x180F, 0x1886},
    {0x1ABF, 0x1ACE},   {0x1B7D, 0x1B7E},   {0x1DF6, 0x1DFB},   {0x2E43, 0x2E5D},
    {0xA82C, 0xA82C},   {0xA8C5, 0xA8C5},   {0xA8FF, 0xA8FF},   {0xA9BD, 0xA9BD},
    {0x10D24, 0x10F89}, {0x11070, 0x11074}, {0x110C2, 0x110CD}, {0x111C9, 0x111C9},
    {0x111CF, 0x111CF}, {0x1123E, 0x11241}, {0x1133B, 0x1133B}, {0x11438, 0x1145E},
    {0x11660, 0x1166C}, {0x116B9, 0x116B9}, {0x1182F, 0x11FFF}, {0x12FF1, 0x13455},
    {0x16E97, 0x16F4F}, {0x16FE2, 0x16FE4}, {0x1CF00, 0x1CF46}, {0x1E000, 0x1E4EF},
    {0x1E944, 0x1E95F},
};

static bool is_after_unicode_8(uint32_t cp)
{
    size_t lo = 0, hi = sizeof after_unicode_8 / sizeof *after_unicode_8;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (cp > after_unicode_8[mid].last)
            lo = mid + 1;
        else if (cp < after_unicode_8[mid].first)
            hi = mid;
        else
            return true;
    }
    return false;
}

static utf8proc_category_t category(uint32_t cp) { return utf8proc_category((utf8proc_int32_t)cp); }

bool gm_cp_is_upper(uint32_t cp)
{
    utf8proc_category_t c = category(cp);
    return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LT;
}

bool gm_cp_is_lower(uint32_t cp) { return category(cp) == UTF8PROC_CATEGORY_LL; }

bool gm_cp_is_alnum(uint32_t cp)
{
    utf8proc_category_t c = category(cp);
    return (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO) ||
           (c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO);
}

enum gm_unspaced gm_cp_unspaced(uint32_t cp)
{
    /* Letters, numbers and their marks of Han, kana and bopomofo (also of Script_Extensions), and those of line
     * breaking class SA, in Unicode 15. */
    static const struct {
        uint32_t first, last;
        enum gm_unspaced is;
    } ranges[] = {
        {0xE01, 0xE4E, GM_UNSPACED_SYLLABLES},      {0xE81, 0xECE, GM_UNSPACED_SYLLABLES},
        {0xEDC, 0xEDF, GM_UNSPACED_SYLLABLES},      {0x1000, 0x103F, GM_UNSPACED_SYLLABLES},
        {0x1050, 0x108F, GM_UNSPACED_SYLLABLES},    {0x109A, 0x109D, GM_UNSPACED_SYLLABLES},
        {0x1780, 0x17DD, GM_UNSPACED_SYLLABLES},    {0x1950, 0x19C9, GM_UNSPACED_SYLLABLES},
        {0x19DA, 0x19DA, GM_UNSPACED_SYLLABLES},    {0x1A20, 0x1A7C, GM_UNSPACED_SYLLABLES},
        {0x1AA7, 0x1AA7, GM_UNSPACED_SYLLABLES},    {0x3005, 0x3029, GM_UNSPACED_CHARACTERS},
        {0x3031, 0x312F, GM_UNSPACED_CHARACTERS},   {0x3192, 0x3229, GM_UNSPACED_CHARACTERS},
        {0x3280, 0x3289, GM_UNSPACED_CHARACTERS},   {0x3400, 0x9FFF, GM_UNSPACED_CHARACTERS},
        {0xA9E0, 0xA9EF, GM_UNSPACED_SYLLABLES},    {0xA9FA, 0xA9FE, GM_UNSPACED_SYLLABLES},
        {0xAA60, 0xAADD, GM_UNSPACED_SYLLABLES},    {0xF900, 0xFAD9, GM_UNSPACED_CHARACTERS},
        {0xFF66, 0xFF9F, GM_UNSPACED_CHARACTERS},   {0x11700, 0x1172B, GM_UNSPACED_SYLLABLES},
        {0x1173A, 0x11746, GM_UNSPACED_SYLLABLES},  {0x16FE3, 0x16FF1, GM_UNSPACED_CHARACTERS},
        {0x1AFF0, 0x1B167, GM_UNSPACED_CHARACTERS}, {0x20000, 0x323AF, GM_UNSPACED_CHARACTERS},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges && cp >= ranges[i].first; i++)
        if (cp <= ranges[i].last)
            return ranges[i].is;
    return GM_SPACED;
}

bool gm_cp_is_any_mark(uint32_t cp)
{
    utf8proc_category_t c = category(cp);
    return c >= UTF8PROC_CATEGORY_MN && c <= UTF8PROC_CATEGORY_ME;
}

bool gm_cp_hf_is_control(uint32_t cp)
{
    utf8proc_category_t c = category(cp);
    return (c == UTF8PROC_CATEGORY_CF && !is_after_unicode_8(cp)) || c == UTF8PROC_CATEGORY_CC ||
           c == UTF8PROC_CATEGORY_CS || c == UTF8PROC_CATEGORY_CO;
}

bool gm_cp_hf_is_punct(uint32_t cp)
{
    utf8proc_category_t c = category(cp);
    if (cp < 0x80)
        return (cp >= '!' && cp <= '/') || (cp >= ':' && cp <= '@') || (cp >= '[' && cp <= '`') ||
               (cp >= '{' && cp <= '~');
    if (cp == 0x166D || cp == 0x111C9) /* punctuation in Unicode 8, a symbol and a mark since */
        return true;
    return c >= UTF8PROC_CATEGORY_PC && c <= UTF8PROC_CATEGORY_PO && !is_after_unicode_8(cp);
}

bool gm_cp_hf_is_mark(uint32_t cp)
{
    if (cp == 0x1734) /* Mn in Unicode 8, Mc since */
        return true;
    return category(cp) == UTF8PROC_CATEGORY_MN && !is_after_unicode_8(cp);
}

bool gm_cp_hf_is_digit(uint32_t cp)
{
    utf8proc_category_t c = category(cp); /* all numbers new in Unicode 16 are digits */
    return c == UTF8PROC_CATEGORY_ND ||
           (c == UTF8PROC_CATEGORY_CN && gm_cp_differs(GM_CP_NEW_NUMBERS, cp));
}

bool gm_cp_hf_is_letter(uint32_t cp)
{
    utf8proc_category_t c = category(cp);
    return (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO) ||
           (c == UTF8PROC_CATEGORY_CN && gm_cp_differs(GM_CP_NEW_LETTERS, cp));
}

bool gm_cp_hf_is_number(uint32_t cp)
{
    utf8proc_category_t c = category(cp);
    return (c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO) ||
           (c == UTF8PROC_CATEGORY_CN && gm_cp_differs(GM_CP_NEW_NUMBERS, cp));
}

bool gm_cp_hf_is_word(uint32_t cp)
{
    utf8proc_category_t c = category(cp);
    return (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_NL) || c == UTF8PROC_CATEGORY_PC ||
           gm_cp_differs(GM_CP_WORD_NOT_BY_CATEGORY, cp);
}

bool gm_cp_hf_is_combining(uint32_t cp)
{
    if (cp == 0x1CF2 || cp == 0x1CF3) /* marks then, letters since */
        return true;
    return gm_cp_is_any_mark(cp) && !gm_cp_differs(GM_CP_NEWER_MARKS, cp);
}

/* Capitals newer than utf8proc's tables whose small letters the library knows. */
static uint32_t lower_newer(uint32_t cp)
{
    if (cp < 0x1C89)
        return cp;
    if (cp >= 0x10D50 && cp <= 0x10D65)
        return cp + 0x20;
    if (cp >= 0x16EA0 && cp <= 0x16EB8)
        return cp + 0x1B;
    switch (cp) {
    case 0x1C89:
    case 0xA7CC:
    case 0xA7CE:
    case 0xA7D2:
    case 0xA7D4:
    case 0xA7DA: return cp + 1;
    case 0xA7CB: return 0x264;
    case 0xA7DC: return 0x19B;
    default: return cp;
    }
}

size_t gm_cp_lower(uint32_t cp, uint32_t out[GM_CP_PARTS])
{
    out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
    if (out[0] == cp)
        out[0] = lower_newer(cp);
    if (cp != 0x130) /* the only code point whose lower case is two: I with a dot above */
        return 1;
    out[0] = 'i';
    out[1] = 0x307;
    return 2;
}

size_t gm_cp_decompose(uint32_t cp, uint32_t out[GM_CP_PARTS])
{
    utf8proc_int32_t parts[GM_CP_PARTS];
    utf8proc_ssize_t n = 1;
    out[0] = cp;
    if (cp < 0xC0 || cp == 0x11938) /* U+11938 is newer than the library's tables */
        return 1;
    n = utf8proc_decompose_char((utf8proc_int32_t)cp, parts, GM_CP_PARTS, UTF8PROC_DECOMPOSE, NULL);
    if (n < 1 || n > GM_CP_PARTS)
        return 1; /* utf8proc takes it for no character: it stays as it is */
    for (utf8proc_ssize_t i = 0; i < n; i++)
        out[i] = (uint32_t)parts[i];
    return (size_t)n;
}

size_t gm_cp_hf_decompose_compatible(uint32_t cp, uint32_t out[GM_CP_COMPATIBLE_PARTS])
{
    utf8proc_int32_t parts[GM_CP_COMPATIBLE_PARTS];
    out[0] = cp;
    if (cp < 0xA0 || cp == 0x11938 || gm_cp_differs(GM_CP_NEWER_COMPATIBLE, cp))
        return 1;
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)cp, parts, GM_CP_COMPATIBLE_PARTS,
                                UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, NULL);
    if (n < 1 || n > GM_CP_COMPATIBLE_PARTS)
        return 1;
    for (utf8proc_ssize_t i = 0; i < n; i++)
        out[i] = (uint32_t)parts[i];
    return (size_t)n;
}

uint32_t gm_cp_hf_compose(uint32_t a, uint32_t b)
{
    utf8proc_int32_t both[3] = {(utf8proc_int32_t)a, (utf8proc_int32_t)b};
    if (b < 0x300) /* no second part of a composition is below */
        return 0;
    if (utf8proc_normalize_utf32(both, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) != 1)
        return 0;
    return both[0] == 0x11938 ? 0 : (uint32_t)both[0]; /* newer than the library's tables */
}

unsigned gm_cp_hf_combining_class(uint32_t cp)
{
    unsigned class = (unsigned)utf8proc_get_property((utf8proc_int32_t)cp)->combining_class;
    return class && gm_cp_differs(GM_CP_NEWER_CLASSES, cp) ? 0 : class;
}

bool gm_cp_is_grapheme_end(uint32_t before, uint32_t after, int32_t *state)
{
    return utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)after,
                                            state);
}

unsigned gm_cp_columns(uint32_t cp)
{
    int n = utf8proc_charwidth((utf8proc_int32_t)cp);
    return n > 0 ? (unsigned)n : 0;
}
