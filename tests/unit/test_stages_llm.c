/* The stages that ask a language model, against the scripted server. The prompts of this test bring
 * the answer along between << and >>, so that each case says what the model says. */
#include "unit.h"

#include <math.h>

#include "base/file.h"
#include "image/image.h"
#include "llm/llm.h"
#include "llm_server/server_process.h"
#include "stages/pixels.h"
#include "stages/stage.h"

static struct server_process server;
static struct gm_llm *llm;
static char prompt[64], picture[64];

/* A post with a picture of 2001 x 1001 pixels and one entity a row. */
struct row {
    const char *text, *type;
    size_t start;
    double marginal;        /* < 0 = no uncertainty known */
    const char *expression; /* what the test's prompt answers with, where it asks for each entity */
};

static void fill(struct gm_post *p, const char *text, const struct row *rows, size_t n)
{
    gm_post_init(p);
    p->id = GM_STR("1");
    p->text = gm_str(text);
    p->image = gm_str(picture);
    p->entities = gm_arena_alloc(&p->arena, n, sizeof *p->entities);
    p->n_entities = n;
    p->has_entities = true;
    for (size_t i = 0; i < n; i++) {
        struct gm_entity *e = &p->entities[i];
        e->text = gm_str(rows[i].text);
        e->type = gm_str(rows[i].type);
        e->start = rows[i].start;
        e->end = e->start + e->text.n;
        e->score = rows[i].marginal >= 0 ? rows[i].marginal : 0.9;
        e->visible = -1;
        e->source = GM_STR("tag");
        e->expression = gm_str(rows[i].expression);
        if (rows[i].marginal >= 0)
            e->uncertainty =
                (struct gm_uncertainty){true, rows[i].marginal, 1, 1, rows[i].marginal, 1};
    }
}

/* Run one stage over one post; `answer` is the user message, settings are JSON without the prompt.
 */
static void run(const char *stage, struct gm_post *p, const char *user, const char *settings)
{
    char text[4000];
    void *self = NULL;
    struct gm_json *j;
    struct gm_error err = {0};
    const struct gm_backend *b = gm_backend_find(stage, "llm");
    assert_non_null(b);
    snprintf(text, sizeof text, "--- user\n%s\n", user);
    assert_int_equal(gm_file_write(prompt, gm_str(text), NULL), GM_OK);
    assert_int_equal(gm_json_parse(&j, gm_str(settings), NULL), GM_OK);
    assert_true(gm_json_set(j, "prompt", gm_json_new_str(gm_str(prompt))));
    if (b->open(&self, b, j, &err) != GM_OK)
        fail_msg("%s", err.msg);
    b->use_llm(self, llm, 0);
    if (b->run(self, &p, 1, &err) != GM_OK)
        fail_msg("%s", err.msg);
    b->close(self);
    gm_json_free(j);
}

static size_t rejected(const char *stage, const char *reason)
{
    const char *s, *r;
    size_t n;
    for (size_t i = 0; gm_llm_rejected(llm, i, &s, &r, &n); i++)
        if (strcmp(s, stage) == 0 && strcmp(r, reason) == 0)
            return n;
    return 0;
}

static bool is(struct gm_str s, const char *want)
{
    if (!gm_str_eq_c(s, want))
        print_message("\"%.*s\", not \"%s\"\n", GM_STR_ARG(s), want);
    return gm_str_eq_c(s, want);
}

static void caption(void **state)
{
    (void)state;
    struct gm_post p;
    fill(&p, "x", NULL, 0);
    run("look", &p, "{{image}} <<Two men\n on  a stage. >>", "{}");
    assert_true(is(p.caption, "Two men on a stage."));
    assert_int_equal(p.image_w, 2001);
    assert_null(p.pixels);
    run("look", &p, "{{image}} <<Another>>", "{}"); /* it has one now */
    assert_true(is(p.caption, "Two men on a stage."));
    gm_post_clear(&p);
    fill(&p, "x", NULL, 0);
    p.image = GM_STR("/no/such.jpg");
    run("look", &p, "{{image}} <<Another>>", "{}");
    assert_true(is(p.error.stage, "look"));
    gm_post_clear(&p);
}

/* A smaller copy that another stage left is neither what is sent nor the picture's size. */
static void pictures_are_whole(void **state)
{
    (void)state;
    struct gm_post p;
    const struct gm_image *im;
    fill(&p, "x", NULL, 0);
    assert_int_equal(gm_post_pixels(&p, 300, &im, NULL), GM_OK);
    assert_int_equal(im->w, 1001);
    run("look", &p, "{{image}} <<A hall.>>", "{}");
    assert_int_equal(p.image_w, 2001);
    assert_int_equal(gm_post_pixels(&p, 400, &im, NULL), GM_OK);
    assert_int_equal(im->w, 1001);
    assert_int_equal(gm_post_pixels(&p, 800, &im, NULL), GM_OK);
    assert_int_equal(im->w, 2001);
    assert_int_equal(p.image_w, 2001);
    gm_post_clear(&p);
}

static const struct row two[] = {{"Ann Lee", "PER", 0, 0.2, ""}, {"Rome", "LOC", 11, 0.9, ""}};
static const char *const two_text = "Ann Lee in Rome";

static void expressions(void **state)
{
    (void)state;
    struct gm_post p;
    fill(&p, two_text, two, 2);
    run("expand", &p,
        "{{entities}} <<{\"phrases\": [{\"entity\": 2, \"phrase\": \"a city\"}, {\"entity\": 1, "
        "\"phrase\": \"a  woman\"}]}>>",
        "{}");
    assert_true(is(p.entities[0].expression, "a woman"));
    assert_true(is(p.entities[1].expression, "a city"));
    gm_post_clear(&p);
}

static void expressions_that_do_not_fit(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{\"phrases\": [{\"entity\": 1, \"phrase\": \"a\"}]}", /* one is missing */
        "{\"phrases\": [{\"entity\": 1, \"phrase\": \"a\"}, {\"entity\": 1, \"phrase\": \"b\"}]}",
        "{\"phrases\": [{\"entity\": 1, \"phrase\": \"a\"}, {\"entity\": 3, \"phrase\": \"b\"}]}",
        "{\"phrases\": [{\"entity\": 1, \"phrase\": \"a\"}, {\"entity\": 2, \"phrase\": \"\"}]}",
        "I can't"};
    for (size_t i = 0; i < 5; i++) {
        struct gm_post p;
        char user[300];
        size_t before = rejected("expand", "schema");
        fill(&p, two_text, two, 2);
        snprintf(user, sizeof user, "<<%s>>", answers[i]);
        run("expand", &p, user, "{}");
        assert_int_equal(p.n_entities, 2);
        assert_true(is(p.entities[0].note, "expand_rejected:schema"));
        assert_int_equal(p.entities[0].expression.n, 0);
        assert_int_equal(rejected("expand", "schema"), before + 2);
        gm_post_clear(&p);
    }
}

static void entailment(void **state)
{
    (void)state;
    static const struct row rows[] = {{"Ann Lee", "PER", 0, -1, "Yes."},
                                      {"Rome", "LOC", 11, -1, "no"},
                                      {"in", "X", 8, -1, "maybe"}};
    struct gm_post p;
    fill(&p, two_text, rows, 3);
    run("entail", &p, "{{image}}<<{{expression}}>>", "{}");
    assert_true(p.entities[0].visible > 0.99 && p.entities[1].visible == 0);
    assert_true(p.entities[2].visible < 0);
    assert_true(is(p.entities[2].note, "entail_rejected:not_yes_or_no"));
    assert_int_equal(rejected("entail", "not_yes_or_no"), 1);
    gm_post_clear(&p);
}

/* Asked is only where the encoder is unsure; what it and the model say is kept and weighed. */
static void entailment_fused(void **state)
{
    (void)state;
    static const struct row rows[] = {{"Ann Lee", "PER", 0, -1, "yes"},
                                      {"Rome", "LOC", 11, -1, "no"},
                                      {"in", "X", 8, -1, "maybe"},
                                      {"Lee", "PER", 4, -1, "yes"}};
    static const double encoder[] = {0.6, 0.05, 0.4, 0.9};
    static const char *const settings[] = {
        "{\"encoder\": \"x\", \"bound\": 1}",
        "{\"encoder\": \"x\", \"bound\": 1, \"fusion\": {\"encoder\": {\"bias\": 0.25, "
        "\"encoder\": 2}, \"encoder+model\": {\"encoder\": 1, \"model\": -0.5}}}"};
    for (size_t k = 0; k < 2; k++) {
        struct gm_post p;
        fill(&p, two_text, rows, 4);
        for (size_t i = 0; i < 4; i++) {
            p.entities[i].visible = encoder[i];
            p.entities[i].evidence.has[GM_WITNESS_ENCODER] = true;
            p.entities[i].evidence.by[GM_WITNESS_ENCODER] = encoder[i];
        }
        run("entail", &p, "{{image}}<<{{expression}}>>", settings[k]);
        const struct gm_entity *e = p.entities;
        double z = log(0.6 / 0.4), yes = e[0].evidence.by[GM_WITNESS_MODEL];
        assert_true(e[0].evidence.has[GM_WITNESS_MODEL] && yes > 0.99);
        for (size_t i = 1; i < 4; i++) /* sure, refused, sure */
            assert_false(e[i].evidence.has[GM_WITNESS_MODEL]);
        assert_true(is(e[2].note, "entail_rejected:not_yes_or_no"));
        yes = fmin(yes, 0.999);
        assert_true(fabs(e[0].visible - (k ? 1 / (1 + exp(-z + 0.5 * log(yes / (1 - yes))))
                                           : e[0].evidence.by[GM_WITNESS_MODEL])) < 1e-9);
        assert_true(fabs(e[3].visible - (k ? 1 / (1 + exp(-0.25 - 2 * log(9))) : 0.9)) < 1e-9);
        assert_true(fabs(e[2].visible - (k ? 1 / (1 + exp(-0.25 + 2 * z)) : 0.4)) < 1e-9);
        gm_post_clear(&p);
    }
}

static void boxes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Ann Lee", "PER", 0, -1, "{\"boxes\": [[100, 200, 300, 400], [0, 0, 1000, 1000]]}"},
        {"Rome", "LOC", 11, -1, "{\"boxes\": []}"},
        {"a", "LOC", 0, -1, "{\"boxes\": [[0, 0, 5000, 10], [0, 0, 500, 500]]}"},
        {"b", "LOC", 0, -1, "there is nothing"},
        {"c", "MISC", 0, -1, "{\"boxes\": [[1, 2, 3, 4]]}"},
        {"d", "LOC", 0, -1, "{\"boxes\": [[1, 2, 3]]}"},
        {"e", "LOC", 0, -1, "{\"boxes\": [[1, 2, 3, 4]]}"}};
    struct gm_post p;
    fill(&p, two_text, rows, 7);
    p.entities[6].visible = 0.4;
    p.entities[0].note = GM_STR("ground_rejected:schema"); /* of an earlier run */
    run("ground", &p, "{{image}}<<{{expression}}>>",
        "{\"coords\": \"1000\", \"never\": [\"MISC\"]}");
    const struct gm_entity *e = p.entities;
    assert_int_equal(e[0].n_regions, 2);
    assert_true(fabs(e[0].regions[0].box[0] - 200.1) < 0.01); /* of 2001 pixels */
    assert_true(fabs(e[0].regions[0].box[3] - 400.4) < 0.01); /* of 1001 */
    assert_true(is(e[0].regions[0].label, "person"));
    assert_int_equal(e[0].note.n, 0);
    assert_int_equal(e[1].n_regions, 0);
    assert_true(is(e[1].note, "no_box:not_found"));
    assert_int_equal(e[2].n_regions, 1);
    assert_true(is(e[2].note, "ground_rejected:box_outside"));
    assert_true(is(e[3].note, "ground_rejected:schema"));
    assert_int_equal(e[4].n_regions, 0);
    assert_true(is(e[4].note, "no_box:type_never_shown"));
    assert_true(is(e[5].note, "ground_rejected:schema"));
    assert_true(is(e[6].note, "no_box:below_threshold:0.5"));
    gm_post_clear(&p);
}

/* Pixels of the picture as sent: 2001 x 1001 goes out as 980 x 504. */
static void boxes_in_sent_pixels(void **state)
{
    (void)state;
    static const struct row rows[] = {{"Ann Lee", "PER", 0, -1, "{\"boxes\": [[0, 0, 490, 504]]}"}};
    struct gm_post p;
    fill(&p, two_text, rows, 1);
    run("ground", &p, "{{image}}<<{{expression}}>>", "{\"coords\": \"sent\"}");
    assert_int_equal(p.entities[0].n_regions, 1);
    assert_true(fabs(p.entities[0].regions[0].box[2] - 1000.5) < 0.01);
    assert_true(fabs(p.entities[0].regions[0].box[3] - 1001) < 0.01);
    gm_post_clear(&p);
    /* y first; sides of 32: 992 x 512 */
    static const struct row turned[] = {
        {"Ann Lee", "PER", 0, -1, "{\"boxes\": [[0, 0, 512, 496]]}"}};
    fill(&p, two_text, turned, 1);
    run("ground", &p, "{{image}}<<{{expression}}>>",
        "{\"coords\": \"grid32\", \"order\": \"yxyx\"}");
    assert_int_equal(p.entities[0].n_regions, 1);
    assert_true(fabs(p.entities[0].regions[0].box[2] - 1000.5) < 0.01);
    assert_true(fabs(p.entities[0].regions[0].box[3] - 1001) < 0.01);
    gm_post_clear(&p);
}

/* What refine makes of the first of the two entities, the uncertain one. */
static void refine_first(struct gm_post *p, const char *action, const char *text, const char *type)
{
    char user[400];
    fill(p, two_text, two, 2);
    snprintf(user, sizeof user,
             "{{image}}{{entities}}<<{\"entities\": [{\"entity\": 1, \"action\": \"%s\", \"text\": "
             "\"%s\", \"type\": \"%s\"}]}>>",
             action, text, type);
    run("refine", p, user, "{\"combined\": true, \"threshold\": 0.5}");
    /* the confident one is as it was */
    const struct gm_entity *rome = &p->entities[p->n_entities - 1];
    assert_true(is(rome->text, "Rome") && is(rome->source, "tag") && rome->note.n == 0);
    assert_int_equal(rome->start, 11);
}

static void corrections(void **state)
{
    (void)state;
    struct gm_post p;
    refine_first(&p, "keep", "Ann Lee", "PER");
    assert_true(is(p.entities[0].source, "tag") && p.entities[0].note.n == 0);
    gm_post_clear(&p);
    refine_first(&p, "change", "Lee", "ORG");
    assert_true(is(p.entities[0].text, "Lee") && is(p.entities[0].type, "ORG"));
    assert_true(is(p.entities[0].source, "refine"));
    assert_int_equal(p.entities[0].start, 4);
    assert_int_equal(p.entities[0].end, 7);
    gm_post_clear(&p);
    refine_first(&p, "remove", "Ann Lee", "PER");
    assert_int_equal(p.n_entities, 1);
    gm_post_clear(&p);
}

static void corrections_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *type, *reason;
    } cases[] = {
        {"Ann Lee", "CITY", "unknown_type"}, {"Bob", "PER", "not_in_text"},
        {"", "PER", "not_in_text"},          {"Rome", "PER", "moved"},
        {"nn Lee", "PER", "moved"},          {"Ann Lee in Rome", "PER", "overlap"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_post p;
        char note[60];
        size_t before = rejected("refine", cases[i].reason);
        refine_first(&p, "change", cases[i].text, cases[i].type);
        snprintf(note, sizeof note, "refine_rejected:%s", cases[i].reason);
        assert_true(is(p.entities[0].note, note));
        assert_true(is(p.entities[0].text, "Ann Lee") && is(p.entities[0].type, "PER"));
        assert_true(is(p.entities[0].source, "tag"));
        assert_int_equal(rejected("refine", cases[i].reason), before + 1);
        gm_post_clear(&p);
    }
}

/* What refine makes of "I love New York City a lot", tagged as New, York, City and, confidently, "a
 * lot": the entities that are left, with their notes. */
static const char *merged(const char *answers)
{
    static const struct row rows[] = {{"New", "LOC", 7, 0.1, NULL},
                                      {"York", "LOC", 11, 0.1, NULL},
                                      {"City", "LOC", 16, 0.1, NULL},
                                      {"a lot", "OTHER", 21, 0.9, NULL}};
    static char out[400];
    char user[1000];
    struct gm_post p;
    fill(&p, "I love New York City a lot", rows, 4);
    for (size_t i = 0; i < 4; i++) /* another stage's, which stays */
        p.entities[i].note = GM_STR("look:x");
    snprintf(user, sizeof user, "{{image}}<<{\"entities\": [%s]}>>", answers);
    run("refine", &p, user, "{\"combined\": true, \"threshold\": 0.5}");
    out[0] = 0;
    for (size_t i = 0; i < p.n_entities; i++) {
        const struct gm_entity *e = &p.entities[i];
        struct gm_str there = gm_str_sub(p.text, e->start, e->end);
        assert_true(gm_str_eq(there, e->text));
        size_t n = strlen(out);
        assert_true(gm_str_starts(e->note, GM_STR("look:x")));
        struct gm_str note = gm_str_sub(e->note, strlen("look:x; "), e->note.n);
        snprintf(out + n, sizeof out - n, "%s%.*s%s%.*s", i ? "|" : "", GM_STR_ARG(e->text),
                 note.n ? "=" : "", GM_STR_ARG(note));
    }
    gm_post_clear(&p);
    return out;
}

/* Answers about fragments of one name are one change: no half is lost, and no two overlap. */
static void merges(void **state)
{
    (void)state;
#define SAYS(n, action, text, type)                                                              \
    "{\"entity\": " #n ", \"action\": \"" action "\", \"text\": \"" text "\", \"type\": \"" type \
    "\"}"
    static const struct {
        const char *answers, *left;
    } cases[] = {
        /* removed and taken in: removals come first */
        {SAYS(1, "change", "New York City",
              "LOC") "," SAYS(2, "remove", "York", "LOC") "," SAYS(3, "remove", "City", "LOC"),
         "New York City|a lot"},
        /* kept, though another's change covers it */
        {SAYS(1, "change", "New York", "LOC") "," SAYS(2, "keep", "York",
                                                       "LOC") "," SAYS(3, "keep", "City", "LOC"),
         "New York=merged|City|a lot"},
        /* all fragments changed to the same name, in any order of the answers */
        {SAYS(3, "change", "New York City", "LOC") "," SAYS(
             2, "change", "New York City", "LOC") "," SAYS(1, "change", "New York City", "LOC"),
         "New York City=merged|a lot"},
        /* the smaller change goes into the larger */
        {SAYS(1, "change", "New York", "LOC") "," SAYS(2, "change", "New York City",
                                                       "LOC") "," SAYS(3, "remove", "City", "LOC"),
         "New York City=merged|a lot"},
        /* a change that is refused leaves what it would have taken in */
        {SAYS(1, "change", "New York", "CITY") "," SAYS(2, "remove", "York",
                                                        "LOC") "," SAYS(3, "keep", "City", "LOC"),
         "New=refine_rejected:unknown_type|York|City|a lot"},
        {SAYS(1, "change", "New-York", "LOC") "," SAYS(2, "remove", "York",
                                                       "LOC") "," SAYS(3, "remove", "City", "LOC"),
         "New=refine_rejected:not_in_text|York|a lot"},
        /* what was not asked about protects its span, and with it what was to be taken in */
        {SAYS(1, "keep", "New", "LOC") "," SAYS(2, "remove", "York",
                                                "LOC") "," SAYS(3, "change", "York City a", "LOC"),
         "New|York|City=refine_rejected:overlap|a lot"},
        /* two changes that cross: the second stays */
        {SAYS(1, "change", "New York",
              "LOC") "," SAYS(2, "remove", "York", "LOC") "," SAYS(3, "change", "York City", "LOC"),
         "New York=merged|City=refine_rejected:overlap|a lot"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(merged(cases[i].answers), cases[i].left);
#undef SAYS
}

/* A refusal that an earlier run noted goes with an answer that can be used, alone; without an answer, and of who is
 * not asked about, it stays. */
static void notes_of_an_earlier_answer(void **state)
{
    (void)state;
#define OTHERS "look_rejected:x; merged"
    static const struct {
        const char *stage, *user, *settings;
        bool is_confident_asked;
    } cases[] = {
        {"entail", "{{image}}<<yes>>", "{}", true},
        {"expand",
         "{{entities}} <<{\"phrases\": [{\"entity\": 1, \"phrase\": \"a\"}, {\"entity\": 2, "
         "\"phrase\": \"b\"}]}>>",
         "{}", true},
        {"refine",
         "<<{\"entities\": [{\"entity\": 1, \"action\": \"keep\", \"text\": \"\", \"type\": "
         "\"\"}]}>>",
         "{\"combined\": true, \"threshold\": 0.5}", false},
        {"refine", "<<{\"entities\": [{\"entity\": 1, \"names\": [\"Ann Lee\"]}]}>>", "{}", false},
        {"check",
         "{{image}}<<{\"entities\": [{\"entity\": 1, \"reason\": \"\", \"answer\": \"keep\", "
         "\"boxes\": []}]}>>",
         "{\"coords\": \"1000\"}", false},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        bool is_answered = i % 2 == 0;
        char note[100];
        struct gm_post p;
        struct gm_region boxes[2] = {{.box = {0, 0, 50, 50}, .score = 0.1f},
                                     {.box = {0, 0, 50, 50}, .score = 1}};
        fill(&p, two_text, two, 2);
        snprintf(note, sizeof note, "%s_rejected:schema; " OTHERS, cases[i / 2].stage);
        for (size_t k = 0; k < 2; k++) {
            p.entities[k].note = gm_str(note);
            p.entities[k].regions = &boxes[k];
            p.entities[k].n_regions = 1;
        }
        if (!is_answered)
            p.image = GM_STR("/no/such.jpg");
        run(cases[i / 2].stage, &p, cases[i / 2].user, cases[i / 2].settings);
        bool is_read = is_answered || !strstr(cases[i / 2].user, "{{image}}");
        assert_true(is(p.entities[0].note, is_read ? OTHERS : note));
        assert_true(
            is(p.entities[1].note, is_read && cases[i / 2].is_confident_asked ? OTHERS : note));
        gm_post_clear(&p);
    }
#undef OTHERS
}

/* Nothing uncertain: nothing is asked. */
static void confident_posts_are_not_sent(void **state)
{
    (void)state;
    struct gm_post p;
    struct gm_llm_stats before, after;
    gm_llm_stats(llm, &before);
    fill(&p, two_text, two, 2);
    run("refine", &p, "<<{}>>", "{\"combined\": true, \"threshold\": 0.95}");
    gm_llm_stats(llm, &after);
    assert_int_equal(before.submitted, after.submitted);
    gm_post_clear(&p);
}

/* One entity: what is compared with the threshold, by measure. */
static void measures(void **state)
{
    (void)state;
    static const struct row one[] = {{"Ann Lee", "PER", 0, 0.8, ""}};
    static const struct {
        const char *settings;
        bool has_uncertainty, asked;
    } cases[] = {
        {"{\"combined\": true, \"threshold\": 0.3}", true, true},
        {"{\"combined\": true, \"threshold\": 0.5}", true, false},
        {"{\"combined\": true, \"threshold\": 0.3}", false, true},
        {"{\"combined\": true, \"measure\": \"marginal\", \"threshold\": 0.3}", true, false},
        {"{\"combined\": true, \"measure\": \"marginal\", \"threshold\": 0.1}", true, true},
        {"{\"combined\": true, \"measure\": \"marginal\", \"threshold\": 0.1}", false, false},
        {"{\"combined\": true, \"measure\": \"entropy\", \"threshold\": 0.9}", true, true},
        {"{\"combined\": true, \"measure\": \"entropy\", \"threshold\": 1.1}", true, false},
        {"{\"combined\": true, \"measure\": \"margin\", \"threshold\": 1.1}", true, true},
        {"{\"combined\": true, \"measure\": \"margin\", \"threshold\": 0.9}", true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_post p;
        struct gm_llm_stats before, after;
        gm_llm_stats(llm, &before);
        fill(&p, two_text, one, 1);
        p.entities[0].score = 0.6;
        p.entities[0].uncertainty.has = cases[i].has_uncertainty;
        run("refine", &p,
            "{{entities}}<<{\"entities\": [{\"entity\": 1, \"action\": \"keep\", "
            "\"text\": \"\", \"type\": \"\"}]}>>",
            cases[i].settings);
        gm_llm_stats(llm, &after);
        if ((after.submitted > before.submitted) != cases[i].asked)
            fail_msg("%s", cases[i].settings);
        gm_post_clear(&p);
    }
}

/* A picture can't go along with a prompt that has no place for it. */
static void a_prompt_without_a_picture(void **state)
{
    (void)state;
    struct gm_json *j;
    struct gm_error err = {0};
    void *self;
    const struct gm_backend *b = gm_backend_find("expand", "llm");
    assert_int_equal(gm_file_write(prompt, GM_STR("--- user\n{{text}}\n"), NULL), GM_OK);
    assert_int_equal(gm_json_parse(&j, GM_STR("{\"images\": \"always\"}"), NULL), GM_OK);
    assert_true(gm_json_set(j, "prompt", gm_json_new_str(gm_str(prompt))));
    assert_int_equal(b->open(&self, b, j, &err), GM_EARG);
    assert_non_null(strstr(err.msg, "no {{image}}"));
    gm_json_free(j);
}

static void bad_settings(void **state)
{
    (void)state;
    static const struct {
        const char *stage, *settings, *part;
    } cases[] = {
        {"ground", "{\"coords\": \"2\"}", "coords"},
        {"ground", "{\"order\": \"xywh\"}", "order"},
        {"ground", "{\"never\": 1}", "never"},
        {"refine", "{\"combined\": true, \"measure\": \"x\"}", "it must be score, marginal"},
        {"refine", "{\"measure\": \"score\"}", "combined: true"},
        {"refine", "{\"combined\": true, \"span\": 1}", "two steps"},
        {"refine", "{\"combined\": 1}", "true or false"},
        {"refine", "{\"types\": []}", "types"},
        {"look", "{\"nonsense\": 1}", "nonsense"},
        {"expand", "{\"prompt\": \"nope\"}", "nope"},
        {"entail", "{\"temperature\": 9}", "temperature"},
        {"entail", "{\"temperature\": \"off\"}", "a number or none"},
        {"entail", "{\"max_tokens_name\": \"limit\"}", "max_completion_tokens, none"},
        {"entail", "{\"images\": true}", "images"},
        {"entail", "{\"bound\": 1}", "needs the setting encoder"},
        {"entail", "{\"bound\": -1, \"encoder\": \"x\"}", "setting \"bound\" is -1"},
        {"entail", "{\"fusion\": []}", "must be a mapping"},
        {"entail", "{\"fusion\": {\"eye\": {}}}", "there is no source \"eye\""},
        {"entail", "{\"fusion\": {\"model+model\": {}}}", "names model twice"},
        {"entail", "{\"fusion\": {\"\": {}}}", "weights of no source"},
        {"entail", "{\"fusion\": {\"model+encoder\": {}, \"encoder+model\": {}}}", "here twice"},
        {"entail", "{\"fusion\": {\"model\": 3}}", "must be a mapping of weights"},
        {"entail", "{\"fusion\": {\"model\": {\"encoder\": 1}}}", "has no number \"encoder\""},
        {"entail", "{\"fusion\": {\"model\": {\"bias\": \"x\"}}}", "must be a number"},
        {"refine", "{\"images\": \"often\"}", "auto, always, never"},
        {"ground", "{\"images\": \"never\"}", "asks about pictures"},
        {"check", "{\"images\": \"never\"}", "asks about pictures"},
        {"check", "{\"crop_prompt\": \"x.txt\"}", "is of the setting \"crop\""},
        {"refine", "{\"extra\": [1]}", "must be an object"},
        {"refine", "{\"extra\": {\"messages\": []}}", "cannot have \"messages\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_json *j;
        struct gm_error err = {0};
        void *self;
        assert_int_equal(gm_json_parse(&j, gm_str(cases[i].settings), NULL), GM_OK);
        const struct gm_backend *b = gm_backend_find(cases[i].stage, "llm");
        assert_int_equal(b->open(&self, b, j, &err), GM_EARG);
        if (!strstr(err.msg, cases[i].part))
            fail_msg("%s", err.msg);
        gm_json_free(j);
    }
}

/* The samples come first, the knowledge is kept on one line; without the setting tagger the
 * entities stay as they are. */
static void knowledge(void **state)
{
    (void)state;
    struct gm_post p;
    char settings[120];
    fill(&p, two_text, two, 2);
    run("inform", &p, "{{samples}} <<Ann Lee is a  person.\nRome is a city.>>", "{}");
    assert_true(is(p.knowledge, "Ann Lee is a person. Rome is a city."));
    assert_int_equal(p.n_entities, 2);
    assert_true(is(p.entities[0].source, "tag"));
    gm_post_clear(&p);
    /* what a sample file says reaches the model: it repeats it */
    fill(&p, two_text, two, 2);
    snprintf(settings, sizeof settings, "{\"samples\": \"%s.jsonl\"}", prompt);
    char file[80];
    snprintf(file, sizeof file, "%s.jsonl", prompt);
    assert_int_equal(gm_file_write(file, GM_STR("{\"text\": \"T\", \"knowledge\": \"K\"}\n"), NULL),
                     GM_OK);
    run("inform", &p, "<<{{samples}}>>", settings);
    assert_true(is(p.knowledge, "Post: T Knowledge: K"));
    gm_post_clear(&p);
    assert_int_equal(gm_file_write(file, GM_STR("{\"text\": \"T\"}\n"), NULL), GM_OK);
    struct gm_json *j;
    struct gm_error err;
    void *self;
    assert_int_equal(gm_json_parse(&j, gm_str(settings), NULL), GM_OK);
    const struct gm_backend *b = gm_backend_find("inform", "llm");
    assert_int_equal(b->open(&self, b, j, &err), GM_EFORMAT);
    assert_non_null(strstr(err.msg, ".jsonl:1: a sample needs"));
    gm_json_free(j);
    unlink(file);
}

static int group_setup(void **state)
{
    (void)state;
    struct gm_llm_opts o = gm_llm_opts_default();
    struct gm_image *im = NULL;
    struct gm_buf b;
    snprintf(prompt, sizeof prompt, "/tmp/gm-prompt-%ld.txt", (long)getpid());
    snprintf(picture, sizeof picture, "/tmp/gm-picture-%ld.jpg", (long)getpid());
    if (server_start(&server, "") != 0)
        return -1;
    const char *urls[] = {server.url};
    o.endpoints = urls;
    o.n_endpoints = 1;
    o.max_asks = 2;
    gm_buf_init(&b, 1 << 22);
    bool ok = gm_llm_new(&llm, &o, NULL) == GM_OK && gm_image_new(&im, 2001, 1001, NULL) == GM_OK &&
              gm_image_write_jpeg(im, 80, &b, NULL) == GM_OK &&
              gm_file_write(picture, gm_buf_str(&b), NULL) == GM_OK;
    gm_buf_clear(&b);
    gm_image_free(im);
    return ok ? 0 : -1;
}

static int group_teardown(void **state)
{
    gm_llm_free(llm);
    server_stop(&server);
    unlink(prompt);
    unlink(picture);
    return no_leak(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caption),
        cmocka_unit_test(pictures_are_whole),
        cmocka_unit_test(expressions),
        cmocka_unit_test(expressions_that_do_not_fit),
        cmocka_unit_test(entailment),
        cmocka_unit_test(entailment_fused),
        cmocka_unit_test(boxes),
        cmocka_unit_test(boxes_in_sent_pixels),
        cmocka_unit_test(corrections),
        cmocka_unit_test(corrections_that_are_refused),
        cmocka_unit_test(merges),
        cmocka_unit_test(notes_of_an_earlier_answer),
        cmocka_unit_test(confident_posts_are_not_sent),
        cmocka_unit_test(measures),
        cmocka_unit_test(knowledge),
        cmocka_unit_test(a_prompt_without_a_picture),
        cmocka_unit_test(bad_settings),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
