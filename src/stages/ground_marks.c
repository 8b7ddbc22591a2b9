#include "stages/ground_marks.h"

#include "image/overlap.h"
#include "stages/stage.h"

#include <string.h>

static const double same_iou = 0.9;

/* ---- settings ---- */

static enum gm_status read_settings(const struct gm_json *settings, double *most,
                                    struct gm_str *file, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *most = 0;
    *file = GM_STR("");
    GM_TRY(gm_settings_whole(settings, "marks", 0, GM_MARKS_MAX, most, err));
    GM_TRY(gm_settings_str(settings, "proposals", file, err));
    if (file->n && *most == 0)
        st = GM_FAIL(err, GM_EARG,
                     "setting \"proposals\" is of the setting \"marks\": how many regions are "
                     "numbered, such as %d",
                     (int)GM_MARKS_MAX);
done:
    return st;
}

enum gm_status gm_marks_open(struct gm_marks *m, const struct gm_json *settings,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str file;
    GM_TRY(read_settings(settings, &m->most, &file, err));
    if (file.n)
        st = gm_proposals_load(&m->proposals, file.p, err);
done:
    return st;
}

void gm_marks_clear(struct gm_marks *m)
{
    gm_proposals_free(m->proposals);
    m->proposals = NULL;
}

bool gm_marks_are_set(const struct gm_json *settings)
{
    double most;
    return gm_json_num(gm_json_get(settings, "marks"), &most) && most > 0;
}

enum gm_status gm_marks_fingerprint(const struct gm_json *settings, struct gm_buf *out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double most;
    struct gm_str file;
    GM_TRY(read_settings(settings, &most, &file, err));
    if (file.n)
        st = gm_fingerprint_file("proposals", file.p, out, err);
done:
    return st;
}

/* ---- a post's marks ---- */

static bool is_new(const struct gm_marked *m, const struct gm_object *o)
{
    bool is = o->box[2] > o->box[0] && o->box[3] > o->box[1];
    for (size_t i = 0; i < m->n && is; i++)
        is = gm_box_iou(m->box[i], o->box) < same_iou;
    return is;
}

/* The best of those that are not marked yet; NULL = there is none. */
static const struct gm_object *next_best(const struct gm_marked *m, const struct gm_object *all,
                                         size_t n)
{
    const struct gm_object *best = NULL;
    for (size_t i = 0; i < n; i++)
        if ((!best || all[i].score > best->score) && is_new(m, &all[i]))
            best = &all[i];
    return best;
}

enum gm_status gm_marks_choose(const struct gm_marks *m, const struct gm_post *p,
                               struct gm_marked *out, struct gm_error *err)
{
    size_t n = p->n_objects;
    const struct gm_object *all = p->objects, *o;
    out->n = 0;
    if (m->proposals)
        all = gm_proposals_find(m->proposals, p, &n);
    else if (!p->has_objects)
        return GM_FAIL(
            err, GM_EARG,
            "no objects to number: the recipe needs a detector in the stage look, or the "
            "setting proposals");
    while (out->n < (size_t)m->most && (o = next_best(out, all, n))) {
        memcpy(out->box[out->n], o->box, sizeof o->box);
        out->score[out->n] = (double)o->score;
        out->label[out->n++] = o->label;
    }
    return GM_OK;
}

enum gm_status gm_marks_paint(void *user, struct gm_image *im, const struct gm_picture *picture,
                              struct gm_error *err)
{
    struct gm_marked *m = user;
    const double scale[2] = {(double)im->w / picture->full_w, (double)im->h / picture->full_h};
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < 4; k++)
            m->drawn[i][k] = m->box[i][k] * scale[k % 2];
    return gm_draw_numbered(im, (const double(*)[4])m->drawn, m->n, err);
}

/* ---- answers ---- */

bool gm_marks_fit(const struct gm_marked *m, const struct gm_json *answer)
{
    const struct gm_json *numbers = gm_json_get(answer, "numbers");
    bool fit = true;
    for (size_t i = 0; i < gm_json_count(numbers) && fit; i++) {
        long long n = 0;
        fit = gm_json_int(gm_json_at(numbers, i), &n) && n >= 1 && n <= (long long)m->n;
    }
    return fit;
}

static enum gm_status add_box(struct gm_json *boxes, const double box[4], struct gm_error *err)
{
    struct gm_json *four = gm_json_new_array();
    bool ok = four;
    for (size_t i = 0; i < 4 && ok; i++)
        ok = gm_json_add(four, gm_json_new_num(box[i]));
    if (ok)
        ok = gm_json_add(boxes, four);
    else
        gm_json_free(four);
    return ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status resolve(const struct gm_marked *m, struct gm_json *answer,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *numbers = gm_json_get(answer, "numbers");
    struct gm_json *boxes = gm_json_new_array();
    bool taken[GM_MARKS_MAX] = {false};
    for (size_t i = 0; i < gm_json_count(numbers) && boxes; i++) {
        long long n = 0;
        (void)gm_json_int(gm_json_at(numbers, i), &n);
        if (n < 1 || n > (long long)m->n || taken[n - 1])
            continue;
        taken[n - 1] = true;
        GM_TRY(add_box(boxes, m->box[n - 1], err));
    }
    if (!gm_json_set(answer, "boxes", boxes))
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    boxes = NULL;
done:
    gm_json_free(boxes);
    return st;
}

enum gm_status gm_marks_resolve(const struct gm_marked *m, struct gm_json *answer,
                                struct gm_error *err)
{
    const struct gm_json *entities = gm_json_get(answer, "entities");
    enum gm_status st = GM_OK;
    if (gm_json_get(answer, "numbers"))
        st = resolve(m, answer, err);
    for (size_t i = 0; i < gm_json_count(entities) && st == GM_OK; i++)
        st = resolve(m, gm_json_at(entities, i), err);
    return st;
}

size_t gm_marks_number(const struct gm_marked *m, const double box[4])
{
    for (size_t i = 0; i < m->n; i++)
        if (gm_box_iou(m->box[i], box) > 0.99) /* but for the picture's edge */
            return i + 1;
    return 0;
}

enum gm_status gm_marks_credit(const struct gm_marked *m, struct gm_post *p, struct gm_entity *e,
                               struct gm_error *err)
{
    for (size_t i = 0; i < e->n_regions; i++) {
        struct gm_region *r = &e->regions[i];
        size_t number = gm_marks_number(m, r->box);
        if (!number)
            continue;
        r->score = (float)m->score[number - 1];
        if (!r->label.n)
            r->label = gm_arena_str(&p->arena, m->label[number - 1]);
        if (!r->label.p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    return GM_OK;
}
