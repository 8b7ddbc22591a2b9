/* Reading a stage's settings strictly: a key that nobody reads is a mistake of the user's. */
#include "stages/stage.h"

#include "nn/engine.h"

#include <math.h>
#include <stdio.h>

enum gm_status gm_settings_check(const struct gm_json *settings, const char *stage,
                                 const char *const *known, struct gm_error *err)
{
    for (void *it = gm_json_first(settings); it; it = gm_json_next(settings, it)) {
        struct gm_str key = gm_json_key(it);
        size_t i = 0;
        while (known[i] && !gm_str_eq_c(key, known[i]))
            i++;
        if (known[i])
            continue;
        char list[512] = "";
        for (size_t k = 0, used = 0; known[k] && used < sizeof list; k++)
            used +=
                (size_t)snprintf(list + used, sizeof list - used, "%s%s", k ? ", " : "", known[k]);
        return GM_FAIL(err, GM_EARG, "unknown setting \"%.*s\"; %s knows: %s", GM_STR_ARG(key),
                       stage, list[0] ? list : "none");
    }
    return GM_OK;
}

enum gm_status gm_settings_num(const struct gm_json *settings, const char *key, double min,
                               double max, double *value, struct gm_error *err)
{
    const struct gm_json *j = gm_json_get(settings, key);
    double x;
    if (!j)
        return GM_OK;
    if (!gm_json_num(j, &x))
        return GM_FAIL(err, GM_EARG, "setting \"%s\" must be a number, but is %s", key,
                       gm_json_kind_name(gm_json_kind(j)));
    if (!(x >= min && x <= max))
        return GM_FAIL(err, GM_EARG, "setting \"%s\" is %g; it must be from %g to %g", key, x, min,
                       max);
    *value = x;
    return GM_OK;
}

enum gm_status gm_settings_whole(const struct gm_json *settings, const char *key, double min,
                                 double max, double *value, struct gm_error *err)
{
    double x = *value;
    enum gm_status st = gm_settings_num(settings, key, min, max, &x, err);
    if (st == GM_OK && x != floor(x))
        st = GM_FAIL(err, GM_EARG, "setting \"%s\" is %g; it must be a whole number", key, x);
    if (st == GM_OK)
        *value = x;
    return st;
}

enum gm_status gm_settings_bool(const struct gm_json *settings, const char *key, bool *value,
                                struct gm_error *err)
{
    const struct gm_json *j = gm_json_get(settings, key);
    if (!j || gm_json_bool(j, value))
        return GM_OK;
    return GM_FAIL(err, GM_EARG, "setting \"%s\" must be true or false, but is %s", key,
                   gm_json_kind_name(gm_json_kind(j)));
}

enum gm_status gm_settings_str(const struct gm_json *settings, const char *key,
                               struct gm_str *value, struct gm_error *err)
{
    const struct gm_json *j = gm_json_get(settings, key);
    if (!j || gm_json_str(j, value))
        return GM_OK;
    return GM_FAIL(err, GM_EARG, "setting \"%s\" must be a text, but is %s", key,
                   gm_json_kind_name(gm_json_kind(j)));
}

enum gm_status gm_settings_precision(const struct gm_json *settings, const char *key,
                                     struct gm_str *name, struct gm_precision *out,
                                     struct gm_error *err)
{
    enum gm_status st = gm_settings_str(settings, key, name, err);
    if (st != GM_OK)
        return st;
    st = gm_precision_pick(name->p, out, err);
    if (st != GM_OK)
        gm_error_prefix(err, "setting \"%s\"", key);
    return st;
}

enum gm_status gm_fingerprint_setting(const struct gm_backend *b, const struct gm_json *settings,
                                      struct gm_buf *out, struct gm_error *err)
{
    struct gm_str model = gm_str(b->model);
    enum gm_status st = gm_settings_str(settings, "model", &model, err);
    return st == GM_OK ? gm_fingerprint_model(model.p, out, err) : st;
}
