/* Masks from JSON files of one picture each, in the forms that annotation tools write. */
#include "post_files.h"

#include "formats/mask_json.h"
#include "image/mask.h"

static char dir[64], file[80];

static void write_json(const char *text)
{
    struct gm_error err;
    snprintf(dir, sizeof dir, "/tmp/gmner-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/p.json", dir);
    assert_status(gm_file_write(file, gm_str(text), &err), GM_OK, &err);
}

static void remove_json(void)
{
    unlink(file);
    rmdir(dir);
}

/* The pixels of an object as text, a row after the other: ".##." */
static const char *drawn(const struct gm_voc_object *o)
{
    static char text[400];
    struct gm_error err;
    uint8_t mask[256];
    size_t n = 0;
    assert_true(o->mask.h * o->mask.w <= sizeof mask);
    assert_status(gm_rle_decode(o->mask.counts, o->mask.h, o->mask.w, mask, &err), GM_OK, &err);
    for (size_t y = 0; y < o->mask.h; y++) {
        for (size_t x = 0; x < o->mask.w; x++)
            text[n++] = mask[y * o->mask.w + x] ? '#' : '.';
        text[n++] = ' ';
    }
    text[n - 1] = 0;
    return text;
}

static void expect(const struct gm_voc_object *o, const char *name, const char *pixels)
{
    if (!gm_str_eq_c(o->name, name) || strcmp(drawn(o), pixels) != 0)
        fail_msg("\"%.*s\": %s, not \"%s\": %s", GM_STR_ARG(o->name), drawn(o), name, pixels);
}

/* The file's first mask. */
static void check_form(const char *json, const char *name, const char *pixels)
{
    struct gm_arena a;
    struct gm_voc v;
    struct gm_error err;
    struct gm_losses lost = {0};
    gm_arena_init(&a, 0);
    write_json(json);
    assert_status(gm_voc_read(&v, &a, dir, GM_STR("p"), &lost, &err), GM_OK, &err);
    if (v.n_objects == 0 || lost.n)
        fail_msg("%s: %zu objects, %s", json, v.n_objects, lost.kinds[0].what);
    expect(&v.objects[0], name, pixels);
    assert_int_equal(v.w, v.objects[0].mask.w);
    remove_json();
    gm_arena_clear(&a);
}

static void test_forms(void **state)
{
    (void)state;
#define SIZE "\"imageWidth\": 4, \"imageHeight\": 3"
    static const struct {
        const char *json, *name, *pixels;
    } cases[] = {
        /* LabelMe: a polygon, a rectangle */
        {"{\"version\": \"5.4\", \"shapes\": [{\"label\": \"Ann Lee\", \"points\": [[1, 0], [3, 0], [3, 2], "
         "[1, 2]], \"shape_type\": \"polygon\"}], \"imagePath\": \"p.jpg\", " SIZE "}",
         "Ann Lee", ".##. .##. ...."},
        {"{\"shapes\": [{\"label\": \" Ann\", \"points\": [[4, 3], [2, 1]]}], " SIZE "}", "Ann",
         ".... ..## ..##"},
        /* ISAT */
        {"{\"info\": {\"width\": 4, \"height\": 3}, \"objects\": [{\"category\": \"Ann\", \"segmentation\": "
         "[[0, 0], [2, 0], [2, 1], [0, 1]], \"bbox\": [0, 0, 2, 1], \"iscrowd\": false}]}",
         "Ann", "##.. .... ...."},
        /* COCO's three; two polygons, as numbers and as corners */
        {"[{\"label\": \"Ann\", \"mask\": {\"size\": [3, 4], \"counts\": [3, 4, 5]}}]", "Ann",
         ".##. .#.. .#.."},
        {"{\"annotations\": [{\"name\": \"Ann\", \"segmentation\": {\"size\": [3, 4], \"counts\": "
         "\"345\"}}]}",
         "Ann", ".##. .#.. .#.."},
        {"{\"annotations\": [{\"name\": \"Ann\", \"segmentation\": [[0, 0, 1, 0, 1, 1, 0, 1], "
         "[3, 2, 4, 2, 4, 3, 3, 3]]}], \"width\": 4, \"height\": 3}",
         "Ann", "#... .... ...#"},
        {"{\"objects\": [{\"name\": \"Ann\", \"segmentation\": [[[0, 0], [1, 0], [1, 1], [0, 1]], "
         "[[3, 2], [4, 2], [4, 3], [3, 3]]]}], \"width\": 4, \"height\": 3}",
         "Ann", "#... .... ...#"},
        /* rows */
        {"{\"masks\": [{\"label\": \"Ann\", \"mask\": [[0, 1], [0, 0], [1, 1]]}]}", "Ann",
         ".# .. ##"},
        {"{\"Ann\": [[0, 255, 0], [255, 255, 0]]}", "Ann", ".#. ##."},
        {"{\"Ann\": [[true, false], [false, false]], \"image\": {\"width\": 2, \"height\": 2}}",
         "Ann", "#. .."},
        /* by name, several of one name */
        {"{\"Ann\": [{\"size\": [3, 4], \"counts\": \"345\"}, {\"size\": [3, 4], \"counts\": [0, 12]}]}",
         "Ann", ".##. .#.. .#.."},
        {"{\"masks\": {\"Ann\": {\"mask\": [[1, 0], [0, 0]]}}, \"version\": 3}", "Ann", "#. .."},
        /* labels with types */
        {"[{\"label\": \"Ann Lee (PER)\", \"mask\": [[1, 0], [0, 0]]}]", "Ann Lee", "#. .."},
        {"[{\"label\": \"OTHER: Ann\", \"mask\": [[1, 0], [0, 0]]}]", "Ann", "#. .."},
        {"[{\"label\": \"R: A (b)\", \"mask\": [[1, 0], [0, 0]]}]", "R: A (b)", "#. .."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_form(cases[i].json, cases[i].name, cases[i].pixels);
    }
    assert_int_equal(gm_alloc_live(), 0);
}

static void test_boxes_and_faults(void **state)
{
    (void)state;
    struct gm_arena a;
    struct gm_voc v;
    struct gm_error err;
    struct gm_losses lost = {0};
    gm_arena_init(&a, 0);
    write_json("[{\"label\": \"Ann\", \"mask\": [[0, 0, 0], [0, 1, 1]]}, {\"mask\": [[1]]}, "
               "{\"label\": \"Bob\", \"points\": [[0, 0], [9, 0], [9, 9]]}, "
               "{\"label\": \"Eve\", \"mask\": {\"size\": [2, 2], \"counts\": \"zz\"}}, "
               "{\"label\": \"Joe\", \"mask\": [[0, 0], [0, 0]]}, {\"label\": \"Kim\"}, 7]");
    assert_status(gm_voc_read(&v, &a, dir, GM_STR("p"), &lost, &err), GM_OK, &err);
    assert_int_equal(v.n_objects, 1);
    const double box[4] = {1, 1, 3, 2};
    assert_memory_equal(v.objects[0].box, box, sizeof box);
    size_t n = 0;
    for (size_t i = 0; i < lost.n; i++)
        n += lost.kinds[i].n;
    assert_int_equal(n, 6);
    remove_json();
    static const char *const broken[] = {"", "7", "\"x\"", "{\"a\": "};
    for (size_t i = 0; i < 4; i++) {
        write_json(broken[i]);
        assert_int_equal(gm_voc_read(&v, &a, dir, GM_STR("p"), NULL, &err), GM_EFORMAT);
        assert_non_null(strstr(err.msg, "p.json"));
        remove_json();
    }
    write_json("{\"version\": 1}"); /* nothing is in the picture */
    assert_status(gm_voc_read(&v, &a, dir, GM_STR("p"), NULL, &err), GM_OK, &err);
    assert_int_equal(v.n_objects, 0);
    remove_json();
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

static void test_shape_types(void **state)
{
    (void)state;
    static const struct {
        const char *json, *pixels;
    } cases[] = {
        /* a circle: its middle and a point of its edge */
        {"{\"shapes\": [{\"label\": \"Ann\", \"points\": [[2, 2], [3, 2]], \"shape_type\": \"circle\"}], "
         "\"imageWidth\": 4, \"imageHeight\": 4}",
         ".... .##. .##. ...."},
        {"{\"shapes\": [{\"label\": \"Ann\", \"points\": [[2.5, 1.5], [2.5, 3]], \"shape_type\": \"circle\"}], "
         "\"imageWidth\": 5, \"imageHeight\": 3}",
         ".###. .###. .###."},
        {"{\"shapes\": [{\"label\": \"Ann\", \"points\": [[4, 3], [2, 1]], \"shape_type\": \"rectangle\"}], " SIZE
         "}",
         ".... ..## ..##"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_form(cases[i].json, "Ann", cases[i].pixels);
    assert_int_equal(gm_alloc_live(), 0);
}

/* What has no inside is no mask, and is counted. */
static void test_thin_shapes(void **state)
{
    (void)state;
    static const char *const types[] = {"line", "linestrip", "point", "points", "circle"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct gm_arena a;
        struct gm_voc v;
        struct gm_error err;
        struct gm_losses lost = {0};
        char json[300];
        gm_arena_init(&a, 0);
        snprintf(json, sizeof json,
                 "{\"shapes\": [{\"label\": \"Ann\", \"points\": [[0, 0], [3, 2], [0, 2]], "
                 "\"shape_type\": \"%s\"}], \"imageWidth\": 4, \"imageHeight\": 3}",
                 types[i]);
        write_json(json);
        assert_status(gm_voc_read(&v, &a, dir, GM_STR("p"), &lost, &err), GM_OK, &err);
        assert_int_equal(v.n_objects, 0);
        assert_int_equal(lost.n, 1);
        assert_non_null(strstr(lost.kinds[0].what, types[i]));
        assert_true(lost.kinds[0].is_fault);
        remove_json();
        gm_arena_clear(&a);
    }
}

static void test_lack_of_memory(void **state)
{
    (void)state;
    enum gm_status st = GM_ENOMEM;
    write_json("{\"shapes\": [{\"label\": \"Ann\", \"points\": [[1, 0], [3, 0], [3, 2], [1, 2]]}], "
               "\"imageWidth\": 4, \"imageHeight\": 3}");
    for (size_t nth = 1; st != GM_OK; nth++) {
        struct gm_arena a;
        struct gm_voc v;
        struct gm_error err;
        assert_in_range(nth, 1, 200);
        gm_arena_init(&a, 0);
        gm_alloc_fail_at(nth);
        st = gm_voc_read(&v, &a, dir, GM_STR("p"), NULL, &err);
        gm_alloc_fail_at(0);
        gm_arena_clear(&a);
        assert_int_equal(gm_alloc_live(), 0);
    }
    remove_json();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),          cmocka_unit_test(test_boxes_and_faults),
        cmocka_unit_test(test_shape_types),    cmocka_unit_test(test_thin_shapes),
        cmocka_unit_test(test_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
