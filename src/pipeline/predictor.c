/* The public C API (include/gmner/gmner.h) over the pipeline. */
#include "gmner/gmner.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "pipeline/pipeline.h"
#include "record/regions.h"

#include <stdint.h>
#include <stdio.h>

struct gm_predictor {
    struct gm_pipeline *pipeline;
    struct gm_buf valid, record;
};

/* The error's message for the caller, and its code as the result. */
static int result(enum gm_status st, const struct gm_error *e, char *message, size_t cap)
{
    if (cap)
        snprintf(message, cap, "%s", st == GM_OK ? "" : e->msg);
    return (int)st;
}

int gm_predictor_open(struct gm_predictor **out, const char *recipe, char *message, size_t cap)
{
    enum gm_status st = GM_OK;
    struct gm_error e = {0}, *err = &e;
    const struct gm_pipeline_opts opts = {.recipe = recipe};
    *out = NULL;
    struct gm_predictor *p = gm_alloc(1, sizeof *p);
    if (!p) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    gm_buf_init(&p->valid, SIZE_MAX - 1);
    gm_buf_init(&p->record, SIZE_MAX - 1);
    GM_TRY(gm_pipeline_open(&p->pipeline, &opts, err));
    *out = p;
    p = NULL;
done:
    gm_predictor_free(p);
    return result(st, &e, message, cap);
}

int gm_predictor_run(struct gm_predictor *p, const char *post, const char **record, char *message,
                     size_t cap)
{
    enum gm_status st = GM_OK;
    struct gm_error e = {0}, *err = &e;
    struct gm_json *j = NULL;
    struct gm_post one;
    *record = NULL;
    gm_post_init(&one);
    gm_buf_reset(&p->valid);
    gm_buf_reset(&p->record);
    GM_TRY(gm_utf8_repair(gm_str(post), &p->valid, err));
    GM_TRY(gm_json_parse_lenient(&j, gm_buf_str(&p->valid), err));
    GM_TRY(gm_post_from_json(&one, j, NULL, err)); /* takes j over */
    gm_post_settle_boxes(&one, NULL);
    GM_TRY(gm_pipeline_run(p->pipeline, &one, err));
    GM_TRY(gm_post_to_json(&one, &p->record, err));
    *record = p->record.p;
done:
    gm_post_clear(&one);
    return result(st, &e, message, cap);
}

void gm_predictor_free(struct gm_predictor *p)
{
    if (!p)
        return;
    gm_pipeline_free(p->pipeline);
    gm_buf_clear(&p->valid);
    gm_buf_clear(&p->record);
    gm_free(p);
}
