/* Model manifests: reading, finding, checking; with a home and a cache made here. */
#include "unit.h"

#include "base/file.h"
#include "base/path.h"
#include "base/models.h"
#include "base/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct place {
    struct gm_arena a;
    const char *home, *manifest, *weights;
};

static void write_file(const char *path, const char *text)
{
    assert_int_equal(gm_file_write(path, gm_str(text), NULL), GM_OK);
}

/* A home with one manifest, of model "toy" with the file "w.bin" = "hello". */
static int setup(void **state)
{
    char template[] = "/tmp/gm-models-XXXXXX";
    struct place *p = gm_alloc(1, sizeof *p);
    if (!p || !mkdtemp(template))
        return -1;
    gm_arena_init(&p->a, 0);
    p->home = gm_arena_str(&p->a, gm_str(template)).p;
    p->manifest = gm_arena_printf(&p->a, "%s/models/toy.json", p->home).p;
    p->weights = gm_arena_printf(&p->a, "%s/.deps/models/toy/w.bin", p->home).p;
    setenv("GMNER_HOME", p->home, 1);
    unsetenv("GMNER_MODELS");
    *state = p;
    return gm_mkdirs(gm_path_dir(&p->a, p->manifest), NULL) == GM_OK &&
                   gm_mkdirs(gm_path_dir(&p->a, p->weights), NULL) == GM_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    struct place *p = *state;
    static const char *const dirs[] = {".deps/models/toy", ".deps/models", ".deps", "models", ""};
    unlink(p->manifest);
    unlink(p->weights);
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        rmdir(gm_path_join(&p->a, p->home, dirs[i]));
    gm_arena_clear(&p->a);
    gm_free(p);
    return no_leak(state);
}

static void write_manifest(struct place *p, const char *files)
{
    struct gm_str text = gm_arena_printf(
        &p->a,
        "{\"name\": \"toy\", \"task\": \"test\", \"summary\": \"a toy\", \"licence\": \"MIT\","
        " \"origin\": {\"registry\": \"r\", \"package\": \"p\", \"version\": \"1\"}, \"files\": "
        "%s}",
        files);
    write_file(p->manifest, text.p);
}

static void write_good_manifest(struct place *p, long long bytes)
{
    char hex[GM_SHA256_HEX];
    gm_sha256(GM_STR("hello"), hex);
    write_manifest(
        p, gm_arena_printf(&p->a, "[{\"path\": \"w.bin\", \"bytes\": %lld, \"sha256\": \"%s\"}]",
                           bytes, hex)
               .p);
}

static void test_check(void **state)
{
    struct place *p = *state;
    struct gm_model *m;
    struct gm_error err = {0};
    const char *path;
    size_t n;
    write_good_manifest(p, 5);
    assert_int_equal(gm_models_load(&p->a, &m, &n, &err), GM_OK);
    assert_int_equal(n, 1);
    assert_string_equal(m->name, "toy");
    assert_string_equal(m->package, "p");
    assert_int_equal(gm_model_check(m, &err), GM_EMODEL);
    assert_string_equal(err.msg,
                        "model toy: w.bin is not there; get it with: gmner models get toy");
    write_file(p->weights, "hello");
    assert_int_equal(gm_model_check(m, &err), GM_OK);
    assert_int_equal(gm_model_path(&p->a, "toy", "w.bin", &path, &err), GM_OK);
    assert_string_equal(path, p->weights);
    assert_int_equal(gm_model_dir(&p->a, "toy", &path, &err), GM_OK);
    write_file(p->weights, "hellO");
    assert_int_equal(gm_model_check(m, &err), GM_EMODEL);
    assert_non_null(strstr(err.msg, "SHA-256"));
    assert_non_null(strstr(err.msg, p->weights));
    write_file(p->weights, "hell");
    assert_int_equal(gm_model_check(m, &err), GM_EMODEL);
    assert_non_null(strstr(err.msg, "4 bytes, but the manifest says 5"));
}

static void test_unknown(void **state)
{
    struct place *p = *state;
    struct gm_error err = {0};
    const char *path;
    write_good_manifest(p, 5);
    assert_int_equal(gm_model_dir(&p->a, "giant", &path, &err), GM_EMODEL);
    assert_string_equal(err.msg,
                        "no model \"giant\"; known are: toy (a folder of your own is given "
                        "as ./giant)");
    assert_int_equal(gm_model_dir(&p->a, "./giant", &path, &err), GM_EMODEL);
    assert_string_equal(err.msg, "./giant: no such model folder");
    assert_int_equal(gm_model_path(&p->a, p->home, "w.bin", &path, &err), GM_EMODEL);
    assert_non_null(strstr(err.msg, "w.bin: the model file is not there"));
}

/* What a user gives: a folder here comes before a model of that name. */
static void test_find(void **state)
{
    struct place *p = *state;
    struct gm_error err = {0};
    const char *dir, *name, *toy = gm_path_dir(&p->a, p->weights);
    char *before = getcwd(NULL, 0);
    assert_non_null(before);
    write_good_manifest(p, 5);
    assert_int_equal(gm_model_find(&p->a, "toy", &dir, &name, &err), GM_OK);
    assert_string_equal(dir, toy);
    assert_string_equal(name, "toy");
    assert_int_equal(gm_model_find(&p->a, toy, &dir, &name, &err), GM_OK);
    assert_string_equal(dir, toy);
    assert_null(name);
    assert_int_equal(chdir(gm_path_dir(&p->a, toy)), 0);
    assert_int_equal(gm_model_find(&p->a, "toy", &dir, &name, &err), GM_OK);
    assert_int_equal(chdir(before), 0);
    assert_string_equal(dir, "./toy");
    assert_null(name);
    assert_int_equal(gm_model_find(&p->a, "giant", &dir, NULL, &err), GM_EMODEL);
    assert_non_null(strstr(err.msg, "no model \"giant\"; known are: toy"));
    assert_int_equal(gm_model_find(&p->a, "./giant", &dir, NULL, &err), GM_EMODEL);
    assert_string_equal(err.msg, "./giant: no such model folder");
    free(before);
}

static void expect_refused(struct place *p, const char *files, const char *part)
{
    struct gm_model *m;
    struct gm_error err = {0};
    size_t n;
    write_manifest(p, files);
    assert_int_equal(gm_models_load(&p->a, &m, &n, &err), GM_EFORMAT);
    if (!strstr(err.msg, part) || !strstr(err.msg, p->manifest))
        fail_msg("\"%s\" lacks \"%s\" or the path", err.msg, part);
}

#define SUM "0000000000000000000000000000000000000000000000000000000000000000"

static void test_refused(void **state)
{
    struct place *p = *state;
    expect_refused(p, "[]", "\"files\" must be a list that is not empty");
    expect_refused(p, "{}", "\"files\" must be a list that is not empty");
    expect_refused(p, "[{\"path\": 3}]", "\"path\" must be a text, but is an integer");
    expect_refused(p, "[{\"path\": \"../x\", \"bytes\": 1, \"sha256\": \"" SUM "\"}]",
                   "leads out of");
    expect_refused(p, "[{\"path\": \"/x\", \"bytes\": 1, \"sha256\": \"" SUM "\"}]",
                   "leads out of");
    expect_refused(p, "[{\"path\": \"a//b\", \"bytes\": 1, \"sha256\": \"" SUM "\"}]",
                   "leads out of");
    expect_refused(p, "[{\"path\": \"x\", \"bytes\": -1, \"sha256\": \"" SUM "\"}]",
                   "\"bytes\" of x");
    expect_refused(p, "[{\"path\": \"x\", \"bytes\": 1, \"sha256\": \"AB\"}]", "\"sha256\" of x");
    write_file(p->manifest, "{\"name\"");
    struct gm_model *m;
    struct gm_error err = {0};
    size_t n;
    assert_int_equal(gm_models_load(&p->a, &m, &n, &err), GM_EFORMAT);
    assert_non_null(strstr(err.msg, "toy.json: 1:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_check, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_find, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
