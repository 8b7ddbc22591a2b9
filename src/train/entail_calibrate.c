/* entail_calibrate.c - fitting the entailment classifier's calibration on annotated posts: the pairs (probability of
 * yes, whether the annotation has a box) go to calibration_fit.c, which has the formula; once without captions, and
 * once with, as far as posts have them, as a caption makes answers surer. */
#include "train/train.h"

#include "base/alloc.h"
#include "base/log.h"
#include "model/settings.h"
#include "train/calibration_report.h"
#include "train/entail_questions.h"

/* Judged are the questions of even posts, then those of odd ones. */
static enum gm_status report(struct gm_calibration_report *out, const struct gm_questions *q,
                             const double *p, bool with_caption, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf halves[2];
    gm_buf_init(&halves[0], SIZE_MAX - 1);
    gm_buf_init(&halves[1], SIZE_MAX - 1);
    for (size_t i = 0; i < q->n; i++) {
        const struct gm_question *x = &q->items[i];
        struct gm_judged j = {p[i], x->visible};
        if (!with_caption || x->in.caption.n_words)
            GM_TRY(gm_buf_add(&halves[x->post % 2], &j, sizeof j, err));
    }
    st = gm_calibration_report(out, halves, err);
done:
    gm_buf_clear(&halves[0]);
    gm_buf_clear(&halves[1]);
    return st;
}

static enum gm_status fit(struct gm_json *to, const char *dir, const struct gm_questions *q,
                          struct gm_entail_session *s, bool with_caption, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_calibration_report r;
    double *p = gm_alloc(q->n, sizeof *p);
    GM_TRY(p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_questions_answer(q, s, with_caption, p, err));
    GM_TRY(report(&r, q, p, with_caption, err));
    if (!gm_json_set(to, with_caption ? "captions" : "text", gm_calibration_json(&r)))
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_LOG(
        GM_LOG_INFO, "entail",
        "calibrated %s on %zu entities %s captions, %zu visible: expected calibration error %.4f, before "
        "%.4f; each half fitted on the other: %.4f, accuracy %.4f, before %.4f",
        dir, r.n, with_caption ? "with" : "without", r.n_right, r.ece, r.ece_before, r.ece_cross,
        r.accuracy_cross, r.accuracy_before);
done:
    gm_free(p);
    return st;
}

/* gmner.json with the calibration in it, everything else as it was: that of answers with captions, too, where these
 * posts have none. */
static enum gm_status store(const char *dir, struct gm_json *calibration, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *settings = NULL;
    GM_TRY(gm_model_settings_load(&settings, dir, err));
    const struct gm_json *with = gm_json_get(gm_json_get(settings, "calibration"), "captions");
    bool keeps = with && !gm_json_get(calibration, "captions");
    if (keeps)
        GM_LOG(
            GM_LOG_WARN, "entail",
            "these posts have no captions: the calibration of answers with captions stays as it was");
    if ((keeps && !gm_json_set(calibration, "captions", gm_json_ref(with))) ||
        !gm_json_set(settings, "calibration", gm_json_ref(calibration)))
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    else
        st = gm_model_settings_save(settings, dir, err);
done:
    gm_json_free(settings);
    return st;
}

enum gm_status gm_entail_calibrate(const char *dir, const char *posts, const char *xml,
                                   const char *captions, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_questions q;
    struct gm_entail *e = NULL;
    struct gm_entail_session *s = NULL;
    struct gm_json *j = gm_json_new_object();
    gm_questions_init(&q);
    GM_TRY(j ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_entail_load(&e, dir, NULL, err));
    GM_TRY(gm_entail_session_new(&s, e, err));
    GM_TRY(gm_questions_read(&q, e, posts, xml, captions, NULL, err));
    GM_TRY(fit(j, dir, &q, s, false, err));
    if (q.n_captions)
        GM_TRY(fit(j, dir, &q, s, true, err));
    st = store(dir, j, err);
done:
    gm_json_free(j);
    gm_entail_session_free(s);
    gm_entail_free(e);
    gm_questions_clear(&q);
    return st;
}
