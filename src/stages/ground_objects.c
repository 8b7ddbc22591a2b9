/* ground, by the objects that look found and the texts that read did: the embedded rule.
 *
 * - An entity below the entailment threshold, which a type may have of its own, gets no box; one that no
 *   stage judged counts as visible (a recipe without entailment asks for boxes all the same).
 * - Persons: ground_persons.c. Anything else: ground_things.c.
 * An entity that is left without a box carries a note that says why.
 * docs/grounding.md says what all this can't know. */
#include "stages/backends.h"
#include "stages/ground_boxes.h"
#include "stages/ground_rule.h"
#include "stages/label_affinity.h"
#include "stages/lettering.h"

#include "base/alloc.h"
#include "record/note.h"

static void close_ground(void *self)
{
    struct gm_ground_rule *r = self;
    if (!r)
        return;
    gm_arena_clear(&r->arena);
    gm_free(r);
}

static bool add_type(struct gm_ground_rule *r, struct gm_ground_types *t, struct gm_str name,
                     double visible_min)
{
    if (t->n == GM_GROUND_TYPES_MAX)
        return false;
    t->names[t->n] = gm_arena_str(&r->arena, name).p;
    t->visible_min[t->n] = visible_min;
    return t->names[t->n] && ++t->n;
}

/* A list of types. */
static enum gm_status read_types(struct gm_ground_rule *r, const struct gm_json *settings,
                                 const char *key, struct gm_ground_types *t, struct gm_error *err)
{
    const struct gm_json *list = gm_json_get(settings, key);
    bool ok = !list || gm_json_kind(list) == GM_JSON_ARRAY;
    t->n = list ? 0 : t->n;
    for (size_t i = 0; list && ok && i < gm_json_count(list); i++) {
        struct gm_str type;
        ok = gm_json_str(gm_json_at(list, i), &type) && add_type(r, t, type, 0);
    }
    return ok ? GM_OK
              : GM_FAIL(err, GM_EARG,
                        "setting \"%s\" must be a list of at most %d texts, such as [PER]", key,
                        (int)GM_GROUND_TYPES_MAX);
}

/* {PER: 0.7}: types with a threshold of their own. */
static enum gm_status read_visible_of(struct gm_ground_rule *r, const struct gm_json *settings,
                                      struct gm_error *err)
{
    const struct gm_json *map = gm_json_get(settings, "visible_of");
    bool ok = !map || gm_json_kind(map) == GM_JSON_OBJECT;
    for (void *it = map && ok ? gm_json_first(map) : NULL; it && ok; it = gm_json_next(map, it)) {
        double min;
        ok = gm_json_num(gm_json_value(it), &min) && min >= 0 && min <= 1 &&
             add_type(r, &r->visible, gm_json_key(it), min);
    }
    return ok ? GM_OK
              : GM_FAIL(
                    err, GM_EARG,
                    "setting \"visible_of\" must give at most %d types a number from 0 to 1, such as "
                    "{PER: 0.7}",
                    (int)GM_GROUND_TYPES_MAX);
}

static enum gm_status read_settings(struct gm_ground_rule *r, const struct gm_backend *b,
                                    const struct gm_json *settings, struct gm_error *err)
{
    static const char *const known[] = {
        "visible",   "visible_of",     "score",        "near_score",    "near_area", "affinity",
        "lettering", "lettering_area", "person_types", "picture_types", "boxes",     NULL};
    const struct {
        const char *key;
        double min, *value;
    } numbers[] = {
        {"visible", 0, &r->visible_min},           {"score", 0, &r->score_min},
        {"near_score", 0, &r->near_score},         {"near_area", 0, &r->near_area},
        {"affinity", 0.01, &r->affinity_min},      {"lettering", 0.01, &r->lettering_min},
        {"lettering_area", 0, &r->lettering_area},
    };
    enum gm_status st = GM_OK;
    GM_TRY(gm_settings_check(settings, b->stage, known, err));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        GM_TRY(gm_settings_num(settings, numbers[i].key, numbers[i].min, 1, numbers[i].value, err));
    GM_TRY(gm_ground_read_several(settings, &r->several, err));
    GM_TRY(read_types(r, settings, "person_types", &r->persons, err));
    GM_TRY(read_types(r, settings, "picture_types", &r->pictures, err));
    GM_TRY(read_visible_of(r, settings, err));
done:
    return st;
}

static enum gm_status open_ground(void **self, const struct gm_backend *b,
                                  const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_ground_rule *r = gm_alloc(1, sizeof *r);
    *self = NULL;
    if (!r) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    gm_arena_init(&r->arena, 0);
    r->visible_min = GM_VISIBLE_MIN;
    r->score_min = 0.4;
    r->near_score = 0.8;
    r->near_area = 0.8;
    r->affinity_min = 0.5;
    r->lettering_min = 0.5;
    r->lettering_area = 0.05;
    while (gm_person_types[r->persons.n]) {
        r->persons.names[r->persons.n] = gm_person_types[r->persons.n];
        r->persons.n++;
    }
    GM_TRY(read_settings(r, b, settings, err));
    *self = r;
    r = NULL;
done:
    close_ground(r);
    return st;
}

static enum gm_status check_ground(const struct gm_backend *b, const struct gm_json *settings,
                                   struct gm_error *err)
{
    void *rule;
    enum gm_status st = open_ground(&rule, b, settings, err); /* which opens no model */
    close_ground(rule);
    return st;
}

/* Whether an object of at least that score could be the entity. */
static bool has_object(const struct gm_ground_rule *r, const struct gm_post *p,
                       const struct gm_entity *e, double score_min)
{
    for (size_t i = 0; i < p->n_objects; i++) {
        const struct gm_object *o = &p->objects[i];
        bool fits = gm_ground_is_person(r, e)
                        ? gm_str_eq_c(o->label, "person")
                        : (double)gm_label_affinity(o->label, e) >= r->affinity_min;
        if (fits && (double)o->score >= score_min)
            return true;
    }
    return false;
}

/* Say why an entity has no box, when all boxes have been given. */
static enum gm_status note_missing(const struct gm_ground_rule *r, struct gm_post *p,
                                   struct gm_entity *e, struct gm_error *err)
{
    if (!gm_ground_wants_box(r, e))
        return gm_note_below(p, e, "no_box", "below_threshold", gm_ground_visible_min(r, e), err);
    if (has_object(r, p, e, r->score_min))
        return gm_note_set(p, e, "no_box", "taken", err);
    if (has_object(r, p, e, 0))
        return gm_note_below(p, e, "no_box", "below_score", r->score_min, err);
    if (gm_ground_is_person(r, e))
        return gm_note_set(p, e, "no_box", "no_person", err);
    bool is_written = gm_lettering_is_page(p) || gm_lettering_find(p, e->text).is_mention;
    return gm_note_set(p, e, "no_box", is_written ? "only_written" : "no_object", err);
}

static enum gm_status ground_post(const struct gm_ground_rule *r, struct gm_post *p,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (!p->has_objects) {
        st = GM_FAIL(err, GM_EARG,
                     "no objects to ground on: the recipe needs the stage look before ground");
        goto done;
    }
    GM_TRY(gm_ground_persons(r, p, err));
    GM_TRY(gm_ground_things(r, p, err));
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entity *e = &p->entities[i];
        GM_TRY(e->n_regions ? gm_note_set(p, e, "no_box", NULL, err) : note_missing(r, p, e, err));
    }
done:
    return st;
}

static enum gm_status run_ground(void *self, struct gm_post **posts, size_t n, struct gm_error *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++) {
        struct gm_error e = {0};
        if (posts[i]->error.stage.n || !posts[i]->image.n)
            continue;
        if (ground_post(self, posts[i], &e) != GM_OK)
            gm_post_fail(posts[i], "ground", &e);
    }
    return GM_OK;
}

const struct gm_backend gm_backend_ground_objects = {
    .stage = "ground",
    .name = "objects",
    .needs_image = true,
    .check = check_ground,
    .open = open_ground,
    .run = run_ground,
    .close = close_ground,
    .pass_by = gm_ground_pass_by,
};
