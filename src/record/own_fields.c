#include "record/own_fields.h"

enum { MAX_KNOWN = 16 };

static const char *const known[GM_HOLDERS_N][MAX_KNOWN] = {
    [GM_HOLDER_POST] = {"id", "text", "tokens", "image", "caption", "caption_short", "knowledge",
                        "entities", "entity_candidates", "objects", "texts", "error"},
    [GM_HOLDER_ENTITY] = {"text", "type", "fine_type", "start", "end", "score", "uncertainty",
                          "source", "note", "expression", "visible", "evidence", "regions"},
    [GM_HOLDER_CANDIDATE] = {"text", "type", "start", "end", "score"},
    [GM_HOLDER_REGION] = {"box", "score", "label", "mask", "crowd", "note"},
    [GM_HOLDER_OBJECT] = {"label", "score", "box"},
    [GM_HOLDER_TEXT] = {"text", "score", "box"},
};

static bool is_known(struct gm_str key, enum gm_holder holder)
{
    for (size_t i = 0; i < MAX_KNOWN && known[holder][i]; i++)
        if (gm_str_eq_c(key, known[holder][i]))
            return true;
    return false;
}

bool gm_own_fields_has(const struct gm_json *o, enum gm_holder holder)
{
    for (void *it = o ? gm_json_first(o) : NULL; it; it = gm_json_next(o, it))
        if (!is_known(gm_json_key(it), holder))
            return true;
    return false;
}

enum gm_status gm_own_fields_write(const struct gm_json *o, enum gm_holder holder,
                                   struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (void *it = o ? gm_json_first(o) : NULL; it; it = gm_json_next(o, it)) {
        if (is_known(gm_json_key(it), holder))
            continue;
        GM_TRY(gm_buf_add_c(out, ", ", err));
        GM_TRY(gm_json_write_str(gm_json_key(it), out, err));
        GM_TRY(gm_buf_add_c(out, ": ", err));
        GM_TRY(gm_json_write(gm_json_value(it), false, out, err));
    }
done:
    return st;
}
