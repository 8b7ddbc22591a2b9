#include "data/jsonl.h"

#include "base/alloc.h"
#include "data/format.h"
#include "data/image_path.h"

#include <stdio.h>
#include <string.h>

/* gm_json_parse says "1:17: not valid JSON: …"; its line is always 1 here. Make it path:line:17. */
static void place_error(struct gm_error *err, const struct gm_feed *feed)
{
    char rest[GM_ERROR_MAX];
    const char *colon = err ? strchr(err->msg, ':') : NULL;
    if (!colon)
        return;
    snprintf(rest, sizeof rest, "%s", colon + 1);
    gm_error_set(err, err->code, err->src_file, err->src_line, "%s:%zu:%s", gm_feed_path(feed),
                 gm_feed_number(feed), rest);
}

enum gm_status gm_jsonl_next(struct gm_feed *feed, const char *base_dir, struct gm_post *post,
                             size_t *line, bool *has, struct gm_error *err)
{
    struct gm_str s;
    struct gm_json *json = NULL;
    do {
        enum gm_status st = gm_feed_next(feed, &s, has, err);
        *line = gm_feed_number(feed);
        if (st != GM_OK || !*has)
            return st;
    } while (gm_str_trim(s).n == 0);
    enum gm_status st = gm_json_parse(&json, s, err);
    if (st != GM_OK) {
        place_error(err, feed);
        return st;
    }
    gm_post_init(post);
    st = gm_post_from_json(post, json, base_dir, err);
    if (st == GM_OK)
        return GM_OK;
    gm_error_prefix(err, "%s:%zu", gm_feed_path(feed), *line);
    gm_post_clear(post);
    return st;
}

/* The longest record as JSON: a post of the reader's longest line, with everything found in it. */
#define RECORD_MAX ((size_t)1 << 30)

struct jsonl_out {
    struct gm_out *out;
    struct gm_buf line;
    const char *dir;
};

static void out_abort(void *state)
{
    struct jsonl_out *o = state;
    if (!o)
        return;
    gm_out_abort(o->out);
    gm_buf_clear(&o->line);
    gm_free(o);
}

static enum gm_status create(void **state, const struct gm_target *to, struct gm_error *err)
{
    struct jsonl_out *o = gm_alloc(1, sizeof *o);
    *state = o;
    if (!o)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    o->dir = to->dir;
    gm_buf_init(&o->line, RECORD_MAX);
    enum gm_status st = gm_out_open(&o->out, to->path, err);
    if (st != GM_OK) {
        out_abort(o);
        *state = NULL;
    }
    return st;
}

static enum gm_status add(void *state, struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct jsonl_out *o = state;
    gm_buf_reset(&o->line);
    GM_TRY(gm_post_place_image(post, o->dir, err));
    GM_TRY(gm_post_to_json(post, &o->line, err));
    GM_TRY(gm_buf_add_c(&o->line, "\n", err));
    GM_TRY(gm_out_write(o->out, gm_buf_str(&o->line), err));
done:
    return st;
}

static enum gm_status commit(void *state, struct gm_error *err)
{
    struct jsonl_out *o = state;
    enum gm_status st = gm_out_commit(o->out, err);
    o->out = NULL;
    out_abort(o);
    return st;
}

const struct gm_format_row gm_format_jsonl_row = {
    .format = GM_FORMAT_JSONL, .name = "jsonl", .title = "JSON Lines records",
    .holds = GM_HOLDS_ALL, .create = create, .add = add, .commit = commit, .abort = out_abort};
