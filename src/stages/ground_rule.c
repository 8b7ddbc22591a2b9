#include "stages/ground_rule.h"

#include "stages/lettering.h"

#include <math.h>
#include <string.h>
#include <strings.h>

size_t gm_ground_type(const struct gm_ground_types *t, const struct gm_entity *e)
{
    size_t i = 0;
    while (i < t->n && !gm_str_eq_c(e->type, t->names[i]) &&
           !gm_str_eq_c(e->fine_type, t->names[i]))
        i++;
    return i;
}

bool gm_ground_is_person(const struct gm_ground_rule *r, const struct gm_entity *e)
{
    return gm_ground_type(&r->persons, e) < r->persons.n;
}

double gm_ground_visible_min(const struct gm_ground_rule *r, const struct gm_entity *e)
{
    size_t i = gm_ground_type(&r->visible, e);
    return i < r->visible.n ? r->visible.visible_min[i] : r->visible_min;
}

bool gm_ground_wants_box(const struct gm_ground_rule *r, const struct gm_entity *e)
{
    return e->n_regions == 0 && (e->visible < 0 || e->visible >= gm_ground_visible_min(r, e));
}

double gm_ground_area(const double box[GM_BOX_XYXY])
{
    return (box[2] - box[0]) * (box[3] - box[1]);
}

double gm_ground_prominence(const struct gm_object *o)
{
    return (double)o->score * sqrt(gm_ground_area(o->box));
}

bool gm_ground_is_same(const struct gm_entity *a, const struct gm_entity *b, bool persons)
{
    if (persons)
        return gm_name_is_same(a->text, b->text);
    return a->text.n == b->text.n && strncasecmp(a->text.p, b->text.p, a->text.n) == 0;
}

enum gm_status gm_ground_put(struct gm_post *p, struct gm_entity *e,
                             const struct gm_object *const *objects, size_t n, struct gm_error *err)
{
    e->regions = gm_arena_alloc(&p->arena, n, sizeof *e->regions);
    if (!e->regions)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for regions");
    for (size_t k = 0; k < n; k++) {
        memcpy(e->regions[k].box, objects[k]->box, sizeof e->regions[k].box);
        e->regions[k].score = objects[k]->score;
        e->regions[k].label = objects[k]->label;
    }
    e->n_regions = n;
    return GM_OK;
}
