/* The work of entail's evidence and of ground is counted, not timed: with ten times the entities in ten times
 * the text it is ten times as much, but for the logarithm of a sort. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "stages/evidence.h"
#include "stages/stage.h"

/* The linker puts these in the place of the functions (stages.cmake): names compared, code points passed. */
static size_t n_compared, n_passed;

int __real_strncasecmp(const char *a, const char *b, size_t n);
int __wrap_strncasecmp(const char *a, const char *b, size_t n);
int __wrap_strncasecmp(const char *a, const char *b, size_t n)
{
    n_compared++;
    return __real_strncasecmp(a, b, n);
}

bool __real_gm_offset_to_cp(struct gm_offset *o, size_t cp);
bool __wrap_gm_offset_to_cp(struct gm_offset *o, size_t cp);
bool __wrap_gm_offset_to_cp(struct gm_offset *o, size_t cp)
{
    n_passed += cp > o->cp ? cp - o->cp : o->cp - cp;
    return __real_gm_offset_to_cp(o, cp);
}

enum { NAME = 7 }; /* "n00042 " */

/* A post of n things, every other of the name before it; all in its text, one after the other. */
static void fill(struct gm_post *p, size_t n)
{
    gm_post_init(p);
    char *text = gm_arena_alloc(&p->arena, n * NAME + 1, 1);
    p->entities = gm_arena_alloc(&p->arena, n, sizeof *p->entities);
    assert_true(text && p->entities);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(text + i * NAME, NAME + 1, "n%05zu ", i / 2);
        p->entities[i] = (struct gm_entity){.text = {text + i * NAME, NAME - 1},
                                            .type = GM_STR("OTHER"),
                                            .start = i * NAME,
                                            .end = i * NAME + NAME - 1,
                                            .visible = 0.9};
    }
    p->id = GM_STR("1");
    p->text = (struct gm_str){text, n * NAME};
    p->image = GM_STR("unread.jpg");
    p->image_w = p->image_h = 100;
    p->n_entities = n;
    p->has_objects = p->has_entities = true;
}

/* Names compared to ground n things. */
static size_t ground(size_t n)
{
    const struct gm_backend *b = gm_backend_find("ground", "objects");
    struct gm_error err;
    struct gm_post p, *list[1] = {&p};
    struct gm_json *j;
    void *self;
    fill(&p, n);
    assert_int_equal(gm_json_parse(&j, GM_STR("{\"picture_types\": [\"OTHER\"]}"), &err), GM_OK);
    assert_int_equal(b->open(&self, b, j, &err), GM_OK);
    n_compared = 0;
    assert_int_equal(b->run(self, list, 1, &err), GM_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p.entities[i].n_regions, 1);
    b->close(self);
    gm_json_free(j);
    gm_post_clear(&p);
    return n_compared;
}

static void grounding_does_not_compare_all_with_all(void **state)
{
    (void)state;
    size_t few = ground(1000), many = ground(10000);
    assert_true(few >= 1000); /* they are counted */
    assert_true(many <= 15 * few);
    assert_true(many <= 20 * 10000);
}

/* Code points passed to take the evidence of n things. */
static size_t take(size_t n)
{
    struct gm_post p;
    struct gm_evidence_post v;
    double x[GM_EVIDENCE_X];
    fill(&p, n);
    n_passed = 0;
    gm_evidence_begin(&v, &p);
    for (size_t i = 0; i < n; i++)
        assert_true(gm_evidence_take(&v, &p.entities[i], x) & GM_EVIDENCE_MENTION);
    gm_post_clear(&p);
    return n_passed;
}

static void evidence_passes_the_text_once(void **state)
{
    (void)state;
    assert_int_equal(take(1000), 999 * NAME);
    assert_int_equal(take(10000), 9999 * NAME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grounding_does_not_compare_all_with_all),
        cmocka_unit_test(evidence_passes_the_text_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
