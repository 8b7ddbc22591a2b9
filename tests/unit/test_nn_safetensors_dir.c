/* Where a model directory keeps its weights: one file, the files of an index, or nothing usable. */
#include "nn/safetensors.h"

#include "nn_check.h"

#include "base/file.h"

static char dir[] = "/tmp/gm-test-dir-XXXXXX";

static const char *at(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* A file of one tensor of two numbers. */
static void put_tensor(const char *file, const char *name, float first)
{
    const float values[2] = {first, first + 1};
    const struct gm_tensor t = {.dtype = GM_F32, .rank = 1, .shape = {2}, .data = (void *)values};
    ASSERT_OK(gm_safetensors_write(at(file), &t, &name, 1, NULL, err));
}

static void put_text(const char *file, const char *text)
{
    ASSERT_OK(gm_file_write(at(file), gm_str(text), err));
}

static void expect_refused(enum gm_status want, const char *part)
{
    struct gm_safetensors *f = NULL;
    struct gm_error err = {0};
    assert_int_equal(gm_safetensors_open_dir(&f, dir, &err), want);
    assert_null(f);
    check_message(&err, dir);
    check_message(&err, part);
    assert_int_equal(gm_alloc_live(), 0);
}

static void check_value(const struct gm_safetensors *f, const char *name, double first)
{
    struct gm_tensor t;
    float x;
    assert_true(gm_safetensors_get(f, name, &t));
    gm_tensor_to_f32(&t, 0, 1, &x);
    assert_true((double)x == first);
}

#define INDEX "model.safetensors.index.json"

static void nothing_there(void **state)
{
    (void)state;
    expect_refused(GM_EMODEL, "model.safetensors: no such file; a model directory needs it");
    put_text("pytorch_model.bin", "PK");
    expect_refused(GM_EMODEL, "['AutoModel'])[0]).from_pretrained(d)");
    remove(at("pytorch_model.bin"));
}

#define TWO_FILES "{\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"b.safetensors\"}}"

static int make_two_files(void **state)
{
    (void)state;
    put_tensor("a.safetensors", "x", 1);
    put_tensor("b.safetensors", "y", 5);
    put_text(INDEX, TWO_FILES);
    return 0;
}

static void two_files(void **state)
{
    struct gm_safetensors *f;
    struct gm_tensor t;
    (void)state;
    ASSERT_OK(gm_safetensors_open_dir(&f, dir, err));
    assert_int_equal(gm_safetensors_count(f), 2);
    assert_string_equal(gm_safetensors_path(f), at(INDEX));
    check_value(f, "x", 1);
    check_value(f, "y", 5);
    assert_false(gm_safetensors_get(f, "z", &t));
    gm_safetensors_free(f);
    put_tensor("model.safetensors", "z", 9); /* one file goes before an index */
    ASSERT_OK(gm_safetensors_open_dir(&f, dir, err));
    check_value(f, "z", 9);
    assert_int_equal(gm_safetensors_count(f), 1);
    gm_safetensors_free(f);
    remove(at("model.safetensors"));
    assert_int_equal(gm_alloc_live(), 0);
}

static void broken_index(void **state)
{
    (void)state;
    put_text(INDEX, "{}");
    expect_refused(GM_EMODEL, "no weight_map");
    put_text(INDEX, "{\"weight_map\":{\"x\":1}}");
    expect_refused(GM_EMODEL, "tensor names and files");
    put_text(INDEX, "{\"weight_map\":{\"x\":\"../a.safetensors\"}}");
    expect_refused(GM_EMODEL, "is not a file of that directory");
    put_text(INDEX, "{\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"c.safetensors\"}}");
    expect_refused(GM_EMODEL, "c.safetensors: no such file");
    put_text(INDEX, "{\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"a.safetensors\"}}");
    expect_refused(GM_EMODEL, "tensor y is not in a.safetensors");
    put_text(INDEX, "{\"weight_map\":");
    expect_refused(GM_EFORMAT, INDEX);
}

static void memory_runs_out(void **state)
{
    bool done = false;
    (void)state;
    for (size_t n = 1; !done; n++) {
        struct gm_safetensors *f = NULL;
        gm_alloc_fail_at(n);
        enum gm_status st = gm_safetensors_open_dir(&f, dir, NULL);
        gm_alloc_fail_at(0);
        done = st == GM_OK;
        if (!done)
            assert_int_equal(st, GM_ENOMEM);
        gm_safetensors_free(f);
        assert_int_equal(gm_alloc_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_there),
        cmocka_unit_test_setup(two_files, make_two_files),
        cmocka_unit_test_setup(broken_index, make_two_files),
        cmocka_unit_test_setup(memory_runs_out, make_two_files),
    };
    if (!mkdtemp(dir))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const files[] = {"a.safetensors", "b.safetensors", INDEX};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        remove(at(files[i]));
    return failed + (rmdir(dir) != 0);
}
