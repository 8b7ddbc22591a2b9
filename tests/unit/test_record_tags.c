/* Tags and spans: the schemes, the repairs, and the way there and back. What seqeval says is in
 * test_eval_seqeval.c. */
#include "post_files.h"

#include "base/rng.h"
#include "base/utf8.h"
#include "record/tags.h"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *tag, *type;
        char prefix;
        bool ok;
    } cases[] = {
        {"O", "", 'O', true},       {"B-PER", "PER", 'B', true},  {"E-a-b", "a-b", 'E', true},
        {"S-é", "é", 'S', true},    {"I-X", "X", 'I', true},      {"", "", 0, false},
        {"B", "", 'B', false},      {"B-", "", 'B', false},       {"Q-PER", "PER", 'Q', false},
        {"BPER", "ER", 'B', false}, {"b-PER", "PER", 'b', false}, {"O-PER", "PER", 'O', false},
        {"OO", "", 'O', false},     {"X", "", 'X', false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char prefix;
        struct gm_str type;
        bool ok = gm_tag_parse(gm_str(cases[i].tag), &prefix, &type);
        if (ok != cases[i].ok)
            fail_msg("\"%s\"", cases[i].tag);
        if (ok) {
            assert_int_equal(prefix, cases[i].prefix);
            assert_true(gm_str_eq_c(type, cases[i].type));
        }
    }
}

/* Tags as text ("B0 I0 O": a prefix and one digit of a type) to spans as text ("0-2:0"). */
static void spans_text(const char *text, enum gm_tag_scheme scheme, enum gm_tag_repair repair,
                       char out[128])
{
    struct gm_tag tags[32];
    struct gm_span spans[32];
    size_t n = 0, used = 0;
    for (const char *p = text; *p; p++) {
        if (*p == ' ')
            continue;
        tags[n] = (struct gm_tag){*p, GM_LABEL_NONE};
        if (*p != 'O')
            tags[n].type = (uint32_t)(*++p - '0');
        n++;
    }
    size_t n_spans = gm_tags_to_spans(tags, n, scheme, repair, spans);
    out[0] = 0;
    for (size_t i = 0; i < n_spans; i++)
        used += (size_t)snprintf(out + used, 128 - used, "%s%zu-%zu:%u", i ? " " : "",
                                 spans[i].first, spans[i].end, spans[i].type);
}

static void test_repairs(void **state)
{
    (void)state;
    static const struct {
        const char *tags, *lenient, *bio, *bioes;
    } cases[] = {{"", "", "", ""},
                 {"O O", "", "", ""},
                 {"B0 I0 O", "0-2:0", "0-2:0", ""},
                 {"O I0 I0", "1-3:0", "", ""},
                 {"B0 I1 I0", "0-1:0 1-2:1 2-3:0", "0-1:0", ""},
                 {"B0 B0 I0", "0-1:0 1-3:0", "0-1:0 1-3:0", ""},
                 {"S0 S0 B1 E1", "0-1:0 1-2:0 2-4:1", "2-3:1", "0-1:0 1-2:0 2-4:1"},
                 {"B0 I0 E0 E0", "0-3:0 3-4:0", "0-2:0", "0-3:0"},
                 {"E0 I0", "0-1:0 1-2:0", "", ""},
                 {"B0 O B0 E1 E0", "0-1:0 2-3:0 3-4:1 4-5:0", "0-1:0 2-3:0", ""},
                 {"I0 E0 S1", "0-2:0 2-3:1", "", "2-3:1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[128];
        spans_text(cases[i].tags, GM_TAGS_AUTO, GM_REPAIR_CONLLEVAL, got);
        assert_string_equal(got, cases[i].lenient);
        spans_text(cases[i].tags, GM_TAGS_BIO, GM_REPAIR_STRICT, got);
        assert_string_equal(got, cases[i].bio);
        spans_text(cases[i].tags, GM_TAGS_BIOES, GM_REPAIR_STRICT, got);
        assert_string_equal(got, cases[i].bioes);
    }
}

/* Spans drawn at random, in order, with gaps. */
static size_t draw_spans(struct gm_rng *r, size_t n, struct gm_span *spans)
{
    size_t n_spans = 0;
    for (size_t i = gm_rng_below(r, 3); i < n;) {
        size_t len = 1 + gm_rng_below(r, 4);
        if (len > n - i)
            len = n - i;
        spans[n_spans++] = (struct gm_span){i, i + len, (uint32_t)gm_rng_below(r, 3)};
        i += len + gm_rng_below(r, 3);
    }
    return n_spans;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct gm_rng r;
    gm_rng_init(&r, 3);
    for (size_t round = 0; round < 2000; round++) {
        struct gm_span spans[32], again[32];
        struct gm_tag tags[32];
        size_t n = gm_rng_below(&r, 32), n_spans = draw_spans(&r, n, spans);
        for (enum gm_tag_scheme s = GM_TAGS_BIO; s <= GM_TAGS_BIOES; s++)
            for (enum gm_tag_repair how = GM_REPAIR_CONLLEVAL; how <= GM_REPAIR_STRICT; how++) {
                gm_spans_to_tags(spans, n_spans, s, tags, n);
                assert_int_equal(gm_tags_to_spans(tags, n, s, how, again), n_spans);
                for (size_t i = 0; i < n_spans; i++) {
                    assert_int_equal(again[i].first, spans[i].first);
                    assert_int_equal(again[i].end, spans[i].end);
                    assert_int_equal(again[i].type, spans[i].type);
                }
            }
    }
}

/* Spans of words to entities with code point offsets and back, over words of all widths. */
static void test_post_round_trip(void **state)
{
    (void)state;
    static const char *const vocabulary[] = {"a",        "é",  "日本", "", "\xF0\x9F\x98\x80",
                                             "\xC2\xA0", "x y"};
    struct gm_rng r;
    gm_rng_init(&r, 4);
    for (size_t round = 0; round < 500; round++) {
        struct gm_post p;
        struct gm_labels in, types;
        struct gm_str words[24];
        struct gm_span spans[24], again[24];
        uint32_t id;
        size_t n = gm_rng_below(&r, 24), got, skipped;
        for (size_t i = 0; i < n; i++)
            words[i] = gm_str(vocabulary[gm_rng_below(&r, 7)]);
        size_t n_spans = draw_spans(&r, n, spans);
        gm_labels_init(&in, 10);
        gm_labels_init(&types, 10);
        for (size_t t = 0; t < 3; t++)
            assert_int_equal(
                gm_labels_add(&in, gm_str((const char *[]){"A", "B", "C"}[t]), &id, NULL), GM_OK);
        gm_post_init(&p);
        assert_int_equal(gm_post_set_words(&p, words, n, NULL), GM_OK);
        assert_int_equal(gm_post_add_spans(&p, spans, n_spans, &in, "input", NULL), GM_OK);
        for (size_t i = 0; i < n_spans; i++) {
            const struct gm_entity *e = &p.entities[i];
            assert_int_equal(gm_utf8_count(e->text), e->end - e->start);
            assert_true(gm_utf8_offset(p.text, e->start) == p.tokens[spans[i].first].start);
            assert_true(e->text.n == 0 || e->text.p == p.text.p + gm_utf8_offset(p.text, e->start));
        }
        assert_int_equal(gm_post_spans(&p, &types, again, &got, &skipped, NULL), GM_OK);
        assert_int_equal(got, n_spans);
        assert_int_equal(skipped, 0);
        for (size_t i = 0; i < got; i++) {
            assert_int_equal(again[i].first, spans[i].first);
            assert_int_equal(again[i].end, spans[i].end);
            assert_true(
                gm_str_eq(gm_labels_at(&types, again[i].type), gm_labels_at(&in, spans[i].type)));
        }
        gm_post_clear(&p);
        gm_labels_clear(&in);
        gm_labels_clear(&types);
    }
}

/* Entities that no tag sequence can express. */
static void test_post_skips(void **state)
{
    (void)state;
    struct gm_post p;
    struct gm_labels types;
    struct gm_span spans[4];
    size_t n, skipped;
    const struct gm_str words[] = {GM_STR("ab"), GM_STR("cd"), GM_STR("ef")};
    gm_post_init(&p);
    gm_labels_init(&types, 10);
    assert_int_equal(gm_post_set_words(&p, words, 3, NULL), GM_OK);
    struct gm_entity e[] = {{.type = GM_STR("X"), .start = 3, .end = 8}, /* cd ef */
                            {.type = GM_STR("X"), .start = 0, .end = 5},
                            /* ab cd: first in order */
                            {.type = GM_STR("X"), .start = 1, .end = 2},  /* inside a word */
                            {.type = GM_STR("X"), .start = 6, .end = 8}}; /* ef */
    p.entities = e;
    p.n_entities = 4;
    assert_int_equal(gm_post_spans(&p, &types, spans, &n, &skipped, NULL), GM_OK);
    assert_int_equal(n, 2);
    assert_int_equal(skipped, 2);
    assert_int_equal(spans[0].end, 2);
    assert_int_equal(spans[1].first, 2);
    gm_post_clear(&p);
    gm_labels_clear(&types);
}

static void test_labels(void **state)
{
    (void)state;
    struct gm_labels l;
    struct gm_error err;
    uint32_t id;
    char name[16];
    gm_labels_init(&l, 1000);
    assert_int_equal(gm_labels_find(&l, GM_STR("x")), GM_LABEL_NONE);
    for (size_t pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < 1000; i++) {
            snprintf(name, sizeof name, "n%u", i);
            assert_int_equal(gm_labels_add(&l, gm_str(name), &id, &err), GM_OK);
            assert_int_equal(id, i);
        }
    assert_string_equal(gm_labels_at(&l, 42).p, "n42");
    assert_int_equal(gm_labels_find(&l, GM_STR("n999")), 999);
    assert_int_equal(gm_labels_add(&l, GM_STR("one more"), &id, &err), GM_EFORMAT);
    assert_string_equal(err.msg, "more than 1000 different labels (\"one more\")");
    gm_labels_clear(&l);
}

/* In order of name, whatever the order in which they came; the numbers are then those that are found. */
static void test_sorted_labels(void **state)
{
    (void)state;
    static const char *const orders[2][5] = {{"b", "ab", "a", "", "b\tc"},
                                             {"", "b\tc", "ab", "b", "a"}};
    static const char *const want[5] = {"", "a", "ab", "b", "b\tc"};
    struct gm_labels l[2], more;
    uint32_t id;
    gm_labels_init(&more, 10);
    gm_labels_sort(&more); /* of nothing */
    for (size_t k = 0; k < 2; k++) {
        gm_labels_init(&l[k], 10);
        for (size_t i = 0; i < 5; i++)
            assert_int_equal(gm_labels_add(&l[k], gm_str(orders[k][i]), &id, NULL), GM_OK);
        assert_true(gm_labels_same(&l[0], &l[k]));
        assert_false(gm_labels_same(&l[k], &more));
        gm_labels_sort(&l[k]);
        for (uint32_t i = 0; i < 5; i++) {
            assert_string_equal(gm_labels_at(&l[k], i).p, want[i]);
            assert_int_equal(gm_labels_find(&l[k], gm_str(want[i])), i);
        }
        assert_int_equal(gm_labels_find(&l[k], GM_STR("c")), GM_LABEL_NONE);
    }
    assert_int_equal(gm_labels_add(&l[0], GM_STR("c"), &id, NULL), GM_OK);
    assert_int_equal(gm_labels_add(&l[1], GM_STR("d"), &id, NULL), GM_OK);
    assert_false(gm_labels_same(&l[0], &l[1]));
    for (size_t k = 0; k < 2; k++)
        gm_labels_clear(&l[k]);
    gm_labels_clear(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        leak_checked(test_sorted_labels),   leak_checked(test_parse),
        leak_checked(test_repairs),         leak_checked(test_round_trip),
        leak_checked(test_post_round_trip), leak_checked(test_post_skips),
        leak_checked(test_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
