#include "stages/said.h"

#include "llm/json_repair.h"

#include <string.h>

enum { DEPTH_MAX = 8 };

/* A number, or the text of one. */
static bool number(const struct gm_json *j, double *out)
{
    struct gm_str s;
    return gm_json_num(j, out) || (gm_json_str(j, &s) && gm_str_to_double(gm_str_trim(s), out));
}

/* {name: list}, taking the list over. */
static enum gm_status wrap(struct gm_json **out, const char *name, struct gm_json *list,
                           struct gm_error *err)
{
    *out = gm_json_new_object();
    if (*out && gm_json_set(*out, name, list))
        return GM_OK;
    if (!*out)
        gm_json_free(list);
    gm_json_free(*out);
    *out = NULL;
    return GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* ---- boxes ---- */

/* Add a box with its corners in order. */
static enum gm_status add_box(struct gm_json *boxes, const double c[4], struct gm_error *err)
{
    const double sorted[4] = {c[0] < c[2] ? c[0] : c[2], c[1] < c[3] ? c[1] : c[3],
                              c[0] < c[2] ? c[2] : c[0], c[1] < c[3] ? c[3] : c[1]};
    struct gm_json *box = gm_json_new_array();
    bool ok = box != NULL;
    for (int i = 0; i < 4 && ok; i++)
        ok = gm_json_add(box, gm_json_new_num(sorted[i]));
    if (!ok)
        gm_json_free(box);
    if (!ok || !gm_json_add(boxes, box))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    return GM_OK;
}

/* Four numbers in a list, or two corners of two. */
static bool flat_box(const struct gm_json *j, double c[4])
{
    size_t n = gm_json_count(j);
    if (gm_json_kind(j) != GM_JSON_ARRAY || (n != 4 && n != 2))
        return false;
    for (size_t i = 0; i < 4; i++) {
        const struct gm_json *at = n == 4 ? gm_json_at(j, i) : gm_json_at(j, i / 2);
        if (n == 2 && gm_json_count(at) != 2)
            return false;
        if (!number(n == 4 ? at : gm_json_at(at, i % 2), &c[i]))
            return false;
    }
    return true;
}

/* The members of an object that are a box's sides. */
static bool named_box(const struct gm_json *j, double c[4])
{
    static const char *const names[][4] = {{"xmin", "ymin", "xmax", "ymax"},
                                           {"x_min", "y_min", "x_max", "y_max"},
                                           {"x1", "y1", "x2", "y2"},
                                           {"left", "top", "right", "bottom"}};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        int n = 0;
        while (n < 4 && number(gm_json_get(j, names[k][n]), &c[n]))
            n++;
        if (n == 4)
            return true;
    }
    return false;
}

static const struct gm_json *box_member(const struct gm_json *j)
{
    static const char *const names[] = {"boxes",  "bbox_2d",      "bbox",
                                        "bboxes", "box_2d",       "box2d",
                                        "box",    "bounding_box", "bounding_boxes"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct gm_json *m = gm_json_get(j, names[i]);
        if (m)
            return m;
    }
    return NULL;
}

static enum gm_status collect(const struct gm_json *j, int depth, struct gm_json *boxes,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double c[4];
    if (gm_json_kind(j) == GM_JSON_NULL)
        return GM_OK;
    if (flat_box(j, c) || named_box(j, c))
        return add_box(boxes, c, err);
    if (gm_json_kind(j) == GM_JSON_OBJECT && box_member(j) && depth < DEPTH_MAX)
        return collect(box_member(j), depth + 1, boxes, err);
    if (gm_json_kind(j) != GM_JSON_ARRAY || depth == DEPTH_MAX)
        return GM_FAIL(err, GM_EFORMAT, "what stands for a box is none");
    for (size_t i = 0; i < gm_json_count(j) && st == GM_OK; i++)
        st = collect(gm_json_at(j, i), depth + 1, boxes, err);
    return st;
}

/* "(12,34)" or "12,34": two numbers from *pos on. */
static bool read_point(struct gm_str s, size_t *pos, double *x, double *y)
{
    struct gm_str rest = gm_str_sub(s, *pos, s.n), pair, a, b;
    size_t open = gm_str_find(rest, GM_STR("("), 0), close = gm_str_find(rest, GM_STR(")"), 0);
    if (open == SIZE_MAX || close == SIZE_MAX || close < open)
        return false;
    pair = gm_str_sub(rest, open + 1, close);
    *pos += close + 1;
    return gm_str_cut(pair, ',', &a, &b) && gm_str_to_double(gm_str_trim(a), x) &&
           gm_str_to_double(gm_str_trim(b), y);
}

/* The boxes between the marks of Qwen's own form; *found = how many of them. */
static enum gm_status read_marks(struct gm_str s, struct gm_json *boxes, size_t *found,
                                 struct gm_error *err)
{
    static const char *const marks[][2] = {{"<|box_start|>", "<|box_end|>"}, {"<box>", "</box>"}};
    enum gm_status st = GM_OK;
    *found = 0;
    for (size_t k = 0; k < 2 && st == GM_OK; k++) {
        struct gm_str open = gm_str(marks[k][0]), close = gm_str(marks[k][1]);
        for (size_t at = gm_str_find(s, open, 0); at != SIZE_MAX && st == GM_OK;
             at = gm_str_find(s, open, at + open.n)) {
            size_t end = gm_str_find(s, close, at), pos = 0;
            struct gm_str in = gm_str_sub(s, at + open.n, end);
            double c[4];
            if (end == SIZE_MAX || !read_point(in, &pos, &c[0], &c[1]) ||
                !read_point(in, &pos, &c[2], &c[3]))
                continue;
            st = add_box(boxes, c, err);
            ++*found;
        }
    }
    return st;
}

static bool is_none(struct gm_str text)
{
    text = gm_str_trim(text);
    return gm_str_eq_c(text, "null") || gm_str_eq_c(text, "None") || gm_str_eq_c(text, "none");
}

enum gm_status gm_said_boxes(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    enum gm_json_care care;
    size_t found = 0;
    struct gm_json *said = NULL, *boxes = gm_json_new_array(), *list;
    *out = NULL;
    if (!boxes)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(read_marks(text, boxes, &found, err));
    if (!found && !is_none(text)) {
        GM_TRY(gm_json_read_tolerant(&said, text, &care, err));
        GM_TRY(collect(said, 0, boxes, err));
    }
    list = boxes;
    boxes = NULL;
    st = wrap(out, "boxes", list, err);
done:
    gm_json_free(said);
    gm_json_free(boxes);
    return st;
}

/* ---- numbered lists ---- */

static enum gm_status said_list(struct gm_json **out, const char *name, struct gm_str text,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    enum gm_json_care care;
    struct gm_json *said = NULL;
    struct gm_str s;
    long long n;
    *out = NULL;
    GM_TRY(gm_json_read_tolerant(&said, text, &care, err));
    if (gm_json_kind(said) == GM_JSON_ARRAY) {
        struct gm_json *list = said;
        said = NULL;
        GM_TRY(wrap(&said, name, list, err));
    }
    const struct gm_json *list = gm_json_get(said, name);
    for (size_t i = 0; i < gm_json_count(list); i++) {
        struct gm_json *one = gm_json_at(list, i);
        if (gm_json_str(gm_json_get(one, "entity"), &s) && gm_str_to_int(gm_str_trim(s), &n) &&
            !gm_json_set(one, "entity", gm_json_new_int(n))) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
            goto done;
        }
    }
    *out = said;
    said = NULL;
done:
    gm_json_free(said);
    return st;
}

enum gm_status gm_said_entities(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_list(out, "entities", text, err);
}

enum gm_status gm_said_phrases(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_list(out, "phrases", text, err);
}
