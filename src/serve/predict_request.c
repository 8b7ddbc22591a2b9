#include "serve/predict_request.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/utf8.h"
#include "image/data_uri.h"
#include "record/regions.h"
#include "serve/multipart.h"

enum { MAX_PARTS = 1024, VALID_MAX = 1 << 30 };

/* A request that is being read. */
struct reading {
    struct gm_call *call;
    size_t max_posts;
    const struct gm_form_part *parts;
    size_t n_parts;
    struct gm_str *uris; /* [n_parts] in the call's arena, made when a post names the part */
    const struct gm_form_part *picture; /* of a form that is one post; NULL = it has none */
    enum gm_problem *problem;
};

static enum gm_status no_memory(struct gm_error *err)
{
    return GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static const struct gm_form_part *find_part(const struct reading *r, struct gm_str name)
{
    for (size_t i = 0; i < r->n_parts; i++)
        if (gm_str_eq(r->parts[i].name, name))
            return &r->parts[i];
    return NULL;
}

/* The bytes of a part as a data: URI, which is how a post holds a picture itself. It is one text for all posts that
 * name the part, so that a form takes as much memory as it has bytes, and lives as long as the call, which the job
 * holds as long as a post of it is worked on. */
static enum gm_status uri_of(const struct reading *r, const struct gm_form_part *part,
                             struct gm_str *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str *made = &r->uris[part - r->parts];
    struct gm_buf uri;
    gm_buf_init(&uri, VALID_MAX);
    if (!made->p) {
        GM_TRY(gm_buf_add_c(&uri, "data:;base64,", err));
        GM_TRY(gm_base64_write(&uri, part->body, err));
        *made = gm_arena_str(&r->call->arena, gm_buf_str(&uri));
    }
    *out = *made;
    if (!made->p)
        st = no_memory(err);
done:
    gm_buf_clear(&uri);
    return st;
}

/* A picture is bytes, or it is refused before anything looks at it: by none of the names that a record may have for its
 * picture may a client have a file of ours opened. */
static enum gm_status check_image(struct gm_str image, struct gm_error *err)
{
    if (gm_data_uri_is(image))
        return GM_OK;
    return GM_FAIL(err, GM_EFORMAT,
                   "\"image\": expected the bytes as \"data:image/jpeg;base64,…\", or a file of a "
                   "form; paths and addresses are not opened here");
}

/* The part that the post names as its picture, which is then no more in the JSON; .p NULL = none. */
static enum gm_status take_part(const struct reading *r, struct gm_json *post, struct gm_str *out,
                                struct gm_error *err)
{
    static const struct gm_str mark = {"part:", 5};
    const struct gm_json *j = gm_json_get(post, "image");
    struct gm_str image;
    *out = (struct gm_str){NULL, 0};
    if (r->picture)
        return uri_of(r, r->picture, out, err);
    if (!j || gm_json_kind(j) == GM_JSON_NULL)
        return GM_OK;
    if (!gm_json_str(j, &image))
        return GM_FAIL(err, GM_EFORMAT, "\"image\": expected a string, found %s",
                       gm_json_kind_name(gm_json_kind(j)));
    if (!gm_str_starts(image, mark))
        return check_image(image, err);
    image = gm_str_sub(image, mark.n, image.n);
    const struct gm_form_part *part = find_part(r, image);
    if (!part)
        return GM_FAIL(err, GM_EFORMAT, "\"image\": the form has no part \"%.*s\"",
                       GM_STR_ARG(image));
    enum gm_status st = uri_of(r, part, out, err);
    gm_json_remove(post, "image");
    return st;
}

/* Takes `j` over. */
static enum gm_status read_post(const struct reading *r, struct gm_post *post, size_t i,
                                struct gm_json *j, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str image;
    *r->problem = GM_PROBLEM_POST; /* from here on it is what is wrong with this post */
    if (gm_json_kind(j) != GM_JSON_OBJECT) {
        st = GM_FAIL(err, GM_EFORMAT, "expected a post, which is an object, found %s",
                     gm_json_kind_name(gm_json_kind(j)));
        goto done;
    }
    GM_TRY(take_part(r, j, &image, err));
    struct gm_json *line = j;
    j = NULL;
    GM_TRY(gm_post_from_json(post, line, NULL, err));
    if (post->image.n) /* by another name */
        GM_TRY(check_image(post->image, err));
    if (image.p)
        post->image = image;
    gm_post_settle_boxes(post, NULL);
    if (!post->has_id && !(post->id = gm_arena_printf(&post->arena, "%zu", i + 1)).p)
        st = no_memory(err);
done:
    gm_json_free(j);
    return st;
}

static enum gm_status read_list(const struct reading *r, const struct gm_json *posts,
                                struct gm_job **out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = gm_json_count(posts);
    if (gm_json_kind(posts) != GM_JSON_ARRAY || n == 0)
        return GM_FAIL(err, GM_EFORMAT, "\"posts\": expected a list of posts that is not empty");
    if (n > r->max_posts) {
        *r->problem = GM_PROBLEM_TOO_MANY_POSTS;
        return GM_FAIL(err, GM_EARG, "%zu posts are more than the %zu that a request may have", n,
                       r->max_posts);
    }
    GM_TRY(gm_job_new(out, r->call, n, err));
    for (size_t i = 0; i < n; i++) {
        struct gm_json *j = gm_json_ref(gm_json_at(posts, i));
        if ((st = read_post(r, &(*out)->posts[i].post, i, j, err)) != GM_OK) {
            gm_error_prefix(err, "posts[%zu]", i);
            goto done;
        }
    }
done:
    return st;
}

/* One post or a list of them. Takes `j` over. */
static enum gm_status read_value(const struct reading *r, struct gm_json *j, struct gm_job **out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *posts = gm_json_get(j, "posts");
    if (!posts) {
        GM_TRY(gm_job_new(out, r->call, 1, err));
        (*out)->is_one = true;
        struct gm_json *one = j;
        j = NULL;
        GM_TRY(read_post(r, &(*out)->posts[0].post, 0, one, err));
        goto done;
    }
    if (gm_json_count(j) != 1) {
        st = GM_FAIL(err, GM_EFORMAT,
                     "beside \"posts\" nothing may stand in the body; recipe, stream and "
                     "timings are parameters of the address");
        goto done;
    }
    GM_TRY(read_list(r, posts, out, err));
done:
    gm_json_free(j);
    return st;
}

/* JSON as `gmner predict` reads a line: bytes that are no UTF-8 become U+FFFD. */
static enum gm_status read_json(const struct reading *r, struct gm_str text, struct gm_job **out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf valid;
    struct gm_json *j = NULL;
    gm_buf_init(&valid, VALID_MAX);
    if (!gm_utf8_is_valid(text)) {
        GM_TRY(gm_utf8_repair(text, &valid, err));
        text = gm_buf_str(&valid);
    }
    st = gm_json_parse_lenient(&j, text, err);
    if (st == GM_OK)
        st = read_value(r, j, out, err);
    else
        gm_error_prefix(err, "the body is no JSON");
done:
    gm_buf_clear(&valid);
    return st;
}

/* A field of a form as a member of the post, or as its picture. */
static enum gm_status add_field(struct reading *r, struct gm_json *post,
                                const struct gm_form_part *part, struct gm_error *err)
{
    static const char *const fields[] = {"text", "id", "caption", "caption_short", NULL};
    enum gm_status st = GM_OK;
    struct gm_buf valid;
    gm_buf_init(&valid, VALID_MAX);
    bool is_picture = gm_str_eq_c(part->name, "image");
    if (is_picture ? r->picture != NULL : gm_json_get(post, part->name.p) != NULL)
        return GM_FAIL(err, GM_EFORMAT,
                       "the field \"%.*s\" comes twice; several posts go into the "
                       "field \"posts\"",
                       GM_STR_ARG(part->name));
    if (is_picture) {
        r->picture = part->body.n ? part : NULL; /* a form without a file chosen */
    } else if (gm_str_is_one_of(part->name, fields)) {
        GM_TRY(gm_utf8_repair(part->body, &valid, err));
        if (!gm_json_set(post, part->name.p, gm_json_new_str(gm_buf_str(&valid))))
            st = no_memory(err);
    } else {
        st = GM_FAIL(
            err, GM_EFORMAT,
            "the form has a field \"%.*s\"; those of one post are text, image, id, caption and "
            "caption_short",
            GM_STR_ARG(part->name));
        goto done;
    }
done:
    gm_buf_clear(&valid);
    return st;
}

static enum gm_status read_form(struct reading *r, struct gm_str content_type, struct gm_job **out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_form_part *parts;
    struct gm_json *post = NULL;
    GM_TRY(gm_multipart_parse(&parts, &r->n_parts, content_type, gm_buf_str(&r->call->body),
                              MAX_PARTS, &r->call->arena, err));
    r->parts = parts;
    r->uris = gm_arena_alloc(&r->call->arena, r->n_parts, sizeof *r->uris);
    if (!r->uris) {
        st = no_memory(err);
        goto done;
    }
    const struct gm_form_part *list = find_part(r, GM_STR("posts"));
    if (list)
        return read_json(r, list->body, out, err);
    if (!(post = gm_json_new_object())) {
        st = no_memory(err);
        goto done;
    }
    for (size_t i = 0; i < r->n_parts; i++)
        GM_TRY(add_field(r, post, &parts[i], err));
    struct gm_json *one = post;
    post = NULL;
    GM_TRY(read_value(r, one, out, err));
done:
    gm_json_free(post);
    return st;
}

enum gm_status gm_predict_read(struct gm_job **out, struct gm_call *call,
                               struct gm_str content_type, size_t max_posts,
                               enum gm_problem *problem, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct reading r = {.call = call, .max_posts = max_posts, .problem = problem};
    *out = NULL;
    *problem = GM_PROBLEM_BAD_REQUEST;
    if (gm_header_is(content_type, "application/json")) {
        st = read_json(&r, gm_buf_str(&call->body), out, err);
    } else if (gm_header_is(content_type, "multipart/form-data")) {
        st = read_form(&r, content_type, out, err);
    } else {
        *problem = GM_PROBLEM_MEDIA_TYPE;
        st = GM_FAIL(err, GM_EARG, "send application/json or multipart/form-data");
    }
    if (st == GM_ENOMEM)
        *problem = GM_PROBLEM_BUSY;
    if (st != GM_OK) {
        gm_job_free(*out);
        *out = NULL;
    }
    return st;
}
