/* The files of prepared models: what is kept is found, and what is not whole, not of the key or not of use
 * is as if it were not there. No runtime is needed: content is any bytes. */
#include "unit.h"

#include "base/file.h"
#include "vision/prepared.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/gmner-prepared-XXXXXX";
static char model[256], folder[256];

static struct gm_str content(void)
{
    static char bytes[100003];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * i >> 3);
    return (struct gm_str){bytes, sizeof bytes};
}

static void begin(struct gm_prepared *p, const char *runtime, const char *how)
{
    struct gm_error err;
    must(gm_prepared_init(p, model, runtime, gm_str(how), &err), &err);
    must(gm_prepared_find(p, &err), &err);
}

static void keep(const char *runtime, const char *how)
{
    struct gm_error err;
    struct gm_prepared p;
    must(gm_prepared_init(&p, model, runtime, gm_str(how), &err), &err);
    must(gm_prepared_keep(&p, content(), &err), &err);
    gm_prepared_clear(&p);
}

/* Whether a file with the content is found; with *path its name. */
static bool is_found(const char *runtime, const char *how, char path[512])
{
    struct gm_prepared p;
    begin(&p, runtime, how);
    bool found = p.blob.p != NULL;
    if (found)
        assert_true(gm_str_eq(p.blob, content()));
    if (path)
        snprintf(path, 512, "%s", p.path ? p.path : "");
    gm_prepared_clear(&p);
    return found;
}

static void write_model(const char *text)
{
    struct gm_error err;
    must(gm_file_write(model, gm_str(text), &err), &err);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/a/vision", dir);
    setenv("GMNER_VISION_CACHE", folder, 1);
    write_model("model");
    return 0;
}

static int clear_up(void **state)
{
    char command[600];
    snprintf(command, sizeof command, "rm -rf %s/a", dir);
    return system(command) != 0 || no_leak(state);
}

static void what_is_kept_is_found(void **state)
{
    (void)state;
    char path[512], other[512];
    assert_false(is_found("1", "f32", path));
    assert_int_equal(strncmp(path, folder, strlen(folder)), 0);
    keep("1", "f32");
    assert_true(is_found("1", "f32", NULL));
    assert_false(is_found("2", "f32", other));
    assert_string_not_equal(path, other);
    assert_false(is_found("1", "bf16", NULL));
    setenv("ONEDNN_MAX_CPU_ISA", "SSE41", 1);
    assert_false(is_found("1", "f32", NULL));
    unsetenv("ONEDNN_MAX_CPU_ISA");
    assert_true(is_found("1", "f32", NULL));
}

static void another_model_is_another_file(void **state)
{
    (void)state;
    keep("1", "f32");
    write_model("MODEL"); /* as long as the old one */
    assert_false(is_found("1", "f32", NULL));
}

static void damage_is_seen_and_mended(void **state)
{
    (void)state;
    char path[512];
    keep("1", "f32");
    assert_true(is_found("1", "f32", path));
    struct stat whole, s;
    assert_int_equal(stat(path, &whole), 0);
    static const long places[] = {0, 31, 32, 50000, 100002, 100003, 100010, 100018, 100026};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) { /* each bit of one byte */
        for (int bit = 0; bit < 8; bit++) {
            int fd = open(path, O_RDWR);
            char c;
            assert_int_equal(pread(fd, &c, 1, places[i]), 1);
            c = (char)(c ^ 1 << bit);
            assert_int_equal(pwrite(fd, &c, 1, places[i]), 1);
            close(fd);
            assert_false(is_found("1", "f32", NULL));
            keep("1", "f32");
            assert_true(is_found("1", "f32", NULL));
        }
    }
    for (off_t n = 0; n < whole.st_size; n += n < 40 ? 1 : 9973) { /* cut anywhere */
        assert_int_equal(truncate(path, n), 0);
        assert_false(is_found("1", "f32", NULL));
    }
    keep("1", "f32");
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_size, whole.st_size);
    assert_true(is_found("1", "f32", NULL));
}

static void a_file_under_another_name_is_foreign(void **state)
{
    (void)state;
    char path[512], other[512];
    keep("1", "f32");
    assert_true(is_found("1", "f32", path));
    assert_false(is_found("1", "bf16", other));
    assert_int_equal(link(path, other), 0);
    assert_false(is_found("1", "bf16", NULL));
    keep("1", "bf16");
    assert_true(is_found("1", "bf16", NULL));
    assert_true(is_found("1", "f32", NULL));
}

/* A folder, a pipe, a link to nowhere and a file of another user stand where the file should be. */
static void what_is_no_file_of_ours_is_replaced_or_left(void **state)
{
    (void)state;
    char path[512];
    keep("1", "f32");
    assert_true(is_found("1", "f32", path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(is_found("1", "f32", NULL));
    keep("1", "f32");
    assert_true(is_found("1", "f32", NULL));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/nowhere/at/all", path), 0);
    assert_false(is_found("1", "f32", NULL));
    keep("1", "f32");
    assert_true(is_found("1", "f32", NULL));
    if (geteuid() == 0 && chown(path, 12345, 12345) == 0) {
        assert_false(is_found("1", "f32", NULL));
        keep("1", "f32");
        assert_true(is_found("1", "f32", NULL));
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    keep("1", "f32");
    assert_false(is_found("1", "f32", NULL));
}

static void without_a_folder_nothing_is_kept(void **state)
{
    (void)state;
    char path[512];
    setenv("GMNER_VISION_CACHE", "none", 1);
    keep("1", "f32");
    assert_false(is_found("1", "f32", path));
    assert_string_equal(path, "");
    setenv("GMNER_VISION_CACHE", "/proc/1/nothing", 1); /* can't be made, by root neither */
    keep("1", "f32");
    assert_false(is_found("1", "f32", NULL));
    setenv("GMNER_VISION_CACHE", model, 1); /* a file */
    keep("1", "f32");
    assert_false(is_found("1", "f32", NULL));
}

static void the_folder_follows_the_environment(void **state)
{
    (void)state;
    char path[512], want[512];
    unsetenv("GMNER_VISION_CACHE");
    setenv("XDG_CACHE_HOME", dir, 1);
    assert_false(is_found("1", "f32", path));
    snprintf(want, sizeof want, "%s/gmner/vision/", dir);
    assert_int_equal(strncmp(path, want, strlen(want)), 0);
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", dir, 1);
    assert_false(is_found("1", "f32", path));
    snprintf(want, sizeof want, "%s/.cache/gmner/vision/", dir);
    assert_int_equal(strncmp(path, want, strlen(want)), 0);
    setenv("HOME", "", 1);
    assert_false(is_found("1", "f32", path));
    assert_string_equal(path, "");
}

static void what_was_not_used_for_longest_goes_first(void **state)
{
    (void)state;
    char path[3][512];
    static const char *const how[3] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        keep("1", how[i]);
        assert_true(is_found("1", how[i], path[i]));
        struct timespec times[2] = {{1000 + i, 0}, {1000 + i, 0}};
        assert_int_equal(utimensat(AT_FDCWD, path[i], times, 0), 0);
    }
    assert_true(is_found("1", "a", NULL)); /* used now: b is the oldest */
    /* Files without blocks, which are as large as all may be together. */
    char big[512], mine[512];
    snprintf(big, sizeof big, "%s/%s", folder, "0.prepared");
    snprintf(mine, sizeof mine, "%s/%s", folder, "notes.txt");
    for (int i = 0; i < 2; i++) {
        int fd = open(i ? mine : big, O_CREAT | O_WRONLY, 0600);
        assert_int_equal(ftruncate(fd, GM_PREPARED_BYTES_MAX - 250000), 0);
        close(fd);
    }
    keep("1", "d");
    assert_false(gm_is_file(path[1]));
    assert_false(gm_is_file(path[2]));
    assert_true(gm_is_file(path[0]) && gm_is_file(big) && gm_is_file(mine));
    assert_true(is_found("1", "d", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_kept_is_found, set_up, clear_up),
        cmocka_unit_test_setup_teardown(another_model_is_another_file, set_up, clear_up),
        cmocka_unit_test_setup_teardown(damage_is_seen_and_mended, set_up, clear_up),
        cmocka_unit_test_setup_teardown(a_file_under_another_name_is_foreign, set_up, clear_up),
        cmocka_unit_test_setup_teardown(what_is_no_file_of_ours_is_replaced_or_left, set_up,
                                        clear_up),
        cmocka_unit_test_setup_teardown(without_a_folder_nothing_is_kept, set_up, clear_up),
        cmocka_unit_test_setup_teardown(the_folder_follows_the_environment, set_up, clear_up),
        cmocka_unit_test_setup_teardown(what_was_not_used_for_longest_goes_first, set_up, clear_up),
    };
    if (listing_tests())
        return cmocka_run_group_tests(tests, NULL, NULL);
    if (!mkdtemp(dir))
        return 1;
    snprintf(model, sizeof model, "%s/model.onnx", dir);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(model);
    rmdir(dir);
    return failed;
}
