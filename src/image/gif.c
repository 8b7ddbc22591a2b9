/* gif.c - the first picture of a GIF; the only user of giflib. Read record by record, so that what
 * follows the first picture of an animation costs nothing. */
#include "image/image_internal.h"

#include "base/alloc.h"

#include <gif_lib.h>
#include <string.h>

struct source {
    struct gm_str bytes;
    size_t at;
    bool cut; /* more was asked for than there is */
};

static int read_bytes(GifFileType *g, GifByteType *to, int n)
{
    struct source *s = g->UserData;
    size_t left = s->bytes.n - s->at, take = (size_t)n < left ? (size_t)n : left;
    s->cut = s->cut || take < (size_t)n;
    memcpy(to, s->bytes.p + s->at, take);
    s->at += take;
    return (int)take;
}

static enum gm_status gif_fail(const struct source *s, int code, struct gm_error *err)
{
    if (code == D_GIF_ERR_NOT_ENOUGH_MEM)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a GIF picture");
    const char *why = GifErrorString(code);
    return GM_FAIL(err, GM_EFORMAT, "%s GIF picture (%s)", s->cut ? "truncated" : "damaged",
                   why ? why : "it has no picture in it");
}

/* Go to the first picture; *see_through is its transparent colour, or NO_TRANSPARENT_COLOR. */
static bool find_picture(GifFileType *g, int *see_through)
{
    GifRecordType type;
    *see_through = NO_TRANSPARENT_COLOR;
    while (DGifGetRecordType(g, &type) == GIF_OK && type != TERMINATE_RECORD_TYPE) {
        if (type == IMAGE_DESC_RECORD_TYPE)
            return DGifGetImageDesc(g) == GIF_OK;
        if (type != EXTENSION_RECORD_TYPE)
            continue;
        GraphicsControlBlock control;
        GifByteType *block;
        int code;
        int ok = DGifGetExtension(g, &code, &block);
        if (ok == GIF_OK && block && code == GRAPHICS_EXT_FUNC_CODE &&
            DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
            *see_through = control.TransparentColor;
        while (ok == GIF_OK && block)
            ok = DGifGetExtensionNext(g, &block);
        if (ok != GIF_OK)
            return false;
    }
    return false;
}

/* A row of indices as colours; what is see-through stays as the canvas is. */
static void put_row(const GifFileType *g, struct gm_image *im, size_t y, const GifPixelType *row,
                    int see_through)
{
    const ColorMapObject *map = g->Image.ColorMap ? g->Image.ColorMap : g->SColorMap;
    uint8_t *to = im->rgb + (y * im->w + (size_t)g->Image.Left) * 3;
    for (int x = 0; x < g->Image.Width; x++, to += 3) {
        if (row[x] == see_through)
            continue;
        /* An index that the palette lacks is black, as in every viewer; without one, grey. */
        GifColorType black = {0, 0, 0}, grey = {row[x], row[x], row[x]};
        GifColorType c = !map ? grey : row[x] < map->ColorCount ? map->Colors[row[x]] : black;
        to[0] = c.Red;
        to[1] = c.Green;
        to[2] = c.Blue;
    }
}

/* Interlaced rows come in four passes. */
static bool read_rows(GifFileType *g, struct gm_image *im, GifPixelType *row, int see_through)
{
    static const int first[] = {0, 4, 2, 1}, step[] = {8, 8, 4, 2};
    bool laced = g->Image.Interlace;
    for (int pass = 0; pass < (laced ? 4 : 1); pass++)
        for (int y = laced ? first[pass] : 0; y < g->Image.Height; y += laced ? step[pass] : 1) {
            if (DGifGetLine(g, row, g->Image.Width) != GIF_OK)
                return false;
            put_row(g, im, (size_t)(g->Image.Top + y), row, see_through);
        }
    return true;
}

static uint32_t larger(int screen, int from, int size)
{
    return (uint32_t)(screen > from + size ? screen : from + size);
}

enum gm_status gm_gif_decode(struct gm_image **out, struct gm_str bytes, int *orientation,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct source s = {.bytes = bytes};
    struct gm_image *im = NULL;
    GifPixelType *row = NULL;
    int code = 0, see_through;
    *out = NULL;
    *orientation = 1;
    GifFileType *g = DGifOpen(&s, read_bytes, &code);
    if (!g || !find_picture(g, &see_through)) {
        st = gif_fail(&s, g ? g->Error : code, err);
        goto done;
    }
    /* A picture that leaves the screen makes it larger, as browsers have it. */
    uint32_t w = larger(g->SWidth, g->Image.Left, g->Image.Width);
    uint32_t h = larger(g->SHeight, g->Image.Top, g->Image.Height);
    GM_TRY(gm_image_check_size(w, h, err));
    GM_TRY(gm_image_new(&im, w, h, err));
    memset(im->rgb, 255, (size_t)w * h * 3);
    if (!(row = gm_alloc((size_t)g->Image.Width, sizeof *row))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a line of %d pixels", g->Image.Width);
        goto done;
    }
    if (!read_rows(g, im, row, see_through)) {
        st = gif_fail(&s, g->Error, err);
        goto done;
    }
    *out = im;
    im = NULL;
done:
    gm_free(row);
    gm_image_free(im);
    if (g)
        (void)DGifCloseFile(g, &code); /* nothing is written: it cannot lose anything */
    return st;
}
