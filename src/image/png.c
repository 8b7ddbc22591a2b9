/* png.c - PNG in and out; the only user of libspng. */
#include "image/image_internal.h"

#include "base/alloc.h"

#include <spng.h>

/* Ancillary chunks (text, profiles, EXIF) of more than this are a fault or an attack. */
enum { MAX_CHUNK_BYTES = 16 << 20, MAX_CHUNKS_BYTES = 64 << 20 };

/* Whether an allocation failed since this thread's picture was begun: libspng and zlib have several
 * names for it, "IDAT stream error" is one. */
static _Thread_local bool memory_ran_out;

static void *noted(void *p)
{
    memory_ran_out = memory_ran_out || !p;
    return p;
}

static void *spng_malloc(size_t n) { return noted(gm_alloc(n, 1)); }
static void *spng_realloc(void *p, size_t n) { return noted(gm_realloc(p, n, 1)); }
static void *spng_calloc(size_t n, size_t size) { return noted(gm_alloc(n, size)); }

static spng_ctx *ctx_new(int flags)
{
    struct spng_alloc heap = {spng_malloc, spng_realloc, spng_calloc, gm_free};
    memory_ran_out = false;
    return spng_ctx_new2(&heap, flags);
}

static enum gm_status png_fail(int code, struct gm_error *err)
{
    if (code == SPNG_EMEM || memory_ran_out)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a PNG picture");
    bool cut = code == SPNG_IO_EOF || code == SPNG_EIDAT_TOO_SHORT;
    return GM_FAIL(err, GM_EFORMAT, "%s PNG picture (%s)", cut ? "truncated" : "damaged",
                   spng_strerror(code));
}

/* Whether any pixel may be see-through. This reads up to the pixels and so may meet the end. */
static enum gm_status find_alpha(spng_ctx *ctx, const struct spng_ihdr *head, bool *alpha,
                                 struct gm_error *err)
{
    struct spng_trns trns;
    int code = spng_get_trns(ctx, &trns);
    *alpha = code == 0 || head->color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ||
             head->color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
    return code == 0 || code == SPNG_ECHUNKAVAIL ? GM_OK : png_fail(code, err);
}

/* All pixels into im, of 1 to 16 bits, grey, palette or colour, with or without alpha. */
static enum gm_status read_pixels(spng_ctx *ctx, struct gm_image *im, bool alpha,
                                  struct gm_error *err)
{
    size_t n = (size_t)im->w * im->h;
    if (!alpha) {
        int code = spng_decode_image(ctx, im->rgb, n * 3, SPNG_FMT_RGB8, 0);
        return code ? png_fail(code, err) : GM_OK;
    }
    uint8_t *rgba = gm_alloc(n, 4);
    if (!rgba)
        return png_fail(SPNG_EMEM, err);
    int code = spng_decode_image(ctx, rgba, n * 4, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS);
    if (code == 0)
        gm_image_blend(im, rgba);
    gm_free(rgba);
    return code ? png_fail(code, err) : GM_OK;
}

enum gm_status gm_png_decode(struct gm_image **out, struct gm_str bytes, int *orientation,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *im = NULL;
    struct spng_ihdr head;
    struct spng_exif exif;
    bool alpha;
    int code;
    *out = NULL;
    *orientation = 1;
    spng_ctx *ctx = ctx_new(0);
    if (!ctx)
        return png_fail(SPNG_EMEM, err);
    spng_set_crc_action(ctx, SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
    spng_set_chunk_limits(ctx, MAX_CHUNK_BYTES, MAX_CHUNKS_BYTES);
    if ((code = spng_set_png_buffer(ctx, bytes.p, bytes.n)) || (code = spng_get_ihdr(ctx, &head))) {
        st = png_fail(code, err);
        goto done;
    }
    GM_TRY(gm_image_check_size(head.width, head.height, err));
    GM_TRY(find_alpha(ctx, &head, &alpha, err));
    GM_TRY(gm_image_new(&im, head.width, head.height, err));
    GM_TRY(read_pixels(ctx, im, alpha, err));
    /* What follows the pixels may hold the EXIF block, and must be there to its end. */
    code = spng_decode_chunks(ctx);
    if (code == SPNG_IO_EOF) {
        st = png_fail(code, err);
        goto done;
    }
    if (spng_get_exif(ctx, &exif) == 0)
        *orientation = gm_exif_orientation((struct gm_str){exif.data, exif.length});
    *out = im;
    im = NULL;
done:
    spng_ctx_free(ctx);
    gm_image_free(im);
    return st;
}

static enum gm_status encode(struct spng_ihdr head, const uint8_t *pixels, size_t bytes,
                             struct gm_buf *out, struct gm_error *err)
{
    size_t n = 0;
    void *png = NULL;
    int code = SPNG_EMEM;
    spng_ctx *ctx = ctx_new(SPNG_CTX_ENCODER);
    /* Photographs come out as small as with the default settings, in a third of the time. */
    if (ctx && !(code = spng_set_option(ctx, SPNG_ENCODE_TO_BUFFER, 1)) &&
        !(code = spng_set_option(ctx, SPNG_IMG_COMPRESSION_LEVEL, 3)) &&
        !(code = spng_set_option(ctx, SPNG_FILTER_CHOICE,
                                 SPNG_FILTER_CHOICE_SUB | SPNG_FILTER_CHOICE_UP)) &&
        !(code = spng_set_ihdr(ctx, &head)) &&
        !(code = spng_encode_image(ctx, pixels, bytes, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE)))
        png = spng_get_png_buffer(ctx, &n, &code);
    enum gm_status st = png ? gm_buf_add(out, png, n, err)
                            : GM_FAIL(err, GM_ENOMEM, "out of memory to encode a PNG picture (%s)",
                                      spng_strerror(code));
    gm_free(png);
    spng_ctx_free(ctx);
    return st;
}

enum gm_status gm_image_write_png(const struct gm_image *im, struct gm_buf *out,
                                  struct gm_error *err)
{
    const struct spng_ihdr head = {
        .width = im->w, .height = im->h, .bit_depth = 8, .color_type = SPNG_COLOR_TYPE_TRUECOLOR};
    return encode(head, im->rgb, (size_t)im->w * im->h * 3, out, err);
}

enum gm_status gm_mask_write_png(const uint8_t *mask, uint32_t h, uint32_t w, struct gm_buf *out,
                                 struct gm_error *err)
{
    const struct spng_ihdr head = {
        .width = w, .height = h, .bit_depth = 8, .color_type = SPNG_COLOR_TYPE_GRAYSCALE};
    size_t n = (size_t)h * w;
    uint8_t *grey = gm_alloc(n, 1);
    if (!grey)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a mask of %u x %u pixels", w, h);
    for (size_t i = 0; i < n; i++)
        grey[i] = mask[i] ? 255 : 0;
    enum gm_status st = encode(head, grey, n, out, err);
    gm_free(grey);
    return st;
}
