#include "base/json.h"

#include "base/arena.h"
#include "base/clocale.h"
#include "base/file.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* struct gm_json is never defined: it is jansson's json_t behind our name. */
static json_t *in(const struct gm_json *j) { return (json_t *)(uintptr_t)j; }
static struct gm_json *out_of(json_t *j) { return (struct gm_json *)j; }

/* jansson leaves out what it finds no room for (a character of a number or name, 2.14), or speaks of an
 * invalid token. So its allocations are watched: whatever it says after one failed is memory's fault. */
static json_malloc_t plain_malloc;
static _Thread_local bool memory_ran_out;

static void *watched_malloc(size_t n)
{
    void *p = plain_malloc(n);
    if (!p)
        memory_ran_out = true;
    return p;
}

/* On top of the functions that a program around this library may have set. */
static void watch(void)
{
    json_free_t plain_free;
    json_get_alloc_funcs(&plain_malloc, &plain_free);
    json_set_alloc_funcs(watched_malloc, plain_free);
}

enum gm_status gm_json_parse(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    json_error_t je;
    *out = NULL;
    pthread_once(&once, watch);
    memory_ran_out = false;
    json_t *j = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
    if (memory_ran_out) {
        json_decref(j);
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    *out = out_of(j);
    if (j)
        return GM_OK;
    return GM_FAIL(err, GM_EFORMAT, "%d:%d: not valid JSON: %s", je.line, je.column, je.text);
}

enum gm_status gm_json_load(struct gm_json **out, const char *path, size_t max_bytes,
                            struct gm_error *err)
{
    struct gm_buf b;
    gm_buf_init(&b, max_bytes);
    *out = NULL;
    enum gm_status st = gm_file_read(path, &b, err);
    if (st == GM_OK) {
        st = gm_json_parse(out, gm_buf_str(&b), err);
        if (st == GM_EFORMAT)
            gm_error_prefix(err, "%s", path);
    }
    gm_buf_clear(&b);
    return st;
}

enum gm_status gm_json_save(const struct gm_json *j, const char *path, size_t max_bytes,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf b;
    gm_buf_init(&b, max_bytes);
    GM_TRY(gm_json_write(j, true, &b, err));
    GM_TRY(gm_buf_add_c(&b, "\n", err));
    st = gm_file_write(path, gm_buf_str(&b), err);
done:
    gm_buf_clear(&b);
    return st;
}

void gm_json_free(struct gm_json *j) { json_decref(in(j)); }

struct gm_json *gm_json_ref(const struct gm_json *j) { return out_of(json_incref(in(j))); }

enum gm_json_kind gm_json_kind(const struct gm_json *j)
{
    if (!j)
        return GM_JSON_NONE;
    switch (json_typeof(in(j))) {
    case JSON_OBJECT: return GM_JSON_OBJECT;
    case JSON_ARRAY: return GM_JSON_ARRAY;
    case JSON_STRING: return GM_JSON_STRING;
    case JSON_INTEGER: return GM_JSON_INT;
    case JSON_REAL: return GM_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE: return GM_JSON_BOOL;
    case JSON_NULL: break;
    }
    return GM_JSON_NULL;
}

const char *gm_json_kind_name(enum gm_json_kind k)
{
    static const char *const names[] = {"missing",  "null",     "a boolean", "an integer",
                                        "a number", "a string", "an array",  "an object"};
    return names[k];
}

struct gm_json *gm_json_get(const struct gm_json *object, const char *key)
{
    return out_of(json_object_get(in(object), key));
}

struct gm_json *gm_json_at(const struct gm_json *array, size_t i)
{
    return out_of(json_array_get(in(array), i));
}

size_t gm_json_count(const struct gm_json *j)
{
    return json_is_object(in(j)) ? json_object_size(in(j)) : json_array_size(in(j));
}

bool gm_json_str(const struct gm_json *j, struct gm_str *out)
{
    if (!json_is_string(in(j)))
        return false;
    *out = (struct gm_str){json_string_value(in(j)), json_string_length(in(j))};
    return true;
}

bool gm_json_num(const struct gm_json *j, double *out)
{
    if (!json_is_number(in(j)))
        return false;
    *out = json_number_value(in(j));
    return true;
}

bool gm_json_int(const struct gm_json *j, long long *out)
{
    if (!json_is_integer(in(j)))
        return false;
    *out = json_integer_value(in(j));
    return true;
}

bool gm_json_bool(const struct gm_json *j, bool *out)
{
    if (!json_is_boolean(in(j)))
        return false;
    *out = json_is_true(in(j));
    return true;
}

enum gm_status gm_json_text(const char **out, const struct gm_json *object, const char *key,
                            bool required, struct gm_arena *a, struct gm_error *err)
{
    struct gm_str s;
    const struct gm_json *j = gm_json_get(object, key);
    *out = NULL;
    if (!j && !required)
        return GM_OK;
    if (!gm_json_str(j, &s) || s.n == 0)
        return GM_FAIL(err, GM_EFORMAT, "\"%s\" must be a text, but is %s", key,
                       gm_json_kind_name(gm_json_kind(j)));
    *out = gm_arena_str(a, s).p;
    return *out ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

void *gm_json_first(const struct gm_json *object) { return json_object_iter(in(object)); }

void *gm_json_next(const struct gm_json *object, void *it)
{
    return json_object_iter_next(in(object), it);
}

struct gm_str gm_json_key(void *it) { return gm_str(json_object_iter_key(it)); }

struct gm_json *gm_json_value(void *it) { return out_of(json_object_iter_value(it)); }

struct gm_json *gm_json_new_object(void) { return out_of(json_object()); }
struct gm_json *gm_json_new_array(void) { return out_of(json_array()); }
struct gm_json *gm_json_new_str(struct gm_str s) { return out_of(json_stringn(s.p, s.n)); }
struct gm_json *gm_json_new_num(double x) { return out_of(json_real(x)); }
struct gm_json *gm_json_new_int(long long x) { return out_of(json_integer(x)); }
struct gm_json *gm_json_new_bool(bool x) { return out_of(json_boolean(x)); }
struct gm_json *gm_json_new_null(void) { return out_of(json_null()); }

bool gm_json_set(struct gm_json *object, const char *key, struct gm_json *value)
{
    return json_object_set_new(in(object), key, in(value)) == 0;
}

void gm_json_remove(struct gm_json *object, const char *key)
{
    (void)json_object_del(in(object), key);
}

bool gm_json_add(struct gm_json *array, struct gm_json *value)
{
    return json_array_append_new(in(array), in(value)) == 0;
}

enum gm_status gm_json_write_str(struct gm_str s, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = gm_buf_add_c(out, "\"", err);
    size_t from = 0;
    for (size_t i = 0; i < s.n && st == GM_OK; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        GM_TRY(gm_buf_add(out, s.p + from, i - from, err));
        from = i + 1;
        const char *hit = c ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", c) : NULL;
        if (hit)
            st = gm_buf_add(out, (char[]){'\\', hit[1]}, 2, err);
        else
            st = gm_buf_printf(out, err, "\\u%04x", c);
    }
    if (st == GM_OK && from < s.n)
        st = gm_buf_add(out, s.p + from, s.n - from, err);
    if (st == GM_OK)
        st = gm_buf_add_c(out, "\"", err);
done:
    return st;
}

static enum gm_status write_real(double x, struct gm_buf *out, struct gm_error *err)
{
    char text[40];
    locale_t before = gm_c_locale();
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    gm_c_locale_end(before);
    /* ".0": it stays a real when read again */
    return gm_buf_printf(out, err, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static enum gm_status indent(bool pretty, size_t depth, struct gm_buf *out, struct gm_error *err)
{
    return pretty ? gm_buf_printf(out, err, "\n%*s", (int)(2 * depth), "") : GM_OK;
}

static enum gm_status write_value(json_t *j, bool pretty, size_t depth, struct gm_buf *out,
                                  struct gm_error *err);

static enum gm_status write_members(json_t *j, bool pretty, size_t depth, struct gm_buf *out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool object = json_is_object(j), first = true;
    void *it = object ? json_object_iter(j) : NULL;
    for (size_t i = 0; object ? it != NULL : i < json_array_size(j); i++) {
        if (!first)
            GM_TRY(gm_buf_add_c(out, pretty ? "," : ", ", err));
        first = false;
        GM_TRY(indent(pretty, depth + 1, out, err));
        if (object) {
            GM_TRY(gm_json_write_str(gm_str(json_object_iter_key(it)), out, err));
            GM_TRY(gm_buf_add_c(out, ": ", err));
        }
        GM_TRY(write_value(object ? json_object_iter_value(it) : json_array_get(j, i), pretty,
                           depth + 1, out, err));
        it = object ? json_object_iter_next(j, it) : NULL;
    }
    if (!first)
        GM_TRY(indent(pretty, depth, out, err));
done:
    return st;
}

static enum gm_status write_value(json_t *j, bool pretty, size_t depth, struct gm_buf *out,
                                  struct gm_error *err)
{
    bool object = json_is_object(j);
    switch (json_typeof(j)) {
    case JSON_STRING:
        return gm_json_write_str((struct gm_str){json_string_value(j), json_string_length(j)}, out,
                                 err);
    case JSON_INTEGER: return gm_buf_printf(out, err, "%lld", (long long)json_integer_value(j));
    case JSON_REAL: return write_real(json_real_value(j), out, err);
    case JSON_TRUE: return gm_buf_add_c(out, "true", err);
    case JSON_FALSE: return gm_buf_add_c(out, "false", err);
    case JSON_NULL: return gm_buf_add_c(out, "null", err);
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    enum gm_status st = gm_buf_add_c(out, object ? "{" : "[", err);
    if (st == GM_OK)
        st = write_members(j, pretty, depth, out, err);
    return st == GM_OK ? gm_buf_add_c(out, object ? "}" : "]", err) : st;
}

enum gm_status gm_json_write(const struct gm_json *j, bool pretty, struct gm_buf *out,
                             struct gm_error *err)
{
    return write_value(in(j), pretty, 0, out, err);
}
