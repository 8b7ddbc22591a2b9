/* The embedded rule of grounding, case by case, and what objects' labels have to do with entities. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "stages/label_affinity.h"
#include "stages/stage.h"

struct entity {
    const char *text, *type;
    double visible;
    const char *fine_type, *expression;
};

struct object {
    const char *label;
    float score;
    double box[4];
};

static const struct gm_backend *backend;

static struct gm_str str_or_empty(const char *s) { return s ? gm_str(s) : GM_STR(""); }

static void fill(struct gm_post *p, const struct entity *e, size_t n_e, const struct object *o,
                 size_t n_o)
{
    gm_post_init(p);
    p->id = GM_STR("1");
    p->image = GM_STR("unread.jpg");
    p->entities = gm_arena_alloc(&p->arena, n_e, sizeof *p->entities);
    p->objects = gm_arena_alloc(&p->arena, n_o, sizeof *p->objects);
    p->n_entities = n_e;
    p->n_objects = n_o;
    p->has_objects = p->has_entities = true;
    for (size_t i = 0; i < n_e; i++) {
        p->entities[i].text = gm_str(e[i].text);
        p->entities[i].type = gm_str(e[i].type);
        p->entities[i].fine_type = str_or_empty(e[i].fine_type);
        p->entities[i].expression = str_or_empty(e[i].expression);
        p->entities[i].visible = e[i].visible;
    }
    for (size_t i = 0; i < n_o; i++) {
        p->objects[i].label = gm_str(o[i].label);
        p->objects[i].score = o[i].score;
        memcpy(p->objects[i].box, o[i].box, sizeof o[i].box);
    }
}

/* The notes of all entities, as "no_box:taken||", of the run before. */
static char notes[512];

static void keep_notes(const struct gm_post *p)
{
    size_t at = 0;
    notes[0] = 0;
    for (size_t i = 0; i < p->n_entities; i++)
        at += (size_t)snprintf(notes + at, sizeof notes - at, "%s%.*s", i ? "|" : "",
                               GM_STR_ARG(p->entities[i].note));
}

/* Which objects each entity got, as "0 2|1|-" (numbers of the list of objects). */
static const char *grounded(const char *settings, const struct entity *e, size_t n_e,
                            const struct object *o, size_t n_o)
{
    static char text[256];
    struct gm_error err;
    struct gm_post p, *list[1] = {&p};
    struct gm_json *j = NULL;
    void *self;
    if (settings)
        assert_int_equal(gm_json_parse(&j, gm_str(settings), &err), GM_OK);
    assert_int_equal(backend->open(&self, backend, j, &err), GM_OK);
    fill(&p, e, n_e, o, n_o);
    assert_int_equal(backend->run(self, list, 1, &err), GM_OK);
    assert_int_equal(p.error.stage.n, 0);
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; i < n_e; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s", i ? "|" : "");
        for (size_t k = 0; k < p.entities[i].n_regions; k++) {
            const struct gm_region *r = &p.entities[i].regions[k];
            size_t which = 0;
            while (which < n_o && memcmp(o[which].box, r->box, sizeof r->box) != 0)
                which++;
            assert_true(which < n_o);
            assert_float_equal(r->score, o[which].score, 0);
            assert_true(gm_str_eq_c(r->label, o[which].label));
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%zu", k ? " " : "", which);
        }
        if (p.entities[i].n_regions == 0)
            at += (size_t)snprintf(text + at, sizeof text - at, "-");
    }
    keep_notes(&p);
    gm_post_clear(&p);
    backend->close(self);
    gm_json_free(j);
    assert_int_equal(gm_alloc_live(), 0);
    return text;
}

#define N(a) (sizeof(a) / sizeof *(a))
#define GROUNDED(settings, e, o) grounded(settings, e, N(e), o, N(o))

static const struct object crowd[] = {
    {"person", 0.80f, {200, 0, 300, 200}}, /* right, large */
    {"person", 0.75f, {0, 0, 100, 190}},   /* left, nearly as large */
    {"dog", 0.90f, {110, 100, 190, 200}},
    {"person", 0.90f, {140, 0, 150, 20}},  /* sharp, but tiny */
    {"person", 0.45f, {100, 0, 200, 200}}, /* large, but unsure */
    {"person", 0.30f, {0, 0, 300, 200}},   /* below the threshold */
};

static void one_person(void **state)
{
    (void)state;
    const struct entity one[] = {{"Obama", "PER", 0.9, NULL, NULL}};
    assert_string_equal(GROUNDED(NULL, one, crowd), "0 1");
    assert_string_equal(GROUNDED("{\"near_score\": 0.95}", one, crowd), "0");
    assert_string_equal(GROUNDED("{\"near_area\": 0.96}", one, crowd), "0");
    assert_string_equal(GROUNDED("{\"near_score\": 0.5, \"near_area\": 0}", one, crowd), "0 1 4 3");
    assert_string_equal(GROUNDED("{\"score\": 0.95}", one, crowd), "-");
    assert_string_equal(GROUNDED("{\"boxes\": \"one\"}", one, crowd), "0");
    assert_string_equal(GROUNDED("{\"boxes\": \"several\"}", one, crowd), "0 1");
}

static void several_persons_most_prominent_first(void **state)
{
    (void)state;
    const struct entity two[] = {{"Ann", "PER", 0.9, NULL, NULL}, {"Bob", "PER", -1, NULL, NULL}};
    assert_string_equal(GROUNDED(NULL, two, crowd), "0|1");
    const struct entity three[] = {{"Ann", "PER", 0.9, NULL, NULL},
                                   {"Bob", "PER", 0.6, NULL, NULL},
                                   {"Cy", "PER", 0.7, NULL, NULL}};
    assert_string_equal(GROUNDED(NULL, three, crowd), "0|1|4");
    /* Two boxes for three: Bob is the least probably visible. */
    assert_string_equal(GROUNDED("{\"score\": 0.7}", three, crowd), "0|1|3");
    const struct object couple[] = {{"person", 0.8f, {200, 0, 300, 200}},
                                    {"person", 0.7f, {0, 0, 100, 190}}};
    assert_string_equal(GROUNDED(NULL, three, couple), "0|-|1");
    const struct entity unjudged[] = {{"Ann", "PER", -1, NULL, NULL},
                                      {"Bob", "PER", -1, NULL, NULL},
                                      {"Cy", "PER", -1, NULL, NULL}};
    assert_string_equal(GROUNDED(NULL, unjudged, couple), "0|1|-"); /* the last mentioned goes */
}

static void entailment_decides(void **state)
{
    (void)state;
    const struct entity e[] = {{"Ann", "PER", 0.49, NULL, NULL}, {"Bob", "PER", 0.5, NULL, NULL}};
    assert_string_equal(GROUNDED(NULL, e, crowd), "-|0 1");
    assert_string_equal(GROUNDED("{\"visible\": 0.4}", e, crowd), "0|1");
    assert_string_equal(GROUNDED("{\"visible_of\": {\"ORG\": 0.1, \"PER\": 0.4}}", e, crowd),
                        "0|1");
    assert_string_equal(GROUNDED("{\"visible_of\": {\"PER\": 0.6}, \"visible\": 0}", e, crowd),
                        "-|-");
    assert_string_equal(notes, "no_box:below_threshold:0.6|no_box:below_threshold:0.6");
    assert_string_equal(GROUNDED("{\"visible\": 0.6}", e, crowd), "-|-");
    const struct entity not_judged[] = {{"Ann", "PER", -1, NULL, NULL}};
    assert_string_equal(GROUNDED("{\"visible\": 1}", not_judged, crowd), "0 1");
}

static void mentions_of_one_name(void **state)
{
    (void)state;
    const struct entity e[] = {{"Obama", "PER", 0.9, NULL, NULL},
                               {"Biden", "PER", 0.9, NULL, NULL},
                               {"OBAMA", "PER", 0.8, NULL, NULL},
                               {"obama", "PER", 0.1, NULL, NULL}};
    assert_string_equal(GROUNDED(NULL, e, crowd), "0|1|0|-");
    const struct entity same[] = {{"Obama", "PER", 0.9, NULL, NULL},
                                  {"OBAMA", "PER", 0.9, NULL, NULL}};
    assert_string_equal(GROUNDED(NULL, same, crowd), "0 1|0 1");
    const struct entity parts[] = {{"John Adams", "PER", 0.9, NULL, NULL},
                                   {"Adams", "PER", 0.9, NULL, NULL},
                                   {"#JohnAdams", "PER", 0.9, NULL, NULL},
                                   {"Ann", "PER", 0.9, NULL, NULL}};
    assert_string_equal(GROUNDED(NULL, parts, crowd), "0|0|0|1");
}

static void person_types(void **state)
{
    (void)state;
    const struct entity e[] = {{"Messi", "person", 0.9, "athlete", NULL},
                               {"Chelsea", "ORG", 0.9, NULL, NULL},
                               {"Adele", "Künstler", 0.9, NULL, NULL}};
    assert_string_equal(GROUNDED(NULL, e, crowd), "0 1|-|-");
    assert_string_equal(GROUNDED("{\"person_types\": [\"Künstler\", \"athlete\"]}", e, crowd),
                        "0|-|1");
    assert_string_equal(GROUNDED("{\"person_types\": []}", e, crowd), "-|-|-");
}

/* A pet, where nobody else is to be seen. */
static void named_animals(void **state)
{
    (void)state;
    const struct object pets[] = {{"bottle", 0.9f, {0, 0, 90, 90}},
                                  {"cat", 0.5f, {0, 0, 50, 50}},
                                  {"dog", 0.6f, {60, 0, 100, 30}}};
    const struct entity one[] = {{"Murphy", "PER", 0.9, NULL, NULL}};
    assert_string_equal(GROUNDED(NULL, one, pets), "1");
    assert_string_equal(GROUNDED("{\"score\": 0.7}", one, pets), "-");
    assert_string_equal(notes, "no_box:no_person");
}

/* The region of one entity in a picture of 200 x 100 with one line of text, as "LABEL x0 y0 x1 y1". */
static const char *region_of(const struct entity *e, const char *written, const double box[4],
                             const char *settings)
{
    static char text[160];
    struct gm_error err;
    struct gm_post p, *list[1] = {&p};
    struct gm_json *j;
    void *self;
    assert_int_equal(gm_json_parse(&j, gm_str(settings), &err), GM_OK);
    assert_int_equal(backend->open(&self, backend, j, &err), GM_OK);
    fill(&p, e, 1, crowd, 0);
    struct gm_written line = {gm_str(written), 0.9f, {box[0], box[1], box[2], box[3]}, NULL};
    p.image_w = 200;
    p.image_h = 100;
    p.texts = &line;
    p.n_texts = p.has_texts = 1;
    assert_int_equal(backend->run(self, list, 1, &err), GM_OK);
    assert_int_equal(p.error.stage.n, 0);
    const struct gm_region *r = p.entities[0].regions;
    snprintf(text, sizeof text, "-");
    if (p.entities[0].n_regions == 1)
        snprintf(text, sizeof text, "%.*s %g %g %g %g %.2f", GM_STR_ARG(r->label), r->box[0],
                 r->box[1], r->box[2], r->box[3], (double)r->score);
    gm_post_clear(&p);
    backend->close(self);
    gm_json_free(j);
    return text;
}

/* Marks and titles: by what is written in the picture, and how large. */
static void lettering_and_pictures(void **state)
{
    (void)state;
    static const char *const fills = "{\"picture_types\": [\"OTHER\"]}";
    static const double small[] = {10, 20, 40, 30}, large[] = {0, 0, 200, 30};
    const struct entity mark = {"Daim", "OTHER", 0.7, NULL, NULL},
                        club = {"Dallas Stars", "ORG", -1, NULL, NULL},
                        town = {"Daim", "LOC", 0.9, NULL, NULL},
                        who = {"Daim", "PER", 0.9, NULL, NULL};
    assert_string_equal(region_of(&mark, "DAIM", small, fills), "lettering 10 20 40 30 0.70");
    assert_string_equal(region_of(&mark, "DAIM", large, fills), "picture 0 0 200 100 0.70");
    assert_string_equal(region_of(&mark, "else", small, fills), "picture 0 0 200 100 0.70");
    assert_string_equal(region_of(&mark, "DAIM", small, "{}"), "-"); /* no type fills its picture */
    assert_string_equal(region_of(&club, "STARS", small, "{}"), "-"); /* 5 of 11 letters */
    assert_string_equal(region_of(&club, "DALLAS", small, "{}"), "lettering 10 20 40 30 1.00");
    assert_string_equal(region_of(&club, "DALLAS", large, fills), "lettering 0 0 200 30 1.00");
    assert_string_equal(region_of(&club, "DALLAS", small, "{\"lettering\": 0.6}"), "-");
    assert_string_equal(region_of(&town, "DAIM", small, fills), "-"); /* written, and not shown */
    assert_string_equal(region_of(&who, "DAIM", small, fills), "-");
}

static void things(void **state)
{
    (void)state;
    const struct object o[] = {{"dog", 0.5f, {0, 0, 50, 50}},
                               {"dog", 0.6f, {60, 0, 160, 100}},
                               {"laptop", 0.7f, {200, 0, 260, 40}},
                               {"bear", 0.8f, {300, 0, 400, 99}},
                               {"cell phone", 0.39f, {1, 1, 20, 40}}};
    const struct entity e[] = {
        {"Harambe the dog", "OTHER", 0.9, NULL, NULL}, /* the larger dog */
        {"MacBook Pro", "OTHER", 0.9, NULL, NULL},
        {"Chicago Bears", "ORG", 0.9, NULL, NULL},        /* a name is no bear */
        {"Fido", "OTHER", 0.9, "animal", NULL},           /* bear and dog fit; the bear is larger */
        {"Rex", "LOC", 0.9, NULL, "the dog at the door"}, /* the other dog */
        {"iPhone", "OTHER", 0.9, NULL, NULL},             /* the phone is too unsure */
        {"Dogs", "OTHER", 0.3, NULL, NULL},               /* not visible */
    };
    assert_string_equal(GROUNDED(NULL, e, o), "1|2|-|3|0|-|-");
    assert_string_equal(GROUNDED("{\"affinity\": 0.9}", e, o), "1|-|-|-|0|-|-");
}

/* Whoever gets no box is told why; whoever gets one is told nothing. */
static void why_there_is_no_box(void **state)
{
    (void)state;
    const struct object o[] = {{"person", 0.8f, {0, 0, 50, 50}},
                               {"dog", 0.7f, {60, 0, 160, 100}},
                               {"laptop", 0.3f, {200, 0, 260, 40}}};
    const struct entity e[] = {
        {"Ann", "PER", 0.9, NULL, NULL},     {"Bob", "PER", 0.6, NULL, NULL},
        {"Rex", "PER", 0.2, NULL, NULL},     {"my dog", "OTHER", 0.9, NULL, NULL},
        {"a dog", "OTHER", 0.9, NULL, NULL}, {"MacBook", "OTHER", -1, NULL, NULL},
        {"Paris", "LOC", 0.9, NULL, NULL},
    };
    assert_string_equal(GROUNDED(NULL, e, o), "0|-|-|1|-|-|-");
    assert_string_equal(notes, "|no_box:taken|no_box:below_threshold:0.5||no_box:taken|"
                               "no_box:below_score:0.4|no_box:no_object");
    assert_string_equal(GROUNDED("{\"visible\": 0, \"score\": 0.85}", e, o), "-|-|-|-|-|-|-");
    assert_string_equal(notes,
                        "no_box:below_score:0.85|no_box:below_score:0.85|no_box:below_score:0.85|"
                        "no_box:below_score:0.85|no_box:below_score:0.85|no_box:below_score:0.85|"
                        "no_box:no_object");
    assert_string_equal(grounded(NULL, e, 2, o + 2, 1), "-|-");
    assert_string_equal(notes, "no_box:no_person|no_box:no_person");
}

/* A second run says what is so now: other stages' notes stay, its own of before goes. */
static void notes_of_an_earlier_run(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_post p, *list[1] = {&p};
    const struct entity two[] = {{"Ann", "PER", 0.9, NULL, NULL}, {"Rome", "LOC", 0.9, NULL, NULL}};
    void *self;
    fill(&p, two, 2, crowd, N(crowd));
    p.entities[0].note = GM_STR("merged; no_box:no_person");
    p.entities[1].note = GM_STR("no_box:taken; expand_rejected:schema");
    assert_int_equal(backend->open(&self, backend, NULL, &err), GM_OK);
    assert_int_equal(backend->run(self, list, 1, &err), GM_OK);
    assert_true(gm_str_eq_c(p.entities[0].note, "merged"));
    assert_true(gm_str_eq_c(p.entities[1].note, "expand_rejected:schema; no_box:no_object"));
    backend->close(self);
    gm_post_clear(&p);
}

/* A post without an image passes both stages by, and judged entities and boxes are told. */
static void posts_without_an_image(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_post p;
    struct gm_region own = {.box = {1, 2, 3, 4}, .score = 1};
    const struct entity e[] = {{"Ann", "PER", 0.9, NULL, NULL},
                               {"Bob", "PER", -1, NULL, NULL},
                               {"Cy", "PER", 0.9, NULL, NULL}};
    fill(&p, e, N(e), crowd, 0);
    p.entities[2].regions = &own;
    p.entities[2].n_regions = 1;
    for (size_t i = 0; gm_backend_at(i); i++) {
        const struct gm_backend *b = gm_backend_at(i);
        bool tells = strcmp(b->stage, "ground") == 0 || strcmp(b->stage, "segment") == 0;
        assert_int_equal(tells, b->pass_by != NULL);
        if (tells)
            assert_int_equal(b->pass_by(&p, &err), GM_OK);
    }
    keep_notes(&p);
    assert_string_equal(notes, "no_box:no_image||");
    assert_true(gm_str_eq_c(own.note, "no_mask:no_image"));
    gm_post_clear(&p);
}

static void affinity_of_words(void **state)
{
    (void)state;
    static const struct {
        const char *label, *text, *type;
        float want;
    } cases[] = {
        {"dog", "hot Dog", "OTHER", 1},
        {"dog", "dogma", "OTHER", 0},
        {"dog", "my dogs", "OTHER", 1},
        {"dog", "#puppy", "OTHER", 0.8f},
        {"truck", "F-150", "OTHER", 0.8f},
        {"truck", "F150", "OTHER", 0},
        {"book", "Facebook", "OTHER", 0},
        {"apple", "Apple", "ORG", 0},
        {"orange", "Orange County", "LOC", 0},
        {"person", "a person", "OTHER", 1},
        {"unicorn", "Unicorn", "OTHER", 1},
        {"cat", "", "OTHER", 0},
        {"cat", "café cat", "OTHER", 1},
        {"cat", "écat", "OTHER", 0},
        {"mouse", "two computer mice", "OTHER", 1},
        {"laptop", "MacBook’s", "OTHER", 0.8f},
        {"hot dog", "“hot dog🌭”", "OTHER", 1},
        {"hot dog", "hot\u2013dog", "OTHER", 1},
        {"truck", "F\u2011150", "OTHER", 0.8f},
        {"cell phone", "我的iPhone手机", "OTHER", 0.8f},
        {"dog", "dog\u0301", "OTHER", 0}, /* another letter */
        {"café", "a Café…", "OTHER", 1},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct gm_entity e = {.text = gm_str(cases[i].text), .type = gm_str(cases[i].type)};
        float got = gm_label_affinity(gm_str(cases[i].label), &e);
        if (got > cases[i].want || got < cases[i].want)
            fail_msg("%s / %s: %g, not %g", cases[i].label, cases[i].text, (double)got,
                     (double)cases[i].want);
    }
}

static void boxes_that_came_stay(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_post p, *list[1] = {&p};
    struct gm_region own = {.box = {1, 2, 3, 4}, .score = 1};
    const struct entity two[] = {{"Ann", "PER", -1, NULL, NULL}, {"Bob", "PER", -1, NULL, NULL}};
    void *self;
    fill(&p, two, 2, crowd, N(crowd));
    p.entities[0].regions = &own;
    p.entities[0].n_regions = 1;
    assert_int_equal(backend->open(&self, backend, NULL, &err), GM_OK);
    assert_int_equal(backend->run(self, list, 1, &err), GM_OK);
    assert_ptr_equal(p.entities[0].regions, &own);
    assert_int_equal(p.entities[1].n_regions, 2); /* the only person that wants a box */
    backend->close(self);
    gm_post_clear(&p);
}

static void posts_that_can_not(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_post a, b, c, *list[3] = {&a, &b, &c};
    const struct entity one[] = {{"Ann", "PER", -1, NULL, NULL}};
    void *self;
    fill(&a, one, 1, crowd, N(crowd));
    fill(&b, one, 1, crowd, N(crowd));
    fill(&c, one, 1, crowd, 0);
    a.has_objects = false; /* nobody looked */
    b.image = GM_STR("");  /* text only */
    assert_int_equal(backend->open(&self, backend, NULL, &err), GM_OK);
    assert_int_equal(backend->run(self, list, 3, &err), GM_OK);
    assert_true(gm_str_eq_c(a.error.stage, "ground"));
    assert_non_null(strstr(a.error.message.p, "look"));
    assert_int_equal(b.error.stage.n, 0);
    assert_int_equal(b.entities[0].n_regions, 0);
    assert_int_equal(c.error.stage.n, 0);
    assert_int_equal(c.entities[0].n_regions, 0);
    backend->close(self);
    for (size_t i = 0; i < 3; i++)
        gm_post_clear(list[i]);
    assert_int_equal(gm_alloc_live(), 0);
}

static void more_than_the_limit(void **state)
{
    (void)state;
    enum { MANY = 200 };
    struct entity e[MANY];
    struct object o[MANY];
    char names[MANY][8];
    struct gm_error err;
    struct gm_post p, *list[1] = {&p};
    void *self;
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "p%zu", i);
        e[i] = (struct entity){names[i], "PER", -1, NULL, NULL};
        o[i] = (struct object){"person", 0.5f + (float)i / 1000, {(float)i, 0, (float)i + 9, 9}};
    }
    fill(&p, e, MANY, o, MANY);
    assert_int_equal(backend->open(&self, backend, NULL, &err), GM_OK);
    assert_int_equal(backend->run(self, list, 1, &err), GM_OK);
    size_t with = 0;
    for (size_t i = 0; i < MANY; i++)
        with += p.entities[i].n_regions;
    assert_int_equal(with, 64);
    assert_float_equal(p.entities[0].regions[0].box[0], MANY - 1, 0); /* the best */
    backend->close(self);
    gm_post_clear(&p);
}

static void bad_settings(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{\"visibel\": 0.5}", "visibel"},
        {"{\"visible\": 1.5}", "visible"},
        {"{\"near_score\": \"high\"}", "near_score"},
        {"{\"person_types\": \"PER\"}", "person_types"},
        {"{\"person_types\": [1]}", "person_types"},
        {"{\"affinity\": 0}", "affinity"},
        {"{\"boxes\": \"two\"}", "boxes"},
        {"{\"picture_types\": \"OTHER\"}", "picture_types"},
        {"{\"visible_of\": 0.5}", "visible_of"},
        {"{\"visible_of\": {\"PER\": 2}}", "visible_of"},
    };
    for (size_t i = 0; i < N(bad); i++) {
        struct gm_error err;
        struct gm_json *j;
        void *self;
        assert_int_equal(gm_json_parse(&j, gm_str(bad[i][0]), &err), GM_OK);
        assert_int_equal(backend->open(&self, backend, j, &err), GM_EARG);
        assert_null(self);
        assert_non_null(strstr(err.msg, bad[i][1]));
        gm_json_free(j);
    }
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_person),
        cmocka_unit_test(several_persons_most_prominent_first),
        cmocka_unit_test(entailment_decides),
        cmocka_unit_test(mentions_of_one_name),
        cmocka_unit_test(person_types),
        cmocka_unit_test(things),
        cmocka_unit_test(named_animals),
        cmocka_unit_test(lettering_and_pictures),
        cmocka_unit_test(affinity_of_words),
        cmocka_unit_test(boxes_that_came_stay),
        cmocka_unit_test(posts_that_can_not),
        cmocka_unit_test(more_than_the_limit),
        cmocka_unit_test(bad_settings),
        cmocka_unit_test(why_there_is_no_box),
        cmocka_unit_test(notes_of_an_earlier_run),
        cmocka_unit_test(posts_without_an_image),
    };
    backend = gm_backend_find("ground", NULL);
    return backend ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
