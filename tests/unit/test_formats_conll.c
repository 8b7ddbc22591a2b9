/* The CoNLL reader: what it understands, and what it says about what it does not. */
#include "post_files.h"

#include "base/utf8.h"

/* Posts of a text as one string a post: "id|text|type[start,end]/fine ...|knowledge". */
static size_t read_all(const char *path, const struct gm_reader_opts *opts, char out[][512],
                       size_t max)
{
    struct gm_reader *r;
    struct gm_post p;
    struct gm_error err;
    size_t n = 0;
    bool has = true;
    assert_status(gm_reader_open(&r, path, opts, &err), GM_OK, &err);
    for (; n < max; n++) {
        enum gm_status st = gm_reader_next(r, &p, &has, &err);
        if (!has) {
            assert_status(st, GM_OK, &err);
            break;
        }
        if (st != GM_OK) {
            const char *place = strstr(err.msg, ":");
            snprintf(out[n], 512, "error%s", place ? place : err.msg);
            continue;
        }
        size_t used =
            (size_t)snprintf(out[n], 512, "%.*s|%.*s|", GM_STR_ARG(p.id), GM_STR_ARG(p.text));
        for (size_t i = 0; i < p.n_entities; i++) {
            const struct gm_entity *e = &p.entities[i];
            used += (size_t)snprintf(out[n] + used, 512 - used, "%s%.*s[%zu,%zu]", i ? " " : "",
                                     GM_STR_ARG(e->type), e->start, e->end);
            if (e->fine_type.n)
                used +=
                    (size_t)snprintf(out[n] + used, 512 - used, "/%.*s", GM_STR_ARG(e->fine_type));
        }
        if (p.knowledge.n)
            snprintf(out[n] + used, 512 - used, "|%.*s", GM_STR_ARG(p.knowledge));
        gm_post_clear(&p);
    }
    gm_reader_free(r);
    return n;
}

/* text (n bytes) must read as the NULL-ended list of posts. */
static void expect_bytes(const char *text, size_t n_bytes, const char *const *want)
{
    char got[16][512];
    const char *path = temp_file_bytes(text, n_bytes);
    size_t n = read_all(path, NULL, got, 16), i = 0;
    unlink(path);
    for (; want[i]; i++) {
        assert_true(i < n);
        assert_string_equal(got[i], want[i]);
    }
    assert_int_equal(n, i);
}

#define EXPECT(text, ...) \
    expect_bytes(text, sizeof(text) - 1, (const char *const[]){__VA_ARGS__, NULL})

static void test_forms(void **state)
{
    (void)state;
    EXPECT("IMGID:7\nPak\tB-LOC\nis\tO\n\n", "7|Pak is|LOC[0,3]");
    EXPECT("IMGID:7\nPak B-LOC\nis  O\n\n", "7|Pak is|LOC[0,3]"); /* spaces */
    EXPECT("\xEF\xBB\xBFIMGID:7\r\nPak\tB-LOC\r\nis\tO\r\n\r\n", "7|Pak is|LOC[0,3]");
    EXPECT("IMGID:7\nPak\tB-LOC\nis\tO", "7|Pak is|LOC[0,3]"); /* no last newline */
    EXPECT("a\tS-X\nb\tB-Y\nc\tE-Y\n\n\n\nd\tO\n", "1|a b c|X[0,1] Y[2,5]", "2|d|"); /* no ids */
    EXPECT("a O \nb O \t\n", "1|a b|"); /* white space behind */
    EXPECT("IMGID:1\nIMGID:2\na\tO\nIMGID:3\n\nIMGID:4\n\nb\tO\n", "1||", "2|a|", "3||", "4|b|");
    EXPECT("a\tB-person\tB-actor\nb\tI-person\tI-actor\nc\tO\tO\n", "1|a b c|person[0,3]/actor");
    EXPECT("a\nb\n\nc\n", "1|a b|", "2|c|");    /* words alone */
    EXPECT("{\tO\n\"\tO\n}\tO\n", "1|{ \" }|"); /* not JSON */
    EXPECT("[\tO\n", "1|[|");
    EXPECT("IMGID:x\tO\nb\tO\n", "1|IMGID:x b|"); /* a word,
    not an id */
}

static void test_odd_words(void **state)
{
    (void)state;
    EXPECT("\xC2\xA0\tO\na\xC2\xA0"
           "b\tB-X\n\xE3\x80\x80\tO\n",
           "1|\xC2\xA0 a\xC2\xA0"
           "b \xE3\x80\x80|X[2,5]");
    EXPECT("a\xC2\xA0"
           "b B-X\n\xE2\x80\x8A O\n",
           "1|a\xC2\xA0"
           "b \xE2\x80\x8A|X[0,3]");
    EXPECT("\tB-X\nb\tI-X\n\tO\n", "1| b |X[0,2]"); /* empty words */
    EXPECT("x B-X\n O\n", "1|x |X[0,1]");
    EXPECT("\xF0\x9F\x98\x80\tO\nb\tB-X\n", "1|\xF0\x9F\x98\x80 b|X[2,3]"); /* code points */
    EXPECT("a\xFF\xC3(\tB-X\n", "1|a\xEF\xBF\xBD\xEF\xBF\xBD(|X[0,4]");     /* invalid UTF-8 */
    EXPECT("New York\tB-LOC\n", "1|New York|LOC[0,8]");
}

/* A NUL is a character like any other, in words; not in ids, which become file names. */
static void test_nul(void **state)
{
    (void)state;
    struct gm_reader *r;
    struct gm_post p;
    struct gm_error err;
    bool has;
    const char *path = temp_file_bytes("a\0b\tB-X\n\nIMGID:7\0\nc\tO\n", 23);
    assert_status(gm_reader_open(&r, path, NULL, &err), GM_OK, &err);
    assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
    assert_int_equal(p.text.n, 3);
    assert_memory_equal(p.text.p, "a\0b", 3);
    assert_int_equal(p.entities[0].end, 3);
    gm_post_clear(&p);
    assert_int_equal(gm_reader_next(r, &p, &has, &err), GM_EFORMAT);
    assert_non_null(strstr(err.msg, ":3: IMGID: with a NUL byte"));
    gm_reader_free(r);
    unlink(path);
}

static void test_context(void **state)
{
    (void)state;
    EXPECT("Ted\tB-PER\n<EOS>\tX\nNamed\tX\n\tX\n<EOS>\tX\n\nb\tO\n", "1|Ted|PER[0,3]|Named <EOS>",
           "2|b|");
    EXPECT("a\tO\nb\tX\nc\tO\n\nd\tO\n",
           "error:3: tag \"O\" after words tagged X: expected X up to the "
           "end of the post",
           "2|d|");
}

static void test_faults(void **state)
{
    (void)state;
    /* Each names its line; the next post is read. */
    EXPECT("IMGID:1\na\tQ-PER\nb\tZ\n\nIMGID:2\nc\tO\n",
           "error:2: \"Q-PER\" is not a tag: expected O, or B-, I-, E- or S- and a type (B-PER)",
           "2|c|");
    EXPECT("a\tO\nb\n\nc\tO\n",
           "error:2: 1 column where line 1 has 2: expected a word and its tag, separated by a tab",
           "2|c|");
    EXPECT("a\nb O\n\nc\n",
           "error:2: 2 columns where line 1 has 1: expected a word alone, separated by spaces",
           "2|c|");
    EXPECT("a\tO\tO\nb\tO\n",
           "error:2: 2 columns where line 1 has 3: expected a word and two tags, "
           "separated by a tab");
    EXPECT("a b c d O\n\na O\n",
           "error:1: 5 columns; expected a word and a tag (or two: coarse and fine) a line; "
           "--from text reads plain text, a post a line",
           "2|a|");
    EXPECT("a\tO\n\nIMGID:\nb\tO\n", "1|a|", "error:3: IMGID: without an id");
    EXPECT("a\tB-X\tB-y\nb\tO\tC-y\n",
           "error:2: \"C-y\" is not a tag: expected O, or B-, I-, E- or S- and "
           "a type (B-PER)");
    EXPECT("a\tB-\n",
           "error:1: \"B-\" is not a tag: expected O, or B-, I-, E- or S- and a type (B-PER)");
    EXPECT("a\t\n",
           "error:1: \"\" is not a tag: expected O, or B-, I-, E- or S- and a type (B-PER)");
}

static void test_repairs(void **state)
{
    (void)state;
    char got[2][512];
    const char *path = temp_file("a\tI-X\nb\tB-Y\nc\tI-X\n");
    assert_int_equal(read_all(path, NULL, got, 2), 1);
    assert_string_equal(got[0], "1|a b c|X[0,1] Y[2,3] X[4,5]");
    struct gm_reader_opts strict = {.repair = GM_REPAIR_STRICT};
    assert_int_equal(read_all(path, &strict, got, 2), 1);
    assert_string_equal(got[0], "1|a b c|Y[2,3]");
    unlink(path);
}

static void test_images_and_lines(void **state)
{
    (void)state;
    struct gm_reader *r;
    struct gm_post p;
    struct gm_error err;
    bool has;
    const char *path = temp_file("\n\nIMGID:a_1\nx\tO\n\ny\tO\n\n");
    const struct {
        const char *dir, *image;
    } cases[] = {{"img", "img/a_1.jpg"}, {"img/", "img/a_1.jpg"}};
    for (size_t i = 0; i < 2; i++) {
        struct gm_reader_opts opts = {.images_dir = cases[i].dir};
        assert_status(gm_reader_open(&r, path, &opts, &err), GM_OK, &err);
        assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
        assert_true(has && p.has_id && p.has_tokens && p.has_entities);
        assert_true(gm_str_eq_c(p.image, cases[i].image));
        assert_int_equal(gm_reader_line(r), 3);
        gm_post_clear(&p);
        assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
        assert_true(has && !p.has_id && p.image.n == 0 && gm_str_eq_c(p.id, "2"));
        assert_int_equal(gm_reader_line(r), 6);
        assert_int_equal(gm_reader_count(r), 2);
        gm_post_clear(&p);
        gm_reader_free(r);
    }
    unlink(path);
    path = temp_file("a\nb\n");
    assert_status(gm_reader_open(&r, path, NULL, &err), GM_OK, &err);
    assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
    assert_false(p.has_entities); /* words alone: nothing is known about entities */
    gm_post_clear(&p);
    gm_reader_free(r);
    unlink(path);
}

static void test_open_faults(void **state)
{
    (void)state;
    struct gm_reader *r;
    struct gm_error err;
    assert_int_equal(gm_reader_open(&r, "/nowhere/at/all", NULL, &err), GM_EIO);
    assert_non_null(strstr(err.msg, "/nowhere/at/all"));
    char folder[] = "/tmp/gm-empty-XXXXXX"; /* others may keep annotations in /tmp itself */
    assert_non_null(mkdtemp(folder));
    assert_int_equal(gm_reader_open(&r, folder, NULL, &err), GM_EIO);
    assert_non_null(strstr(err.msg, "is a directory"));
    rmdir(folder);
    static const struct {
        const char *text;
        size_t n;
        const char *part;
    } cases[] = {{"[\n{\"id\": 1}]\n", 12, ":1: a JSON array of something else than posts"},
                 {"\n[{\"id\": \"1\"}]\n", 15, ":2: a JSON array"},
                 {"\xFF\xFEI\0M\0\n\0", 8, "NUL bytes; expected UTF-8 text"}};
    for (size_t i = 0; i < 3; i++) {
        const char *path = temp_file_bytes(cases[i].text, cases[i].n);
        assert_int_equal(gm_reader_open(&r, path, NULL, &err), GM_EFORMAT);
        if (!strstr(err.msg, cases[i].part))
            fail_msg("\"%s\" is not in: %s", cases[i].part, err.msg);
        unlink(path);
    }
    const char *path = temp_file("");
    bool has;
    struct gm_post p;
    assert_status(gm_reader_open(&r, path, NULL, &err), GM_OK, &err);
    assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
    assert_false(has);
    gm_reader_free(r);
    unlink(path);
}

/* A million words are a post; more than the limit are an error, and the post behind it is read. */
static void test_huge(void **state)
{
    (void)state;
    struct gm_buf b;
    struct gm_reader *r;
    struct gm_post p;
    struct gm_error err;
    bool has;
    gm_buf_init(&b, SIZE_MAX - 1);
    for (size_t i = 0; i < 1000000; i++)
        assert_int_equal(gm_buf_add_c(&b,
                                      i % 2 ? "\xC3\xA9"
                                              "a\tB-X\n"
                                            : "word\tO\n",
                                      NULL),
                         GM_OK);
    assert_int_equal(gm_buf_add_c(&b, "\n", NULL), GM_OK);
    for (size_t i = 0; i < GM_POST_MAX_WORDS + 1; i++)
        assert_int_equal(gm_buf_add_c(&b, "w\tO\n", NULL), GM_OK);
    assert_int_equal(gm_buf_add_c(&b, "\nend\tO\n", NULL), GM_OK);
    const char *path = temp_file_bytes(b.p, b.n);
    gm_buf_clear(&b);
    assert_status(gm_reader_open(&r, path, NULL, &err), GM_OK, &err);
    assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
    assert_int_equal(p.n_tokens, 1000000);
    assert_int_equal(p.n_entities, 500000);
    assert_int_equal(p.entities[499999].end, gm_utf8_count(p.text));
    gm_post_clear(&p);
    assert_int_equal(gm_reader_next(r, &p, &has, &err), GM_EFORMAT);
    assert_true(has);
    assert_non_null(strstr(err.msg, ":3000002: a post of over 2000000 words"));
    assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
    assert_true(has && gm_str_eq_c(p.text, "end") && gm_str_eq_c(p.id, "3"));
    gm_post_clear(&p);
    gm_reader_free(r);
    unlink(path);
}

/* One line longer than any line may be. */
static void test_long_line(void **state)
{
    (void)state;
    size_t n = ((size_t)33 << 20);
    char *text = gm_alloc(n + 32, 1);
    struct gm_reader *r;
    struct gm_post p;
    struct gm_error err;
    bool has;
    assert_non_null(text);
    memcpy(text, "a\tO\n\n", 5);
    memset(text + 5, 'x', n);
    memcpy(text + 5 + n, "\tO\nb\tO\n\nc\tO\n", 13);
    const char *path = temp_file_bytes(text, 5 + n + 13 - 1);
    gm_free(text);
    assert_status(gm_reader_open(&r, path, NULL, &err), GM_OK, &err);
    assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
    gm_post_clear(&p);
    assert_int_equal(gm_reader_next(r, &p, &has, &err), GM_EFORMAT);
    assert_true(has);
    assert_non_null(strstr(err.msg, ":3: a line of over 33554432 bytes"));
    assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
    assert_true(has && gm_str_eq_c(p.text, "c"));
    gm_post_clear(&p);
    gm_reader_free(r);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {leak_checked(test_forms),
                                       leak_checked(test_odd_words),
                                       leak_checked(test_nul),
                                       leak_checked(test_context),
                                       leak_checked(test_faults),
                                       leak_checked(test_repairs),
                                       leak_checked(test_images_and_lines),
                                       leak_checked(test_open_faults),
                                       leak_checked(test_huge),
                                       leak_checked(test_long_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
