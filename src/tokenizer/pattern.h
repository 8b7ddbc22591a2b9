/* pattern.h - what a Replace normaliser or a Split pre-tokeniser looks for: a string, or a simple
 * regular expression (rows, with | between them, of single characters, escapes, classes and dots, each
 * with at most one of ? * + {n} {n,} {n,m}). Anything else is refused by name. Internal to src/tokenizer. */
#ifndef GM_TOKENIZER_PATTERN_H
#define GM_TOKENIZER_PATTERN_H

#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct gm_pattern;

/* gm_pattern_read - from {"String": …} or {"Regex": …}; memory from `a`. Escapes are \s \S \d \D
 * \p{L} \p{N} \n \r \t and escaped punctuation. Errors: MODEL (not supported, or it could
 * match nothing at all; `path` is for messages), NOMEM. */
enum gm_status gm_pattern_read(struct gm_pattern **out, const struct gm_json *json,
                               struct gm_arena *a, const char *path,
                               struct gm_error *err) GM_NODISCARD;

/* gm_pattern_next - the next match in s at or after byte `from`, greedy, never empty; false: none.
 * Threads: yes. */
bool gm_pattern_next(const struct gm_pattern *p, struct gm_str s, size_t from, size_t *start,
                     size_t *end);

#endif
