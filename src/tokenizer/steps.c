#include "tokenizer/steps.h"

#include <stdio.h>

static enum gm_status unknown(const struct gm_step_kinds *k, struct gm_str type, const char *path,
                              struct gm_error *err)
{
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < k->n && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 k->kinds[i].type);
    return GM_FAIL(err, GM_EMODEL, "%s: %s %.*s is not supported (%s and Sequence are)", path,
                   k->member, GM_STR_ARG(type), known);
}

static enum gm_status add(struct gm_steps *out, const struct gm_step_kind *kind,
                          const struct gm_json *json, struct gm_arena *a, const char *path,
                          struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const void *settings = kind->fixed;
    if (kind->read) {
        void *own = gm_arena_alloc(a, 1, kind->size);
        if (!own)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        GM_TRY(kind->read(own, json, a, path, err));
        settings = own;
    }
    GM_TRY(GM_ARENA_GROW(a, out->items, out->n, out->cap, err));
    out->items[out->n++] = (struct gm_step){kind->run, settings};
done:
    return st;
}

static enum gm_status read_step(struct gm_steps *out, const struct gm_step_kinds *k,
                                const struct gm_json *json, struct gm_arena *a, const char *path,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str type = GM_STR("without a type");
    gm_json_str(gm_json_get(json, "type"), &type);
    if (gm_str_eq_c(type, "Sequence")) {
        const struct gm_json *list = gm_json_get(json, k->list);
        for (size_t i = 0; i < gm_json_count(list) && st == GM_OK; i++)
            st = read_step(out, k, gm_json_at(list, i), a, path, err);
        return st;
    }
    for (size_t i = 0; i < k->n; i++)
        if (gm_str_eq_c(type, k->kinds[i].type))
            return add(out, &k->kinds[i], json, a, path, err);
    return unknown(k, type, path, err);
}

enum gm_status gm_steps_read(struct gm_steps *out, const struct gm_step_kinds *kinds,
                             const struct gm_json *root, struct gm_arena *a, const char *path,
                             struct gm_error *err)
{
    const struct gm_json *json = gm_json_get(root, kinds->member);
    *out = (struct gm_steps){0};
    if (gm_json_kind(json) == GM_JSON_NONE || gm_json_kind(json) == GM_JSON_NULL)
        return GM_OK;
    return read_step(out, kinds, json, a, path, err);
}
