#include "formats/brush_mask.h"

#include <stdbool.h>
#include <string.h>

enum { CHANNELS = 4, VALUE_BITS = 8, N_WIDTHS = 4 };

/* The widths that the format's own writers use. */
static const unsigned widths[N_WIDTHS] = {3, 4, 8, 16};

struct bit_writer {
    struct gm_buf *to;
    unsigned char byte;
    unsigned n; /* bits in `byte` */
};

static enum gm_status put(struct bit_writer *b, uint32_t value, unsigned n_bits,
                          struct gm_error *err)
{
    for (unsigned i = n_bits; i-- > 0;) {
        b->byte = (unsigned char)((unsigned)b->byte << 1 | (value >> i & 1u));
        if (++b->n < 8)
            continue;
        enum gm_status st = gm_buf_add(b->to, &b->byte, 1, err);
        if (st != GM_OK)
            return st;
        b->n = 0;
    }
    return GM_OK;
}

/* `n` values that are equal, at most 2^16 at a time. */
static enum gm_status put_run(struct bit_writer *b, uint64_t n, uint32_t value,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    while (n) {
        uint32_t now = n > 65536 ? 65536 : (uint32_t)n, width = 0;
        while (now > 1u << widths[width])
            width++;
        GM_TRY(put(b, 1, 1, err));
        GM_TRY(put(b, width, 2, err));
        GM_TRY(put(b, now - 1, widths[width], err));
        GM_TRY(put(b, value, VALUE_BITS, err));
        n -= now;
    }
done:
    return st;
}

enum gm_status gm_brush_mask_encode(const uint8_t *mask, uint32_t h, uint32_t w, struct gm_buf *out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct bit_writer b = {.to = out};
    uint64_t n = (uint64_t)h * w;
    if (n == 0 || n * CHANNELS > UINT32_MAX)
        return GM_FAIL(err, GM_EARG,
                       "a mask of %u x %u pixels is too large for Label Studio's "
                       "brush",
                       w, h);
    GM_TRY(put(&b, (uint32_t)(n * CHANNELS), 32, err));
    GM_TRY(put(&b, VALUE_BITS - 1, 5, err));
    for (size_t i = 0; i < N_WIDTHS; i++)
        GM_TRY(put(&b, widths[i] - 1, 4, err));
    for (uint64_t i = 0; i < n;) {
        uint64_t from = i;
        bool inside = mask[i] != 0;
        while (i < n && (mask[i] != 0) == inside)
            i++;
        GM_TRY(put_run(&b, (i - from) * CHANNELS, inside ? 255 : 0, err));
    }
    GM_TRY(put(&b, 0, (8 - b.n) % 8, err));
done:
    return st;
}

struct bit_reader {
    const uint8_t *p;
    size_t n_bits, at;
};

static bool get(struct bit_reader *b, unsigned n_bits, uint32_t *out)
{
    uint32_t x = 0;
    if (b->n_bits - b->at < n_bits)
        return false;
    for (unsigned i = 0; i < n_bits; i++, b->at++)
        x = x << 1 | (b->p[b->at / 8] >> (7 - b->at % 8) & 1);
    *out = x;
    return true;
}

struct head {
    uint32_t n_values, value_bits, widths[N_WIDTHS];
};

static bool get_head(struct bit_reader *b, struct head *h)
{
    bool ok = get(b, 32, &h->n_values) && get(b, 5, &h->value_bits);
    for (size_t i = 0; i < N_WIDTHS; i++) {
        ok = ok && get(b, 4, &h->widths[i]);
        h->widths[i]++;
    }
    h->value_bits++;
    return ok;
}

/* Values [i, end) of the picture are x: each fourth one is a pixel's alpha. */
static void set_run(uint8_t *mask, uint64_t i, uint64_t end, bool inside)
{
    for (uint64_t k = i + (3 - i % CHANNELS); k < end; k += CHANNELS)
        mask[k / CHANNELS] = inside;
}

static bool get_run(struct bit_reader *b, const struct head *h, uint64_t *i, uint8_t *mask)
{
    uint32_t repeat, which, length, value;
    if (!get(b, 1, &repeat) || !get(b, 2, &which) || !get(b, h->widths[which], &length))
        return false;
    uint64_t end = *i + length + 1;
    if (end > h->n_values)
        return false;
    for (uint64_t next; *i < end; *i = next) {
        if (!get(b, h->value_bits, &value))
            return false;
        next = repeat ? end : *i + 1;
        set_run(mask, *i, next, value != 0);
    }
    return true;
}

enum gm_status gm_brush_mask_decode(const uint8_t *bytes, size_t n, uint32_t h, uint32_t w,
                                    uint8_t *mask, struct gm_error *err)
{
    struct bit_reader b = {.p = bytes, .n_bits = n > SIZE_MAX / 8 ? 0 : n * 8};
    struct head head = {0};
    uint64_t n_values = (uint64_t)h * w * CHANNELS;
    if (!get_head(&b, &head))
        return GM_FAIL(err, GM_EFORMAT, "brush mask: %zu bytes are too few", n);
    if (head.n_values != n_values)
        return GM_FAIL(err, GM_EFORMAT,
                       "brush mask: %u values; a picture of %u x %u has %llu "
                       "(RGBA)",
                       head.n_values, w, h, (unsigned long long)n_values);
    memset(mask, 0, (size_t)h * w);
    for (uint64_t i = 0; i < n_values;)
        if (!get_run(&b, &head, &i, mask))
            return GM_FAIL(err, GM_EFORMAT, "brush mask: broken at value %llu of %llu",
                           (unsigned long long)i, (unsigned long long)n_values);
    return GM_OK;
}
