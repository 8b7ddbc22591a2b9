/* unicode.h - properties of code points; unicode.c is the only user of utf8proc.
 * Every function takes any value up to 0x10FFFF, is pure and safe from any thread. */
#ifndef GM_TEXT_UNICODE_H
#define GM_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* gm_cp_is_upper, gm_cp_is_lower, gm_cp_is_alnum - general categories Lu and Lt; Ll; L* and N*. */
bool gm_cp_is_upper(uint32_t cp);
bool gm_cp_is_lower(uint32_t cp);
bool gm_cp_is_alnum(uint32_t cp);
/* gm_cp_is_any_mark - general categories M*. */
bool gm_cp_is_any_mark(uint32_t cp);

/* gm_cp_unspaced - whether a letter or mark is of a script that is written without spaces between words, and how
 * its words are found: each character for itself can be one (Chinese, Japanese), or only a dictionary finds them
 * (Thai, Lao, Myanmar, Khmer and their neighbours: line breaking class SA of UAX 14). */
enum gm_unspaced { GM_SPACED, GM_UNSPACED_CHARACTERS, GM_UNSPACED_SYLLABLES };
enum gm_unspaced gm_cp_unspaced(uint32_t cp);

/* The same questions as the `tokenizers` library answers them: its tables of general categories are
 * those of Unicode 8 (2015), so that what was added to Unicode later has no category. Equal answers
 * matter more than right ones, as models were trained on the library's output.
 *   is_control  Cc, Cf, Cs, Co      is_punct  P* and every ASCII symbol      is_mark  Mn */
bool gm_cp_hf_is_control(uint32_t cp);
bool gm_cp_hf_is_punct(uint32_t cp);
bool gm_cp_hf_is_mark(uint32_t cp);

/* As its regular expressions see code points: \p{L}, \p{N}, \w (\s is gm_cp_is_space of base/utf8.h), and as its
 * normaliser StripAccents sees them: combining marks (M*). */
bool gm_cp_hf_is_letter(uint32_t cp);
bool gm_cp_hf_is_number(uint32_t cp);
bool gm_cp_hf_is_word(uint32_t cp);
bool gm_cp_hf_is_combining(uint32_t cp);
/* \d: general category Nd. */
bool gm_cp_hf_is_digit(uint32_t cp);

enum { GM_CP_PARTS = 4 }; /* most code points that one decomposes to, or that a capital lowers to */

/* gm_cp_lower - full lower-case mapping without context; returns the 1-2 code points written. */
size_t gm_cp_lower(uint32_t cp, uint32_t out[GM_CP_PARTS]);
/* gm_cp_decompose - full canonical decomposition (one step of NFD: marks are not yet put in order);
 * returns the 1-4 code points written. */
size_t gm_cp_decompose(uint32_t cp, uint32_t out[GM_CP_PARTS]);
/* gm_cp_hf_decompose_compatible - the same for compatibility decompositions (NFKD), as far as the
 * library knows them; returns the 1-18 code points written. */
enum { GM_CP_COMPATIBLE_PARTS = 32 };
size_t gm_cp_hf_decompose_compatible(uint32_t cp, uint32_t out[GM_CP_COMPATIBLE_PARTS]);
/* gm_cp_hf_compose - the code point that `a` and `b` compose to canonically; 0 = none. */
uint32_t gm_cp_hf_compose(uint32_t a, uint32_t b);
/* gm_cp_hf_combining_class - canonical combining class, 0 for starters and for what the library
 * takes for one as it is newer than its tables. */
unsigned gm_cp_hf_combining_class(uint32_t cp);
/* gm_cp_is_grapheme_end - whether a grapheme cluster ends between two code points that follow each
 * other (UAX 29); *state is 0 at the start of the text. */
bool gm_cp_is_grapheme_end(uint32_t before, uint32_t after, int32_t *state);
/* gm_cp_columns - columns of a terminal that it takes: 0 (marks, controls), 1 or 2 (East Asian). */
unsigned gm_cp_columns(uint32_t cp);

#endif
