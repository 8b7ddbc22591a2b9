#include "tokenizer/aligned_text.h"

#include "base/alloc.h"

#include <string.h>

void gm_aligned_text_init(struct gm_aligned_text *t) { *t = (struct gm_aligned_text){0}; }

void gm_aligned_text_clear(struct gm_aligned_text *t)
{
    gm_free(t->p);
    gm_free(t->src);
    *t = (struct gm_aligned_text){0};
}

void gm_aligned_text_swap(struct gm_aligned_text *a, struct gm_aligned_text *b)
{
    struct gm_aligned_text c = *a;
    *a = *b;
    *b = c;
}

struct gm_str gm_aligned_text_str(const struct gm_aligned_text *t)
{
    return (struct gm_str){t->p, t->n};
}

enum gm_status gm_aligned_text_room(struct gm_aligned_text *t, size_t more, struct gm_error *err)
{
    if (t->cap - t->n >= more)
        return GM_OK;
    size_t cap = t->cap < 256 ? 512 : t->cap * 2;
    while (cap - t->n < more)
        cap *= 2;
    char *p = gm_realloc(t->p, cap, sizeof *p);
    t->p = p ? p : t->p;
    uint32_t *src = p ? gm_realloc(t->src, cap, sizeof *src) : NULL;
    if (!src)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu bytes of text", cap);
    t->src = src;
    t->cap = cap;
    return GM_OK;
}

enum gm_status gm_aligned_text_set(struct gm_aligned_text *t, struct gm_str s, uint32_t first,
                                   struct gm_error *err)
{
    t->n = 0;
    enum gm_status st = gm_aligned_text_room(t, s.n, err);
    if (st != GM_OK)
        return st;
    if (s.n)
        memcpy(t->p, s.p, s.n);
    uint32_t src = first - 1;
    for (size_t i = 0; i < s.n; i++) {
        src += ((unsigned char)s.p[i] & 0xC0) != 0x80;
        t->src[i] = src;
    }
    t->n = s.n;
    return GM_OK;
}

enum gm_status gm_aligned_text_copy(struct gm_aligned_text *t, const struct gm_aligned_text *in,
                                    size_t from, size_t to, struct gm_error *err)
{
    if (from == to)
        return GM_OK;
    enum gm_status st = gm_aligned_text_room(t, to - from, err);
    if (st != GM_OK)
        return st;
    memcpy(t->p + t->n, in->p + from, to - from);
    memcpy(t->src + t->n, in->src + from, (to - from) * sizeof *t->src);
    t->n += to - from;
    return GM_OK;
}

void gm_transform_begin(struct gm_transform *t, const struct gm_aligned_text *in,
                        struct gm_aligned_text *out)
{
    *t = (struct gm_transform){in, out, 0};
    out->n = 0;
}

void gm_transform_drop(struct gm_transform *t, size_t n)
{
    const struct gm_aligned_text *in = t->in;
    while (n-- && t->at < in->n)
        do
            t->at++;
        while (t->at < in->n && ((unsigned char)in->p[t->at] & 0xC0) == 0x80);
}

enum gm_status gm_transform_emit(struct gm_transform *t, uint32_t cp, long change,
                                 struct gm_error *err)
{
    enum gm_status st = gm_aligned_text_room(t->out, 4, err);
    if (st != GM_OK)
        return st;
    size_t n = t->in->n, at = change > 0 ? (t->at ? t->at - 1 : 0) : t->at;
    gm_aligned_text_put(t->out, cp, n ? t->in->src[at < n ? at : n - 1] : 0);
    if (change <= 0)
        gm_transform_drop(t, 1 + (size_t)-change);
    return GM_OK;
}
