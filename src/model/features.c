#include "model/features.h"

#include "base/utf8.h"
#include "text/unicode.h"

enum gm_case gm_case_of(struct gm_str word)
{
    size_t upper = 0, lower = 0, digits = 0, other = 0;
    bool first_upper = false, inner_upper = false;
    for (size_t i = 0; i < word.n;) {
        uint32_t cp = gm_utf8_next(word, &i);
        if (cp >= '0' && cp <= '9') {
            digits++;
        } else if (gm_cp_is_upper(cp)) {
            if (upper + lower + other + digits == 0)
                first_upper = true;
            else
                inner_upper = true;
            upper++;
        } else if (gm_cp_is_lower(cp)) {
            lower++;
        } else if (gm_cp_is_alnum(cp)) {
            other++;
        }
    }
    if (upper + lower + other + digits == 0)
        return GM_CASE_SYMBOL;
    if (digits)
        return upper + lower + other ? GM_CASE_ALNUM : GM_CASE_NUMBER;
    if (upper + lower == 0)
        return GM_CASE_OTHER;
    if (upper == 0)
        return GM_CASE_LOWER;
    if (lower == 0)
        return upper == 1 ? GM_CASE_LETTER : GM_CASE_UPPER;
    return first_upper && !inner_upper ? GM_CASE_INITIAL : GM_CASE_MIXED;
}
