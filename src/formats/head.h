/* head.h - the beginning of a file, as a format looks at it to tell whether the file is one of its own.
 * Internal to src/formats. */
#ifndef GM_FORMATS_HEAD_H
#define GM_FORMATS_HEAD_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct gm_head {
    struct gm_str
        text;  /* at most 64 KiB, without a byte order mark; malformed and cut off as it may be */
    size_t at; /* of its first sign that is no white space */
    struct gm_str line; /* the line that it is in, from there on */
    bool is_json;       /* it starts with one of JSON's brackets */
    bool is_array;      /* the object is an array's first element */
    size_t object;      /* the brace of a JSON object that the text starts with; SIZE_MAX = none */
};

/* How well a beginning fits a format. The best of all is taken, of equals the first of the table. */
enum gm_fit {
    GM_FIT_NOT,
    GM_FIT_SHAPE, /* nothing speaks for it but how the text is laid out */
    GM_FIT_VALUE, /* the first value */
    GM_FIT_KEY,   /* one usual key */
    GM_FIT_KEYS,  /* several of them, or a line of the format's own kind */
    GM_FIT_POST   /* a post's text, which no other format has at this place */
};

/* gm_head_of - the text's. */
struct gm_head gm_head_of(struct gm_str text);

/* gm_head_key - the next key of the object; *at is 0 before the first one, and then where the key's value
 * begins, perhaps the text's end. false: there is none, or the text ends before it. */
bool gm_head_key(const struct gm_head *h, size_t *at, struct gm_str *key);

/* gm_head_keys - how many of its keys are in `names` (ending with NULL) and have a value that begins with
 * one of `signs` (NULL: with anything). */
size_t gm_head_keys(const struct gm_head *h, const char *const *names, const char *signs);

/* gm_head_is_post - the object is a record: it has a text or tokens. */
bool gm_head_is_post(const struct gm_head *h);

/* gm_head_spans_lines - whether the object goes on over a line's end. Where a file of one record a line has
 * a broken line, the next one begins a record of its own. */
bool gm_head_spans_lines(const struct gm_head *h);

#endif
