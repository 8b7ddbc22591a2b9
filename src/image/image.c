/* image.c - pictures as objects: allocation, size limits, choice of the decoder by content. */
#include "image/image.h"

#include "base/alloc.h"
#include "base/file.h"
#include "image/data_uri.h"
#include "image/image_internal.h"

#include <string.h>
#include <sys/stat.h>

static _Atomic uint64_t max_pixels = GM_IMAGE_MAX_PIXELS;

void gm_image_max_pixels_set(uint64_t n) { max_pixels = n ? n : GM_IMAGE_MAX_PIXELS; }
uint64_t gm_image_max_pixels(void) { return max_pixels; }

/* A file of more than this is refused: the largest allowed picture, stored raw, is no larger. */
static size_t max_file_bytes(void)
{
    return (size_t)5 * gm_image_max_pixels() + ((size_t)12 << 20);
}

static bool is_allowed(uint64_t w, uint64_t h)
{
    return w > 0 && h > 0 && w <= GM_IMAGE_MAX_SIDE && h <= GM_IMAGE_MAX_SIDE &&
           w * h <= gm_image_max_pixels();
}

enum gm_status gm_image_check_size(uint64_t w, uint64_t h, struct gm_error *err)
{
    if (w == 0 || h == 0)
        return GM_FAIL(err, GM_EFORMAT, "the picture has no pixels");
    if (is_allowed(w, h))
        return GM_OK;
    bool side = w > GM_IMAGE_MAX_SIDE || h > GM_IMAGE_MAX_SIDE;
    return GM_FAIL(err, GM_EFORMAT,
                   "the header claims %llu x %llu pixels; the limit is %d a side and %llu in all: "
                   "scale the picture down%s",
                   (unsigned long long)w, (unsigned long long)h, GM_IMAGE_MAX_SIDE,
                   (unsigned long long)gm_image_max_pixels(),
                   side ? "" : ", or raise the limit with --max-pixels");
}

enum gm_status gm_image_new(struct gm_image **out, uint32_t w, uint32_t h, struct gm_error *err)
{
    *out = NULL;
    if (!is_allowed(w, h))
        return GM_FAIL(err, GM_EARG, "cannot make a picture of %u x %u pixels", w, h);
    struct gm_image *im = gm_alloc(1, sizeof *im);
    uint8_t *rgb = gm_alloc((size_t)w * h, 3);
    if (!im || !rgb) {
        gm_free(im);
        gm_free(rgb);
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a picture of %u x %u pixels", w, h);
    }
    *im = (struct gm_image){w, h, rgb};
    *out = im;
    return GM_OK;
}

void gm_image_free(struct gm_image *im)
{
    if (im)
        gm_free(im->rgb);
    gm_free(im);
}

void gm_image_blend(struct gm_image *im, const uint8_t *rgba)
{
    size_t n = (size_t)im->w * im->h;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++) {
            unsigned a = rgba[4 * i + 3];
            unsigned mixed = rgba[4 * i + c] * a + 255 * (255 - a);
            im->rgb[3 * i + c] = (uint8_t)((mixed + 127) / 255);
        }
}

/* Where pixel (x, y) of the upright picture lies in the stored one, as strides from an origin. */
struct walk {
    ptrdiff_t origin, right, down;
};

static struct walk walk_of(int orientation, ptrdiff_t w, ptrdiff_t h)
{
    ptrdiff_t last_x = w - 1, last_y = (h - 1) * w;
    switch (orientation) {
    case 2: return (struct walk){last_x, -1, w};           /* mirrored */
    case 3: return (struct walk){last_x + last_y, -1, -w}; /* half a turn */
    case 4: return (struct walk){last_y, 1, -w};           /* upside down */
    case 5: return (struct walk){0, w, 1};                 /* transposed */
    case 6: return (struct walk){last_y, -w, 1};           /* turn right */
    case 7: return (struct walk){last_x + last_y, -w, -1}; /* transposed on the other diagonal */
    case 8: return (struct walk){last_x, w, -1};           /* turn left */
    default: return (struct walk){0, 1, w};
    }
}

enum gm_status gm_image_orient(struct gm_image *im, int orientation, struct gm_error *err)
{
    if (orientation < 2 || orientation > 8)
        return GM_OK;
    uint32_t w = orientation < 5 ? im->w : im->h, h = orientation < 5 ? im->h : im->w;
    uint8_t *rgb = gm_alloc((size_t)w * h, 3), *to = rgb;
    if (!rgb)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a picture of %u x %u pixels", w, h);
    struct walk step = walk_of(orientation, (ptrdiff_t)im->w, (ptrdiff_t)im->h);
    for (ptrdiff_t y = 0; y < (ptrdiff_t)h; y++)
        for (ptrdiff_t x = 0; x < (ptrdiff_t)w; x++, to += 3)
            memcpy(to, im->rgb + 3 * (step.origin + x * step.right + y * step.down), 3);
    gm_free(im->rgb);
    *im = (struct gm_image){w, h, rgb};
    return GM_OK;
}

/* Formats by what a file has at `at`. RIFF and the ISO boxes name themselves behind a length. */
struct format {
    size_t at;
    struct gm_str magic;
    enum gm_status (*decode)(struct gm_image **out, struct gm_str bytes, int *orientation,
                             struct gm_error *err);
};
#define MAGIC(text)           \
    {                         \
        text, sizeof text - 1 \
    }
static const struct format formats[] = {
    {0, MAGIC("\x89PNG\r\n\x1a\n"), gm_png_decode},
    {8, MAGIC("WEBP"), gm_webp_decode},
    {0, MAGIC("GIF8"), gm_gif_decode},
    {0, MAGIC("BM"), gm_bmp_decode},
    {0, MAGIC("II*\0"), gm_tiff_decode},
    {0, MAGIC("MM\0*"), gm_tiff_decode},
    {0, MAGIC("II+\0"), gm_tiff_decode}, /* with 64-bit offsets */
    {0, MAGIC("MM\0+"), gm_tiff_decode},
    {4, MAGIC("ftypheic"), gm_heif_decode},
    {4, MAGIC("ftypheix"), gm_heif_decode},
    {4, MAGIC("ftypheim"), gm_heif_decode},
    {4, MAGIC("ftypmif1"), gm_heif_decode},
    {4, MAGIC("ftypmsf1"), gm_heif_decode},
    {4, MAGIC("ftypavif"), gm_heif_decode},
    {4, MAGIC("ftypavis"), gm_heif_decode},
};

static const struct format *format_of(struct gm_str bytes)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const struct format *f = &formats[i];
        if (gm_str_eq(gm_str_sub(bytes, f->at, f->at + f->magic.n), f->magic))
            return f;
    }
    return NULL;
}

/* The picture as stored, by the decoder that its first bytes ask for; size = width and height stored
 * in the file. */
static enum gm_status decode_stored(struct gm_image **im, struct gm_str bytes, uint32_t side_min,
                                    uint32_t size[2], int *orientation, struct gm_error *err)
{
    if (gm_str_starts(bytes, GM_STR("\xff\xd8")))
        return gm_jpeg_decode(im, bytes, side_min, size, orientation, err);
    if (bytes.n == 0)
        return GM_FAIL(err, GM_EFORMAT, "empty file");
    const struct format *f = format_of(bytes);
    if (!f)
        return GM_FAIL(err, GM_EFORMAT,
                       "not a JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF picture: convert it to "
                       "one of these");
    enum gm_status st = f->decode(im, bytes, orientation, err);
    if (st == GM_OK) {
        size[0] = (*im)->w;
        size[1] = (*im)->h;
    }
    return st;
}

static enum gm_status decode_small(struct gm_image **out, struct gm_str bytes, uint32_t side_min,
                                   uint32_t size[2], struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *im = NULL;
    int orientation = 1;
    uint32_t stored[2];
    *out = NULL;
    GM_TRY(decode_stored(&im, bytes, side_min, stored, &orientation, err));
    GM_TRY(gm_image_orient(im, orientation, err));
    size[0] = stored[orientation >= 5];
    size[1] = stored[orientation < 5];
    *out = im;
    im = NULL;
done:
    gm_image_free(im);
    return st;
}

enum gm_status gm_image_decode(struct gm_image **out, struct gm_str bytes, struct gm_error *err)
{
    uint32_t size[2];
    return decode_small(out, bytes, 0, size, err);
}

/* A pipe or terminal would be waited for, perhaps for ever, and a device may never end. */
static enum gm_status check_kind(const char *path, struct gm_error *err)
{
    struct stat sb;
    bool is_there = stat(path, &sb) == 0;
    if (!is_there && strstr(path, "://"))
        return GM_FAIL(err, GM_EIO,
                       "%s: an address, and pictures are not fetched: download it first, and give "
                       "the file's path",
                       path);
    if (!is_there || S_ISREG(sb.st_mode) || S_ISDIR(sb.st_mode))
        return GM_OK; /* what is missing, or a folder, reading says */
    const char *kind = S_ISFIFO(sb.st_mode)   ? "a pipe"
                       : S_ISSOCK(sb.st_mode) ? "a socket"
                                              : "a device";
    return GM_FAIL(err, GM_EIO, "%s: is %s, not a picture file: save the picture to a file", path,
                   kind);
}

/* The bytes of a picture: of a file, or of what the record holds itself. */
static enum gm_status read_bytes(const char *path, struct gm_buf *file, struct gm_error *err)
{
    if (gm_data_uri_is(gm_str(path))) {
        enum gm_status st = gm_data_uri_read(file, gm_str(path), err);
        if (st != GM_OK)
            gm_error_prefix(err, "a data: URI");
        return st;
    }
    path = strcmp(path, "-") == 0 ? "./-" : path; /* not standard input */
    enum gm_status st = check_kind(path, err);
    return st == GM_OK ? gm_file_read(path, file, err) : st;
}

enum gm_status gm_image_load_small(struct gm_image **out, const char *path, uint32_t side_min,
                                   uint32_t size[2], struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf file;
    *out = NULL;
    gm_buf_init(&file, max_file_bytes());
    GM_TRY(read_bytes(path, &file, err));
    st = decode_small(out, gm_buf_str(&file), side_min, size, err);
    if (st != GM_OK)
        gm_error_prefix(err, "%s", gm_data_uri_is(gm_str(path)) ? "a data: URI" : path);
done:
    gm_buf_clear(&file);
    return st;
}

enum gm_status gm_image_load(struct gm_image **out, const char *path, struct gm_error *err)
{
    uint32_t size[2];
    return gm_image_load_small(out, path, 0, size, err);
}
