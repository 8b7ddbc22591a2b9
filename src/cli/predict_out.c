#include "cli/predict_out.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/path.h"
#include "record/image_path.h"
#include "report/report.h"
#include "report/terminal.h"

#include <string.h>
#include <unistd.h>

/* The longest record as JSON: a post of the reader's longest line, with everything found in it. */
#define RECORD_MAX ((size_t)1 << 30)

struct gm_predict_out {
    struct gm_out *lines;
    struct gm_buf record;
    struct gm_arena arena;
    const char *dir;          /* folder of the output file; "." for standard output */
    struct gm_report *report; /* NULL = none */
    bool is_terminal;         /* show posts to a reader in place of JSON Lines */
    struct gm_terminal_opts style;
};

static void out_free(struct gm_predict_out *o)
{
    gm_buf_clear(&o->record);
    gm_arena_clear(&o->arena);
    gm_free(o);
}

enum gm_status gm_predict_out_open(struct gm_predict_out **out, const char *output,
                                   const char *html, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    struct gm_predict_out *o = gm_alloc(1, sizeof *o);
    if (!o)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_buf_init(&o->record, RECORD_MAX);
    gm_arena_init(&o->arena, 0);
    bool to_file = output && strcmp(output, "-") != 0;
    o->dir = to_file ? gm_path_dir(&o->arena, output) : ".";
    if (!o->dir) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(gm_out_open(&o->lines, output, err));
    o->is_terminal = !output && isatty(STDOUT_FILENO);
    o->style = gm_terminal_opts_detect(STDOUT_FILENO);
    if (html)
        GM_TRY(gm_report_open(&o->report, html, "gmner predict", err));
    *out = o;
    o = NULL;
done:
    gm_predict_out_abort(o);
    return st;
}

enum gm_status gm_predict_out_post(struct gm_predict_out *o, struct gm_post *post,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (o->report) /* first: it may have to open the image */
        GM_TRY(gm_report_add(o->report, post, 0, err));
    GM_TRY(gm_post_place_image(post, o->dir, err));
    gm_buf_reset(&o->record);
    if (o->is_terminal) {
        GM_TRY(gm_terminal_post(post, &o->style, &o->record, err));
    } else {
        GM_TRY(gm_post_to_json(post, &o->record, err));
        GM_TRY(gm_buf_add_c(&o->record, "\n", err));
    }
    GM_TRY(gm_out_write(o->lines, gm_buf_str(&o->record), err));
done:
    return st;
}

enum gm_status gm_predict_out_flush(struct gm_predict_out *o, struct gm_error *err)
{
    return gm_out_flush(o->lines, err);
}

enum gm_status gm_predict_out_commit(struct gm_predict_out *o, struct gm_error *err)
{
    struct gm_out *lines = o->lines;
    o->lines = NULL;
    enum gm_status st = gm_out_commit(lines, err);
    struct gm_report *report = o->report;
    o->report = NULL;
    if (report && st == GM_OK)
        st = gm_report_commit(report, err);
    else
        gm_report_abort(report);
    gm_predict_out_abort(o);
    return st;
}

void gm_predict_out_abort(struct gm_predict_out *o)
{
    if (!o)
        return;
    gm_out_abort(o->lines);
    gm_report_abort(o->report);
    out_free(o);
}
