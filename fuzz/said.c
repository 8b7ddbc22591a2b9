/* Answers of models in all forms of their own: boxes, numbers of boxes, entities, phrases. */
#include "fuzz.h"

#include "base/utf8.h"
#include "stages/said.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static enum gm_status (*const readers[])(struct gm_json **, struct gm_str,
                                             struct gm_error *) = {
        gm_said_boxes,      gm_said_boxes_yx, gm_said_ground,       gm_said_grounds,
        gm_said_grounds_yx, gm_said_checks,   gm_said_checks_yx,    gm_said_entities,
        gm_said_phrases,    gm_said_marks,    gm_said_mark_grounds, gm_said_mark_checks};
    const struct gm_str text = {(const char *)data, size};
    for (size_t i = 0; i < sizeof readers / sizeof *readers && gm_utf8_is_valid(text); i++) {
        struct gm_json *j;
        struct gm_error err = {0};
        if (readers[i](&j, text, &err) == GM_OK)
            gm_json_free(j);
        else if (!err.msg[0])
            abort();
    }
    fuzz_end();
    return 0;
}
