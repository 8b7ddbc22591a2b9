/* utf8.h - UTF-8 as RFC 3629 defines it. */
#ifndef GM_BASE_UTF8_H
#define GM_BASE_UTF8_H

#include "base/buf.h"
#include "base/str.h"

#include <stdint.h>

/* gm_utf8_next - decode the code point at byte *pos and move *pos past it. An ill-formed sequence
 * gives U+FFFD and moves past its maximal invalid subpart (Unicode 15, section 3.9, "U+FFFD
 * Substitution of Maximal Subparts"; Python's errors="replace"). *pos must be < s.n. */
uint32_t gm_utf8_next(struct gm_str s, size_t *pos);

/* gm_utf8_put - encode a code point (surrogates and > U+10FFFF become U+FFFD); returns the 1-4
 * bytes written to out. */
size_t gm_utf8_put(uint32_t cp, char out[4]);

/* gm_utf8_is_valid - whether s is well-formed. */
bool gm_utf8_is_valid(struct gm_str s);

/* gm_utf8_repair - append s to out, each maximal invalid subpart replaced by one U+FFFD. */
enum gm_status gm_utf8_repair(struct gm_str s, struct gm_buf *out,
                              struct gm_error *err) GM_NODISCARD;

/* gm_utf8_find_latin1 - whether ill-formed s looks like Latin-1 or Windows-1252: no two bytes of it go
 * together as UTF-8 and a byte over 127 stands beside a letter; *at is the first byte over 127. */
bool gm_utf8_find_latin1(struct gm_str s, size_t *at);

/* gm_utf8_one_line - make a C string fit for a message, in place: control characters become spaces,
 * bytes that are not well-formed (file content, or a character cut in two) '?'. */
void gm_utf8_one_line(char *s);

/* gm_utf8_count - number of code points of well-formed s. */
size_t gm_utf8_count(struct gm_str s);

/* gm_utf8_offset - byte offset of code point number `n` of well-formed s; s.n when n is past it. */
size_t gm_utf8_offset(struct gm_str s, size_t n);

/* gm_cp_is_space - whether a code point has the Unicode property White_Space. */
bool gm_cp_is_space(uint32_t cp);

#endif
