#include "base/buf.h"

#include "base/alloc.h"
#include "base/clocale.h"

#include <stdio.h>
#include <string.h>

void gm_buf_init(struct gm_buf *b, size_t max) { *b = (struct gm_buf){.max = max}; }

void gm_buf_clear(struct gm_buf *b)
{
    gm_free(b->p);
    b->p = NULL;
    b->n = b->cap = 0;
}

void gm_buf_reset(struct gm_buf *b)
{
    b->n = 0;
    if (b->p)
        b->p[0] = 0;
}

enum gm_status gm_buf_reserve(struct gm_buf *b, size_t more, struct gm_error *err)
{
    if (more > b->max - b->n || b->max == SIZE_MAX)
        return GM_FAIL(err, GM_ENOMEM, "buffer over its limit of %zu bytes", b->max);
    size_t need = b->n + more + 1;
    if (need <= b->cap)
        return GM_OK;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    char *p = gm_realloc(b->p, cap, 1);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu bytes", cap);
    b->p = p;
    b->cap = cap;
    b->p[b->n] = 0; /* also where nothing is added then */
    return GM_OK;
}

enum gm_status gm_buf_add(struct gm_buf *b, const void *p, size_t n, struct gm_error *err)
{
    enum gm_status st = gm_buf_reserve(b, n, err);
    if (st != GM_OK)
        return st;
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
    return GM_OK;
}

enum gm_status gm_buf_add_str(struct gm_buf *b, struct gm_str s, struct gm_error *err)
{
    return gm_buf_add(b, s.p, s.n, err);
}

enum gm_status gm_buf_add_c(struct gm_buf *b, const char *s, struct gm_error *err)
{
    return gm_buf_add(b, s, strlen(s), err);
}

enum gm_status gm_buf_printf(struct gm_buf *b, struct gm_error *err, const char *fmt, ...)
{
    va_list ap, again;
    size_t room = b->cap - b->n;
    locale_t before = gm_c_locale();
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(b->p ? b->p + b->n : NULL, room, fmt, ap); /* it mostly fits at once */
    va_end(ap);
    enum gm_status st = n < 0 ? GM_FAIL(err, GM_EARG, "cannot format \"%s\"", fmt)
                              : gm_buf_reserve(b, (size_t)n, err);
    if (st == GM_OK && (size_t)n >= room)
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
    if (st == GM_OK)
        b->n += (size_t)n;
    else if (b->p)
        b->p[b->n] = 0;
    va_end(again);
    gm_c_locale_end(before);
    return st;
}

enum gm_status gm_buf_add_number(struct gm_buf *b, double x, int decimals, struct gm_error *err)
{
    char text[400]; /* the largest double has 309 digits before the point */
    locale_t before = gm_c_locale();
    int n = snprintf(text, sizeof text, "%.*f", decimals, x);
    gm_c_locale_end(before);
    while (memchr(text, '.', (size_t)n) && (text[n - 1] == '0' || text[n - 1] == '.'))
        n--;
    bool minus_nothing = n == 2 && text[0] == '-' && text[1] == '0';
    return gm_buf_add(b, text + minus_nothing, (size_t)n - minus_nothing, err);
}

struct gm_str gm_buf_str(const struct gm_buf *b) { return (struct gm_str){b->p ? b->p : "", b->n}; }
