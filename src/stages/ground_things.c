/* ground, everything that is no person; the first of these that there is:
 *
 * - the object whose label is nearest in meaning, above a threshold. An object is given away once, in
 *   order of mention
 * - where the name is read in the picture, the lettering: of an organisation its sign or mark, of a thing
 *   what is written on it, if that is small. Large lettering is a title: a cover or a poster, and that is
 *   the whole picture
 *   Nothing for a name that sentences in the picture speak of, nor in a page of text
 * - for the types of `picture_types`, the whole picture: products, covers, posters and artworks fill
 *   theirs. On the tweets annotated by eye it is the right box of 28 of 42 visible OTHER, the object
 *   that U2-Netp marks of 23. */
#include "stages/ground_rule.h"

#include "stages/label_affinity.h"
#include "stages/lettering.h"
#include "stages/pixels.h"

#include <stdlib.h>
#include <strings.h>

/* The free object nearest in meaning, of equals the most prominent; NULL when none is near. */
static const struct gm_object *nearest_object(const struct gm_ground_rule *r,
                                              const struct gm_post *p, const struct gm_entity *e,
                                              const bool *taken)
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
            (affinity >= best_affinity && gm_ground_prominence(o) > gm_ground_prominence(best))) {
            best = o;
            best_affinity = affinity;
        }
    }
    return best;
}

static enum gm_status need_size(struct gm_post *p, struct gm_error *err)
{
    const struct gm_image *im;
    return p->image_w && p->image_h ? GM_OK : gm_post_pixels(p, 1, &im, err);
}

/* What is no object of the detector's: lettering, or the picture. Its score is how probably the entity
 * is in the image. False = neither. */
static enum gm_status propose(const struct gm_ground_rule *r, struct gm_post *p,
                              const struct gm_entity *e, struct gm_object *o, bool *any,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    enum gm_entity_kind kind = gm_entity_kind(e);
    bool fills = gm_ground_type(&r->pictures, e) < r->pictures.n;
    struct gm_lettering l = gm_lettering_find(p, e->text);
    bool is_read = l.share > 0 && l.share >= r->lettering_min;
    *any = false;
    *o = (struct gm_object){.score = e->visible >= 0 ? (float)e->visible : 1};
    if (l.is_mention || gm_lettering_is_page(p))
        goto done;
    if (!fills && !(is_read && kind == GM_KIND_ORGANISATION))
        goto done;
    GM_TRY(need_size(p, err));
    *any = true;
    if (is_read && (kind == GM_KIND_ORGANISATION ||
                    gm_ground_area(l.box) < r->lettering_area * p->image_w * p->image_h)) {
        o->label = GM_STR("lettering");
        for (size_t i = 0; i < GM_BOX_XYXY; i++)
            o->box[i] = l.box[i];
    } else {
        o->label = GM_STR("picture");
        o->box[2] = p->image_w;
        o->box[3] = p->image_h;
    }
done:
    return st;
}

/* Entities by name, those of one name in order of mention, so that finding them costs no look at every other. */
struct by_name {
    struct gm_entity **list; /* [n] */
    size_t *first;           /* [n] of each entity, where its name begins in the list */
    size_t n;
};

static int compare_names(const void *a, const void *b)
{
    const struct gm_entity *x = *(struct gm_entity *const *)a, *y = *(struct gm_entity *const *)b;
    if (x->text.n != y->text.n)
        return x->text.n < y->text.n ? -1 : 1;
    int order = strncasecmp(x->text.p, y->text.p, x->text.n);
    return order ? order : x < y ? -1 : x > y;
}

static enum gm_status sort_names(struct by_name *s, struct gm_post *p, struct gm_error *err)
{
    s->n = p->n_entities;
    s->list = gm_arena_alloc(&p->arena, s->n, sizeof(struct gm_entity *));
    s->first = gm_arena_alloc(&p->arena, s->n, sizeof *s->first);
    if (!s->list || !s->first)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for grounding");
    for (size_t i = 0; i < s->n; i++)
        s->list[i] = &p->entities[i];
    if (s->n)
        qsort(s->list, s->n, sizeof(struct gm_entity *), compare_names);
    for (size_t i = 0, from = 0; i < s->n; i++) {
        if (!gm_ground_is_same(s->list[from], s->list[i], false))
            from = i;
        s->first[s->list[i] - p->entities] = from;
    }
    return GM_OK;
}

static bool wants_box(const struct gm_ground_rule *r, const struct gm_entity *e)
{
    return !gm_ground_is_person(r, e) && gm_ground_wants_box(r, e);
}

/* The same box for every mention of that name. */
static enum gm_status give(const struct gm_ground_rule *r, struct gm_post *p,
                           const struct by_name *s, size_t first, const struct gm_object *o,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = first; i < s->n && st == GM_OK; i++) {
        if (!gm_ground_is_same(s->list[first], s->list[i], false))
            break;
        if (wants_box(r, s->list[i]))
            st = gm_ground_put(p, s->list[i], &o, 1, err);
    }
    return st;
}

enum gm_status gm_ground_things(const struct gm_ground_rule *r, struct gm_post *p,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct by_name names;
    bool *taken = gm_arena_alloc(&p->arena, p->n_objects, sizeof *taken);
    if (!taken) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for grounding");
        goto done;
    }
    GM_TRY(sort_names(&names, p, err));
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *e = &p->entities[i];
        struct gm_object proposed;
        bool any = true;
        if (!wants_box(r, e))
            continue;
        const struct gm_object *o = nearest_object(r, p, e, taken);
        if (o)
            taken[o - p->objects] = true;
        else
            GM_TRY(propose(r, p, e, &proposed, &any, err));
        if (any)
            GM_TRY(give(r, p, &names, names.first[i], o ? o : &proposed, err));
    }
done:
    return st;
}
