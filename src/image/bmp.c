/* bmp.c - Windows and OS/2 bitmaps (BMP), as Microsoft's "Bitmap Storage" describes them: 1, 4, 8, 16,
 * 24 and 32 bits a pixel, run-length encoded ones, and colours by bit masks. Read here because no
 * maintained C library of Debian reads just this format, and nearly all of it is a copy of rows. Left
 * out: bitmaps that wrap a JPEG or PNG, which are for printers. */
#include "image/image_internal.h"

#include "base/alloc.h"

#include <string.h>

enum { FILE_HEAD = 14, CORE_HEAD = 12, MASKS_AT = 40, ALPHA_SINCE = 56 };
enum { PLAIN = 0, RLE8 = 1, RLE4 = 2, MASKS = 3, ALPHA_MASKS = 6 };

struct bmp {
    const unsigned char *p; /* the file, borrowed */
    size_t n;
    size_t pixels_at; /* bytes from the file's start */
    uint32_t w, h, bits, compression;
    uint32_t mask[4];        /* red, green, blue, alpha; 0 = the channel is absent */
    uint8_t palette[256][3]; /* as RGB; black where the file has no entry */
    bool top_down;
};

static uint32_t le16(const unsigned char *p) { return p[0] | (uint32_t)p[1] << 8; }
static uint32_t le32(const unsigned char *p) { return le16(p) | le16(p + 2) << 16; }

static enum gm_status fail_cut(struct gm_error *err)
{
    return GM_FAIL(err, GM_EFORMAT, "truncated BMP picture");
}

static enum gm_status fail_kind(const struct bmp *b, struct gm_error *err)
{
    return GM_FAIL(err, GM_EFORMAT,
                   "a BMP picture of %u bits a pixel with compression %u, which is not read: "
                   "convert it to PNG",
                   b->bits, b->compression);
}

/* The masks that a file without any means. */
static void set_usual_masks(struct bmp *b)
{
    static const uint32_t of_16[4] = {0x7c00, 0x3e0, 0x1f, 0};
    static const uint32_t of_32[4] = {0xff0000, 0xff00, 0xff, 0};
    memcpy(b->mask, b->bits == 16 ? of_16 : of_32, sizeof b->mask);
}

/* Masks follow the 40 bytes that all newer headers begin with, in the header itself or behind it. */
static enum gm_status read_masks(struct bmp *b, size_t head, struct gm_error *err)
{
    bool alpha = head >= ALPHA_SINCE || b->compression == ALPHA_MASKS;
    set_usual_masks(b);
    if (b->compression != MASKS && b->compression != ALPHA_MASKS)
        return GM_OK;
    if (b->n < FILE_HEAD + MASKS_AT + 16)
        return fail_cut(err);
    for (size_t i = 0; i < (alpha ? 4u : 3u); i++)
        b->mask[i] = le32(b->p + FILE_HEAD + MASKS_AT + 4 * i);
    return GM_OK;
}

/* A palette ends where it says, or where the pixels begin. */
static enum gm_status read_palette(struct bmp *b, size_t head, struct gm_error *err)
{
    size_t entry = head == CORE_HEAD ? 3 : 4, at = FILE_HEAD + head;
    size_t n = head == CORE_HEAD ? 0 : le32(b->p + FILE_HEAD + 32);
    if (b->bits > 8)
        return GM_OK;
    if (n == 0 || n > (size_t)1 << b->bits)
        n = (size_t)1 << b->bits;
    if (b->pixels_at > at && n > (b->pixels_at - at) / entry)
        n = (b->pixels_at - at) / entry;
    if (at + n * entry > b->n)
        return fail_cut(err);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++) /* stored as blue, green, red */
            b->palette[i][c] = b->p[at + i * entry + 2 - c];
    return GM_OK;
}

static bool is_known(const struct bmp *b)
{
    uint32_t d = b->bits;
    switch (b->compression) {
    case PLAIN: return d == 1 || d == 4 || d == 8 || d == 16 || d == 24 || d == 32;
    case RLE8: return d == 8 && !b->top_down;
    case RLE4: return d == 4 && !b->top_down;
    case MASKS:
    case ALPHA_MASKS: return d == 16 || d == 32;
    default: return false;
    }
}

static enum gm_status read_head(struct bmp *b, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (b->n < FILE_HEAD + MASKS_AT)
        return fail_cut(err);
    const unsigned char *h = b->p + FILE_HEAD;
    size_t head = le32(h);
    b->pixels_at = le32(b->p + 10);
    if (head != CORE_HEAD && (head < MASKS_AT || head > 1024))
        return GM_FAIL(err, GM_EFORMAT, "damaged BMP picture (a header of %zu bytes)", head);
    if (head == CORE_HEAD) {
        b->w = le16(h + 4);
        b->h = le16(h + 6);
        b->bits = le16(h + 10);
    } else {
        b->w = le32(h + 4);
        b->h = le32(h + 8);
        b->top_down = b->h >> 31;
        b->h = b->top_down ? 0u - b->h : b->h;
        b->bits = le16(h + 14);
        b->compression = le32(h + 16);
    }
    if (!is_known(b))
        return fail_kind(b, err);
    GM_TRY(gm_image_check_size(b->w, b->h, err));
    GM_TRY(read_masks(b, head, err));
    GM_TRY(read_palette(b, head, err));
    if (b->pixels_at > b->n)
        st = fail_cut(err);
done:
    return st;
}

/* The bits of one mask, scaled to 0..255. */
static uint8_t channel(uint32_t pixel, uint32_t mask)
{
    if (mask == 0)
        return 0;
    uint32_t low = mask & (0u - mask);
    return (uint8_t)(((uint64_t)((pixel & mask) / low) * 255 + mask / low / 2) / (mask / low));
}

static void read_row(const struct bmp *b, const unsigned char *from, uint8_t *rgb)
{
    for (size_t x = 0; x < b->w; x++, rgb += 3) {
        size_t bit = x * b->bits;
        if (b->bits <= 8) {
            unsigned v = (unsigned)from[bit / 8] >> (8 - b->bits - bit % 8) & ((1u << b->bits) - 1);
            memcpy(rgb, b->palette[v], 3);
        } else if (b->bits == 24) {
            for (size_t c = 0; c < 3; c++)
                rgb[c] = from[3 * x + 2 - c];
        } else {
            uint32_t v = b->bits == 16 ? le16(from + 2 * x) : le32(from + 4 * x);
            unsigned a = b->mask[3] ? channel(v, b->mask[3]) : 255;
            for (size_t c = 0; c < 3; c++)
                rgb[c] = (uint8_t)((channel(v, b->mask[c]) * a + 255 * (255 - a) + 127) / 255);
        }
    }
}

static enum gm_status read_rows(const struct bmp *b, struct gm_image *im, struct gm_error *err)
{
    size_t stride = ((size_t)b->w * b->bits + 31) / 32 * 4;
    size_t used = ((size_t)b->w * b->bits + 7) / 8; /* the last row's padding may be missing */
    if ((b->n - b->pixels_at) < stride * (b->h - 1) + used)
        return fail_cut(err);
    for (size_t y = 0; y < b->h; y++)
        read_row(b, b->p + b->pixels_at + y * stride,
                 im->rgb + (b->top_down ? y : b->h - 1 - y) * b->w * 3);
    return GM_OK;
}

static void put(const struct bmp *b, struct gm_image *im, uint64_t x, uint64_t y, unsigned v)
{
    if (x < b->w && y < b->h)
        memcpy(im->rgb + ((b->h - 1 - (size_t)y) * b->w + (size_t)x) * 3, b->palette[v], 3);
}

/* The k-th pixel of a run: whole bytes, or the two halves of one in turn. */
static unsigned nth(const struct bmp *b, const unsigned char *p, size_t k)
{
    return b->bits == 8 ? p[k] : k % 2 ? p[k / 2] & 15u : p[k / 2] >> 4;
}

/* Runs from the lowest row up; pixels that a jump leaves out keep the palette's first colour. */
static enum gm_status read_runs(const struct bmp *b, struct gm_image *im, struct gm_error *err)
{
    const unsigned char *p = b->p + b->pixels_at, *end = b->p + b->n;
    uint64_t x = 0, y = 0;
    for (size_t i = 0; i < (size_t)b->w * b->h; i++)
        memcpy(im->rgb + 3 * i, b->palette[0], 3);
    while (end - p >= 2) {
        size_t n = p[0], code = p[1];
        p += 2;
        if (n) { /* one byte, repeated: of RLE4 its two halves in turn */
            for (size_t k = 0; k < n; k++)
                put(b, im, x++, y, nth(b, p - 1, b->bits == 8 ? 0 : k % 2));
        } else if (code == 0) {
            x = 0;
            y++;
        } else if (code == 1) {
            return GM_OK;
        } else if (code == 2) {
            if (end - p < 2)
                break;
            x += p[0];
            y += p[1];
            p += 2;
        } else {
            size_t bytes = (code * b->bits + 7) / 8;
            if ((size_t)(end - p) < bytes)
                break;
            for (size_t k = 0; k < code; k++)
                put(b, im, x++, y, nth(b, p, k));
            p += bytes + bytes % 2 <= (size_t)(end - p) ? bytes + bytes % 2 : bytes;
        }
    }
    return fail_cut(err); /* the mark of the end has not come */
}

enum gm_status gm_bmp_decode(struct gm_image **out, struct gm_str bytes, int *orientation,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *im = NULL;
    struct bmp b = {.p = (const unsigned char *)bytes.p, .n = bytes.n};
    *out = NULL;
    *orientation = 1;
    GM_TRY(read_head(&b, err));
    GM_TRY(gm_image_new(&im, b.w, b.h, err));
    GM_TRY(b.compression == RLE8 || b.compression == RLE4 ? read_runs(&b, im, err)
                                                          : read_rows(&b, im, err));
    *out = im;
    im = NULL;
done:
    gm_image_free(im);
    return st;
}
