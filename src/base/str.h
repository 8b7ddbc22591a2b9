/* str.h - strings as views: a pointer and a length, passed by value, never owning, not
 * necessarily ended by NUL. */
#ifndef GM_BASE_STR_H
#define GM_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gm_str {
    const char *p;
    size_t n; /* bytes */
};

#define GM_STR(literal) ((struct gm_str){(literal), sizeof(literal) - 1})
#define GM_STR_ARG(s) (int)(s).n, (s).p /* for "%.*s" */

/* gm_str - view of a C string; NULL gives the empty view. */
struct gm_str gm_str(const char *s);
bool gm_str_eq(struct gm_str a, struct gm_str b);
bool gm_str_eq_c(struct gm_str a, const char *b);
bool gm_str_starts(struct gm_str s, struct gm_str prefix);
bool gm_str_ends(struct gm_str s, struct gm_str suffix);
/* gm_str_cmp - order by bytes, as memcmp, the shorter first. */
int gm_str_cmp(struct gm_str a, struct gm_str b);
/* gm_str_sub - bytes [from, to), clipped to the string. */
struct gm_str gm_str_sub(struct gm_str s, size_t from, size_t to);
/* gm_str_trim - without ASCII white space at both ends. */
struct gm_str gm_str_trim(struct gm_str s);
/* gm_str_find - byte offset of needle at or after `from`; SIZE_MAX when absent. */
size_t gm_str_find(struct gm_str s, struct gm_str needle, size_t from);
/* gm_str_cut - split at the first `sep`: *head is what is before it, *tail what is after it.
 * Without sep: head = s, tail empty, false. */
bool gm_str_cut(struct gm_str s, char sep, struct gm_str *head, struct gm_str *tail);
/* gm_is_word_byte - whether a byte of UTF-8 belongs to a word: ASCII letters and digits, and every byte
 * of the other scripts. */
bool gm_is_word_byte(char c);
/* gm_is_space_byte - ASCII white space: blank, tab, the ends of lines, vertical tab and form feed. */
bool gm_is_space_byte(char c);
/* gm_str_is_one_of - whether it is one of the words, of which the last is NULL. */
bool gm_str_is_one_of(struct gm_str s, const char *const *words);
/* gm_str_hash - 64-bit FNV-1a, for hash tables; stable over runs. */
uint64_t gm_str_hash(struct gm_str s);

/* Strict numbers in decimal digits: the whole string or false (*out is then anything); no white space, range
 * checked, no locale, never NaN or infinity. A longer text than 31 (int) or 63 bytes (double) is none. */
bool gm_str_to_int(struct gm_str s, long long *out);
bool gm_str_to_double(struct gm_str s, double *out);

#endif
