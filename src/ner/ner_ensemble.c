/* ner_ensemble.c - opening a tagger, which may be several that answer as one: a logarithmic opinion pool of CRFs
 * (Smith, Cohn, Osborne, ACL 2005). Of taggers m with the weights w_m, whose sum is 1, and the scores s_m of label
 * sequences y (nn/crf.h),
 *
 *   P(y) is proportional to the product over m of P_m(y)^w_m, or exp(sum over m of w_m s_m(y)),
 *
 * as the normalisers don't depend on y. So the pool is one more CRF: its transitions, made here, and its emissions
 * (ner_emit.c) are the weighted means of the members', which are about the same words and labels. All that is asked of
 * it afterwards, from the best path to marginals, is exact. Each member reads what it was trained to read, knowledge or
 * the text alone. Reference: test_pool_is_the_mean_of_the_scores in tests/e2e/test_ensemble.py. */
#include "base/alloc.h"
#include "model/members.h"
#include "ner/ner_model.h"

static enum gm_status check_member(const struct gm_tagger *t, const struct gm_tagger *other,
                                   struct gm_error *err)
{
    if (other->softmax)
        return GM_FAIL(err, GM_EMODEL, "%s: has no CRF, as the members of an ensemble have",
                       other->net.dir);
    if (t->labels.scheme == other->labels.scheme &&
        gm_labels_same(&t->labels.types, &other->labels.types))
        return GM_OK;
    return GM_FAIL(
        err, GM_EMODEL,
        "%s and %s: other types, or another scheme; the members of an ensemble have the same",
        t->net.dir, other->net.dir);
}

static enum gm_status open_other(struct gm_tagger *t, const char *dir, double weight,
                                 const char *precision, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_ner_other *o = &t->others[t->n_others];
    o->weight = (float)weight;
    GM_TRY(gm_ner_open(&o->t, &(struct gm_ner_open){.dir = dir, .precision = precision}, err));
    t->n_others++;
    o->t->net.cut = t->net.cut;
    GM_TRY(check_member(t, o->t, err));
    o->map = gm_alloc(t->labels.k, sizeof *o->map);
    GM_TRY(o->map ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    gm_ner_map_labels(&t->labels, &o->t->labels, o->map);
done:
    return st;
}

/* to [rows,k] and the members' rows of it, whose labels are numbered as theirs; rows is 1 or k. */
static void mean_of(const struct gm_tagger *t, size_t rows,
                    const float *(*get)(const struct gm_tagger *), float *to)
{
    size_t k = t->labels.k;
    const float *own = get(t);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < k; j++) {
            double sum = (double)t->weight * own[i * k + j];
            for (size_t m = 0; m < t->n_others; m++) {
                const struct gm_ner_other *o = &t->others[m];
                size_t row = rows == 1 ? 0 : o->map[i];
                sum += (double)o->weight * get(o->t)[row * k + o->map[j]];
            }
            to[i * k + j] = (float)sum;
        }
}

static const float *trans_of(const struct gm_tagger *t) { return t->net.params.p[t->trans].w; }
static const float *start_of(const struct gm_tagger *t) { return t->net.params.p[t->start].w; }
static const float *end_of(const struct gm_tagger *t) { return t->net.params.p[t->end].w; }

static enum gm_status pool_transitions(struct gm_tagger *t, struct gm_error *err)
{
    size_t k = t->labels.k;
    t->mean_trans = gm_alloc(k * k, sizeof *t->mean_trans);
    t->mean_start = gm_alloc(k, sizeof *t->mean_start);
    t->mean_end = gm_alloc(k, sizeof *t->mean_end);
    if (!t->mean_trans || !t->mean_start || !t->mean_end)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    mean_of(t, k, trans_of, t->mean_trans);
    mean_of(t, 1, start_of, t->mean_start);
    mean_of(t, 1, end_of, t->mean_end);
    return GM_OK;
}

/* *out is the first member, with the others and the ensemble's calibration in it. */
static enum gm_status open_all(struct gm_tagger **out, const struct gm_members *m,
                               const char *precision, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_tagger *t = NULL;
    *out = NULL;
    GM_TRY(gm_ner_open(&t, &(struct gm_ner_open){.dir = m->dirs[0], .precision = precision}, err));
    GM_TRY(check_member(t, t, err));
    GM_TRY(
        gm_calibration_read(&t->calibration, gm_json_get(m->settings, "calibration"), m->dir, err));
    t->others = gm_alloc(m->n - 1, sizeof *t->others);
    GM_TRY(t->others ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    t->weight = (float)m->weights[0];
    for (size_t i = 1; i < m->n; i++)
        GM_TRY(open_other(t, m->dirs[i], m->weights[i], precision, err));
    GM_TRY(pool_transitions(t, err));
    *out = t;
    t = NULL;
done:
    gm_tagger_free(t);
    return st;
}

enum gm_status gm_tagger_load(struct gm_tagger **out, const char *dir,
                              const struct gm_tagger_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_members members;
    const char *precision = opts ? opts->precision : NULL;
    *out = NULL;
    GM_TRY(gm_members_open(&members, dir, err));
    if (members.n)
        GM_TRY(open_all(out, &members, precision, err));
    else
        GM_TRY(gm_ner_open(out, &(struct gm_ner_open){.dir = dir, .precision = precision}, err));
    if (opts)
        (*out)->candidates_min = opts->candidates_min;
done:
    gm_members_clear(&members);
    return st;
}
