#include "stages/ground_boxes.h"

#include "record/note.h"
#include "stages/label_affinity.h"

enum gm_status gm_ground_read_several(const struct gm_json *settings, bool *several,
                                      struct gm_error *err)
{
    struct gm_str boxes = GM_STR("several");
    enum gm_status st = gm_settings_str(settings, "boxes", &boxes, err);
    *several = gm_str_eq_c(boxes, "several");
    if (st == GM_OK && !*several && !gm_str_eq_c(boxes, "one"))
        st = GM_FAIL(err, GM_EARG, "setting \"boxes\" is \"%.*s\"; it must be one or several",
                     GM_STR_ARG(boxes));
    return st;
}

const struct gm_json *gm_ground_boxes_of(const struct gm_ground_coords *c,
                                         const struct gm_llm_reply *replies, size_t target)
{
    const struct gm_llm_reply *r = &replies[c->by_post ? 0 : target];
    const struct gm_json *list = gm_json_get(r->value, "entities");
    if (r->st != GM_OK || !c->by_post)
        return r->st == GM_OK ? gm_json_get(r->value, "boxes") : NULL;
    for (size_t i = 0; i < gm_json_count(list); i++) {
        long long number = 0;
        (void)gm_json_int(gm_json_get(gm_json_at(list, i), "entity"), &number);
        if (number == (long long)target + 1)
            return gm_json_get(gm_json_at(list, i), "boxes");
    }
    return NULL;
}

const char *gm_ground_box(const struct gm_json *four, struct gm_frame frame,
                          const struct gm_post *p, double out[4])
{
    double box[4] = {0};
    for (size_t k = 0; k < 4; k++)
        (void)gm_json_num(gm_json_at(four, k), &box[k]);
    return gm_coords_box(box, frame, p->image_w, p->image_h, out);
}

enum gm_status gm_ground_take_boxes(const struct gm_llm_stage *s, struct gm_post *p,
                                    struct gm_entity *e, const struct gm_json *boxes,
                                    struct gm_frame frame, size_t most, struct gm_error *err)
{
    size_t n = gm_json_count(boxes);
    enum gm_status st = GM_OK;
    struct gm_region *regions = gm_arena_alloc(&p->arena, n, sizeof *regions);
    if (!regions)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    size_t n_good = 0;
    for (size_t i = 0; i < n; i++) {
        const char *why = n_good == most
                              ? "too_many_boxes"
                              : gm_ground_box(gm_json_at(boxes, i), frame, p, regions[n_good].box);
        if (why) {
            GM_TRY(gm_llm_reject_entity(s, p, e, why, err));
            continue;
        }
        if (gm_is_person(e))
            regions[n_good].label = GM_STR("person"); /* what segment cuts out */
        regions[n_good++].score = e->visible >= 0 ? (float)e->visible : 1;
    }
    if (n == 0)
        GM_TRY(gm_note_set(p, e, "no_box", "not_found", err));
    e->regions = n_good ? regions : NULL;
    e->n_regions = n_good;
done:
    return st;
}
