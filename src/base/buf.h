/* buf.h - a growing byte buffer that states its maximum. Content is always followed by a NUL that
 * is not counted. One thread at a time. */
#ifndef GM_BASE_BUF_H
#define GM_BASE_BUF_H

#include "base/status.h"
#include "base/str.h"

struct gm_buf {
    char *p;       /* owned; NULL until something was added or reserved */
    size_t n, cap; /* bytes used, bytes allocated */
    size_t max;    /* bytes it may hold */
};

/* gm_buf_init - empty buffer of at most `max` < SIZE_MAX bytes; allocates nothing; cleared by
 * gm_buf_clear. */
void gm_buf_init(struct gm_buf *b, size_t max);
void gm_buf_clear(struct gm_buf *b); /* free the memory; usable again */
void gm_buf_reset(struct gm_buf *b); /* empty, keep the memory */

/* All below: GM_ENOMEM when memory or the maximum is out (gm_buf_printf also GM_EARG, for what the C
 * library cannot format); the buffer then keeps its content. */
enum gm_status gm_buf_reserve(struct gm_buf *b, size_t more, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_buf_add(struct gm_buf *b, const void *p, size_t n,
                          struct gm_error *err) GM_NODISCARD;
enum gm_status gm_buf_add_str(struct gm_buf *b, struct gm_str s, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_buf_add_c(struct gm_buf *b, const char *s, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_buf_printf(struct gm_buf *b, struct gm_error *err, const char *fmt, ...)
    GM_PRINTF(3, 4) GM_NODISCARD;
/* gm_buf_add_number - a finite x rounded to `decimals` (at most 9), in the shortest text with a point
 * in every locale: 100.1, 7, never -0 or an exponent. */
enum gm_status gm_buf_add_number(struct gm_buf *b, double x, int decimals,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_buf_str - view of the content, valid until the next change. */
struct gm_str gm_buf_str(const struct gm_buf *b);

#endif
