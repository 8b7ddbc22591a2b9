/* A map of logits as a mask, beside the two steps of the reference written out; the files of a model's folder.
 * The rest of SAM is tested with models: tests/e2e/test_sam.py, tests/ref/sam_reference.py. */
#include "vision_files.h"

#include "base/path.h"
#include "base/rng.h"
#include "vision/mask_map.h"
#include "vision/sam.h"

#include <math.h>
#include <unistd.h>

/* interpolate(mode="bilinear", align_corners=False) of the upper left w0 x h0 of a map with `stride`. */
static float *interpolate(const float *map, size_t stride, size_t h0, size_t w0, size_t h, size_t w)
{
    float *out = gm_alloc(h * w, sizeof *out);
    for (size_t i = 0; i < h * w; i++) {
        double y = fmax(0, ((double)(i / w) + 0.5) * (double)h0 / (double)h - 0.5);
        double x = fmax(0, ((double)(i % w) + 0.5) * (double)w0 / (double)w - 0.5);
        size_t y0 = (size_t)y, x0 = (size_t)x;
        size_t y1 = y0 + 1 < h0 ? y0 + 1 : y0, x1 = x0 + 1 < w0 ? x0 + 1 : x0;
        double fy = y - (double)y0, fx = x - (double)x0;
        double top = (1 - fx) * (double)map[y0 * stride + x0] + fx * (double)map[y0 * stride + x1];
        double low = (1 - fx) * (double)map[y1 * stride + x0] + fx * (double)map[y1 * stride + x1];
        out[i] = (float)((1 - fy) * top + fy * low);
    }
    return out;
}

static void check_map(const struct gm_map_view *v, size_t n, const float *map)
{
    struct gm_error err;
    size_t pixels = (size_t)v->w * v->h, area, counted = 0, other = 0;
    uint8_t *mask = gm_alloc(pixels, 1);
    float *whole = v->side ? interpolate(map, n, n, n, v->side, v->side) : NULL;
    float *want = v->side ? interpolate(whole, v->side, v->rh, v->rw, v->h, v->w)
                          : interpolate(map, n, n, n, v->h, v->w);
    must(gm_mask_of_map(map, n, n, v, mask, &area, &err), &err);
    for (size_t i = 0; i < pixels; i++) {
        counted += mask[i];
        other += fabsf(want[i]) > 1e-5f && mask[i] != (want[i] > 0);
    }
    if (other || counted != area)
        fail_msg("%u x %u: %zu pixels differ, area %zu, not %zu", v->w, v->h, other, area, counted);
    gm_free(mask);
    gm_free(want);
    gm_free(whole);
}

static void maps_as_the_reference_enlarges_them(void **state)
{
    (void)state;
    static const struct gm_map_view views[] = {
        {97, 61, 64, 64, 40}, {40, 64, 64, 40, 64}, {200, 17, 64, 64, 5}, {3, 200, 64, 1, 64},
        {16, 16, 64, 64, 64}, {1, 1, 64, 64, 64},   {50, 31, 0, 0, 0},    {16, 16, 0, 0, 0},
        {7, 90, 0, 0, 0},     {33, 20, 16, 16, 10}};
    float map[16 * 16];
    struct gm_rng rng;
    gm_rng_init(&rng, 5);
    for (size_t k = 0; k < 20; k++) {
        for (size_t i = 0; i < 256; i++)
            map[i] = (float)(gm_rng_uniform(&rng) - 0.5);
        for (size_t i = 0; i < sizeof views / sizeof *views; i++)
            check_map(&views[i], 16, map);
    }
    /* Maps of fewer samples than a pixel may be made of. */
    check_map(&(struct gm_map_view){9, 5, 8, 8, 4}, 2, map);
    check_map(&(struct gm_map_view){9, 5, 8, 8, 4}, 1, map);
    assert_int_equal(gm_alloc_live(), 0);
}

static void refuses_maps_and_lack_of_memory(void **state)
{
    (void)state;
    struct gm_error err;
    float map[64] = {0};
    uint8_t mask[20];
    size_t area;
    const struct gm_map_view small = {5, 4, 4, 4, 3}, good = {5, 4, 8, 8, 6};
    assert_int_equal(gm_mask_of_map(map, 8, 8, &small, mask, &area, &err), GM_ESHAPE);
    for (size_t nth = 1; nth <= 3; nth++) {
        gm_alloc_fail_at(nth);
        assert_int_equal(gm_mask_of_map(map, 8, 8, &good, mask, &area, &err), GM_ENOMEM);
    }
    gm_alloc_fail_at(0);
    must(gm_mask_of_map(map, 8, 8, &good, mask, &area, &err), &err);
    assert_int_equal(area, 0); /* 0 is outside */
    assert_int_equal(gm_alloc_live(), 0);
}

static void put_file(struct gm_arena *a, const char *dir, const char *name)
{
    struct gm_error err;
    must(gm_file_write(gm_path_join(a, dir, name), GM_STR("x"), &err), &err);
}

static void finds_the_files_of_a_folder(void **state)
{
    (void)state;
    char dir[] = "/tmp/gmner-sam-XXXXXX";
    struct gm_error err;
    struct gm_arena a;
    struct gm_sam_files files = {0};
    gm_arena_init(&a, 0);
    assert_non_null(mkdtemp(dir));
    const char *inner = gm_path_join(&a, dir, "onnx");
    assert_int_equal(gm_sam_find(&a, dir, &files, &err), GM_EMODEL);
    must(gm_mkdirs(inner, &err), &err);
    put_file(&a, inner, "vision_encoder_quantized.onnx");
    put_file(&a, inner, "vision_encoder.onnx");
    put_file(&a, inner, "prompt_encoder_mask_decoder_fp16.onnx");
    put_file(&a, inner, "prompt_encoder_mask_decoder.onnx");
    put_file(&a, dir, "encoder.txt");
    must(gm_sam_find(&a, dir, &files, &err), &err);
    assert_string_equal(files.encoder + strlen(dir), "/onnx/vision_encoder.onnx");
    assert_string_equal(files.decoder + strlen(dir), "/onnx/prompt_encoder_mask_decoder.onnx");
    files = (struct gm_sam_files){.encoder = "onnx/vision_encoder_quantized.onnx"};
    must(gm_sam_find(&a, dir, &files, &err), &err);
    assert_string_equal(files.encoder + strlen(dir), "/onnx/vision_encoder_quantized.onnx");
    put_file(&a, dir, "mobile_sam.decoder.onnx"); /* the folder itself comes first */
    files = (struct gm_sam_files){0};
    must(gm_sam_find(&a, dir, &files, &err), &err);
    assert_string_equal(files.decoder + strlen(dir), "/mobile_sam.decoder.onnx");
    put_file(&a, dir, "mobile_sam_decoder.onnx"); /* as long as the other: which is meant? */
    files = (struct gm_sam_files){0};
    assert_int_equal(gm_sam_find(&a, dir, &files, &err), GM_EMODEL);
    assert_non_null(strstr(err.msg, "both"));
    static const char *const made[] = {"onnx/vision_encoder_quantized.onnx",
                                       "onnx/vision_encoder.onnx",
                                       "onnx/prompt_encoder_mask_decoder_fp16.onnx",
                                       "onnx/prompt_encoder_mask_decoder.onnx",
                                       "encoder.txt",
                                       "mobile_sam.decoder.onnx",
                                       "mobile_sam_decoder.onnx"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        unlink(gm_path_join(&a, dir, made[i]));
    rmdir(inner);
    rmdir(dir);
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_as_the_reference_enlarges_them),
        cmocka_unit_test(refuses_maps_and_lack_of_memory),
        cmocka_unit_test(finds_the_files_of_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
