/* Masks: the first byte chooses height, the second width; the rest is COCO's counts, or the bytes of
 * Label Studio's brush. What decodes must encode to the same mask again. */
#include "fuzz.h"

#include "formats/brush_mask.h"
#include "image/mask.h"

#include <string.h>

static void check_rle(struct gm_arena *a, const uint8_t *mask, uint8_t *again, uint32_t h,
                      uint32_t w)
{
    struct gm_str counts, same;
    uint64_t *runs;
    size_t n;
    if (gm_rle_encode(a, mask, h, w, &counts, NULL) != GM_OK ||
        gm_rle_decode(counts, h, w, again, NULL) != GM_OK ||
        memcmp(mask, again, (size_t)h * w) != 0 ||
        gm_rle_to_runs(a, counts, h, w, &runs, &n, NULL) != GM_OK ||
        gm_rle_from_runs(a, runs, n, h, w, &same, NULL) != GM_OK || !gm_str_eq(counts, same))
        abort();
}

static void check_brush(const uint8_t *mask, uint8_t *again, uint32_t h, uint32_t w)
{
    struct gm_buf bytes;
    gm_buf_init(&bytes, (size_t)1 << 24);
    if (gm_brush_mask_encode(mask, h, w, &bytes, NULL) != GM_OK ||
        gm_brush_mask_decode((const uint8_t *)bytes.p, bytes.n, h, w, again, NULL) != GM_OK ||
        memcmp(mask, again, (size_t)h * w) != 0)
        abort();
    gm_buf_clear(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t mask[256 * 256], again[256 * 256];
    struct gm_arena a;
    struct gm_error err;
    if (size < 2)
        return 0;
    uint32_t h = data[0] + 1u, w = data[1] + 1u;
    const struct gm_str counts = {(const char *)data + 2, size - 2};
    gm_arena_init(&a, 0);
    if (gm_rle_decode(counts, h, w, mask, &err) == GM_OK)
        check_rle(&a, mask, again, h, w);
    if (gm_brush_mask_decode(data + 2, size - 2, h, w, mask, &err) == GM_OK) {
        check_rle(&a, mask, again, h, w);
        check_brush(mask, again, h, w);
    }
    gm_arena_clear(&a);
    fuzz_end();
    return 0;
}
