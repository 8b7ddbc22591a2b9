/* Replace: every match of a pattern becomes `content`; all of it comes from the match's last code
 * point, as the library has it. */
#include "tokenizer/normalise.h"
#include "tokenizer/pattern.h"

enum gm_status gm_norm_replace_run(const void *settings, const struct gm_aligned_text *in,
                                   struct gm_aligned_text *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_norm_replace *set = settings;
    const struct gm_str s = gm_aligned_text_str(in);
    size_t at = 0, start, end;
    out->n = 0;
    while (gm_pattern_next(set->pattern, s, at, &start, &end)) {
        GM_TRY(gm_aligned_text_copy(out, in, at, start, err));
        GM_TRY(gm_aligned_text_room(out, set->content.n, err));
        for (size_t i = 0; i < set->content.n; i++) {
            out->p[out->n] = set->content.p[i];
            out->src[out->n++] = in->src[end - 1];
        }
        at = end;
    }
    GM_TRY(gm_aligned_text_copy(out, in, at, s.n, err));
done:
    return st;
}
