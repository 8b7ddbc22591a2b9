#include "stages/caption.h"

#include "vision/coco_classes.h"

enum { KINDS_MAX = 5 };

struct kind {
    struct gm_str label;
    size_t count;
};

/* The first KINDS_MAX kinds of objects in order, persons before all others. */
static size_t count_kinds(const struct gm_object *objects, size_t n, struct kind *kinds)
{
    size_t n_kinds = 0;
    for (int others = 0; others < 2; others++)
        for (size_t i = 0; i < n; i++) {
            if (gm_str_eq_c(objects[i].label, "person") != !others)
                continue;
            size_t k = 0;
            while (k < n_kinds && !gm_str_eq(kinds[k].label, objects[i].label))
                k++;
            if (k == KINDS_MAX)
                continue;
            if (k == n_kinds)
                kinds[n_kinds++] = (struct kind){objects[i].label, 0};
            kinds[k].count++;
        }
    return n_kinds;
}

/* "a dog", "two dogs", "14 dogs"; a label outside of COCO stands as it is. */
static struct gm_str kind_in_words(struct gm_arena *a, const struct kind *k)
{
    static const char *const numbers[] = {"two",   "three", "four", "five", "six",
                                          "seven", "eight", "nine", "ten"};
    const struct gm_coco_class *c = gm_coco_find(k->label);
    if (!c)
        return gm_arena_str(a, k->label);
    if (k->count == 1)
        return gm_str(c->one);
    if (k->count - 2 < sizeof numbers / sizeof *numbers)
        return gm_arena_printf(a, "%s %s", numbers[k->count - 2], c->many);
    return gm_arena_printf(a, "%zu %s", k->count, c->many);
}

enum gm_status gm_caption_of_objects(struct gm_arena *a, const struct gm_object *objects, size_t n,
                                     struct gm_str *out, struct gm_error *err)
{
    struct kind kinds[KINDS_MAX];
    size_t n_kinds = count_kinds(objects, n, kinds);
    *out = GM_STR("");
    for (size_t i = 0; i < n_kinds; i++) {
        struct gm_str words = kind_in_words(a, &kinds[i]);
        const char *joint = i == 0 ? "" : i + 1 == n_kinds ? " and " : ", ";
        if (words.p)
            *out = gm_arena_printf(a, "%.*s%s%.*s", GM_STR_ARG(*out), joint, GM_STR_ARG(words));
        if (!words.p || !out->p) {
            *out = GM_STR("");
            return GM_FAIL(err, GM_ENOMEM, "out of memory for a caption");
        }
    }
    return GM_OK;
}
