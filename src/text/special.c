#include "text/special.h"

#include "text/token_model.h"

/* One step of a template: a special token's name, or an empty name for the text itself. */
static bool template_step(const struct gm_json *step, struct gm_str *name)
{
    *name = GM_STR("");
    if (gm_json_get(step, "Sequence"))
        return true;
    return gm_json_str(gm_json_get(gm_json_get(step, "SpecialToken"), "id"), name);
}

static enum gm_status read_template(struct gm_special_ids *out, const struct gm_json *json,
                                    const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *steps = gm_json_get(json, "single");
    size_t n = gm_json_count(steps);
    struct gm_str name[3] = {{0}};
    bool ok = n == 1 || n == 3;
    for (size_t i = 0; i < n && ok; i++)
        ok = template_step(gm_json_at(steps, i), &name[i]) && (name[i].n == 0) == (i == n / 2);
    if (!ok)
        return GM_FAIL(err, GM_EMODEL, "%s: post_processor.single is not of the form CLS text SEP",
                       path);
    for (size_t i = 0; i < n; i += 2) {
        int32_t *id = i == 0 ? &out->cls : &out->sep;
        const struct gm_json *tokens = gm_json_get(json, "special_tokens");
        if (n == 3) {
            const struct gm_json *ids = gm_json_get(gm_json_get(tokens, name[i].p), "ids");
            GM_TRY(gm_token_id_read(id, gm_json_at(ids, 0), path, name[i], err));
        }
    }
done:
    return st;
}

enum gm_status gm_special_read(struct gm_special_ids *out, const struct gm_tokenizer *t,
                               const struct gm_json *json, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str type = GM_STR("");
    *out = (struct gm_special_ids){-1, -1, -1, -1};
    out->pad = gm_tokenizer_id(t, GM_STR("[PAD]"));
    if (out->pad < 0)
        out->pad = gm_tokenizer_id(t, GM_STR("<pad>"));
    gm_json_str(gm_json_get(json, "type"), &type);
    if (gm_str_eq_c(type, "TemplateProcessing")) {
        st = read_template(out, json, path, err);
    } else if (gm_str_eq_c(type, "BertProcessing") || gm_str_eq_c(type, "RobertaProcessing")) {
        GM_TRY(gm_token_id_read(&out->cls, gm_json_at(gm_json_get(json, "cls"), 1), path,
                                GM_STR("cls"), err));
        GM_TRY(gm_token_id_read(&out->sep, gm_json_at(gm_json_get(json, "sep"), 1), path,
                                GM_STR("sep"), err));
    } else if (type.n == 0) {
        out->cls = gm_tokenizer_id(t, GM_STR("[CLS]"));
        out->sep = gm_tokenizer_id(t, GM_STR("[SEP]"));
    } else {
        st = GM_FAIL(err, GM_EMODEL, "%s: post_processor %.*s is not supported", path,
                     GM_STR_ARG(type));
    }
done:
    return st;
}
