/* members.c - see members.h. Tests: tests/e2e/test_ensemble.py. */
#include "model/members.h"

#include "base/file.h"
#include "base/fingerprint.h"
#include "base/models.h"
#include "base/path.h"
#include "model/adapter.h"
#include "model/settings.h"

#include <stdint.h>

bool gm_members_are_in(const struct gm_json *settings)
{
    return gm_json_get(settings, "members") != NULL;
}

enum gm_status gm_members_refuse(const struct gm_json *settings, const char *dir,
                                 struct gm_error *err)
{
    if (!gm_members_are_in(settings))
        return GM_OK;
    return GM_FAIL(
        err, GM_EMODEL,
        "%s: an ensemble, which has no weights of its own and is for prediction alone; name "
        "one of its members",
        dir);
}

static enum gm_status weights_of(const char *dir, char hex[GM_SHA256_HEX], struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    bool is_adapter;
    gm_arena_init(&a, 0);
    GM_TRY(gm_adapter_is(dir, &is_adapter, err));
    const char *path = gm_path_join(&a, dir, is_adapter ? GM_ADAPTER_WEIGHTS : "model.safetensors");
    GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    st = gm_fingerprint_sample(path, hex, err);
done:
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_members_fingerprint(const char *dir, char hex[GM_SHA256_HEX],
                                      struct gm_error *err)
{
    static const char *const parts[] = {"config.json", "tokenizer.json", GM_ADAPTER_CONFIG};
    enum gm_status st = GM_OK;
    struct gm_json *settings = NULL;
    struct gm_buf text;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    gm_buf_init(&text, SIZE_MAX - 1);
    GM_TRY(weights_of(dir, hex, err));
    GM_TRY(gm_buf_printf(&text, err, "weights=%s\n", hex));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *path = gm_path_join(&a, dir, parts[i]);
        GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
        if (gm_is_file(path)) /* an adapter has some of its base */
            GM_TRY(gm_fingerprint_file(parts[i], path, &text, err));
    }
    GM_TRY(gm_model_settings_load(&settings, dir, err));
    if (settings) {
        gm_json_remove(settings, "calibration");
        GM_TRY(gm_json_write(settings, false, &text, err));
    }
    gm_sha256(gm_buf_str(&text), hex);
done:
    gm_json_free(settings);
    gm_buf_clear(&text);
    gm_arena_clear(&a);
    return st;
}

bool gm_members_weight_fits(double weight) { return weight >= 1e-3 && weight <= 1e3; }

static enum gm_status read_member(struct gm_members *m, const struct gm_json *j,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str model = {0}, want = {0};
    char have[GM_SHA256_HEX];
    const struct gm_json *weight = gm_json_get(j, "weight");
    const char **dir = &m->dirs[m->n];
    m->weights[m->n] = 1;
    if (!gm_json_str(gm_json_get(j, "model"), &model) || !model.n ||
        !gm_json_str(gm_json_get(j, "fingerprint"), &want))
        return GM_FAIL(err, GM_EMODEL,
                       "%s/gmner.json: each of its \"members\" needs \"model\" and \"fingerprint\"",
                       m->dir);
    if (weight &&
        !(gm_json_num(weight, &m->weights[m->n]) && gm_members_weight_fits(m->weights[m->n])))
        return GM_FAIL(err, GM_EMODEL,
                       "%s/gmner.json: a member's \"weight\" must be a number from 0.001 to 1000",
                       m->dir);
    const char *name = gm_arena_str(&m->arena, model).p;
    GM_TRY(name ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    st = gm_model_dir(&m->arena, name, dir, err);
    if (st == GM_OK)
        st = gm_members_fingerprint(*dir, have, err);
    if (st == GM_OK && !gm_str_eq_c(want, have))
        st = GM_FAIL(err, GM_EMODEL,
                     "not the model that the ensemble was made of; make it anew with `gmner models "
                     "ensemble`");
    if (st != GM_OK)
        gm_error_prefix(err, "%s: its member %s", m->dir, name);
    m->n += st == GM_OK;
done:
    return st;
}

enum gm_status gm_members_open(struct gm_members *m, const char *model, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *m = (struct gm_members){.n = 0};
    gm_arena_init(&m->arena, 0);
    GM_TRY(gm_model_find(&m->arena, model, &m->dir, NULL, err));
    GM_TRY(gm_model_settings_load(&m->settings, m->dir, err));
    if (!gm_members_are_in(m->settings))
        goto done;
    GM_TRY(gm_model_settings_check(m->settings, m->dir, "ner", err));
    const struct gm_json *list = gm_json_get(m->settings, "members");
    size_t n = gm_json_count(list);
    if (n < 2 || n > GM_MEMBERS_MAX) {
        st = GM_FAIL(err, GM_EMODEL, "%s/gmner.json: %zu \"members\"; an ensemble has 2 to %d",
                     m->dir, n, GM_MEMBERS_MAX);
        goto done;
    }
    m->dirs = gm_arena_alloc(&m->arena, n, sizeof *m->dirs);
    m->weights = gm_arena_alloc(&m->arena, n, sizeof *m->weights);
    GM_TRY(m->dirs && m->weights ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        GM_TRY(read_member(m, gm_json_at(list, i), err));
        sum += m->weights[i];
    }
    for (size_t i = 0; i < n; i++)
        m->weights[i] /= sum;
done:
    return st;
}

void gm_members_clear(struct gm_members *m)
{
    gm_json_free(m->settings);
    gm_arena_clear(&m->arena);
    *m = (struct gm_members){.n = 0};
}
