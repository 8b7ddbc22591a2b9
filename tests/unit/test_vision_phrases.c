/* What surrounds a phrase detector: sizes and settings of the processors, phrases as tokens, boxes of a phrase.
 * The models themselves: tests/e2e/test_phrases.py, tests/ref/vision_reference.py. */
#include "vision_files.h"

#include "base/json.h"
#include "vision/phrase_tokens.h"
#include "vision/phrases.h"
#include "vision/processor.h"

#include <math.h>
#include <unistd.h>

static char dir[] = "/tmp/gmner-phrases-XXXXXX";

/* ---- processors ---- */

static enum gm_status read_text(struct gm_processor *p, const char *text, bool square,
                                struct gm_error *err)
{
    struct gm_json *j = NULL;
    must(gm_json_parse(&j, gm_str(text), err), err);
    enum gm_status st = gm_processor_read(p, j, square, "p.json", err);
    gm_json_free(j);
    return st;
}

#define NORMAL "\"image_mean\":[0.5,0.5,0.5],\"image_std\":[0.5,0.5,0.25]"

/* transformers' get_size_with_aspect_ratio(…, 800, 1333), and with 192 and 448: width, height in and out. */
static void sizes_by_edges(void **state)
{
    (void)state;
    static const uint32_t want[][4] = {
        {640, 480, 1066, 800},  {480, 640, 800, 1066},   {800, 800, 800, 800},
        {800, 1000, 800, 1000}, {600, 142, 1333, 315},   {142, 600, 315, 1333},
        {1000, 601, 1331, 800}, {2000, 1199, 1333, 799}, {80, 80, 800, 800},
        {3000, 10, 1333, 4},    {10, 3000, 4, 1333}};
    struct gm_processor p;
    struct gm_error err;
    uint32_t got[2];
    must(read_text(&p, "{\"size\":{\"shortest_edge\":800,\"longest_edge\":1333}," NORMAL "}", false,
                   &err),
         &err);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        gm_processor_size(&p, want[i][0], want[i][1], got);
        if (got[0] != want[i][2] || got[1] != want[i][3])
            fail_msg("%ux%u becomes %ux%u, not %ux%u", want[i][0], want[i][1], got[0], got[1],
                     want[i][2], want[i][3]);
    }
}

static void settings_of_a_processor(void **state)
{
    (void)state;
    struct gm_processor p;
    struct gm_error err;
    must(read_text(&p, "{\"size\":768,\"resample\":3," NORMAL "}", false, &err), &err);
    assert_true(p.w == 768 && p.h == 768 && p.bicubic);
    assert_float_equal(p.planes[2].scale, (float)(1 / 255.0 / 0.25), 1e-7);
    assert_float_equal(p.planes[2].shift, -2, 1e-6);
    must(read_text(
             &p,
             "{\"size\":{\"height\":8,\"width\":9},\"do_normalize\":false,\"do_rescale\":false}",
             false, &err),
         &err);
    assert_true(p.w == 9 && p.h == 8 && !p.bicubic && p.planes[0].scale == 1 &&
                p.planes[0].shift == 0);
    static const char *const bad[] = {"{" NORMAL "}",
                                      "{\"size\":0," NORMAL "}",
                                      "{\"size\":\"x\"," NORMAL "}",
                                      "{\"size\":5000," NORMAL "}",
                                      "{\"size\":8}",
                                      "{\"size\":8,\"image_mean\":[1],\"image_std\":[1,1,1]}",
                                      "{\"size\":8,\"image_mean\":[1,1,1],\"image_std\":[1,0,1]}",
                                      "{\"size\":8,\"do_resize\":false," NORMAL "}",
                                      "{\"size\":8,\"do_center_crop\":true," NORMAL "}",
                                      "{\"size\":8,\"resample\":1," NORMAL "}",
                                      "{\"size\":{\"shortest_edge\":-1}," NORMAL "}",
                                      "[]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (read_text(&p, bad[i], false, &err) != GM_EMODEL)
            fail_msg("%s is taken", bad[i]);
        assert_non_null(strstr(err.msg, "p.json"));
    }
    assert_int_equal(read_text(&p, "{\"size\":{\"height\":8,\"width\":9}," NORMAL "}", true, &err),
                     GM_EMODEL);
    assert_int_equal(gm_alloc_live(), 0);
}

/* ---- phrases ---- */

static const char TOKENIZER[] =
    "{\"added_tokens\":[],\"normalizer\":{\"type\":\"Lowercase\"},\"pre_tokenizer\":{\"type\":"
    "\"BertPreTokenizer\"},\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",2],\"cls\":"
    "[\"[CLS]\",1]},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
    "\"max_input_chars_per_word\":100,\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\".\":3,\"?\":4,\"a\":5,"
    "\"dog\":6,\"##s\":7,\"man\":8}}}";

static struct gm_tokenizer *tokenizer(void)
{
    struct gm_error err;
    struct gm_tokenizer *t;
    char path[256];
    snprintf(path, sizeof path, "%s/tokenizer.json", dir);
    must(gm_file_write(path, gm_str(TOKENIZER), &err), &err);
    must(gm_tokenizer_load(&t, path, &err), &err);
    unlink(path);
    return t;
}

static void expect_row(const struct gm_phrase_tokens *t, size_t row, const char *ids)
{
    char text[256] = "";
    size_t n = 0;
    for (size_t i = 0; i < t->cols; i++) {
        size_t at = row * t->cols + i;
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%g", i ? " " : "", (double)t->ids[at]);
        assert_true(t->mask[at] == (t->ids[at] != 0 || i == 0));
    }
    assert_string_equal(text, ids);
}

static void phrases_as_rows(void **state)
{
    (void)state;
    const struct gm_str phrases[] = {GM_STR("A dog"), GM_STR("man, dogs. a man"), GM_STR("")};
    struct gm_phrase_tokens t;
    struct gm_error err;
    struct gm_arena a;
    struct gm_tokenizer *tok = tokenizer();
    gm_arena_init(&a, 0);
    must(gm_phrase_tokens_make(&t, tok, false, 6, phrases, 1, &a, &err), &err);
    expect_row(&t, 0, "1 5 6 2 0 0");
    must(gm_phrase_tokens_make(&t, tok, false, 4, phrases, 3, &a, &err), &err);
    assert_true(t.rows == 3 && t.cols == 4 && t.n == 3);
    assert_float_equal(t.ids[4 + 3], 2, 0); /* cut, with its end */
    expect_row(&t, 2, "1 2 0 0");
    gm_arena_clear(&a);
    gm_tokenizer_free(tok);
}

static void phrases_as_a_line(void **state)
{
    (void)state;
    const struct gm_str phrases[] = {GM_STR("a dog"), GM_STR("Mr. man?"), GM_STR("dogs"),
                                     GM_STR("man man man man man man man man man man man man")};
    struct gm_phrase_tokens t;
    struct gm_error err;
    struct gm_arena a;
    struct gm_tokenizer *tok = tokenizer();
    gm_arena_init(&a, 0);
    must(gm_phrase_tokens_make(&t, tok, true, 64, phrases, 3, &a, &err), &err);
    assert_true(t.rows == 1 && t.n == 3);
    const float want[] = {1, 5, 6, 3, 0, 8, 3, 6, 7, 3, 2}; /* "." and "?" of a phrase are gone */
    assert_int_equal(t.cols, sizeof want / sizeof *want);
    assert_memory_equal(t.ids, want, sizeof want);
    assert_true(t.from[0] == 1 && t.to[0] == 3 && t.from[1] == 4 && t.to[1] == 6);
    assert_true(t.from[2] == 7 && t.to[2] == 9);
    must(gm_phrase_tokens_make(&t, tok, true, 8, phrases, 3, &a, &err), &err);
    assert_true(t.n == 2 && t.cols == 8); /* the third does not fit */
    must(gm_phrase_tokens_make(&t, tok, true, 8, phrases + 3, 1, &a, &err), &err);
    assert_true(t.n == 1 && t.cols == 8 && t.to[0] - t.from[0] == 5); /* cut: it never would */
    gm_arena_clear(&a);
    gm_tokenizer_free(tok);
    assert_int_equal(gm_alloc_live(), 0);
}

/* ---- boxes ---- */

static float logit(double p) { return (float)log(p / (1 - p)); }

static void boxes_of_a_phrase(void **state)
{
    (void)state;
    double boxes[5][4] = {{-5, 10, 20, 30},
                          {10, 10, 30, 30},
                          {11, 10, 31, 30},
                          {200, 200, 210, 210},
                          {50, 50, 50.5, 90}};
    float logits[5][2] = {{logit(0.6), logit(0.1)},
                          {logit(0.9), logit(0.3)},
                          {logit(0.8), logit(0.7)},
                          {logit(0.9), logit(0.9)},
                          {logit(0.9), logit(0.9)}};
    float best[5] = {logit(0.6), logit(0.9), logit(0.85), logit(0.9), logit(0.9)};
    struct gm_phrases_found f = {2, 5, boxes, &logits[0][0], NULL};
    struct gm_phrases_opts o = {0.25, 0, 0.5};
    struct gm_detection d[5];
    /* The fourth lies outside of the picture, the fifth is less than a pixel wide. */
    assert_int_equal(gm_phrases_pick(&f, 0, &o, 100, 100, d, 5), 2);
    assert_float_equal(d[0].score, 0.9, 1e-6);
    assert_float_equal(d[1].score, 0.6, 1e-6);
    assert_float_equal(d[1].box[0], 0, 0);
    assert_int_equal(gm_phrases_pick(&f, 1, &o, 100, 100, d, 5),
                     1); /* of two that overlap the better */
    assert_float_equal(d[0].box[0], 11, 0);
    o.iou_max = 1;
    assert_int_equal(gm_phrases_pick(&f, 1, &o, 100, 100, d, 5), 2);
    assert_int_equal(gm_phrases_pick(&f, 1, &o, 100, 100, d, 1), 1);
    f.best = best; /* Grounding DINO: the box by its best token, the phrase by its own */
    o = (struct gm_phrases_opts){0.87, 0.2, 1};
    assert_int_equal(gm_phrases_pick(&f, 1, &o, 100, 100, d, 5), 1);
    assert_float_equal(d[0].score, 0.3, 1e-6);
    o.text_min = 0.35;
    assert_int_equal(gm_phrases_pick(&f, 1, &o, 100, 100, d, 5), 0);
    logits[1][1] = NAN;
    best[1] = -INFINITY;
    assert_int_equal(gm_phrases_pick(&f, 1, &o, 100, 100, d, 5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_by_edges),    cmocka_unit_test(settings_of_a_processor),
        cmocka_unit_test(phrases_as_rows),   cmocka_unit_test(phrases_as_a_line),
        cmocka_unit_test(boxes_of_a_phrase),
    };
    if (!mkdtemp(dir))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return failed;
}
