#include "data/jsonl.h"

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
