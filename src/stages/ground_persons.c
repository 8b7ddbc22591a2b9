/* ground, persons: which of the detector's persons is whose.
 *
 * - Mentions of one name are one person: the same letters, or the first or last name alone.
 * - One person: the most prominent box and every other nearly as good and as large.
 * - Several: as many of the best boxes as there are persons, one to one, the first mentioned the most
 *   prominent: where a name of two is not in the picture after all, it is mostly the second. Where boxes are
 *   short, the persons most probably visible get them.
 * - A picture without a person: the most prominent animal, as pets have names. */
#include "stages/ground_rule.h"

#include "stages/label_affinity.h"
#include "stages/lettering.h"

#include <string.h>

enum { PERSONS_MAX = GM_GROUND_PERSONS_MAX };

static bool is_animal(const struct gm_object *o) { return gm_label_is_animal(o->label); }

static bool is_person(const struct gm_object *o) { return gm_str_eq_c(o->label, "person"); }

/* Such boxes, most prominent first, at most PERSONS_MAX. */
static size_t best_boxes(const struct gm_ground_rule *r, const struct gm_post *p,
                         bool (*is_one)(const struct gm_object *), const struct gm_object **best)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_objects; i++) {
        const struct gm_object *o = &p->objects[i];
        if (!is_one(o) || (double)o->score < r->score_min)
            continue;
        size_t at = n;
        while (at > 0 && gm_ground_prominence(best[at - 1]) < gm_ground_prominence(o))
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

/* One entity a person, in order of mention, at most PERSONS_MAX. */
static size_t visible_persons(const struct gm_ground_rule *r, const struct gm_post *p,
                              const struct gm_entity **persons)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_entities && n < PERSONS_MAX; i++) {
        const struct gm_entity *e = &p->entities[i];
        if (!gm_ground_is_person(r, e) || !gm_ground_wants_box(r, e))
            continue;
        size_t k = 0;
        while (k < n && !gm_name_is_same(persons[k]->text, e->text))
            k++;
        if (k == n)
            persons[n++] = e;
    }
    return n;
}

/* The same boxes for every mention of that person. */
static enum gm_status give(const struct gm_ground_rule *r, struct gm_post *p,
                           const struct gm_entity *person, const struct gm_object *const *boxes,
                           size_t n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < p->n_entities && st == GM_OK; i++) {
        struct gm_entity *e = &p->entities[i];
        if (gm_ground_is_person(r, e) && gm_ground_wants_box(r, e) &&
            gm_ground_is_same(e, person, true))
            st = gm_ground_put(p, e, boxes, n, err);
    }
    return st;
}

static enum gm_status ground_one(const struct gm_ground_rule *r, struct gm_post *p,
                                 const struct gm_entity *person, const struct gm_object **boxes,
                                 size_t n, struct gm_error *err)
{
    size_t n_near = 1; /* the best itself */
    for (size_t i = 1; i < n && r->several; i++)
        if ((double)boxes[i]->score >= r->near_score * (double)boxes[0]->score &&
            gm_ground_area(boxes[i]->box) >= r->near_area * gm_ground_area(boxes[0]->box))
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

enum gm_status gm_ground_persons(const struct gm_ground_rule *r, struct gm_post *p,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_object *boxes[PERSONS_MAX];
    const struct gm_entity *persons[PERSONS_MAX];
    size_t n_boxes = best_boxes(r, p, is_person, boxes);
    size_t n_persons = visible_persons(r, p, persons);
    if (n_boxes == 0)
        n_boxes = best_boxes(r, p, is_animal, boxes);
    if (n_boxes == 0 || n_persons == 0)
        goto done;
    if (n_persons == 1) {
        GM_TRY(ground_one(r, p, persons[0], boxes, n_boxes, err));
        goto done;
    }
    n_persons = drop_persons(persons, n_persons, n_boxes);
    for (size_t i = 0; i < n_persons; i++)
        GM_TRY(give(r, p, persons[i], &boxes[i], 1, err));
done:
    return st;
}
