/* word_breaks.h - words of text without spaces, as ICU's dictionaries have them (Chinese and Japanese, Thai, Lao,
 * Khmer, Myanmar). ICU is opened at run time, when the first such text comes: its data is 30 MB that few need. */
#ifndef GM_TEXT_WORD_BREAKS_H
#define GM_TEXT_WORD_BREAKS_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

#include <stddef.h>

/* gm_word_breaks - where the words of well-formed UTF-8 `run` end, in bytes, the last at run.n; *ends [*n] in the
 * arena. Errors: MODEL (ICU is not installed, or fails), NOMEM. Cost: some microseconds a call. Threads: yes.
 * Source: UAX 29 with ICU's dictionaries. */
enum gm_status gm_word_breaks(struct gm_str run, struct gm_arena *a, size_t **ends, size_t *n,
                              struct gm_error *err) GM_NODISCARD;

#endif
