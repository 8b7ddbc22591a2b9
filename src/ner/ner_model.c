/* ner_model.c - the tagger's parameters beside the encoder's: head W [k][H], b [k], transitions
 * [k][k], starts and ends [k], and the head of fine types. What the labels are: ner_labels.c. */
#include "ner/ner_model.h"

#include "base/alloc.h"
#include "model/features.h"
#include "ner/softmax_head.h"

#include <math.h>

/* Types and scheme from gmner.json. */
static enum gm_status labels_read(struct gm_ner_labels *l, const struct gm_net *net,
                                  struct gm_error *err)
{
    const struct gm_json *types = gm_json_get(net->settings, "types");
    struct gm_str s = {0}, scheme = {0};
    size_t n = gm_json_count(types);
    gm_labels_init(&l->types, GM_NER_MAX_TYPES);
    gm_arena_init(&l->arena, 0);
    if (!gm_json_str(gm_json_get(net->settings, "scheme"), &scheme) || n == 0)
        return GM_FAIL(err, GM_EMODEL, "%s/gmner.json: \"types\" or \"scheme\" is missing",
                       net->dir);
    if (!gm_str_eq_c(scheme, "bio") && !gm_str_eq_c(scheme, "bioes"))
        return GM_FAIL(err, GM_EMODEL, "%s/gmner.json: \"scheme\" must be bio or bioes", net->dir);
    l->scheme = gm_str_eq_c(scheme, "bioes") ? GM_TAGS_BIOES : GM_TAGS_BIO;
    for (size_t i = 0; i < n; i++) {
        uint32_t id;
        if (!gm_json_str(gm_json_at(types, i), &s))
            return GM_FAIL(err, GM_EMODEL, "%s/gmner.json: \"types\" must be a list of names",
                           net->dir);
        enum gm_status st = gm_labels_add(&l->types, s, &id, err);
        if (st != GM_OK)
            return st;
    }
    return GM_OK;
}

/* What a word's state is made of must be what the training asks for. */
static enum gm_status check_shape(const struct gm_net *net, const struct gm_ner_open *o,
                                  struct gm_error *err)
{
    if (net->first_piece != o->first_piece)
        return GM_FAIL(
            err, GM_EMODEL,
            "%s: a tagger that was trained with pooling: %s; set that in the settings, or start "
            "from a plain encoder",
            net->dir, net->first_piece ? "first" : "mean");
    if (net->enc.has_extra == o->no_case)
        return GM_FAIL(
            err, GM_EMODEL,
            "%s: a tagger that was trained with case: %s; set that in the settings, or start "
            "from a plain encoder",
            net->dir, net->enc.has_extra ? "true" : "false");
    return GM_OK;
}

static const char who[] = "a trained tagger", remedy[] = "; start from a plain encoder";

static void swap(struct gm_labels *a, struct gm_labels *b)
{
    struct gm_labels c = *a;
    *a = *b;
    *b = c;
}

/* Training may go on from a trained tagger only where its head means the same labels, whose order is the head's. */
static enum gm_status check_labels(struct gm_tagger *t, const struct gm_ner_open *o,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_ner_labels have = {0};
    GM_TRY(check_shape(&t->net, o, err));
    GM_TRY(labels_read(&have, &t->net, err));
    GM_TRY(gm_ner_check_scheme(&have, &t->labels, t->net.dir, who, err));
    GM_TRY(
        gm_ner_check_names(&have.types, &t->labels.types, "types", t->net.dir, who, remedy, err));
    swap(&have.types, &t->labels.types);
done:
    gm_ner_labels_clear(&have);
    return st;
}

/* The same for fine types; helpers are not in the directory. */
static enum gm_status check_fine(struct gm_tagger *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_fine_types have;
    gm_fine_types_init(&have);
    if (t->fine_types.helper)
        goto done;
    GM_TRY(gm_fine_types_read(&have, gm_json_get(t->net.settings, "fine_types"), t->net.dir, err));
    GM_TRY(gm_ner_check_names(&have.pairs, &t->fine_types.pairs, "fine types", t->net.dir, who,
                              remedy, err));
    swap(&have.pairs, &t->fine_types.pairs);
done:
    gm_fine_types_clear(&have);
    return st;
}

static enum gm_status add_head(struct gm_tagger *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_params *ps = &t->net.params;
    size_t k = t->labels.k, rows = t->softmax ? t->n_rows : k, h = t->net.enc.config.hidden;
    GM_TRY(gm_params_add(ps, &t->head_w, GM_VECTOR, rows, h, err, "classifier.weight"));
    GM_TRY(gm_params_add(ps, &t->head_b, GM_VECTOR, rows, 0, err, "classifier.bias"));
    if (!t->softmax) /* whose transitions weigh nothing */
        GM_TRY(gm_params_add(ps, &t->trans, GM_VECTOR, k, k, err, "crf.transitions"));
    GM_TRY(gm_params_add(ps, &t->start, GM_VECTOR, k, 0, err, "crf.start_transitions"));
    GM_TRY(gm_params_add(ps, &t->end, GM_VECTOR, k, 0, err, "crf.end_transitions"));
    ps->p[t->head_w].group = ps->p[t->head_b].group = 1;
    ps->p[t->start].group = ps->p[t->end].group = 2;
    if (!t->softmax)
        ps->p[t->trans].group = 2;
    if (t->net.enc.has_extra)
        ps->p[t->net.enc.extra].group = 1;
    ps->p[t->head_w].decay = true;
done:
    return st;
}

/* The head of the fine types, when there are any. */
static enum gm_status add_fine(struct gm_tagger *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_params *ps = &t->net.params;
    size_t k = gm_fine_types_k(&t->fine_types);
    if (t->fine_types.pairs.n == 0)
        return GM_OK;
    GM_TRY(gm_params_add(ps, &t->fine_types.w, GM_VECTOR, k, t->net.enc.config.hidden, err,
                         "fine.weight"));
    GM_TRY(gm_params_add(ps, &t->fine_types.b, GM_VECTOR, k, 0, err, "fine.bias"));
    ps->p[t->fine_types.w].group = ps->p[t->fine_types.b].group = 1;
    ps->p[t->fine_types.w].helper = ps->p[t->fine_types.b].helper = t->fine_types.helper;
    ps->p[t->fine_types.w].decay = true;
done:
    return st;
}

static enum gm_status init_fine(struct gm_tagger *t, struct gm_error *err)
{
    struct gm_rng rng;
    if (t->fine_types.pairs.n == 0)
        return GM_OK;
    gm_rng_init(&rng, gm_hash64(GM_HEAD_SEED));
    enum gm_status st = gm_params_init_normal(&t->net.params, t->fine_types.w, 0.02, &rng, err);
    return st == GM_OK ? gm_params_init_const(&t->net.params, t->fine_types.b, 0, err) : st;
}

/* New values for what a plain encoder does not have. */
static enum gm_status init_head(struct gm_tagger *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_params *ps = &t->net.params;
    struct gm_rng rng;
    gm_rng_init(&rng, GM_HEAD_SEED);
    if (t->net.enc.has_extra)
        GM_TRY(gm_params_init_normal(ps, t->net.enc.extra, 0.02, &rng, err));
    GM_TRY(gm_params_init_normal(ps, t->head_w, 0.02, &rng, err));
    GM_TRY(gm_params_init_const(ps, t->head_b, 0, err));
    GM_TRY(gm_params_init_const(ps, t->trans, 0, err));
    GM_TRY(gm_params_init_const(ps, t->start, 0, err));
    st = gm_params_init_const(ps, t->end, 0, err);
done:
    return st;
}

/* All values: from the directory, and new ones for what it does not have. */
static enum gm_status bind_all(struct gm_tagger *t, bool softmax, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool is_ours = t->net.settings && !softmax;
    if (is_ours) {
        GM_TRY(add_head(t, err));
        if (!t->fine_types.helper)
            GM_TRY(add_fine(t, err));
    }
    GM_TRY(gm_net_bind(&t->net, err));
    if (softmax) {
        GM_TRY(add_head(t, err));
        return gm_softmax_head_bind(t, err);
    }
    if (!is_ours) { /* whatever head a plain encoder comes with is not ours */
        gm_net_say_head(&t->net);
        GM_TRY(add_head(t, err));
        GM_TRY(init_head(t, err));
    }
    if (t->fine_types.helper || !is_ours)
        GM_TRY(add_fine(t, err));
    if (t->fine_types.helper || !is_ours)
        GM_TRY(init_fine(t, err));
done:
    return st;
}

enum gm_status gm_ner_open(struct gm_tagger **out, const struct gm_ner_open *o,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_net_opts net = {.task = "ner",
                              .precision = o->precision,
                              .training = o->tuning != NULL,
                              .tuning = o->tuning,
                              .first_piece = o->first_piece,
                              .extra_rows = o->no_case ? 0 : GM_N_CASES,
                              .extra_name = "case_embeddings.weight"};
    *out = NULL;
    struct gm_tagger *t = gm_alloc(1, sizeof *t);
    if (!t) {
        if (o->labels)
            gm_ner_labels_clear(o->labels);
        if (o->fine_types)
            gm_fine_types_clear(o->fine_types);
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    if (o->labels)
        t->labels = *o->labels;
    if (o->fine_types)
        t->fine_types = *o->fine_types;
    else
        gm_fine_types_init(&t->fine_types);
    GM_TRY(gm_net_open(&t->net, o->dir, &net, err));
    bool softmax = !o->labels && gm_net_is_theirs(t->net.settings);
    GM_TRY(gm_calibration_read(&t->calibration, gm_json_get(t->net.settings, "calibration"),
                               t->net.dir, err));
    (void)gm_json_bool(gm_json_get(t->net.settings, "knowledge"), &t->knowledge);
    (void)gm_json_bool(gm_json_get(t->net.settings, "name_parts"), &t->net.name_parts);
    if (softmax)
        GM_TRY(gm_softmax_head_labels(t, err));
    else if (!o->labels)
        GM_TRY(labels_read(&t->labels, &t->net, err));
    else if (t->net.settings)
        GM_TRY(check_labels(t, o, err));
    if (!o->fine_types)
        GM_TRY(gm_fine_types_read(&t->fine_types, gm_json_get(t->net.settings, "fine_types"),
                                  t->net.dir, err));
    else if (t->net.settings)
        GM_TRY(check_fine(t, err));
    if (!softmax)
        GM_TRY(gm_ner_labels_build(&t->labels, err));
    GM_TRY(bind_all(t, softmax, err));
    if (o->tuning)
        GM_TRY(gm_net_tune(&t->net, o->tuning, err));
    GM_TRY(gm_net_ready(&t->net, &net, err));
    *out = t;
    t = NULL;
done:
    gm_tagger_free(t);
    return st;
}

void gm_tagger_set_policy(struct gm_tagger *t, bool tweets) { t->tweets = tweets; }

void gm_tagger_set_min_score(struct gm_tagger *t, double min) { t->min_score = min; }

void gm_tagger_set_cut(struct gm_tagger *t, enum gm_word_cut cut)
{
    t->net.cut = cut;
    for (size_t i = 0; i < t->n_others; i++)
        t->others[i].t->net.cut = cut;
}

void gm_tagger_free(struct gm_tagger *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_others; i++) {
        gm_tagger_free(t->others[i].t);
        gm_free(t->others[i].map);
    }
    gm_free(t->others);
    gm_free(t->mean_trans);
    gm_free(t->mean_start);
    gm_free(t->mean_end);
    gm_net_clear(&t->net);
    gm_ner_labels_clear(&t->labels);
    gm_fine_types_clear(&t->fine_types);
    gm_free(t);
}

enum gm_status gm_tagger_session_new(struct gm_tagger_session **out, const struct gm_tagger *t,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_tagger_session *s = gm_alloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    s->t = t;
    GM_TRY(gm_net_session_init(&s->net, &t->net, err));
    s->others = gm_alloc(t->n_others, sizeof *s->others);
    GM_TRY(s->others ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < t->n_others; i++)
        GM_TRY(gm_tagger_session_new(&s->others[i], t->others[i].t, err));
    *out = s;
    s = NULL;
done:
    gm_tagger_session_free(s);
    return st;
}

void gm_tagger_session_free(struct gm_tagger_session *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->others && i < s->t->n_others; i++)
        gm_tagger_session_free(s->others[i]);
    gm_free(s->others);
    gm_net_session_clear(&s->net);
    gm_free(s);
}

enum gm_status gm_ner_save(const struct gm_tagger *t, const char *dir,
                           const struct gm_json *training, struct gm_error *err)
{
    const struct gm_ner_labels *l = &t->labels;
    struct gm_json *s = gm_json_new_object(), *types = gm_json_new_array();
    bool ok = s && types;
    for (size_t i = 0; ok && i < l->types.n; i++)
        ok = gm_json_add(types, gm_json_new_str(gm_labels_at(&l->types, (uint32_t)i)));
    if (ok) {
        ok = gm_json_set(s, "format", gm_json_new_int(1)) &&
             gm_json_set(s, "task", gm_json_new_str(GM_STR("ner"))) &&
             gm_json_set(
                 s, "scheme",
                 gm_json_new_str(l->scheme == GM_TAGS_BIOES ? GM_STR("bioes") : GM_STR("bio"))) &&
             gm_json_set(s, "knowledge", gm_json_new_bool(t->knowledge)) &&
             gm_json_set(s, "name_parts", gm_json_new_bool(t->net.name_parts)) &&
             gm_json_set(s, "training", gm_json_ref(training));
        ok = gm_json_set(s, "types", types) && ok;
        types = NULL;
    }
    if (ok && t->net.first_piece) /* what is usual is not said */
        ok = gm_json_set(s, "pooling", gm_json_new_str(GM_STR("first")));
    if (ok && !t->net.enc.has_extra)
        ok = gm_json_set(s, "case", gm_json_new_bool(false));
    if (ok && t->fine_types.pairs.n && !t->fine_types.helper)
        ok = gm_json_set(s, "fine_types", gm_fine_types_json(&t->fine_types));
    enum gm_status st =
        ok ? gm_net_save(&t->net, dir, s, true, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_json_free(types);
    gm_json_free(s);
    return st;
}

struct gm_crf gm_ner_crf(const struct gm_tagger *t)
{
    const struct gm_param *p = t->net.params.p;
    bool pooled = t->n_others > 0;
    const float *trans = t->softmax ? NULL : p[t->trans].w;
    return (struct gm_crf){.k = t->labels.k,
                           .trans = pooled ? t->mean_trans : trans,
                           .moves = t->softmax ? &t->labels.moves : NULL,
                           .start = pooled ? t->mean_start : p[t->start].w,
                           .end = pooled ? t->mean_end : p[t->end].w,
                           .allowed = t->labels.allowed,
                           .allowed_start = t->labels.allowed_start,
                           .allowed_end = t->labels.allowed_end};
}

struct gm_crf gm_ner_lattice_crf(const struct gm_tagger *t)
{
    struct gm_crf crf = gm_ner_crf(t);
    if (t->softmax && !t->labels.runs) { /* of runs each sequence of classes is one allowed path */
        crf.allowed = crf.allowed_start = crf.allowed_end = NULL;
        crf.moves = &t->labels.any_move;
    }
    return crf;
}
