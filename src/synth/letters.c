#include "synth/letters.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "text/unicode.h"

enum { N_CODE_POINTS = 0x110000, OTHER_SCRIPT = 0, LEAST_LETTERS = 1000, LEAST_STRANGE = 3 };

/* Blocks of Unicode by script; what is in none is one script together.
 * Syllables and characters are too many for all to be in some seeds. */
static const struct block {
    uint32_t first, last;
    uint8_t script;
    bool is_alphabet;
} blocks[] = {
    {0x0041, 0x024F, 1, true},   {0x1E00, 0x1EFF, 1, true},    /* Latin */
    {0x0370, 0x03FF, 2, true},   {0x1F00, 0x1FFF, 2, true},    /* Greek */
    {0x0400, 0x052F, 3, true},                                 /* Cyrillic */
    {0x0530, 0x058F, 4, true},                                 /* Armenian */
    {0x0590, 0x05FF, 5, true},                                 /* Hebrew */
    {0x0600, 0x06FF, 6, true},   {0x0750, 0x077F, 6, true},    /* Arabic */
    {0x0900, 0x097F, 7, true},                                 /* Devanagari */
    {0x0980, 0x09FF, 8, true},                                 /* Bengali */
    {0x0A00, 0x0A7F, 9, true},                                 /* Gurmukhi */
    {0x0B80, 0x0BFF, 10, true},                                /* Tamil */
    {0x0C00, 0x0C7F, 11, true},                                /* Telugu */
    {0x0E00, 0x0E7F, 12, true},                                /* Thai */
    {0x10A0, 0x10FF, 13, true},                                /* Georgian */
    {0x1200, 0x137F, 14, false},                               /* Ethiopic */
    {0x1100, 0x11FF, 15, false}, {0xAC00, 0xD7AF, 15, false},  /* Hangul */
    {0x3040, 0x309F, 16, false},                               /* Hiragana */
    {0x30A0, 0x30FF, 17, false},                               /* Katakana */
    {0x3400, 0x9FFF, 18, false}, {0x20000, 0x323AF, 18, false} /* Han */
};

static const struct block *block_of(uint32_t cp)
{
    static const struct block none = {0, 0, OTHER_SCRIPT, false};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (cp >= blocks[i].first && cp <= blocks[i].last)
            return &blocks[i];
    return &none;
}

/* The next letter, lower case; false at the end. */
static bool next_letter(struct gm_str text, size_t *at, uint32_t *out)
{
    while (*at < text.n) {
        uint32_t lower[GM_CP_PARTS], cp = gm_utf8_next(text, at);
        if (!gm_cp_hf_is_letter(cp))
            continue;
        (void)gm_cp_lower(cp, lower);
        *out = lower[0];
        return true;
    }
    return false;
}

enum gm_status gm_letters_add(struct gm_letters *l, struct gm_str text, struct gm_error *err)
{
    uint32_t cp;
    if (!l->seen && !(l->seen = gm_alloc(N_CODE_POINTS / 8, 1)))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t at = 0; next_letter(text, &at, &cp);) {
        l->seen[cp / 8] |= (uint8_t)(1u << cp % 8);
        l->by_script[block_of(cp)->script]++;
        l->n++;
    }
    return GM_OK;
}

void gm_letters_clear(struct gm_letters *l)
{
    gm_free(l->seen);
    *l = (struct gm_letters){0};
}

bool gm_letters_are_others(const struct gm_letters *l, struct gm_str text)
{
    size_t n = 0, n_other_script = 0, n_strange = 0;
    uint32_t cp;
    if (l->n == 0)
        return false;
    for (size_t at = 0; next_letter(text, &at, &cp); n++) {
        const struct block *b = block_of(cp);
        n_other_script += 100 * l->by_script[b->script] < l->n;
        n_strange += b->is_alphabet && !(l->seen[cp / 8] >> cp % 8 & 1);
    }
    return 10 * n_other_script > n ||
           (l->n >= LEAST_LETTERS && n_strange >= LEAST_STRANGE && 50 * n_strange > n);
}
