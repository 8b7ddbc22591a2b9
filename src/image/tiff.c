/* tiff.c - the first page of a TIFF file; the only user of libtiff. Its RGBA reader knows all that
 * cameras, scanners and drawing programs write (1 to 16 bits, palettes, CMYK, YCbCr, JPEG inside);
 * measured values as 32-bit floats are refused by it. */
#include "image/image_internal.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#include <tiffio.h>

struct source {
    struct gm_str bytes;
    uint64_t at;
    bool cut;         /* the library went beyond the end */
    char reason[160]; /* the first error it told */
};

static tmsize_t read_bytes(thandle_t user, void *to, tmsize_t n)
{
    struct source *s = user;
    uint64_t left = s->at < s->bytes.n ? s->bytes.n - s->at : 0;
    uint64_t take = (uint64_t)n < left ? (uint64_t)n : left;
    s->cut = s->cut || take < (uint64_t)n;
    if (take)
        memcpy(to, s->bytes.p + s->at, (size_t)take);
    s->at += take;
    return (tmsize_t)take;
}

static tmsize_t write_nothing(thandle_t user, void *from, tmsize_t n)
{
    (void)user, (void)from, (void)n;
    return -1;
}

static toff_t seek_to(thandle_t user, toff_t to, int whence)
{
    struct source *s = user;
    s->at = whence == SEEK_SET ? to : whence == SEEK_CUR ? s->at + to : s->bytes.n + to;
    s->cut = s->cut || s->at > s->bytes.n;
    return s->at;
}

static int close_nothing(thandle_t user)
{
    (void)user;
    return 0;
}

/* The whole file is in memory: libtiff reads strips and tiles in place. */
static int map_bytes(thandle_t user, void **base, toff_t *size)
{
    struct source *s = user;
    *base = (void *)(uintptr_t)s->bytes.p; /* never written to in mode "r" */
    *size = s->bytes.n;
    return 1;
}

static void unmap_nothing(thandle_t user, void *base, toff_t size)
{
    (void)user, (void)base, (void)size;
}

static toff_t size_of(thandle_t user) { return ((struct source *)user)->bytes.n; }

static int on_error(TIFF *t, void *user, const char *module, const char *format, va_list args)
{
    struct source *s = user;
    (void)t, (void)module;
    if (!s->reason[0])
        vsnprintf(s->reason, sizeof s->reason, format, args);
    return 1; /* nothing is printed */
}

static int on_warning(TIFF *t, void *user, const char *module, const char *format, va_list args)
{
    (void)t, (void)user, (void)module, (void)format, (void)args;
    return 1;
}

/* mode: "rm" reads through read_bytes, "r" in place. */
static TIFF *open_bytes(struct source *s, const char *mode)
{
    TIFFOpenOptions *o = TIFFOpenOptionsAlloc();
    if (!o)
        return NULL;
    /* A strip or tile is at most the whole picture, with 16 bits for each of 4 channels. */
    TIFFOpenOptionsSetMaxSingleMemAlloc(o, (tmsize_t)(8 * gm_image_max_pixels() + (16u << 20)));
    TIFFOpenOptionsSetErrorHandlerExtR(o, on_error, s);
    TIFFOpenOptionsSetWarningHandlerExtR(o, on_warning, s);
    TIFF *t = TIFFClientOpenExt("", mode, s, read_bytes, write_nothing, seek_to, close_nothing,
                                size_of, map_bytes, unmap_nothing, o);
    TIFFOpenOptionsFree(o);
    return t;
}

/* Whether anything of the page lies beyond the file's end: its tags, which libtiff replaces by guesses
 * (a palette by greys), a strip or a tile. */
static bool is_cut(TIFF *t, const struct source *s)
{
    if (s->cut)
        return true;
    uint32_t n = TIFFIsTiled(t) ? TIFFNumberOfTiles(t) : TIFFNumberOfStrips(t);
    for (uint32_t i = 0; i < n && i < s->bytes.n; i++) {
        uint64_t from = TIFFGetStrileOffset(t, i), bytes = TIFFGetStrileByteCount(t, i);
        if (from > s->bytes.n || bytes > s->bytes.n - from)
            return true;
    }
    return false;
}

static enum gm_status tiff_fail(const struct source *s, bool cut, struct gm_error *err)
{
    return GM_FAIL(err, GM_EFORMAT, "%s TIFF picture (%s)", cut || s->cut ? "truncated" : "damaged",
                   s->reason[0] ? s->reason : "no reason is given");
}

/* libtiff's pixels carry their alpha already (red x alpha), so white only fills what is left. */
static void put_pixels(struct gm_image *im, const uint32_t *abgr)
{
    for (size_t i = 0; i < (size_t)im->w * im->h; i++) {
        uint32_t white = 255 - TIFFGetA(abgr[i]);
        const uint32_t rgb[3] = {TIFFGetR(abgr[i]), TIFFGetG(abgr[i]), TIFFGetB(abgr[i])};
        for (size_t c = 0; c < 3; c++)
            im->rgb[3 * i + c] = (uint8_t)(rgb[c] + white < 255 ? rgb[c] + white : 255);
    }
}

static enum gm_status read_pixels(TIFF *t, struct source *s, struct gm_image **out,
                                  int *orientation, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    TIFFRGBAImage page = {0};
    uint32_t *abgr = NULL;
    char why[1024] = "";
    if (!TIFFRGBAImageOK(t, why) || !TIFFRGBAImageBegin(&page, t, 1, why)) {
        if (why[0])
            snprintf(s->reason, sizeof s->reason, "%.150s", why);
        return tiff_fail(s, false, err);
    }
    page.req_orientation = page.orientation; /* as stored: image.c turns pictures */
    *orientation = page.orientation;
    GM_TRY(gm_image_new(out, page.width, page.height, err));
    size_t n = (size_t)page.width * page.height;
    if (!(abgr = gm_alloc(n, sizeof *abgr))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a TIFF picture");
        goto done;
    }
    if (TIFFRGBAImageGet(&page, abgr, page.width, page.height))
        put_pixels(*out, abgr);
    else
        st = tiff_fail(s, false, err);
done:
    gm_free(abgr);
    TIFFRGBAImageEnd(&page);
    return st;
}

/* Opens the file twice. Not mapped it tells which tags lie beyond its end; mapped it reads what 4.5 of
 * the library refuses else: bare tiles whose size in bytes isn't a multiple of 1024. */
static enum gm_status open_whole(TIFF **out, struct source *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint32_t w = 0, h = 0;
    TIFF *t = open_bytes(s, "rm");
    if (!t)
        return tiff_fail(s, false, err);
    TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &w);
    TIFFGetField(t, TIFFTAG_IMAGELENGTH, &h);
    GM_TRY(gm_image_check_size(w, h, err));
    if (is_cut(t, s)) {
        st = tiff_fail(s, true, err);
        goto done;
    }
    s->at = 0;
    if (!(*out = open_bytes(s, "r")))
        st = tiff_fail(s, false, err);
done:
    TIFFClose(t);
    return st;
}

enum gm_status gm_tiff_decode(struct gm_image **out, struct gm_str bytes, int *orientation,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct source s = {.bytes = bytes};
    struct gm_image *im = NULL;
    TIFF *t = NULL;
    *out = NULL;
    *orientation = 1;
    GM_TRY(open_whole(&t, &s, err));
    GM_TRY(read_pixels(t, &s, &im, orientation, err));
    *out = im;
    im = NULL;
done:
    gm_image_free(im);
    if (t)
        TIFFClose(t);
    return st;
}
