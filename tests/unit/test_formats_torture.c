/* Every allocation of the readers fails once in its turn: the failure is reported, nothing leaks,
 * nothing crashes, and what is read without failures is whole. */
#include "post_files.h"

#include "formats/captions.h"
#include "formats/voc_xml.h"

static char jsonl[64], conll[64], captions[64], folder[64], xml[80];

static enum gm_status read_posts(const char *path, size_t *n_posts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_reader *r = NULL;
    struct gm_post p;
    struct gm_buf out;
    bool has = true;
    *n_posts = 0;
    gm_buf_init(&out, 1 << 20);
    GM_TRY(gm_reader_open(&r, path, &(struct gm_reader_opts){.images_dir = folder}, err));
    for (;;) {
        GM_TRY(gm_reader_next(r, &p, &has, err));
        if (!has)
            break;
        st = gm_post_add_boxes(&p, folder, NULL, err);
        if (st == GM_OK)
            st = gm_post_to_json(&p, &out, err);
        gm_post_clear(&p);
        GM_TRY(st);
        ++*n_posts;
    }
done:
    gm_reader_free(r);
    gm_buf_clear(&out);
    return st;
}

static enum gm_status read_captions(const char *path, size_t *n, struct gm_error *err)
{
    struct gm_captions *c;
    enum gm_status st = gm_captions_load(&c, path, err);
    *n = st == GM_OK ? gm_captions_count(c) : 0;
    gm_captions_free(c);
    return st;
}

static void torture(enum gm_status (*work)(const char *path, size_t *n, struct gm_error *err),
                    const char *path, size_t want)
{
    size_t got = 0, failed = 0;
    for (size_t n = 1;; n++) {
        struct gm_error err = {0};
        gm_alloc_fail_at(n);
        enum gm_status st = work(path, &got, &err);
        gm_alloc_fail_at(0);
        if (gm_alloc_live() != 0)
            fail_msg("failing allocation %zu leaks", n);
        if (st == GM_OK)
            break;
        assert_int_equal(st, GM_ENOMEM);
        assert_true(err.msg[0] != 0);
        failed++;
        assert_true(n < 100000);
    }
    assert_int_equal(got, want);
    assert_true(failed > 10);
}

static void test_jsonl(void **state)
{
    (void)state;
    torture(read_posts, jsonl, 2);
}
static void test_conll(void **state)
{
    (void)state;
    torture(read_posts, conll, 2);
}
static void test_captions(void **state)
{
    (void)state;
    torture(read_captions, captions, 40);
}

static int make_files(void **state)
{
    (void)state;
    struct gm_buf b;
    snprintf(
        jsonl, sizeof jsonl, "%s",
        temp_file(
            "{\"text\": \"Ann in Oslo\", \"image\": \"a.jpg\", \"x\": 1, \"entities\": [{\"type\": \"PER\", "
            "\"start\": 0, \"end\": 3, \"regions\": [{\"box\": [0, 0, 1, 1]}]}]}\n"
            "{\"id\": 4, \"tokens\": [\"a\", \"b\xE2\x82\"], \"text\": \"ab\xE2\x82\", \"objects\": [{\"label\": \"x\", "
            "\"box\": [0, 0, 1, 1]}]}\n"));
    gm_buf_init(&b, 1 << 20);
    (void)!gm_buf_add_c(&b, "IMGID:p\n", NULL);
    for (size_t i = 0; i < 200; i++)
        (void)!gm_buf_printf(&b, NULL, "w%zu\tB-T%zu\tB-f%zu\n", i, i, i % 7);
    (void)!gm_buf_add_c(&b, "<EOS>\tX\tX\nk\tX\tX\n\nIMGID:q\nAnn\tO\tO\n", NULL);
    snprintf(conll, sizeof conll, "%s", temp_file(b.p));
    gm_buf_reset(&b);
    for (size_t i = 0; i < 40; i++)
        (void)!gm_buf_printf(&b, NULL, "imgid:%zu###text of\n\n%zu\n", i, i);
    snprintf(captions, sizeof captions, "%s", temp_file(b.p));
    gm_buf_clear(&b);
    snprintf(folder, sizeof folder, "/tmp/gmner-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(xml, sizeof xml, "%s/p.xml", folder);
    return gm_file_write(
        xml,
        GM_STR("<annotation><object><name>w1</name><bndbox><xmin>1</xmin><ymin>2</ymin>"
               "<xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>"),
        NULL);
}

static int remove_files(void **state)
{
    (void)state;
    unlink(jsonl);
    unlink(conll);
    unlink(captions);
    unlink(xml);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {leak_checked(test_jsonl), leak_checked(test_conll),
                                       leak_checked(test_captions)};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
