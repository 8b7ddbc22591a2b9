/* Which names of tweets are entities: the rules one by one, on posts whose entities are marked [TYPE name]. */
#include "unit.h"

#include "base/utf8.h"
#include "ner/name_policy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 8 };

/* "I saw [PER Mr. Adams]" as a post that says so. */
static void parse(const char *marked, struct gm_post *p)
{
    char text[256];
    size_t n = 0;
    gm_post_init(p);
    p->entities = gm_arena_alloc(&p->arena, MOST, sizeof *p->entities);
    assert_non_null(p->entities);
    size_t starts[MOST], ends[MOST];
    for (const char *s = marked; *s; s++) {
        if (*s == '[') {
            const char *space = strchr(s, ' ');
            p->entities[p->n_entities] = (struct gm_entity){
                .type = gm_arena_str(&p->arena, (struct gm_str){s + 1, (size_t)(space - s - 1)})};
            starts[p->n_entities] = n;
            s = space;
        } else if (*s == ']') {
            ends[p->n_entities++] = n;
        } else {
            text[n++] = *s;
        }
    }
    p->text = gm_arena_str(&p->arena, (struct gm_str){text, n});
    p->has_entities = true;
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entity *e = &p->entities[i];
        e->text = gm_str_sub(p->text, starts[i], ends[i]);
        e->start = gm_utf8_count(gm_str_sub(p->text, 0, starts[i]));
        e->end = gm_utf8_count(gm_str_sub(p->text, 0, ends[i]));
    }
}

/* A post's entities as "name|name"; their offsets are of that text. */
static void are(const char *marked, const char *want)
{
    struct gm_post p;
    char got[256] = "";
    parse(marked, &p);
    gm_name_policy_apply(&p);
    for (size_t i = 0; i < p.n_entities; i++) {
        const struct gm_entity *e = &p.entities[i];
        size_t from = gm_utf8_offset(p.text, e->start), to = gm_utf8_offset(p.text, e->end);
        assert_true(gm_str_eq(gm_str_sub(p.text, from, to), e->text));
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s", i ? "|" : "",
                 GM_STR_ARG(e->text));
    }
    assert_string_equal(got, want);
    gm_post_clear(&p);
}

static void handles(void **state)
{
    (void)state;
    are("Found @[PER VanessaHudgens] in [LOC NYC]", "VanessaHudgens|NYC");
    are("@[PER klein]_brydan lost in [LOC Rome]", "klein_brydan|Rome");
    are("é @klein_[PER brydan] lost", "klein_brydan");
    are("@[ORG NHL] I love the [ORG Dallas Stars]", "Dallas Stars");
    are("RT @[PER john_kucko]: [LOC Lake Ontario]", "Lake Ontario");
    are("(via @[PER ridvanaksu]) mt @[PER anna]", "");
    are("art @[PER anna]", "anna"); /* "art" is not "RT" */
}

static void hashtags(void **state)
{
    (void)state;
    are("in #[LOC Tuscaloosa] and #[LOC royal]_oak", "Tuscaloosa|royal_oak");
    are("the #[ORG Duke Blue Devil], #[PER Lo]Más", "Duke Blue Devil|LoMás");
    are("A [OTHER Night #Out]ofTown", "Night #OutofTown");
    /* what was widened takes the place of what it covers */
    are("#[LOC san]_[LOC jose]", "san_jose");
}

static void titles(void **state)
{
    (void)state;
    are("[PER Mr. Adams] and [PER Mrs Grundling]", "Adams|Grundling");
    are("[PER Captain Hart], [PER Gov. Dr. Lee]", "Hart|Lee");
    are("[PER Captain] and [PER Mr.] [PER Prime Minister]", ""); /* nothing is left */
    are("[PER Dré Smith], [PER Colé]", "Dré Smith|Colé");        /* no "Dr", no "Col" */
    are("[OTHER Mr Robot], [PER Missy Elliott], [PER Lady Gaga]",
        "Mr Robot|Missy Elliott|Lady Gaga");
}

static void ends(void **state)
{
    (void)state;
    are("in the [LOC U.S]. & abroad", "U.S.");
    are("by [PER Robert Downey Jr]. and [ORG Acme Inc].", "Robert Downey Jr.|Acme Inc.");
    are("I like [LOC Rome]. [PER A]. came", "Rome|A");
    are("[PER Robert Downey], Jr. and [PER Ann Lee], SR", "Robert Downey, Jr.|Ann Lee, SR");
    are("[PER Ann], junior, [ORG Acme], Jr [PER Bo], ", "Ann|Acme|Bo");
}

static void no_names(void **state)
{
    (void)state;
    are("[OTHER Valentine's Day] #[OTHER ValentinesDay] #[OTHER HappyHalloween]", "");
    are("[OTHER Valentine¡¯s Day] [OTHER CHRISTMAS]", "");
    are("[OTHER Valentine’s Day] [OTHER Christmas家族] [OTHER Easteré]", "Christmas家族|Easteré");
    are("[OTHER Christmas Carol] [OTHER Easter Parade]", "Christmas Carol|Easter Parade");
    are("[LOC Irish] fans, [ORG Saudis], [OTHER American] and [LOC israeli] ones", "");
    are("[ORG American Airlines], [PER French], [LOC Ireland]", "American Airlines|French|Ireland");
}

static void platforms(void **state)
{
    struct gm_post p;
    (void)state;
    parse("on [OTHER eBay], [OTHER Twitter Wars] and [OTHER F-150]", &p);
    gm_name_policy_apply(&p);
    assert_true(gm_str_eq_c(p.entities[0].type, "ORG"));
    assert_true(gm_str_eq_c(p.entities[1].type, "OTHER"));
    assert_true(gm_str_eq_c(p.entities[2].type, "OTHER"));
    gm_post_clear(&p);
}

/* Labels O, B-PER, I-PER: what is weighed and made impossible before they are chosen. */
static void before_labels(void **state)
{
    struct gm_ner_labels l = {.scheme = GM_TAGS_BIO};
    struct gm_error err;
    struct gm_post p;
    uint32_t id;
    struct gm_word *words;
    size_t n;
    (void)state;
    gm_labels_init(&l.types, GM_NER_MAX_TYPES);
    gm_arena_init(&l.arena, 0);
    assert_int_equal(gm_labels_add(&l.types, GM_STR("PER"), &id, &err), GM_OK);
    assert_int_equal(gm_ner_labels_build(&l, &err), GM_OK);
    gm_post_init(&p);
    p.text = GM_STR("#Ann - Bob-Lee # x -");
    assert_int_equal(gm_segment(p.text, GM_CUT_SPACES, &p.arena, &words, &n, &err), GM_OK);
    assert_int_equal(n, 7); /* # Ann - Bob-Lee # x - */
    for (int tokens = 0; tokens < 2; tokens++) {
        float emit[7 * 3] = {0};
        struct gm_ner_rows r = {.post = &p, .words = words, .n_words = n};
        p.has_tokens = tokens;
        gm_name_policy_weigh(&l, &r, emit);
        for (size_t w = 0; w < n; w++) {
            bool ends = !tokens && w == 2; /* the last one has no space behind it */
            assert_true((isinf(emit[w * 3 + 2]) != 0) == ends && !isinf(emit[w * 3 + 1]));
            assert_true((emit[w * 3] < 0) == (!tokens && w == 1));
        }
    }
    gm_post_clear(&p);
    gm_ner_labels_clear(&l);
}

/* A post with words of its own is of a data set, with its own policy. */
static void words_given(void **state)
{
    struct gm_post p;
    (void)state;
    parse("[PER Mr. Adams] is [LOC Irish]", &p);
    p.has_tokens = true;
    gm_name_policy_apply(&p);
    assert_int_equal(p.n_entities, 2);
    assert_int_equal(p.entities[0].start, 0);
    gm_post_clear(&p);
}

static void other_types(void **state)
{
    (void)state;
    are("On [MISC Easter] the [OTHER French] in [LOC Paris]", "Paris");
    are("On [OTHER Easter] by @[ORG nasa]", "");
    are("On [EVENT Easter] by @[COMPANY nasa]", "Easter|nasa");
    are("On [EVENT Easter] the [NORP French] with @[PERSON anna_b] in [GPE Paris]",
        "Easter|French|anna_b|Paris");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles),       cmocka_unit_test(hashtags),
        cmocka_unit_test(titles),        cmocka_unit_test(ends),
        cmocka_unit_test(no_names),      cmocka_unit_test(platforms),
        cmocka_unit_test(before_labels), cmocka_unit_test(words_given),
        cmocka_unit_test(other_types)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
