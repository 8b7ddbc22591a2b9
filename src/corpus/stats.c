#include "corpus/stats.h"

#include "record/offsets.h"
#include "text/segment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TYPES = 65535 };

enum { N_SPREADS = 5 };

static struct gm_spread *spread_at(struct gm_stats *s, size_t i)
{
    struct gm_spread *const all[N_SPREADS] = {&s->words, &s->entities, &s->entity_words,
                                              &s->box_sides, &s->box_shares};
    return all[i];
}

void gm_stats_init(struct gm_stats *s)
{
    *s = (struct gm_stats){0};
    gm_labels_init(&s->types, MAX_TYPES);
    gm_labels_init(&s->fine_types, MAX_TYPES);
    gm_buf_init(&s->by_type, MAX_TYPES * sizeof(struct gm_type_stats));
    gm_buf_init(&s->by_fine_type, MAX_TYPES * sizeof(struct gm_type_stats));
    for (size_t i = 0; i < N_SPREADS; i++)
        gm_buf_init(&spread_at(s, i)->values, SIZE_MAX / 2);
}

void gm_stats_clear(struct gm_stats *s)
{
    gm_labels_clear(&s->types);
    gm_labels_clear(&s->fine_types);
    gm_buf_clear(&s->by_type);
    gm_buf_clear(&s->by_fine_type);
    for (size_t i = 0; i < N_SPREADS; i++)
        gm_buf_clear(&spread_at(s, i)->values);
}

static enum gm_status add_value(struct gm_spread *s, double x, struct gm_error *err)
{
    float f = (float)x;
    return gm_buf_add(&s->values, &f, sizeof f, err);
}

/* Words as a tagger sees them: those of bytes [start, end) that the post came with, or those of raw text. */
static enum gm_status add_words(struct gm_spread *s, const struct gm_post *p, struct gm_str text,
                                size_t start, size_t end, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_word *words;
    size_t n = 0;
    gm_arena_init(&a, 0);
    if (p->has_tokens)
        n = gm_post_words_before(p, end) - gm_post_words_before(p, start);
    else
        st = gm_segment(text, GM_CUT_CHARACTERS, &a, &words, &n, err);
    gm_arena_clear(&a);
    return st == GM_OK ? add_value(s, (double)n, err) : st;
}

static enum gm_status add_type(struct gm_labels *types, struct gm_buf *by, struct gm_str type,
                               bool grounded, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_type_stats none = {0};
    uint32_t i;
    GM_TRY(gm_labels_add(types, type, &i, err));
    if (i * sizeof none == by->n)
        GM_TRY(gm_buf_add(by, &none, sizeof none, err));
    struct gm_type_stats *t = (struct gm_type_stats *)(void *)by->p + i;
    t->n++;
    t->n_grounded += grounded;
done:
    return st;
}

static enum gm_status add_box(struct gm_stats *s, const struct gm_post *p,
                              const struct gm_region *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double w = fmax(0, r->box[2] - r->box[0]);
    double h = fmax(0, r->box[3] - r->box[1]);
    double area = p->image_w         ? (double)p->image_w * p->image_h
                  : r->mask.counts.n ? (double)r->mask.w * r->mask.h
                                     : 0;
    s->n_boxes++;
    s->n_masks += r->mask.counts.n > 0;
    s->n_sized += area > 0;
    GM_TRY(add_value(&s->box_sides, sqrt(w * h), err));
    if (area > 0)
        GM_TRY(add_value(&s->box_shares, sqrt(w * h / area), err));
done:
    return st;
}

static enum gm_status add_entity(struct gm_stats *s, const struct gm_post *p,
                                 const struct gm_entity *e, struct gm_offset *at,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool grounded = e->n_regions > 0;
    s->n_entities++;
    s->n_grounded += grounded;
    GM_TRY(add_type(&s->types, &s->by_type, e->type, grounded, err));
    if (e->fine_type.n)
        GM_TRY(add_type(&s->fine_types, &s->by_fine_type, e->fine_type, grounded, err));
    (void)gm_offset_to_cp(at, e->start);
    size_t start = at->byte;
    (void)gm_offset_to_cp(at, e->end);
    GM_TRY(add_words(&s->entity_words, p, e->text, start, at->byte, err));
    for (size_t i = 0; i < e->n_regions; i++)
        GM_TRY(add_box(s, p, &e->regions[i], err));
done:
    return st;
}

enum gm_status gm_stats_add(struct gm_stats *s, const struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_offset at;
    gm_offset_init(&at, p->text);
    s->n_posts++;
    s->n_with_image += p->image.n > 0;
    s->n_with_caption += p->caption.n > 0;
    s->n_with_entities += p->n_entities > 0;
    GM_TRY(add_words(&s->words, p, p->text, 0, p->text.n, err));
    GM_TRY(add_value(&s->entities, (double)p->n_entities, err));
    for (size_t i = 0; i < p->n_entities; i++)
        GM_TRY(add_entity(s, p, &p->entities[i], &at, err));
done:
    return st;
}

static const float *values(const struct gm_spread *s) { return (const void *)s->values.p; }

size_t gm_spread_count(const struct gm_spread *s) { return s->values.n / sizeof(float); }

double gm_spread_mean(const struct gm_spread *s)
{
    double sum = 0;
    size_t n = gm_spread_count(s);
    for (size_t i = 0; i < n; i++)
        sum += (double)values(s)[i];
    return n ? sum / (double)n : 0;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

double gm_spread_quantile(struct gm_spread *s, double q)
{
    size_t n = gm_spread_count(s);
    if (n == 0)
        return 0;
    qsort(s->values.p, n, sizeof(float), by_value);
    size_t rank = (size_t)ceil(q * (double)n);
    return (double)values(s)[rank ? rank - 1 : 0];
}

void gm_spread_histogram(const struct gm_spread *s, double width, size_t *counts, size_t n)
{
    memset(counts, 0, n * sizeof *counts);
    for (size_t i = 0; i < gm_spread_count(s); i++) {
        double bin = floor((double)values(s)[i] / width);
        counts[bin < 0 ? 0 : bin >= (double)n ? n - 1 : (size_t)bin]++;
    }
}

struct gm_type_stats gm_stats_type(const struct gm_stats *s, uint32_t i)
{
    return ((const struct gm_type_stats *)(const void *)s->by_type.p)[i];
}

static double share(size_t part, size_t all) { return all ? (double)part / (double)all : 0; }

static enum gm_status put_types(const struct gm_labels *types, const struct gm_buf *by, bool json,
                                struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_type_stats *t = (const void *)by->p;
    for (uint32_t i = 0; i < types->n; i++) {
        struct gm_str name = gm_labels_at(types, i);
        if (!json) {
            GM_TRY(gm_buf_printf(out, err, "  %-24.*s %9zu %9zu   %5.1f %%\n", GM_STR_ARG(name),
                                 t[i].n, t[i].n_grounded, 100 * share(t[i].n_grounded, t[i].n)));
            continue;
        }
        GM_TRY(gm_buf_add_c(out, i ? ", " : "", err));
        GM_TRY(gm_json_write_str(name, out, err));
        GM_TRY(gm_buf_printf(out, err, ": {\"entities\": %zu, \"grounded\": %zu}", t[i].n,
                             t[i].n_grounded));
    }
done:
    return st;
}

static enum gm_status put_spread(struct gm_spread *s, const char *name, bool json,
                                 struct gm_buf *out, struct gm_error *err)
{
    if (json)
        return gm_buf_printf(out, err,
                             ", \"%s\": {\"n\": %zu, \"mean\": %.6g, \"min\": %.6g, "
                             "\"median\": %.6g, \"p95\": %.6g, \"max\": %.6g}",
                             name, gm_spread_count(s), gm_spread_mean(s), gm_spread_quantile(s, 0),
                             gm_spread_quantile(s, 0.5), gm_spread_quantile(s, 0.95),
                             gm_spread_quantile(s, 1));
    if (gm_spread_count(s) == 0)
        return GM_OK;
    return gm_buf_printf(out, err, "  %-24s %9.4g %9.4g %9.4g %9.4g %9.4g\n", name,
                         gm_spread_mean(s), gm_spread_quantile(s, 0), gm_spread_quantile(s, 0.5),
                         gm_spread_quantile(s, 0.95), gm_spread_quantile(s, 1));
}

static enum gm_status put_spreads(struct gm_stats *s, bool json, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(put_spread(&s->words, json ? "words_per_post" : "words a post", json, out, err));
    GM_TRY(
        put_spread(&s->entities, json ? "entities_per_post" : "entities a post", json, out, err));
    GM_TRY(put_spread(&s->entity_words, json ? "words_per_entity" : "words an entity", json, out,
                      err));
    GM_TRY(put_spread(&s->box_sides, json ? "box_side_px" : "box side, pixels", json, out, err));
    GM_TRY(put_spread(&s->box_shares, json ? "box_side_share" : "box side, of the image", json, out,
                      err));
done:
    return st;
}

enum gm_status gm_stats_table(struct gm_stats *s, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err,
                         "posts %zu   with entities %zu   with an image path %zu   with a "
                         "caption %zu\n\n",
                         s->n_posts, s->n_with_entities, s->n_with_image, s->n_with_caption));
    GM_TRY(
        gm_buf_printf(out, err, "  %-24s %9s %9s   %s\n", "type", "entities", "in image", "share"));
    GM_TRY(put_types(&s->types, &s->by_type, false, out, err));
    GM_TRY(gm_buf_printf(out, err, "  %-24s %9zu %9zu   %5.1f %%\n", "all", s->n_entities,
                         s->n_grounded, 100 * share(s->n_grounded, s->n_entities)));
    if (s->fine_types.n)
        GM_TRY(gm_buf_printf(out, err, "\n  %-24s %9s %9s   %s\n", "fine type", "entities",
                             "in image", "share"));
    GM_TRY(put_types(&s->fine_types, &s->by_fine_type, false, out, err));
    GM_TRY(gm_buf_printf(out, err, "\nboxes %zu   masks %zu\n\n  %-24s %9s %9s %9s %9s %9s\n",
                         s->n_boxes, s->n_masks, "", "mean", "least", "median", "95 %", "most"));
    GM_TRY(put_spreads(s, false, out, err));
done:
    return st;
}

enum gm_status gm_stats_json(struct gm_stats *s, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err,
                         "{\"posts\": %zu, \"posts_with_entities\": %zu, "
                         "\"posts_with_image\": %zu, \"entities\": %zu, \"grounded\": %zu, "
                         "\"boxes\": %zu, \"masks\": %zu, \"types\": {",
                         s->n_posts, s->n_with_entities, s->n_with_image, s->n_entities,
                         s->n_grounded, s->n_boxes, s->n_masks));
    GM_TRY(put_types(&s->types, &s->by_type, true, out, err));
    GM_TRY(gm_buf_add_c(out, "}, \"fine_types\": {", err));
    GM_TRY(put_types(&s->fine_types, &s->by_fine_type, true, out, err));
    GM_TRY(gm_buf_add_c(out, "}", err));
    GM_TRY(put_spreads(s, true, out, err));
    GM_TRY(gm_buf_add_c(out, "}\n", err));
done:
    return st;
}
