/* The reader of text: a written line, as it is and upside down, and which of the three models is opened when. */
#include "vision_files.h"

#include "base/parallel.h"
#include "image/font.h"
#include "image/label.h"
#include "vision/ocr.h"

enum { MAX = 50 };

static const struct gm_ocr_files FILES = {
    .detector = ".deps/models/ppocr/PP-OCRv6_det_small.onnx",
    .recogniser = ".deps/models/ppocr/PP-OCRv6_rec_small.onnx",
    .classifier = ".deps/models/ppocr/ch_ppocr_mobile_v2.0_cls_mobile.onnx"};

static const char TEXT[] = "Anchors aweigh";

/* A light picture with the text in black on it, in the middle. */
static struct gm_image *written(void)
{
    struct gm_error err;
    struct gm_image *im;
    struct gm_font *font;
    must(gm_image_new(&im, 480, 240, &err), &err);
    memset(im->rgb, 235, (size_t)3 * im->w * im->h);
    must(gm_font_open(&font, 40, true, &err), &err);
    must(gm_draw_label(im, font, 60, 140, gm_str(TEXT), (struct gm_color){235, 235, 235}, &err),
         &err);
    gm_font_free(font);
    return im;
}

static struct gm_image *turned(const struct gm_image *im)
{
    struct gm_error err;
    struct gm_image *out;
    must(gm_image_new(&out, im->w, im->h, &err), &err);
    size_t n = (size_t)im->w * im->h;
    for (size_t i = 0; i < n; i++)
        memcpy(out->rgb + 3 * (n - 1 - i), im->rgb + 3 * i, 3);
    return out;
}

/* All lines of a picture; the status of reading them. */
static enum gm_status read_all(struct gm_ocr *r, const struct gm_image *im, struct gm_arena *a,
                               struct gm_text_line *lines, size_t *n, struct gm_error *err)
{
    struct gm_text_box boxes[MAX];
    must(gm_ocr_find(r, 0, im, boxes, MAX, n, err), err);
    assert_in_range(*n, 1, MAX);
    enum gm_status st = gm_ocr_prepare(r, err);
    return st == GM_OK ? gm_ocr_read(r, 0, im, boxes, *n, a, lines, n, err) : st;
}

static void assert_reads(struct gm_ocr *r, const struct gm_image *im)
{
    struct gm_error err;
    struct gm_arena a;
    struct gm_text_line lines[MAX];
    size_t n;
    gm_arena_init(&a, 0);
    must(read_all(r, im, &a, lines, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_true(gm_str_eq_c(lines[0].text, TEXT));
    assert_true(lines[0].score > 0.9f);
    gm_arena_clear(&a);
}

static void reads_a_line_either_way_up(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_ocr *r;
    struct gm_image *im = written(), *fallen = turned(im);
    must(gm_ocr_load(&r, &FILES, NULL, &err), &err);
    assert_reads(r, im);
    assert_reads(r, fallen);
    assert_reads(r, im);
    gm_ocr_free(r);
    gm_image_free(im);
    gm_image_free(fallen);
    assert_int_equal(gm_alloc_live(), 0);
}

/* The status of reading a picture with one of the files not there, which the message names. */
static enum gm_status without(const struct gm_ocr_files *files, const struct gm_image *im)
{
    struct gm_error err;
    struct gm_ocr *r;
    struct gm_arena a;
    struct gm_text_line lines[MAX];
    size_t n;
    gm_arena_init(&a, 0);
    must(gm_ocr_load(&r, files, NULL, &err), &err);
    enum gm_status st = read_all(r, im, &a, lines, &n, &err);
    assert_true(st == GM_OK || strstr(err.msg, "none.onnx"));
    gm_ocr_free(r);
    gm_arena_clear(&a);
    return st;
}

/* The classifier is asked where a line is not surely read as it stands, and not before. */
static void classifier_is_opened_in_doubt(void **state)
{
    (void)state;
    struct gm_ocr_files files = FILES;
    struct gm_image *im = written(), *fallen = turned(im);
    files.classifier = ".deps/models/ppocr/none.onnx";
    assert_int_equal(without(&files, im), GM_OK);
    assert_int_equal(without(&files, fallen), GM_EMODEL);
    gm_image_free(im);
    gm_image_free(fallen);
    assert_int_equal(gm_alloc_live(), 0);
}

/* It is opened while lines are looked for, which doesn't fail by it: who needs it is told why. */
static void recogniser_that_is_not_there(void **state)
{
    (void)state;
    struct gm_ocr_files files = FILES;
    struct gm_image *im = written();
    files.recogniser = ".deps/models/ppocr/none.onnx";
    for (size_t threads = 2; threads >= 1; threads--) {
        gm_threads_set(threads);
        assert_int_equal(without(&files, im), GM_EMODEL);
    }
    gm_image_free(im);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    vision_tests_start(FILES.recogniser);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_line_either_way_up),
        cmocka_unit_test(classifier_is_opened_in_doubt),
        cmocka_unit_test(recogniser_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
