/* safetensors: what is written reads back the same, and every kind of broken file is refused with a
 * message that names the file and the tensor. */
#include "nn/safetensors.h"

#include "nn_check.h"

#include <sys/stat.h>

enum { MAX_FILE = 1 << 16 };

static const char *file = NULL; /* where the tests write */

static void put_file(const void *data, size_t n)
{
    FILE *f = fopen(file, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* A file of this header text (its length in front) and n_data zero bytes. */
static size_t build(char *out, const char *header, size_t n_header, size_t n_data)
{
    assert_true(8 + n_header + n_data <= MAX_FILE);
    for (size_t i = 0; i < 8; i++)
        out[i] = (char)((uint64_t)n_header >> (8 * i));
    memcpy(out + 8, header, n_header);
    memset(out + 8 + n_header, 0, n_data);
    return 8 + n_header + n_data;
}

static void expect_refused(enum gm_status want, const char *part)
{
    struct gm_safetensors *f = NULL;
    struct gm_error err = {0};
    enum gm_status st = gm_safetensors_open(&f, file, &err);
    if (st != want)
        fail_msg("status %d \"%s\", expected %d (%s)", (int)st, err.msg, (int)want, part);
    assert_null(f);
    assert_int_equal(err.code, want);
    check_message(&err, file);
    check_message(&err, part);
    assert_int_equal(gm_safetensors_open(&f, file, NULL), want); /* err NULL is allowed */
    assert_int_equal(gm_alloc_live(), 0);
}

static void all_types_round_trip(void **state)
{
    (void)state;
    static const float f32[6] = {1, -2.5f, 0, 3e38f, 1e-40f, -0.0f};
    static const uint16_t half[3] = {0x3F80, 0xBF80, 0x7FC0};
    static const int64_t i64[2] = {INT64_MIN, INT64_MAX};
    static const int32_t i32[1] = {-7};
    static const int8_t i8[3] = {-128, 0, 127};
    static const uint8_t u8[5] = {0, 1, 2, 254, 255};
    /* Bytes in front of wider types: the writer must order the data so that all is aligned. */
    const struct gm_tensor t[] = {
        {GM_U8, 1, {5}, u8},      {GM_I8, 3, {1, 3, 1}, i8},       {GM_BF16, 1, {3}, half},
        {GM_F32, 2, {2, 3}, f32}, {GM_F16, 4, {1, 1, 3, 1}, half}, {GM_I64, 1, {2}, i64},
        {GM_I32, 0, {0}, i32},    {GM_F32, 2, {0, 4}, f32},
    };
    static const char *const names[] = {"u8",  "i8",  "bf16",   "f\"32\" é",
                                        "f16", "i64", "scalar", "none"};
    static const char *const metadata[] = {"format", "pt", "note", "a \"quoted\"\nline", NULL};
    const size_t n = sizeof t / sizeof *t;
    struct gm_safetensors *f;
    struct gm_str s;
    ASSERT_OK(gm_safetensors_write(file, t, names, n, metadata, err));
    ASSERT_OK(gm_safetensors_open(&f, file, err));
    assert_int_equal(gm_safetensors_count(f), n);
    assert_string_equal(gm_safetensors_path(f), file);
    for (size_t i = 0; i < n; i++) {
        struct gm_tensor got;
        assert_true(gm_safetensors_get(f, names[i], &got));
        assert_int_equal(got.dtype, t[i].dtype);
        assert_int_equal(got.rank, t[i].rank);
        for (unsigned k = 0; k < t[i].rank; k++)
            assert_int_equal(got.shape[k], t[i].shape[k]);
        assert_int_equal((uintptr_t)got.data % gm_dtype_size(got.dtype), 0);
        assert_memory_equal(got.data, t[i].data,
                            gm_tensor_count(&t[i]) * gm_dtype_size(t[i].dtype));
    }
    struct gm_tensor none;
    assert_false(gm_safetensors_get(f, "absent", &none));
    assert_false(gm_safetensors_get(f, "__metadata__", &none));
    assert_true(gm_safetensors_metadata(f, "note", &s));
    assert_string_equal(s.p, metadata[3]);
    assert_false(gm_safetensors_metadata(f, "absent", &s));
    size_t seen = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            seen += strcmp(gm_safetensors_name(f, i), names[k]) == 0;
    assert_int_equal(seen, n);
    gm_safetensors_free(f);
    gm_safetensors_free(NULL);
    assert_int_equal(gm_alloc_live(), 0);
}

static void empty_file_of_no_tensors(void **state)
{
    (void)state;
    struct gm_safetensors *f;
    struct gm_str s;
    ASSERT_OK(gm_safetensors_write(file, NULL, NULL, 0, NULL, err));
    ASSERT_OK(gm_safetensors_open(&f, file, err));
    assert_int_equal(gm_safetensors_count(f), 0);
    assert_false(gm_safetensors_metadata(f, "format", &s));
    gm_safetensors_free(f);
    assert_int_equal(gm_alloc_live(), 0);
}

#define T(dtype, shape, range) \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" range "}"
#define ONE(dtype, shape, range) "{\"tt\":" T(dtype, shape, range) "}"

/* Broken headers: the text, the bytes of data behind it, and what the message must say. */
static const struct {
    const char *header;
    size_t n_data;
    const char *says;
} broken[] = {
    {"", 0, "not valid JSON"},
    {"nonsense", 0, "not valid JSON"},
    {"{\"tt\":", 0, "not valid JSON"},
    {"[]", 0, "no JSON object"},
    {"\"text\"", 0, "no JSON object"},
    {"null", 0, "no JSON object"},
    {"{} x", 0, "not valid JSON"},
    {"{}{}", 0, "not valid JSON"},
    {"{\"t\xff\":1}", 0, "not valid JSON"},
    {"{\"tt\":5}", 0, "tt"},
    {"{\"tt\":null}", 0, "tt"},
    {"{\"tt\":[]}", 0, "tt"},
    {"{\"tt\":{}}", 0, "tt has no dtype"},
    {"{\"tt\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tt has no dtype"},
    {"{\"tt\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tt has no dtype"},
    {ONE("F64", "[1]", "[0,8]"), 8, "tt: unknown dtype \"F64\""},
    {ONE("f32", "[1]", "[0,4]"), 4, "tt: unknown dtype \"f32\""},
    {ONE("", "[1]", "[0,4]"), 4, "tt: unknown dtype"},
    {ONE("F32", "[-1]", "[0,4]"), 4, "tt: shape"},
    {ONE("F32", "[1.0]", "[0,4]"), 4, "tt: shape"},
    {ONE("F32", "[1.5]", "[0,6]"), 6, "tt: shape"},
    {ONE("F32", "[\"1\"]", "[0,4]"), 4, "tt: shape"},
    {ONE("F32", "[99999999999999999999]", "[0,4]"), 4, ""},
    {ONE("F32", "[9223372036854775807]", "[0,4]"), 4, "tt"},
    {ONE("F32", "[4611686018427387904,4]", "[0,0]"), 0, "tt"}, /* 2^64: wraps to zero */
    {ONE("F32", "[4294967296,4294967296]", "[0,0]"), 0, "tt"},
    {ONE("F32", "[4611686018427387905]", "[0,4]"), 4, "tt"}, /* times 4 wraps to 4 */
    {ONE("F32", "1", "[0,4]"), 4, "tt: shape"},
    {ONE("F32", "{}", "[0,4]"), 4, "tt: shape"},
    {ONE("F32", "[1,1,1,1,1]", "[0,4]"), 4, "tt: shape"},
    {ONE("F32", "[2]", "[0,4]"), 4, "tt: its shape and its 4 bytes"},
    {ONE("F32", "[0]", "[0,4]"), 4, "tt: its shape"},
    {ONE("BF16", "[2]", "[0,8]"), 8, "tt: its shape"},
    {"{\"tt\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "tt: shape"},
    {"{\"tt\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "tt: data_offsets"},
    {ONE("F32", "[1]", "[]"), 4, "tt: data_offsets"},
    {ONE("F32", "[1]", "[0]"), 4, "tt: data_offsets"},
    {ONE("F32", "[1]", "[0,4,8]"), 4, "tt: data_offsets"},
    {ONE("F32", "[1]", "{\"0\":0,\"1\":4}"), 4, "tt: data_offsets"},
    {ONE("F32", "[1]", "[4,0]"), 4, "tt: data_offsets"},
    {ONE("F32", "[1]", "[-4,0]"), 4, "tt: data_offsets"},
    {ONE("F32", "[1]", "[0.0,4.0]"), 4, "tt: data_offsets"},
    {ONE("F32", "[1]", "[4,8]"), 4, "tt: data_offsets"},
    {ONE("F32", "[2]", "[0,8]"), 4, "tt: data_offsets"},
    {ONE("F32", "[1]", "[0,9223372036854775807]"), 4, "tt: data_offsets"},
    {"{\"aa\":" T("F32", "[2]", "[0,8]") ",\"bb\":" T("F32", "[2]", "[4,12]") "}", 12,
     "bb: its data overlaps"},
    {"{\"aa\":" T("F32", "[2]", "[0,8]") ",\"bb\":" T("F32", "[2]", "[0,8]") "}", 8, "overlaps"},
    {"{\"aa\":" T("F32", "[3]", "[0,12]") ",\"bb\":" T("F32", "[1]", "[4,8]") "}", 12,
     "bb: its data overlaps"},
    {"{\"aa\":" T("F32", "[1]", "[0,4]") ",\"bb\":" T("F32", "[1]", "[8,12]") "}", 12,
     "bb: its data follows a hole"},
    {ONE("F32", "[1]", "[4,8]"), 8, "tt: its data follows a hole"},
    {ONE("F32", "[1]", "[0,4]"), 5, "1 bytes behind the last tensor"},
    {"{}", 3, "3 bytes behind the last tensor"},
    {"{\"aa\":" T("I8", "[1]", "[0,1]") ",\"tt\":" T("F32", "[1]", "[1,5]") "}", 5,
     "tt is not aligned"},
};

static void broken_headers(void **state)
{
    (void)state;
    static char bytes[MAX_FILE], header[4096];
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        /* Padded, as real files are, so that only what the row is about is misaligned. */
        size_t n = strlen(broken[i].header), padded = (n + 7) / 8 * 8;
        memset(header, ' ', padded);
        memcpy(header, broken[i].header, n);
        put_file(bytes, build(bytes, header, padded, broken[i].n_data));
        expect_refused(GM_EFORMAT, broken[i].says);
    }
}

static void short_and_lying_lengths(void **state)
{
    (void)state;
    static const struct {
        unsigned char length[8];
        const char *says;
    } lies[] = {
        {{3}, "longer than the file"},
        {{0, 0, 1}, "longer than the file"},
        {{0x01, 0xE1, 0xF5, 0x05}, "100 MB"}, /* 100,000,001 */
        {{0, 0xE1, 0xF5, 0x05}, "longer than the file"},
        {{0, 0, 0, 0, 1}, "100 MB"},
        {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, "100 MB"},
        {{0xF8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, "100 MB"}, /* 8 + it wraps to 0 */
        {{0, 0, 0, 0, 0, 0, 0, 0x80}, "100 MB"},
    };
    for (size_t n = 0; n < 8; n++) {
        put_file("\2\0\0\0\0\0\0\0", n);
        expect_refused(GM_EFORMAT, n ? "too short" : "empty file");
    }
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        unsigned char bytes[10] = {0};
        memcpy(bytes, lies[i].length, 8);
        memcpy(bytes + 8, "{}", 2);
        put_file(bytes, sizeof bytes);
        expect_refused(GM_EFORMAT, lies[i].says);
    }
}

static void nested_header(void **state)
{
    (void)state;
    static char bytes[MAX_FILE], header[40000];
    memset(header, '[', sizeof header);
    put_file(bytes, build(bytes, header, sizeof header, 0));
    expect_refused(GM_EFORMAT, "not valid JSON");
}

static size_t small_valid(unsigned char *bytes)
{
    static const float f[3] = {1, 2, 3};
    static const uint16_t h[2] = {1, 2};
    const struct gm_tensor t[] = {{GM_F32, 2, {3, 1}, f}, {GM_BF16, 1, {2}, h}};
    static const char *const names[] = {"first", "second"};
    ASSERT_OK(gm_safetensors_write(file, t, names, 2, (const char *const[]){"k", "v", NULL}, err));
    FILE *in = fopen(file, "rb");
    assert_non_null(in);
    size_t n = fread(bytes, 1, MAX_FILE, in);
    fclose(in);
    return n;
}

static void every_truncation(void **state)
{
    (void)state;
    static unsigned char bytes[MAX_FILE];
    size_t n = small_valid(bytes);
    for (size_t cut = 0; cut < n; cut++) {
        put_file(bytes, cut);
        expect_refused(GM_EFORMAT, "");
    }
}

/* Whatever comes out of damage: an error with a message, or tensors that can be read whole. */
static void try_damaged(void)
{
    struct gm_safetensors *f = NULL;
    struct gm_error err = {0};
    volatile unsigned sum = 0;
    if (gm_safetensors_open(&f, file, &err) != GM_OK) {
        assert_null(f);
        assert_int_equal(err.code, GM_EFORMAT);
        check_message(&err, file);
    } else {
        for (size_t i = 0; i < gm_safetensors_count(f); i++) {
            struct gm_tensor t;
            struct gm_str s;
            assert_true(gm_safetensors_get(f, gm_safetensors_name(f, i), &t));
            assert_in_range(t.rank, 0, GM_MAX_RANK);
            for (size_t b = 0; b < gm_tensor_count(&t) * gm_dtype_size(t.dtype); b++)
                sum += ((const unsigned char *)t.data)[b];
            (void)gm_safetensors_metadata(f, "k", &s);
        }
        gm_safetensors_free(f);
    }
    assert_int_equal(gm_alloc_live(), 0);
}

static void random_damage(void **state)
{
    (void)state;
    static unsigned char good[MAX_FILE], bad[MAX_FILE];
    static const char palette[] = "0123456789-.,:[]{}\"eE \\u\0\xff";
    struct gm_rng r;
    gm_rng_init(&r, 11);
    size_t n = small_valid(good);
    for (int round = 0; round < 4000; round++) {
        memcpy(bad, good, n);
        size_t changes = 1 + gm_rng_below(&r, 4);
        for (size_t i = 0; i < changes; i++) {
            size_t at = gm_rng_below(&r, n);
            if (round % 2)
                bad[at] ^= (unsigned char)(1u << gm_rng_below(&r, 8));
            else
                bad[at] = (unsigned char)palette[gm_rng_below(&r, sizeof palette)];
        }
        put_file(bad, n);
        try_damaged();
    }
}

static void unreadable_places(void **state)
{
    (void)state;
    const char *keep = file;
    file = "/tmp";
    expect_refused(GM_EIO, "directory");
    file = scratch_path("absent.safetensors");
    expect_refused(GM_EIO, "cannot open");
    file = keep;
}

static void expect_unwritable(const char *path)
{
    /* Large enough that no buffer hides the failure until the file is closed. */
    static const float data[100000];
    const struct gm_tensor t = {GM_F32, 1, {100000}, data};
    struct gm_error err = {0};
    assert_int_equal(gm_safetensors_write(path, &t, (const char *const[]){"tt"}, 1, NULL, &err),
                     GM_EIO);
    check_message(&err, path);
    assert_int_equal(gm_alloc_live(), 0);
}

static void unwritable_places(void **state)
{
    (void)state;
    expect_unwritable("/tmp");
    expect_unwritable("/nonexistent-folder/x.safetensors");
    expect_unwritable(scratch_path("no-folder/x.safetensors"));
    expect_unwritable("/dev/full");
    /* Little data stays in the buffer until the end: the failure must still be seen. */
    struct gm_error err = {0};
    assert_int_equal(gm_safetensors_write("/dev/full", NULL, NULL, 0, NULL, &err), GM_EIO);
    check_message(&err, "/dev/full");
}

/* Each allocation of our own fails in turn: NOMEM, nothing left behind, and the old file whole. */
static void memory_runs_out(void **state)
{
    (void)state;
    static unsigned char bytes[MAX_FILE];
    static const float f[3] = {4, 5, 6};
    const struct gm_tensor t = {GM_F32, 1, {3}, f};
    struct gm_error err = {0};
    struct gm_safetensors *s = NULL;
    enum gm_status st = GM_ENOMEM;
    size_t n = small_valid(bytes), at = 0;
    while (st != GM_OK) {
        gm_alloc_fail_at(++at);
        st = gm_safetensors_open(&s, file, &err);
        gm_alloc_fail_at(0);
        if (st != GM_OK) {
            assert_int_equal(st, GM_ENOMEM);
            assert_null(s);
            assert_int_equal(gm_alloc_live(), 0);
        }
    }
    gm_safetensors_free(s);
    assert_true(at > 2);
    for (at = 0, st = GM_ENOMEM; st != GM_OK;) {
        gm_alloc_fail_at(++at);
        st = gm_safetensors_write(file, &t, (const char *const[]){"tt"}, 1, NULL, &err);
        gm_alloc_fail_at(0);
        assert_int_equal(gm_alloc_live(), 0);
        if (st == GM_OK)
            break;
        assert_int_equal(st, GM_ENOMEM);
        struct stat sb;
        assert_int_equal(stat(file, &sb), 0);
        assert_int_equal(sb.st_size, n);
    }
    assert_true(at > 2);
}

static void half_floats(void **state)
{
    (void)state;
    static const struct {
        uint16_t bits;
        float value;
    } f16[] = {
        {0x0000, 0},
        {0x3C00, 1},
        {0xC000, -2},
        {0x7BFF, 65504},
        {0x0400, 0x1p-14f},
        {0x0001, 0x1p-24f},
        {0x03FF, 1023 * 0x1p-24f},
        {0x8001, -0x1p-24f},
        {0x3555, 0.333251953125f},
    };
    for (size_t i = 0; i < sizeof f16 / sizeof *f16; i++) {
        const struct gm_tensor t = {GM_F16, 1, {1}, &f16[i].bits};
        float x;
        gm_tensor_to_f32(&t, 0, 1, &x);
        assert_true(x == f16[i].value);
    }
    const uint16_t special[] = {0x7C00, 0xFC00, 0x7E00, 0x8000};
    const struct gm_tensor t = {GM_F16, 1, {4}, special};
    float x[4];
    gm_tensor_to_f32(&t, 0, 4, x);
    assert_true(isinf(x[0]) && x[0] > 0 && isinf(x[1]) && x[1] < 0 && isnan(x[2]));
    assert_true(x[3] == 0 && signbit(x[3]));
}

int main(void)
{
    static char path[256];
    snprintf(path, sizeof path, "%s", scratch_path("t.safetensors"));
    file = path;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_types_round_trip), cmocka_unit_test(empty_file_of_no_tensors),
        cmocka_unit_test(broken_headers),       cmocka_unit_test(short_and_lying_lengths),
        cmocka_unit_test(nested_header),        cmocka_unit_test(every_truncation),
        cmocka_unit_test(random_damage),        cmocka_unit_test(unreadable_places),
        cmocka_unit_test(unwritable_places),    cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(half_floats),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + !scratch_remove((const char *const[]){"t.safetensors", NULL});
}
