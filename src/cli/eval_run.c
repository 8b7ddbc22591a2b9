#include "cli/eval_run.h"

#include "base/log.h"
#include "eval/pairs.h"
#include "formats/voc_xml.h"

#include <stdio.h>
#include <string.h>

/* What the page says of a predicted entity, and of a gold entity that was not found as it is. */
static struct gm_str note_of(enum gm_verdict v, bool of_gold)
{
    static const char *const notes[][2] = {
        [GM_VERDICT_SPAN] = {"wrong: no such entity", "gold: not found"},
        [GM_VERDICT_TYPE] = {"wrong: type", "gold: found with another type"},
        [GM_VERDICT_IMAGE] = {"wrong: in the image or not", "gold: in the image or not"},
        [GM_VERDICT_BOX] = {"wrong: region", "gold: found with another region"},
        [GM_VERDICT_RIGHT] = {"right", ""},
        [GM_VERDICT_COPY] = {"counted once", ""},
    };
    return gm_str(notes[v][of_gold]);
}

/* The marks by which a page chooses posts: all right, something wrong, and one a step. */
enum { MARK_RIGHT, MARK_WRONG, MARK_STEPS };

static enum gm_status declare_marks(struct gm_report *report, const struct gm_eval *e,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_report_add_mark(report, "right", "all right", err));
    GM_TRY(gm_report_add_mark(report, "wrong", "something wrong", err));
    for (size_t i = 0; i < gm_eval_steps(e); i++) {
        char label[40];
        const char *step;
        (void)gm_eval_step(e, i, &step);
        snprintf(label, sizeof label, "wrong: %s", step);
        GM_TRY(gm_report_add_mark(report, step, label, err));
    }
done:
    return st;
}

static unsigned mark_of(const struct gm_eval *e, enum gm_verdict v)
{
    return v >= GM_VERDICT_RIGHT ? 0
                                 : 1U << MARK_WRONG | 1U << (MARK_STEPS + gm_eval_step_of(e, v));
}

/* The predicted post with verdicts as notes, and behind its entities the gold ones that no
 * prediction got right. Where the texts differ in white space, these have no place in the text. */
static enum gm_status show(struct gm_report *report, const struct gm_eval *e,
                           const struct gm_post *gold, struct gm_post *pred, struct gm_error *err)
{
    struct gm_post shown = *pred;
    unsigned marks = 0;
    size_t most = gold->n_entities + pred->n_entities;
    bool same = gm_str_eq(gold->text, pred->text);
    shown.entities = gm_arena_alloc(&pred->arena, most, sizeof *shown.entities);
    if (!shown.entities)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu entities", most);
    for (size_t i = 0; i < pred->n_entities; i++) {
        shown.entities[i] = pred->entities[i];
        shown.entities[i].note = note_of(gm_eval_verdict(e, false, i), false);
        marks |= mark_of(e, gm_eval_verdict(e, false, i));
    }
    for (size_t i = 0; i < gold->n_entities; i++) {
        enum gm_verdict v = gm_eval_verdict(e, true, i);
        if (v >= GM_VERDICT_RIGHT)
            continue;
        struct gm_entity *to = &shown.entities[shown.n_entities++];
        *to = gold->entities[i];
        to->note = note_of(v, true);
        marks |= mark_of(e, v);
        to->source = GM_STR("gold");
        if (!same)
            to->start = to->end = 0;
    }
    if (shown.image.n == 0)
        shown.image = gold->image;
    return gm_report_add(report, &shown, marks ? marks : 1U << MARK_RIGHT, err);
}

static enum gm_status give(const struct gm_eval_sinks *to, struct gm_post *gold,
                           struct gm_post *pred, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (to->eval)
        GM_TRY(gm_eval_add(to->eval, gold, pred, err));
    if (to->entail)
        GM_TRY(gm_visible_add(to->entail, gold, pred, err));
    if (to->ap)
        GM_TRY(gm_ap_add(to->ap, gold, pred, err));
    if (to->confidences)
        GM_TRY(gm_confidences_add(to->confidences, to->eval, pred, err));
    if (to->report)
        GM_TRY(show(to->report, to->eval, gold, pred, err));
done:
    return st;
}

enum gm_status gm_eval_read(const struct gm_eval_sinks *to, const char *gold_path,
                            const char *pred_path, const char *xml,
                            const struct gm_reader_opts *reading, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_pairs *pairs = NULL;
    struct gm_post gold, pred;
    bool has = true;
    if (to->report)
        GM_TRY(declare_marks(to->report, to->eval, err));
    GM_TRY(gm_pairs_open(&pairs, gold_path, pred_path, reading, err));
    for (;;) {
        GM_TRY(gm_pairs_next(pairs, &gold, &pred, &has, err));
        if (!has)
            break;
        st = xml ? gm_post_add_boxes(&gold, xml, NULL, err) : GM_OK;
        if (st == GM_OK) {
            st = give(to, &gold, &pred, err);
            if (st == GM_EFORMAT)
                gm_pairs_blame(pairs, err);
        }
        gm_post_clear(&gold);
        gm_post_clear(&pred);
        GM_TRY(st);
    }
done:
    gm_pairs_free(pairs);
    return st;
}

void gm_eval_warn(size_t posts, size_t failed, const char *gold, const char *pred)
{
    if (failed)
        GM_LOG(GM_LOG_WARN, "eval",
               "%zu of %zu predicted posts of %s carry an error; what they "
               "hold, perhaps nothing, was counted",
               failed, posts, pred);
    if (posts == 0)
        GM_LOG(GM_LOG_WARN, "eval", "%s: no posts", gold);
}
