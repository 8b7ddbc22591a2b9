/* webp.c - WebP pictures, of an animation its first; the only user of libwebp. */
#include "image/image_internal.h"

#include "base/alloc.h"

#include <webp/decode.h>
#include <webp/demux.h>

static enum gm_status webp_fail(VP8StatusCode code, struct gm_error *err)
{
    if (code == VP8_STATUS_OUT_OF_MEMORY)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a WebP picture");
    bool cut = code == VP8_STATUS_NOT_ENOUGH_DATA || code == VP8_STATUS_SUSPENDED;
    return GM_FAIL(err, GM_EFORMAT, "%s WebP picture (libwebp status %d)",
                   cut ? "truncated" : "damaged", (int)code);
}

/* The container's own length, little-endian at byte 4, counts what follows it. */
static bool is_cut(struct gm_str bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    if (bytes.n < 12)
        return true;
    uint64_t n = (uint64_t)p[4] | (uint64_t)p[5] << 8 | (uint64_t)p[6] << 16 | (uint64_t)p[7] << 24;
    return n + 8 > bytes.n;
}

static int exif_orientation(struct gm_str bytes)
{
    WebPData data = {(const uint8_t *)bytes.p, bytes.n};
    WebPDemuxer *demux = WebPDemux(&data);
    WebPChunkIterator chunk;
    int orientation = 1;
    if (demux && WebPDemuxGetChunk(demux, "EXIF", 1, &chunk)) {
        orientation =
            gm_exif_orientation((struct gm_str){(const char *)chunk.chunk.bytes, chunk.chunk.size});
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    WebPDemuxDelete(demux);
    return orientation;
}

static VP8StatusCode read_pixels(struct gm_str bytes, uint8_t *to, size_t stride, size_t room,
                                 WEBP_CSP_MODE mode)
{
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return VP8_STATUS_INVALID_PARAM;
    config.output.colorspace = mode;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = to;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = room;
    return WebPDecode((const uint8_t *)bytes.p, bytes.n, &config);
}

/* The first picture of an animation, laid where it belongs on a see-through canvas of RGBA. */
static VP8StatusCode read_first(struct gm_str bytes, uint8_t *canvas, uint32_t w, uint32_t h)
{
    WebPData data = {(const uint8_t *)bytes.p, bytes.n};
    WebPDemuxer *demux = WebPDemux(&data);
    WebPIterator frame = {0};
    VP8StatusCode code = VP8_STATUS_BITSTREAM_ERROR;
    if (!demux || !WebPDemuxGetFrame(demux, 1, &frame))
        goto done;
    uint32_t x = (uint32_t)frame.x_offset, y = (uint32_t)frame.y_offset;
    uint32_t frame_w = (uint32_t)frame.width, frame_h = (uint32_t)frame.height;
    if (x > w || y > h || frame_w > w - x || frame_h > h - y)
        goto done;
    code = read_pixels((struct gm_str){(const char *)frame.fragment.bytes, frame.fragment.size},
                       canvas + ((size_t)y * w + x) * 4, (size_t)w * 4,
                       (size_t)(frame_h - 1) * w * 4 + (size_t)frame_w * 4, MODE_RGBA);
done:
    WebPDemuxReleaseIterator(&frame);
    WebPDemuxDelete(demux);
    return code;
}

enum gm_status gm_webp_decode(struct gm_image **out, struct gm_str bytes, int *orientation,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *im = NULL;
    uint8_t *rgba = NULL;
    WebPBitstreamFeatures head;
    *out = NULL;
    *orientation = 1;
    VP8StatusCode code = is_cut(bytes) ? VP8_STATUS_NOT_ENOUGH_DATA
                                       : WebPGetFeatures((const uint8_t *)bytes.p, bytes.n, &head);
    if (code != VP8_STATUS_OK)
        return webp_fail(code, err);
    GM_TRY(gm_image_check_size((uint64_t)head.width, (uint64_t)head.height, err));
    GM_TRY(gm_image_new(&im, (uint32_t)head.width, (uint32_t)head.height, err));
    bool blended = head.has_alpha || head.has_animation;
    if (blended && !(rgba = gm_alloc((size_t)im->w * im->h, 4))) {
        st = webp_fail(VP8_STATUS_OUT_OF_MEMORY, err);
        goto done;
    }
    size_t n = (size_t)im->w * im->h;
    code = head.has_animation ? read_first(bytes, rgba, im->w, im->h)
           : rgba             ? read_pixels(bytes, rgba, (size_t)im->w * 4, n * 4, MODE_RGBA)
                              : read_pixels(bytes, im->rgb, (size_t)im->w * 3, n * 3, MODE_RGB);
    if (code != VP8_STATUS_OK) {
        st = webp_fail(code, err);
        goto done;
    }
    if (rgba)
        gm_image_blend(im, rgba);
    *orientation = exif_orientation(bytes);
    *out = im;
    im = NULL;
done:
    gm_free(rgba);
    gm_image_free(im);
    return st;
}
