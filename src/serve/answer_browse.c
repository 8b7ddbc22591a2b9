/* What the page asks for where files of posts are browsed: lists, posts, pictures, leases, corrections, exports.
 * A request names a file by its number among those of --browse, and a post by its number there. */
#include "base/log.h"
#include "base/path.h"
#include "image/image.h"
#include "formats/writer.h"
#include "serve/browse.h"
#include "serve/page_request.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = 500, ANSWER_MAX = 1 << 28 };

#define NUMBER_MAX ((1LL << 53) - 1) /* of posts and versions */

/* Which file and post a request is about. */
struct about {
    struct gm_browse *file;
    size_t post;
};

static bool not_there(struct gm_call *call)
{
    gm_problem_answer(call, GM_PROBLEM_NOT_FOUND,
                      "no file of this number is browsed (--browse), or it has no such post", NULL);
    return false;
}

/* `file` and, where wanted, `post` of the address; false: that has been answered. */
static bool find(const struct gm_server *s, struct gm_call *call, const struct gm_query *q,
                 bool with_post, struct about *out)
{
    long long file, post;
    if (!gm_query_number(q, "file", 0, GM_SERVE_BROWSED - 1, &file) ||
        !gm_query_number(q, "post", 0, NUMBER_MAX, &post) || !s->browsed[file])
        return not_there(call);
    struct gm_str id = gm_query_get(q, "id");
    *out = (struct about){s->browsed[file], (size_t)post};
    if (id.p)
        out->post = gm_browse_find(out->file, id);
    return !with_post || out->post < gm_browse_count(out->file) || not_there(call);
}

void gm_answer_rows(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    static const char *const names[] = {"file",    "type",  "source",    "score", "image", "wrong",
                                        "differs", "order", "corrected", "from",  "count", NULL};
    struct gm_query q;
    struct gm_buf body;
    struct gm_error e = {0};
    struct about a;
    long long from, count;
    (void)route;
    if (!gm_page_query(&q, call, names) || !find(s, call, &q, false, &a))
        return;
    struct gm_str score = gm_query_get(&q, "score"), order = gm_query_get(&q, "order");
    struct gm_browse_filter f = {.type = gm_query_get(&q, "type"),
                                 .source = gm_query_get(&q, "source"),
                                 .score_max = 1,
                                 .image = gm_query_get(&q, "image"),
                                 .wrong = gm_query_get(&q, "wrong"),
                                 .differs = gm_query_get(&q, "differs"),
                                 .corrected = gm_query_get(&q, "corrected"),
                                 .by_uncertainty = gm_str_eq_c(order, "uncertainty")};
    if (!gm_query_number(&q, "from", 0, NUMBER_MAX, &from) ||
        !gm_query_number(&q, "count", 100, ROWS_MAX, &count) ||
        (score.p && !gm_str_to_double(score, &f.score_max)) ||
        (order.n && !f.by_uncertainty && !gm_str_eq_c(order, "file"))) {
        gm_problem_answer(
            call, GM_PROBLEM_BAD_REQUEST,
            "from and count (at most 500) are whole numbers, score is a number, order is file or "
            "uncertainty",
            NULL);
        return;
    }
    gm_buf_init(&body, ANSWER_MAX);
    enum gm_status st = gm_browse_rows(a.file, &f, (size_t)from, (size_t)count, &body, &e);
    gm_page_answer(call, st, "application/json", &body, &e);
}

/* {"post", "version", "image", "record"}: the record without the path of its picture. */
static enum gm_status write_post(const struct about *a, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post post;
    size_t version;
    GM_TRY(gm_browse_post(a->file, a->post, &post, &version, err));
    bool has_image = post.image.n > 0;
    post.image = GM_STR("");
    if (post.source)
        gm_json_remove(post.source, "image");
    GM_TRY(gm_buf_printf(out, err, "{\"post\": %zu, \"version\": %zu, \"image\": %s, \"record\": ",
                         a->post, version, has_image ? "true" : "false"));
    GM_TRY(gm_post_to_json(&post, out, err));
    GM_TRY(gm_buf_add_c(out, "}", err));
done:
    gm_post_clear(&post);
    return st;
}

void gm_answer_post(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    static const char *const names[] = {"file", "post", "id", NULL};
    struct gm_query q;
    struct gm_buf body;
    struct gm_error e = {0};
    struct about a;
    (void)route;
    if (!gm_page_query(&q, call, names) || !find(s, call, &q, true, &a))
        return;
    gm_buf_init(&body, ANSWER_MAX);
    enum gm_status st = write_post(&a, &body, &e);
    gm_page_answer(call, st, "application/json", &body, &e);
}

static const char *type_of(struct gm_str file)
{
    static const struct {
        struct gm_str mark;
        const char *type;
    } types[] = {{{"\xff\xd8", 2}, "image/jpeg"},
                 {{"\x89PNG", 4}, "image/png"},
                 {{"RIFF", 4}, "image/webp"},
                 {{"GIF8", 4}, "image/gif"},
                 {{"BM", 2}, "image/bmp"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (gm_str_starts(file, types[i].mark))
            return types[i].type;
    return "application/octet-stream";
}

/* The picture that the file of the server's choosing names, as browsers show it. */
void gm_answer_picture(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    static const char *const names[] = {"file", "post", NULL};
    struct gm_query q;
    struct gm_buf body;
    struct gm_error e = {0};
    struct gm_post post;
    struct about a;
    size_t version;
    uint32_t size[2];
    (void)route;
    if (!gm_page_query(&q, call, names) || !find(s, call, &q, true, &a))
        return;
    gm_buf_init(&body, ANSWER_MAX);
    enum gm_status st = gm_browse_post(a.file, a.post, &post, &version, &e);
    if (st == GM_OK && !post.image.n)
        st = GM_FAIL(&e, GM_EIO, "the post has no picture");
    if (st == GM_OK) {
        const char *path = gm_arena_str(&post.arena, post.image).p;
        st =
            path ? gm_image_export(&body, path, size, &e) : GM_FAIL(&e, GM_ENOMEM, "out of memory");
    }
    if (st == GM_EIO || st == GM_EFORMAT) {
        GM_LOG(GM_LOG_WARN, "serve", "%s", e.msg);
        gm_buf_clear(&body);
        gm_problem_answer(call, GM_PROBLEM_NOT_FOUND, "the post's picture can't be shown", NULL);
    } else {
        gm_page_answer(call, st, type_of(gm_buf_str(&body)), &body, &e);
    }
    gm_post_clear(&post);
}

/* ---- editing ---- */

/* A whole number that JSON holds exactly, 12 or 12.0. */
static bool read_whole(const struct gm_json *j, long long *out)
{
    double x;
    bool ok = gm_json_num(j, &x) && x >= 0 && x <= (double)NUMBER_MAX && x == floor(x);
    if (ok)
        *out = (long long)x;
    return ok;
}

/* A name of who edits: printable ASCII without spaces. */
static bool is_name(struct gm_str who)
{
    for (size_t i = 0; i < who.n; i++)
        if (who.p[i] < '!' || who.p[i] > '~')
            return false;
    return who.n > 0 && who.n < GM_BROWSE_WHO_MAX;
}

/* {"file", "post", "who", …} of a body; false: that has been answered. */
static bool read_edit(const struct gm_server *s, struct gm_call *call, const struct gm_json *j,
                      struct about *out, struct gm_str *who)
{
    long long file = 0, post;
    if ((gm_json_get(j, "file") && !read_whole(gm_json_get(j, "file"), &file)) ||
        !read_whole(gm_json_get(j, "post"), &post) || !gm_json_str(gm_json_get(j, "who"), who) ||
        !is_name(*who)) {
        gm_problem_answer(
            call, GM_PROBLEM_BAD_REQUEST,
            "\"file\" and \"post\": numbers; \"who\": 1 to 63 characters of printable ASCII "
            "without spaces, the same as long as one edits",
            NULL);
        return false;
    }
    if (file >= GM_SERVE_BROWSED || !s->browsed[file] ||
        (size_t)post >= gm_browse_count(s->browsed[file]))
        return not_there(call);
    *out = (struct about){s->browsed[file], (size_t)post};
    return true;
}

/* What stands against an edit, with the post as it is now. */
static void answer_conflict(struct gm_call *call, const struct about *a, const char *detail)
{
    struct gm_buf more;
    gm_buf_init(&more, ANSWER_MAX);
    bool ok = gm_buf_add_c(&more, ", \"current\": ", NULL) == GM_OK &&
              write_post(a, &more, NULL) == GM_OK;
    gm_problem_answer(call, GM_PROBLEM_CONFLICT, detail, ok ? &more : NULL);
    gm_buf_clear(&more);
}

static void lease(struct gm_call *call, const struct about *a, const struct gm_json *j,
                  struct gm_str who)
{
    struct gm_str name = GM_STR("somebody");
    char holder[GM_BROWSE_WHO_MAX], detail[160];
    struct gm_buf body;
    struct gm_error e = {0};
    bool ends = false;
    if ((gm_json_get(j, "name") && !gm_json_str(gm_json_get(j, "name"), &name)) ||
        (gm_json_get(j, "ends") && !gm_json_bool(gm_json_get(j, "ends"), &ends))) {
        gm_problem_answer(call, GM_PROBLEM_BAD_REQUEST, "\"name\": a text; \"ends\": true or false",
                          NULL);
    } else if (gm_browse_lease(a->file, a->post, who, name, ends, holder) == GM_BROWSE_HELD) {
        snprintf(detail, sizeof detail, "%s edits this post", holder);
        answer_conflict(call, a, detail);
    } else {
        gm_buf_init(&body, 1 << 10);
        enum gm_status st =
            gm_buf_printf(&body, &e, "{\"seconds\": %d}", ends ? 0 : GM_BROWSE_LEASE_S);
        gm_page_answer(call, st, "application/json", &body, &e);
    }
}

void gm_answer_lease(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    static const char *const names[] = {"file", "post", "who", "name", "ends", NULL};
    struct about a;
    struct gm_str who;
    (void)route;
    struct gm_json *j = gm_page_body(s, call, names);
    if (j && read_edit(s, call, j, &a, &who))
        lease(call, &a, j, who);
    gm_json_free(j);
}

static void save(struct gm_call *call, const struct about *a, const struct gm_json *j,
                 struct gm_str who)
{
    long long version;
    enum gm_browse_result result;
    struct gm_buf body;
    struct gm_error e = {0};
    const struct gm_json *entities = gm_json_get(j, "entities");
    if (!read_whole(gm_json_get(j, "version"), &version) ||
        gm_json_kind(entities) != GM_JSON_ARRAY) {
        gm_problem_answer(
            call, GM_PROBLEM_BAD_REQUEST,
            "\"version\": the number of the version that was edited; \"entities\": a list", NULL);
        return;
    }
    enum gm_status st =
        gm_browse_save(a->file, a->post, (size_t)version, who, gm_json_ref(entities), &result, &e);
    if (st == GM_OK && result == GM_BROWSE_HELD) {
        answer_conflict(call, a, "somebody else edits this post");
    } else if (st == GM_OK && result == GM_BROWSE_OLD) {
        answer_conflict(call, a, "somebody has corrected this post meanwhile");
    } else {
        gm_buf_init(&body, ANSWER_MAX);
        if (st == GM_OK)
            st = write_post(a, &body, &e);
        gm_page_answer(call, st, "application/json", &body, &e);
    }
}

void gm_answer_save(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    static const char *const names[] = {"file", "post", "who", "version", "entities", NULL};
    struct about a;
    struct gm_str who;
    (void)route;
    struct gm_json *j = gm_page_body(s, call, names);
    if (j && read_edit(s, call, j, &a, &who))
        save(call, &a, j, who);
    gm_json_free(j);
}

/* ---- exports ---- */

static const char *type_of_export(enum gm_format format)
{
    switch (format) {
    case GM_FORMAT_JSONL: return "application/jsonl";
    case GM_FORMAT_COCO:
    case GM_FORMAT_LABELSTUDIO: return "application/json";
    case GM_FORMAT_VOC: return "application/x-tar";
    default: return "text/plain; charset=utf-8";
    }
}

void gm_answer_export(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    static const char *const names[] = {"file", "format", NULL};
    struct gm_query q;
    struct gm_buf body;
    struct gm_error e = {0};
    struct about a;
    enum gm_format format;
    (void)route;
    if (!gm_page_query(&q, call, names) || !find(s, call, &q, false, &a))
        return;
    struct gm_str name = gm_arena_str(&call->arena, gm_query_get(&q, "format"));
    if (!name.p || !gm_format_parse(name.p, &format) || format == GM_FORMAT_AUTO ||
        !gm_format_is_written(format)) {
        gm_problem_answer(call, GM_PROBLEM_BAD_REQUEST,
                          "the parameter format is one of those of `gmner data convert --to`",
                          NULL);
        return;
    }
    gm_buf_init(&body, SIZE_MAX - 1);
    enum gm_status st = gm_browse_export(a.file, format, &body, &e);
    gm_page_answer(call, st, type_of_export(format), &body, &e);
}
