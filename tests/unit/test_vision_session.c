/* Sessions: shapes, names and errors on a tiny model of our own (OpenVINO's IR is text). */
#include "vision_files.h"

#include "base/parallel.h"
#include "vision/vision_session.h"

#include <unistd.h>

static char dir[] = "/tmp/gmner-session-XXXXXX";

/* y = max(x, 0); x is [?,3]. */
static const char RELU[] =
    "<?xml version=\"1.0\"?><net name=\"m\" version=\"11\"><layers>"
    "<layer id=\"0\" name=\"x\" type=\"Parameter\" version=\"opset1\">"
    "<data shape=\"?,3\" element_type=\"f32\"/><output><port id=\"0\" precision=\"FP32\" "
    "names=\"x\"><dim>-1</dim><dim>3</dim></port></output></layer>"
    "<layer id=\"1\" name=\"y\" type=\"ReLU\" version=\"opset1\"><input><port id=\"0\" "
    "precision=\"FP32\"><dim>-1</dim><dim>3</dim></port></input><output><port id=\"1\" "
    "precision=\"FP32\" names=\"y\"><dim>-1</dim><dim>3</dim></port></output></layer>"
    "<layer id=\"2\" name=\"r\" type=\"Result\" version=\"opset1\"><input><port id=\"0\" "
    "precision=\"FP32\"><dim>-1</dim><dim>3</dim></port></input></layer></layers><edges>"
    "<edge from-layer=\"0\" from-port=\"0\" to-layer=\"1\" to-port=\"0\"/>"
    "<edge from-layer=\"1\" from-port=\"1\" to-layer=\"2\" to-port=\"0\"/></edges></net>";

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static const char *write_file(const char *name, struct gm_str content)
{
    struct gm_error err;
    must(gm_file_write(path_of(name), content, &err), &err);
    return path_of(name);
}

static struct gm_session *load_relu(const struct gm_session_opts *opts)
{
    struct gm_error err;
    struct gm_session *s;
    write_file("relu.bin", GM_STR(""));
    must(gm_session_load(&s, write_file("relu.xml", gm_str(RELU)), opts, &err), &err);
    return s;
}

static bool runtime_is_open(void)
{
    char line[512];
    bool found = false;
    FILE *f = fopen("/proc/self/maps", "r");
    if (!f)
        return false;
    while (fgets(line, sizeof line, f))
        found = found || strstr(line, "libopenvino") != NULL;
    fclose(f);
    return found;
}

/* First in the list: nothing may have opened the runtime yet. */
static void missing_model_names_the_command(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_session *s;
    struct gm_session_opts opts = {.model = "nanodet"};
    assert_int_equal(gm_session_load(&s, path_of("absent.onnx"), &opts, &err), GM_EMODEL);
    assert_null(s);
    assert_non_null(strstr(err.msg, "absent.onnx"));
    assert_non_null(strstr(err.msg, "gmner models get nanodet"));
    assert_int_equal(gm_session_load(&s, dir, NULL, &err), GM_EMODEL); /* a directory */
    assert_false(runtime_is_open());
}

static void missing_runtime_says_what_to_do(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_session *s;
    setenv("GMNER_OPENVINO", "/nowhere/libopenvino_c.so", 1);
    write_file("relu.bin", GM_STR(""));
    assert_int_equal(gm_session_load(&s, write_file("relu.xml", gm_str(RELU)), NULL, &err),
                     GM_EMODEL);
    assert_non_null(strstr(err.msg, "/nowhere/libopenvino_c.so"));
    assert_non_null(strstr(err.msg, "`make`"));
    /* A library that is no OpenVINO. */
    setenv("GMNER_OPENVINO", "libm.so.6", 1);
    assert_int_equal(gm_session_load(&s, path_of("relu.xml"), NULL, &err), GM_EMODEL);
    assert_non_null(strstr(err.msg, "ov_core_create"));
    unsetenv("GMNER_OPENVINO");
    assert_int_equal(gm_alloc_live(), 0);
}

static void runs_any_first_dimension(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_session *s = load_relu(NULL);
    assert_true(runtime_is_open());
    for (size_t rows = 1; rows < 6; rows += 2) {
        float x[18];
        for (size_t i = 0; i < rows * 3; i++)
            x[i] = (i % 2 ? 1.0f : -1.0f) * (float)(i + rows);
        struct gm_session_tensor in = {"x", x, {rows, 3}, 2}, out = {.name = "y"};
        must(gm_session_run(s, 0, &in, 1, &out, 1, &err), &err);
        const size_t dims[2] = {rows, 3}, others[2] = {rows, 4};
        must(gm_session_expect(s, &out, dims, 2, &err), &err);
        assert_int_equal(gm_session_expect(s, &out, others, 2, &err), GM_ESHAPE);
        assert_int_equal(gm_session_expect(s, &out, dims, 1, &err), GM_ESHAPE);
        for (size_t i = 0; i < rows * 3; i++)
            assert_float_equal(out.data[i], x[i] > 0 ? x[i] : 0, 0);
    }
    gm_session_free(s);
    assert_int_equal(gm_alloc_live(), 0);
}

static void fixed_shape_is_kept(void **state)
{
    (void)state;
    struct gm_error err;
    const struct gm_session_tensor fixed = {"x", NULL, {2, 3}, 2};
    struct gm_session_opts opts = {.inputs = &fixed, .n_inputs = 1};
    struct gm_session *s = load_relu(&opts);
    const float x[9] = {1, -2, 3, -4, 5, -6, 7, 8, 9};
    struct gm_session_tensor in = {"x", x, {2, 3}, 2}, out = {.name = "y"};
    must(gm_session_run(s, 0, &in, 1, &out, 1, &err), &err);
    assert_float_equal(out.data[2], 3, 0);
    in.dims[0] = 3;
    assert_int_equal(gm_session_run(s, 0, &in, 1, &out, 1, &err), GM_ESHAPE);
    gm_session_free(s);
    const struct gm_session_tensor unknown = {"z", NULL, {2, 3}, 2};
    opts.inputs = &unknown;
    assert_int_equal(gm_session_load(&s, path_of("relu.xml"), &opts, &err), GM_ESHAPE);
    assert_non_null(strstr(err.msg, "'z'"));
    assert_int_equal(gm_alloc_live(), 0);
}

static void ports_are_told(void **state)
{
    (void)state;
    struct gm_session *s = load_relu(NULL);
    size_t n;
    const struct gm_session_port *p = gm_session_inputs(s, &n);
    assert_int_equal(n, 1);
    assert_string_equal(p->name, "x");
    assert_int_equal(p->rank, 2);
    assert_int_equal(p->dims[0], 0); /* any */
    assert_int_equal(p->dims[1], 3);
    p = gm_session_outputs(s, &n);
    assert_int_equal(n, 1);
    assert_string_equal(p->name, "y");
    gm_session_free(s);
    assert_int_equal(gm_alloc_live(), 0);
}

/* y = x as f32, where x [?,3] is of another type. */
static const char CONVERT[] =
    "<?xml version=\"1.0\"?><net name=\"m\" version=\"11\"><layers>"
    "<layer id=\"0\" name=\"x\" type=\"Parameter\" version=\"opset1\">"
    "<data shape=\"?,3\" element_type=\"%s\"/><output><port id=\"0\" precision=\"%s\" "
    "names=\"x\"><dim>-1</dim><dim>3</dim></port></output></layer>"
    "<layer id=\"1\" name=\"y\" type=\"Convert\" version=\"opset1\"><data "
    "destination_type=\"f32\"/><input><port id=\"0\" precision=\"%s\"><dim>-1</dim><dim>3</dim>"
    "</port></input><output><port id=\"1\" precision=\"FP32\" names=\"y\"><dim>-1</dim><dim>3</dim>"
    "</port></output></layer>"
    "<layer id=\"2\" name=\"r\" type=\"Result\" version=\"opset1\"><input><port id=\"0\" "
    "precision=\"FP32\"><dim>-1</dim><dim>3</dim></port></input></layer></layers><edges>"
    "<edge from-layer=\"0\" from-port=\"0\" to-layer=\"1\" to-port=\"0\"/>"
    "<edge from-layer=\"1\" from-port=\"1\" to-layer=\"2\" to-port=\"0\"/></edges></net>";

/* Whole numbers and truth values are given as f32, by one lane. */
static void whole_numbers_go_in(void **state)
{
    (void)state;
    static const char *const types[][2] = {{"i64", "I64"}, {"i32", "I32"}, {"boolean", "BOOL"}};
    const float x[6] = {0, -10, 101, 7, 16777216, 1};
    for (size_t k = 0; k < 3; k++) {
        struct gm_error err;
        struct gm_session *s;
        struct gm_session_opts opts = {.one_lane = true};
        char xml[2048];
        snprintf(xml, sizeof xml, CONVERT, types[k][0], types[k][1], types[k][1]);
        write_file("relu.bin", GM_STR(""));
        must(gm_session_load(&s, write_file("relu.xml", gm_str(xml)), &opts, &err), &err);
        assert_int_equal(gm_session_lanes(s), 1);
        struct gm_session_tensor in = {"x", x, {2, 3}, 2}, out = {.name = "y"};
        must(gm_session_run(s, 0, &in, 1, &out, 1, &err), &err);
        for (size_t i = 0; i < 6; i++)
            assert_float_equal(out.data[i], k < 2 ? x[i] : x[i] != 0, 0);
        gm_session_free(s);
    }
    assert_int_equal(gm_alloc_live(), 0);
}

static void wrong_names_and_shapes(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_session *s = load_relu(NULL);
    const float x[8] = {0};
    struct gm_session_tensor in = {"x", x, {1, 3}, 2}, out = {.name = "no such output"};
    assert_int_equal(gm_session_run(s, 0, &in, 1, &out, 1, &err), GM_EMODEL);
    assert_non_null(strstr(err.msg, "no such output"));
    out.name = "y";
    in.dims[1] = 4;
    assert_int_equal(gm_session_run(s, 0, &in, 1, &out, 1, &err), GM_ESHAPE);
    in = (struct gm_session_tensor){"w", x, {1, 3}, 2};
    assert_int_equal(gm_session_run(s, 0, &in, 1, &out, 1, &err), GM_ESHAPE);
    in = (struct gm_session_tensor){"x", x, {1, 3}, 7};
    assert_int_equal(gm_session_run(s, 0, &in, 1, &out, 1, &err), GM_ESHAPE);
    in.rank = 2; /* the session is still good */
    must(gm_session_run(s, 0, &in, 1, &out, 1, &err), &err);
    gm_session_free(s);
}

static void broken_files(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_session *s;
    static const char *const names[] = {"text.onnx", "text.tflite", "text.xml", "text.bin"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            gm_session_load(&s, write_file(names[i], GM_STR("this is no model\n")), NULL, &err),
            GM_EMODEL);
        assert_non_null(strstr(err.msg, names[i]));
        assert_null(strchr(err.msg, '\n'));
    }
    struct gm_buf b;
    gm_buf_init(&b, 1 << 24);
    must(gm_file_read(".deps/models/nanodet/nanodet.onnx", &b, &err), &err);
    struct gm_str half = gm_str_sub(gm_buf_str(&b), 0, b.n / 2);
    assert_int_equal(gm_session_load(&s, write_file("half.onnx", half), NULL, &err), GM_EMODEL);
    gm_buf_clear(&b);
    assert_int_equal(gm_alloc_live(), 0);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_session *s = NULL;
    enum gm_status st = GM_ENOMEM;
    write_file("relu.bin", GM_STR(""));
    write_file("relu.xml", gm_str(RELU));
    for (size_t nth = 1; st != GM_OK; nth++) {
        assert_in_range(nth, 1, 50);
        gm_alloc_fail_at(nth);
        st = gm_session_load(&s, path_of("relu.xml"), NULL, &err);
        gm_alloc_fail_at(0);
    }
    gm_session_free(s);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    vision_tests_start(".deps/models/nanodet/nanodet.onnx");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_model_names_the_command),
        cmocka_unit_test(missing_runtime_says_what_to_do),
        cmocka_unit_test(runs_any_first_dimension),
        cmocka_unit_test(fixed_shape_is_kept),
        cmocka_unit_test(ports_are_told),
        cmocka_unit_test(whole_numbers_go_in),
        cmocka_unit_test(wrong_names_and_shapes),
        cmocka_unit_test(broken_files),
        cmocka_unit_test(memory_may_run_out),
    };
    if (!mkdtemp(dir))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const made[] = {"relu.xml", "relu.bin", "text.onnx", "text.tflite",
                                       "text.xml", "text.bin", "half.onnx"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        unlink(path_of(made[i]));
    rmdir(dir);
    return failed;
}
