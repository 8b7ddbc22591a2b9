/* json_scan.h - find and read a vocabulary in the text of a tokenizer.json without building a value
 * for each of its tens of thousands of members, which takes most of a tokenizer's loading time
 * (22 ms of 31 for 30,522 tokens). Everything else in the file goes through base/json.
 * Internal to src/base. */
#ifndef GM_BASE_JSON_SCAN_H
#define GM_BASE_JSON_SCAN_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* gm_scan_member - where the value of member `key` starts: *value is the text from there on, of the
 * object that `json` starts with; false when it has none or `json` starts with no object. Malformed
 * JSON gives some answer or false, never a crash. Cost: what stands before the member. */
bool gm_scan_member(struct gm_str json, const char *key, struct gm_str *value);

/* gm_scan_value - the text of the value that `json` starts with, without what follows it. */
struct gm_str gm_scan_value(struct gm_str json);

/* gm_scan_score - in the text of a list of [string, number] pairs that is valid JSON, the text of the
 * next pair's number; *at is 0 before the first pair. false: no such pair is next. */
bool gm_scan_score(struct gm_str list, size_t *at, struct gm_str *number);

/* Reading an object of strings to integers, member by member. */
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
