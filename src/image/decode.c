/* decode.c - from a file's bytes to an upright picture: which decoder, by the content. */
#include "base/file.h"
#include "image/data_uri.h"
#include "image/image_internal.h"

#include <string.h>
#include <sys/stat.h>

/* A file of more than this is refused: the largest allowed picture, stored raw, is no larger. */
static size_t max_file_bytes(void)
{
    return (size_t)5 * gm_image_max_pixels() + ((size_t)12 << 20);
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

/* Whether the bytes can be handed on as they are: `orientation` says that the picture lies as it is to be
 * seen, and its format is one that every program reads. */
static bool is_portable(struct gm_str bytes, int orientation)
{
    const struct format *f = format_of(bytes); /* NULL: a JPEG, as it was decoded */
    return (orientation < 2 || orientation > 8) &&
           !(f && (f->decode == gm_tiff_decode || f->decode == gm_heif_decode));
}

static enum gm_status export_bytes(struct gm_buf *file, struct gm_str bytes, uint32_t size[2],
                                   struct gm_error *err)
{
    enum { QUALITY = 95 };
    enum gm_status st = GM_OK;
    struct gm_image *im = NULL;
    int orientation = 1;
    GM_TRY(decode_stored(&im, bytes, 1, size, &orientation, err));
    if (is_portable(bytes, orientation)) {
        st = gm_buf_add_str(file, bytes, err);
        goto done;
    }
    gm_image_free(im);
    im = NULL;
    GM_TRY(gm_image_decode(&im, bytes, err));
    size[0] = im->w;
    size[1] = im->h;
    st = gm_image_write_jpeg(im, QUALITY, file, err);
done:
    gm_image_free(im);
    return st;
}

enum gm_status gm_image_export(struct gm_buf *file, const char *path, uint32_t size[2],
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf bytes;
    gm_buf_init(&bytes, max_file_bytes());
    GM_TRY(read_bytes(path, &bytes, err));
    st = export_bytes(file, gm_buf_str(&bytes), size, err);
    if (st != GM_OK)
        gm_error_prefix(err, "%s", gm_data_uri_is(gm_str(path)) ? "a data: URI" : path);
done:
    gm_buf_clear(&bytes);
    return st;
}
