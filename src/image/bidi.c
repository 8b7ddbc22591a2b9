/* bidi.c - see bidi.h. */
#include "image/bidi.h"

#include "base/alloc.h"

#include <fribidi.h>

enum gm_status gm_bidi_levels(const uint32_t *text, size_t n, uint8_t *levels, bool *rtl,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    FriBidiParType direction = FRIBIDI_PAR_ON; /* the first letter with a direction decides */
    FriBidiCharType *types = gm_alloc(n, sizeof *types);
    FriBidiBracketType *brackets = gm_alloc(n, sizeof *brackets);
    FriBidiLevel *found = gm_alloc(n, sizeof *found);
    *rtl = false;
    if (!types || !brackets || !found || n > INT32_MAX) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a text of %zu letters", n);
        goto done;
    }
    fribidi_get_bidi_types(text, (FriBidiStrIndex)n, types);
    fribidi_get_bracket_types(text, (FriBidiStrIndex)n, types, brackets);
    if (fribidi_get_par_embedding_levels_ex(types, brackets, (FriBidiStrIndex)n, &direction,
                                            found) == 0) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a text of %zu letters", n);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        levels[i] = (uint8_t)(found[i] > 0 ? found[i] : 0);
    *rtl = FRIBIDI_IS_RTL(direction);
done:
    gm_free(types);
    gm_free(brackets);
    gm_free(found);
    return st;
}
