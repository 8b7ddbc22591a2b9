#include "formats/jsonl.h"

#include "formats/document.h"
#include "formats/text_out.h"
#include "record/image_path.h"

enum gm_status gm_jsonl_next(struct gm_text_lines *lines, const char *base_dir,
                             struct gm_post *post, size_t *line, bool *has, struct gm_error *err)
{
    struct gm_str s;
    struct gm_json *json = NULL;
    do {
        enum gm_status st = gm_text_lines_next(lines, &s, has, err);
        *line = gm_text_lines_number(lines);
        if (st != GM_OK || !*has)
            return st;
    } while (gm_str_trim(s).n == 0);
    enum gm_status st = gm_document_parse_at(&json, s, gm_text_lines_path(lines), *line, err);
    if (st != GM_OK)
        return st;
    gm_post_init(post);
    st = gm_post_from_json(post, json, base_dir, err);
    if (st == GM_OK)
        return GM_OK;
    gm_error_prefix(err, "%s:%zu", gm_text_lines_path(lines), *line);
    gm_post_clear(post);
    return st;
}

static enum gm_status create(void **state, const struct gm_target *to, struct gm_error *err)
{
    return gm_text_out_new(state, sizeof(struct gm_text_out), to, err);
}

static enum gm_status add(void *state, struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_text_out *o = state;
    gm_buf_reset(&o->text);
    GM_TRY(gm_post_place_image(post, o->to.dir, err));
    GM_TRY(gm_post_to_json(post, &o->text, err));
    GM_TRY(gm_buf_add_c(&o->text, "\n", err));
    GM_TRY(gm_out_write(o->out, gm_buf_str(&o->text), err));
done:
    return st;
}

static enum gm_fit fit(const struct gm_head *h)
{
    bool fits = !h->is_array && gm_head_is_post(h) && !gm_head_spans_lines(h);
    return fits ? GM_FIT_POST : GM_FIT_NOT;
}

const struct gm_format_row gm_format_jsonl_row = {.title = "JSON Lines records",
                                                  .ending = ".jsonl",
                                                  .told_by = {".jsonl", ".ndjson"},
                                                  .unit = GM_UNIT_LINE,
                                                  .fit = fit,
                                                  .holds = GM_HOLDS_ALL,
                                                  .create = create,
                                                  .add = add,
                                                  .commit = gm_text_out_commit,
                                                  .abort = gm_text_out_abort};
