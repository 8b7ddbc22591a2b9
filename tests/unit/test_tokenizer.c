/* Ids and offsets of tokenizers against what the `tokenizers` library gave (tests/golden/tokenizers,
 * by tests/ref/tokenizers_reference.py); bad files; torture.
 * With arguments, reference files of that form are compared in place of the golden ones. */

#include "unit.h"

#include "base/file.h"
#include "base/lines.h"
#include "base/json.h"
#include "base/utf8.h"
#include "tokenizer/serde_number.h"
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char tokenizer_path[] = ".deps/models/minilm/tokenizer.json";
#define GOLDEN "tests/golden/tokenizers/"
static const char *const golden[] = {
    GOLDEN "wordpiece.jsonl",     GOLDEN "wordpiece-cased.jsonl", GOLDEN "unigram.jsonl",
    GOLDEN "unigram-bytes.jsonl", GOLDEN "bpe-roberta.jsonl",     GOLDEN "bpe-prefix.jsonl",
    GOLDEN "bpe-words.jsonl",     GOLDEN "bpe-clip.jsonl",        GOLDEN "bpe-fallback.jsonl",
};
static const char *const *references = golden;
static size_t n_references = sizeof golden / sizeof *golden;
static char small_path[] = "/tmp/gm_test_tokenizer_XXXXXX";
static struct gm_tokenizer *minilm;

static int setup(void **state)
{
    struct gm_error err;
    (void)state;
    if (gm_tokenizer_load(&minilm, tokenizer_path, &err) == GM_OK)
        return 0;
    fprintf(stderr, "%s\n", err.msg);
    return -1;
}

static int teardown(void **state)
{
    gm_tokenizer_free(minilm);
    return no_leak(state);
}

static long long int_at(const struct gm_json *array, size_t i)
{
    long long x = -1;
    gm_json_int(gm_json_at(array, i), &x);
    return x;
}

/* Whether the pieces are those of one reference line; says the first difference. */
static bool same(const struct gm_pieces *p, const struct gm_json *line, size_t number)
{
    const struct gm_json *ids = gm_json_get(line, "ids"), *at = gm_json_get(line, "offsets");
    for (size_t i = 0; i < p->n && i < gm_json_count(ids); i++) {
        struct gm_piece x = p->items[i];
        if (x.id == int_at(ids, i) &&
            (!at || (x.start == int_at(at, 2 * i) && x.end == int_at(at, 2 * i + 1))))
            continue;
        printf("line %zu piece %zu: %d [%u,%u), expected %lld [%lld,%lld)\n", number, i, (int)x.id,
               (unsigned)x.start, (unsigned)x.end, int_at(ids, i), int_at(at, 2 * i),
               int_at(at, 2 * i + 1));
        return false;
    }
    if (p->n != gm_json_count(ids))
        printf("line %zu: %zu pieces, expected %zu\n", number, p->n, gm_json_count(ids));
    return p->n == gm_json_count(ids);
}

/* The tokenizer of a reference file's first line: its text (by way of a scratch file) or its path. */
static struct gm_tokenizer *open_tokenizer(const struct gm_json *head)
{
    struct gm_tokenizer *t;
    struct gm_error err;
    struct gm_buf text;
    struct gm_str named = GM_STR("");
    const char *path;
    const struct gm_json *whole = gm_json_get(head, "tokenizer");
    gm_buf_init(&text, 1 << 26);
    gm_json_str(gm_json_get(head, "tokenizer_path"), &named);
    path = named.p;
    if (whole) {
        path = small_path;
        assert_int_equal(gm_json_write(whole, false, &text, NULL), GM_OK);
        assert_int_equal(gm_file_write(path, gm_buf_str(&text), NULL), GM_OK);
    }
    gm_buf_clear(&text);
    if ((gm_is_dir(path) ? gm_tokenizer_load_dir(&t, path, &err)
                         : gm_tokenizer_load(&t, path, &err)) != GM_OK)
        fail_msg("%s", err.msg);
    return t;
}

/* The pieces of one reference line's text, or of its words one by one; false: neither. */
static bool encode_line(const struct gm_tokenizer *t, const struct gm_json *line,
                        struct gm_pieces *p)
{
    struct gm_str text;
    const struct gm_json *words = gm_json_get(line, "words");
    gm_pieces_reset(p);
    if (gm_json_str(gm_json_get(line, "text"), &text))
        assert_int_equal(gm_tokenizer_encode(t, text, p, NULL), GM_OK);
    for (size_t i = 0; i < gm_json_count(words); i++) {
        assert_true(gm_json_str(gm_json_at(words, i), &text));
        assert_int_equal(gm_tokenizer_encode(t, text, p, NULL), GM_OK);
    }
    return words || gm_json_get(line, "text");
}

static void compare_file(const char *path)
{
    struct gm_lines *lines;
    struct gm_str line;
    struct gm_pieces p;
    struct gm_tokenizer *t = NULL;
    size_t n = 0, n_different = 0;
    bool has;
    gm_pieces_init(&p);
    assert_int_equal(gm_lines_open(&lines, path, 1 << 26, NULL), GM_OK);
    while (gm_lines_next(lines, &line, &has, NULL) == GM_OK && has) {
        struct gm_json *j;
        assert_int_equal(gm_json_parse(&j, line, NULL), GM_OK);
        if (!t)
            t = open_tokenizer(j);
        if (encode_line(t, j, &p)) {
            n_different += !same(&p, j, gm_lines_number(lines));
            n++;
        }
        gm_json_free(j);
    }
    gm_lines_free(lines);
    gm_pieces_clear(&p);
    gm_tokenizer_free(t);
    printf("%s: %zu texts compared, %zu differ\n", path, n, n_different);
    assert_true(n > 100);
    assert_int_equal(n_different, 0);
}

static void same_as_library(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_references; i++)
        compare_file(references[i]);
}

static void specials(void **state)
{
    (void)state;
    struct gm_special_tokens_ids s = gm_tokenizer_special(minilm);
    assert_int_equal(s.cls, 101);
    assert_int_equal(s.sep, 102);
    assert_int_equal(s.pad, 0);
    assert_int_equal(s.unk, 100);
    assert_int_equal(gm_tokenizer_n_ids(minilm), 30522);
    assert_int_equal(gm_tokenizer_id(minilm, GM_STR("##ing")), 2075);
    assert_int_equal(gm_tokenizer_id(minilm, GM_STR("no such token")), -1);
}

/* encode appends, and a word in which nothing is left appends nothing. */
static void appends(void **state)
{
    struct gm_pieces p;
    (void)state;
    gm_pieces_init(&p);
    assert_int_equal(gm_tokenizer_encode(minilm, GM_STR("London"), &p, NULL), GM_OK);
    assert_int_equal(gm_tokenizer_encode(minilm, GM_STR("\xEF\xB8\x8F"), &p, NULL), GM_OK);
    assert_int_equal(p.n, 1);
    assert_int_equal(gm_tokenizer_encode(minilm, GM_STR("Eye"), &p, NULL), GM_OK);
    assert_int_equal(p.n, 2);
    assert_int_equal(p.items[0].id, 2414);
    assert_int_equal(p.items[1].start, 0);
    assert_int_equal(p.items[1].end, 3);
    gm_pieces_clear(&p);
}

/* Sizes at which anything quadratic would not end: a word of a million letters, of a million marks
 * in the wrong order, of a million punctuation marks. */
static void huge_words(void **state)
{
    enum { N = 1000000 };
    static const struct {
        const char *unit;
        size_t n_pieces;
    } cases[] = {{"x", 1},
                 {"!", N},
                 {"\xCC\x81\xCC\xA3", 0},
                 {"\xE3\x80\xAE\xE1\xAD\x84", 1},
                 {"[SEP", 2 * N}};
    struct gm_pieces p;
    (void)state;
    gm_pieces_init(&p);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t len = strlen(cases[c].unit);
        char *text = gm_alloc(N, len);
        assert_non_null(text);
        for (size_t i = 0; i < N; i++)
            memcpy(text + i * len, cases[c].unit, len);
        gm_pieces_reset(&p);
        assert_int_equal(gm_tokenizer_encode(minilm, (struct gm_str){text, N * len}, &p, NULL),
                         GM_OK);
        assert_int_equal(p.n, cases[c].n_pieces);
        gm_free(text);
    }
    gm_pieces_clear(&p);
}

/* A small tokenizer.json; a case replaces `from` by `to` in it. */
static const char small[] =
    "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":1,\"content\":\"[CLS]\",\"normalized\":false,"
    "\"lstrip\":false},{\"id\":9,\"content\":\"<Sp\xC3\xA9 >\",\"normalized\":true,\"lstrip\":true,"
    "\"rstrip\":true}],\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"
    "\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{"
    "\"type\":\"BertPreTokenizer\"},\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"x\","
    "2],"
    "\"cls\":[\"[CLS]\",1]},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","
    "\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":5,\"vocab\":{\"[UNK]\":0,"
    "\"[CLS]\":1,\"x\":2, \"\\u0061b\" : 3,\"##c\":4,\"##c\\u0064\":5,\"\xC3\x89t\xC3\xA9\":6}}}";

static void write_small(const char *from, const char *to)
{
    char text[4096];
    const char *at = strstr(small, from);
    assert_non_null(at);
    int n =
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - small), small, to, at + strlen(from));
    assert_int_equal(gm_file_write(small_path, (struct gm_str){text, (size_t)n}, NULL), GM_OK);
}

static void expect_ids(const struct gm_tokenizer *t, const char *text, const char *expected)
{
    struct gm_pieces p;
    char got[256] = "";
    gm_pieces_init(&p);
    assert_int_equal(gm_tokenizer_encode(t, gm_str(text), &p, NULL), GM_OK);
    for (size_t i = 0; i < p.n; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%d[%u,%u) ", (int)p.items[i].id,
                 (unsigned)p.items[i].start, (unsigned)p.items[i].end);
    assert_string_equal(got, expected);
    gm_pieces_clear(&p);
}

static void settings(void **state)
{
    struct gm_tokenizer *t;
    (void)state;
    write_small("", "");
    assert_int_equal(gm_tokenizer_load(&t, small_path, NULL), GM_OK);
    assert_int_equal(gm_tokenizer_n_ids(t), 10);
    assert_int_equal(gm_tokenizer_special(t).sep, 2);
    assert_int_equal(gm_tokenizer_special(t).pad, -1);
    expect_ids(t, "abcd Abc abcdcd [CLS]ab",
               "3[0,2) 5[2,4) 3[5,7) 4[7,8) 0[9,15) 1[16,21) 3[21,23) ");
    expect_ids(t, "x  <spe >  x", "2[0,1) 9[1,11) 2[11,12) ");
    expect_ids(t, "\xC3\x89t\xC3\xA9", "0[0,3) "); /* stripped: not the vocabulary's */
    gm_tokenizer_free(t);
    write_small("\"strip_accents\":null,\"lowercase\":true",
                "\"strip_accents\":false,\"lowercase\":false");
    assert_int_equal(gm_tokenizer_load(&t, small_path, NULL), GM_OK);
    expect_ids(t, "\xC3\x89t\xC3\xA9 AB", "6[0,3) 0[4,6) ");
    gm_tokenizer_free(t);
    write_small(
        "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"x\",2],\"cls\":[\"[CLS]\",1]}",
        "\"post_processor\":null");
    assert_int_equal(gm_tokenizer_load(&t, small_path, NULL), GM_OK);
    assert_int_equal(gm_tokenizer_special(t).cls, 1);
    assert_int_equal(gm_tokenizer_special(t).sep, -1);
    gm_tokenizer_free(t);
}

static void bad_files(void **state)
{
    static const struct {
        const char *from, *to, *message;
        enum gm_status st;
    } cases[] = {
        {"\"type\":\"WordPiece\"", "\"type\":\"WordLevel\"", "model WordLevel is not supported",
         GM_EMODEL},
        {"\"type\":\"WordPiece\"", "\"type\":\"Unigram\"", "model.vocab of a Unigram model",
         GM_EMODEL},
        {"\"type\":\"WordPiece\"", "\"type\":\"BPE\",\"dropout\":0.1", "model.dropout", GM_EMODEL},
        {"\"type\":\"WordPiece\"", "\"type\":\"BPE\",\"merges\":[\"x\"]",
         "model.merges[0] is not two tokens", GM_EMODEL},
        {"\"type\":\"WordPiece\"", "\"type\":\"BPE\",\"merges\":[\"x ##x\"]",
         "is not in model.vocab", GM_EMODEL},
        {"\"model\"", "\"modle\"", "model null is not supported", GM_EMODEL},
        {"\"BertNormalizer\"", "\"Nmt\"", "normalizer Nmt is not supported", GM_EMODEL},
        {"\"BertNormalizer\"", "\"Replace\",\"content\":\"x\",\"pattern\":{\"Regex\":\"(a|b)\"}",
         "pattern \"(a|b)\" is not supported", GM_EMODEL},
        {"\"BertNormalizer\"", "\"Replace\",\"content\":\"x\",\"pattern\":{\"Regex\":\"a*\"}",
         "pattern \"a*\" is not supported", GM_EMODEL},
        {"\"BertNormalizer\"", "\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"",
         "precompiled_charsmap is broken", GM_EMODEL},
        {"\"BertNormalizer\"", "\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{}]",
         "normalizer without a type is not supported", GM_EMODEL},
        {"\"BertPreTokenizer\"", "\"UnicodeScripts\"",
         "pre_tokenizer UnicodeScripts is not supported", GM_EMODEL},
        {"\"BertPreTokenizer\"", "\"Metaspace\",\"replacement\":\"__\"", "must be one character",
         GM_EMODEL},
        {"\"BertPreTokenizer\"", "\"Split\",\"behavior\":\"Chopped\"", "\"Chopped\" is not known",
         GM_EMODEL},
        {"\"BertProcessing\"", "\"Other\"", "post_processor Other is not supported", GM_EMODEL},
        {"\"BertProcessing\"", "\"TemplateProcessing\"", "post_processor.single", GM_EMODEL},
        {"\"clean_text\":true", "\"clean_text\":1", "normalizer.clean_text is an integer",
         GM_EMODEL},
        {"\"x\":2", "\"x\":-2", "id of token \"x\"", GM_EMODEL},
        {"\"x\":2", "\"x\":99999999999", "id of token \"x\"", GM_EMODEL},
        {"\"x\":2", "\"x\":\"2\"", "byte 25: an integer was expected", GM_EFORMAT},
        {"\"x\":2", "\"x\" 2", "a colon was expected", GM_EFORMAT},
        {"\"x\":2", "\"x\":2 4", "a comma or a closing brace was expected", GM_EFORMAT},
        {"\"x\":2", "x:2", "a string was expected", GM_EFORMAT},
        {"\"x\":2", "\"\\ud800\":2", "an escape that is none", GM_EFORMAT},
        {"\"x\":2", "\"\xFF\":2", "not UTF-8", GM_EFORMAT},
        {"6}}}", "6}}", "not valid JSON", GM_EFORMAT},
        {"6}}}", "6", "not valid JSON", GM_EFORMAT},
        {"6}}}", "6,\"a", "not valid JSON", GM_EFORMAT},
        {"6}}}", "6,\"a\\", "not valid JSON", GM_EFORMAT},
        {"\"[UNK]\":0", "\"[U]\":0", "unknown token [UNK]", GM_EMODEL},
        {"\"vocab\":{", "\"vocab\":[],\"other\":{", "model.vocab is an array", GM_EMODEL},
        {"\"content\":\"[CLS]\",", "", "added token without", GM_EMODEL},
        {"\"lstrip\":false", "\"single_word\":true", "single_word", GM_EMODEL},
        {"{\"version\"", "[\"version\"", "not valid JSON", GM_EFORMAT},
        {small, "[]", "an array in place of an object", GM_EMODEL},
        {small, "", "not valid JSON", GM_EFORMAT},
    };
    struct gm_tokenizer *t;
    struct gm_error err;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_small(cases[i].from, cases[i].to);
        enum gm_status st = gm_tokenizer_load(&t, small_path, &err);
        if (st != cases[i].st || !strstr(err.msg, cases[i].message) || !strstr(err.msg, small_path))
            fail_msg("case %zu: status %s, %s", i, gm_status_name(st), st ? err.msg : "");
        assert_null(t);
    }
    assert_int_equal(gm_tokenizer_load(&t, "/nonexistent/tokenizer.json", &err), GM_EIO);
    assert_int_equal(gm_tokenizer_load(&t, "/tmp", &err), GM_EIO);
}

/* A tokenizer of each other model, with the steps that work in memory of their own. */
static const char unigram[] =
    "{\"added_tokens\":[{\"id\":9,\"content\":\"<m>\",\"lstrip\":true}],\"normalizer\":{\"type\":"
    "\"Sequence\",\"normalizers\":[{\"type\":\"NFKC\"},{\"type\":\"Strip\",\"strip_left\":true,"
    "\"strip_right\":true},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}"
    "]},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\"},"
    "\"post_processor\":null,\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],"
    "[\"\xE2\x96\x81\",-2],[\"a\",-3],[\"\xE2\x96\x81"
    "ab\",-4],[\"b\",-3]]}}";
static const char bpe[] =
    "{\"added_tokens\":[{\"id\":9,\"content\":\"<m>\",\"lstrip\":true}],\"normalizer\":null,"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true},\"post_processor\":{"
    "\"type\":\"RobertaProcessing\",\"sep\":[\"a\",1],\"cls\":[\"b\",2],\"trim_offsets\":true,"
    "\"add_prefix_space\":true},\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"vocab\":{"
    "\"<unk>\":0,\"a\":1,\"b\":2,\"\xC4\xA0\":3,\"\xC4\xA0"
    "a\":4,\"\xC4\xA0"
    "ab\":5},\"merges\":["
    "\"\xC4\xA0 a\",[\"\xC4\xA0"
    "a\",\"b\"]]}}";

static void other_models(void **state)
{
    struct gm_tokenizer *t;
    (void)state;
    assert_int_equal(gm_file_write(small_path, gm_str(unigram), NULL), GM_OK);
    assert_int_equal(gm_tokenizer_load(&t, small_path, NULL), GM_OK);
    expect_ids(t, "ab  xyb <m>", "3[0,2) 1[3,4) 0[4,6) 4[6,7) 9[7,11) ");
    assert_int_equal(gm_tokenizer_special(t).unk, 0);
    gm_tokenizer_free(t);
    assert_int_equal(gm_file_write(small_path, gm_str(bpe), NULL), GM_OK);
    assert_int_equal(gm_tokenizer_load(&t, small_path, NULL), GM_OK);
    expect_ids(t, "ab abx <m>", "5[0,2) 5[3,5) 0[5,6) 9[7,10) ");
    assert_int_equal(gm_tokenizer_special(t).sep, 1);
    gm_tokenizer_free(t);
}

/* Scores of a Unigram vocabulary have the library's values, also where those are not the nearest. */
static void scores(void **state)
{
    struct gm_json *root;
    struct gm_buf file;
    size_t n_off = 0; /* not the nearest */
    (void)state;
    gm_buf_init(&file, 1 << 20);
    assert_int_equal(gm_file_read(GOLDEN "scores.json", &file, NULL), GM_OK);
    assert_int_equal(gm_json_parse(&root, gm_buf_str(&file), NULL), GM_OK);
    const struct gm_json *pairs = gm_json_get(root, "scores");
    for (size_t i = 0; i < gm_json_count(pairs); i++) {
        struct gm_str text, hex;
        assert_true(gm_json_str(gm_json_at(gm_json_at(pairs, i), 0), &text));
        assert_true(gm_json_str(gm_json_at(gm_json_at(pairs, i), 1), &hex));
        double got = gm_serde_number(text), expected = strtod(hex.p, NULL);
        if (memcmp(&got, &expected, sizeof got) != 0)
            fail_msg("%.*s: %a, expected %a", GM_STR_ARG(text), got, expected);
        n_off += expected != strtod(text.p, NULL);
    }
    assert_true(n_off > 20);
    gm_json_free(root);
    gm_buf_clear(&file);
}

/* By the nearest values "a" twice and "aa" weigh the same, and "aa" would stay; as the library reads
 * the scores, "a" twice weighs more. */
static void score_ties(void **state)
{
    static const char json[] =
        "{\"added_tokens\":[],\"normalizer\":null,\"pre_tokenizer\":null,\"post_processor\":null,"
        "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],"
        "[\"a\", -7.779469895497861 ] ,[ \"aa\" ,-15.558939790995723]],\"byte_fallback\":false}}";
    struct gm_tokenizer *t;
    (void)state;
    assert_int_equal(gm_file_write(small_path, gm_str(json), NULL), GM_OK);
    assert_int_equal(gm_tokenizer_load(&t, small_path, NULL), GM_OK);
    expect_ids(t, "aa", "1[0,1) 1[1,2) ");
    gm_tokenizer_free(t);
}

/* With trimmed offsets an unknown piece of a Unigram model is trimmed by its own text; the expected
 * ids and offsets are those of the library. */
static void trims_unknown(void **state)
{
    static const char json[] =
        "{\"added_tokens\":[],\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":"
        "{\"String\":\" \"},\"behavior\":\"Isolated\",\"invert\":false},\"post_processor\":{\"type\":"
        "\"RobertaProcessing\",\"sep\":[\"a\",1],\"cls\":[\"b\",2],\"trim_offsets\":true,"
        "\"add_prefix_space\":true},\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":"
        "[[\"<unk>\",0],[\"a\",-3],[\"b\",-3],[\" \",-2]],\"byte_fallback\":false}}";
    struct gm_tokenizer *t;
    (void)state;
    assert_int_equal(gm_file_write(small_path, gm_str(json), NULL), GM_OK);
    assert_int_equal(gm_tokenizer_load(&t, small_path, NULL), GM_OK);
    expect_ids(t, "ab  \n\n", "1[0,1) 2[1,2) 3[3,3) 3[4,4) 0[6,6) ");
    expect_ids(t, "a\xC4\xA0x b", "1[0,1) 0[2,3) 3[4,4) 2[4,5) ");
    expect_ids(t, "a\xE3\x80\x80\xE3\x80\x80x\xC4\xA0 b", "1[0,1) 0[3,4) 3[6,6) 2[6,7) ");
    expect_ids(t, "\nxb", "0[0,2) 2[2,3) ");
    gm_tokenizer_free(t);
}

/* Every allocation fails once: NOMEM or (jansson's own memory) success, never a leak or a crash. */
static void torture_file(const char *json)
{
    size_t live = gm_alloc_live();
    bool done = false;
    assert_int_equal(gm_file_write(small_path, gm_str(json), NULL), GM_OK);
    for (size_t n = 1; !done; n++) {
        struct gm_tokenizer *t = NULL;
        struct gm_pieces p;
        gm_pieces_init(&p);
        gm_alloc_fail_at(n);
        enum gm_status st = gm_tokenizer_load(&t, small_path, NULL);
        if (st == GM_OK)
            st = gm_tokenizer_encode(t,
                                     GM_STR("ab\xCC\x81\xCC\xA3 abc <Spe > [CLS] <m> "
                                            "\xCC\x81\xE3\x80\xAE\xCC\xA3"),
                                     &p, NULL);
        gm_alloc_fail_at(0);
        done = st == GM_OK;
        if (!done) {
            assert_int_equal(st, GM_ENOMEM);
            assert_int_equal(p.n, 0);
        }
        gm_pieces_clear(&p);
        gm_tokenizer_free(t);
        assert_int_equal(gm_alloc_live(), live);
    }
}

static void torture(void **state)
{
    (void)state;
    torture_file(small);
    torture_file(unigram);
    torture_file(bpe);
}

/* Every prefix of a tokenizer.json and every byte of it changed: an error or a tokenizer that works. */
static void damaged_files(void **state)
{
    static const char *const files[] = {small, unigram, bpe};
    (void)state;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++)
        for (size_t i = 0, n = strlen(files[f]); i < n; i++) {
            char text[4096];
            struct gm_tokenizer *t;
            memcpy(text, files[f], n);
            text[i] = i % 3 ? '9' : '"';
            assert_int_equal(gm_file_write(small_path, (struct gm_str){text, n}, NULL), GM_OK);
            if (gm_tokenizer_load(&t, small_path, NULL) == GM_OK) {
                struct gm_pieces p;
                gm_pieces_init(&p);
                assert_int_equal(gm_tokenizer_encode(t, GM_STR("ab abc <m>"), &p, NULL), GM_OK);
                gm_pieces_clear(&p);
            }
            gm_tokenizer_free(t);
        }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_library), cmocka_unit_test(specials),
        cmocka_unit_test(appends),         cmocka_unit_test(huge_words),
        cmocka_unit_test(settings),        cmocka_unit_test(bad_files),
        cmocka_unit_test(other_models),    cmocka_unit_test(torture),
        cmocka_unit_test(damaged_files),   cmocka_unit_test(scores),
        cmocka_unit_test(score_ties),      cmocka_unit_test(trims_unknown),
    };
    if (argc > 1) {
        references = (const char *const *)argv + 1;
        n_references = (size_t)argc - 1;
    }
    skip_all_if(!gm_is_file(tokenizer_path), "no %s; `make setup` gets it", tokenizer_path);
    int fd = mkstemp(small_path);
    if (fd < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, setup, teardown);
    remove(small_path);
    return failed;
}
