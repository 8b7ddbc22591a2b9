/* The readers on the field's real files, where they are at hand (../shared/data beside the
 * checkout); counts are those the data sets' papers and README state. Skips with 77 elsewhere. */
#include "post_files.h"

#include "formats/captions.h"
#include "formats/voc_xml.h"

#define DATA "../shared/data/"

struct counts {
    size_t posts, entities, fine_types, context, words;
};

static struct counts count(const char *path)
{
    struct counts c = {0};
    struct gm_reader *r;
    struct gm_post p;
    struct gm_error err;
    bool has;
    assert_status(gm_reader_open(&r, path, NULL, &err), GM_OK, &err);
    for (;;) {
        assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
        if (!has)
            break;
        c.posts++;
        c.words += p.n_tokens;
        c.context += p.knowledge.n > 0;
        c.entities += p.n_entities;
        for (size_t i = 0; i < p.n_entities; i++)
            c.fine_types += p.entities[i].fine_type.n > 0;
        assert_true(p.has_entities);
        gm_post_clear(&p);
    }
    gm_reader_free(r);
    return c;
}

static void check(const char *path, struct counts want)
{
    struct counts got = count(path);
    assert_int_equal(got.posts, want.posts);
    assert_int_equal(got.entities, want.entities);
    assert_int_equal(got.fine_types, want.fine_types);
    assert_int_equal(got.context, want.context);
    assert_int_equal(got.words, want.words);
}

static void test_twitter_gmner(void **state)
{
    (void)state;
    check(DATA "twitter-gmner/train.txt", (struct counts){7000, 11779, 0, 0, 112542});
    check(DATA "twitter-gmner/dev.txt", (struct counts){1500, 2450, 0, 0, 24199});
}

/* The same posts with knowledge behind them: it must not become words or entities. */
static void test_knowledge(void **state)
{
    (void)state;
    check(DATA "twitter-gmner/plim-train.txt", (struct counts){7000, 11779, 0, 7000, 112542});
    check(DATA "twitter-gmner/plim-dev.txt", (struct counts){1500, 2450, 0, 1500, 24199});
}

static void test_fine_types(void **state)
{
    (void)state;
    check(DATA "twitter-fmnerg/train.txt", (struct counts){7000, 11779, 11779, 0, 112542});
    check(DATA "twitter-fmnerg/dev.txt", (struct counts){1500, 2450, 2450, 0, 24199});
}

static void test_no_ids(void **state)
{
    (void)state;
    check(DATA "ccks2025/train.conll", (struct counts){16000, 13386, 0, 0, 198638});
    check(DATA "ccks2025/dev.conll", (struct counts){5500, 5982, 0, 0, 73433});
}

static void test_captions(void **state)
{
    (void)state;
    struct gm_captions *c;
    struct gm_error err;
    assert_status(gm_captions_load(&c, DATA "twitter-gmner/captions-train.txt", &err), GM_OK, &err);
    assert_int_equal(gm_captions_count(c), 6999);
    struct gm_str s = gm_captions_get(c, GM_STR("797970"));
    assert_true(gm_str_starts(s, GM_STR("The picture shows a mailbox with the words")));
    assert_true(gm_str_ends(s, GM_STR("likely the mail carrier or a passerby.")));
    assert_int_equal(gm_captions_get(c, GM_STR("8778")).n, 0);
    gm_captions_free(c);
}

/* Counts as a few lines of Python over the same files give them; an object that belongs to two
 * mentions of a name is a region of both. */
static void test_boxes(void **state)
{
    (void)state;
    struct gm_reader *r;
    struct gm_post p;
    struct gm_error err;
    bool has;
    size_t objects = 0, regions = 0, visible = 0;
    assert_status(gm_reader_open(&r, DATA "twitter-gmner/train.txt", NULL, &err), GM_OK, &err);
    for (;;) {
        struct gm_voc voc;
        assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
        if (!has)
            break;
        assert_status(gm_voc_read(&voc, &p.arena, DATA "twitter-gmner/xml", p.id, NULL, &err),
                      GM_OK, &err);
        objects += voc.n_objects;
        assert_status(gm_post_add_boxes(&p, DATA "twitter-gmner/xml", NULL, &err), GM_OK, &err);
        for (size_t i = 0; i < p.n_entities; i++) {
            regions += p.entities[i].n_regions;
            visible += p.entities[i].visible > 0.5;
        }
        gm_post_clear(&p);
    }
    gm_reader_free(r);
    assert_int_equal(objects, 5652);
    assert_int_equal(regions, 5723);
    assert_int_equal(visible, 4733);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        leak_checked(test_twitter_gmner), leak_checked(test_knowledge),
        leak_checked(test_fine_types),    leak_checked(test_no_ids),
        leak_checked(test_captions),      leak_checked(test_boxes)};
    skip_all_if(!gm_is_dir(DATA), "no %s beside the checkout: research data that set-up cannot get",
                DATA);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
