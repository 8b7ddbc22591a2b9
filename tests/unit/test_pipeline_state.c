/* A post's state as text: what is taken from one post and applied to another is the same, bit by bit;
 * only what changed is written; damaged text is an error. */
#include "unit.h"

#include "pipeline/state.h"
#include "stages/asked.h"

#include <math.h>
#include <string.h>

static const char line[] =
    "{\"id\": \"1\", \"text\": \"Anna \xC3\xA9 Rome\", \"entities\": [{\"start\": 0, \"end\": 4, "
    "\"type\": \"PER\", \"mine\": [1, 2], \"regions\": [{\"box\": [1, 2, 3, 4], \"own\": 5}]}, {\"start\": 7, \"end\": 11, \"type\": \"LOC\"}]}";

static void read_post(struct gm_post *p)
{
    struct gm_json *j;
    gm_post_init(p);
    assert_int_equal(gm_json_parse(&j, GM_STR(line), NULL), GM_OK);
    assert_int_equal(gm_post_from_json(p, j, NULL, NULL), GM_OK);
}

/* What stages might do to it. */
static void change(struct gm_post *p)
{
    static struct gm_region regions[2];
    static struct gm_object objects[1];
    static struct gm_entity candidates[1];
    static struct gm_written texts[1];
    struct gm_entity *e = &p->entities[1];
    regions[0] = (struct gm_region){.box = {1.0f / 3, 2, 1e-7f, 123456.789f},
                                    .score = 0.1f,
                                    .label = GM_STR("person"),
                                    .note = GM_STR("a \"note\"")};
    regions[1] = (struct gm_region){
        .box = {0, 0, 5, 5}, .score = 1, .mask = {7, 9, GM_STR("02;<\\x")}, .is_crowd = true};
    objects[0] = (struct gm_object){GM_STR("dog"), 0.7f, {1, 2, 3.3f, 4}, NULL};
    e->score = 1.0 / 3;
    e->visible = 0.1;
    e->uncertainty =
        (struct gm_uncertainty){true, 2.0 / 3, (double)NAN, (double)INFINITY, 0.1, 0.3};
    e->evidence.has[GM_WITNESS_MODEL] = e->evidence.has[GM_WITNESS_READER] = true;
    e->evidence.by[GM_WITNESS_MODEL] = 2.0 / 3;
    e->source = GM_STR("refine");
    e->expression = GM_STR("a place");
    e->fine_type = GM_STR("city");
    e->note = GM_STR("n");
    e->regions = regions;
    e->n_regions = 2;
    candidates[0] = (struct gm_entity){
        .text = GM_STR("\xC3\xA9"), .type = GM_STR("PER"), .start = 5, .end = 6, .score = 0.3};
    p->candidates = candidates;
    p->n_candidates = 1;
    p->has_candidates = true;
    p->objects = objects;
    p->n_objects = 1;
    p->has_objects = true;
    texts[0] = (struct gm_written){GM_STR("NO \"EXIT\""), 0.1f, {1.0 / 3, 2, 3, 4}, NULL};
    p->texts = texts;
    p->n_texts = 1;
    p->has_texts = true;
    struct gm_json *asked = gm_json_new_array();
    struct gm_json *entry = gm_json_new_object();
    assert_true(gm_json_set(entry, "stage", gm_json_new_str(GM_STR("refine"))));
    assert_true(gm_json_set(entry, "samples", gm_json_new_str(GM_STR("a \"sample\""))));
    assert_true(gm_json_add(asked, entry));
    assert_true(gm_json_set(p->source, "asked", asked));
    p->caption = GM_STR("a caption");
    p->knowledge = GM_STR("\xF0\x9F\x98\x80 known");
    p->image_w = 640;
    p->image_h = 480;
}

static void assert_same(const struct gm_state *a, const struct gm_state *b)
{
    for (enum gm_part i = 0; i < GM_N_PARTS; i++)
        assert_true(gm_str_eq(gm_buf_str(&a->part[i]), gm_buf_str(&b->part[i])));
}

static void test_round_trip(void **state)
{
    (void)state;
    struct gm_post a, b;
    struct gm_state before, now, copy;
    struct gm_buf diff, ja, jb;
    read_post(&a);
    read_post(&b);
    gm_state_init(&before);
    gm_state_init(&now);
    gm_state_init(&copy);
    gm_buf_init(&diff, 1 << 20);
    gm_buf_init(&ja, 1 << 20);
    gm_buf_init(&jb, 1 << 20);
    assert_int_equal(gm_state_take(&before, &a, NULL), GM_OK);
    change(&a);
    assert_int_equal(gm_state_take(&now, &a, NULL), GM_OK);
    assert_int_equal(gm_state_diff(&before, &now, &diff, NULL), GM_OK);
    assert_int_equal(gm_state_apply(&b, gm_buf_str(&diff), NULL), GM_OK);
    assert_int_equal(gm_state_take(&copy, &b, NULL), GM_OK);
    assert_same(&now, &copy);
    assert_true(b.entities[1].regions[0].box[0] == 1.0f / 3);
    assert_true(b.entities[1].score == 1.0 / 3);
    assert_true(b.entities[1].evidence.by[GM_WITNESS_MODEL] == 2.0 / 3);
    assert_true(b.entities[1].evidence.has[GM_WITNESS_READER]);
    assert_false(b.entities[1].evidence.has[GM_WITNESS_ENCODER]);
    assert_int_equal(b.entities[1].regions[1].mask.h, 7);
    assert_true(b.entities[1].regions[1].is_crowd);
    assert_false(b.entities[1].regions[0].is_crowd);
    /* And so is the record, with the unknown fields of the input's entity. */
    assert_int_equal(gm_post_to_json(&a, &ja, NULL), GM_OK);
    assert_int_equal(gm_post_to_json(&b, &jb, NULL), GM_OK);
    assert_string_equal(ja.p, jb.p);
    assert_non_null(strstr(jb.p, "\"mine\""));
    assert_non_null(strstr(jb.p, "\"own\": 5}"));
    /* Back again: parts that are gone are taken away. */
    gm_buf_reset(&diff);
    assert_int_equal(gm_state_diff(&now, &before, &diff, NULL), GM_OK);
    assert_int_equal(gm_state_apply(&b, gm_buf_str(&diff), NULL), GM_OK);
    assert_int_equal(gm_state_take(&copy, &b, NULL), GM_OK);
    assert_same(&before, &copy);
    assert_false(b.has_objects || b.has_texts);
    assert_null(gm_json_get(b.source, "asked"));
    gm_buf_clear(&diff);
    gm_buf_clear(&ja);
    gm_buf_clear(&jb);
    gm_state_clear(&before);
    gm_state_clear(&now);
    gm_state_clear(&copy);
    gm_post_clear(&a);
    gm_post_clear(&b);
}

static void put_asked(struct gm_post *p, const char *entry)
{
    struct gm_json *j;
    assert_int_equal(gm_json_parse(&j, gm_str(entry), NULL), GM_OK);
    assert_int_equal(gm_asked_put(p, j, NULL), GM_OK);
    gm_json_free(j);
}

/* What a later stage asked, put into a post that an earlier one has asked anew: the earlier one's figures stay, also
 * with what run folders of before have stored. */
static void test_asked_is_a_stages_own(void **state)
{
    (void)state;
    static const char old[] =
        "{\"asked\": [{\"stage\":\"refine\",\"n\":1},{\"stage\":\"ground\",\"n\":2}]}";
    struct gm_post p;
    struct gm_state before, now;
    struct gm_buf diff, text;
    read_post(&p);
    gm_state_init(&before);
    gm_state_init(&now);
    gm_buf_init(&diff, 1 << 20);
    gm_buf_init(&text, 1 << 20);
    put_asked(&p, "{\"stage\":\"refine\",\"n\":1}");
    assert_int_equal(gm_state_take(&before, &p, NULL), GM_OK);
    put_asked(&p, "{\"stage\":\"ground\",\"n\":2}");
    assert_int_equal(gm_state_take(&now, &p, NULL), GM_OK);
    assert_int_equal(gm_state_diff(&before, &now, &diff, NULL), GM_OK);
    assert_string_equal(diff.p, "{\"asked\":[{\"stage\": \"ground\", \"n\": 2}]}");
    for (int i = 0; i < 2; i++) {
        struct gm_post again;
        read_post(&again);
        put_asked(&again, "{\"stage\":\"ground\",\"n\":7}"); /* of the record that came */
        put_asked(&again, "{\"stage\":\"refine\",\"n\":5}");
        assert_int_equal(gm_state_apply(&again, i ? gm_str(old) : gm_buf_str(&diff), NULL), GM_OK);
        gm_buf_reset(&text);
        assert_int_equal(gm_json_write(gm_json_get(again.source, "asked"), false, &text, NULL),
                         GM_OK);
        assert_string_equal(
            text.p, "[{\"stage\": \"refine\", \"n\": 5}, {\"stage\": \"ground\", \"n\": 2}]");
        gm_post_clear(&again);
    }
    gm_buf_clear(&diff);
    gm_buf_clear(&text);
    gm_state_clear(&before);
    gm_state_clear(&now);
    gm_post_clear(&p);
}

static void test_only_what_changed(void **state)
{
    (void)state;
    struct gm_post p;
    struct gm_state before, now;
    struct gm_buf diff;
    read_post(&p);
    gm_state_init(&before);
    gm_state_init(&now);
    gm_buf_init(&diff, 1 << 20);
    assert_int_equal(gm_state_take(&before, &p, NULL), GM_OK);
    assert_int_equal(gm_state_diff(&before, &before, &diff, NULL), GM_OK);
    assert_string_equal(diff.p, "{}");
    p.caption = GM_STR("c");
    assert_int_equal(gm_state_take(&now, &p, NULL), GM_OK);
    gm_buf_reset(&diff);
    assert_int_equal(gm_state_diff(&before, &now, &diff, NULL), GM_OK);
    assert_string_equal(diff.p, "{\"caption\":\"c\"}");
    gm_buf_clear(&diff);
    gm_state_clear(&before);
    gm_state_clear(&now);
    gm_post_clear(&p);
}

/* What was asked is stored, but no later stage looks at it. */
static void test_asked(void **state)
{
    struct gm_post a;
    struct gm_state now;
    struct gm_buf without, with;
    (void)state;
    read_post(&a);
    gm_state_init(&now);
    gm_buf_init(&without, 1 << 20);
    gm_buf_init(&with, 1 << 20);
    assert_int_equal(gm_state_take(&now, &a, NULL), GM_OK);
    assert_int_equal(gm_state_text(&now, &without, NULL), GM_OK);
    assert_true(gm_json_set(a.source, "asked", gm_json_new_array()));
    assert_int_equal(gm_state_take(&now, &a, NULL), GM_OK);
    assert_int_equal(gm_state_text(&now, &with, NULL), GM_OK);
    assert_true(now.part[GM_PART_ASKED].n > 0);
    assert_string_equal(without.p, with.p);
    gm_buf_clear(&without);
    gm_buf_clear(&with);
    gm_state_clear(&now);
    gm_post_clear(&a);
}

static void test_damaged(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "3",
                                        "{\"entities\": [1]}",
                                        "{\"entities\": [{\"regions\": [{\"box\": [1]}]}]}",
                                        "{\"objects\": [{\"label\": \"x\"}]}",
                                        "{\"asked\": [1]}",
                                        "{\"texts\": [{\"text\": \"x\", \"box\": 3}]}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct gm_post p;
        struct gm_error err = {0};
        read_post(&p);
        assert_int_equal(gm_state_apply(&p, gm_str(texts[i]), &err), GM_EFORMAT);
        assert_true(err.msg[0]);
        gm_post_clear(&p);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    bool done = false;
    for (size_t nth = 1; !done; nth++) {
        struct gm_post p;
        struct gm_state s;
        struct gm_buf diff;
        read_post(&p);
        change(&p);
        gm_state_init(&s);
        gm_buf_init(&diff, 1 << 20);
        struct gm_state none;
        gm_state_init(&none);
        gm_alloc_fail_at(nth);
        enum gm_status st = gm_state_take(&s, &p, NULL);
        if (st == GM_OK)
            st = gm_state_diff(&none, &s, &diff, NULL);
        if (st == GM_OK)
            st = gm_state_apply(&p, gm_buf_str(&diff), NULL);
        gm_alloc_fail_at(0);
        assert_true(st == GM_OK || st == GM_ENOMEM);
        done = st == GM_OK;
        gm_state_clear(&s);
        gm_buf_clear(&diff);
        gm_post_clear(&p);
        assert_int_equal(gm_alloc_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_round_trip, no_leak),
        cmocka_unit_test_teardown(test_only_what_changed, no_leak),
        cmocka_unit_test_teardown(test_asked, no_leak),
        cmocka_unit_test_teardown(test_asked_is_a_stages_own, no_leak),
        cmocka_unit_test_teardown(test_damaged, no_leak),
        cmocka_unit_test_teardown(test_no_memory, no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
