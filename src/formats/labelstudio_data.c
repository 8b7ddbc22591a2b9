/* labelstudio_data.c - which of a task's data are the post's text and its picture, and which of the
 * results are about others.
 *
 * A project calls its data as it likes, and the configuration that says what they are is not in an
 * export. What tells is, in this order: the keys "text" and "image"; the tags that the results name
 * (to_name), which are mostly called as the data that they show; the ending of a picture's name; and
 * that a picture with regions must have some address. */
#include "formats/labelstudio_task.h"

#include "record/image_path.h"

#include <string.h>

static bool is_of_picture(const struct gm_json *result)
{
    return gm_json_get(result, "original_width") != NULL;
}

/* The first to_name of the labels on the text, or of the regions of pictures. */
static struct gm_str tag_of(const struct gm_json *results, bool of_picture)
{
    for (size_t i = 0; i < gm_json_count(results); i++) {
        const struct gm_json *r = gm_json_at(results, i);
        struct gm_str tag = gm_labelstudio_str(r, "to_name");
        if (tag.n && (of_picture ? is_of_picture(r) : gm_labelstudio_is_text_label(r)))
            return tag;
    }
    return GM_STR("");
}

/* A datum as a string, or the first of a list of them; empty when it is neither. */
static struct gm_str value_of(const struct gm_json *j)
{
    struct gm_str s = GM_STR("");
    (void)gm_json_str(gm_json_kind(j) == GM_JSON_ARRAY ? gm_json_at(j, 0) : j, &s);
    return s;
}

static bool has_blank(struct gm_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (strchr(" \t\r\n", s.p[i]))
            return true;
    return false;
}

/* Without white space, and with a slash: what a text that people wrote hardly is. */
static bool is_address(struct gm_str s) { return s.n && memchr(s.p, '/', s.n) && !has_blank(s); }

/* What may be the text or the picture: not what the writer gives a meaning of its own. */
static bool is_candidate(struct gm_str key)
{
    static const char *const own[] = {"id", "caption", "caption_short", NULL};
    return !gm_str_is_one_of(key, own);
}

/* How well a datum fits as the picture, whose tag is `tag` (empty: no regions): 0 = not at all. */
static int as_image(const struct gm_labelstudio_task *t, struct gm_str key, struct gm_str s,
                    struct gm_str tag)
{
    static const char *const names[] = {"image",   "images",    "img", "photo",
                                        "picture", "image_url", NULL};
    if (!s.n || !is_candidate(key) || gm_str_eq(key, t->text_key))
        return 0;
    if (gm_str_eq_c(key, "image"))
        return 5;
    if (gm_str_eq(key, tag))
        return 4;
    if (gm_str_is_one_of(key, names) && !has_blank(s))
        return 3;
    if (gm_image_has_ending(s))
        return 2;
    return tag.n && is_address(s) ? 1 : 0;
}

/* How well a datum fits as the text. An address, or words that end as a picture's name, are one only
 * where nothing else is, and no region needs a picture. */
static int as_text(struct gm_str key, const struct gm_json *value, struct gm_str tag,
                   struct gm_str image_tag)
{
    struct gm_str s;
    if (!gm_json_str(value, &s) || !is_candidate(key))
        return 0;
    if (gm_str_eq_c(key, "text"))
        return 5;
    if (gm_str_eq(key, image_tag) || gm_str_eq_c(key, "image"))
        return 0;
    if (gm_str_eq(key, tag))
        return 4;
    bool is_picture = gm_image_has_ending(s);
    if (!is_picture && !is_address(s))
        return 3;
    return (is_picture && !has_blank(s)) || image_tag.n ? 0 : 1;
}

/* Count the pictures that are not the post's; those with a key of their own are noted. */
static void count_further(struct gm_labelstudio_task *t)
{
    for (void *it = gm_json_first(t->data); it; it = gm_json_next(t->data, it)) {
        const struct gm_json *value = gm_json_value(it);
        bool mine = gm_str_eq(gm_json_key(it), t->image_key);
        size_t n = gm_json_kind(value) == GM_JSON_ARRAY ? gm_json_count(value) : 1;
        if (!mine && as_image(t, gm_json_key(it), value_of(value), GM_STR("")) == 0)
            continue;
        t->has_other_picture = t->has_other_picture || !mine;
        for (size_t i = mine; i < n; i++)
            gm_losses_add(t->lost, "further pictures of a task", t->post->id);
    }
}

/* Whether the regions name two tags of pictures or more. */
static bool has_two_tags(const struct gm_json *results, struct gm_str first)
{
    for (size_t i = 0; i < gm_json_count(results); i++) {
        struct gm_str tag = gm_labelstudio_str(gm_json_at(results, i), "to_name");
        if (is_of_picture(gm_json_at(results, i)) && tag.n && !gm_str_eq(tag, first))
            return true;
    }
    return false;
}

void gm_labelstudio_find_data(struct gm_labelstudio_task *t, const struct gm_json *data,
                              const struct gm_json *results)
{
    struct gm_str text_tag = tag_of(results, false), image_tag = tag_of(results, true);
    int best_text = 0, best_image = 0;
    t->data = data;
    for (void *it = gm_json_first(data); it; it = gm_json_next(data, it)) {
        int fit = as_text(gm_json_key(it), gm_json_value(it), text_tag, image_tag);
        if (fit <= best_text)
            continue;
        best_text = fit;
        t->text_key = gm_json_key(it);
        t->post->text = value_of(gm_json_value(it));
    }
    for (void *it = gm_json_first(data); it; it = gm_json_next(data, it)) {
        struct gm_str s = value_of(gm_json_value(it));
        int fit = as_image(t, gm_json_key(it), s, image_tag);
        if (fit <= best_image)
            continue;
        best_image = fit;
        t->image_key = gm_json_key(it);
        t->image = s;
    }
    count_further(t);
    t->has_two_tags = has_two_tags(results, image_tag);
}

enum gm_labelstudio_whose gm_labelstudio_whose(const struct gm_labelstudio_task *t,
                                               const struct gm_json *result)
{
    struct gm_str tag = gm_labelstudio_str(result, "to_name");
    bool of_picture = is_of_picture(result), is_key = false;
    long long item = 0;
    if (gm_json_int(gm_json_get(result, "item_index"), &item) && item > 0)
        return GM_LABELSTUDIO_OTHER_PICTURE;
    if (!of_picture && !gm_labelstudio_is_text_label(result))
        return GM_LABELSTUDIO_MINE;
    if (tag.n == 0 || gm_str_eq(tag, of_picture ? t->image_key : t->text_key))
        return GM_LABELSTUDIO_MINE;
    for (void *it = gm_json_first(t->data); it && !is_key; it = gm_json_next(t->data, it))
        is_key = gm_str_eq(gm_json_key(it), tag) && value_of(gm_json_value(it)).n;
    if (!of_picture)
        return is_key ? GM_LABELSTUDIO_OTHER_TEXT : GM_LABELSTUDIO_MINE;
    return is_key || (t->has_other_picture && t->has_two_tags) ? GM_LABELSTUDIO_OTHER_PICTURE
                                                               : GM_LABELSTUDIO_MINE;
}
