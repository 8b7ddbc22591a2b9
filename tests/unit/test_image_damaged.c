/* Cut and damaged files: an error or a picture, never a crash, a leak or endless work (the
 * sanitizer build makes these tests sharp). */
#include "image_files.h"

#include "base/rng.h"

#include <string.h>

static const char *const files[] = {
    "baseline.jpg", "progressive.jpg", "cmyk.jpg",   "exif6.jpg",  "rgb.png",    "palette.png",
    "alpha.png",    "exif6.png",       "lossy.webp", "alpha.webp", "exif6.webp", "moving.webp",
    "plain.gif",    "laced.gif",       "trns.gif",   "rgb.bmp",    "bits1.bmp",  "bits565.bmp",
    "masks32.bmp",  "rle4.bmp",        "rle8.bmp",   "raw.tif",    "lzw.tif",    "zip.tif",
    "palette.tif",  "bits1.tif",       "exif6.tif",  "small.avif"};
enum { N_FILES = sizeof files / sizeof *files };

/* Bytes at a file's end that its pixels do not need: libspng does not look at the check sum of PNG's
 * empty last chunk, a GIF's pictures come before its trailer, and tools may leave out the padding of
 * a bitmap's last row. */
static size_t n_not_needed(const char *name)
{
    return strstr(name, ".png")      ? 4
           : strstr(name, ".gif")    ? 1
           : strstr(name, "rgb.bmp") ? 1
           : strstr(name, "5.bmp")   ? 2
                                     : 0;
}

/* Each beginning of a file is refused; those long enough to be known are called truncated. */
static void every_cut_is_an_error(void **state)
{
    (void)state;
    for (int i = 0; i < N_FILES; i++) {
        if (strstr(files[i], ".avif"))
            continue; /* its last bytes may be padding; where libheif is absent, it is no picture */
        struct gm_buf b = golden_bytes(files[i]);
        size_t whole = b.n - n_not_needed(files[i]);
        for (size_t n = 0; n < whole; n += n < 64 || whole - n < 64 ? 1 : 13) {
            struct gm_error err;
            struct gm_image *im;
            /* A copy of its own size, so that reading past the end is seen. */
            char *copy = gm_alloc(n, 1);
            memcpy(copy, b.p, n);
            enum gm_status st = gm_image_decode(&im, (struct gm_str){copy, n}, &err);
            if (st != GM_EFORMAT || im)
                fail_msg("%s: %zu of %zu bytes were taken for a picture", files[i], n, b.n);
            if (n > 60 && !strstr(err.msg, "truncated"))
                fail_msg("%s: %zu of %zu bytes: \"%s\"", files[i], n, b.n, err.msg);
            gm_free(copy);
        }
        gm_buf_clear(&b);
    }
    assert_int_equal(gm_alloc_live(), 0);
}

static void flipped_bytes_never_crash(void **state)
{
    (void)state;
    struct gm_rng rng;
    size_t n_ok = 0, n_bad = 0;
    gm_rng_init(&rng, 11);
    for (int i = 0; i < N_FILES; i++) {
        struct gm_buf b = golden_bytes(files[i]);
        for (int round = 0; round < 150; round++) {
            struct gm_error err;
            struct gm_image *im;
            char *copy = gm_alloc(b.n, 1);
            memcpy(copy, b.p, b.n);
            /* Half of the rounds in the headers, where the lengths and the tables are. */
            size_t within = round % 2 && b.n > 200 ? 200 : b.n;
            for (size_t k = gm_rng_below(&rng, 6) + 1; k > 0; k--)
                copy[gm_rng_below(&rng, within)] = (char)gm_rng_below(&rng, 256);
            enum gm_status st = gm_image_decode(&im, (struct gm_str){copy, b.n}, &err);
            assert_true(st == GM_OK ? im != NULL : im == NULL && err.msg[0]);
            n_ok += st == GM_OK;
            n_bad += st != GM_OK;
            gm_image_free(im);
            gm_free(copy);
        }
        gm_buf_clear(&b);
    }
    assert_true(n_ok > 50 && n_bad > 50); /* both ways were taken */
    assert_int_equal(gm_alloc_live(), 0);
}

/* A broken EXIF block does not make the picture unreadable. */
static void broken_exif_is_ignored(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_rng rng;
    struct gm_buf b = golden_bytes("exif6.jpg");
    size_t at = gm_str_find(gm_buf_str(&b), (struct gm_str){"Exif\0", 6}, 0);
    assert_true(at < b.n);
    gm_rng_init(&rng, 5);
    for (int round = 0; round < 500; round++) {
        struct gm_image *im;
        for (size_t i = at + 6; i < at + 26; i++)
            b.p[i] = (char)gm_rng_below(&rng, 256);
        must(gm_image_decode(&im, gm_buf_str(&b), &err), &err);
        assert_int_equal(im->w * im->h, 37 * 24);
        gm_image_free(im);
    }
    gm_buf_clear(&b);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_is_an_error),
        cmocka_unit_test(flipped_bytes_never_crash),
        cmocka_unit_test(broken_exif_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
