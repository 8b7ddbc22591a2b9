/* Damaged files: bytes of good ones changed, dropped, doubled. Whatever comes, reading goes on to the
 * end, every fault names its line, and each post that was read means the same when its record is
 * written and read again. Run under the sanitizers this is where memory faults would show. */
#include "post_files.h"

#include "base/rng.h"

static const char *const seeds[] = {
    "IMGID:1\nAnn\tB-PER\nLee\tI-PER\n\xC2\xA0\tO\n\nIMGID:2\n\nIMGID:3\n<\tS-LOC\nx\tE-LOC\n<EOS>\tX\nk\tX\n",
    "Ann B-person B-actor\nruns O O\n\nin O O\nOslo B-place B-city\n",
    "{\"id\": \"1\", \"text\": \"Ann Lee\", \"entities\": [{\"type\": \"PER\", \"start\": 0, \"end\": 7, "
    "\"score\": 0.5, \"visible\": 0.25, \"regions\": [{\"box\": [1, 2.5, 3e2, 4], \"mask\": {\"size\": "
    "[4, 5], \"counts\": \"ab\"}}]}], \"lang\": \"en\"}\n"
    "{\"tokens\": [\"a\", \"b\\u00e9\"], \"image\": \"x.jpg\", \"objects\": [{\"label\": \"dog\", \"box\": "
    "[0, 0, 1, 1]}], \"texts\": [{\"text\": \"A\", \"box\": [0, 0, 1, 1]}], \"error\": {\"stage\": \"s\", \"code\": \"io\", \"message\": \"m\"}}\n"};

static size_t mutate(struct gm_rng *r, char *text, size_t n, size_t cap)
{
    static const char interesting[] = "\n\t \"{}[],:\0\xFF\xC3\r-0BIESOX";
    for (size_t times = 1 + gm_rng_below(r, 6); times && n; times--) {
        size_t at = gm_rng_below(r, n), len = 1 + gm_rng_below(r, 8);
        switch (gm_rng_below(r, 4)) {
        case 0: text[at] = (char)gm_rng_below(r, 256); break;
        case 1: text[at] = interesting[gm_rng_below(r, sizeof interesting - 1)]; break;
        case 2: /* drop */
            len = len < n - at ? len : n - at;
            memmove(text + at, text + at + len, n - at - len);
            n -= len;
            break;
        default: /* double */
            len = len < n - at ? len : n - at;
            if (n + len > cap)
                break;
            memmove(text + at + len, text + at, n - at);
            n += len;
        }
    }
    return n;
}

/* Write, read, write again: the same bytes. */
static void check_record(const struct gm_post *p)
{
    struct gm_buf a, b;
    struct gm_json *j;
    struct gm_post again;
    struct gm_error err;
    gm_buf_init(&a, 1 << 20);
    gm_buf_init(&b, 1 << 20);
    assert_status(gm_post_to_json(p, &a, &err), GM_OK, &err);
    assert_null(memchr(a.p, '\n', a.n));
    assert_status(gm_json_parse(&j, gm_buf_str(&a), &err), GM_OK, &err);
    gm_post_init(&again);
    assert_status(gm_post_from_json(&again, j, NULL, &err), GM_OK, &err);
    assert_status(gm_post_to_json(&again, &b, &err), GM_OK, &err);
    assert_string_equal(a.p, b.p);
    assert_true(gm_str_eq(p->text, again.text));
    assert_int_equal(p->n_tokens, again.n_tokens);
    assert_int_equal(p->n_entities, again.n_entities);
    for (size_t i = 0; i < p->n_tokens; i++)
        assert_true(p->tokens[i].start == again.tokens[i].start &&
                    p->tokens[i].end == again.tokens[i].end);
    gm_post_clear(&again);
    gm_buf_clear(&a);
    gm_buf_clear(&b);
}

static size_t read_all(const char *path)
{
    struct gm_reader *r;
    struct gm_post p;
    struct gm_error err = {0};
    bool has = true;
    size_t good = 0;
    if (gm_reader_open(&r, path, NULL, &err) != GM_OK) {
        assert_int_equal(err.code, GM_EFORMAT);
        return 0;
    }
    for (size_t n = 0; has; n++) {
        enum gm_status st = gm_reader_next(r, &p, &has, &err);
        assert_true(n < 100);
        if (st == GM_OK && has) {
            check_record(&p);
            gm_post_clear(&p);
            good++;
        } else if (st != GM_OK) {
            assert_int_equal(st, GM_EFORMAT);
            assert_true(has && strncmp(err.msg, path, strlen(path)) == 0);
        }
    }
    gm_reader_free(r);
    return good;
}

static void test_mutations(void **state)
{
    (void)state;
    struct gm_rng r;
    size_t good = 0, rounds = 3000;
    gm_rng_init(&r, 11);
    for (size_t i = 0; i < rounds; i++) {
        char text[2048];
        const char *seed = seeds[i % 3];
        size_t n = strlen(seed);
        memcpy(text, seed, n);
        n = mutate(&r, text, n, sizeof text);
        const char *path = temp_file_bytes(text, n);
        good += read_all(path);
        unlink(path);
        assert_int_equal(gm_alloc_live(), 0);
    }
    assert_true(good > rounds / 2); /* the changes are small: many posts survive */
}

int main(void)
{
    const struct CMUnitTest tests[] = {leak_checked(test_mutations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
