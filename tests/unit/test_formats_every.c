/* Every format with memory failing at each allocation in turn; large brush masks; the search for
 * near-duplicates in linear time and against comparing all pairs. */
#include "post_files.h"

#include "base/progress.h"
#include "base/rng.h"
#include "formats/brush_mask.h"
#include "corpus/near_duplicates.h"
#include "formats/format.h"
#include "formats/writer.h"

static const struct {
    const char *seed;
    enum gm_format to;
    enum gm_mask_form masks;
    enum gm_format from; /* 0 = as guessed */
} cases[] = {
    {"fuzz/seeds/jsonl/a", GM_FORMAT_COCO, GM_MASKS_STRING, 0},
    {"fuzz/seeds/jsonl/a", GM_FORMAT_COCO, GM_MASKS_POLYGONS, 0},
    {"fuzz/seeds/coco/string", GM_FORMAT_LABELSTUDIO, 0, 0},
    {"fuzz/seeds/coco/counts", GM_FORMAT_JSONL, 0, 0},
    {"fuzz/seeds/coco/polygons", GM_FORMAT_COCO, GM_MASKS_COUNTS, 0},
    {"fuzz/seeds/labelstudio/a", GM_FORMAT_FMNERG, 0, 0},
    {"fuzz/seeds/ccks/entities", GM_FORMAT_RIVEG, 0, 0},
    {"fuzz/seeds/ccks/texts", GM_FORMAT_CCKS_TEXT, 0, 0},
    {"fuzz/seeds/riveg/gold", GM_FORMAT_CCKS, 0, 0},
    {"fuzz/seeds/riveg/ve", GM_FORMAT_RIVEG_PRED, 0, 0},
    {"fuzz/seeds/riveg/gold", GM_FORMAT_RIVEG_VE, 0, 0},
    {"fuzz/seeds/riveg/vg", GM_FORMAT_RIVEG_VG, 0, 0},
    {"fuzz/seeds/ofa-vg/rows", GM_FORMAT_OFA_VE, 0, 0},
    {"fuzz/seeds/ofa-ve/rows", GM_FORMAT_OFA_VG, 0, 0},
    {"fuzz/seeds/ofa-vg/rows", GM_FORMAT_OFA_VG, 0, 0},
    {"fuzz/seeds/pgim/knowledge", GM_FORMAT_JSONL, 0, 0},
    {"fuzz/seeds/json/clean", GM_FORMAT_JSONL, 0, GM_FORMAT_JSON},
    {"fuzz/seeds/csv/clean", GM_FORMAT_JSONL, 0, GM_FORMAT_CSV},
    {"fuzz/seeds/text/posts", GM_FORMAT_JSONL, 0, GM_FORMAT_TEXT},
    {"fuzz/seeds/conll/fine", GM_FORMAT_CONLL, 0, 0},
};

/* All posts of a seed into another format; a post that fails for memory ends it. */
static enum gm_status convert(size_t i, const char *to, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_losses lost = {.n = 0};
    const struct gm_reader_opts ro = {.format = cases[i].from, .lost = &lost};
    const struct gm_writer_opts wo = {.format = cases[i].to, .masks = cases[i].masks};
    struct gm_reader *r = NULL;
    struct gm_writer *w = NULL;
    GM_TRY(gm_reader_open(&r, cases[i].seed, &ro, err));
    GM_TRY(gm_writer_open(&w, to, &wo, err));
    for (;;) {
        struct gm_post p;
        bool has;
        GM_TRY(gm_reader_next(r, &p, &has, err));
        if (!has)
            break;
        st = gm_writer_add(w, &p, err);
        gm_post_clear(&p);
        GM_TRY(st);
    }
    st = gm_writer_commit(w, err);
    w = NULL;
done:
    gm_writer_abort(w);
    gm_reader_free(r);
    return st;
}

static void test_torture(void **state)
{
    (void)state;
    char to[64];
    snprintf(to, sizeof to, "%s", temp_file(""));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_error err = {0};
        size_t n = 1;
        assert_status(convert(i, to, &err), GM_OK, &err);
        for (; n < 20000; n++) {
            gm_alloc_fail_at(n);
            enum gm_status st = convert(i, to, &err);
            gm_alloc_fail_at(0);
            if (st == GM_OK)
                break;
            if (st != GM_ENOMEM)
                fail_msg("%s, allocation %zu: %s", cases[i].seed, n, err.msg);
            assert_int_equal(gm_alloc_live(), 0);
        }
        assert_true(n > 5 && n < 20000);
    }
    unlink(to);
}

/* Runs of over 2^16 values, single pixels, all and nothing. */
static void test_brush(void **state)
{
    (void)state;
    enum { H = 300, W = 400 };
    uint8_t *mask = gm_alloc(H * W, 1), *back = gm_alloc(H * W, 1);
    struct gm_rng rng;
    struct gm_error err;
    gm_rng_init(&rng, 3);
    for (size_t round = 0; round < 40; round++) {
        struct gm_buf bytes;
        gm_buf_init(&bytes, 1 << 24);
        size_t every = round % 4 == 0 ? H * W : (size_t)1 << gm_rng_below(&rng, 16);
        for (size_t i = 0; i < H * W; i++)
            mask[i] = (round % 4 == 0 ? round % 8 : (i / every) % 2) != 0;
        assert_status(gm_brush_mask_encode(mask, H, W, &bytes, &err), GM_OK, &err);
        assert_status(gm_brush_mask_decode((const uint8_t *)bytes.p, bytes.n, H, W, back, &err),
                      GM_OK, &err);
        assert_memory_equal(mask, back, H * W);
        assert_status(gm_brush_mask_decode((const uint8_t *)bytes.p, bytes.n - 1, H, W, back, &err),
                      GM_EFORMAT, &err);
        gm_buf_clear(&bytes);
    }
    gm_free(mask);
    gm_free(back);
}

/* A text of 12 words of which `changed` differ from the base text of number `base`. */
static const char *text_of(size_t base, size_t changed, size_t salt)
{
    static char text[400];
    size_t n = 0;
    for (size_t i = 0; i < 12; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              i < changed ? "n%zux%zux%zu " : "w%zux%zu ", base, i, salt);
    return text;
}

/* One of 12 words replaced gives 11/13 = 0.846; two give 10/14 = 0.714. */
static void test_near(void **state)
{
    (void)state;
    enum { N = 2000 };
    struct gm_near_duplicates *near;
    struct gm_near_duplicates_match m;
    struct gm_error err;
    size_t found = 0, wrong = 0;
    assert_status(gm_near_duplicates_new(&near, 0.8, &err), GM_OK, &err);
    for (size_t i = 0; i < N; i++)
        assert_status(gm_near_duplicates_add(near, gm_str(text_of(i, 0, 0)), i, &m, &err), GM_OK,
                      &err);
    assert_status(gm_near_duplicates_next_file(near, &err), GM_OK, &err);
    for (size_t i = 0; i < N; i++) {
        size_t changed = i % 3;
        assert_status(gm_near_duplicates_add(near, gm_str(text_of(i, changed, 7)), N + i, &m, &err),
                      GM_OK, &err);
        if (changed == 0)
            assert_true(m.is_exact && m.post == i);
        found += changed == 1 && m.post == i && m.similarity > 0.84 && m.similarity < 0.85;
        wrong += changed == 2 ? m.post != SIZE_MAX : m.post != i && m.post != SIZE_MAX;
    }
    gm_near_duplicates_free(near);
    assert_int_equal(wrong, 0);
    assert_true(found >= N / 3 * 99 / 100); /* LSH misses 1 - (1 - 0.846^4)^16: 3 in 100,000 */
}

/* Whatever its address, whole or of t.co also cut into words. */
static void test_addresses_aside(void **state)
{
    (void)state;
    static const char *const same[] = {
        "look at this https://t.co/abc today",
        "Look at this, https : / / t . co / xyz today",
        "look at this http://example.org/a?b=1#c today",
        "look at this https://a.b-c.org:80/ today",
        "look at this today",
    };
    static const char *const others[] = {"look at t.co today",
                                         "look at this https://a.org/\u4eca today"};
    struct gm_near_duplicates *near;
    struct gm_near_duplicates_match m;
    struct gm_error err;
    assert_status(gm_near_duplicates_new(&near, 0.99, &err), GM_OK, &err);
    assert_status(gm_near_duplicates_add(near, gm_str(same[0]), 0, &m, &err), GM_OK, &err);
    assert_status(gm_near_duplicates_next_file(near, &err), GM_OK, &err);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_status(gm_near_duplicates_find(near, gm_str(same[i]), &m, &err), GM_OK, &err);
        if (!m.is_exact)
            fail_msg("%s", same[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_status(gm_near_duplicates_find(near, gm_str(others[i]), &m, &err), GM_OK, &err);
        assert_int_equal(m.post, SIZE_MAX);
    }
    gm_near_duplicates_free(near);
}

/* Two files of n posts each; returns the seconds it takes. */
static double crowded(size_t n)
{
    struct gm_near_duplicates *near;
    struct gm_near_duplicates_match m;
    struct gm_error err;
    double start = gm_clock_s();
    assert_status(gm_near_duplicates_new(&near, 0.8, &err), GM_OK, &err);
    for (size_t i = 0; i < 2 * n; i++) {
        if (i == n)
            assert_status(gm_near_duplicates_next_file(near, &err), GM_OK, &err);
        /* half the texts are one and the same: the worst bucket */
        const char *text = i % 2 ? "one text that everybody sends again" : text_of(i, 0, 0);
        assert_status(gm_near_duplicates_add(near, gm_str(text), i, &m, &err), GM_OK, &err);
        if (i >= n)
            assert_true(i % 2 == 0 || (m.is_exact && m.post < n));
    }
    gm_near_duplicates_free(near);
    return gm_clock_s() - start;
}

/* The seconds are printed to be read: a quadratic search would take 64 times as long, a linear 8. */
static void test_near_in_a_crowd(void **state)
{
    (void)state;
    double small = crowded(4000), large = crowded(32000);
    print_message("near-duplicates: 8,000 posts %.3f s, 64,000 posts %.3f s\n", small, large);
}

static bool is_choice(const char *choices, const char *name)
{
    char all[512], one[64];
    snprintf(all, sizeof all, "|%s|", choices);
    snprintf(one, sizeof one, "|%s|", name);
    return strstr(all, one) != NULL;
}

/* A format's row in the table and what its file says of it are one: what an option names can be read or
 * written, what can be written is among the cases above, and what is read has seeds. */
static void test_rows_are_whole(void **state)
{
    (void)state;
    for (int i = GM_FORMAT_AUTO + 1; i < GM_FORMATS_N; i++) {
        enum gm_format f = (enum gm_format)i, parsed;
        const struct gm_format_row *row = gm_format_row(f);
        const char *name = gm_format_name(f);
        char seeds[96];
        bool is_case = gm_format_is_folder(f) || !row->create;
        assert_true(gm_format_parse(name, &parsed) && parsed == f);
        if (is_choice(GM_WRITABLE_FORMATS, name) != (row->create && row->commit && row->ending))
            fail_msg("%s: a choice of --to in format_table.h and its row differ", name);
        if (row->open && (!row->next || !row->close))
            fail_msg("%s: has open, but not next and close", name);
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
            is_case = is_case || cases[k].to == f;
        if (!is_case)
            fail_msg("%s: not a target in `cases` of this file", name);
        snprintf(seeds, sizeof seeds, "fuzz/seeds/%s", name);
        if (is_choice(GM_READABLE_FORMATS, name) && !gm_is_dir(seeds))
            fail_msg("%s: nothing in %s", name, seeds);
    }
    assert_false(gm_format_parse("no such format", &(enum gm_format){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {leak_checked(test_torture),
                                       leak_checked(test_brush),
                                       leak_checked(test_near),
                                       leak_checked(test_addresses_aside),
                                       leak_checked(test_near_in_a_crowd),
                                       leak_checked(test_rows_are_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
