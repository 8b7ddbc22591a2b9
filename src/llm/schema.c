#include "llm/schema.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

enum { PLACE_MAX = 200 };

static bool kind_fits(const char *type, enum gm_json_kind k)
{
    switch (k) {
    case GM_JSON_OBJECT: return strcmp(type, "object") == 0;
    case GM_JSON_ARRAY: return strcmp(type, "array") == 0;
    case GM_JSON_STRING: return strcmp(type, "string") == 0;
    case GM_JSON_BOOL: return strcmp(type, "boolean") == 0;
    case GM_JSON_INT: return strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
    case GM_JSON_REAL: return strcmp(type, "number") == 0;
    case GM_JSON_NULL: return strcmp(type, "null") == 0;
    case GM_JSON_NONE: break;
    }
    return false;
}

static bool is_keyword(struct gm_str key)
{
    static const char *const known[] = {
        "type",    "properties", "required",  "additionalProperties",
        "items",   "minItems",   "maxItems",  "enum",
        "minimum", "maximum",    "minLength", "maxLength",
        "title",   "description"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (gm_str_eq_c(key, known[i]))
            return true;
    return false;
}

static enum gm_status check_keywords(const struct gm_json *schema, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    static const char *const types[] = {"object",  "array",  "string", "boolean",
                                        "integer", "number", "null"};
    struct gm_str type;
    size_t i = 0;
    if (!gm_json_str(gm_json_get(schema, "type"), &type))
        return GM_FAIL(err, GM_EFORMAT, "a schema needs a \"type\", one name");
    while (i < sizeof types / sizeof *types && !gm_str_eq_c(type, types[i]))
        i++;
    if (i == sizeof types / sizeof *types)
        return GM_FAIL(err, GM_EFORMAT, "unknown type \"%.*s\" in a schema", GM_STR_ARG(type));
    for (void *it = gm_json_first(schema); it; it = gm_json_next(schema, it))
        if (!is_keyword(gm_json_key(it)))
            return GM_FAIL(err, GM_EFORMAT, "the keyword \"%.*s\" of a schema is not understood",
                           GM_STR_ARG(gm_json_key(it)));
    const struct gm_json *props = gm_json_get(schema, "properties");
    for (void *it = gm_json_first(props); it; it = gm_json_next(props, it))
        GM_TRY(check_keywords(gm_json_value(it), err));
    if (gm_json_get(schema, "items"))
        GM_TRY(check_keywords(gm_json_get(schema, "items"), err));
done:
    return st;
}

enum gm_status gm_schema_parse(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    struct gm_json *j = NULL;
    *out = NULL;
    enum gm_status st = gm_json_parse(&j, text, err);
    if (st == GM_OK)
        st = check_keywords(j, err);
    if (st == GM_OK)
        *out = j;
    else
        gm_json_free(j);
    return st;
}

/* Whether x keeps the limits that the keywords `min` and `max` give. */
static bool in_range(const struct gm_json *schema, const char *min, const char *max, double x)
{
    double limit;
    if (gm_json_num(gm_json_get(schema, min), &limit) && x < limit)
        return false;
    return !gm_json_num(gm_json_get(schema, max), &limit) || x <= limit;
}

/* Where in the answer a value stands: "$.boxes[2]", written only when something is wrong there. */
struct place {
    const struct place *up; /* NULL = the answer itself, "$" */
    const char *member;     /* NULL = an element of an array */
    size_t i;
};

static void write_place(const struct place *p, char out[PLACE_MAX])
{
    if (!p->up) {
        snprintf(out, PLACE_MAX, "$");
        return;
    }
    write_place(p->up, out);
    size_t n = strlen(out);
    if (p->member)
        snprintf(out + n, PLACE_MAX - n, ".%.60s", p->member);
    else
        snprintf(out + n, PLACE_MAX - n, "[%zu]", p->i);
}

static enum gm_status fail_at(const struct place *p, struct gm_error *err, const char *fmt, ...)
    GM_PRINTF(3, 4);
static enum gm_status fail_at(const struct place *p, struct gm_error *err, const char *fmt, ...)
{
    char place[PLACE_MAX], what[PLACE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    write_place(p, place);
    return GM_FAIL(err, GM_EFORMAT, "%s%s", place, what);
}

static enum gm_status check_at(const struct gm_json *schema, const struct gm_json *v,
                               const struct place *place, struct gm_error *err);

static enum gm_status check_object(const struct gm_json *schema, const struct gm_json *v,
                                   const struct place *place, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *props = gm_json_get(schema, "properties");
    const struct gm_json *required = gm_json_get(schema, "required");
    struct gm_str name;
    bool more = true;
    for (size_t i = 0; i < gm_json_count(required); i++)
        if (gm_json_str(gm_json_at(required, i), &name) && !gm_json_get(v, name.p))
            return fail_at(place, err, ".%s: is missing", name.p);
    (void)gm_json_bool(gm_json_get(schema, "additionalProperties"), &more);
    for (void *it = gm_json_first(v); it; it = gm_json_next(v, it)) {
        name = gm_json_key(it);
        const struct gm_json *sub = gm_json_get(props, name.p);
        if (!sub && !more)
            return fail_at(place, err, ": has the unknown member \"%.60s\"", name.p);
        if (sub)
            GM_TRY(check_at(sub, gm_json_value(it), &(struct place){place, name.p, 0}, err));
    }
done:
    return st;
}

static enum gm_status check_array(const struct gm_json *schema, const struct gm_json *v,
                                  const struct place *place, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *items = gm_json_get(schema, "items");
    size_t n = gm_json_count(v);
    if (!in_range(schema, "minItems", "maxItems", (double)n))
        return fail_at(place, err, ": has %zu elements", n);
    for (size_t i = 0; items && i < n; i++)
        GM_TRY(check_at(items, gm_json_at(v, i), &(struct place){place, NULL, i}, err));
done:
    return st;
}

static enum gm_status check_string(const struct gm_json *schema, struct gm_str s,
                                   const struct place *place, struct gm_error *err)
{
    const struct gm_json *choices = gm_json_get(schema, "enum");
    if (!in_range(schema, "minLength", "maxLength", (double)gm_utf8_count(s)))
        return fail_at(place, err, ": is %zu characters long", gm_utf8_count(s));
    if (!choices)
        return GM_OK;
    for (size_t i = 0; i < gm_json_count(choices); i++) {
        struct gm_str c;
        if (gm_json_str(gm_json_at(choices, i), &c) && gm_str_eq(c, s))
            return GM_OK;
    }
    return fail_at(place, err, ": \"%.60s\" is none of the choices", s.p);
}

static enum gm_status check_at(const struct gm_json *schema, const struct gm_json *v,
                               const struct place *place, struct gm_error *err)
{
    struct gm_str type, s;
    double x;
    enum gm_json_kind k = gm_json_kind(v);
    if (gm_json_str(gm_json_get(schema, "type"), &type) && !kind_fits(type.p, k))
        return fail_at(place, err, ": is %s, not of type %s", gm_json_kind_name(k), type.p);
    if (k == GM_JSON_OBJECT)
        return check_object(schema, v, place, err);
    if (k == GM_JSON_ARRAY)
        return check_array(schema, v, place, err);
    if (gm_json_str(v, &s))
        return check_string(schema, s, place, err);
    if (gm_json_num(v, &x) && !in_range(schema, "minimum", "maximum", x))
        return fail_at(place, err, ": %g is out of range", x);
    return GM_OK;
}

enum gm_status gm_schema_check(const struct gm_json *schema, const struct gm_json *value,
                               struct gm_error *err)
{
    return check_at(schema, value, &(struct place){NULL, NULL, 0}, err);
}
