/* The picture encoder's preprocessing and its choice of inputs and outputs, on small models of our own:
 * one averages blocks of 56 x 56 input pixels, so that its vectors are computed by hand. */
#include "vision_files.h"

#include "vision/clip.h"

#include <math.h>
#include <unistd.h>

enum { BLOCKS = 4, BLOCK = 56, DIM = 3 * BLOCKS * BLOCKS };

static char dir[] = "/tmp/gmner-clip-XXXXXX";

#define PORT(id, dims) "<port id=\"" id "\" precision=\"FP32\">" dims "</port>"
#define NCHW(h) "<dim>-1</dim><dim>3</dim><dim>" h "</dim><dim>" h "</dim>"

/* pixels [?,3,224,224] -> AvgPool -> [?,3,4,4], and, with `flat`, -> Reshape -> [1,48]. */
static const char HEAD[] =
    "<?xml version=\"1.0\"?><net name=\"m\" version=\"11\"><layers>"
    "<layer id=\"0\" name=\"pixels\" type=\"Parameter\" version=\"opset1\"><data "
    "shape=\"?,3,224,224\" element_type=\"f32\"/><output><port id=\"0\" precision=\"FP32\" "
    "names=\"pixels\">" NCHW(
        "224") "</port></output></layer>"
               "<layer id=\"1\" name=\"blocks\" type=\"AvgPool\" version=\"opset1\"><data strides=\"56,56\" "
               "kernel=\"56,56\" pads_begin=\"0,0\" pads_end=\"0,0\" exclude-pad=\"false\" "
               "rounding_type=\"floor\" auto_pad=\"valid\"/><input>" PORT(
                   "0",
                   NCHW(
                       "224")) "</input><output><port id=\"1\" precision=\"FP32\" names=\"blocks\">" NCHW("4") "</port></output></layer>";
static const char FLAT[] =
    "<layer id=\"2\" name=\"shape\" type=\"Const\" version=\"opset1\"><data element_type=\"i64\" "
    "shape=\"2\" offset=\"0\" size=\"16\"/><output><port id=\"0\" precision=\"I64\"><dim>2</dim>"
    "</port></output></layer><layer id=\"3\" name=\"embeds\" type=\"Reshape\" version=\"opset1\">"
    "<data special_zero=\"false\"/><input>" PORT(
        "0",
        NCHW(
            "4")) "<port id=\"1\" precision=\"I64\"><dim>2</dim></port></input><output><port id=\"2\" "
                  "precision=\"FP32\" names=\"image_embeds\"><dim>1</dim><dim>48</dim></port></output></layer>"
                  "<layer id=\"4\" name=\"r\" type=\"Result\" version=\"opset1\"><input>" PORT(
                      "0", "<dim>1</dim><dim>48</dim>") "</input></layer>";
static const char BLOCKS_OUT[] =
    "<layer id=\"5\" name=\"s\" type=\"Result\" version=\"opset1\"><input>" PORT(
        "0", NCHW("4")) "</input></layer>";
#define EDGE(a, ap, b, bp) \
    "<edge from-layer=\"" a "\" from-port=\"" ap "\" to-layer=\"" b "\" to-port=\"" bp "\"/>"

static const char *write_model(const char *name, bool flat, bool blocks)
{
    static char path[256];
    struct gm_error err;
    struct gm_buf b;
    const int64_t shape[2] = {1, DIM};
    gm_buf_init(&b, 1 << 16);
    must(gm_buf_printf(
             &b, &err, "%s%s%s</layers><edges>%s%s%s</edges></net>", HEAD, blocks ? BLOCKS_OUT : "",
             flat ? FLAT : "", EDGE("0", "0", "1", "0"),
             flat ? EDGE("1", "1", "3", "0") EDGE("2", "0", "3", "1") EDGE("3", "2", "4", "0") : "",
             blocks ? EDGE("1", "1", "5", "0") : ""),
         &err);
    snprintf(path, sizeof path, "%s/%s.bin", dir, name);
    must(gm_file_write(path, (struct gm_str){(const char *)shape, sizeof shape}, &err), &err);
    snprintf(path, sizeof path, "%s/%s.xml", dir, name);
    must(gm_file_write(path, gm_buf_str(&b), &err), &err);
    gm_buf_clear(&b);
    return path;
}

/* Red rises from left to right, green from top to bottom, blue is the same everywhere: resizing keeps
 * that, and a block's mean is the value in its middle. */
static struct gm_image *ramps(uint32_t w, uint32_t h)
{
    struct gm_error err;
    struct gm_image *im;
    must(gm_image_new(&im, w, h, &err), &err);
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++) {
            uint8_t *px = im->rgb + 3 * ((size_t)y * w + x);
            px[0] = (uint8_t)(255 * (x + 0.5) / w);
            px[1] = (uint8_t)(255 * (y + 0.5) / h);
            px[2] = 77;
        }
    return im;
}

static void expect_ramps(const float *v, uint32_t w, uint32_t h)
{
    static const double mean[3] = {0.48145466, 0.4578275, 0.40821073};
    static const double deviation[3] = {0.26862954, 0.26130258, 0.27577711};
    double want[DIM], sum = 0, side = w < h ? w : h;
    for (size_t c = 0; c < 3; c++)
        for (size_t y = 0; y < BLOCKS; y++)
            for (size_t x = 0; x < BLOCKS; x++) {
                double at[3] = {((w - side) / 2 + ((double)x + 0.5) * side / BLOCKS) / w,
                                ((h - side) / 2 + ((double)y + 0.5) * side / BLOCKS) / h,
                                77.5 / 255};
                double value = (at[c] * 255 - 0.5) / 255; /* bytes are cut off */
                want[(c * BLOCKS + y) * BLOCKS + x] = (value - mean[c]) / deviation[c];
            }
    for (size_t i = 0; i < DIM; i++)
        sum += want[i] * want[i];
    for (size_t i = 0; i < DIM; i++)
        if (fabs((double)v[i] - want[i] / sqrt(sum)) > 2e-3)
            fail_msg("%ux%u: number %zu is %f, not %f", w, h, i, (double)v[i], want[i] / sqrt(sum));
}

static void shows_the_middle_square(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{600, 300}, {300, 700}, {224, 224}, {100, 61}, {225, 331}};
    struct gm_error err;
    struct gm_clip *c;
    float v[DIM];
    must(gm_clip_load(&c, write_model("flat", true, false), false, &err), &err);
    assert_int_equal(gm_clip_dim(c), DIM);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct gm_image *im = ramps(sizes[i][0], sizes[i][1]);
        must(gm_clip_run(c, i % gm_clip_lanes(c), im, v, &err), &err);
        expect_ramps(v, sizes[i][0], sizes[i][1]);
        gm_image_free(im);
    }
    gm_clip_free(c);
    assert_int_equal(gm_alloc_live(), 0);
}

static void takes_the_embeddings_among_outputs(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_clip *c;
    must(gm_clip_load(&c, write_model("both", true, true), false, &err), &err);
    assert_int_equal(gm_clip_dim(c), DIM);
    gm_clip_free(c);
}

static void refuses_other_models(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_clip *c;
    assert_int_equal(gm_clip_load(&c, write_model("blocks", false, true), false, &err), GM_EMODEL);
    assert_null(c);
    assert_non_null(strstr(err.msg, "not one vector a picture"));
    assert_int_equal(gm_clip_load(&c, ".deps/models/nanodet/nanodet.onnx", false, &err), GM_EMODEL);
    assert_int_equal(gm_clip_load(&c, "/nowhere/clip.onnx", false, &err), GM_EMODEL);
    assert_non_null(strstr(err.msg, "/nowhere/clip.onnx"));
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    vision_tests_start(".deps/models/nanodet/nanodet.onnx");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_the_middle_square),
        cmocka_unit_test(takes_the_embeddings_among_outputs),
        cmocka_unit_test(refuses_other_models),
    };
    if (!mkdtemp(dir))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const made[] = {"flat.xml", "flat.bin",   "both.xml",
                                       "both.bin", "blocks.xml", "blocks.bin"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", dir, made[i]);
        unlink(path);
    }
    rmdir(dir);
    return failed;
}
