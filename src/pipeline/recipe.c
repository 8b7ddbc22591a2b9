#include "pipeline/recipe_internal.h"

#include "base/alloc.h"
#include "base/home_file.h"
#include "base/path.h"
#include "base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "native, llm": the backends of a stage, for messages. */
static void list_backends(const char *stage, char *text, size_t cap)
{
    const struct gm_backend *b;
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; (b = gm_backend_at(i)) && used < cap; i++)
        if (strcmp(b->stage, stage) == 0)
            used += (size_t)snprintf(text + used, cap - used, "%s%s", used ? ", " : "", b->name);
}

static enum gm_status find_backend(const char *stage, const char *name,
                                   const struct gm_backend **out, struct gm_error *err)
{
    char known[256];
    *out = gm_backend_find(stage, name);
    if (*out)
        return GM_OK;
    list_backends(stage, known, sizeof known);
    if (gm_stage_order(stage) < 0)
        return GM_FAIL(err, GM_EFORMAT, "there is no stage \"%s\"; the stages are " GM_STAGE_LIST,
                       stage);
    if (name && known[0])
        return GM_FAIL(err, GM_EFORMAT, "stage %s has no backend \"%s\"; it has: %s", stage, name,
                       known);
    return GM_FAIL(err, GM_EFORMAT, "stage %s has no backend%s%s in this program", stage,
                   name ? " " : "", name ? name : "");
}

/* A file that is being read. */
struct source {
    const char *path;
    struct gm_yaml_lines lines;
};

/* All members but `stage` and `backend`, and where they are. */
static enum gm_status copy_settings(struct gm_recipe *r, const struct source *from,
                                    const struct gm_json *item, struct gm_recipe_stage *s,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    s->settings = gm_json_new_object();
    s->origins = gm_json_new_object();
    if (!s->settings || !s->origins)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (void *it = gm_json_first(item); it; it = gm_json_next(item, it)) {
        struct gm_str key = gm_json_key(it);
        if (gm_str_eq_c(key, "stage") || gm_str_eq_c(key, "backend"))
            continue;
        GM_TRY(gm_recipe_put(r, s, key.p, gm_json_value(it), from->path,
                             gm_yaml_line_of(&from->lines, item, key.p), err));
    }
done:
    return st;
}

static enum gm_status read_stage(struct gm_recipe *r, const struct source *from,
                                 const struct gm_json *item, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *stage, *name;
    struct gm_recipe_stage *s = &r->stages[r->n_stages];
    if (gm_json_kind(item) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EFORMAT, "it must be a mapping with the key \"stage\", but is %s",
                       gm_json_kind_name(gm_json_kind(item)));
    GM_TRY(gm_json_text(&stage, item, "stage", true, &r->arena, err));
    GM_TRY(gm_json_text(&name, item, "backend", false, &r->arena, err));
    GM_TRY(find_backend(stage, name, &s->backend, err));
    if (r->n_stages && gm_stage_order(stage) <= gm_stage_order(s[-1].backend->stage))
        return GM_FAIL(err, GM_EFORMAT,
                       "stage %s cannot come after %s; the order is " GM_STAGE_LIST, stage,
                       s[-1].backend->stage);
    r->n_stages++; /* from here on gm_recipe_free sees it */
    GM_TRY(copy_settings(r, from, item, s, err));
done:
    return st;
}

static enum gm_status check_keys(const struct source *from, const struct gm_json *j,
                                 struct gm_error *err)
{
    static const char *const known[] = {"name", "description", "settings", "stages", NULL};
    if (gm_json_kind(j) != GM_JSON_OBJECT)
        return GM_FAIL(
            err, GM_EFORMAT,
            "%s: a recipe is a mapping with the keys name, description, settings, stages",
            from->path);
    for (void *it = gm_json_first(j); it; it = gm_json_next(j, it)) {
        const char *key = gm_json_key(it).p;
        size_t k = 0;
        while (known[k] && strcmp(key, known[k]) != 0)
            k++;
        if (!known[k])
            return GM_FAIL(err, GM_EFORMAT,
                           "%s:%zu: unknown key \"%s\"; a recipe has: name, description, settings, "
                           "stages",
                           from->path, gm_yaml_line_of(&from->lines, j, key), key);
    }
    return GM_OK;
}

static enum gm_status read_stages(struct gm_recipe *r, const struct source *from,
                                  const struct gm_json *stages, struct gm_error *err)
{
    size_t n = gm_json_count(stages);
    if (gm_json_kind(stages) != GM_JSON_ARRAY || n == 0)
        return GM_FAIL(err, GM_EFORMAT, "%s: \"stages\" must be a list that is not empty",
                       from->path);
    r->stages = gm_arena_alloc(&r->arena, n, sizeof *r->stages);
    if (!r->stages)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        enum gm_status st = read_stage(r, from, gm_json_at(stages, i), err);
        if (st != GM_OK) {
            gm_error_prefix(err, "%s:%zu: stages[%zu]", from->path,
                            gm_yaml_line_at(&from->lines, stages, i), i);
            return st;
        }
    }
    return GM_OK;
}

/* One settings file, from the recipe's folder. Nothing replaces what is there: see include_all. */
static enum gm_status include(struct gm_recipe *r, const struct source *from,
                              const struct gm_json *name, size_t line, struct gm_error *err)
{
    struct gm_str file;
    const char *dir = gm_path_dir(&r->arena, from->path);
    if (!gm_json_str(name, &file) || !file.n)
        return GM_FAIL(err, GM_EFORMAT,
                       "%s:%zu: \"settings\" must be a settings file, or a list of them, but is %s",
                       from->path, line, gm_json_kind_name(gm_json_kind(name)));
    const char *path = dir ? gm_path_join(&r->arena, dir, file.p) : NULL;
    if (!path)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    enum gm_status st = gm_recipe_include(r, path, false, err);
    if (st != GM_OK)
        gm_error_prefix(err, "%s:%zu", from->path, line);
    return st;
}

static enum gm_status include_all(struct gm_recipe *r, const struct source *from,
                                  const struct gm_json *j, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *files = gm_json_get(j, "settings");
    if (!files)
        return GM_OK;
    if (gm_json_kind(files) != GM_JSON_ARRAY)
        return include(r, from, files, gm_yaml_line_of(&from->lines, j, "settings"), err);
    for (size_t i = gm_json_count(files); i-- > 0;) /* the last counts before the others */
        GM_TRY(
            include(r, from, gm_json_at(files, i), gm_yaml_line_at(&from->lines, files, i), err));
done:
    return st;
}

static enum gm_status read_recipe(struct gm_recipe *r, const struct source *from,
                                  const struct gm_json *j, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(check_keys(from, j, err));
    struct gm_str stem = gm_path_file(gm_str(from->path));
    size_t dot = gm_str_find(stem, GM_STR(".y"), 0);
    r->name = gm_arena_str(&r->arena, gm_str_sub(stem, 0, dot == SIZE_MAX ? stem.n : dot)).p;
    GM_TRY(r->name ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (gm_json_get(j, "name"))
        st = gm_json_text(&r->name, j, "name", true, &r->arena, err);
    if (st == GM_OK)
        st = gm_json_text(&r->description, j, "description", false, &r->arena, err);
    if (st != GM_OK) {
        gm_error_prefix(err, "%s", from->path);
        goto done;
    }
    GM_TRY(read_stages(r, from, gm_json_get(j, "stages"), err));
    GM_TRY(include_all(r, from, j, err));
done:
    return st;
}

enum gm_status gm_recipe_load(struct gm_recipe **out, const char *which, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    struct source from = {.path = NULL};
    const struct gm_home_files recipes = {"recipes", "recipe"};
    *out = NULL;
    struct gm_recipe *r = gm_alloc(1, sizeof *r);
    if (!r)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&r->arena, 0);
    gm_yaml_lines_init(&from.lines);
    GM_TRY(gm_home_file_find(&r->arena, &recipes, which, &r->path, err));
    r->path = gm_arena_str(&r->arena, gm_str(r->path)).p;
    if (!r->path) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    from.path = r->path;
    GM_TRY(gm_yaml_load_lines(&j, &from.lines, r->path, err));
    GM_TRY(read_recipe(r, &from, j, err));
    *out = r;
    r = NULL;
done:
    gm_yaml_lines_clear(&from.lines);
    gm_json_free(j);
    gm_recipe_free(r);
    return st;
}
