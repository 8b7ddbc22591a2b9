/* A box by itself: cut out of the picture, larger by a share s of its sides on each side,
 *
 *   [x0 - s w, y0 - s h, x1 + s w, y1 + s h], as far as the picture goes,
 *
 * and the question whether this is the entity. What else is in the picture can't mislead the model there, and
 * what is small is seen large. */
#include "stages/region_check.h"
#include "stages/said.h"

#include "llm/message.h"

#include <math.h>
#include <string.h>

enum { N_VALUES = 6 };

/* A box that is asked about. */
struct crop {
    struct gm_checked *of;
    size_t region;
    double part[4];
    struct gm_prompt_value values[N_VALUES];
    const struct gm_llm_reply *reply; /* NULL: not asked about, as it shows nothing */
};

/* The crops of a post; n of everything, of questions and replies n_asked. */
struct crops {
    struct crop *each;
    struct gm_picture_view *views;
    struct gm_picture *pictures;
    struct gm_llm_question *q;
    struct gm_llm_reply *replies;
    size_t n, n_asked;
};

static const char *check_word(void *user, const struct gm_json *value)
{
    struct gm_str s;
    (void)user;
    return gm_json_str(value, &s) && gm_said_yes(s) >= 0 ? NULL : "neither yes nor no";
}

static void enlarge(const double box[4], double share, double out[4])
{
    for (size_t i = 0; i < 4; i++) {
        double side = box[i % 2 + 2] - box[i % 2];
        out[i] = box[i] + (i < 2 ? -share : share) * side;
    }
}

static enum gm_status alloc_crops(struct gm_region_check_work *w, struct crops *all,
                                  struct gm_error *err)
{
    struct gm_arena *a = &w->arena;
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        n += w->asked[i].e->n_regions;
    all->each = gm_arena_alloc(a, n, sizeof *all->each);
    all->views = gm_arena_alloc(a, n, sizeof *all->views);
    all->pictures = gm_arena_alloc(a, n, sizeof *all->pictures);
    all->q = gm_arena_alloc(a, n, sizeof *all->q);
    all->replies = gm_arena_alloc(a, n, sizeof *all->replies);
    if (!all->each || !all->views || !all->pictures || !all->q || !all->replies)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    all->n = n;
    return GM_OK;
}

static void fill_values(const struct gm_region_check *c, const struct gm_post *p,
                        const struct gm_entity *e, struct gm_prompt_value v[N_VALUES])
{
    struct gm_str type = e->fine_type.n ? e->fine_type : e->type;
    v[0] = (struct gm_prompt_value){"text", p->text};
    v[1] = (struct gm_prompt_value){"caption", p->caption};
    v[2] = (struct gm_prompt_value){"entity", e->text};
    v[3] = (struct gm_prompt_value){"type", type};
    v[4] = (struct gm_prompt_value){"expression", e->expression};
    v[5] = (struct gm_prompt_value){"type_definition", gm_guide_definition(&c->base.guide, type)};
}

static void fill_crops(const struct gm_region_check *c, struct gm_region_check_work *w,
                       struct crops *all)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        for (size_t k = 0; k < w->asked[i].e->n_regions; k++, n++) {
            struct crop *crop = &all->each[n];
            crop->of = &w->asked[i];
            crop->region = k;
            enlarge(w->asked[i].e->regions[k].box, c->crop, crop->part);
            fill_values(c, w->post, w->asked[i].e, crop->values);
            all->views[n] = (struct gm_picture_view){.part = crop->part};
        }
}

/* A question for each crop that there is to see. */
static void fill_questions(const struct gm_region_check *c, struct gm_post *post, struct crops *all)
{
    for (size_t i = 0; i < all->n; i++) {
        if (all->pictures[i].w == 0)
            continue;
        all->each[i].reply = &all->replies[all->n_asked];
        all->q[all->n_asked++] = (struct gm_llm_question){.post = post,
                                                          .values = all->each[i].values,
                                                          .n_values = N_VALUES,
                                                          .asking = &c->cropping,
                                                          .picture = &all->pictures[i],
                                                          .logprobs = true,
                                                          .check = check_word};
    }
}

/* The probability of yes; of a word alone 1 or 0, as of what is not in the picture. */
static double yes_of(const struct gm_llm_reply *r)
{
    struct gm_str s = {NULL, 0};
    if (!r)
        return 0;
    double yes = gm_llm_yes(r->logprobs);
    (void)gm_json_str(r->value, &s);
    return isfinite(yes) ? yes : gm_said_yes(s);
}

/* The crops of one entity, [first, first + n): whether that was all about it. */
static enum gm_status judge(const struct gm_region_check *c, struct gm_region_check_work *w,
                            const struct crops *all, size_t first, size_t n, bool *is_done,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_entity *e = all->each[first].of->e;
    struct gm_region *regions = gm_arena_alloc(&w->post->arena, n, sizeof *regions);
    size_t n_good = 0;
    *is_done = false;
    if (!regions)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const struct gm_llm_reply *r = all->each[first + i].reply;
        bool is_read = !r || r->st != GM_EFORMAT;
        double yes = is_read ? yes_of(r) : 1;
        if (!is_read)
            GM_TRY(gm_llm_reject_entity(&c->base, w->post, e, "not_yes_or_no", err));
        bool is_good = yes >= c->confirm;
        *is_done |= is_good;
        regions[n_good] = e->regions[i];
        if (is_read)
            regions[n_good].score = (float)yes;
        n_good += is_good || !c->drops;
    }
    if (*is_done) {
        e->regions = regions;
        e->n_regions = n_good;
    } else { /* asked about once more, with what the crops say of them */
        for (size_t i = 0; i < n; i++) {
            regions[i] = e->regions[i];
            regions[i].score = (float)yes_of(all->each[first + i].reply);
        }
        e->regions = regions;
    }
done:
    return st;
}

static enum gm_status judge_all(const struct gm_region_check *c, struct gm_region_check_work *w,
                                const struct crops *all, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t first = 0, n_left = 0;
    for (size_t i = 0; i < w->n; i++) {
        size_t n = w->asked[i].e->n_regions;
        bool is_done = true;
        if (n)
            GM_TRY(judge(c, w, all, first, n, &is_done, err));
        first += n;
        if (!is_done)
            w->asked[n_left++] = w->asked[i];
    }
    w->n = n_left;
done:
    return st;
}

enum gm_status gm_check_crops(struct gm_region_check *c, struct gm_region_check_work *w,
                              bool *answered, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct crops all = {.n = 0};
    *answered = true;
    GM_TRY(alloc_crops(w, &all, err));
    if (all.n == 0)
        goto done;
    fill_crops(c, w, &all);
    GM_TRY(gm_llm_stage_views(&c->base, w->post, all.views, all.n, all.pictures, err));
    *answered = !w->post->error.stage.n;
    if (!*answered)
        goto done;
    fill_questions(c, w->post, &all);
    if (all.n_asked)
        GM_TRY(gm_llm_stage_ask(&c->base, all.q[0].picture, all.q, all.n_asked, all.replies, err));
    for (size_t i = 0; i < all.n_asked && *answered; i++)
        *answered = !gm_llm_stage_failed(&c->base, w->post, &all.replies[i]);
    if (*answered)
        GM_TRY(judge_all(c, w, &all, err));
done:
    for (size_t i = 0; i < all.n; i++) {
        gm_llm_reply_clear(&all.replies[i]);
        gm_picture_clear(&all.pictures[i]);
    }
    return st;
}
