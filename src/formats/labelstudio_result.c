/* What every part of the reader asks of one result of a Label Studio task. */
#include "formats/labelstudio_task.h"

struct gm_str gm_labelstudio_str(const struct gm_json *o, const char *key)
{
    struct gm_str s = GM_STR("");
    (void)gm_json_str(gm_json_get(o, key), &s);
    return s;
}

/* The first of value[kind]; the others are counted. */
struct gm_str gm_labelstudio_label(struct gm_labelstudio_task *t, const struct gm_json *value,
                                   const char *kind)
{
    const struct gm_json *labels = gm_json_get(value, kind);
    struct gm_str s = GM_STR("");
    (void)gm_json_str(gm_json_at(labels, 0), &s);
    for (size_t i = 1; i < gm_json_count(labels); i++)
        gm_losses_add(t->lost, "second labels of one region", t->post->id);
    return s;
}

double gm_labelstudio_score(const struct gm_json *result)
{
    double x = 1;
    (void)gm_json_num(gm_json_get(result, "score"), &x);
    return x >= 0 && x <= 1 ? x : 1;
}

bool gm_labelstudio_is_text_label(const struct gm_json *result)
{
    const struct gm_json *value = gm_json_get(result, "value");
    return gm_str_eq_c(gm_labelstudio_str(result, "type"), "labels") &&
           (gm_json_get(value, "start") || !(gm_json_get(value, "x") || gm_json_get(value, "rle")));
}
