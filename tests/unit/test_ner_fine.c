/* Fine types: classes of words, the loss against central differences, and that the fine type chosen
 * always belongs to the coarse one. */
#include "ner/fine_types.h"

#include "nn_check.h"

/* "Anna of Rome Berlin": a person, a city, and a location whose fine type nobody gave. */
static void make_post(struct gm_post *p, struct gm_entity e[3])
{
    struct gm_str words[] = {GM_STR("Anna"), GM_STR("of"), GM_STR("Rome"), GM_STR("Berlin")};
    gm_post_init(p);
    ASSERT_OK(gm_post_set_words(p, words, 4, err));
    e[0] = (struct gm_entity){.type = GM_STR("person"), .fine_type = GM_STR("actor"), .end = 4};
    e[1] = (struct gm_entity){
        .type = GM_STR("location"), .fine_type = GM_STR("city"), .start = 8, .end = 12};
    e[2] = (struct gm_entity){.type = GM_STR("location"), .start = 13, .end = 19};
    p->entities = e;
    p->n_entities = 3;
}

static void classes_of_words(void **state)
{
    (void)state;
    struct gm_fine_types f;
    struct gm_post p;
    struct gm_entity e[3];
    uint16_t c[4];
    gm_fine_types_init(&f);
    make_post(&p, e);
    ASSERT_OK(gm_fine_types_collect(&f, &p, err));
    assert_int_equal(gm_fine_types_k(&f), 3);
    ASSERT_OK(gm_fine_types_classes(&f, &p, c, err));
    assert_true(c[0] == 1 && c[1] == 0 && c[2] == 2 && c[3] == GM_FINE_UNKNOWN);
    e[0].fine_type = GM_STR("city"); /* the same name below another type is another class */
    ASSERT_OK(gm_fine_types_collect(&f, &p, err));
    ASSERT_OK(gm_fine_types_classes(&f, &p, c, err));
    assert_true(gm_fine_types_k(&f) == 4 && c[0] == 3);
    gm_post_clear(&p);
    gm_fine_types_clear(&f);
    assert_int_equal(gm_alloc_live(), 0);
}

static void loss_against_differences(void **state)
{
    (void)state;
    enum { N = 5, K = 4 };
    static const uint16_t classes[N] = {0, 3, GM_FINE_UNKNOWN, 1, 1};
    struct gm_fine_types f;
    struct gm_rng r;
    float z[N * K], d[N * K] = {0}, unused[N * K];
    uint32_t id;
    double loss = 0;
    gm_rng_init(&r, 1);
    gm_fine_types_init(&f);
    for (size_t i = 0; i < K - 1; i++)
        ASSERT_OK(
            gm_labels_add(&f.pairs, (struct gm_str){"a\tb\0a\tc\0a\td" + 4 * i, 3}, &id, err));
    fill_normal(&r, z, N * K, 2);
    gm_fine_types_loss(&f, z, classes, N, 0.3, d, &loss);
    assert_true(loss > 0);
    for (size_t i = 0; i < N * K; i++) {
        double at[2] = {0, 0};
        float keep = z[i];
        for (int side = 0; side < 2; side++) {
            z[i] = keep + (side ? 0.01f : -0.01f);
            gm_fine_types_loss(&f, z, classes, N, 0.3, unused, &at[side]);
        }
        check_near((double)d[i], (at[1] - at[0]) / 0.02, 2e-5, 1e-3, "gradient", i);
        z[i] = keep;
    }
    gm_fine_types_clear(&f);
    assert_int_equal(gm_alloc_live(), 0);
}

/* Whatever the logits: the likeliest pair below the coarse type, by enumeration. */
static void fine_type_is_below_the_coarse_one(void **state)
{
    (void)state;
    enum { N = 2, K = 6 };
    static const char *const pairs[K - 1] = {"loc\tcity", "location\tcity", "location\troad",
                                             "loc\tpark", "per\tactor"};
    struct gm_fine_types f;
    struct gm_rng r;
    uint32_t id;
    gm_rng_init(&r, 2);
    gm_fine_types_init(&f);
    for (size_t i = 0; i < K - 1; i++)
        ASSERT_OK(gm_labels_add(&f.pairs, gm_str(pairs[i]), &id, err));
    for (int round = 0; round < 200; round++) {
        float z[N * K];
        fill_normal(&r, z, N * K, 1);
        bool city = z[1] + z[K + 1] > z[4] + z[K + 4];
        struct gm_str got = gm_fine_types_pick(&f, GM_STR("loc"), z, N);
        assert_true(gm_str_eq_c(got, city ? "city" : "park"));
        assert_true(gm_str_eq_c(gm_fine_types_pick(&f, GM_STR("per"), z, N), "actor"));
        assert_int_equal(gm_fine_types_pick(&f, GM_STR("org"), z, N).n, 0);
    }
    gm_fine_types_clear(&f);
    assert_int_equal(gm_alloc_live(), 0);
}

static void pairs_there_and_back(void **state)
{
    (void)state;
    struct gm_fine_types f, again;
    struct gm_json *j, *bad;
    struct gm_error e;
    uint32_t id;
    gm_fine_types_init(&f);
    gm_fine_types_init(&again);
    ASSERT_OK(gm_labels_add(&f.pairs, GM_STR("a b\t\"c\""), &id, err));
    ASSERT_OK(gm_labels_add(&f.pairs, GM_STR("a\tb"), &id, err));
    j = gm_fine_types_json(&f);
    ASSERT_OK(gm_fine_types_read(&again, j, "x", err));
    assert_int_equal(again.pairs.n, 2);
    for (uint32_t i = 0; i < 2; i++)
        assert_true(gm_str_eq(gm_labels_at(&again.pairs, i), gm_labels_at(&f.pairs, i)));
    ASSERT_OK(gm_json_parse(&bad, GM_STR("[{\"type\": \"a\"}]"), err));
    assert_int_equal(gm_fine_types_read(&again, bad, "gmner.json", &e), GM_EMODEL);
    check_message(&e, "gmner.json: \"fine_types\"");
    gm_json_free(bad);
    gm_json_free(j);
    gm_fine_types_clear(&again);
    gm_fine_types_clear(&f);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_of_words),
        cmocka_unit_test(loss_against_differences),
        cmocka_unit_test(fine_type_is_below_the_coarse_one),
        cmocka_unit_test(pairs_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
