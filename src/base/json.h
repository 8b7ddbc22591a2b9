/* json.h - JSON values (RFC 8259); json.c is the only user of jansson.
 *
 * Ownership: a value from gm_json_parse/load/new_* is yours until gm_json_free or until it is given
 * to gm_json_set / gm_json_add, which always take it over, also when they fail. What get/at return
 * is borrowed from its parent. Accessors accept NULL (as if the value were absent).
 * A value belongs to one thread at a time; reading one from many threads is fine. */
#ifndef GM_BASE_JSON_H
#define GM_BASE_JSON_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct gm_arena;
struct gm_json;

enum gm_json_kind {
    GM_JSON_NONE, /* NULL was given */
    GM_JSON_NULL,
    GM_JSON_BOOL,
    GM_JSON_INT,
    GM_JSON_REAL,
    GM_JSON_STRING,
    GM_JSON_ARRAY,
    GM_JSON_OBJECT
};

/* gm_json_parse - one value and nothing behind it. `text` must be valid UTF-8 (see gm_utf8_repair).
 * Errors: FORMAT with "line:column: reason"; nesting is limited to 2048 levels; NOMEM. */
enum gm_status gm_json_parse(struct gm_json **out, struct gm_str text,
                             struct gm_error *err) GM_NODISCARD;
/* gm_json_parse_lenient - the same for data that other programs wrote: half a surrogate pair becomes
 * U+FFFD; NaN, Infinity and numbers that no value can hold become strings of the same characters, so
 * that they are kept where nobody reads them and named as wrong where a number is wanted; a byte order
 * mark at the beginning is left away. */
enum gm_status gm_json_parse_lenient(struct gm_json **out, struct gm_str text,
                                     struct gm_error *err) GM_NODISCARD;
/* gm_json_load - gm_json_parse of a file of at most max_bytes; messages start with the path. Errors: IO,
 * FORMAT, NOMEM (out of memory, or a larger file). */
enum gm_status gm_json_load(struct gm_json **out, const char *path, size_t max_bytes,
                            struct gm_error *err) GM_NODISCARD;
/* gm_json_save - write to a file of at most max_bytes, indented and with a line end, whole or not at
 * all. Errors: IO, NOMEM. */
enum gm_status gm_json_save(const struct gm_json *j, const char *path, size_t max_bytes,
                            struct gm_error *err) GM_NODISCARD;
void gm_json_free(struct gm_json *j); /* NULL-safe */
/* gm_json_ref - another reference to the same value (not a deep copy); freed on its own. */
struct gm_json *gm_json_ref(const struct gm_json *j);

enum gm_json_kind gm_json_kind(const struct gm_json *j);
const char *gm_json_kind_name(enum gm_json_kind k); /* "a string", "an object", … for messages */
struct gm_json *gm_json_get(const struct gm_json *object, const char *key); /* NULL when absent */
struct gm_json *gm_json_at(const struct gm_json *array, size_t i);
size_t gm_json_count(const struct gm_json *j); /* of an array or object; else 0 */
/* Typed readers: false (and *out untouched) when j is absent or of another kind. */
bool gm_json_str(const struct gm_json *j, struct gm_str *out); /* borrowed, NUL-ended */
bool gm_json_num(const struct gm_json *j, double *out);        /* int or real */
bool gm_json_int(const struct gm_json *j, long long *out);
bool gm_json_bool(const struct gm_json *j, bool *out);

/* gm_json_text - *out = a copy, in the arena, of the text that `object` has under `key`; NULL where
 * it has none and none is required. Errors: FORMAT (another kind, or empty), NOMEM. */
enum gm_status gm_json_text(const char **out, const struct gm_json *object, const char *key,
                            bool required, struct gm_arena *a, struct gm_error *err) GM_NODISCARD;

/* Iterating an object in order of insertion:
 *   for (void *it = gm_json_first(o); it; it = gm_json_next(o, it)) gm_json_key(it) … gm_json_value(it) */
void *gm_json_first(const struct gm_json *object);
void *gm_json_next(const struct gm_json *object, void *it);
struct gm_str gm_json_key(void *it);
struct gm_json *gm_json_value(void *it);

/* Building; each returns NULL when memory is out (strings: also when not valid UTF-8). */
struct gm_json *gm_json_new_object(void);
struct gm_json *gm_json_new_array(void);
struct gm_json *gm_json_new_str(struct gm_str s);
struct gm_json *gm_json_new_num(double x); /* NULL for NaN and infinities */
struct gm_json *gm_json_new_int(long long x);
struct gm_json *gm_json_new_bool(bool x);
struct gm_json *gm_json_new_null(void);
/* gm_json_set, gm_json_add - put `value` into an object or array, taking it over. A NULL value (a
 * failed gm_json_new_*) gives false, so that a chain of them needs one check. */
bool gm_json_set(struct gm_json *object, const char *key, struct gm_json *value);
bool gm_json_add(struct gm_json *array, struct gm_json *value);
/* gm_json_remove - take a member out of an object; nothing where it has none. */
void gm_json_remove(struct gm_json *object, const char *key);

/* gm_json_write - append j as text: compact on one line, or indented by two spaces when `pretty`.
 * Numbers are the shortest text that reads back as the same double. */
enum gm_status gm_json_write(const struct gm_json *j, bool pretty, struct gm_buf *out,
                             struct gm_error *err) GM_NODISCARD;
/* gm_json_write_str - append s as a JSON string with its quotes. */
enum gm_status gm_json_write_str(struct gm_str s, struct gm_buf *out,
                                 struct gm_error *err) GM_NODISCARD;

#endif
