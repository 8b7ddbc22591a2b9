/* unicode_diff.h - where the tables of the `tokenizers` library differ from Unicode 15, which
 * utf8proc has: some of its parts are older, some newer. Internal to src/text. */
#ifndef GM_TEXT_UNICODE_DIFF_H
#define GM_TEXT_UNICODE_DIFF_H

#include <stdbool.h>
#include <stdint.h>

enum gm_cp_difference {
    GM_CP_NEW_LETTERS,          /* L* of Unicode 16, in its regular expressions */
    GM_CP_NEW_NUMBERS,          /* N* of Unicode 16 */
    GM_CP_WORD_NOT_BY_CATEGORY, /* \w, but neither L*, M*, Nd, Nl nor Pc of Unicode 15 */
    GM_CP_NEWER_MARKS,          /* M*, but newer than its normaliser StripAccents */
    GM_CP_NEWER_COMPATIBLE,     /* with a compatibility decomposition newer than its NFKD */
    GM_CP_NEWER_CLASSES,        /* with a combining class newer than its NFD */
};

/* gm_cp_differs - whether cp is in the set. Threads: yes. */
bool gm_cp_differs(enum gm_cp_difference set, uint32_t cp);

#endif
