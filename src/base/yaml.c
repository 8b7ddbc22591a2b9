#include "base/yaml.h"

#include "base/file.h"

#include <string.h>
#include <yaml.h>

enum { MAX_DEPTH = 64, MAX_BYTES = 1 << 20 };

struct gm_yaml_line {
    const struct gm_json *parent;
    const char *key; /* NULL in a sequence */
    size_t index, line;
};

struct reader {
    yaml_parser_t parser;
    const char *path;
    struct gm_yaml_lines *lines; /* NULL = nobody asks */
    struct gm_error *err;
};

static enum gm_status bad(struct reader *r, yaml_mark_t at, const char *what)
{
    return GM_FAIL(r->err, GM_EFORMAT, "%s:%zu:%zu: %s", r->path, at.line + 1, at.column + 1, what);
}

static enum gm_status next(struct reader *r, yaml_event_t *e)
{
    if (yaml_parser_parse(&r->parser, e))
        return GM_OK;
    if (r->parser.error == YAML_MEMORY_ERROR)
        return GM_FAIL(r->err, GM_ENOMEM, "%s: out of memory", r->path);
    return bad(r, r->parser.problem_mark, r->parser.problem ? r->parser.problem : "not valid YAML");
}

static bool has_anchor_or_tag(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT: return e->data.scalar.anchor || e->data.scalar.tag;
    case YAML_MAPPING_START_EVENT: return e->data.mapping_start.anchor || e->data.mapping_start.tag;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.anchor || e->data.sequence_start.tag;
    default: return false;
    }
}

static struct gm_json *scalar(const yaml_event_t *e)
{
    struct gm_str s = {(const char *)e->data.scalar.value, e->data.scalar.length};
    long long i;
    double d;
    if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return gm_json_new_str(s);
    if (s.n == 0 || gm_str_eq_c(s, "null") || gm_str_eq_c(s, "~"))
        return gm_json_new_null();
    if (gm_str_eq_c(s, "true") || gm_str_eq_c(s, "false"))
        return gm_json_new_bool(s.p[0] == 't');
    if (gm_str_to_int(s, &i))
        return gm_json_new_int(i);
    return gm_str_to_double(s, &d) ? gm_json_new_num(d) : gm_json_new_str(s);
}

static enum gm_status note_line(struct reader *r, const struct gm_json *parent, const char *key,
                                yaml_mark_t at)
{
    struct gm_yaml_lines *l = r->lines;
    struct gm_str copy = {NULL, 0};
    if (!l)
        return GM_OK;
    enum gm_status st = GM_ARENA_GROW(&l->arena, l->items, l->n, l->cap, r->err);
    if (st != GM_OK)
        return st;
    if (key && !(copy = gm_arena_str(&l->arena, gm_str(key))).p)
        return GM_FAIL(r->err, GM_ENOMEM, "out of memory");
    l->items[l->n++] = (struct gm_yaml_line){parent, copy.p, gm_json_count(parent), at.line + 1};
    return GM_OK;
}

static enum gm_status value(struct reader *r, yaml_event_t *e, int depth, struct gm_json **out);

/* The members of a sequence or mapping, up to its end event. */
static enum gm_status members(struct reader *r, bool mapping, int depth, struct gm_json *into)
{
    enum gm_status st = GM_OK;
    yaml_event_type_t end = mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    yaml_event_t key = {0}, e = {0};
    for (;;) {
        struct gm_json *v = NULL;
        GM_TRY(next(r, mapping ? &key : &e));
        yaml_event_t *first = mapping ? &key : &e;
        if (first->type == end)
            break;
        if (mapping) {
            if (key.type != YAML_SCALAR_EVENT || has_anchor_or_tag(&key)) {
                st = bad(r, key.start_mark, "a key must be a plain word");
                goto done;
            }
            if (gm_json_get(into, (const char *)key.data.scalar.value)) {
                st = bad(r, key.start_mark, "this key is here twice");
                goto done;
            }
            GM_TRY(next(r, &e));
        }
        GM_TRY(note_line(r, into, mapping ? (const char *)key.data.scalar.value : NULL,
                         first->start_mark));
        GM_TRY(value(r, &e, depth + 1, &v));
        bool ok = mapping ? gm_json_set(into, (const char *)key.data.scalar.value, v)
                          : gm_json_add(into, v);
        if (!ok) {
            st = GM_FAIL(r->err, GM_ENOMEM, "out of memory");
            goto done;
        }
        yaml_event_delete(&key);
        yaml_event_delete(&e);
    }
done:
    yaml_event_delete(&key);
    yaml_event_delete(&e);
    return st;
}

static enum gm_status value(struct reader *r, yaml_event_t *e, int depth, struct gm_json **out)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    *out = NULL;
    if (depth > MAX_DEPTH)
        return bad(r, e->start_mark, "nested too deeply");
    if (has_anchor_or_tag(e))
        return bad(r, e->start_mark, "anchors and tags are not supported");
    switch (e->type) {
    case YAML_SCALAR_EVENT: j = scalar(e); break;
    case YAML_MAPPING_START_EVENT: j = gm_json_new_object(); break;
    case YAML_SEQUENCE_START_EVENT: j = gm_json_new_array(); break;
    default:
        return bad(r, e->start_mark, "expected a value (anchors and aliases are not supported)");
    }
    if (!j)
        return GM_FAIL(r->err, GM_ENOMEM, "out of memory, or text that is not UTF-8");
    if (e->type != YAML_SCALAR_EVENT)
        st = members(r, e->type == YAML_MAPPING_START_EVENT, depth, j);
    if (st == GM_OK)
        *out = j;
    else
        gm_json_free(j);
    return st;
}

enum gm_status gm_yaml_load_lines(struct gm_json **out, struct gm_yaml_lines *lines,
                                  const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct reader r = {.path = path, .lines = lines, .err = err};
    struct gm_buf text;
    struct gm_json *j = NULL;
    yaml_event_t e = {0};
    *out = NULL;
    gm_buf_init(&text, MAX_BYTES);
    if (!yaml_parser_initialize(&r.parser))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(gm_file_read(path, &text, err));
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
    /* stream start, document start, the value, document end, stream end */
    for (int i = 0; i < 2; i++) {
        yaml_event_delete(&e);
        GM_TRY(next(&r, &e));
        if (e.type == YAML_STREAM_END_EVENT) {
            st = GM_FAIL(err, GM_EFORMAT, "%s: empty file", path);
            goto done;
        }
    }
    yaml_event_delete(&e);
    GM_TRY(next(&r, &e));
    GM_TRY(value(&r, &e, 0, &j));
    for (int i = 0; i < 2; i++) {
        yaml_event_delete(&e);
        GM_TRY(next(&r, &e));
    }
    if (e.type != YAML_STREAM_END_EVENT) {
        st = bad(&r, e.start_mark, "a second document; one is allowed");
        goto done;
    }
    *out = j;
    j = NULL;
done:
    yaml_event_delete(&e);
    yaml_parser_delete(&r.parser);
    gm_json_free(j);
    gm_buf_clear(&text);
    return st;
}

enum gm_status gm_yaml_load(struct gm_json **out, const char *path, struct gm_error *err)
{
    return gm_yaml_load_lines(out, NULL, path, err);
}

void gm_yaml_lines_init(struct gm_yaml_lines *l)
{
    *l = (struct gm_yaml_lines){.n = 0};
    gm_arena_init(&l->arena, 0);
}

void gm_yaml_lines_clear(struct gm_yaml_lines *l)
{
    gm_arena_clear(&l->arena);
    gm_yaml_lines_init(l);
}

size_t gm_yaml_line_of(const struct gm_yaml_lines *l, const struct gm_json *mapping,
                       const char *key)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->items[i].parent == mapping && l->items[i].key && strcmp(l->items[i].key, key) == 0)
            return l->items[i].line;
    return 0;
}

size_t gm_yaml_line_at(const struct gm_yaml_lines *l, const struct gm_json *sequence, size_t i)
{
    for (size_t k = 0; k < l->n; k++)
        if (l->items[k].parent == sequence && !l->items[k].key && l->items[k].index == i)
            return l->items[k].line;
    return 0;
}
