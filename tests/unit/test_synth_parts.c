/* Parts of src/synth by themselves: letters, answers in the forms that models write, quotas, and the whole way
 * from an answer to records with every allocation failing in turn. */
#include "synth/answer.h"
#include "synth/letters.h"
#include "synth/pool.h"
#include "synth/quota.h"
#include "synth/written.h"

#include "post_files.h"

static void letters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool few, many; /* refused after one text, after many */
    } cases[] = {
        {"A Leopard 2 crosses the bridge", false, false},
        {"THE QUICK BROWN FOX", false, false},
        {"Ein Sch\xC3\xBCtzenpanzer", false, false}, /* one letter that no text has */
        {"Le pr\xC3\xA9sident a \xC3\xA9t\xC3\xA9 \xC3\xA0 No\xC3\xABl", false, true},
        {"\xD0\x9C\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0", true, true}, /* Москва */
        {"T-72 \xD0\xB8 T-80", true, true}, /* 1 of 3 letters is another script's */
        {"\xE5\x8C\x97\xE4\xBA\xAC in the morning of the first day", false,
         false}, /* 北京: 2 of 28 */
        {"2025 !", false, false},
        {"", false, false},
    };
    struct gm_letters few = {NULL}, many = {NULL};
    static const char text[] = "The quick brown fox jumps over the lazy dog .";
    assert_false(gm_letters_are_others(&few, gm_str("\xD0\x9C"))); /* nothing to go by */
    assert_int_equal(gm_letters_add(&few, gm_str(text), NULL), GM_OK);
    for (int i = 0; i < 40; i++)
        assert_int_equal(gm_letters_add(&many, gm_str(text), NULL), GM_OK);
    assert_int_equal(few.n, 35);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (gm_letters_are_others(&few, gm_str(cases[i].text)) != cases[i].few ||
            gm_letters_are_others(&many, gm_str(cases[i].text)) != cases[i].many)
            fail_msg("%s", cases[i].text);
    gm_letters_clear(&few);
    gm_letters_clear(&many);
}

static void answers(void **state)
{
    (void)state;
    static const char *const same[] = {
        "{\"sentences\": [{\"text\": \"a\", \"entities\": [{\"text\": \"b\", \"type\": \"C\"}]}]}",
        "[{\"sentence\": \"a\", \"entity\": [{\"name\": \"b\", \"label\": \"C\"}]}]",
        "Sure:\n```json\n{\"data\": [{\"text\": \"a\", \"entities\": [{\"entity\": \"b\", \"type\": \"C\", "
        "\"n\": 1}], \"note\": 2,}]}\n```",
    };
    static const char *const strange[] = {"[{\"text\": \"a\"}]",
                                          "[7]",
                                          "[\"a\"]",
                                          "[null]",
                                          "[{\"text\": \"a\", \"entities\": [\"b\"]}]",
                                          "[{\"text\": \"a\", \"entities\": {}}]"};
    struct gm_json *v;
    struct gm_buf text;
    gm_buf_init(&text, 1000);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        gm_buf_reset(&text);
        assert_int_equal(gm_synth_answer_read(&v, gm_str(same[i]), NULL), GM_OK);
        assert_int_equal(gm_json_write(v, false, &text, NULL), GM_OK);
        struct gm_json *want;
        struct gm_buf other;
        gm_buf_init(&other, 1000);
        assert_int_equal(gm_json_parse(&want, gm_str(same[0]), NULL), GM_OK);
        assert_int_equal(gm_json_write(want, false, &other, NULL), GM_OK);
        assert_string_equal(text.p, other.p);
        gm_buf_clear(&other);
        gm_json_free(want);
        gm_json_free(v);
    }
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        struct gm_str name;
        assert_int_equal(gm_synth_answer_read(&v, gm_str(strange[i]), NULL), GM_OK);
        const struct gm_json *s = gm_json_at(gm_json_get(v, "sentences"), 0);
        assert_true(
            gm_json_str(gm_json_get(gm_json_at(gm_json_get(s, "entities"), 0), "text"), &name));
        assert_int_equal(name.n, 0); /* which is refused */
        gm_json_free(v);
    }
    assert_int_equal(gm_synth_answer_read(&v, gm_str("{\"a\": 1}"), NULL), GM_EFORMAT);
    assert_int_equal(gm_synth_answer_read(&v, gm_str("no"), NULL), GM_EFORMAT);
    gm_buf_clear(&text);
}

static const char SEEDS[] =
    "{\"id\": \"1\", \"text\": \"The Leopard 2 nears Munster .\", \"knowledge\": \"The Leopard 2 is a tank; Munster "
    "is where its crews are trained.\", \"entities\": [{\"start\": 4, \"end\": 13, "
    "\"type\": \"vehicle\"}, {\"start\": 20, \"end\": 27, \"type\": \"location\"}]}\n";

static void quotas(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_arena a;
    struct gm_labels types;
    struct gm_synth_quota q;
    uint32_t id;
    gm_arena_init(&a, 0);
    gm_labels_init(&types, 3);
    assert_int_equal(gm_labels_add(&types, GM_STR("A"), &id, NULL), GM_OK);
    assert_int_equal(gm_labels_add(&types, GM_STR("B"), &id, NULL), GM_OK);
    struct gm_synth_mention ab[] = {{0, 1, 0}, {1, 2, 1}, {2, 3, 0}};
    const struct gm_synth_sentence only_a = {.mentions = ab, .n_mentions = 1},
                                   both = {.mentions = ab, .n_mentions = 3},
                                   none = {.n_mentions = 0};
    const struct gm_synth_name names[] = {{GM_STR("a"), 0}, {GM_STR("b"), 1}};
    const struct gm_synth_seed seed = {.names = names, .n_names = 2};
    assert_status(gm_synth_quota_read(&q, "B=1", &types, &a, &err), GM_OK, &err);
    assert_false(gm_synth_quota_is_full(&q, &both));
    gm_synth_quota_add(&q, &both);
    assert_int_equal(q.n[0], 1); /* a sentence counts once for a type */
    assert_true(gm_synth_quota_is_full(&q, &both));
    assert_false(gm_synth_quota_is_full(&q, &only_a) || gm_synth_quota_is_full(&q, &none));
    assert_true(gm_synth_quota_stops(&q, &seed, GM_SYNTH_KEEP));
    assert_false(gm_synth_quota_stops(&q, &seed, GM_SYNTH_VARY));
    assert_false(gm_synth_quota_stops(&q, &seed, GM_SYNTH_NONE));
    assert_status(gm_synth_quota_read(&q, "1", &types, &a, &err), GM_OK, &err);
    gm_synth_quota_add(&q, &both);
    assert_true(gm_synth_quota_stops(&q, &seed, GM_SYNTH_VARY));
    assert_status(gm_synth_quota_read(&q, NULL, &types, &a, &err), GM_OK, &err);
    gm_synth_quota_add(&q, &both);
    assert_false(gm_synth_quota_is_full(&q, &both));
    static const char *const wrong[] = {"0", "-1", "C=1", "A", "A=", "A=x", "A=1,", "A=1,,B=2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (i != 6) /* a comma at the end is nothing */
            assert_int_equal(gm_synth_quota_read(&q, wrong[i], &types, &a, NULL), GM_EARG);
    gm_labels_clear(&types);
    gm_arena_clear(&a);
}

/* Seeds, pool, an answer, its first sentence as a record: its status. */
static enum gm_status whole_way(const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    static const char answer[] =
        "{\"sentences\": [{\"text\": \"At dawn Leopard 2 after Leopard 2 came to Munster .\", \"entities\": "
        "[{\"text\": \"Leopard 2\", \"type\": \"VEHICLE\"}, {\"text\": \"Munster\", \"type\": \"location\"}]}]}";
    static const char rewritten[] =
        "[{\"text\": \"Near Munster the bridge now holds the Leopard 2 .\", \"entities\": [], \"knowledge\": "
        "\"Munster has a tank school where crews of the Leopard 2 train.\"}]";
    struct gm_synth_opts o = gm_synth_opts_default();
    struct gm_synth_seeds seeds = {.n = 0};
    struct gm_synth_pool pool = {{NULL}};
    struct gm_synth_sentence s;
    struct gm_json *v = NULL;
    struct gm_post post;
    struct gm_arena a;
    enum gm_synth_reason why;
    gm_post_init(&post);
    gm_arena_init(&a, 0);
    o.words_min = 3;
    GM_TRY(gm_synth_seeds_load(&seeds, path, NULL, NULL, err));
    GM_TRY(gm_synth_pool_load(&pool, &o, &seeds, err));
    GM_TRY(gm_synth_answer_read(&v, gm_str(answer), err));
    GM_TRY(gm_synth_sentence_read(&seeds, &seeds.items[0], GM_SYNTH_KEEP, &o,
                                  gm_json_at(gm_json_get(v, "sentences"), 0), &a, &s, &why, err));
    assert_int_equal(why, GM_SYNTH_FITS);
    assert_int_equal(s.n_mentions, 3);
    GM_TRY(gm_synth_pool_find(&pool, s.text, &why, err));
    assert_int_equal(why, GM_SYNTH_FITS);
    GM_TRY(gm_synth_pool_add(&pool, s.text, err));
    GM_TRY(gm_synth_pool_find(&pool, s.text, &why, err));
    assert_int_equal(why, GM_SYNTH_TWIN);
    struct gm_json *origin = gm_json_new_object();
    GM_TRY(origin ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_synth_sentence_post(&s, &seeds.types, GM_STR("1.k1.1"), origin, &post, err));
    assert_int_equal(post.n_entities, 3);
    assert_int_equal(post.entities[1].start, 24);
    assert_int_equal(post.n_tokens, 11);
    gm_json_free(v);
    v = NULL;
    gm_post_clear(&post);
    GM_TRY(gm_synth_answer_read_knowledge(&v, gm_str(rewritten), err));
    GM_TRY(gm_synth_sentence_read(&seeds, &seeds.items[0], GM_SYNTH_REWRITE, &o,
                                  gm_json_at(gm_json_get(v, "sentences"), 0), &a, &s, &why, err));
    assert_int_equal(why, GM_SYNTH_FITS);
    origin = gm_json_new_object();
    GM_TRY(origin ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_synth_sentence_post(&s, &seeds.types, GM_STR("1.r1.1"), origin, &post, err));
    assert_int_equal(post.n_entities, 2); /* the post's, though the answer lists none */
    assert_true(gm_str_starts(post.knowledge, GM_STR("Munster has a tank school")));
done:
    gm_post_clear(&post);
    gm_json_free(v);
    gm_synth_pool_clear(&pool);
    gm_synth_seeds_clear(&seeds);
    gm_arena_clear(&a);
    return st;
}

static void torture(void **state)
{
    (void)state;
    struct gm_error err;
    const char *path = temp_file_bytes(SEEDS, sizeof SEEDS - 1);
    for (size_t n = 1;; n++) {
        gm_alloc_fail_at(n);
        enum gm_status st = whole_way(path, &err);
        gm_alloc_fail_at(0);
        assert_int_equal(gm_alloc_live(), 0);
        if (st == GM_OK)
            break;
        assert_int_equal(st, GM_ENOMEM);
        assert_true(n < 10000);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {leak_checked(letters), leak_checked(answers),
                                       leak_checked(quotas), leak_checked(torture)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
