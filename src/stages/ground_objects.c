/* ground, by the objects that look found: the embedded rule (DESIGN.md), all of it in this file.
 *
 * - An entity below the entailment threshold gets no box; one that no stage judged counts as visible
 *   (a recipe without entailment asks for boxes all the same).
 * - Mentions of one name ("Obama … OBAMA") are one entity here and share their boxes.
 * - One visible person: the best person box and every other nearly as good and as large.
 * - Several: as many of the best boxes as there are persons, one to one in order of mention, left to
 *   right. Where boxes are short, the persons most probably visible get them.
 * - Anything else: the object whose label is nearest in meaning, above a threshold; an object is
 *   given away once, in order of mention.
 * An entity that is left without a box carries a note that says why.
 * Best = most prominent: score x square root of the area, as a photo's subject is large rather than
 * the sharpest passer-by. docs/grounding.md says what all this can't know. */
#include "stages/backends.h"
#include "stages/ground_boxes.h"
#include "stages/label_affinity.h"

#include "base/alloc.h"
#include "record/note.h"

#include <math.h>
#include <string.h>
#include <strings.h>

enum { PERSON_TYPES_MAX = 64, PERSONS_MAX = 64 };

struct rule {
    double visible_min; /* an entity less probably visible gets no box */
    double score_min;   /* objects below it are not used */
    double near_score; /* another box of the same person: at least this share of the best's score */
    double near_area;  /* and of its area */
    double affinity_min; /* nearness in meaning that an object needs */
    bool several;        /* a person may have such further boxes */
    const char *person_types[PERSON_TYPES_MAX];
    size_t n_person_types;
    struct gm_arena arena; /* holds the person types of the settings */
};

static void close_ground(void *self)
{
    struct rule *r = self;
    if (!r)
        return;
    gm_arena_clear(&r->arena);
    gm_free(r);
}

static enum gm_status read_person_types(struct rule *r, const struct gm_json *list,
                                        struct gm_error *err)
{
    if (!list) {
        while (gm_person_types[r->n_person_types]) {
            r->person_types[r->n_person_types] = gm_person_types[r->n_person_types];
            r->n_person_types++;
        }
        return GM_OK;
    }
    for (size_t i = 0; i < gm_json_count(list) && i < PERSON_TYPES_MAX; i++) {
        struct gm_str type, copy = {0};
        if (gm_json_str(gm_json_at(list, i), &type))
            copy = gm_arena_str(&r->arena, type);
        if (!copy.p)
            break;
        r->person_types[r->n_person_types++] = copy.p;
    }
    if (gm_json_kind(list) != GM_JSON_ARRAY || r->n_person_types != gm_json_count(list))
        return GM_FAIL(err, GM_EARG,
                       "setting \"person_types\" must be a list of at most %d texts, such as [PER]",
                       (int)PERSON_TYPES_MAX);
    return GM_OK;
}

static enum gm_status open_ground(void **self, const struct gm_backend *b,
                                  const struct gm_json *settings, struct gm_error *err)
{
    static const char *const known[] = {"visible",  "score",        "near_score", "near_area",
                                        "affinity", "person_types", "boxes",      NULL};
    enum gm_status st = GM_OK;
    struct rule *r = gm_alloc(1, sizeof *r);
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
    GM_TRY(gm_settings_check(settings, b->stage, known, err));
    GM_TRY(gm_settings_num(settings, "visible", 0, 1, &r->visible_min, err));
    GM_TRY(gm_settings_num(settings, "score", 0, 1, &r->score_min, err));
    GM_TRY(gm_settings_num(settings, "near_score", 0, 1, &r->near_score, err));
    GM_TRY(gm_settings_num(settings, "near_area", 0, 1, &r->near_area, err));
    GM_TRY(gm_settings_num(settings, "affinity", 0.01, 1, &r->affinity_min, err));
    GM_TRY(gm_ground_read_several(settings, &r->several, err));
    GM_TRY(read_person_types(r, gm_json_get(settings, "person_types"), err));
    *self = r;
    r = NULL;
done:
    close_ground(r);
    return st;
}

static bool is_person_type(const struct rule *r, const struct gm_entity *e)
{
    for (size_t i = 0; i < r->n_person_types; i++)
        if (gm_str_eq_c(e->type, r->person_types[i]) ||
            gm_str_eq_c(e->fine_type, r->person_types[i]))
            return true;
    return false;
}

/* Visible, and without boxes that came with the post. */
static bool wants_box(const struct rule *r, const struct gm_entity *e)
{
    return e->n_regions == 0 && (e->visible < 0 || e->visible >= r->visible_min);
}

static bool same_name(const struct gm_entity *a, const struct gm_entity *b)
{
    return a->text.n == b->text.n && strncasecmp(a->text.p, b->text.p, a->text.n) == 0;
}

static double area_of(const struct gm_object *o)
{
    return (o->box[2] - o->box[0]) * (o->box[3] - o->box[1]);
}

static double prominence(const struct gm_object *o) { return (double)o->score * sqrt(area_of(o)); }

/* The same boxes for every mention of `like` that wants some, each with regions of its own, as
 * segment fills them. */
static enum gm_status give(const struct rule *r, struct gm_post *p, const struct gm_entity *like,
                           const struct gm_object *const *objects, size_t n, struct gm_error *err)
{
    bool person = is_person_type(r, like);
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entity *e = &p->entities[i];
        if (!same_name(e, like) || is_person_type(r, e) != person || !wants_box(r, e))
            continue;
        e->regions = gm_arena_alloc(&p->arena, n, sizeof *e->regions);
        if (!e->regions)
            return GM_FAIL(err, GM_ENOMEM, "out of memory for regions");
        for (size_t k = 0; k < n; k++) {
            memcpy(e->regions[k].box, objects[k]->box, sizeof e->regions[k].box);
            e->regions[k].score = objects[k]->score;
            e->regions[k].label = objects[k]->label;
        }
        e->n_regions = n;
    }
    return GM_OK;
}

/* Person boxes, most prominent first, at most PERSONS_MAX. */
static size_t person_boxes(const struct rule *r, const struct gm_post *p,
                           const struct gm_object **best)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_objects; i++) {
        const struct gm_object *o = &p->objects[i];
        if (!gm_str_eq_c(o->label, "person") || (double)o->score < r->score_min)
            continue;
        size_t at = n;
        while (at > 0 && prominence(best[at - 1]) < prominence(o))
            at--;
        if (at == PERSONS_MAX)
            continue;
        size_t last = n < PERSONS_MAX ? n : PERSONS_MAX - 1;
        memmove(best + at + 1, best + at, (last - at) * sizeof *best);
        best[at] = o;
        n = last + 1;
    }
    return n;
}

/* One entity a name, in order of mention, at most PERSONS_MAX. */
static size_t visible_persons(const struct rule *r, const struct gm_post *p,
                              const struct gm_entity **persons)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_entities && n < PERSONS_MAX; i++) {
        const struct gm_entity *e = &p->entities[i];
        if (!is_person_type(r, e) || !wants_box(r, e))
            continue;
        size_t k = 0;
        while (k < n && !same_name(persons[k], e))
            k++;
        if (k == n)
            persons[n++] = e;
    }
    return n;
}

static enum gm_status ground_one_person(const struct rule *r, struct gm_post *p,
                                        const struct gm_entity *person,
                                        const struct gm_object **boxes, size_t n,
                                        struct gm_error *err)
{
    size_t n_near = 1; /* the best itself */
    for (size_t i = 1; i < n && r->several; i++)
        if ((double)boxes[i]->score >= r->near_score * (double)boxes[0]->score &&
            area_of(boxes[i]) >= r->near_area * area_of(boxes[0]))
            boxes[n_near++] = boxes[i];
    return give(r, p, person, boxes, n_near, err);
}

/* Drop the persons least probably visible (of equals the last mentioned) until `most` are left. */
static size_t drop_persons(const struct gm_entity **persons, size_t n, size_t most)
{
    while (n > most) {
        size_t worst = 0;
        for (size_t i = 1; i < n; i++)
            if (persons[i]->visible <= persons[worst]->visible)
                worst = i;
        memmove(persons + worst, persons + worst + 1, (n - worst - 1) * sizeof *persons);
        n--;
    }
    return n;
}

static void sort_left_to_right(const struct gm_object **boxes, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0; k--) {
            const struct gm_object *a = boxes[k - 1], *b = boxes[k];
            if (a->box[0] + a->box[2] <= b->box[0] + b->box[2])
                break;
            boxes[k - 1] = b;
            boxes[k] = a;
        }
}

static enum gm_status ground_persons(const struct rule *r, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_object *boxes[PERSONS_MAX];
    const struct gm_entity *persons[PERSONS_MAX];
    size_t n_boxes = person_boxes(r, p, boxes);
    size_t n_persons = visible_persons(r, p, persons);
    if (n_boxes == 0 || n_persons == 0)
        goto done;
    if (n_persons == 1) {
        GM_TRY(ground_one_person(r, p, persons[0], boxes, n_boxes, err));
        goto done;
    }
    n_persons = drop_persons(persons, n_persons, n_boxes);
    sort_left_to_right(boxes, n_persons); /* only the n_persons best */
    for (size_t i = 0; i < n_persons; i++)
        GM_TRY(give(r, p, persons[i], &boxes[i], 1, err));
done:
    return st;
}

/* The free object nearest in meaning, of equals the most prominent; NULL when none is near. */
static const struct gm_object *nearest_object(const struct rule *r, const struct gm_post *p,
                                              const struct gm_entity *e, const bool *taken)
{
    const struct gm_object *best = NULL;
    float best_affinity = 0;
    for (size_t i = 0; i < p->n_objects; i++) {
        const struct gm_object *o = &p->objects[i];
        if (taken[i] || (double)o->score < r->score_min)
            continue;
        float affinity = gm_label_affinity(o->label, e);
        if ((double)affinity < r->affinity_min)
            continue;
        if (!best || affinity > best_affinity ||
            (affinity >= best_affinity && prominence(o) > prominence(best))) {
            best = o;
            best_affinity = affinity;
        }
    }
    return best;
}

static enum gm_status ground_things(const struct rule *r, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool *taken = gm_arena_alloc(&p->arena, p->n_objects, sizeof *taken);
    if (!taken) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for grounding");
        goto done;
    }
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *e = &p->entities[i];
        if (is_person_type(r, e) || !wants_box(r, e))
            continue;
        const struct gm_object *o = nearest_object(r, p, e, taken);
        if (!o)
            continue;
        taken[o - p->objects] = true;
        GM_TRY(give(r, p, e, &o, 1, err));
    }
done:
    return st;
}

/* Whether an object of at least that score could be the entity. */
static bool has_object(const struct rule *r, const struct gm_post *p, const struct gm_entity *e,
                       double score_min)
{
    for (size_t i = 0; i < p->n_objects; i++) {
        const struct gm_object *o = &p->objects[i];
        bool fits = is_person_type(r, e)
                        ? gm_str_eq_c(o->label, "person")
                        : (double)gm_label_affinity(o->label, e) >= r->affinity_min;
        if (fits && (double)o->score >= score_min)
            return true;
    }
    return false;
}

/* Say why an entity has no box, when all boxes have been given. */
static enum gm_status note_missing(const struct rule *r, struct gm_post *p, struct gm_entity *e,
                                   struct gm_error *err)
{
    if (!wants_box(r, e))
        return gm_note_below(p, e, "no_box", "below_threshold", r->visible_min, err);
    if (has_object(r, p, e, r->score_min))
        return gm_note_set(p, e, "no_box", "taken", err);
    if (has_object(r, p, e, 0))
        return gm_note_below(p, e, "no_box", "below_score", r->score_min, err);
    return gm_note_set(p, e, "no_box", is_person_type(r, e) ? "no_person" : "no_object", err);
}

static enum gm_status ground_post(const struct rule *r, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (!p->has_objects) {
        st = GM_FAIL(err, GM_EARG,
                     "no objects to ground on: the recipe needs the stage look before ground");
        goto done;
    }
    GM_TRY(ground_persons(r, p, err));
    GM_TRY(ground_things(r, p, err));
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
    .open = open_ground,
    .run = run_ground,
    .close = close_ground,
    .pass_by = gm_ground_pass_by,
};
