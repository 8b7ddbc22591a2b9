/* Boxes that are chosen by number: which are proposed, in which order, what answers come to, and memory that runs out. */
#include "post_files.h"

#include "base/alloc.h"
#include "stages/ground_marks.h"

#include <string.h>

static const struct gm_object objects[] = {
    {{"dog", sizeof "dog" - 1}, 0.4f, {0, 0, 10, 10}, NULL},
    {{"person", sizeof "person" - 1}, 0.9f, {20, 0, 30, 10}, NULL},
    {{"tie", sizeof "tie" - 1}, 0.8f, {20, 0, 30, 10.5}, NULL}, /* nearly the person */
    {{"car", sizeof "car" - 1}, 0.6f, {5, 5, 5, 9}, NULL},      /* no area */
    {{"cat", sizeof "cat" - 1}, 0.4f, {40, 0, 50, 10}, NULL},
};

static struct gm_post looked_at(void)
{
    struct gm_post p;
    gm_post_init(&p);
    p.id = GM_STR("7");
    p.image = GM_STR("a/b.jpg");
    p.objects = (struct gm_object *)objects;
    p.n_objects = sizeof objects / sizeof *objects;
    p.has_objects = true;
    return p;
}

static void best_first(void **state)
{
    (void)state;
    struct gm_post p = looked_at();
    struct gm_marked m;
    struct gm_error err;
    assert_status(gm_marks_choose(&(struct gm_marks){.most = 20}, &p, &m, &err), GM_OK, &err);
    assert_int_equal(m.n, 3);
    static const size_t want[] = {1, 0, 4}; /* of equal scores the first */
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(m.box[i], objects[want[i]].box, sizeof m.box[i]);
    assert_int_equal(gm_marks_number(&m, objects[4].box), 3);
    assert_int_equal(gm_marks_number(&m, (double[]){0, 0, 9, 9}), 0);
    assert_status(gm_marks_choose(&(struct gm_marks){.most = 2}, &p, &m, &err), GM_OK, &err);
    assert_int_equal(m.n, 2);
    p.has_objects = false;
    assert_int_equal(gm_marks_choose(&(struct gm_marks){.most = 2}, &p, &m, &err), GM_EARG);
}

/* Boxes of the numbers, each once; a number that is not drawn fits no answer. */
static void numbers_become_boxes(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        bool fits;
        size_t n;
    } cases[] = {{"{\"numbers\": [3, 1, 3]}", true, 2},
                 {"{\"numbers\": []}", true, 0},
                 {"{\"numbers\": [4]}", false, 0},
                 {"{\"numbers\": [0, 2]}", false, 1}};
    struct gm_post p = looked_at();
    struct gm_marked m;
    struct gm_error err;
    assert_status(gm_marks_choose(&(struct gm_marks){.most = 20}, &p, &m, &err), GM_OK, &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_json *j;
        assert_status(gm_json_parse(&j, gm_str(cases[i].answer), &err), GM_OK, &err);
        assert_int_equal(gm_marks_fit(&m, j), cases[i].fits);
        assert_status(gm_marks_resolve(&m, j, &err), GM_OK, &err);
        assert_int_equal(gm_json_count(gm_json_get(j, "boxes")), cases[i].n);
        gm_json_free(j);
    }
}

static const char lines[] =
    "{\"id\": 7, \"objects\": [{\"box\": [1, 2, 3, 4], \"score\": 0.5, \"label\": \"logo\"}]}\n\n"
    "{\"image\": \"c/b.jpg\", \"text\": 3, \"objects\": [{\"box\": [5, 6, 7, 8]}, {\"box\": [1, 1, 2, 2]}]}\n"
    "{\"id\": \"none\", \"objects\": []}\n";

/* By id, else by the picture's name; score and label may be left out. */
static void proposals_of_a_file(void **state)
{
    (void)state;
    struct gm_proposals *all;
    struct gm_error err;
    size_t n;
    const char *path = temp_file(lines);
    assert_status(gm_proposals_load(&all, path, &err), GM_OK, &err);
    struct gm_post p = looked_at();
    const struct gm_object *o = gm_proposals_find(all, &p, &n);
    assert_true(n == 1 && gm_str_eq_c(o->label, "logo") && o->score == 0.5f);
    p.id = GM_STR("8");
    o = gm_proposals_find(all, &p, &n);
    assert_true(n == 2 && o->score == 1 && o->box[3] == 8);
    p.image = GM_STR("d.jpg");
    assert_null(gm_proposals_find(all, &p, &n));
    assert_int_equal(n, 0);
    gm_proposals_free(all);
    unlink(path);
}

static void memory_runs_out(void **state)
{
    (void)state;
    struct gm_error err;
    char path[64];
    snprintf(path, sizeof path, "%s", temp_file(lines));
    for (size_t i = 1;; i++) {
        struct gm_proposals *all;
        gm_alloc_fail_at(i);
        enum gm_status st = gm_proposals_load(&all, path, &err);
        gm_alloc_fail_at(0);
        gm_proposals_free(all);
        assert_int_equal(gm_alloc_live(), 0);
        if (st == GM_OK)
            break;
        assert_int_equal(st, GM_ENOMEM);
        assert_true(i < 1000);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(best_first, no_leak),
        cmocka_unit_test_teardown(numbers_become_boxes, no_leak),
        cmocka_unit_test_teardown(proposals_of_a_file, no_leak),
        cmocka_unit_test_teardown(memory_runs_out, no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
