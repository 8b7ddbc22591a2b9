/* Records that are kept under a permanent address: DATA/records/ID.json holds what the page sent, and ID is the
 * beginning of its SHA-256. So the same record is kept once, nobody can guess an address, and no name of the
 * client's choosing gets into a path. */
#include "base/file.h"
#include "base/sha256.h"
#include "image/data_uri.h"
#include "serve/page_request.h"

#include <string.h>

enum { ID_DIGITS = 32, RECORD_MAX = 1 << 30 };

static const char no_data[] = "this server keeps no records; `gmner serve --data DIR` does";

/* A record that can be read, and a picture's bytes. */
static enum gm_status check(const struct gm_json *j, struct gm_error *err)
{
    struct gm_str image, recipe;
    struct gm_post post;
    const struct gm_json *record = gm_json_get(j, "record");
    const struct gm_json *uri = gm_json_get(j, "image");
    if (gm_json_kind(record) != GM_JSON_OBJECT || gm_json_get(record, "image"))
        return GM_FAIL(err, GM_EARG,
                       "\"record\": expected an object without an image, which stands beside it");
    if (gm_json_get(j, "recipe") && !gm_json_str(gm_json_get(j, "recipe"), &recipe))
        return GM_FAIL(err, GM_EARG, "\"recipe\": expected a text");
    if (gm_json_get(j, "timings") && gm_json_kind(gm_json_get(j, "timings")) != GM_JSON_ARRAY)
        return GM_FAIL(err, GM_EARG, "\"timings\": expected a list");
    if (uri && !(gm_json_str(uri, &image) && gm_data_uri_is(image)))
        return GM_FAIL(err, GM_EARG, "\"image\": expected \"data:image/jpeg;base64,…\"");
    gm_post_init(&post);
    enum gm_status st = gm_post_from_json(&post, gm_json_ref(record), NULL, err);
    gm_post_clear(&post);
    return st;
}

static enum gm_status path_of(const struct gm_server *s, const char *id, struct gm_buf *path,
                              struct gm_error *err)
{
    return gm_buf_printf(path, err, "%s/records/%.*s.json", s->opts->data, ID_DIGITS, id);
}

static enum gm_status keep(const struct gm_server *s, const struct gm_json *j,
                           struct gm_buf *answer, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf text, path;
    char id[GM_SHA256_HEX];
    gm_buf_init(&text, RECORD_MAX);
    gm_buf_init(&path, 1 << 16);
    GM_TRY(check(j, err));
    GM_TRY(gm_json_write(j, false, &text, err));
    gm_sha256(gm_buf_str(&text), id);
    GM_TRY(gm_buf_printf(&path, err, "%s/records", s->opts->data));
    GM_TRY(gm_mkdirs(path.p, err));
    gm_buf_reset(&path);
    GM_TRY(path_of(s, id, &path, err));
    if (!gm_is_file(path.p))
        GM_TRY(gm_file_write(path.p, gm_buf_str(&text), err));
    GM_TRY(gm_buf_printf(answer, err, "{\"id\": \"%.*s\", \"path\": \"/r/%.*s\"}", ID_DIGITS, id,
                         ID_DIGITS, id));
done:
    gm_buf_clear(&text);
    gm_buf_clear(&path);
    return st;
}

void gm_answer_keep(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    static const char *const names[] = {"record", "recipe", "timings", "image", NULL};
    struct gm_buf body;
    struct gm_error e = {0};
    (void)route;
    if (!s->opts->data) {
        gm_problem_answer(call, GM_PROBLEM_NOT_FOUND, no_data, NULL);
        return;
    }
    struct gm_json *j = gm_page_body(s, call, names);
    if (!j)
        return;
    gm_buf_init(&body, 1 << 10);
    enum gm_status st = keep(s, j, &body, &e);
    gm_json_free(j);
    gm_page_answer(call, st, "application/json", &body, &e);
}

void gm_answer_kept(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    static const char *const names[] = {"id", NULL};
    struct gm_query q;
    struct gm_buf body, path;
    struct gm_error e = {0};
    (void)route;
    if (!gm_page_query(&q, call, names))
        return;
    struct gm_str id = gm_query_get(&q, "id");
    bool is_id =
        s->opts->data && id.p && id.n == ID_DIGITS && strspn(id.p, "0123456789abcdef") == id.n;
    gm_buf_init(&body, RECORD_MAX);
    gm_buf_init(&path, 1 << 16);
    if (!is_id || path_of(s, id.p, &path, &e) != GM_OK || !gm_is_file(path.p)) {
        gm_problem_answer(call, GM_PROBLEM_NOT_FOUND,
                          s->opts->data ? "no record is kept under this id" : no_data, NULL);
    } else {
        enum gm_status st = gm_file_read(path.p, &body, &e);
        gm_page_answer(call, st, "application/json", &body, &e);
    }
    gm_buf_clear(&path);
}
