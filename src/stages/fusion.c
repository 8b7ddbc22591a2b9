#include "stages/fusion.h"

#include <math.h>

static const char *const what = "setting \"fusion\"";

static enum gm_status read_sources(struct gm_str names, unsigned *set, struct gm_error *err)
{
    struct gm_str one, rest = names;
    *set = 0;
    while (rest.n) {
        size_t i = 0;
        gm_str_cut(rest, '+', &one, &rest);
        while (i < GM_EVIDENCE_SOURCES && !gm_str_eq_c(one, gm_evidence_source_names[i]))
            i++;
        if (i == GM_EVIDENCE_SOURCES)
            return GM_FAIL(err, GM_EARG,
                           "%s: there is no source \"%.*s\"; they are encoder, model, detector, "
                           "reader and mention, joined by +",
                           what, GM_STR_ARG(one));
        if (*set & 1U << i)
            return GM_FAIL(err, GM_EARG, "%s: \"%.*s\" names %.*s twice", what, GM_STR_ARG(names),
                           GM_STR_ARG(one));
        *set |= 1U << i;
    }
    return *set ? GM_OK : GM_FAIL(err, GM_EARG, "%s: weights of no source", what);
}

/* The place of a weight, NULL for one that the set does not have. */
static double *weight_of(struct gm_fusion_set *s, const char *name)
{
    struct gm_str n = gm_str(name);
    if (gm_str_eq_c(n, "bias"))
        return &s->bias;
    for (size_t i = 0; i < GM_EVIDENCE_X; i++)
        if ((gm_evidence_x[i].source & s->sources) && gm_str_eq_c(n, gm_evidence_x[i].name))
            return &s->w[i];
    return NULL;
}

static enum gm_status read_set(struct gm_fusion *f, const char *names, const struct gm_json *j,
                               struct gm_error *err)
{
    struct gm_fusion_set s = {.bias = 0};
    enum gm_status st = read_sources(gm_str(names), &s.sources, err);
    if (st != GM_OK)
        return st;
    for (size_t i = 0; i < f->n; i++)
        if (f->sets[i].sources == s.sources)
            return GM_FAIL(err, GM_EARG, "%s: \"%s\" is here twice", what, names);
    if (gm_json_kind(j) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EARG, "%s: \"%s\" must be a mapping of weights, but is %s", what,
                       names, gm_json_kind_name(gm_json_kind(j)));
    for (void *it = gm_json_first(j); it; it = gm_json_next(j, it)) {
        double *w = weight_of(&s, gm_json_key(it).p);
        if (!w)
            return GM_FAIL(err, GM_EARG, "%s: \"%s\" has no number \"%s\"", what, names,
                           gm_json_key(it).p);
        if (!gm_json_num(gm_json_value(it), w) || !(fabs(*w) <= 1e6))
            return GM_FAIL(err, GM_EARG, "%s: \"%s\" of \"%s\" must be a number of at most 1e6",
                           what, gm_json_key(it).p, names);
    }
    f->sets[f->n++] = s;
    return GM_OK;
}

enum gm_status gm_fusion_read(struct gm_fusion *f, const struct gm_json *settings,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *j = gm_json_get(settings, "fusion");
    *f = (struct gm_fusion){.n = 0};
    if (j && gm_json_kind(j) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EARG, "%s must be a mapping of sources, but is %s", what,
                       gm_json_kind_name(gm_json_kind(j)));
    for (void *it = gm_json_first(j); it && st == GM_OK; it = gm_json_next(j, it))
        st = read_set(f, gm_json_key(it).p, gm_json_value(it), err);
    return st;
}

static int count_bits(unsigned set)
{
    int n = 0;
    for (; set; set &= set - 1)
        n++;
    return n;
}

const struct gm_fusion_set *gm_fusion_find(const struct gm_fusion *f, unsigned sources)
{
    const struct gm_fusion_set *best = NULL;
    for (size_t i = 0; i < f->n; i++) {
        const struct gm_fusion_set *s = &f->sets[i];
        if ((s->sources & ~sources) == 0 &&
            (!best || count_bits(s->sources) > count_bits(best->sources)))
            best = s;
    }
    return best;
}

double gm_fusion_logit(const struct gm_fusion_set *s, const double x[GM_EVIDENCE_X])
{
    double z = s->bias;
    for (size_t i = 0; i < GM_EVIDENCE_X; i++)
        if (gm_evidence_x[i].source & s->sources)
            z += s->w[i] * x[i];
    return z;
}

void gm_fusion_apply(const struct gm_fusion *f, struct gm_post *p)
{
    struct gm_evidence_post v;
    double x[GM_EVIDENCE_X];
    gm_evidence_begin(&v, p);
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entity *e = &p->entities[i];
        const struct gm_fusion_set *s = gm_fusion_find(f, gm_evidence_take(&v, e, x));
        if (s)
            e->visible = 1 / (1 + exp(-gm_fusion_logit(s, x)));
    }
}
