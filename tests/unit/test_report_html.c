/* The HTML page: what is in it, that nothing of a post becomes markup, that it loads nothing. */
#include "report_posts.h"

#include "report/html.h"
#include "report/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/gm_test_report_XXXXXX";
static char page_path[64];

/* The page of these posts, as text. */
static struct gm_buf page_of(const char *const *posts, size_t n, const char *title)
{
    struct gm_error err;
    struct gm_report *r;
    struct gm_buf page;
    must(gm_report_open(&r, page_path, title, &err), &err);
    for (size_t i = 0; i < n; i++) {
        struct gm_post post;
        post_of(&post, posts[i]);
        must(gm_report_add(r, &post, 0, &err), &err);
        gm_post_clear(&post);
    }
    must(gm_report_commit(r, &err), &err);
    gm_buf_init(&page, 1 << 24);
    must(gm_file_read(page_path, &page, &err), &err);
    return page;
}

static size_t count(const struct gm_buf *page, const char *part)
{
    size_t n = 0;
    struct gm_str s = gm_buf_str(page), needle = gm_str(part);
    for (size_t at = 0; (at = gm_str_find(s, needle, at)) != SIZE_MAX; at += needle.n)
        n++;
    return n;
}

static void expect(const struct gm_buf *page, const char *part, size_t n)
{
    size_t found = count(page, part);
    if (found != n)
        fail_msg("%zu times instead of %zu: %s", found, n, part);
}

static void shows_all_of_a_post(void **state)
{
    (void)state;
    const char *posts[] = {POST_WITH_IMAGE};
    struct gm_buf page = page_of(posts, 1, "A title");
    expect(&page, "<h1>A title</h1>", 1);
    expect(&page, "<article class=\"post\"", 1);
    expect(&page, "<img ", 1);
    expect(&page, "src=\"data:image/jpeg;base64,/9j/", 1);
    expect(&page, "viewBox=\"0 0 173 97\"", 1);
    expect(&page, "<rect ", 2);
    expect(&page, "<rect x=\"40.0\" y=\"30.0\" width=\"40.0\" height=\"60.0\"/>", 1);
    /* The mask's four corners, in whatever order they are followed. */
    expect(&page, "<path d=\"M60 0L60 97L40 97L40 0Z\"/>", 1);
    expect(&page, ">Ana Ruiz<span class=\"tag\">PER</span></mark> in <mark", 1);
    expect(&page, "class=\"label\" data-e=\"0\"", 2);
    expect(&page, "<tr data-e=\"1\"", 1);
    expect(&page, "<span class=\"has\">mask</span>", 1);
    expect(&page, "style=\"--c:0,114,178\"",
           5); /* mark, two regions, row, filter; labels have more */
    expect(&page, "<dt>boxes</dt><dd>2</dd>", 1);
    expect(&page, "<dt>found in the image</dt><dd>1</dd>", 1);
    expect(&page, "<dt>masks</dt><dd>1</dd>", 1);
    expect(&page, "data-type=\"PER\"", 1);
    gm_buf_clear(&page);
    assert_int_equal(gm_alloc_live(), 0);
}

/* Boxes are in the whole picture's pixels, also where a stage has decoded a smaller copy. */
static void boxes_on_a_small_copy(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_report *r;
    struct gm_post post;
    struct gm_buf page;
    must(gm_report_open(&r, page_path, "t", &err), &err);
    post_of(&post, POST_WITH_IMAGE);
    must(gm_image_new(&post.pixels, 87, 49, &err), &err);
    post.image_w = 173;
    post.image_h = 97;
    must(gm_report_add(r, &post, 0, &err), &err);
    gm_image_free(post.pixels);
    gm_post_clear(&post);
    must(gm_report_commit(r, &err), &err);
    gm_buf_init(&page, 1 << 24);
    must(gm_file_read(page_path, &page, &err), &err);
    expect(&page, "style=\"--w:173;--h:97\"", 1);
    expect(&page, "viewBox=\"0 0 173 97\"", 1);
    expect(&page, "<img width=\"87\" height=\"49\"", 1);
    expect(&page, "<rect x=\"40.0\" y=\"30.0\" width=\"40.0\" height=\"60.0\"/>", 1);
    expect(&page, "<path d=\"M60 0L60 97L40 97L40 0Z\"/>", 1);
    gm_buf_clear(&page);
    assert_int_equal(gm_alloc_live(), 0);
}

/* Every text field with markup, quotes and control characters in it. */
#define EVIL "<script>alert(1)</script>\\\"'><img src=x onerror=alert(1)>&amp;\\u0001"

static void nothing_becomes_markup(void **state)
{
    (void)state;
    const char *posts[] = {"{\"id\": \"" EVIL "\", \"text\": \"" EVIL "\", \"image\": \"" EVIL
                           "\", \"caption\": \"" EVIL "\","
                           " \"knowledge\": \"" EVIL "\", \"entities\": [{\"text\": \"" EVIL
                           "\", \"type\": \"" EVIL "\","
                           " \"fine_type\": \"" EVIL
                           "\", \"start\": 0, \"end\": 62, \"score\": 1, \"source\": \"tag\","
                           " \"note\": \"" EVIL "\", \"expression\": \"" EVIL
                           "\", \"regions\": [{\"box\": [0, 0, 9, 9],"
                           " \"score\": 1, \"label\": \"" EVIL "\", \"note\": \"" EVIL "\"}]}],"
                           " \"error\": {\"stage\": \"" EVIL
                           "\", \"code\": \"io\", \"message\": \"" EVIL "\"}}"};
    struct gm_buf page = page_of(posts, 1, "<b>\"'&");
    expect(&page, "<h1>&lt;b&gt;&quot;&#39;&amp;</h1>", 1);
    expect(&page, "<script>alert", 0);
    expect(&page, "<script>", 1); /* the page's own */
    expect(&page, "<img", 0);
    expect(&page, "\x01", 0);
    assert_true(count(&page, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&gt;") >= 12);
    gm_buf_clear(&page);
    assert_int_equal(gm_alloc_live(), 0);
}

/* What was read in the picture stands with the objects, and as text. */
static void texts_of_the_picture(void **state)
{
    (void)state;
    const char *posts[] = {"{\"text\": \"a\", \"image\": \"" GOLDEN "source.png\", \"texts\": ["
                           "{\"text\": \"<EXIT>\", \"score\": 0.9, \"box\": [10, 20, 60, 40]}]}"};
    struct gm_buf page = page_of(posts, 1, "t");
    expect(&page,
           "<g class=\"object\"><rect x=\"10.0\" y=\"20.0\" width=\"50.0\" height=\"20.0\"/></g>",
           1);
    expect(&page, "<span class=\"label object\"", 1);
    expect(&page, "&lt;EXIT&gt;</span>", 1);
    gm_buf_clear(&page);
    assert_int_equal(gm_alloc_live(), 0);
}

static void loads_nothing(void **state)
{
    (void)state;
    const char *posts[] = {POST_WITH_IMAGE};
    struct gm_buf page = page_of(posts, 1, "t");
    expect(&page, "http:", 0);
    expect(&page, "https:", 0);
    expect(&page, "@import", 0);
    expect(&page, "url(", 0);
    expect(&page, "<link", 0);
    expect(&page, "content=\"default-src 'none'; img-src data:;", 1);
    expect(&page, "script-src 'sha256-", 1);
    gm_buf_clear(&page);
}

/* What is in the picture is marked as such, and each cell names its column for narrow screens. */
static void found_ones_and_columns_are_told(void **state)
{
    (void)state;
    const char *post = POST_WITH_IMAGE;
    struct gm_buf page = page_of(&post, 1, "t");
    expect(&page, "<mark data-e=\"0\" data-found", 1);
    expect(&page, "<mark data-e=\"1\" style", 1);
    expect(&page, "<td data-column=\"Type\">", 2);
    expect(&page, "<td data-column=\"Score\">", 2);
    expect(&page, "<td data-column=\"In the image?\">", 2);
    expect(&page, "<td data-column=\"Where\">", 2);
    expect(&page, "<td>", 0);
    expect(&page, "Rome</bdi><small class=\"note\">no_box:below_threshold:0.5</small>", 1);
    gm_buf_clear(&page);
}

/* A card has the names of its marks, the filter each mark with its count; a page without marks
 * offers none. */
static void marks_are_filters(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_report *r;
    struct gm_buf page;
    struct gm_post post;
    must(gm_report_open(&r, page_path, "t", &err), &err);
    must(gm_report_add_mark(r, "good", "all <good>", &err), &err);
    must(gm_report_add_mark(r, "bad", "bad", &err), &err);
    must(gm_report_add_mark(r, "never", "never", &err), &err);
    post_of(&post, "{\"id\": \"a\", \"text\": \"x\"}");
    must(gm_report_add(r, &post, 1, &err), &err);
    must(gm_report_add(r, &post, 3, &err), &err);
    must(gm_report_add(r, &post, 0, &err), &err);
    gm_post_clear(&post);
    must(gm_report_commit(r, &err), &err);
    gm_buf_init(&page, 1 << 24);
    must(gm_file_read(page_path, &page, &err), &err);
    expect(&page, "data-marks=\"good\"", 1);
    expect(&page, "data-marks=\"good bad\"", 1);
    expect(&page, "data-marks=\"\"", 1);
    expect(&page, "<option value=\"mark good\">all &lt;good&gt; (2)</option>", 1);
    expect(&page, "<option value=\"mark bad\">bad (1)</option>", 1);
    expect(&page, "<option value=\"mark never\">never (0)</option>", 1);
    gm_buf_clear(&page);
    const char *one = POST_WITH_IMAGE;
    page = page_of(&one, 1, "t");
    expect(&page, "<option value=\"mark ", 0);
    gm_buf_clear(&page);
    assert_int_equal(gm_alloc_live(), 0);
}

static void broken_pictures_are_told(void **state)
{
    (void)state;
    const char *posts[] = {
        "{\"id\": \"a\", \"text\": \"x\", \"image\": \"" GOLDEN "rle.txt\"}",
        "{\"id\": \"b\", \"text\": \"x\", \"image\": \"/nonexistent/x.jpg\", \"error\": {\"stage\":"
        " \"look\", \"code\": \"io\", \"message\": \"told once\"}}",
        "{\"id\": \"c\", \"text\": \"no image\", \"entities\": []}",
    };
    struct gm_buf page = page_of(posts, 3, "t");
    expect(&page, "The image can’t be shown.", 2);
    expect(&page, "rle.txt: not a JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF picture", 1);
    expect(&page, "/nonexistent/x.jpg: ", 0);
    expect(&page, "told once", 1);
    expect(&page, "<dt>posts</dt><dd>3</dd>", 1);
    expect(&page, "<dt>failed posts</dt><dd>1</dd>", 1);
    expect(&page, "<figure", 2);
    gm_buf_clear(&page);
    assert_int_equal(gm_alloc_live(), 0);
}

/* A mask that is no mask, and boxes far outside, leave a page with what is sound. */
static void odd_regions_are_left_out(void **state)
{
    (void)state;
    const char *posts[] = {"{\"id\": \"a\", \"text\": \"x\", \"image\": \"" GOLDEN
                           "source.png\", \"entities\": [{\"text\":"
                           " \"x\", \"type\": \"T\", \"start\": 0, \"end\": 1, \"score\": 1, "
                           "\"source\": \"tag\", \"regions\": ["
                           "{\"box\": [-50, -50, 1e9, 20], \"score\": 1, \"mask\": {\"size\": [97, "
                           "173], \"counts\": \"0\"}},"
                           "{\"box\": [500, 500, 600, 600], \"score\": 1}]}]}"};
    struct gm_buf page = page_of(posts, 1, "t");
    expect(&page, "<path", 0);
    expect(&page, "<rect x=\"0.0\" y=\"0.0\" width=\"173.0\" height=\"20.0\"/>", 1);
    expect(&page, "<rect", 1);
    gm_buf_clear(&page);
    assert_int_equal(gm_alloc_live(), 0);
}

/* An aborted page leaves the old file as it was; lack of memory is an error, not a half page. */
static void half_a_page_is_never_left(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_report *r;
    struct gm_buf page;
    must(gm_file_write(page_path, GM_STR("old"), &err), &err);
    size_t n_failed = 0;
    for (size_t nth = 1; nth < 80; nth++) {
        struct gm_post post;
        post_of(&post, POST_WITH_IMAGE);
        gm_alloc_fail_at(nth);
        enum gm_status st = gm_report_open(&r, page_path, "t", &err);
        if (st == GM_OK) {
            st = gm_report_add(r, &post, 0, &err);
            gm_report_abort(r);
        }
        gm_alloc_fail_at(0);
        gm_post_clear(&post);
        /* OK where zlib within libspng lacked it, which looks like a damaged picture. */
        assert_true(st == GM_OK || st == GM_ENOMEM);
        assert_int_equal(gm_alloc_live(), 0);
        n_failed += st != GM_OK;
    }
    assert_true(n_failed > 20);
    gm_buf_init(&page, 100);
    must(gm_file_read(page_path, &page, &err), &err);
    assert_true(gm_str_eq_c(gm_buf_str(&page), "old"));
    gm_buf_clear(&page);
    assert_int_equal(gm_report_open(&r, "/nonexistent/dir/x.html", "t", &err), GM_EIO);
    assert_int_equal(gm_report_open(&r, dir, "t", &err), GM_EIO);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(page_path, sizeof page_path, "%s/page.html", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(page_path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_all_of_a_post),
        cmocka_unit_test(boxes_on_a_small_copy),
        cmocka_unit_test(nothing_becomes_markup),
        cmocka_unit_test(texts_of_the_picture),
        cmocka_unit_test(loads_nothing),
        cmocka_unit_test(found_ones_and_columns_are_told),
        cmocka_unit_test(marks_are_filters),
        cmocka_unit_test(broken_pictures_are_told),
        cmocka_unit_test(odd_regions_are_left_out),
        cmocka_unit_test(half_a_page_is_never_left),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
