/* Files: whole, mapped, line by line; outputs that appear whole or not at all; paths; what results depend on. */

#include "unit.h"

#include "base/file.h"
#include "base/fingerprint.h"
#include "base/input.h"
#include "base/path.h"
#include "base/lines.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/gm_test_file_XXXXXX"; /* removed at the end; must then be empty */

static const char *in_dir(const char *name)
{
    static char path[4][256];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static const char *put(const char *name, struct gm_str data)
{
    const char *path = in_dir(name);
    assert_int_equal(gm_file_write(path, data, NULL), GM_OK);
    return path;
}

static void expect_content(const char *path, const char *want)
{
    struct gm_buf b;
    gm_buf_init(&b, 1 << 20);
    assert_int_equal(gm_file_read(path, &b, NULL), GM_OK);
    assert_string_equal(b.p, want);
    gm_buf_clear(&b);
}

static size_t n_files(void)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* ---- reading ---- */

static void whole_files(void **state)
{
    struct gm_buf b;
    struct gm_map m;
    struct gm_error err;
    (void)state;
    gm_buf_init(&b, 8);
    const char *path = put("a", GM_STR("12345"));
    assert_int_equal(gm_file_read(path, &b, &err), GM_OK);
    assert_int_equal(gm_file_read(path, &b, &err), GM_ENOMEM); /* appends: 10 bytes over 8 */
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(gm_file_read(put("a", GM_STR("678")), &b, &err), GM_OK);
    assert_string_equal(b.p, "12345678");
    gm_buf_clear(&b);
    assert_int_equal(gm_map_open(&m, path, &err), GM_OK);
    assert_int_equal(m.n, 3);
    assert_memory_equal(m.p, "678", 3);
    gm_map_close(&m);
    gm_map_close(&m);
    gm_map_close(NULL);
    expect_content(put("a", GM_STR("")), "");
    assert_int_equal(gm_map_open(&m, path, &err), GM_EFORMAT);
    assert_non_null(strstr(err.msg, "empty file"));
    unlink(path);
    assert_int_equal(gm_file_read(path, &b, &err), GM_EIO);
    assert_non_null(strstr(err.msg, "No such file"));
    assert_int_equal(gm_map_open(&m, path, &err), GM_EIO);
    assert_int_equal(gm_file_read(dir, &b, &err), GM_EIO);
    assert_non_null(strstr(err.msg, "is a directory"));
    assert_int_equal(gm_map_open(&m, dir, &err), GM_EIO);
    gm_buf_clear(&b);
    gm_buf_init(&b, 100000);
    assert_int_equal(gm_file_read("/dev/zero", &b, &err), GM_ENOMEM); /* has no end */
    gm_buf_clear(&b);
}

/* The lines of `content`, joined by '|', with "!" for one that was refused. */
static void expect_lines(struct gm_str content, size_t max_line, const char *want)
{
    struct gm_lines *l;
    struct gm_str line;
    struct gm_error err;
    char got[256] = "";
    bool has = true;
    size_t n = 0;
    const char *path = put("lines", content);
    assert_int_equal(gm_lines_open(&l, path, max_line, &err), GM_OK);
    assert_string_equal(gm_lines_path(l), path);
    for (;;) {
        enum gm_status st = gm_lines_next(l, &line, &has, &err);
        if (!has)
            break;
        n++;
        assert_int_equal(gm_lines_number(l), n);
        if (st != GM_OK) {
            char where[300];
            assert_int_equal(st, GM_EFORMAT);
            snprintf(where, sizeof where, "%s:%zu: ", path, n);
            assert_int_equal(strncmp(err.msg, where, strlen(where)), 0);
            line = GM_STR("!");
        }
        snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s|", GM_STR_ARG(line));
    }
    assert_int_equal(gm_lines_next(l, &line, &has, &err), GM_OK); /* stays at the end */
    assert_false(has);
    gm_lines_free(l);
    assert_string_equal(got, want);
    unlink(path);
}

static void lines(void **state)
{
    (void)state;
    expect_lines(GM_STR("a\nb\n"), 10, "a|b|");
    expect_lines(GM_STR("a\n\nb"), 10, "a||b|"); /* no final newline */
    expect_lines(GM_STR("a\r\n\r\nb\r\r\n\r"), 10, "a||b\r||");
    expect_lines(GM_STR("\xEF\xBB\xBF"
                        "a\n\xEF\xBB\xBF"
                        "b"),
                 10,
                 "a|\xEF\xBB\xBF"
                 "b|");
    expect_lines(GM_STR("\xEF\xBB\xBF"), 10, "|");
    expect_lines(GM_STR(""), 10, "");
    expect_lines(GM_STR("\n"), 10, "|");
    expect_lines(GM_STR("12345\n123456\nok\n1234567890"), 5, "12345|!|ok|!|");
    expect_lines(GM_STR("123456"), 5, "!|");
    expect_lines(GM_STR("a\xFF\n\x01"), 10, "a\xFF|\x01|"); /* any bytes */
}

/* Lines longer than the reader's chunk, and an over-long one that is skipped without being held. */
static void long_lines(void **state)
{
    enum { LONG = 300000 };
    struct gm_lines *l;
    struct gm_str line;
    struct gm_buf b;
    bool has;
    (void)state;
    gm_buf_init(&b, 64 << 20);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k <= LONG; k++)
            assert_int_equal(gm_buf_add(&b, k < LONG ? "x" : "\n", 1, NULL), GM_OK);
    assert_int_equal(gm_buf_reserve(&b, 20 << 20, NULL), GM_OK);
    memset(b.p + b.n, 'y', 20 << 20);
    b.n += 20 << 20;
    assert_int_equal(gm_buf_add_c(&b, "\nend", NULL), GM_OK);
    const char *path = put("lines", gm_buf_str(&b));
    assert_int_equal(gm_lines_open(&l, path, LONG, NULL), GM_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gm_lines_next(l, &line, &has, NULL), GM_OK);
        assert_int_equal(line.n, LONG);
    }
    assert_int_equal(gm_lines_next(l, &line, &has, NULL), GM_EFORMAT);
    assert_int_equal(gm_lines_number(l), 4);
    assert_int_equal(gm_lines_next(l, &line, &has, NULL), GM_OK);
    assert_true(has && gm_str_eq_c(line, "end"));
    gm_lines_free(l);
    gm_buf_clear(&b);
    unlink(path);
}

static void lines_of_nothing(void **state)
{
    struct gm_lines *l;
    struct gm_error err;
    (void)state;
    assert_int_equal(gm_lines_open(&l, in_dir("missing"), 10, &err), GM_EIO);
    assert_null(l);
    assert_int_equal(gm_lines_open(&l, dir, 10, &err), GM_EIO);
    assert_non_null(strstr(err.msg, "is a directory"));
    gm_lines_free(NULL);
}

/* ---- writing ---- */

/* All of a pipe: the copy may be as large as its maximum and no larger. */
static void input_at_its_limit(void **state)
{
    enum { N = 60000 }; /* fits a pipe */
    static char content[N];
    (void)state;
    memset(content, 'x', N);
    for (size_t max = N - 1; max <= N + 1; max++) {
        struct gm_map map = {0};
        struct gm_buf copy;
        struct gm_str text;
        struct gm_input *in;
        const char *path = in_dir("pipe");
        assert_int_equal(mkfifo(path, 0600), 0);
        int fd = open(path, O_RDWR);
        assert_int_equal(write(fd, content, N), N);
        gm_buf_init(&copy, max);
        assert_int_equal(gm_input_open(&in, path, NULL), GM_OK);
        close(fd);
        assert_int_equal(gm_input_all(in, &map, &copy, &text, NULL), max < N ? GM_ENOMEM : GM_OK);
        assert_int_equal(strlen(copy.p), max < N ? max : N); /* it is ended */
        gm_input_close(in);
        gm_buf_clear(&copy);
        unlink(path);
    }
}

static void output_replaces_on_commit(void **state)
{
    struct gm_out *o;
    const char *path = put("out", GM_STR("old"));
    (void)state;
    assert_int_equal(gm_out_open(&o, path, NULL), GM_OK);
    assert_int_equal(gm_out_write(o, GM_STR("new "), NULL), GM_OK);
    assert_int_equal(gm_out_write(o, GM_STR(""), NULL), GM_OK);
    assert_int_equal(gm_out_write(o, GM_STR("text"), NULL), GM_OK);
    assert_int_equal(gm_out_flush(o, NULL), GM_OK);
    expect_content(path, "old"); /* a reader never sees half */
    assert_int_equal(n_files(), 2);
    assert_int_equal(gm_out_commit(o, NULL), GM_OK);
    expect_content(path, "new text");
    assert_int_equal(n_files(), 1);
    unlink(path);
}

static void output_is_dropped_on_abort(void **state)
{
    struct gm_out *o, *other;
    const char *path = put("out", GM_STR("old"));
    (void)state;
    assert_int_equal(gm_out_open(&o, path, NULL), GM_OK);
    assert_int_equal(gm_out_open(&other, path, NULL), GM_OK); /* two at once do not meet */
    assert_int_equal(gm_out_write(o, GM_STR("new"), NULL), GM_OK);
    gm_out_abort(o);
    gm_out_abort(other);
    gm_out_abort(NULL);
    expect_content(path, "old");
    assert_int_equal(n_files(), 1);
    unlink(path);
}

static void output_that_cannot_be_written(void **state)
{
    struct gm_out *o;
    struct gm_error err;
    (void)state;
    assert_int_equal(gm_out_open(&o, dir, &err), GM_EIO);
    assert_null(o);
    assert_non_null(strstr(err.msg, "is a directory"));
    assert_int_equal(gm_out_open(&o, in_dir("no/such/folder"), &err), GM_EIO);
    assert_non_null(strstr(err.msg, "no/such/folder"));
    /* the target becomes a folder in the meantime: nothing is left behind */
    const char *path = in_dir("turned");
    assert_int_equal(gm_out_open(&o, path, &err), GM_OK);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_int_equal(gm_out_commit(o, &err), GM_EIO);
    rmdir(path);
    assert_int_equal(n_files(), 0);
    if (geteuid() != 0) { /* root may write anywhere; e2e/bad_input takes that right away */
        chmod(dir, 0500);
        assert_int_equal(gm_out_open(&o, in_dir("x"), &err), GM_EIO);
        chmod(dir, 0700);
    }
}

static void full_disk(void **state)
{
    struct gm_out *o;
    struct gm_error err;
    char *big = gm_alloc(1 << 20, 1);
    (void)state;
    assert_int_equal(gm_out_open(&o, "/dev/full", &err), GM_OK);
    assert_int_equal(gm_out_write(o, GM_STR("small"), &err), GM_OK); /* still in the buffer */
    assert_int_equal(gm_out_commit(o, &err), GM_EIO);
    assert_non_null(strstr(err.msg, "/dev/full"));
    assert_non_null(strstr(err.msg, "No space left"));
    assert_int_equal(gm_out_open(&o, "/dev/full", &err), GM_OK);
    assert_int_equal(gm_out_write(o, (struct gm_str){big, 1 << 20}, &err), GM_EIO);
    gm_out_abort(o);
    assert_int_equal(gm_file_write("/dev/full", GM_STR("x"), &err), GM_EIO);
    assert_int_equal(access("/dev/full", W_OK), 0); /* it was written to, not replaced */
    gm_free(big);
}

static void output_to_a_pipe(void **state)
{
    char got[8] = "";
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
    assert_int_equal(gm_file_write(path, GM_STR("piped"), NULL), GM_OK);
    assert_int_equal(read(ends[0], got, sizeof got), 5);
    assert_string_equal(got, "piped");
    close(ends[0]);
    close(ends[1]);
}

/* ---- folders and paths ---- */

static void folders(void **state)
{
    struct gm_error err;
    (void)state;
    assert_int_equal(gm_mkdirs(in_dir("a/b/c"), &err), GM_OK);
    assert_int_equal(gm_mkdirs(in_dir("a/b/c"), &err), GM_OK);
    assert_int_equal(gm_mkdirs(in_dir("a/b/"), &err), GM_OK);
    assert_true(gm_is_dir(in_dir("a/b/c")) && !gm_is_file(in_dir("a/b/c")));
    put("a/file", GM_STR("x"));
    assert_true(gm_is_file(in_dir("a/file")) && !gm_is_dir(in_dir("a/file")) &&
                !gm_is_file(in_dir("a/no")));
    assert_int_equal(gm_mkdirs(in_dir("a/file"), &err), GM_EIO);
    assert_int_equal(gm_mkdirs(in_dir("a/file/x"), &err), GM_EIO);
    assert_non_null(strstr(err.msg, "a/file"));
    unlink(in_dir("a/file"));
    rmdir(in_dir("a/b/c"));
    rmdir(in_dir("a/b"));
    rmdir(in_dir("a"));
}

/* In order, without hidden names; too many, and no folder, are errors. */
static void names_in_a_folder(void **state)
{
    struct gm_arena a;
    struct gm_error err;
    const char **names;
    size_t n;
    (void)state;
    gm_arena_init(&a, 0);
    assert_int_equal(gm_mkdirs(in_dir("names/b"), &err), GM_OK);
    put("names/c", GM_STR(""));
    put("names/a", GM_STR(""));
    put("names/.hidden", GM_STR(""));
    assert_int_equal(gm_dir_list(&a, in_dir("names"), 3, &names, &n, &err), GM_OK);
    assert_int_equal(n, 3);
    assert_true(*names[0] == 'a' && *names[1] == 'b' && *names[2] == 'c');
    assert_int_equal(gm_dir_list(&a, in_dir("names"), 2, &names, &n, &err), GM_EFORMAT);
    assert_non_null(strstr(err.msg, "names: over 2 files"));
    assert_int_equal(gm_dir_list(&a, in_dir("names/a"), 2, &names, &n, &err), GM_EIO);
    assert_non_null(strstr(err.msg, "names/a: cannot read the folder"));
    unlink(in_dir("names/c"));
    unlink(in_dir("names/a"));
    unlink(in_dir("names/.hidden"));
    rmdir(in_dir("names/b"));
    rmdir(in_dir("names"));
    gm_arena_clear(&a);
}

static void paths(void **state)
{
    struct gm_arena a;
    const char *found;
    (void)state;
    gm_arena_init(&a, 0);
    assert_string_equal(gm_path_join(&a, "d", "f"), "d/f");
    assert_string_equal(gm_path_join(&a, "d/", "f"), "d/f");
    assert_string_equal(gm_path_join(&a, "d", "/f"), "/f");
    assert_string_equal(gm_path_join(&a, "", "f"), "f");
    assert_string_equal(gm_path_dir(&a, "d/e/f"), "d/e");
    assert_string_equal(gm_path_dir(&a, "f"), ".");
    assert_string_equal(gm_path_dir(&a, "/f"), "/");
    assert_string_equal(gm_path_below(&a, "d", GM_STR("f")).p, "d/f");
    assert_string_equal(gm_path_below(&a, "d/", GM_STR("e/f")).p, "d/e/f");
    assert_string_equal(gm_path_below(&a, "d", GM_STR("/f")).p, "d//f");
    assert_string_equal(gm_path_below(&a, "", GM_STR("f")).p, "f");
    assert_string_equal(gm_path_file(GM_STR("d/e/f")).p, "f");
    assert_string_equal(gm_path_file(GM_STR("f")).p, "f");
    assert_string_equal(gm_path_file(GM_STR("d/")).p, "");
    assert_string_equal(gm_path_absolute(&a, GM_STR("/f")).p, "/f");
    struct gm_str here = gm_path_absolute(&a, GM_STR("f"));
    assert_string_equal(gm_path_absolute(&a, GM_STR("././f")).p, here.p);
    assert_true(here.p[0] == '/' && gm_str_ends(here, GM_STR("/f")) && here.n > 2);
    put("here", GM_STR("x"));
    setenv("GMNER_HOME", dir, 1);
    assert_int_equal(gm_home_path(&a, "here", &found, NULL), GM_OK);
    assert_string_equal(found, in_dir("here"));
    assert_int_equal(gm_home_path(&a, "no such file anywhere", &found, NULL), GM_OK);
    assert_null(found);
    unsetenv("GMNER_HOME");
    assert_int_equal(gm_home_path(&a, "no such file anywhere", &found, NULL), GM_OK);
    assert_null(found);
    unlink(in_dir("here"));
    gm_arena_clear(&a);
}

/* ---- memory ---- */

static void torture(void **state)
{
    const char *path = put("t", GM_STR("one\ntwo\n"));
    (void)state;
    for (size_t n = 1;; n++) {
        struct gm_lines *l;
        struct gm_str line;
        struct gm_out *o;
        bool has;
        gm_alloc_fail_at(n);
        enum gm_status st = gm_lines_open(&l, path, 100, NULL);
        if (st == GM_OK)
            st = gm_lines_next(l, &line, &has, NULL);
        gm_lines_free(l);
        if (st == GM_OK && (st = gm_out_open(&o, path, NULL)) == GM_OK) {
            st = gm_out_write(o, GM_STR("x"), NULL);
            gm_out_abort(o);
        }
        if (st == GM_OK)
            st = gm_mkdirs(dir, NULL);
        gm_alloc_fail_at(0);
        assert_int_equal(gm_alloc_live(), 0);
        if (st == GM_OK) {
            assert_true(n > 5);
            break;
        }
        assert_int_equal(st, GM_ENOMEM);
    }
    expect_content(path, "one\ntwo\n");
    assert_int_equal(n_files(), 1);
    unlink(path);
}

/* ---- what results depend on ---- */

static const char *network(const char *name)
{
    static char text[800];
    struct gm_buf b;
    gm_buf_init(&b, sizeof text);
    assert_int_equal(gm_fingerprint_network("clip", in_dir(name), &b, NULL), GM_OK);
    snprintf(text, sizeof text, "%.*s", GM_STR_ARG(gm_buf_str(&b)));
    gm_buf_clear(&b);
    return text;
}

/* A network's lines, the last word of each left out. */
static void expect_keys(const char *name, const char *const *keys, size_t n)
{
    struct gm_str rest = gm_str(network(name)), line, key, sum;
    for (size_t i = 0; i < n; i++) {
        gm_str_cut(rest, '\n', &line, &rest);
        assert_true(gm_str_cut(line, '=', &key, &sum));
        assert_true(gm_str_eq_c(key, keys[i]));
        assert_int_equal(sum.n, 64);
    }
    assert_int_equal(rest.n, 0);
}

/* The weights that an .xml has beside it, and those that an .onnx names: several tensors in one file, one in
 * another, one in a file that is not there, and a name whose length takes two bytes. */
static void networks_with_their_weights(void **state)
{
    (void)state;
    char longer[140 + 1], onnx[600], before[800], key[200];
    memset(longer, 'n', 140);
    longer[140] = 0;
    int n = snprintf(
        onnx, sizeof onnx,
        "x\n\010location\022\006w.data..\n\010location\022\006w.data\n\010location\022"
        "\004gone\n\010location\022\006m.bin2\n\010location\022\214\001%s\n\010location\022",
        longer);
    put("m.onnx", (struct gm_str){onnx, (size_t)n});
    put("m.xml", GM_STR("<net/>"));
    put("alone.xml", GM_STR("<net/>"));
    put("m.bin", GM_STR("1"));
    put("m.bin2", GM_STR("2"));
    put("w.data", GM_STR("3"));
    put(longer, GM_STR("4"));
    snprintf(key, sizeof key, "clip/%s", longer);
    expect_keys("m.onnx", (const char *const[]){"clip", "clip/w.data", "clip/m.bin2", key}, 4);
    expect_keys("m.xml", (const char *const[]){"clip", "clip/m.bin"}, 2);
    expect_keys("alone.xml", (const char *const[]){"clip"}, 1);
    snprintf(before, sizeof before, "%s", network("m.onnx"));
    assert_string_equal(network("m.onnx"), before);
    put("w.data", GM_STR("5"));
    assert_string_not_equal(network("m.onnx"), before);
    static const char *const names[] = {"m.onnx", "m.xml",  "alone.xml",
                                        "m.bin",  "m.bin2", "w.data"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_dir(names[i]));
    unlink(in_dir(longer));
}

/* A large file's sample sees its length, head and end, and is the same for a copy. */
static void samples_of_large_files(void **state)
{
    (void)state;
    enum { MIB = 1 << 20 };
    char hex[2][GM_SHA256_HEX];
    char *bytes = gm_alloc(20 * MIB, 1);
    static const size_t at[] = {0, 7 * MIB, 20 * MIB - 1};
    const char *path = put("large", (struct gm_str){bytes, 20 * MIB});
    assert_int_equal(gm_fingerprint_sample(path, hex[0], NULL), GM_OK);
    for (size_t i = 0; i < 3; i++) {
        bytes[at[i]] = 1;
        put("large", (struct gm_str){bytes, 20 * MIB});
        bytes[at[i]] = 0;
        assert_int_equal(gm_fingerprint_sample(in_dir("large"), hex[1], NULL), GM_OK);
        assert_string_not_equal(hex[0], hex[1]);
    }
    put("large", (struct gm_str){bytes, 20 * MIB - 1});
    assert_int_equal(gm_fingerprint_sample(in_dir("large"), hex[1], NULL), GM_OK);
    assert_string_not_equal(hex[0], hex[1]);
    put("copy", (struct gm_str){bytes, 20 * MIB});
    assert_int_equal(gm_fingerprint_sample(in_dir("copy"), hex[1], NULL), GM_OK);
    assert_string_equal(hex[0], hex[1]);
    assert_int_equal(gm_fingerprint_sample(in_dir("none"), hex[1], NULL), GM_EIO);
    gm_free(bytes);
    unlink(in_dir("large"));
    unlink(in_dir("copy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_files),
        cmocka_unit_test(lines),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(lines_of_nothing),
        cmocka_unit_test(input_at_its_limit),
        cmocka_unit_test(output_replaces_on_commit),
        cmocka_unit_test(output_is_dropped_on_abort),
        cmocka_unit_test(output_that_cannot_be_written),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(output_to_a_pipe),
        cmocka_unit_test(folders),
        cmocka_unit_test(names_in_a_folder),
        cmocka_unit_test(paths),
        cmocka_unit_test(networks_with_their_weights),
        cmocka_unit_test(samples_of_large_files),
        cmocka_unit_test(torture),
    };
    if (!mkdtemp(dir))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return rmdir(dir) != 0 || failed;
}
