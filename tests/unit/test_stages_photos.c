/* look, ground and segment on the demo photos, as a recipe runs them. */
#include "post_files.h"
#include "vision_files.h"

#include "base/buf.h"
#include "image/label.h"
#include "image/overlap.h"
#include "stages/stage.h"

#include <unistd.h>

static struct gm_json *json_of(const char *text)
{
    struct gm_error err;
    struct gm_json *j = NULL;
    if (text)
        must(gm_json_parse(&j, gm_str(text), &err), &err);
    return j;
}

static void run_stage(const char *stage, const char *settings, struct gm_post **posts, size_t n)
{
    struct gm_error err;
    void *self;
    struct gm_json *j = json_of(settings);
    const struct gm_backend *b = gm_backend_find(stage, NULL);
    assert_non_null(b);
    must(b->open(&self, b, j, &err), &err);
    must(b->run(self, posts, n, &err), &err);
    b->close(self);
    gm_json_free(j);
}

static void post_of(struct gm_post *p, const char *line)
{
    struct gm_error err;
    gm_post_init(p);
    must(gm_post_from_json(p, json_of(line), NULL, &err), &err);
}

static const char GRACE[] =
    "{\"id\":\"g\",\"text\":\"Grace Hopper and her IBM tie\",\"image\":\".deps/photos/"
    "grace_hopper.jpg\",\"entities\":[{\"text\":\"Grace Hopper\",\"type\":\"PER\",\"start\":0,"
    "\"end\":12},{\"text\":\"IBM tie\",\"type\":\"OTHER\",\"start\":21,\"end\":28},"
    "{\"text\":\"IBM\",\"type\":\"ORG\",\"start\":21,\"end\":24}]}";

static void from_photo_to_mask(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_post p, *list[1] = {&p};
    post_of(&p, GRACE);
    run_stage("look", NULL, list, 1);
    assert_true(p.has_objects);
    assert_int_equal(p.image_w, 512);
    assert_int_equal(p.image_h, 600);
    assert_true(gm_str_eq_c(p.caption, "a person and a tie"));
    run_stage("ground", NULL, list, 1);
    run_stage("segment", NULL, list, 1);
    assert_int_equal(p.error.stage.n, 0);
    assert_int_equal(p.entities[0].n_regions, 1);
    assert_int_equal(p.entities[1].n_regions, 1);
    assert_int_equal(p.entities[2].n_regions, 0);
    const struct gm_region *person = p.entities[0].regions, *tie = p.entities[1].regions;
    assert_true(gm_str_eq_c(person->label, "person"));
    assert_int_equal(person->mask.w, 512);
    assert_int_equal(person->mask.h, 600);
    assert_int_equal(person->note.n, 0);
    assert_true(gm_str_eq_c(tie->label, "tie"));
    assert_int_equal(tie->note.n, 0);
    uint8_t *mask = gm_alloc(512 * 600, 1);
    double box[4];
    must(gm_rle_decode(tie->mask.counts, 600, 512, mask, &err), &err);
    assert_true(gm_mask_box(mask, 600, 512, box));
    for (size_t i = 0; i < 4; i++) /* in its box, whose sides are rounded outwards */
        assert_true(i < 2 ? box[i] > tie->box[i] - 1 : box[i] < tie->box[i] + 1);
    double share = (double)gm_mask_area(mask, 600, 512) /
                   ((tie->box[2] - tie->box[0]) * (tie->box[3] - tie->box[1]));
    assert_true(share > 0.2 && share < 0.98);
    must(gm_rle_decode(person->mask.counts, 600, 512, mask, &err), &err);
    assert_true(gm_mask_box(mask, 600, 512, box));
    assert_true(gm_box_iou(box, person->box) > 0.8);
    gm_free(mask);
    gm_post_clear(&p);
    assert_int_equal(gm_alloc_live(), 0);
}

/* The same photo three times as large is looked at in a smaller copy: objects and mask are those of
 * the whole picture. */
static void large_photos(void **state)
{
    (void)state;
    struct gm_error err;
    char path[] = "/tmp/gm_test_photo_XXXXXX", line[256];
    struct gm_image *im = load_image(PHOTOS "grace_hopper.jpg"), *large;
    struct gm_buf jpeg;
    struct gm_post p[2], *list[2] = {&p[0], &p[1]};
    gm_buf_init(&jpeg, 1 << 24);
    must(gm_image_resize(&large, im, (float[]){0, 0, 512, 600}, 1536, 1800, &err), &err);
    must(gm_image_write_jpeg(large, 95, &jpeg, &err), &err);
    int fd = mkstemp(path);
    assert_true(fd >= 0 && close(fd) == 0);
    must(gm_file_write(path, gm_buf_str(&jpeg), &err), &err);
    post_of(&p[0], GRACE);
    snprintf(line, sizeof line,
             "{\"id\":\"l\",\"text\":\"Grace Hopper\",\"image\":\"%s\",\"entities\":[{\"text\":"
             "\"Grace Hopper\",\"type\":\"PER\",\"start\":0,\"end\":12}]}",
             path);
    post_of(&p[1], line);
    run_stage("look", NULL, list, 2);
    assert_int_equal(p[1].image_w, 1536);
    assert_int_equal(p[1].image_h, 1800);
    assert_int_equal(p[1].pixels->w, 768); /* half: a quarter would be narrower than the input */
    double first[4];
    for (size_t i = 0; i < 4; i++)
        first[i] = 3 * p[0].objects[0].box[i];
    assert_true(gm_box_iou(first, p[1].objects[0].box) > 0.95);
    run_stage("ground", NULL, list, 2);
    run_stage("segment", NULL, list, 2);
    assert_int_equal(p[1].pixels->w, 1536);
    const struct gm_rle *rle = &p[1].entities[0].regions[0].mask;
    assert_int_equal(rle->w, 1536);
    assert_int_equal(rle->h, 1800);
    unlink(path);
    gm_buf_clear(&jpeg);
    gm_image_free(im);
    gm_image_free(large);
    gm_post_clear(&p[0]);
    gm_post_clear(&p[1]);
    assert_int_equal(gm_alloc_live(), 0);
}

/* One bad picture fails its own post with its path; the others go on, text alone passes. */
static void bad_pictures_fail_alone(void **state)
{
    (void)state;
    struct gm_post p[5], *list[5];
    static const char *const lines[5] = {
        "{\"id\":\"1\",\"text\":\"a\",\"image\":\"nowhere/no.jpg\"}",
        "{\"id\":\"2\",\"text\":\"a\",\"image\":\".deps/photos/astronaut.png\",\"caption\":\"Eileen\"}",
        "{\"id\":\"3\",\"text\":\"a\"}",
        "{\"id\":\"4\",\"text\":\"a\",\"image\":\"CMakeLists.txt\"}",
        "{\"id\":\"5\",\"text\":\"a\",\"image\":\"src\"}",
    };
    for (size_t i = 0; i < 5; i++) {
        post_of(&p[i], lines[i]);
        list[i] = &p[i];
    }
    run_stage("look", NULL, list, 5);
    run_stage("ground", NULL, list, 5);
    run_stage("segment", NULL, list, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(p[i].error.stage.n > 0, i != 1 && i != 2);
    assert_true(gm_str_eq_c(p[0].error.stage, "look"));
    assert_true(gm_str_find(p[0].error.message, GM_STR("nowhere/no.jpg"), 0) != SIZE_MAX);
    assert_true(gm_str_find(p[3].error.message, GM_STR("CMakeLists.txt"), 0) != SIZE_MAX);
    assert_true(p[1].n_objects > 0);
    assert_true(gm_str_eq_c(p[1].caption, "Eileen")); /* a caption that came with it stays */
    assert_false(p[2].has_objects);
    for (size_t i = 0; i < 5; i++)
        gm_post_clear(&p[i]);
    assert_int_equal(gm_alloc_live(), 0);
}

/* Mentions of one name have one mask; the other model's mask is much the same. */
static void masks_of_both_models(void **state)
{
    (void)state;
    struct gm_error err;
    static const char *const settings[2] = {NULL, "{\"model\": \"pose\"}"};
    uint8_t *mask[2];
    for (size_t i = 0; i < 2; i++) {
        struct gm_post p, *list[1] = {&p};
        post_of(&p,
                "{\"id\":\"1\",\"text\":\"Eileen EILEEN\",\"image\":\".deps/photos/astronaut.png\","
                "\"entities\":[{\"text\":\"Eileen\",\"type\":\"PER\",\"start\":0,\"end\":6},"
                "{\"text\":\"EILEEN\",\"type\":\"PER\",\"start\":7,\"end\":13}]}");
        run_stage("look", NULL, list, 1);
        run_stage("ground", NULL, list, 1);
        run_stage("segment", settings[i], list, 1);
        assert_int_equal(p.entities[0].n_regions, 1);
        assert_int_equal(p.entities[1].n_regions, 1);
        const struct gm_rle *rle = &p.entities[0].regions[0].mask;
        assert_true(gm_str_eq(rle->counts, p.entities[1].regions[0].mask.counts));
        mask[i] = gm_alloc((size_t)rle->h * rle->w, 1);
        must(gm_rle_decode(rle->counts, rle->h, rle->w, mask[i], &err), &err);
        gm_post_clear(&p);
    }
    assert_true(mask_iou(mask[0], mask[1], 512, 512) > 0.9);
    gm_free(mask[0]);
    gm_free(mask[1]);
    assert_int_equal(gm_alloc_live(), 0);
}

/* The plate on the table is read, whatever copy of the picture was looked at before; a picture without
 * text, none, and one that is missing are each told apart. */
static void texts_are_read(void **state)
{
    (void)state;
    struct gm_post p[4], *list[4];
    static const char *const lines[4] = {
        "{\"id\":\"1\",\"text\":\"a\",\"image\":\".deps/photos/grace_hopper.jpg\"}",
        "{\"id\":\"2\",\"text\":\"a\",\"image\":\".deps/photos/astronaut.png\"}",
        "{\"id\":\"3\",\"text\":\"a\"}",
        "{\"id\":\"4\",\"text\":\"a\",\"image\":\"nowhere/no.jpg\"}",
    };
    for (size_t i = 0; i < 4; i++) {
        post_of(&p[i], lines[i]);
        list[i] = &p[i];
    }
    run_stage("read", "{\"precision\": \"f32\"}", list, 4);
    bool is_named = false;
    for (size_t i = 0; i < p[0].n_texts; i++) {
        const struct gm_written *t = &p[0].texts[i];
        assert_true(t->score >= 0.5f && t->score <= 1);
        if (gm_str_find(t->text, GM_STR("HOPPER"), 0) == SIZE_MAX)
            continue;
        is_named = true;
        const double plate[4] = {105, 490, 162, 511};
        assert_true(gm_box_iou(t->box, plate) > 0.7);
    }
    assert_true(is_named);
    assert_true(p[1].has_texts && p[1].n_texts == 0);
    assert_false(p[2].has_texts || p[2].error.stage.n || p[3].has_texts);
    assert_true(gm_str_eq_c(p[3].error.stage, "read"));
    for (size_t i = 0; i < 4; i++)
        gm_post_clear(&p[i]);
    assert_int_equal(gm_alloc_live(), 0);
}

static const struct gm_written *find_line(const struct gm_post *p, const char *part)
{
    for (size_t i = 0; i < p->n_texts; i++)
        if (gm_str_find(p->texts[i].text, gm_str(part), 0) != SIZE_MAX)
            return &p->texts[i];
    return NULL;
}

/* Of four lines the plate's is the lowest: it goes first. In strips no wider than their lines it is read in the
 * same place. */
static void few_lines_are_read(void **state)
{
    (void)state;
    struct gm_post p[3], *list[3];
    static const char *const settings[3] = {"{}", "{\"lines\": 3}",
                                            "{\"lines\": 4, \"tight\": true}"};
    for (size_t i = 0; i < 3; i++) {
        post_of(&p[i], "{\"text\":\"a\",\"image\":\".deps/photos/grace_hopper.jpg\"}");
        list[i] = &p[i];
        run_stage("read", settings[i], &list[i], 1);
    }
    const struct gm_written *all = find_line(&p[0], "HOPPER"), *tight = find_line(&p[2], "HOPPER");
    assert_int_equal(p[0].n_texts, p[1].n_texts + 1);
    assert_null(find_line(&p[1], "HOPPER"));
    assert_non_null(all);
    assert_non_null(tight);
    assert_memory_equal(all->box, tight->box, sizeof all->box);
    for (size_t i = 0; i < 3; i++)
        gm_post_clear(&p[i]);
    assert_int_equal(gm_alloc_live(), 0);
}

/* Black lines on white, as a screenshot has them: the path of a PNG file. */
static const char *write_lines(const char *const *lines, size_t n, uint32_t size_px)
{
    static const struct gm_color white = {255, 255, 255};
    struct gm_error err;
    struct gm_buf png;
    struct gm_image *im;
    struct gm_font *font;
    if (gm_font_open(&font, size_px, false, &err) != GM_OK)
        skip_because("%s", err.msg);
    must(gm_image_new(&im, 640, (uint32_t)(n + 1) * 2 * size_px, &err), &err);
    memset(im->rgb, 255, (size_t)im->w * im->h * 3);
    for (size_t i = 0; i < n; i++)
        must(gm_draw_label(im, font, 20, (float)(i + 1) * 2 * (float)size_px, gm_str(lines[i]),
                           white, &err),
             &err);
    gm_buf_init(&png, 1 << 24);
    must(gm_image_write_png(im, &png, &err), &err);
    const char *path = temp_file_bytes(png.p, png.n);
    gm_buf_clear(&png);
    gm_font_free(font);
    gm_image_free(im);
    return path;
}

/* What a post about a film, its maker and a company gets for a picture of these lines: the notes and labels. */
static const char *shown_by(const char *const *lines, size_t n, uint32_t size_px)
{
    static char text[256];
    struct gm_post p, *list[1] = {&p};
    size_t at = 0;
    post_of(&p, "{\"text\":\"Silver Harbour, Anna Becker, Northwind Airlines\",\"entities\":["
                "{\"text\":\"Silver Harbour\",\"type\":\"OTHER\",\"start\":0,\"end\":14},"
                "{\"text\":\"Anna Becker\",\"type\":\"PER\",\"start\":16,\"end\":27},"
                "{\"text\":\"Northwind Airlines\",\"type\":\"ORG\",\"start\":29,\"end\":47}]}");
    p.image = gm_str(write_lines(lines, n, size_px));
    run_stage("look", NULL, list, 1);
    run_stage("read", "{\"glance\": 160, \"pixels\": 200000, \"lines\": 8, \"tight\": true}", list,
              1);
    run_stage("ground", "{\"picture_types\": [\"OTHER\"]}", list, 1);
    for (size_t i = 0; i < p.n_entities; i++) {
        const struct gm_entity *e = &p.entities[i];
        struct gm_str said = e->n_regions ? e->regions[0].label : e->note;
        at +=
            (size_t)snprintf(text + at, sizeof text - at, "%s%.*s", i ? " " : "", GM_STR_ARG(said));
    }
    (void)unlink(p.image.p);
    gm_post_clear(&p);
    assert_int_equal(gm_alloc_live(), 0);
    return text;
}

/* Screenshots of text speak of names and show nobody and nothing; a poster with the title is the film's. */
static void screenshots_show_nothing(void **state)
{
    (void)state;
    static const char none[] = "no_box:only_written no_box:no_person no_box:only_written";
    static const char *const page[] = {
        "I have just read that Anna Becker of",    "Northwind Airlines told a paper in Lisbon",
        "that the film will not be shown at all",  "this year. Nobody has asked her why it",
        "must be so. Tickets for Silver Harbour",  "can be given back until May, she said,",
        "and Northwind Airlines flies all people", "home from Lisbon who came there for it."};
    static const char *const message[] = {"So the film Silver Harbour is off, says",
                                          "Anna Becker, and I am not the only one",
                                          "whom Northwind Airlines now flies home"};
    static const char *const poster[] = {"SILVER", "HARBOUR"};
    assert_string_equal(shown_by(page, 8, 26), none);
    assert_string_equal(shown_by(message, 3, 26), none);
    assert_string_equal(shown_by(poster, 2, 80), "picture no_box:no_person no_box:no_object");
}

/* Any allocation may fail while a picture is read; of the later ones some are tried. */
static void reading_may_run_out_of_memory(void **state)
{
    (void)state;
    struct gm_error err;
    void *self;
    const struct gm_backend *read = gm_backend_find("read", NULL);
    must(read->open(&self, read, NULL, &err), &err);
    bool failed = true;
    for (size_t nth = 1; failed; nth += 1 + nth / 6) {
        struct gm_post p, *list[1] = {&p};
        assert_in_range(nth, 1, 2000);
        post_of(&p, "{\"text\":\"a\",\"image\":\".deps/photos/grace_hopper.jpg\"}");
        gm_alloc_fail_at(nth);
        enum gm_status st = read->run(self, list, 1, &err);
        gm_alloc_fail_at(0);
        failed = st != GM_OK || p.error.stage.n;
        assert_true(failed ? p.n_texts == 0 : p.n_texts > 0);
        gm_post_clear(&p);
    }
    read->close(self);
    assert_int_equal(gm_alloc_live(), 0);
}

/* The box of a whole picture is drawn in to what its mask marks, for all that have it; with `tighten: 1` never, and
 * no other box is. */
static void whole_pictures_are_drawn_in(void **state)
{
    (void)state;
    static const char line[] =
        "{\"text\":\"Ada Bob Cy\",\"image\":\".deps/photos/grace_hopper.jpg\",\"entities\":["
        "{\"text\":\"Ada\",\"type\":\"OTHER\",\"start\":0,\"end\":3,\"regions\":["
        "{\"label\":\"picture\",\"box\":[0,0,512,600]}]},"
        "{\"text\":\"Bob\",\"type\":\"OTHER\",\"start\":4,\"end\":7,\"regions\":["
        "{\"label\":\"picture\",\"box\":[0,0,512,600]}]},"
        "{\"text\":\"Cy\",\"type\":\"OTHER\",\"start\":8,\"end\":10,\"regions\":["
        "{\"label\":\"tie\",\"box\":[0,0,512,600]}]}]}";
    static const char *const settings[] = {NULL, "{\"tighten\": 1}"};
    struct gm_post p[2], *list[1];
    for (size_t i = 0; i < 2; i++) {
        post_of(&p[i], line);
        list[0] = &p[i];
        run_stage("segment", settings[i], list, 1);
        assert_int_equal(p[i].error.stage.n, 0);
    }
    const double whole[] = {0, 0, 512, 600};
    const double *drawn = p[0].entities[0].regions[0].box;
    assert_true(drawn[0] > 0 && drawn[1] > 0 && gm_box_iou(drawn, whole) >= 0.5);
    assert_true(gm_box_iou(drawn, whole) < 0.99);
    assert_memory_equal(drawn, p[0].entities[1].regions[0].box, sizeof whole);
    assert_memory_equal(whole, p[0].entities[2].regions[0].box, sizeof whole);
    assert_memory_equal(whole, p[1].entities[0].regions[0].box, sizeof whole);
    assert_true(gm_str_eq(p[0].entities[0].regions[0].mask.counts,
                          p[1].entities[0].regions[0].mask.counts));
    gm_post_clear(&p[0]);
    gm_post_clear(&p[1]);
    assert_int_equal(gm_alloc_live(), 0);
}

/* As it was before things had masks. */
static void things_without_masks(void **state)
{
    (void)state;
    struct gm_post p, *list[1] = {&p};
    post_of(&p, GRACE);
    run_stage("look", NULL, list, 1);
    run_stage("ground", NULL, list, 1);
    run_stage("segment", "{\"things\": \"none\"}", list, 1);
    assert_int_equal(p.entities[1].n_regions, 1);
    assert_int_equal(p.entities[1].regions[0].mask.counts.n, 0);
    assert_true(gm_str_eq_c(p.entities[1].regions[0].note, "no_mask:not_a_person"));
    assert_true(p.entities[0].regions[0].mask.counts.n > 0);
    gm_post_clear(&p);
    assert_int_equal(gm_alloc_live(), 0);
}

static void bad_settings(void **state)
{
    (void)state;
    static const char *const bad[][3] = {
        {"look", "{\"scores\": 0.5}", "scores"},
        {"look", "{\"score\": 0}", "score"},
        {"look", "{\"model\": \"yolo99\"}", "yolo99"},
        {"look", "{\"model\": \"src/\"}", "nanodet.onnx"},
        {"read", "{\"sides\": 3}", "sides"},
        {"read", "{\"pixels\": 1}", "pixels"},
        {"read", "{\"lines\": 1.5}", "whole number"},
        {"read", "{\"tight\": 3}", "true or false"},
        {"read", "{\"model\": \"\"}", "no model \"\""},
        {"read", "{\"model\": \"src/\"}", "PP-OCRv6_det_small.onnx"},
        {"segment", "{\"model\": \"sam\"}", "selfie and pose"},
        {"segment", "{\"model\": \"u2netp\"}", "selfie and pose"},
        {"segment", "{\"things\": \"yes\"}", "things"},
        {"segment", "{\"threshold\": 1}", "threshold"},
        {"segment", "{\"min_share\": -1}", "min_share"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gm_error err;
        void *self;
        struct gm_json *j = json_of(bad[i][1]);
        const struct gm_backend *b = gm_backend_find(bad[i][0], NULL);
        enum gm_status st = b->open(&self, b, j, &err);
        assert_true(st == GM_EARG || st == GM_EMODEL);
        if (!strstr(err.msg, bad[i][2]))
            fail_msg("\"%s\" does not name %s", err.msg, bad[i][2]);
        assert_null(self);
        gm_json_free(j);
    }
    assert_int_equal(gm_alloc_live(), 0);
}

/* Any allocation may fail: the run stops or the post has an error, and nothing is lost. */
static void memory_may_run_out(void **state)
{
    (void)state;
    struct gm_error err;
    const struct gm_backend *look = gm_backend_find("look", NULL);
    const struct gm_backend *ground = gm_backend_find("ground", NULL);
    const struct gm_backend *segment = gm_backend_find("segment", NULL);
    void *eye, *rule, *knife;
    must(look->open(&eye, look, NULL, &err), &err);
    must(ground->open(&rule, ground, NULL, &err), &err);
    must(segment->open(&knife, segment, NULL, &err), &err);
    bool failed = true;
    for (size_t nth = 1; failed; nth++) {
        struct gm_post p, *list[1] = {&p};
        assert_in_range(nth, 1, 300);
        post_of(&p, GRACE);
        gm_alloc_fail_at(nth);
        enum gm_status st = look->run(eye, list, 1, &err);
        st = st == GM_OK ? ground->run(rule, list, 1, &err) : st;
        st = st == GM_OK ? segment->run(knife, list, 1, &err) : st;
        gm_alloc_fail_at(0);
        failed = st != GM_OK || p.error.stage.n;
        assert_true(failed || p.entities[0].n_regions == 1);
        gm_post_clear(&p);
    }
    look->close(eye);
    ground->close(rule);
    segment->close(knife);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    vision_tests_start(PHOTOS "grace_hopper.jpg");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_photo_to_mask),
        cmocka_unit_test(large_photos),
        cmocka_unit_test(bad_pictures_fail_alone),
        cmocka_unit_test(masks_of_both_models),
        cmocka_unit_test(texts_are_read),
        cmocka_unit_test(few_lines_are_read),
        cmocka_unit_test(screenshots_show_nothing),
        cmocka_unit_test(reading_may_run_out_of_memory),
        cmocka_unit_test(whole_pictures_are_drawn_in),
        cmocka_unit_test(things_without_masks),
        cmocka_unit_test(bad_settings),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
