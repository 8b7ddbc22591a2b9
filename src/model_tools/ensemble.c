/* ensemble.c - see ensemble.h. Tests: tests/e2e/test_ensemble.py. */
#include "model_tools/ensemble.h"

#include "base/models.h"
#include "base/path.h"
#include "model/members.h"
#include "model/settings.h"
#include "ner/tagger.h"

static enum gm_status check_member(const char *dir, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *settings = NULL;
    struct gm_str task = {0};
    GM_TRY(gm_model_settings_load(&settings, dir, err));
    (void)gm_json_str(gm_json_get(settings, "task"), &task);
    if (!gm_str_eq_c(task, "ner") || gm_json_get(settings, "head"))
        st = GM_FAIL(err, GM_EMODEL,
                     "%s: not a tagger that `gmner train` made, as the members of an ensemble are",
                     dir);
done:
    gm_json_free(settings);
    return st;
}

static enum gm_status add_member(struct gm_json *list, const char *dir, const char *name,
                                 const double *weight, struct gm_arena *a, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char hex[GM_SHA256_HEX];
    struct gm_json *member = NULL;
    GM_TRY(gm_members_fingerprint(dir, hex, err));
    for (size_t i = 0; i < gm_json_count(list); i++) {
        struct gm_str other = {0};
        (void)gm_json_str(gm_json_get(gm_json_at(list, i), "fingerprint"), &other);
        if (gm_str_eq_c(other, hex))
            return GM_FAIL(err, GM_EMODEL,
                           "%s: it is the same as a member before it, and would count twice", dir);
    }
    const char *model = name ? name : gm_path_absolute(a, gm_str(dir)).p;
    member = gm_json_new_object();
    bool ok = model && member && gm_json_set(member, "model", gm_json_new_str(gm_str(model))) &&
              gm_json_set(member, "fingerprint", gm_json_new_str(gm_str(hex)));
    ok = ok && (!weight || gm_json_set(member, "weight", gm_json_new_num(*weight))) &&
         gm_json_add(list, gm_json_ref(member));
    if (!ok)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_json_free(member);
    return st;
}

static enum gm_status write_members(const char *const *models, const double *weights, size_t n,
                                    const char *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_json *list = gm_json_new_array(), *settings = gm_json_new_object();
    gm_arena_init(&a, 0);
    GM_TRY(list && settings ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < n; i++) {
        const char *dir, *name;
        GM_TRY(gm_model_find(&a, models[i], &dir, &name, err));
        GM_TRY(check_member(dir, err));
        GM_TRY(add_member(list, dir, name, weights ? &weights[i] : NULL, &a, err));
    }
    bool ok = gm_json_set(settings, "format", gm_json_new_int(1)) &&
              gm_json_set(settings, "task", gm_json_new_str(GM_STR("ner"))) &&
              gm_json_set(settings, "members", gm_json_ref(list));
    st = ok ? gm_model_settings_save(settings, out, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_json_free(list);
    gm_json_free(settings);
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_model_ensemble(const char *const *models, const double *weights, size_t n,
                                 const char *out, struct gm_error *err)
{
    struct gm_tagger *t = NULL;
    enum gm_status st = write_members(models, weights, n, out, err);
    if (st == GM_OK)
        st = gm_tagger_load(&t, out, NULL, err);
    gm_tagger_free(t);
    return st;
}
