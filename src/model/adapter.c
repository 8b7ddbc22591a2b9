/* adapter.c - keys and meanings are those of peft's LoraConfig. What changes the meaning of the two factors, or
 * adds others, is refused; where the tensors say it themselves (which layers, ranks) they are believed.
 * Reference: peft, tests/ref/lora_reference.py. */
#include "model/adapter.h"

#include "base/file.h"
#include "base/host.h"
#include "base/models.h"
#include "base/path.h"

#include <stdio.h>

enum { MAX_CONFIG = 4 << 20 };

enum gm_status gm_adapter_is(const char *dir, bool *yes, struct gm_error *err)
{
    struct gm_arena a;
    gm_arena_init(&a, 0);
    const char *path = gm_path_join(&a, dir, GM_ADAPTER_CONFIG);
    enum gm_status st = path ? gm_path_reach(path, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
    *yes = st == GM_OK && gm_is_file(path);
    gm_arena_clear(&a);
    return st;
}

/* ---- reading ---- */

static enum gm_status unsupported(const char *path, struct gm_str key, const char *what,
                                  struct gm_error *err)
{
    return GM_FAIL(err, GM_EMODEL,
                   "%s: \"%.*s\" is not supported%s; only plain LoRA adapters of linear layers are "
                   "(peft's merge_and_unload makes a whole model of any other)",
                   path, GM_STR_ARG(key), what);
}

/* Ways of beginning that leave the base as it is; the others save factors that belong to a changed one. */
static bool keeps_base(const struct gm_json *v)
{
    static const char *const known[] = {"gaussian", "eva", "orthogonal"};
    struct gm_str s;
    if (!gm_json_str(v, &s))
        return true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (gm_str_eq_c(s, known[i]))
            return true;
    return false;
}

/* A member whose presence, unless empty, means what is not done here. */
static enum gm_status check_member(struct gm_str key, const struct gm_json *v, const char *path,
                                   struct gm_error *err)
{
    static const char *const never[] = {
        "alpha_pattern",     "layer_replication",       "lora_bias",    "fan_in_fan_out",
        "target_parameters", "trainable_token_indices", "arrow_config", "kappa_tune_config"};
    struct gm_str text = {0};
    bool on = gm_json_count(v) > 0;
    gm_json_bool(v, &on);
    if (gm_str_eq_c(key, "bias"))
        return gm_json_str(v, &text) && !gm_str_eq_c(text, "none")
                   ? unsupported(path, key, " unless it is \"none\"", err)
                   : GM_OK;
    if (gm_str_eq_c(key, "init_lora_weights"))
        return keeps_base(v) ? GM_OK : unsupported(path, key, " as it changes the base model", err);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (on && gm_str_eq_c(key, never[i]))
            return unsupported(path, key, "", err);
    if (on && gm_str_starts(key, GM_STR("use_")) && !gm_str_eq_c(key, "use_rslora"))
        return unsupported(path, key, "", err);
    return GM_OK;
}

static enum gm_status read_numbers(struct gm_lora_opts *o, const struct gm_json *j,
                                   const char *path, struct gm_error *err)
{
    long long rank = 0;
    struct gm_str type = {0};
    gm_json_str(gm_json_get(j, "peft_type"), &type);
    if (!gm_str_eq_c(type, "LORA"))
        return GM_FAIL(err, GM_EMODEL, "%s: peft_type \"%.*s\" is not supported (LORA is)", path,
                       GM_STR_ARG(type));
    if (!gm_json_int(gm_json_get(j, "r"), &rank) || rank < 1 || rank > 4096)
        return GM_FAIL(err, GM_EMODEL, "%s: \"r\" must be a whole number from 1 to 4096", path);
    if (!gm_json_num(gm_json_get(j, "lora_alpha"), &o->alpha))
        return GM_FAIL(err, GM_EMODEL, "%s: \"lora_alpha\" must be a number", path);
    o->rank = (size_t)rank;
    (void)gm_json_bool(gm_json_get(j, "use_rslora"), &o->rank_stabilised);
    (void)gm_json_num(gm_json_get(j, "lora_dropout"), &o->dropout);
    for (void *it = gm_json_first(j); it; it = gm_json_next(j, it)) {
        enum gm_status st = check_member(gm_json_key(it), gm_json_value(it), path, err);
        if (st != GM_OK)
            return st;
    }
    return GM_OK;
}

enum gm_status gm_adapter_config(struct gm_json **j, struct gm_lora_opts *o, const char *dir,
                                 struct gm_error *err)
{
    struct gm_arena a;
    gm_arena_init(&a, 0);
    const char *path = gm_path_join(&a, dir, GM_ADAPTER_CONFIG);
    enum gm_status st =
        path ? gm_json_load(j, path, MAX_CONFIG, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (st == GM_OK)
        st = read_numbers(o, *j, path, err);
    gm_arena_clear(&a);
    return st;
}

/* The name that a base has here: hubs name models OWNER/Name, and ours have small letters. */
static const char *name_of_base(const char *base, struct gm_arena *a)
{
    const char *last = strrchr(base, '/');
    last = last && last[1] ? last + 1 : base;
    char *name = gm_arena_alloc(a, strlen(last) + 1, 1);
    for (size_t i = 0; name && last[i]; i++)
        name[i] = (char)(last[i] >= 'A' && last[i] <= 'Z' ? last[i] - 'A' + 'a' : last[i]);
    return name;
}

/* The folder of a packaged model or of one that was added, which has weights. */
static enum gm_status find_model(const char *name, struct gm_arena *a, const char **dir,
                                 struct gm_error *err)
{
    const char *file;
    enum gm_status st = gm_model_path(a, name, "model.safetensors", &file, err);
    if (st != GM_OK && gm_model_path(a, name, "model.safetensors.index.json", &file, NULL) == GM_OK)
        st = GM_OK;
    return st == GM_OK ? gm_model_dir(a, name, dir, err) : st;
}

/* A base that is a folder is called by a name that is right from everywhere. */
static enum gm_status take_folder(struct gm_adapter *x, struct gm_arena *a, struct gm_error *err)
{
    enum gm_status st = gm_model_find(a, x->base, &x->base_dir, NULL, err);
    if (st != GM_OK)
        return st;
    x->base = gm_path_absolute(a, gm_str(x->base)).p;
    return x->base ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* Nothing of that name was found, as `why` says; `where` is the file that has it. */
static enum gm_status base_missing(const struct gm_adapter *x, const char *where,
                                   const struct gm_error *why, struct gm_error *err)
{
    bool here = x->base[0] == '.', is_path = here || x->base[0] == '/';
    enum gm_status st = is_path ? gm_path_reach(x->base, err) : GM_OK;
    if (st != GM_OK)
        return st;
    if (is_path)
        return GM_FAIL(
            err, GM_EMODEL,
            "%s: the base model of this adapter is to be the folder \"%s\"%s, which isn't there; write "
            "into this file where it is%s",
            where, x->base, here ? ", from the current one," : "",
            gm_option(", or `gmner models add FOLDER --name NAME` with its last part as NAME"));
    return GM_FAIL(
        err, why->code,
        "%s: the base model \"%s\" of this adapter is no folder, and %s; write into this "
        "file where it is%s",
        where, x->base, why->msg,
        gm_option(", or `gmner models add FOLDER --name NAME` gives one that name"));
}

/* The folder of the base: a path as it is, or a model's by its name. That goes before a folder of the same name, as
 * whatever lies in the current folder is not what the adapter was trained on. */
static enum gm_status find_base(struct gm_adapter *x, const char *where, struct gm_arena *a,
                                struct gm_error *err)
{
    const char *name = name_of_base(x->base, a);
    struct gm_error why = {0};
    bool is_dir = gm_is_dir(x->base);
    if (!name)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (is_dir && strchr(x->base, '/'))
        return take_folder(x, a, err);
    enum gm_status st = find_model(name, a, &x->base_dir, &why);
    if (st != GM_OK && is_dir)
        return take_folder(x, a, err);
    return st == GM_OK ? GM_OK : base_missing(x, where, &why, err);
}

/* The base as a directory names it, and which of its files does. */
static enum gm_status read_base(struct gm_adapter *x, const struct gm_json *settings,
                                const struct gm_json *config, const char *dir, struct gm_arena *a,
                                const char **where, struct gm_error *err)
{
    struct gm_str base = {0};
    bool ours = gm_json_str(gm_json_get(gm_json_get(settings, "base"), "model"), &base);
    *where = gm_path_join(a, dir, ours ? "gmner.json" : GM_ADAPTER_CONFIG);
    if (*where && !ours && !gm_json_str(gm_json_get(config, "base_model_name_or_path"), &base))
        return GM_FAIL(err, GM_EMODEL,
                       "%s: \"base_model_name_or_path\" does not say the base model", *where);
    x->base = gm_arena_str(a, base).p;
    return *where && x->base ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

enum gm_status gm_adapter_read(struct gm_adapter *out, const char *dir,
                               const struct gm_json *settings, struct gm_arena *a, bool *found,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    const char *where;
    *out = (struct gm_adapter){.lora.rank = 0};
    GM_TRY(gm_adapter_is(dir, found, err));
    if (!*found)
        goto done;
    GM_TRY(gm_adapter_config(&j, &out->lora, dir, err));
    GM_TRY(read_base(out, settings, j, dir, a, &where, err));
    st = find_base(out, where, a, err);
done:
    gm_json_free(j);
    return st;
}

enum gm_status gm_adapter_open(struct gm_safetensors **out, const char *dir, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    const char *path = gm_path_join(&a, dir, GM_ADAPTER_WEIGHTS),
               *pickle = gm_path_join(&a, dir, "adapter_model.bin");
    GM_TRY(path && pickle ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_path_reach(path, err));
    if (!gm_is_file(path) && gm_is_file(pickle))
        st = GM_FAIL(
            err, GM_EMODEL,
            "%s: no " GM_ADAPTER_WEIGHTS
            ", only a pickle; convert it: python3 -c \"import torch; from "
            "safetensors.torch import save_file; save_file({k: v.contiguous() for k, v in torch.load("
            "'%s', 'cpu').items()}, '%s', {'format': 'pt'})\"",
            pickle, pickle, path);
    else
        st = gm_safetensors_open(out, path, err);
done:
    gm_arena_clear(&a);
    return st;
}

/* ---- writing ---- */

/* The ends of the layers' names that have adapters, without what differs from layer to layer: all behind the
 * number. */
static bool add_target(struct gm_json *list, const char *tensor)
{
    struct gm_str s = gm_str(tensor), have;
    size_t from = 0;
    s = gm_str_sub(s, 0, s.n - strlen(".weight"));
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] >= '0' && s.p[i] <= '9' && s.p[i + 1] == '.' && i > 0)
            from = i + 2;
    s = gm_str_sub(s, from, s.n);
    for (size_t i = 0; i < gm_json_count(list); i++)
        if (gm_json_str(gm_json_at(list, i), &have) && gm_str_eq(have, s))
            return true;
    return gm_json_add(list, gm_json_new_str(s));
}

static struct gm_json *targets_of(const struct gm_params *ps)
{
    struct gm_json *list = gm_json_new_array();
    bool ok = list != NULL;
    for (size_t i = 0; i < ps->n; i++) {
        const struct gm_lora *l = ps->p[i].lora;
        for (size_t k = 0; l && ok && k < l->n; k++)
            ok = add_target(list,
                            ps->p[i].names[l->part[k].at / (ps->p[i].shape[0] / ps->p[i].n_parts)]);
    }
    if (ok)
        return list;
    gm_json_free(list);
    return NULL;
}

/* What is trained whole, as peft's modules_to_save: the names in front of the first dot. */
static struct gm_json *modules_of(const struct gm_params *ps)
{
    struct gm_json *list = gm_json_new_array();
    bool ok = list != NULL;
    for (size_t i = 0; i < ps->n; i++) {
        const struct gm_param *p = &ps->p[i];
        struct gm_str name = {0}, rest, have;
        bool known = p->frozen || p->helper || strstr(p->names[0], ".lora_");
        gm_str_cut(gm_str(p->names[0]), '.', &name, &rest);
        for (size_t k = 0; k < gm_json_count(list); k++)
            known = known || (gm_json_str(gm_json_at(list, k), &have) && gm_str_eq(have, name));
        if (!known)
            ok = ok && gm_json_add(list, gm_json_new_str(name));
    }
    if (ok)
        return list;
    gm_json_free(list);
    return NULL;
}

enum gm_status gm_adapter_write(const struct gm_params *ps, const struct gm_lora_opts *o,
                                const char *base, const char *dir, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_json *j = gm_json_new_object();
    gm_arena_init(&a, 0);
    const char *path = gm_path_join(&a, dir, GM_ADAPTER_CONFIG);
    bool ok = path && j && gm_json_set(j, "peft_type", gm_json_new_str(GM_STR("LORA"))) &&
              gm_json_set(j, "task_type", gm_json_new_str(GM_STR("FEATURE_EXTRACTION"))) &&
              gm_json_set(j, "base_model_name_or_path", gm_json_new_str(gm_str(base))) &&
              gm_json_set(j, "r", gm_json_new_int((long long)o->rank)) &&
              gm_json_set(j, "lora_alpha", gm_json_new_num(o->alpha)) &&
              gm_json_set(j, "lora_dropout", gm_json_new_num(o->dropout)) &&
              gm_json_set(j, "use_rslora", gm_json_new_bool(o->rank_stabilised)) &&
              gm_json_set(j, "bias", gm_json_new_str(GM_STR("none"))) &&
              gm_json_set(j, "target_modules", targets_of(ps)) &&
              gm_json_set(j, "modules_to_save", modules_of(ps)) &&
              gm_json_set(j, "inference_mode", gm_json_new_bool(true));
    GM_TRY(ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    st = gm_json_save(j, path, MAX_CONFIG, err);
done:
    gm_json_free(j);
    gm_arena_clear(&a);
    return st;
}
