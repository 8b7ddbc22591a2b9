/* What ground and segment say of a post without an image. An entity that no stage has judged says
 * nothing: that its post has no image is plain to see. */
#include "record/note.h"
#include "stages/backends.h"

enum gm_status gm_ground_pass_by(struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entity *e = &p->entities[i];
        if (e->n_regions == 0 && e->visible >= 0)
            GM_TRY(gm_note_set(p, e, "no_box", "no_image", err));
    }
done:
    return st;
}

enum gm_status gm_segment_pass_by(struct gm_post *p, struct gm_error *err)
{
    (void)err;
    for (size_t i = 0; i < p->n_entities; i++)
        for (size_t k = 0; k < p->entities[i].n_regions; k++) {
            struct gm_region *r = &p->entities[i].regions[k];
            if (!r->mask.counts.n)
                r->note = GM_STR("no_mask:no_image");
        }
    return GM_OK;
}
