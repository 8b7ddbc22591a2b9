#include "tokenizer/special_tokens.h"

#include "tokenizer/token_model.h"

/* One step of a template: a special token's name, or an empty name for the text itself. */
static bool template_step(const struct gm_json *step, struct gm_str *name)
{
    *name = GM_STR("");
    if (gm_json_get(step, "Sequence"))
        return true;
    return gm_json_str(gm_json_get(gm_json_get(step, "SpecialToken"), "id"), name);
}

static enum gm_status read_template(struct gm_special_tokens_ids *out, const struct gm_json *json,
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

/* The id of the first of two names that the tokenizer has; -1 = neither. */
static int32_t either(const struct gm_added_tokens *added, const struct gm_vocab *vocab,
                      const char *a, const char *b)
{
    const char *names[] = {a, b};
    int32_t id = -1;
    for (size_t i = 0; i < 2 && id < 0; i++) {
        id = gm_added_tokens_id(added, gm_str(names[i]));
        id = id >= 0 ? id : gm_vocab_find(vocab, gm_str(names[i]));
    }
    return id;
}

static enum gm_status read_pair(struct gm_special_tokens_ids *out, const struct gm_json *json,
                                const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_token_id_read(&out->cls, gm_json_at(gm_json_get(json, "cls"), 1), path, GM_STR("cls"),
                            err));
    GM_TRY(gm_token_id_read(&out->sep, gm_json_at(gm_json_get(json, "sep"), 1), path, GM_STR("sep"),
                            err));
done:
    return st;
}

static enum gm_status read_one(struct gm_post_processing *out, const struct gm_json *json,
                               const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str type = GM_STR("without a type");
    gm_json_str(gm_json_get(json, "type"), &type);
    bool roberta = gm_str_eq_c(type, "RobertaProcessing");
    if (roberta || gm_str_eq_c(type, "ByteLevel")) {
        out->trim_offsets = out->add_prefix_space = true;
        gm_json_bool(gm_json_get(json, "trim_offsets"), &out->trim_offsets);
        gm_json_bool(gm_json_get(json, "add_prefix_space"), &out->add_prefix_space);
        return roberta ? read_pair(&out->ids, json, path, err) : GM_OK;
    }
    if (gm_str_eq_c(type, "TemplateProcessing"))
        return read_template(&out->ids, json, path, err);
    if (gm_str_eq_c(type, "BertProcessing"))
        return read_pair(&out->ids, json, path, err);
    if (!gm_str_eq_c(type, "Sequence"))
        return GM_FAIL(err, GM_EMODEL,
                       "%s: post_processor %.*s is not supported (TemplateProcessing, "
                       "BertProcessing, RobertaProcessing, ByteLevel and Sequence are)",
                       path, GM_STR_ARG(type));
    const struct gm_json *list = gm_json_get(json, "processors");
    for (size_t i = 0; i < gm_json_count(list); i++)
        GM_TRY(read_one(out, gm_json_at(list, i), path, err));
done:
    return st;
}

enum gm_status gm_post_processing_read(struct gm_post_processing *out,
                                       const struct gm_added_tokens *added,
                                       const struct gm_vocab *vocab, const struct gm_json *json,
                                       const char *path, struct gm_error *err)
{
    *out = (struct gm_post_processing){.ids = {-1, -1, -1, -1}};
    out->ids.pad = either(added, vocab, "[PAD]", "<pad>");
    if (gm_json_kind(json) != GM_JSON_NONE && gm_json_kind(json) != GM_JSON_NULL)
        return read_one(out, json, path, err);
    out->ids.cls = either(added, vocab, "[CLS]", "<s>");
    out->ids.sep = either(added, vocab, "[SEP]", "</s>");
    return GM_OK;
}
