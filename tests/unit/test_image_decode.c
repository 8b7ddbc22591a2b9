/* Decoding against Pillow, orientation, files that are no pictures, and encoding. */
#include "image_files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void decodes_as_pillow_does(void **state)
{
    (void)state;
    FILE *f = fopen(GOLDEN "decode.txt", "r");
    char name[64], expected[64];
    int tolerance, n = 0;
    assert_non_null(f);
    while (fscanf(f, "%63s %63s %d", name, expected, &tolerance) == 3) {
        if (strstr(name, ".avif") && !gm_heif_is_there()) {
            say_skipped("no libheif.so.1 for %s; `tools/setup.sh tests` gets it", name);
            continue;
        }
        struct gm_image *got = golden_image(name), *want = golden_image(expected);
        int d = image_distance(got, want);
        if (d > tolerance)
            fail_msg("%s: differs by %d levels from %s", name, d, expected);
        gm_image_free(got);
        gm_image_free(want);
        n++;
    }
    fclose(f);
    assert_true(n >= 45);
    assert_int_equal(gm_alloc_live(), 0);
}

/* The eight orientations of a picture of numbered pixels, by EXIF's definition of row 0, column 0.
 */
static void turns_every_way(void **state)
{
    (void)state;
    /* 3 x 2: 0 1 2 / 3 4 5 */
    static const uint8_t upright[9][6] = {
        [1] = {0, 1, 2, 3, 4, 5}, [2] = {2, 1, 0, 5, 4, 3}, [3] = {5, 4, 3, 2, 1, 0},
        [4] = {3, 4, 5, 0, 1, 2}, [5] = {0, 3, 1, 4, 2, 5}, [6] = {3, 0, 4, 1, 5, 2},
        [7] = {5, 2, 4, 1, 3, 0}, [8] = {2, 5, 1, 4, 0, 3},
    };
    for (int o = 1; o <= 8; o++) {
        struct gm_error err;
        struct gm_image *im;
        must(gm_image_new(&im, 3, 2, &err), &err);
        for (size_t i = 0; i < 18; i++)
            im->rgb[i] = (uint8_t)(10 * (i / 3) + i % 3);
        must(gm_image_orient(im, o, &err), &err);
        assert_int_equal(im->w, o < 5 ? 3 : 2);
        assert_int_equal(im->h, o < 5 ? 2 : 3);
        for (size_t i = 0; i < 18; i++)
            assert_int_equal(im->rgb[i], 10 * upright[o][i / 3] + i % 3);
        gm_image_free(im);
    }
}

static void expect_error(const char *path, enum gm_status code, const char *part)
{
    struct gm_error err;
    struct gm_image *im;
    assert_int_equal(gm_image_load(&im, path, &err), code);
    assert_null(im);
    if (strncmp(err.msg, path, strlen(path)) != 0 || !strstr(err.msg, part))
        fail_msg("message \"%s\" must start with %s and say \"%s\"", err.msg, path, part);
}

static void write_file(const char *path, struct gm_str s)
{
    struct gm_error err;
    must(gm_file_write(path, s, &err), &err);
}

static void refuses_what_is_no_picture(void **state)
{
    (void)state;
    char dir[] = "/tmp/gm_test_image_XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/x.jpg", dir);
    expect_error(path, GM_EIO, "No such file");
    expect_error(dir, GM_EIO, "is a directory");
    write_file(path, GM_STR(""));
    expect_error(path, GM_EFORMAT, "empty");
    write_file(path, GM_STR("this is a text\n"));
    expect_error(path, GM_EFORMAT, "not a JPEG, PNG, WebP, GIF, BMP, TIFF");
    write_file(path, GM_STR("RIFF"));
    expect_error(path, GM_EFORMAT, "not a JPEG");
    write_file(path, GM_STR("\xff\xd8"));
    expect_error(path, GM_EFORMAT, "truncated");
    unlink(path);
    rmdir(dir);
}

/* What would be waited for, or never ends, is refused without being opened. */
static void refuses_pipes_and_devices(void **state)
{
    (void)state;
    char dir[] = "/tmp/gm_test_image_XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/pipe.jpg", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(20); /* a call that hangs ends the test */
    expect_error(path, GM_EIO, "is a pipe, not a picture file");
    expect_error("/dev/zero", GM_EIO, "is a device");
    alarm(0);
    unlink(path);
    rmdir(dir);
}

static void limit_is_an_option(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_image *im;
    static const char *const names[] = {"baseline.jpg", "rgb.png", "lossy.webp", "moving.webp",
                                        "plain.gif",    "rgb.bmp", "lzw.tif",    "small.avif"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct gm_buf b = golden_bytes(names[i]);
        uint64_t n = strstr(names[i], "moving") ? 37 * 24 : 61 * 43;
        if (strstr(names[i], ".avif") && !gm_heif_is_there()) {
            gm_buf_clear(&b);
            continue;
        }
        gm_image_max_pixels_set(n - 1);
        assert_int_equal(gm_image_decode(&im, gm_buf_str(&b), &err), GM_EFORMAT);
        if (!strstr(err.msg, "--max-pixels"))
            fail_msg("%s: \"%s\"", names[i], err.msg);
        gm_image_max_pixels_set(n);
        must(gm_image_decode(&im, gm_buf_str(&b), &err), &err);
        gm_image_free(im);
        gm_buf_clear(&b);
    }
    gm_image_max_pixels_set(0);
    assert_int_equal(gm_alloc_live(), 0);
}

/* Headers that claim 60,000 x 60,000 pixels: refused before memory is asked for. */
static void refuses_huge_headers(void **state)
{
    (void)state;
    static const char jpeg[] = "\xff\xd8\xff\xc0\x00\x11\x08\xea\x60\xea\x60\x03"
                               "\x01\x22\x00\x02\x11\x01\x03\x11\x01"
                               "\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00";
    static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0"
                              "\xda\xf4\x02\x23\0\0\0\0IDAT";
    /* WebP's canvas is at most 16384 x 16384, which is over the limit on all pixels. */
    static const char webp[] = "RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0"
                               "VP8 \0\0\0\0";
    static const char gif[] = "GIF89a\x60\xea\x60\xea\0\0\0,\0\0\0\0\x60\xea\x60\xea\0\x08";
    static const char bmp[] = "BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x60\xea\0\0\x60\xea\0\0"
                              "\1\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    static const char tiff[] = "II*\0\x08\0\0\0\3\0\0\1\4\0\1\0\0\0\x60\xea\0\0"
                               "\1\1\4\0\1\0\0\0\x60\xea\0\0"
                               "\x11\1\4\0\1\0\0\0\x08\0\0\0\0\0\0\0";
    struct gm_str files[] = {{jpeg, sizeof jpeg - 1}, {png, sizeof png - 1},
                             {gif, sizeof gif - 1},   {bmp, sizeof bmp - 1},
                             {tiff, sizeof tiff - 1}, {webp, sizeof webp - 1}};
    for (int i = 0; i < 6; i++) {
        struct gm_error err;
        struct gm_image *im;
        gm_alloc_fail_at(i == 1 ? 0 : 1); /* libspng's context is allocated by gm_alloc */
        assert_int_equal(gm_image_decode(&im, files[i], &err), GM_EFORMAT);
        gm_alloc_fail_at(0);
        if (!strstr(err.msg, i < 5 ? "60000 x 60000" : "16384 x 16384"))
            fail_msg("file %d: \"%s\"", i, err.msg);
    }
    assert_int_equal(gm_alloc_live(), 0);
}

/* Mean difference of two pictures of one size, in levels. */
static double mean_difference(const struct gm_image *a, const struct gm_image *b)
{
    double sum = 0;
    size_t n = (size_t)a->w * a->h * 3;
    assert_true(a->w == b->w && a->h == b->h);
    for (size_t i = 0; i < n; i++)
        sum += a->rgb[i] > b->rgb[i] ? a->rgb[i] - b->rgb[i] : b->rgb[i] - a->rgb[i];
    return sum / (double)n;
}

/* A JPEG shrinks while both sides stay at least side_min; another picture never does. The size told
 * is the whole upright picture's. */
static void small_copies(void **state)
{
    (void)state;
    static const char *const names[] = {"baseline.jpg", "progressive.jpg", "grey.jpg",
                                        "cmyk.jpg",     "exif3.jpg",       "exif6.jpg",
                                        "exif8.jpg",    "rgb.png",         "exif6.webp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct gm_error err;
        struct gm_image *whole = golden_image(names[i]), *got;
        char path[128];
        uint32_t size[2], side = whole->w < whole->h ? whole->w : whole->h;
        const uint32_t minima[] = {0, side + 1, side, side / 2, side / 2 + 1, side / 4, 1};
        static const uint32_t divisors[] = {1, 1, 1, 2, 1, 4, 8};
        snprintf(path, sizeof path, GOLDEN "%s", names[i]);
        for (size_t k = 0; k < sizeof minima / sizeof *minima; k++) {
            uint32_t d = strstr(names[i], ".jpg") ? divisors[k] : 1;
            must(gm_image_load_small(&got, path, minima[k], size, &err), &err);
            assert_int_equal(size[0], whole->w);
            assert_int_equal(size[1], whole->h);
            assert_int_equal(got->w, (whole->w + d - 1) / d);
            assert_int_equal(got->h, (whole->h + d - 1) / d);
            gm_image_free(got);
        }
        gm_image_free(whole);
    }
    assert_int_equal(gm_alloc_live(), 0);
}

/* A smooth picture at 1/2 to 1/8 is what resizing makes of it. */
static void small_copies_look_alike(void **state)
{
    (void)state;
    char path[] = "/tmp/gm_test_small_XXXXXX";
    const float whole[4] = {0, 0, 333, 250};
    struct gm_error err;
    struct gm_image *im, *got, *want;
    struct gm_buf b;
    gm_buf_init(&b, 1 << 20);
    must(gm_image_new(&im, 333, 250, &err), &err);
    for (uint32_t i = 0; i < 333 * 250; i++) {
        im->rgb[3 * i] = (uint8_t)(i % 333 / 2);
        im->rgb[3 * i + 1] = (uint8_t)(i / 333);
        im->rgb[3 * i + 2] = (uint8_t)(128 + i / 333 / 4);
    }
    must(gm_image_write_jpeg(im, 95, &b, &err), &err);
    int fd = mkstemp(path);
    assert_true(fd >= 0 && close(fd) == 0);
    write_file(path, gm_buf_str(&b));
    for (uint32_t d = 2; d <= 8; d *= 2) {
        uint32_t size[2];
        must(gm_image_load_small(&got, path, 250 / d, size, &err), &err);
        assert_int_equal(got->w, (333 + d - 1) / d);
        must(gm_image_resize(&want, im, whole, got->w, got->h, &err), &err);
        assert_true(mean_difference(got, want) < 2);
        gm_image_free(want);
        gm_image_free(got);
    }
    unlink(path);
    gm_buf_clear(&b);
    gm_image_free(im);
    assert_int_equal(gm_alloc_live(), 0);
}

static void writes_what_it_reads(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_image *im = golden_image("source.png"), *back;
    struct gm_buf b;
    gm_buf_init(&b, 1 << 20);
    must(gm_image_write_png(im, &b, &err), &err);
    must(gm_image_decode(&back, gm_buf_str(&b), &err), &err);
    assert_int_equal(image_distance(im, back), 0);
    gm_image_free(back);
    gm_buf_reset(&b);
    must(gm_image_write_jpeg(im, 98, &b, &err), &err);
    must(gm_image_decode(&back, gm_buf_str(&b), &err), &err);
    /* Chroma at half resolution blurs the noise; the mean stays close. */
    assert_true(mean_difference(im, back) < 8);
    assert_int_equal(gm_image_write_jpeg(im, 0, &b, &err), GM_EARG);
    gm_buf_clear(&b);
    gm_buf_init(&b, 100); /* too small for either */
    assert_int_equal(gm_image_write_png(im, &b, &err), GM_ENOMEM);
    assert_int_equal(gm_image_write_jpeg(im, 90, &b, &err), GM_ENOMEM);
    gm_buf_clear(&b);
    gm_image_free(back);
    gm_image_free(im);
    assert_int_equal(gm_alloc_live(), 0);
}

/* Let each allocation of our own fail once: an error, never a crash or a leak. */
static void survives_lack_of_memory(void **state)
{
    (void)state;
    static const char *const names[] = {"cmyk.jpg",  "exif6.jpg",  "alpha.png",
                                        "exif6.png", "alpha.webp", "moving.webp",
                                        "laced.gif", "rle8.bmp",   "exif6.tif"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        enum gm_status st = GM_ENOMEM;
        for (size_t nth = 1; st != GM_OK && nth < 500; nth++) {
            struct gm_buf b = golden_bytes(names[i]);
            struct gm_error err;
            struct gm_image *im;
            gm_alloc_fail_at(nth);
            st = gm_image_decode(&im, gm_buf_str(&b), &err);
            /* A failed read of the EXIF block counts as no orientation, hence OK for some nth. */
            gm_alloc_fail_at(0);
            assert_true(st == GM_OK || (im == NULL && err.code == st));
            gm_image_free(im);
            gm_buf_clear(&b);
        }
        assert_int_equal(st, GM_OK);
        assert_int_equal(gm_alloc_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_as_pillow_does),
        cmocka_unit_test(turns_every_way),
        cmocka_unit_test(refuses_what_is_no_picture),
        cmocka_unit_test(refuses_huge_headers),
        cmocka_unit_test(refuses_pipes_and_devices),
        cmocka_unit_test(limit_is_an_option),
        cmocka_unit_test(small_copies),
        cmocka_unit_test(small_copies_look_alike),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
