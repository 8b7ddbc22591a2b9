#include "cli/predict_out.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"

#ifdef GM_HAVE_REPORT
#include "report/report.h"
#endif

#include <errno.h>
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
};

static void out_free(struct gm_predict_out *o)
{
    gm_buf_clear(&o->record);
    gm_arena_clear(&o->arena);
    gm_free(o);
}

enum gm_status gm_predict_out_open(struct gm_predict_out **out, const char *output, const char *html,
                                   struct gm_error *err)
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
#ifdef GM_HAVE_REPORT
    if (html)
        GM_TRY(gm_report_open(&o->report, html, "gmner predict", err));
#else
    (void)html;
#endif
    *out = o;
    o = NULL;
done:
    gm_predict_out_abort(o);
    return st;
}

/* In every file, relative image paths are relative to that file's folder. The reader has resolved the
 * post's path against the input's folder; here it becomes one that is right beside the output:
 * unchanged where both files are in one folder, absolute where they are not. */
static enum gm_status place_image(const struct gm_predict_out *o, struct gm_post *post,
                                  struct gm_error *err)
{
    char cwd[4096];
    struct gm_str image = post->image, dir = gm_str(o->dir);
    if (!image.n || image.p[0] == '/' || strcmp(o->dir, ".") == 0)
        return GM_OK;
    if (gm_str_starts(image, dir) && image.n > dir.n + 1 && image.p[dir.n] == '/') {
        post->image = gm_str_sub(image, dir.n + 1, image.n);
        return GM_OK;
    }
    if (!getcwd(cwd, sizeof cwd))
        return GM_FAIL(err, GM_EIO, "cannot tell the current folder: %s", strerror(errno));
    post->image = gm_arena_printf(&post->arena, "%s/%.*s", cwd, GM_STR_ARG(image));
    return post->image.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

enum gm_status gm_predict_out_post(struct gm_predict_out *o, struct gm_post *post,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
#ifdef GM_HAVE_REPORT
    if (o->report) /* first: it may have to open the image */
        GM_TRY(gm_report_add(o->report, post, err));
#endif
    GM_TRY(place_image(o, post, err));
    gm_buf_reset(&o->record);
    GM_TRY(gm_post_to_json(post, &o->record, err));
    GM_TRY(gm_buf_add_c(&o->record, "\n", err));
    GM_TRY(gm_out_write(o->lines, gm_buf_str(&o->record), err));
done:
    return st;
}

enum gm_status gm_predict_out_commit(struct gm_predict_out *o, struct gm_error *err)
{
    struct gm_out *lines = o->lines;
    o->lines = NULL;
    enum gm_status st = gm_out_commit(lines, err);
#ifdef GM_HAVE_REPORT
    struct gm_report *report = o->report;
    o->report = NULL;
    if (report && st == GM_OK)
        st = gm_report_commit(report, err);
    else
        gm_report_abort(report);
#endif
    gm_predict_out_abort(o);
    return st;
}

void gm_predict_out_abort(struct gm_predict_out *o)
{
    if (!o)
        return;
    gm_out_abort(o->lines);
#ifdef GM_HAVE_REPORT
    gm_report_abort(o->report);
#endif
    out_free(o);
}
