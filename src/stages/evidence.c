#include "stages/evidence.h"

#include "stages/label_affinity.h"
#include "stages/lettering.h"
#include "text/segment.h"

#include <math.h>
#include <string.h>
#include <strings.h>

enum {
    X_ENCODER,
    X_MODEL,
    X_PERSON,
    X_PERSON_SCORE,
    X_PERSON_SHARE,
    X_PERSONS,
    X_THING,
    X_BESIDE_PERSON,
    X_READER,
    X_TITLE,
    X_ORGANISATION,
    X_PLACE,
    X_THING_TYPE,
    X_HASHTAG,
    X_FIRST
};

const struct gm_evidence_x gm_evidence_x[GM_EVIDENCE_X] = {
    [X_ENCODER] = {"encoder", GM_EVIDENCE_ENCODER},
    [X_MODEL] = {"model", GM_EVIDENCE_MODEL},
    [X_PERSON] = {"person", GM_EVIDENCE_DETECTOR},
    [X_PERSON_SCORE] = {"person_score", GM_EVIDENCE_DETECTOR},
    [X_PERSON_SHARE] = {"person_share", GM_EVIDENCE_DETECTOR},
    [X_PERSONS] = {"persons", GM_EVIDENCE_DETECTOR},
    [X_THING] = {"thing", GM_EVIDENCE_DETECTOR},
    [X_BESIDE_PERSON] = {"beside_person", GM_EVIDENCE_DETECTOR},
    [X_READER] = {"reader", GM_EVIDENCE_READER},
    [X_TITLE] = {"title", GM_EVIDENCE_READER},
    [X_ORGANISATION] = {"organisation", GM_EVIDENCE_MENTION},
    [X_PLACE] = {"place", GM_EVIDENCE_MENTION},
    [X_THING_TYPE] = {"thing_type", GM_EVIDENCE_MENTION},
    [X_HASHTAG] = {"hashtag", GM_EVIDENCE_MENTION},
    [X_FIRST] = {"first", GM_EVIDENCE_MENTION},
};
const char *const gm_evidence_source_names[GM_EVIDENCE_SOURCES] = {"encoder", "model", "detector",
                                                                   "reader", "mention"};

double gm_evidence_logit(double p)
{
    const double off = 1e-3;
    p = fmin(fmax(p, off), 1 - off);
    return log(p / (1 - p));
}

/* ---- the detector ---- */

static double area(const struct gm_object *o)
{
    double w = o->box[2] - o->box[0], h = o->box[3] - o->box[1];
    return w > 0 && h > 0 ? w * h : 0;
}

/* The best person is the most prominent one, as in the stage ground: score x square root of the area. */
static void look_for_person(const struct gm_post *p, double x[GM_EVIDENCE_X])
{
    const struct gm_object *best = NULL;
    double best_value = -1, all = 0;
    size_t n = 0;
    for (size_t i = 0; i < p->n_objects; i++) {
        const struct gm_object *o = &p->objects[i];
        double value = (double)o->score * sqrt(area(o));
        all += area(o);
        if (!gm_str_eq_c(o->label, "person"))
            continue;
        n++;
        if (value > best_value) {
            best_value = value;
            best = o;
        }
    }
    x[X_PERSON] = 1;
    x[X_PERSON_SCORE] = gm_evidence_logit(best ? (double)best->score : 0.05);
    x[X_PERSON_SHARE] = best && all > 0 ? area(best) / all : 0;
    x[X_PERSONS] = log1p((double)n);
}

static void look_for_thing(const struct gm_post *p, const struct gm_entity *e,
                           double x[GM_EVIDENCE_X])
{
    const double score_min = 0.4; /* of a person who counts, as in the stage ground */
    for (size_t i = 0; i < p->n_objects; i++) {
        const struct gm_object *o = &p->objects[i];
        x[X_THING] = fmax(x[X_THING], (double)o->score * (double)gm_label_affinity(o->label, e));
        if (gm_str_eq_c(o->label, "person") && (double)o->score >= score_min &&
            gm_entity_kind(e) == GM_KIND_THING)
            x[X_BESIDE_PERSON] = 1;
    }
}

/* ---- the reader ---- */

static bool has_word(struct gm_str s, struct gm_str word)
{
    size_t at = 0;
    for (struct gm_str w = gm_next_word(s, &at); w.n; w = gm_next_word(s, &at))
        if (w.n == word.n && strncasecmp(w.p, word.p, w.n) == 0)
            return true;
    return false;
}

/* What stands between the next quotation marks of the rest of s, and what is behind it. */
static bool next_quote(struct gm_str *s, struct gm_str *quote)
{
    static const char *const marks[][2] = {{"\"", "\""}, {"\xe2\x80\x9c", "\xe2\x80\x9d"}};
    size_t from = SIZE_MAX, to = SIZE_MAX, kind = 0;
    for (size_t k = 0; k < 2; k++) {
        size_t at = gm_str_find(*s, gm_str(marks[k][0]), 0);
        if (at < from) {
            from = at;
            kind = k;
        }
    }
    if (from == SIZE_MAX)
        return false;
    from += strlen(marks[kind][0]);
    to = gm_str_find(*s, gm_str(marks[kind][1]), from);
    if (to == SIZE_MAX)
        return false;
    *quote = gm_str_sub(*s, from, to);
    *s = gm_str_sub(*s, to + strlen(marks[kind][1]), s->n);
    return true;
}

static bool is_quoted(struct gm_str caption, struct gm_str word)
{
    struct gm_str quote;
    while (next_quote(&caption, &quote))
        if (has_word(quote, word))
            return true;
    return false;
}

/* is_mention: a sentence in the picture speaks of it. */
static bool read_name(const struct gm_post *p, const struct gm_entity *e, double *share,
                      bool *is_mention)
{
    *is_mention = false;
    struct gm_str rest = p->caption, quote;
    size_t at = 0, n = 0, n_read = 0;
    if (e->evidence.has[GM_WITNESS_READER]) {
        *share = e->evidence.by[GM_WITNESS_READER];
        return true;
    }
    if (p->has_texts) {
        struct gm_lettering l = gm_lettering_find(p, e->text);
        *share = l.share;
        *is_mention = l.is_mention;
        return true;
    }
    if (!next_quote(&rest, &quote))
        return false;
    for (struct gm_str w = gm_next_word(e->text, &at); w.n; w = gm_next_word(e->text, &at)) {
        n++;
        n_read += is_quoted(p->caption, w);
    }
    *share = n ? (double)n_read / (double)n : 0;
    return true;
}

/* ---- the mention ---- */

static void look_at_mention(struct gm_evidence_post *v, const struct gm_entity *e,
                            double x[GM_EVIDENCE_X])
{
    enum gm_entity_kind kind = gm_entity_kind(e);
    (void)gm_offset_to_cp(&v->at, e->start);
    x[X_ORGANISATION] = kind == GM_KIND_ORGANISATION;
    x[X_PLACE] = kind == GM_KIND_PLACE;
    x[X_THING_TYPE] = kind == GM_KIND_THING;
    x[X_HASHTAG] =
        (v->at.byte && v->at.text.p[v->at.byte - 1] == '#') || (e->text.n && e->text.p[0] == '#');
    x[X_FIRST] = e->start <= v->first;
}

void gm_evidence_begin(struct gm_evidence_post *v, const struct gm_post *p)
{
    *v = (struct gm_evidence_post){.post = p, .first = SIZE_MAX};
    gm_offset_init(&v->at, p->text);
    for (size_t i = 0; i < p->n_entities; i++)
        if (p->entities[i].start < v->first)
            v->first = p->entities[i].start;
}

unsigned gm_evidence_take(struct gm_evidence_post *v, const struct gm_entity *e,
                          double x[GM_EVIDENCE_X])
{
    const struct gm_evidence *said = &e->evidence;
    unsigned set = 0;
    bool is_mention;
    memset(x, 0, GM_EVIDENCE_X * sizeof *x);
    if (said->has[GM_WITNESS_ENCODER]) {
        x[X_ENCODER] = gm_evidence_logit(said->by[GM_WITNESS_ENCODER]);
        set |= GM_EVIDENCE_ENCODER;
    }
    if (said->has[GM_WITNESS_MODEL]) {
        x[X_MODEL] = gm_evidence_logit(said->by[GM_WITNESS_MODEL]);
        set |= GM_EVIDENCE_MODEL;
    }
    if (v->post->has_objects) {
        if (gm_is_person(e))
            look_for_person(v->post, x);
        else
            look_for_thing(v->post, e, x);
        set |= GM_EVIDENCE_DETECTOR;
    }
    if (read_name(v->post, e, &x[X_READER], &is_mention)) {
        x[X_TITLE] = gm_entity_kind(e) == GM_KIND_THING && !is_mention ? x[X_READER] : 0;
        set |= GM_EVIDENCE_READER;
    }
    if (set) {
        look_at_mention(v, e, x);
        set |= GM_EVIDENCE_MENTION;
    }
    return set;
}
