#include "cli/predict_out.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"

#include <unistd.h>

/* The longest record as JSON: a post of the reader's longest line, with everything found in it. */
#define RECORD_MAX ((size_t)1 << 30)

struct gm_predict_out {
    struct gm_out *lines;
    struct gm_buf record;
};

static void out_free(struct gm_predict_out *o)
{
    gm_buf_clear(&o->record);
    gm_free(o);
}

enum gm_status gm_predict_out_open(struct gm_predict_out **out, const char *output, const char *html,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    (void)html;
    struct gm_predict_out *o = gm_alloc(1, sizeof *o);
    if (!o)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_buf_init(&o->record, RECORD_MAX);
    GM_TRY(gm_out_open(&o->lines, output, err));
    *out = o;
    o = NULL;
done:
    gm_predict_out_abort(o);
    return st;
}

enum gm_status gm_predict_out_post(struct gm_predict_out *o, const struct gm_post *post,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    gm_buf_reset(&o->record);
    GM_TRY(gm_post_to_json(post, &o->record, err));
    GM_TRY(gm_buf_add_c(&o->record, "\n", err));
    GM_TRY(gm_out_write(o->lines, gm_buf_str(&o->record), err));
done:
    return st;
}

enum gm_status gm_predict_out_commit(struct gm_predict_out *o, struct gm_error *err)
{
    enum gm_status st = gm_out_commit(o->lines, err);
    out_free(o);
    return st;
}

void gm_predict_out_abort(struct gm_predict_out *o)
{
    if (!o)
        return;
    gm_out_abort(o->lines);
    out_free(o);
}
