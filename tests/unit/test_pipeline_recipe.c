/* Recipes: what is read, what is refused and where the message points. */
#include "unit.h"

#include "base/file.h"
#include "pipeline/recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void write_recipe(const char *text)
{
    snprintf(path, sizeof path, "/tmp/gm-recipe-%ld.yaml", (long)getpid());
    assert_int_equal(gm_file_write(path, gm_str(text), NULL), GM_OK);
}

static void expect_error(const char *text, enum gm_status st, const char *part)
{
    struct gm_recipe *r;
    struct gm_error err = {0};
    write_recipe(text);
    assert_int_equal(gm_recipe_load(&r, path, &err), st);
    assert_null(r);
    unlink(path);
    if (!strstr(err.msg, part) || !strstr(err.msg, path))
        fail_msg("\"%s\" lacks \"%s\" or the path", err.msg, part);
}

static void test_read(void **state)
{
    (void)state;
    struct gm_recipe *r;
    struct gm_error err = {0};
    struct gm_str s;
    size_t n = 0;
    write_recipe(
        "name: mine\ndescription: a test\nstages:\n  - stage: expand\n    backend: template\n"
        "    size: 3\n    word: x\n");
    assert_int_equal(gm_recipe_load(&r, path, &err), GM_OK);
    unlink(path);
    assert_string_equal(r->name, "mine");
    assert_int_equal(r->n_stages, 1);
    assert_string_equal(r->stages[0].backend->stage, "expand");
    assert_int_equal(gm_json_count(r->stages[0].settings), 2);
    assert_int_equal(gm_recipe_set(r, "expand", "template", "word", "y", &n, &err), GM_OK);
    assert_int_equal(n, 1);
    assert_true(gm_json_str(gm_json_get(r->stages[0].settings, "word"), &s));
    assert_true(gm_str_eq_c(s, "y"));
    assert_int_equal(gm_recipe_set(r, NULL, "native", "precision", "f32", &n, &err), GM_OK);
    assert_int_equal(n, 0);
    gm_recipe_free(r);
}

static void test_refused(void **state)
{
    (void)state;
    expect_error("name: x\nstages: []\n", GM_EFORMAT, "\"stages\" must be a list");
    expect_error("name: x\n", GM_EFORMAT, "\"stages\" must be a list");
    expect_error("name: x\nsteps: []\n", GM_EFORMAT, "unknown key \"steps\"");
    expect_error("[1, 2]\n", GM_EFORMAT, "a recipe is a mapping");
    expect_error("name: x\nstages:\n  - stage: dance\n", GM_EFORMAT,
                 "stages[0]: there is no stage \"dance\"");
    expect_error("name: x\nstages:\n  - stage: expand\n    backend: magic\n", GM_EFORMAT,
                 "stage expand has no backend \"magic\"; it has: template");
    expect_error("name: x\nstages:\n  - stage: expand\n  - stage: expand\n", GM_EFORMAT,
                 "stages[1]: stage expand cannot come after expand");
    expect_error("name: x\nstages:\n  - expand\n", GM_EFORMAT, "stages[0]: it must be a mapping");
    expect_error("name: 3\nstages:\n  - stage: expand\n", GM_EFORMAT, "\"name\" must be a text");
    expect_error("name: x\nstages:\n  - stage: [\n", GM_EFORMAT, ":4:");
}

/* ---- settings files ---- */

static char included[2][64];

static void write_included(size_t i, const char *text)
{
    snprintf(included[i], sizeof included[i], "/tmp/gm-settings-%ld-%zu.yaml", (long)getpid(), i);
    assert_int_equal(gm_file_write(included[i], gm_str(text), NULL), GM_OK);
}

static double number(const struct gm_recipe *r, size_t stage, const char *key)
{
    double x = -1;
    (void)gm_json_num(gm_json_get(r->stages[stage].settings, key), &x);
    return x;
}

static const char *where(const struct gm_recipe *r, const char *message)
{
    return gm_recipe_where(r, r->stages[0].settings, message);
}

/* The recipe's own settings count first, then the file named last; what replaces, replaces all. */
static void test_settings_files(void **state)
{
    (void)state;
    struct gm_recipe *r;
    struct gm_error err = {0};
    char text[400];
    write_included(0, "# tuned\nground: {visible: 0.1, score: 0.1, affinity: 0.1}\n");
    write_included(1, "ground:\n  visible: 0.2\n  score: 0.2\n");
    snprintf(text, sizeof text,
             "name: x\nsettings: [%s, %s]\nstages:\n  - stage: ground\n    visible: 0.3\n",
             strrchr(included[0], '/') + 1,
             included[1]); /* from the recipe's folder, and absolute */
    write_recipe(text);
    assert_int_equal(gm_recipe_load(&r, path, &err), GM_OK);
    assert_true(number(r, 0, "visible") == 0.3 && number(r, 0, "score") == 0.2);
    assert_true(number(r, 0, "affinity") == 0.1);
    snprintf(text, sizeof text, "%s:5", path);
    assert_string_equal(where(r, "setting \"visible\" is 3"), text);
    snprintf(text, sizeof text, "%s:3", included[1]);
    assert_string_equal(where(r, "unknown setting \"score\""), text);
    assert_null(where(r, "something else about score"));
    assert_int_equal(gm_recipe_include(r, included[0], true, &err), GM_OK);
    assert_true(number(r, 0, "visible") == 0.1 && number(r, 0, "score") == 0.1);
    assert_int_equal(gm_recipe_set(r, "ground", NULL, "score", "x", NULL, &err), GM_OK);
    assert_null(where(r, "setting \"score\" must be a number")); /* no file's any more */
    gm_recipe_free(r);
    unlink(path);
    unlink(included[0]);
    unlink(included[1]);
}

/* The threshold of stage ground for persons after the recipe's own lines, files in their order, and --settings. */
static double threshold_of_persons(const char *own, const char *first, const char *last,
                                   const char *replacing)
{
    struct gm_recipe *r;
    char text[400];
    double x = -1;
    write_included(0, first);
    write_included(1, last);
    snprintf(text, sizeof text, "name: x\nsettings: [%s, %s]\nstages:\n  - stage: ground\n%s",
             included[0], included[1], own);
    write_recipe(text);
    assert_int_equal(gm_recipe_load(&r, path, NULL), GM_OK);
    if (replacing) {
        write_included(0, replacing);
        assert_int_equal(gm_recipe_include(r, included[0], true, NULL), GM_OK);
    }
    const struct gm_json *s = r->stages[0].settings, *of = gm_json_get(s, "visible_of");
    (void)gm_json_num(gm_json_get(of ? of : s, of ? "PER" : "visible"), &x);
    gm_recipe_free(r);
    unlink(path);
    unlink(included[0]);
    unlink(included[1]);
    return x;
}

/* Who sets `visible` sets it for all types, but those that the same place or a stronger one excepts. */
static void test_exceptions_come_with_their_rule(void **state)
{
    (void)state;
    static const char *const of = "ground: {visible_of: {PER: 0.8}}\n",
                             *const both = "ground: {visible_of: {PER: 0.8}, visible: 0.2}\n",
                             *const all = "ground: {visible: 0.1}\n", *const none = "ground: {}\n",
                             *const own_of = "    visible_of: {PER: 0.4}\n";
    assert_true(threshold_of_persons("", of, none, NULL) == 0.8);
    assert_true(threshold_of_persons("", both, none, NULL) == 0.8);
    assert_true(threshold_of_persons("", none, both, NULL) == 0.8);
    assert_true(threshold_of_persons("", of, all, NULL) == 0.1);
    assert_true(threshold_of_persons("", both, all, NULL) == 0.1);
    assert_true(threshold_of_persons("", all, of, NULL) == 0.8);
    assert_true(threshold_of_persons("    visible: 0.3\n", both, of, NULL) == 0.3);
    assert_true(threshold_of_persons(own_of, both, all, NULL) == 0.4);
    assert_true(threshold_of_persons("", of, none, all) == 0.1);
    assert_true(threshold_of_persons(own_of, none, none, all) == 0.1);
    assert_true(threshold_of_persons(own_of, none, none, both) == 0.8);
    assert_true(threshold_of_persons(own_of, none, none, "ground: {score: 0.1}\n") == 0.4);
}

static void expect_bad_settings(const char *text, const char *line, const char *part)
{
    char recipe[200], place[100];
    write_included(0, text);
    snprintf(recipe, sizeof recipe, "name: x\nsettings: %s\nstages:\n  - stage: ground\n",
             included[0]);
    expect_error(recipe, GM_EFORMAT, part);
    snprintf(place, sizeof place, ":2: %s%s", included[0], line);
    expect_error(recipe, GM_EFORMAT, place);
    unlink(included[0]);
}

static void test_settings_refused(void **state)
{
    (void)state;
    expect_bad_settings("ground: {}\n\ndance: {}\n", ":3: ", "there is no stage \"dance\"");
    expect_bad_settings("\ntag: {}\n", ":2: ", "recipe x has no stage tag");
    expect_bad_settings("ground: 3\n", ":1: ", "must be a mapping, but are");
    expect_bad_settings("ground: {backend: llm}\n", ":1: ", "\"backend\" is the recipe's");
    expect_bad_settings("[ground]\n", ": ", "a mapping of stages");
    expect_bad_settings("ground: {\n", ":2:", "");
    expect_error("name: x\nsettings: 3\nstages:\n  - stage: ground\n", GM_EFORMAT,
                 ":2: \"settings\" must be a settings file");
    expect_error("name: x\nsettings: no-such.yaml\nstages:\n  - stage: ground\n", GM_EIO,
                 "no-such.yaml: cannot open");
}

static void test_names(void **state)
{
    (void)state;
    struct gm_recipe *r;
    struct gm_error err = {0};
    assert_int_equal(gm_recipe_load(&r, "no-such-recipe", &err), GM_EARG);
    assert_non_null(strstr(err.msg, "no recipe \"no-such-recipe\"; there are: "));
    assert_non_null(strstr(err.msg, "embedded"));
    assert_int_equal(gm_recipe_load(&r, "./no-such-recipe.yaml", &err), GM_EIO);
    assert_non_null(strstr(err.msg, "./no-such-recipe.yaml: cannot open"));
}

/* Every allocation of a load failing in turn: an error each time, and nothing leaks. */
static void test_no_memory(void **state)
{
    (void)state;
    struct gm_recipe *r;
    size_t live = gm_alloc_live();
    enum gm_status st = GM_ENOMEM;
    write_included(0, "expand: {size: 3}\n");
    char text[200];
    snprintf(text, sizeof text,
             "name: mine\nsettings: [%s]\nstages:\n  - stage: expand\n    word: x\n", included[0]);
    write_recipe(text);
    for (size_t nth = 1; st != GM_OK; nth++) {
        assert_true(nth < 1000);
        gm_alloc_fail_at(nth);
        st = gm_recipe_load(&r, path, NULL);
        gm_alloc_fail_at(0);
        assert_true(st == GM_OK || st == GM_ENOMEM);
        gm_recipe_free(r);
        assert_int_equal(gm_alloc_live(), live);
    }
    unlink(path);
    unlink(included[0]);
}

int main(void)
{
    setenv("GMNER_HOME", ".", 0); /* tests run in the root of the sources */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_settings_files),
        cmocka_unit_test(test_exceptions_come_with_their_rule),
        cmocka_unit_test(test_settings_refused),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
