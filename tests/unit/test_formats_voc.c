/* Pascal VOC boxes and RiVEG captions: the files beside the posts. */
#include "post_files.h"

#include "formats/captions.h"
#include "formats/voc_xml.h"

/* A folder with one annotation, ID "p". */
static char dir[64], file[80];

static void write_xml(const char *text)
{
    snprintf(dir, sizeof dir, "/tmp/gmner-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/p.xml", dir);
    struct gm_error err;
    assert_status(gm_file_write(file, gm_str(text), &err), GM_OK, &err);
}

static void remove_xml(void)
{
    unlink(file);
    rmdir(dir);
}

/* Object number i of those that show `text`; NULL past the last. */
static const struct gm_voc_object *found(const struct gm_voc *v, const char *text, size_t i)
{
    const struct gm_voc_object *all[8];
    assert_in_range(v->n_objects, 0, 8);
    return i < gm_voc_find(v, gm_str(text), all) ? all[i] : NULL;
}

#define BOX(a, b, c, d) \
    "<bndbox><xmin>" a "</xmin><ymin>" b "</ymin><xmax>" c "</xmax><ymax>" d "</ymax></bndbox>"
#define OBJECT(name, box) "<object>\n<name>" name "</name><pose>x</pose>" box "</object>"

static void test_objects(void **state)
{
    (void)state;
    struct gm_arena a;
    struct gm_voc v;
    struct gm_error err;
    gm_arena_init(&a, 0);
    write_xml(
        "<?xml version=\"1.0\"?>\n<annotation><name>not this</name><path>D:\\研究\\x.jpg</path>"
        "<size><width>500</width><height>706</height></size>" OBJECT("Ann &amp; Bob",
                                                                     BOX("1", "2", "600.5", "4"))
            OBJECT(" Oslo\n", BOX("-1", "0", "7", "8")) "<part><object><name>no</name></object></part>" OBJECT(
                "Oslo", "<part>" BOX("9", "9", "9", "9") "</part>" BOX("5", "6", "7",
                                                                       "8")) "</annotation>");
    assert_status(gm_voc_read(&v, &a, dir, GM_STR("p"), NULL, &err), GM_OK, &err);
    assert_int_equal(v.w, 500);
    assert_int_equal(v.h, 706);
    assert_int_equal(v.n_objects, 3);
    assert_true(gm_str_eq_c(v.objects[0].name, "Ann & Bob"));
    assert_true(v.objects[0].box[2] == 600.5f); /* not clipped */
    assert_true(found(&v, "Oslo", 0) == &v.objects[1]);
    assert_true(found(&v, "Oslo", 1) == &v.objects[2]);
    assert_null(found(&v, "Oslo", 2));
    assert_true(v.objects[2].box[0] == 5);
    remove_xml();
    gm_arena_clear(&a);
}

static void test_names(void **state)
{
    (void)state;
    struct gm_voc_object o[] = {{.name = GM_STR("St . Louis")},
                                {.name = GM_STR("US")},
                                {.name = GM_STR("U.S.")},
                                {.name = GM_STR("!!")}};
    struct gm_voc v = {.objects = o, .n_objects = 4};
    assert_true(found(&v, "St. Louis", 0) == &o[0]);
    assert_true(found(&v, "US", 0) == &o[1]); /* exact names shut out loose ones */
    assert_null(found(&v, "US", 1));
    assert_true(found(&v, "U S", 1) == &o[2]);
    assert_null(found(&v, "us", 0));
    assert_null(found(&v, "U", 0));
    assert_null(found(&v, "?", 0));
}

static void test_post(void **state)
{
    (void)state;
    struct gm_post p;
    struct gm_error err;
    gm_post_init(&p);
    write_xml("<annotation>" OBJECT("Ann", BOX("1", "2", "3", "4"))
                  OBJECT("Ann", BOX("5", "6", "7", "8")) "</annotation>");
    struct gm_entity e[] = {{.text = GM_STR("Ann")}, {.text = GM_STR("Bob")}};
    p.entities = e;
    p.n_entities = 2;
    p.id = GM_STR("p");
    assert_status(gm_post_add_boxes(&p, dir, NULL, &err), GM_OK, &err);
    assert_int_equal(e[0].n_regions, 2);
    assert_true(e[0].visible == 1 && e[0].regions[1].box[3] == 8 && e[0].regions[0].score == 1);
    assert_true(e[1].visible == 0 && e[1].n_regions == 0);
    p.id = GM_STR("none"); /* no file: nothing of it is in the image */
    assert_status(gm_post_add_boxes(&p, dir, NULL, &err), GM_OK, &err);
    assert_true(e[0].visible == 0 && e[0].n_regions == 0);
    remove_xml();
    gm_post_clear(&p);
}

static void test_xml_faults(void **state)
{
    (void)state;
    static const struct {
        const char *xml, *msg;
    } cases[] = {
        {"", "p.xml:1:1: no element found"},
        {"<annotation>\n<object></annotation>", "p.xml:2:11: mismatched tag"},
        {"<annotation>" OBJECT("x", "<bndbox></bndbox>") "</annotation>",
         "bndbox lacks one of xmin, ymin, xmax, ymax in object \"x\""},
        {"<annotation>" OBJECT("", BOX("1", "2", "3", "4")) "</annotation>",
         "an object without a name"},
        {"<annotation>" OBJECT("x", BOX("1", "two", "3", "4")) "</annotation>",
         "expected a number of pixels, found \"two\""},
        {"<annotation>" OBJECT("x", BOX("1", "2", "3", "")) "</annotation>",
         "expected a number of pixels, found"},
        {"<annotation>" OBJECT("x", BOX("1", "2", "3", "1e99")) "</annotation>",
         "expected a number of pixels, found \"1e99\""},
        {"<annotations><image name=\"x\"/></annotations>",
         "p.xml:1:1: not a Pascal VOC annotation: its root is not <annotation> but \"annotations\""},
        {"<v:annotation xmlns:v=\"v\"></v:annotation>", "its root is not <annotation>"},
        {"<set><annotation></annotation></set>", "its root is not <annotation> but \"set\""},
        {"not xml", "p.xml:1:1: "}};
    struct gm_arena a;
    struct gm_voc v;
    struct gm_error err;
    gm_arena_init(&a, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_xml(cases[i].xml);
        assert_int_equal(gm_voc_read(&v, &a, dir, GM_STR("p"), NULL, &err), GM_EFORMAT);
        if (!strstr(err.msg, cases[i].msg))
            fail_msg("\"%s\" is not in: %s", cases[i].msg, err.msg);
        remove_xml();
    }
    assert_int_equal(gm_voc_read(&v, &a, "/nowhere", GM_STR("p"), NULL, &err), GM_EIO);
    assert_string_equal(err.msg, "/nowhere: no such folder of annotations");
    gm_arena_clear(&a);
}

/* Entities are looked for among as many objects as the reader of such a folder takes, and no more. */
static void test_too_many_objects(void **state)
{
    (void)state;
    static const char one[] = OBJECT("x", BOX("1", "2", "3", "4"));
    struct gm_buf xml;
    struct gm_error err;
    gm_buf_init(&xml, (size_t)16 << 20);
    assert_status(gm_buf_add_c(&xml, "<annotation>", &err), GM_OK, &err);
    for (size_t n = 1; n <= 10001; n++) {
        assert_status(gm_buf_add_c(&xml, one, &err), GM_OK, &err);
        if (n < 10000)
            continue;
        struct gm_arena a;
        struct gm_voc v;
        size_t before = xml.n;
        gm_arena_init(&a, 0);
        assert_status(gm_buf_add_c(&xml, "</annotation>", &err), GM_OK, &err);
        write_xml(xml.p);
        assert_int_equal(gm_voc_read(&v, &a, dir, GM_STR("p"), NULL, &err),
                         n == 10000 ? GM_OK : GM_EFORMAT);
        if (n > 10000)
            assert_non_null(strstr(err.msg, "over 10000 objects"));
        remove_xml();
        xml.n = before;
        gm_arena_clear(&a);
    }
    gm_buf_clear(&xml);
}

/* 200,000 nested elements, and entities that would expand to gigabytes. */
/* An object of several names shows what each says; one without a box shows nothing, and is counted. */
static void test_names_and_boxes_of_objects(void **state)
{
    (void)state;
    struct gm_arena a;
    struct gm_voc v;
    struct gm_error err;
    struct gm_losses lost = {0};
    gm_arena_init(&a, 0);
    write_xml(
        "<annotation>" OBJECT("Ann</name><name>Ann Lee</name><name>Ann", BOX("1", "2", "3", "4"))
            OBJECT("Bob", "") OBJECT("Eve", BOX("5", "6", "7", "8")) "</annotation>");
    assert_status(gm_voc_read(&v, &a, dir, GM_STR("p"), &lost, &err), GM_OK, &err);
    assert_int_equal(v.n_objects, 3);
    assert_true(found(&v, "Ann", 0)->box[3] == 4);
    assert_null(found(&v, "Ann", 1));
    assert_true(found(&v, "Ann Lee", 0)->box[0] == 1);
    assert_null(found(&v, "Bob", 0));
    assert_true(found(&v, "Eve", 0)->box[0] == 5);
    assert_int_equal(lost.n, 1);
    assert_int_equal(lost.kinds[0].n, 1);
    remove_xml();
    gm_arena_clear(&a);
}

static void test_xml_bombs(void **state)
{
    (void)state;
    struct gm_arena a;
    struct gm_voc v;
    struct gm_error err;
    struct gm_buf b;
    gm_arena_init(&a, 0);
    gm_buf_init(&b, 1 << 24);
    (void)!gm_buf_add_c(&b, "<annotation>", NULL);
    for (size_t i = 0; i < 200000; i++)
        (void)!gm_buf_add_c(&b, "<a>", NULL);
    write_xml(b.p);
    assert_int_equal(gm_voc_read(&v, &a, dir, GM_STR("p"), NULL, &err), GM_EFORMAT);
    remove_xml();
    gm_buf_reset(&b);
    (void)!gm_buf_add_c(&b, "<!DOCTYPE annotation [<!ENTITY e0 \"xxxxxxxxxxxxxxxxxxxx\">", NULL);
    for (int i = 1; i < 9; i++)
        (void)!gm_buf_printf(
            &b, NULL, "<!ENTITY e%d \"&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;\">", i,
            i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    (void)!gm_buf_add_c(&b, "]><annotation><object><name>&e8;</name></object></annotation>", NULL);
    write_xml(b.p);
    assert_int_equal(gm_voc_read(&v, &a, dir, GM_STR("p"), NULL, &err), GM_EFORMAT);
    remove_xml();
    gm_buf_clear(&b);
    gm_arena_clear(&a);
}

static void test_captions(void **state)
{
    (void)state;
    struct gm_captions *c;
    struct gm_error err;
    const char *path =
        temp_file("\xEF\xBB\xBF\nimgid:O_1###A man  in\ta suit.\r\n\r\nHe ### smiles .\n"
                  "imgid:2###\nimgid:3###old\nimgid:3### new\xFF\n");
    assert_status(gm_captions_load(&c, path, &err), GM_OK, &err);
    unlink(path);
    assert_int_equal(gm_captions_count(c), 3);
    assert_true(gm_str_eq_c(gm_captions_get(c, GM_STR("O_1")), "A man in a suit. He ### smiles ."));
    assert_int_equal(gm_captions_get(c, GM_STR("2")).n, 0);
    assert_true(gm_str_eq_c(gm_captions_get(c, GM_STR("3")), "new\xEF\xBF\xBD"));
    assert_int_equal(gm_captions_get(c, GM_STR("4")).n, 0);
    assert_int_equal(gm_captions_get(NULL, GM_STR("4")).n, 0);
    gm_captions_free(c);
}

static void test_caption_faults(void **state)
{
    (void)state;
    static const struct {
        const char *text, *msg;
    } cases[] = {
        {"\nhello\n", ":2: expected imgid:ID###caption"},
        {"imgid:1###a\nimgid:2\n", ":2: an imgid line without ###: expected imgid:ID###caption"},
        {"imgid:###a\n", ":1: imgid: without an id"}};
    struct gm_captions *c;
    struct gm_error err;
    for (size_t i = 0; i < 3; i++) {
        const char *path = temp_file(cases[i].text);
        assert_int_equal(gm_captions_load(&c, path, &err), GM_EFORMAT);
        if (!strstr(err.msg, cases[i].msg))
            fail_msg("\"%s\" is not in: %s", cases[i].msg, err.msg);
        unlink(path);
    }
    assert_int_equal(gm_captions_load(&c, "/nowhere/x", &err), GM_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {leak_checked(test_objects),
                                       leak_checked(test_names),
                                       leak_checked(test_post),
                                       leak_checked(test_xml_faults),
                                       leak_checked(test_xml_bombs),
                                       leak_checked(test_names_and_boxes_of_objects),
                                       leak_checked(test_captions),
                                       leak_checked(test_caption_faults),
                                       leak_checked(test_too_many_objects)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
