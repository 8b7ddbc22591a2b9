#include "text/pretokenise.h"

#include "base/utf8.h"
#include "text/unicode.h"

enum gm_status gm_pretokenise_check(const struct gm_json *json, const char *path,
                                    struct gm_error *err)
{
    struct gm_str type = GM_STR("null");
    gm_json_str(gm_json_get(json, "type"), &type);
    if (gm_str_eq_c(type, "BertPreTokenizer"))
        return GM_OK;
    return GM_FAIL(err, GM_EMODEL, "%s: pre_tokenizer %.*s is not supported (BertPreTokenizer is)",
                   path, GM_STR_ARG(type));
}

bool gm_pretokenise_next(struct gm_str s, size_t *at, struct gm_str *word)
{
    size_t start = *at, pos = *at;
    while (pos < s.n) {
        size_t here = pos;
        uint32_t cp = gm_utf8_next(s, &pos);
        bool space = gm_cp_is_space(cp), punct = !space && gm_cp_hf_is_punct(cp);
        if (!space && !punct)
            continue;
        if (here > start || punct) {
            size_t end = here > start ? here : pos;
            *at = end;
            *word = gm_str_sub(s, start, end);
            return true;
        }
        start = pos;
    }
    *at = s.n;
    *word = gm_str_sub(s, start, s.n);
    return word->n > 0;
}
