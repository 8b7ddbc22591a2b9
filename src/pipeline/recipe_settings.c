/* The settings of a recipe's stages: from settings files, from the command line, and where each is
 * from, so that what is said of a setting can name its line. */
#include "pipeline/recipe_internal.h"

#include "base/alloc.h"
#include "base/yaml.h"

#include <stdio.h>
#include <string.h>

enum gm_status gm_recipe_put(struct gm_recipe *r, struct gm_recipe_stage *s, const char *key,
                             const struct gm_json *value, const char *path, size_t line,
                             struct gm_error *err)
{
    struct gm_str where = gm_arena_printf(&r->arena, "%s:%zu", path, line);
    if (where.p && gm_json_set(s->settings, key, gm_json_ref(value)) &&
        gm_json_set(s->origins, key, gm_json_new_str(where)))
        return GM_OK;
    return GM_FAIL(err, GM_ENOMEM, "out of memory, or a path that is not UTF-8: %s", path);
}

static struct gm_recipe_stage *find_stage(struct gm_recipe *r, const char *stage)
{
    for (size_t i = 0; i < r->n_stages; i++)
        if (strcmp(r->stages[i].backend->stage, stage) == 0)
            return &r->stages[i];
    return NULL;
}

/* NAME_of gives some types a value of their own in place of NAME's: the two are taken from one place, so that who
 * sets NAME sets it for all. */
static bool is_overruled(const struct gm_recipe_stage *s, const struct gm_json *settings,
                         struct gm_str key)
{
    struct gm_str of = GM_STR("_of");
    char name[64];
    if (!gm_str_ends(key, of) || key.n - of.n >= sizeof name)
        return false;
    memcpy(name, key.p, key.n - of.n);
    name[key.n - of.n] = 0;
    const struct gm_json *have = gm_json_get(s->settings, name);
    return have && have != gm_json_get(settings, name);
}

static void overrule(struct gm_recipe_stage *s, const struct gm_json *settings, const char *name)
{
    char key[64];
    int n = snprintf(key, sizeof key, "%s_of", name);
    if (n > 0 && (size_t)n < sizeof key && !gm_json_get(settings, key))
        gm_json_remove(s->settings, key);
}

/* What the file says of one stage; the message of an error is behind "FILE:LINE: ". */
static enum gm_status include_stage(struct gm_recipe *r, const char *stage,
                                    const struct gm_json *settings, const char *path,
                                    const struct gm_yaml_lines *lines, bool replaces,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_recipe_stage *s = find_stage(r, stage);
    if (gm_stage_order(stage) < 0)
        return GM_FAIL(err, GM_EFORMAT,
                       "there is no stage \"%s\"; a settings file has stages, and of each its "
                       "settings",
                       stage);
    if (!s)
        return GM_FAIL(err, GM_EFORMAT, "recipe %s has no stage %s", r->name, stage);
    if (gm_json_kind(settings) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EFORMAT, "the settings of %s must be a mapping, but are %s", stage,
                       gm_json_kind_name(gm_json_kind(settings)));
    for (void *it = gm_json_first(settings); it; it = gm_json_next(settings, it)) {
        const char *key = gm_json_key(it).p;
        if (strcmp(key, "stage") == 0 || strcmp(key, "backend") == 0)
            return GM_FAIL(err, GM_EFORMAT, "\"%s\" is the recipe's to say", key);
        if (replaces)
            overrule(s, settings, key);
        if (replaces ||
            (!gm_json_get(s->settings, key) && !is_overruled(s, settings, gm_json_key(it))))
            GM_TRY(gm_recipe_put(r, s, key, gm_json_value(it), path,
                                 gm_yaml_line_of(lines, settings, key), err));
    }
done:
    return st;
}

enum gm_status gm_recipe_include(struct gm_recipe *r, const char *path, bool replaces,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    struct gm_yaml_lines lines;
    gm_yaml_lines_init(&lines);
    GM_TRY(gm_yaml_load_lines(&j, &lines, path, err));
    if (gm_json_kind(j) != GM_JSON_OBJECT) {
        st = GM_FAIL(err, GM_EFORMAT, "%s: a settings file is a mapping of stages, but is %s", path,
                     gm_json_kind_name(gm_json_kind(j)));
        goto done;
    }
    for (void *it = gm_json_first(j); it; it = gm_json_next(j, it)) {
        const char *stage = gm_json_key(it).p;
        st = include_stage(r, stage, gm_json_value(it), path, &lines, replaces, err);
        if (st != GM_OK) {
            gm_error_prefix(err, "%s:%zu", path, gm_yaml_line_of(&lines, j, stage));
            goto done;
        }
    }
done:
    gm_yaml_lines_clear(&lines);
    gm_json_free(j);
    return st;
}

const char *gm_recipe_where(const struct gm_recipe *r, const struct gm_json *settings,
                            const char *message)
{
    const char *best = NULL, *first = NULL; /* where the message names it */
    for (size_t i = 0; i < r->n_stages; i++) {
        const struct gm_json *origins = r->stages[i].origins;
        if (r->stages[i].settings != settings)
            continue;
        for (void *it = gm_json_first(origins); it; it = gm_json_next(origins, it)) {
            char quoted[80];
            struct gm_str where;
            snprintf(quoted, sizeof quoted, "setting \"%s\"", gm_json_key(it).p);
            const char *at = strstr(message, quoted);
            if (!at || (first && at > first) || !gm_json_str(gm_json_value(it), &where))
                continue;
            first = at;
            best = where.p;
        }
    }
    return best;
}

void gm_recipe_free(struct gm_recipe *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_stages; i++) {
        gm_json_free(r->stages[i].settings);
        gm_json_free(r->stages[i].origins);
    }
    gm_arena_clear(&r->arena);
    gm_free(r);
}

enum gm_status gm_recipe_set(struct gm_recipe *r, const char *stage, const char *backend,
                             const char *key, const char *value, size_t *n_set,
                             struct gm_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_stages; i++) {
        struct gm_recipe_stage *s = &r->stages[i];
        if ((stage && strcmp(s->backend->stage, stage) != 0) ||
            (backend && strcmp(s->backend->name, backend) != 0))
            continue;
        if (!gm_json_set(s->settings, key, gm_json_new_str(gm_str(value))))
            return GM_FAIL(err, GM_ENOMEM, "out of memory, or not UTF-8: %s", value);
        gm_json_remove(s->origins, key);
        n++;
    }
    if (n_set)
        *n_set = n;
    return GM_OK;
}

void gm_recipe_remove(struct gm_recipe *r, const char *stage, const char *key)
{
    for (size_t i = 0; i < r->n_stages; i++)
        if (strcmp(r->stages[i].backend->stage, stage) == 0) {
            gm_json_remove(r->stages[i].settings, key);
            gm_json_remove(r->stages[i].origins, key);
        }
}
