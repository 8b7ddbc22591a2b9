#include "base/base64.h"

#include <nettle/base64.h>

enum gm_status gm_base64_write(struct gm_buf *out, struct gm_str bytes, struct gm_error *err)
{
    size_t n = BASE64_ENCODE_RAW_LENGTH(bytes.n);
    enum gm_status st = gm_buf_reserve(out, n, err);
    if (st != GM_OK || n == 0)
        return st;
    base64_encode_raw(out->p + out->n, bytes.n, (const uint8_t *)bytes.p);
    out->n += n;
    out->p[out->n] = 0;
    return GM_OK;
}

enum gm_status gm_base64_read(struct gm_str *bytes, struct gm_str text, struct gm_arena *a,
                              struct gm_error *err)
{
    struct base64_decode_ctx c;
    size_t n = BASE64_DECODE_LENGTH(text.n);
    for (size_t i = 0; i < text.n; i++)
        if (gm_is_space_byte(text.p[i])) /* nettle skips it */
            return GM_FAIL(err, GM_EFORMAT, "white space within base64");
    uint8_t *p = gm_arena_alloc(a, n + 1, 1);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    base64_decode_init(&c);
    if (!base64_decode_update(&c, &n, p, text.n, text.p) || !base64_decode_final(&c))
        return GM_FAIL(err, GM_EFORMAT, "not base64");
    *bytes = (struct gm_str){(const char *)p, n};
    return GM_OK;
}
