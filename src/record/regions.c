#include "record/regions.h"

#include "image/mask.h"
#include "record/record_mask.h"

#include <math.h>

/* As written with two decimals. */
static bool is_less(double a, double b) { return rint(100 * a) < rint(100 * b); }

bool gm_box_has_area(const double box[GM_BOX_XYXY])
{
    return is_less(box[0], box[2]) && is_less(box[1], box[3]);
}

bool gm_box_is_nothing(const double box[GM_BOX_XYXY])
{
    return box[0] == 0 && box[1] == 0 && box[2] == 0 && box[3] == 0;
}

enum gm_status gm_box_write(const double box[GM_BOX_XYXY], struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < GM_BOX_XYXY; i++) {
        GM_TRY(gm_buf_add_c(out, i ? ", " : "", err));
        GM_TRY(gm_buf_add_number(out, box[i], GM_BOX_DECIMALS, err));
    }
done:
    return st;
}

static bool keeps(const double box[GM_BOX_XYXY], struct gm_losses *lost, struct gm_str id)
{
    if (gm_box_has_area(box))
        return true;
    bool turned = is_less(box[2], box[0]) || is_less(box[3], box[1]);
    gm_losses_fault(lost, turned ? "boxes the wrong way round" : "boxes without area", id);
    return false;
}

static void settle_entity(struct gm_entity *e, struct gm_losses *lost, struct gm_str id)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n_regions; i++)
        if (gm_box_is_nothing(e->regions[i].box) || keeps(e->regions[i].box, lost, id))
            e->regions[n++] = e->regions[i];
    if (n == 0 && e->n_regions)
        e->regions[n++] = (struct gm_region){.score = e->regions[0].score};
    e->n_regions = n;
}

void gm_post_settle_boxes(struct gm_post *p, struct gm_losses *lost)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_entities; i++)
        settle_entity(&p->entities[i], lost, p->id);
    for (size_t i = 0; i < p->n_objects; i++)
        if (keeps(p->objects[i].box, lost, p->id))
            p->objects[n++] = p->objects[i];
    p->n_objects = n;
    n = 0;
    for (size_t i = 0; i < p->n_texts; i++)
        if (keeps(p->texts[i].box, lost, p->id))
            p->texts[n++] = p->texts[i];
    p->n_texts = n;
}

void gm_post_drop_nothing(struct gm_post *p, struct gm_losses *lost)
{
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entity *e = &p->entities[i];
        size_t n = 0;
        for (size_t k = 0; k < e->n_regions; k++) {
            if (gm_box_is_nothing(e->regions[k].box))
                gm_losses_add(lost, "boxes that fit nothing ([0, 0, 0, 0])", p->id);
            else
                e->regions[n++] = e->regions[k];
        }
        if (n == 0 && e->n_regions && e->visible < GM_VISIBLE_MIN)
            e->visible = 1;
        e->n_regions = n;
    }
}

enum gm_status gm_post_drop_masks(struct gm_post *p, struct gm_losses *lost, struct gm_error *err)
{
    for (size_t i = 0; i < p->n_entities; i++)
        for (size_t k = 0; k < p->entities[i].n_regions; k++) {
            struct gm_rle *m = &p->entities[i].regions[k].mask;
            uint64_t *runs;
            size_t n;
            struct gm_error e;
            if (m->counts.n == 0)
                continue;
            enum gm_status st = gm_mask_check_size(m->h, m->w, &e);
            if (st == GM_OK)
                st = gm_rle_to_runs(&p->arena, m->counts, m->h, m->w, &runs, &n, &e);
            if (st == GM_EFORMAT) {
                gm_losses_mask(lost, p->id, e.msg);
                *m = (struct gm_rle){0};
            } else if (st != GM_OK) {
                if (err)
                    *err = e;
                return st;
            }
        }
    return GM_OK;
}
