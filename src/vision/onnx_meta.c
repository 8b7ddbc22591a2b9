/* An ONNX file is a protobuf message ModelProto; its field 14, metadata_props, is repeated and holds
 * messages of a key (field 1) and a value (field 2). All other fields are stepped over. */
#include "vision/onnx_meta.h"

#include "base/file.h"

#include <stdbool.h>

enum { METADATA = 14, KEY = 1, VALUE = 2 };

/* A protobuf message that is read field by field. */
struct message {
    struct gm_str left; /* what is not read yet */
    unsigned field;     /* of the last field read */
    struct gm_str text; /* its bytes, when it has some */
};

static bool take_number(struct gm_str *s, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; s->n && shift < 64; shift += 7) {
        unsigned char c = (unsigned char)s->p[0];
        *s = gm_str_sub(*s, 1, s->n);
        *out |= (uint64_t)(c & 127) << shift;
        if (c < 128)
            return true;
    }
    return false;
}

/* The next field; false at the end, and where the bytes are no message. */
static bool next(struct message *m)
{
    uint64_t tag, n = 0;
    if (!take_number(&m->left, &tag) || tag >> 3 > UINT32_MAX)
        return false;
    m->field = (unsigned)(tag >> 3);
    m->text = (struct gm_str){m->left.p, 0};
    switch (tag & 7) {
    case 0: return take_number(&m->left, &n);
    case 1: n = 8; break;
    case 5: n = 4; break;
    case 2:
        if (!take_number(&m->left, &n))
            return false;
        break;
    default: return false;
    }
    if (n > m->left.n)
        return false;
    m->text = gm_str_sub(m->left, 0, (size_t)n);
    m->left = gm_str_sub(m->left, (size_t)n, m->left.n);
    return true;
}

/* The value of an entry whose key is `key`. */
static bool value_of(struct gm_str entry, const char *key, struct gm_str *out)
{
    struct message m = {.left = entry};
    struct gm_str name = {NULL, 0}, value = {NULL, 0};
    while (next(&m)) {
        if (m.field == KEY)
            name = m.text;
        if (m.field == VALUE)
            value = m.text;
    }
    *out = value;
    return gm_str_eq_c(name, key);
}

enum gm_status gm_onnx_meta(struct gm_arena *a, const char *path, const char *key,
                            struct gm_str *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_map map = {NULL, 0};
    struct gm_str value;
    GM_TRY(gm_map_open(&map, path, err));
    struct message m = {.left = {(const char *)map.p, map.n}};
    while (next(&m)) {
        if (m.field != METADATA || !value_of(m.text, key, &value))
            continue;
        *out = gm_arena_str(a, value);
        st = out->p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "%s: out of memory", path);
        goto done;
    }
    st = GM_FAIL(err, GM_EMODEL, "%s: no ONNX file with the metadata \"%s\": another model?", path,
                 key);
done:
    gm_map_close(&map);
    return st;
}
