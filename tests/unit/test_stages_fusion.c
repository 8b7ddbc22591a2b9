/* What evidence comes to in numbers, and which weights meet it. */
#include "unit.h"

#include <math.h>

#include "base/utf8.h"
#include "stages/fusion.h"

static struct gm_object objects[] = {{{"person", 6}, 0.5f, {0, 0, 10, 10}, NULL},
                                     {{"person", 6}, 0.9f, {10, 0, 12, 10}, NULL},
                                     {{"dog", 3}, 0.8f, {0, 10, 10, 18}, NULL}};

static struct gm_post post_of(const char *caption, bool looked)
{
    return (struct gm_post){.caption = gm_str(caption),
                            .objects = objects,
                            .n_objects = looked ? 3 : 0,
                            .has_objects = looked};
}

static struct gm_entity entity_of(const char *text, const char *type)
{
    return (struct gm_entity){.text = gm_str(text), .type = gm_str(type), .visible = 0.3};
}

static void assert_x(const double x[GM_EVIDENCE_X], const char *name, double want)
{
    for (size_t i = 0; i < GM_EVIDENCE_X; i++)
        if (strcmp(gm_evidence_x[i].name, name) == 0) {
            if (fabs(x[i] - want) > 1e-6)
                fail_msg("%s is %g, not %g", name, x[i], want);
            return;
        }
    fail_msg("no number %s", name);
}

static unsigned take(const struct gm_post *p, const struct gm_entity *e, double x[GM_EVIDENCE_X])
{
    struct gm_evidence_post v;
    gm_evidence_begin(&v, p);
    return gm_evidence_take(&v, e, x);
}

static void test_models(void **state)
{
    (void)state;
    double x[GM_EVIDENCE_X];
    struct gm_post p = post_of("", false);
    struct gm_entity e = entity_of("Ann", "PER");
    assert_int_equal(take(&p, &e, x), 0);
    e.evidence.has[GM_WITNESS_ENCODER] = e.evidence.has[GM_WITNESS_MODEL] = true;
    e.evidence.by[GM_WITNESS_ENCODER] = 0.8;
    e.evidence.by[GM_WITNESS_MODEL] = 1;
    assert_int_equal(take(&p, &e, x),
                     GM_EVIDENCE_ENCODER | GM_EVIDENCE_MODEL | GM_EVIDENCE_MENTION);
    assert_x(x, "encoder", log(4));
    assert_x(x, "model", log(999));
}

static void test_detector(void **state)
{
    (void)state;
    double x[GM_EVIDENCE_X];
    struct gm_post p = post_of("", true);
    struct gm_entity ann = entity_of("Ann", "PER"), dog = entity_of("Hot Dogs", "OTHER");
    assert_int_equal(take(&p, &ann, x), GM_EVIDENCE_DETECTOR | GM_EVIDENCE_MENTION);
    assert_x(x, "person", 1);
    assert_x(x, "person_score", 0); /* 0.5: the larger one */
    assert_x(x, "person_share", 0.5);
    assert_x(x, "persons", log(3));
    assert_x(x, "thing", 0);
    (void)take(&p, &dog, x);
    assert_x(x, "person", 0);
    assert_x(x, "thing", (double)0.8f);
    assert_x(x, "beside_person", 1);
    struct gm_entity bears = entity_of("Chicago Bears", "ORG");
    (void)take(&p, &bears, x);
    assert_x(x, "beside_person", 0); /* no thing */
    p.n_objects = 0;                 /* looked at, and nothing seen */
    assert_int_equal(take(&p, &ann, x), GM_EVIDENCE_DETECTOR | GM_EVIDENCE_MENTION);
    assert_x(x, "person_score", log(0.05 / 0.95));
    assert_x(x, "persons", 0);
}

static void test_reader(void **state)
{
    (void)state;
    static const struct {
        const char *caption;
        double share; /* < 0: nothing is read */
    } cases[] = {
        {"a sign", -1},
        {"a 6\" nail", -1},
        {"a sign that says \"NAVY shop\"", 1.0 / 3},
        {"\"no\" and \xe2\x80\x9cnavy yard\xe2\x80\x9d beside \"the\" Navy", 1},
        {"\"the “navy—yard’s”…\"", 1},
        {"the Navy Yard with \"yardage\"", 0},
    };
    double x[GM_EVIDENCE_X];
    struct gm_entity e = entity_of("The Navy Yard", "LOC");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_post p = post_of(cases[i].caption, false);
        assert_int_equal(take(&p, &e, x),
                         cases[i].share < 0 ? 0 : GM_EVIDENCE_READER | GM_EVIDENCE_MENTION);
        assert_x(x, "reader", fmax(cases[i].share, 0));
    }
    struct gm_post p = post_of("a \"Yard\"", false);
    e.evidence.has[GM_WITNESS_READER] = true;
    e.evidence.by[GM_WITNESS_READER] = 0.75; /* what the record says goes before */
    (void)take(&p, &e, x);
    assert_x(x, "reader", 0.75);
}

/* The lines of a picture count as what was read, before the caption's quotations. */
static void test_texts(void **state)
{
    (void)state;
    double x[GM_EVIDENCE_X];
    struct gm_written line = {{"THE NAVY", 8}, 0.9f, {1, 2, 30, 9}, NULL};
    struct gm_post p = post_of("a \"yard\"", false);
    struct gm_entity yard = entity_of("Navy Yard", "LOC"), thing = entity_of("Navy Yard", "OTHER");
    p.has_texts = true;
    assert_int_equal(take(&p, &yard, x), GM_EVIDENCE_READER | GM_EVIDENCE_MENTION);
    assert_x(x, "reader", 0); /* read, and no text */
    p.texts = &line;
    p.n_texts = 1;
    (void)take(&p, &yard, x);
    assert_x(x, "reader", 0.5);
    assert_x(x, "title", 0);
    (void)take(&p, &thing, x);
    assert_x(x, "title", 0.5);
}

static void test_mention(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *type;
        double organisation, place, thing, hashtag;
    } cases[] = {
        {"Ann in Rome", "Rome", "LOC", 0, 1, 0, 0},
        {"f\xc3\xa9 #UFC189 tonight", "UFC189", "OTHER", 0, 0, 1, 1},
        {"#UFC", "#UFC", "ORG", 1, 0, 0, 1},
        {"# UFC", "UFC", "PER", 0, 0, 0, 0},
    };
    double x[GM_EVIDENCE_X];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_post p = post_of("", true);
        struct gm_entity e = entity_of(cases[i].name, cases[i].type);
        p.text = gm_str(cases[i].text);
        e.start = gm_utf8_count(gm_str_sub(p.text, 0, gm_str_find(p.text, e.text, 0)));
        (void)take(&p, &e, x);
        assert_x(x, "organisation", cases[i].organisation);
        assert_x(x, "place", cases[i].place);
        assert_x(x, "thing_type", cases[i].thing);
        assert_x(x, "hashtag", cases[i].hashtag);
    }
    struct gm_entity both[] = {entity_of("Ann", "PER"), entity_of("Bob", "PER")};
    struct gm_post p = post_of("", true);
    p.text = gm_str("Ann Bob");
    p.entities = both;
    p.n_entities = 2;
    both[1].start = 4;
    (void)take(&p, &both[0], x);
    assert_x(x, "first", 1);
    (void)take(&p, &both[1], x);
    assert_x(x, "first", 0);
}

static void test_which_weights(void **state)
{
    (void)state;
    struct gm_fusion f = {.sets = {{.sources = 1, .bias = 1},
                                   {.sources = 1 | 4, .bias = 2},
                                   {.sources = 1 | 2, .bias = 3},
                                   {.sources = 8, .bias = 4}},
                          .n = 4};
    assert_true(gm_fusion_find(&f, 1)->bias == 1);
    assert_true(gm_fusion_find(&f, 1 | 2)->bias == 3);
    assert_true(gm_fusion_find(&f, 1 | 2 | 4)->bias == 2); /* as many: the first */
    assert_true(gm_fusion_find(&f, 1 | 8)->bias == 1);
    assert_null(gm_fusion_find(&f, 2 | 4));
    struct gm_post p = post_of("", true);
    struct gm_entity e = entity_of("Ann", "PER");
    p.entities = &e;
    p.n_entities = 1;
    gm_fusion_apply(&f, &p); /* of the detector alone there are none */
    assert_true(e.visible == 0.3);
    e.evidence.has[GM_WITNESS_ENCODER] = true;
    e.evidence.by[GM_WITNESS_ENCODER] = 0.5;
    gm_fusion_apply(&f, &p);
    assert_true(fabs(e.visible - 1 / (1 + exp(-2))) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),  cmocka_unit_test(test_detector),
        cmocka_unit_test(test_reader),  cmocka_unit_test(test_texts),
        cmocka_unit_test(test_mention), cmocka_unit_test(test_which_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
