/* rle.c - COCO's compressed run-length encoding, byte for byte as pycocotools writes it. The
 * pixels of a mask [h][w], taken down the columns (pixel (x, y) is number x h + y), are runs of
 * zeros and ones by turns, zeros first: counts c_0, c_1, …. Written is c_i for i <= 2 and c_i -
 * c_i-2 after, each in groups of 5 bits, low ones first, in two's complement: bit 5 says that
 * more follow, bit 4 of the last group is the sign, and '0' is added to each group. Source:
 * rleEncode, rleToString and rleFrString of the COCO API (cocoapi, common/maskApi.c). Reference:
 * pycocotools' strings, in tests/unit/test_image_mask.c. */
#include "image/mask.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <string.h>

/* A count, or the difference to the count before the last, as groups of 5 bits, low ones first;
 * bit 5 says that more follow, and the sign is bit 4 of the last. '0' is added to make it ASCII. */
enum { GROUP_BITS = 5, GROUP_MASK = 31, MORE = 32, SIGN = 16, FIRST_CHAR = '0' };

struct writer {
    struct gm_buf *to;
    int64_t before[2]; /* the last count and the one before it */
    size_t n;
};

static enum gm_status put_count(struct writer *w, int64_t count, struct gm_error *err)
{
    int64_t x = w->n > 2 ? count - w->before[1] : count;
    char group[16];
    size_t n = 0;
    for (bool more = true; more;) {
        int c = (int)(x & GROUP_MASK);
        x >>= GROUP_BITS;
        more = c & SIGN ? x != -1 : x != 0;
        group[n++] = (char)((more ? c | MORE : c) + FIRST_CHAR);
    }
    w->before[1] = w->before[0];
    w->before[0] = count;
    w->n++;
    return gm_buf_add(w->to, group, n, err);
}

/* Runs go down the columns. To read whole cache lines, BLOCK columns at a time are turned into rows
 * of `turned` [BLOCK][h]. */
enum { BLOCK = 64 };

static void turn(uint8_t *turned, const uint8_t *mask, uint32_t h, uint32_t w, uint32_t x0,
                 uint32_t n)
{
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < n; x++)
            turned[(size_t)x * h + y] = mask[(size_t)y * w + x0 + x] != 0;
}

static enum gm_status put_runs(struct writer *out, const uint8_t *mask, uint32_t h, uint32_t w,
                               uint8_t *turned, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint8_t inside = 0;
    int64_t run = 0;
    for (uint32_t x0 = 0; x0 < w; x0 += BLOCK) {
        uint32_t n = w - x0 < BLOCK ? w - x0 : BLOCK;
        turn(turned, mask, h, w, x0, n);
        const uint8_t *p = turned, *end = turned + (size_t)n * h;
        while (p < end) {
            const uint8_t *next = memchr(p, !inside, (size_t)(end - p));
            run += (next ? next : end) - p;
            p = next ? next : end;
            if (next) {
                GM_TRY(put_count(out, run, err));
                inside = !inside;
                run = 0;
            }
        }
    }
    GM_TRY(put_count(out, run, err));
done:
    return st;
}

enum gm_status gm_rle_encode(struct gm_arena *a, const uint8_t *mask, uint32_t h, uint32_t w,
                             struct gm_str *counts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf text;
    gm_buf_init(&text, (size_t)1 << 30);
    struct writer out = {.to = &text};
    *counts = (struct gm_str){0};
    uint8_t *turned = gm_alloc(h, BLOCK);
    if (h == 0 || w == 0) {
        st = GM_FAIL(err, GM_EARG, "a mask of %u x %u pixels", w, h);
        goto done;
    }
    if (!turned) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a mask of %u rows", h);
        goto done;
    }
    GM_TRY(put_runs(&out, mask, h, w, turned, err));
    *counts = gm_arena_str(a, gm_buf_str(&text));
    if (!counts->p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for the counts of a mask");
done:
    gm_free(turned);
    gm_buf_clear(&text);
    return st;
}

/* The next number at *pos; false when the bytes are none, or it is beyond any mask's size. */
static bool get_number(struct gm_str s, size_t *pos, int64_t *out)
{
    int64_t x = 0;
    for (int shift = 0; shift <= 7 * GROUP_BITS && *pos < s.n; shift += GROUP_BITS) {
        int c = (unsigned char)s.p[(*pos)++] - FIRST_CHAR;
        if (c < 0 || c > (MORE | GROUP_MASK))
            return false;
        x |= (int64_t)(c & GROUP_MASK) << shift;
        if (!(c & MORE)) {
            *out = c & SIGN ? x - ((int64_t)1 << (shift + GROUP_BITS)) : x;
            return true;
        }
    }
    return false;
}

/* Set the n pixels from number `at`, counted down the columns. */
static void set_run(uint8_t *mask, uint32_t h, uint32_t w, size_t at, size_t n)
{
    size_t x = at / h, y = at % h;
    while (n > 0) {
        size_t down = h - y < n ? h - y : n;
        for (size_t i = 0; i < down; i++)
            mask[(y + i) * w + x] = 1;
        n -= down;
        y = 0;
        x++;
    }
}

/* Runs one after the other, checked against the number of pixels. */
struct reader {
    struct gm_str s;
    size_t pos, i;       /* byte of s; number of the next run */
    size_t at, n_pixels; /* pixels behind, pixels of the mask */
    uint32_t h, w;
    int64_t before[2];
};

static enum gm_status reader_init(struct reader *r, struct gm_str counts, uint32_t h, uint32_t w,
                                  struct gm_error *err)
{
    *r = (struct reader){.s = counts, .h = h, .w = w};
    if (!gm_mul_size(h, w, &r->n_pixels) || r->n_pixels == 0)
        return GM_FAIL(err, GM_EFORMAT, "a mask of %u x %u pixels", w, h);
    return GM_OK;
}

static enum gm_status next_run(struct reader *r, size_t *run, struct gm_error *err)
{
    size_t start = r->pos;
    int64_t count;
    if (!get_number(r->s, &r->pos, &count))
        return GM_FAIL(err, GM_EFORMAT, "mask counts: no number at byte %zu", start + 1);
    if (r->i > 2)
        count += r->before[1];
    if (count < 0 || (uint64_t)count > r->n_pixels - r->at)
        return GM_FAIL(err, GM_EFORMAT, "mask counts: run %zu (byte %zu) leaves the %u x %u pixels",
                       r->i + 1, start + 1, r->w, r->h);
    *run = (size_t)count;
    r->at += *run;
    r->i++;
    r->before[1] = r->before[0];
    r->before[0] = count;
    return GM_OK;
}

static enum gm_status reader_end(const struct reader *r, struct gm_error *err)
{
    if (r->at == r->n_pixels)
        return GM_OK;
    return GM_FAIL(err, GM_EFORMAT, "mask counts: runs of %zu pixels for a size of %u x %u", r->at,
                   r->w, r->h);
}

enum gm_status gm_rle_decode(struct gm_str counts, uint32_t h, uint32_t w, uint8_t *mask,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct reader r;
    size_t run;
    GM_TRY(reader_init(&r, counts, h, w, err));
    memset(mask, 0, r.n_pixels);
    while (r.pos < counts.n) {
        GM_TRY(next_run(&r, &run, err));
        if (r.i % 2 == 0)
            set_run(mask, h, w, r.at - run, run);
    }
    GM_TRY(reader_end(&r, err));
done:
    return st;
}

enum gm_status gm_rle_to_runs(struct gm_arena *a, struct gm_str counts, uint32_t h, uint32_t w,
                              uint64_t **runs, size_t *n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct reader r;
    size_t run, cap = 0;
    *runs = NULL;
    *n = 0;
    GM_TRY(reader_init(&r, counts, h, w, err));
    while (r.pos < counts.n) {
        GM_TRY(next_run(&r, &run, err));
        GM_TRY(GM_ARENA_GROW(a, *runs, *n, cap, err));
        (*runs)[(*n)++] = run;
    }
    GM_TRY(reader_end(&r, err));
done:
    return st;
}

enum gm_status gm_rle_from_runs(struct gm_arena *a, const uint64_t *runs, size_t n, uint32_t h,
                                uint32_t w, struct gm_str *counts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf text;
    gm_buf_init(&text, (size_t)1 << 30);
    struct writer out = {.to = &text};
    uint64_t all = (uint64_t)h * w, left = all;
    *counts = (struct gm_str){0};
    for (size_t i = 0; i < n; i++) {
        if (runs[i] > left) {
            st = GM_FAIL(err, GM_EFORMAT, "mask counts: run %zu leaves the %u x %u pixels", i + 1,
                         w, h);
            goto done;
        }
        left -= runs[i];
        GM_TRY(put_count(&out, (int64_t)runs[i], err));
    }
    if (left || all == 0) {
        st = GM_FAIL(err, GM_EFORMAT, "mask counts: runs of %llu pixels for a size of %u x %u",
                     (unsigned long long)(all - left), w, h);
        goto done;
    }
    *counts = gm_arena_str(a, gm_buf_str(&text));
    if (!counts->p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for the counts of a mask");
done:
    gm_buf_clear(&text);
    return st;
}
