/* Word segmentation: the cases of tests/cases/segment.txt, what holds for any text, huge inputs.
 * With an argument, a file of `tools/detokenise.py --words`, says how many posts are cut as they
 * were tokenised, and how many gold entities begin and end where a word does. */

#include "unit.h"

#include "base/file.h"
#include "base/lines.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "text/segment.h"
#include "text/unicode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* \u{1F600} and \n of a case line as what they stand for. */
static struct gm_str unescape(struct gm_arena *a, struct gm_str s)
{
    char *out = gm_arena_alloc(a, s.n + 1, 1);
    size_t n = 0;
    assert_non_null(out);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\\') {
            out[n++] = s.p[i];
        } else if (s.p[++i] == 'n') {
            out[n++] = '\n';
        } else {
            char *end;
            n += gm_utf8_put((uint32_t)strtoul(s.p + i + 2, &end, 16), out + n);
            i = (size_t)(end - s.p);
        }
    }
    return (struct gm_str){out, n};
}

static struct gm_str joined(struct gm_arena *a, struct gm_str text, enum gm_word_cut cut)
{
    struct gm_word *spans;
    size_t n, at = 0;
    assert_int_equal(gm_segment(text, cut, a, &spans, &n, NULL), GM_OK);
    char *out = gm_arena_alloc(a, 2 * text.n + 1, 1);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) {
        if (i)
            out[at++] = ' ';
        memcpy(out + at, text.p + spans[i].start, spans[i].end - spans[i].start);
        at += spans[i].end - spans[i].start;
    }
    return (struct gm_str){out, at};
}

/* "Thai, dictionary": the cut is the last word of a case's name, where it is one. */
static enum gm_word_cut cut_of_case(struct gm_str name)
{
    enum gm_word_cut cut = GM_CUT_SPACES;
    for (size_t at = 0; at < name.n; at++)
        if (name.p[at] == ' ')
            gm_cut_parse(gm_str_sub(name, at + 1, name.n), &cut);
    return cut;
}

static void cases(void **state)
{
    struct gm_lines *lines;
    struct gm_arena a;
    struct gm_str line, name = GM_STR(""), text = GM_STR("");
    size_t row = 0, n = 0;
    bool has;
    (void)state;
    gm_arena_init(&a, 0);
    assert_int_equal(gm_lines_open(&lines, "tests/cases/segment.txt", 4096, NULL), GM_OK);
    while (gm_lines_next(lines, &line, &has, NULL) == GM_OK && has) {
        if (row == 0 && (line.n == 0 || line.p[0] == '#'))
            continue;
        if (row == 0) {
            name = gm_arena_str(&a, line);
        } else if (row == 1) {
            text = unescape(&a, line);
        } else if (row == 2) {
            struct gm_str want = unescape(&a, line), got = joined(&a, text, cut_of_case(name));
            if (!gm_str_eq(want, got))
                fail_msg("%s: got \"%.*s\"", name.p, GM_STR_ARG(got));
            n++;
        } else {
            assert_int_equal(line.n, 0);
        }
        row = (row + 1) % 4;
    }
    assert_true(n >= 25);
    gm_lines_free(lines);
    gm_arena_clear(&a);
}

/* Words are in order, not empty, without white space, on code point borders, and nothing but white
 * space is between them. */
static void check_cover(struct gm_str s, const struct gm_word *spans, size_t n)
{
    size_t word = 0;
    for (size_t i = 0; i < s.n;) {
        size_t at = i;
        bool space = gm_cp_is_space(gm_utf8_next(s, &i));
        while (word < n && spans[word].end <= at)
            word++;
        bool inside = word < n && spans[word].start <= at && i <= spans[word].end;
        assert_int_equal(inside, !space);
    }
    for (size_t k = 0; k < n; k++) {
        assert_true(spans[k].start < spans[k].end && spans[k].end <= s.n);
        assert_true(k == 0 || spans[k - 1].end <= spans[k].start);
    }
}

static void covers_any_text(void **state)
{
    static const char *const parts[] = {
        "a",
        "Z",
        "9",
        "-",
        "/",
        "http://",
        "http://t.co/",
        "https",
        "&",
        "#",
        ";",
        "amp",
        " ",
        "\n",
        "_",
        ".",
        "'",
        "\xC2\xA0",
        "\xCC\x81",
        "\xE2\x80\x8D",
        "\xE2\x80\xA6",
        "\xF0\x9F\x98\x80",
        "\xEF\xB8\x8F",
        "\xE6\xBC\xA2",
        "\xEF\xBF\xBD",
        "\xE2\x80\xA8",
        "\x01",
        "\xC2\xAD",
        "\xE3\x82\xAB",
        "\xE3\x82\x99",
        "\xE0\xB8\x81",
        "\xE0\xB8\xB5",
        "\xEA\xB0\x80",
    };
    struct gm_arena a;
    struct gm_rng r;
    (void)state;
    gm_arena_init(&a, 0);
    gm_rng_init(&r, 1);
    for (int round = 0; round < 20000; round++) {
        char text[256];
        size_t n = 0, n_words, n_parts = gm_rng_below(&r, 16);
        struct gm_word *spans;
        for (size_t i = 0; i < n_parts; i++) {
            const char *part = parts[gm_rng_below(&r, sizeof parts / sizeof *parts)];
            memcpy(text + n, part, strlen(part));
            n += strlen(part);
        }
        gm_arena_reset(&a);
        assert_int_equal(gm_segment((struct gm_str){text, n}, (enum gm_word_cut)(round % 4), &a,
                                    &spans, &n_words, NULL),
                         GM_OK);
        check_cover((struct gm_str){text, n}, spans, n_words);
    }
    gm_arena_clear(&a);
}

/* Sizes at which anything quadratic would not end. */
static void huge(void **state)
{
    enum { N = 1000000 };
    static const struct {
        const char *unit;
        size_t n_words;
        enum gm_word_cut cut;
    } units[] = {
        {"a ", N, GM_CUT_SPACES},
        {"a", 1, GM_CUT_SPACES},
        {"!", N, GM_CUT_SPACES},
        {"http://", 1 + 1 + 2 * (N - 1) + 1, GM_CUT_SPACES},
        {"&amp;", 2 * N, GM_CUT_SPACES},
        {"&#", 2 * N, GM_CUT_SPACES},
        {"\xCC\x81", N, GM_CUT_SPACES},
        {"a-", 2, GM_CUT_SPACES},
        {"h", 1, GM_CUT_SPACES},
        {"-", N, GM_CUT_SPACES},
        {"\xE6\xBC\xA2", 1, GM_CUT_SPACES},
        {"\xE6\xBC\xA2", N, GM_CUT_CHARACTERS},
        {"h", N, GM_CUT_LETTERS},
        {"\xE4\xB8\xAD\xE5\x9B\xBD", N, GM_CUT_DICTIONARY},
    };
    struct gm_arena a;
    (void)state;
    gm_arena_init(&a, 0);
    for (size_t c = 0; c < sizeof units / sizeof *units; c++) {
        size_t len = strlen(units[c].unit), n;
        struct gm_word *spans;
        char *text = gm_alloc(N, len);
        assert_non_null(text);
        for (size_t i = 0; i < N; i++)
            memcpy(text + i * len, units[c].unit, len);
        assert_int_equal(
            gm_segment((struct gm_str){text, N * len}, units[c].cut, &a, &spans, &n, NULL), GM_OK);
        check_cover((struct gm_str){text, N * len}, spans, n);
        assert_int_equal(n, units[c].n_words);
        gm_arena_reset(&a);
        gm_free(text);
    }
    gm_arena_clear(&a);
}

/* Every edge of a text, and its words: the characters between edges joined, those without a letter left out. */
static void edges(void **state)
{
    (void)state;
    static const struct {
        const char *text, *edges, *words; /* "|" at each edge; " " between words */
    } cases[] = {
        {"", "|", ""},
        {"ab1 c", "|ab1| |c|", "ab1 c"},
        {"a-b_c", "|a|-|b|_|c|", "a b c"},
        {"E\u0301a’s", "|E\u0301a|’|s|", "E\u0301a s"},
        {"“a”", "|“|a|”|", "a"},
        {"🇺🇸a", "|🇺|🇸|a|", "a"},
        {"1\ufe0f\u20e3b", "|1|\ufe0f|\u20e3|b|", "1 b"},
        {"a北京b", "|a|北|京|b|", "a 北 京 b"},
        {"か\u3099き", "|か\u3099|き|", "か\u3099 き"},
        {"कि", "|कि|", "कि"}, /* a letter and a spacing mark */
        {"\xff"
         "a\xc3",
         "|\xff|a|\xc3|", "a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_str s = gm_str(cases[i].text), w;
        char out[100] = "", words[100] = "";
        size_t n = 0, m = 0, at = 0;
        for (size_t b = 0, next = 0; b < s.n; b = next) {
            if (gm_is_word_edge(s, b))
                out[n++] = '|';
            (void)gm_utf8_next(s, &next);
            memcpy(out + n, s.p + b, next - b);
            n += next - b;
        }
        out[n] = gm_is_word_edge(s, s.n) ? '|' : 0;
        while ((w = gm_next_word(s, &at)).n)
            m += (size_t)snprintf(words + m, sizeof words - m, "%s%.*s", m ? " " : "",
                                  GM_STR_ARG(w));
        assert_string_equal(out, cases[i].edges);
        assert_string_equal(words, cases[i].words);
        assert_int_equal(at, s.n);
    }
}

static void out_of_memory(void **state)
{
    struct gm_arena a;
    struct gm_word *spans;
    struct gm_error err;
    size_t n;
    (void)state;
    gm_arena_init(&a, 64);
    assert_int_equal(gm_segment(GM_STR("a b c d e f g h i j"), GM_CUT_SPACES, &a, &spans, &n, &err),
                     GM_ENOMEM);
    gm_arena_clear(&a);
    assert_int_equal(gm_segment(GM_STR(" \n"), GM_CUT_SPACES, &a, &spans, &n, &err), GM_OK);
    assert_int_equal(n, 0);
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

/* ---- measuring by hand ---- */

struct tally {
    size_t posts, same, harmless, borders, borders_ok, entities, entities_ok;
    bool show;
};

static bool is_border(const struct gm_word *spans, size_t n, size_t byte, bool start)
{
    for (size_t i = 0; i < n; i++)
        if ((start ? spans[i].start : spans[i].end) == byte)
            return true;
    return false;
}

static void measure_post(const struct gm_json *post, struct gm_arena *a, struct tally *t)
{
    struct gm_str text, word;
    struct gm_word *spans;
    size_t n;
    const struct gm_json *words = gm_json_get(post, "words"), *ents = gm_json_get(post, "entities");
    assert_true(gm_json_str(gm_json_get(post, "text"), &text));
    assert_int_equal(gm_segment(text, GM_CUT_SPACES, a, &spans, &n, NULL), GM_OK);
    bool same = n == gm_json_count(words), on_borders = true;
    for (size_t i = 0; i < n && same; i++)
        same = gm_json_str(gm_json_at(words, i), &word) &&
               gm_str_eq(word, gm_str_sub(text, spans[i].start, spans[i].end));
    for (size_t i = 0; i < gm_json_count(ents); i++) {
        long long start = 0, end = 0;
        gm_json_int(gm_json_get(gm_json_at(ents, i), "start"), &start);
        gm_json_int(gm_json_get(gm_json_at(ents, i), "end"), &end);
        bool s = is_border(spans, n, gm_utf8_offset(text, (size_t)start), true);
        bool e = is_border(spans, n, gm_utf8_offset(text, (size_t)end), false);
        t->borders += 2;
        t->borders_ok += (size_t)s + e;
        t->entities++;
        t->entities_ok += s && e;
        on_borders = on_borders && s && e;
    }
    t->posts++;
    t->same += same;
    t->harmless += same || on_borders;
    if (t->show && !same)
        printf("%s %s\n", on_borders ? "differs" : "HARMS  ", joined(a, text, GM_CUT_SPACES).p);
}

static int measure(const char *path, bool show)
{
    struct gm_lines *lines;
    struct gm_str line;
    struct gm_arena a;
    struct tally t = {.show = show};
    bool has;
    gm_arena_init(&a, 0);
    if (gm_lines_open(&lines, path, 1 << 20, NULL) != GM_OK)
        return 1;
    while (gm_lines_next(lines, &line, &has, NULL) == GM_OK && has) {
        struct gm_json *j;
        if (gm_json_parse(&j, line, NULL) != GM_OK)
            return 1;
        measure_post(j, &a, &t);
        gm_json_free(j);
        gm_arena_reset(&a);
    }
    gm_lines_free(lines);
    gm_arena_clear(&a);
    printf("%zu posts: %.2f%% the same words, %.2f%% the same or all entities on word borders; "
           "%.2f%% of %zu entity borders, %.2f%% of %zu entities\n",
           t.posts, 100.0 * (double)t.same / (double)t.posts,
           100.0 * (double)t.harmless / (double)t.posts,
           100.0 * (double)t.borders_ok / (double)t.borders, t.borders,
           100.0 * (double)t.entities_ok / (double)t.entities, t.entities);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases), cmocka_unit_test(covers_any_text), cmocka_unit_test(edges),
        cmocka_unit_test(huge),  cmocka_unit_test(out_of_memory),
    };
    if (argc > 1)
        return measure(argv[1], argc > 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
