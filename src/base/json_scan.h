/* json_scan.h - walking through the text of JSON without building its values: what the readers of
 * large files (a tokenizer's vocabulary, COCO, Label Studio), the guess at a file's format and the
 * lenient parsers have in common. Nothing here judges JSON: brackets are counted and strings passed;
 * malformed text gives some answer, never a crash. Positions are bytes of the text. */
#ifndef GM_BASE_JSON_SCAN_H
#define GM_BASE_JSON_SCAN_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GM_SCAN_DEPTH_MAX = 2048 };

/* gm_scan_space - the first byte from `at` on that is no white space of JSON. */
size_t gm_scan_space(struct gm_str s, size_t at);

/* gm_scan_string - from the quote at *at past the one that ends the string; false when a line or the text
 * ends first: *at is there then. */
bool gm_scan_string(struct gm_str s, size_t *at);

/* gm_scan_skip - past the value at *at, to what ends it; malformed values are passed, too. */
enum gm_scan_end {
    GM_SCAN_AT_SIGN, /* *at is at the comma or closing bracket behind it */
    GM_SCAN_AT_END,  /* the text ends behind it */
    GM_SCAN_CUT,     /* the text ends within its brackets */
    GM_SCAN_STRING,  /* a string of it does not end; *at is where its line or the text does */
    GM_SCAN_DEEP     /* over GM_SCAN_DEPTH_MAX levels; *at is at the bracket */
};
enum gm_scan_end gm_scan_skip(struct gm_str s, size_t *at);

/* gm_scan_key - the key at *at, without quotes and with its escapes, and past the colon and the white
 * space behind it; false when there is none: *at is then as it was. */
bool gm_scan_key(struct gm_str s, size_t *at, struct gm_str *key);

/* gm_scan_escape - the code point of the escape whose backslash is at *at, and past it; both halves of a
 * surrogate pair are one. A half alone is given as it is: gm_utf8_put makes U+FFFD of it. false: no
 * escape of JSON; *at is then as it was. */
bool gm_scan_escape(struct gm_str s, size_t *at, uint32_t *cp);
bool gm_is_surrogate(uint32_t cp);

/* gm_scan_member - where the value of member `key` starts: *value is the text from there on, of the
 * object that `json` starts with; false when it has none or `json` starts with no object. Cost: what
 * stands before the member. */
bool gm_scan_member(struct gm_str json, const char *key, struct gm_str *value);

/* gm_scan_value - the text of the value that `json` starts with, without what follows it. */
struct gm_str gm_scan_value(struct gm_str json);

/* gm_scan_score - in the text of a list of [string, number] pairs that is valid JSON, the text of the
 * next pair's number; *at is 0 before the first pair. false: no such pair is next. */
bool gm_scan_score(struct gm_str list, size_t *at, struct gm_str *number);

/* Reading an object of strings to integers, member by member: a vocabulary has tens of thousands, and a
 * value for each took most of a tokenizer's loading time (22 ms of 31 for 30,522 tokens). */
struct gm_scan_pairs {
    struct gm_str text; /* of the object */
    size_t at;          /* 0 = before the first member */
    struct gm_buf *key; /* caller's; holds the last key where it was written with escapes */
};
/* gm_scan_next - the next member; *has is false at the end. `key` is valid until the next call.
 * Errors: FORMAT with the byte offset in the object's text (anything but JSON of that form, or not
 * UTF-8), NOMEM. */
enum gm_status gm_scan_next(struct gm_scan_pairs *p, struct gm_str *key, long long *value,
                            bool *has, struct gm_error *err) GM_NODISCARD;

#endif
