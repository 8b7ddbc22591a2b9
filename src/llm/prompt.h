/* prompt.h - prompts are text files (prompts/NAME.txt) of messages with placeholders:
 *
 *     --- system            a line that begins a message; the roles are system, user, assistant
 *     You are …
 *     --- user
 *     {{image}}             the picture goes here (at most one, in a user message)
 *     Text: {{text}}        a value; what is put in is never looked at again
 *     {{?caption}}Caption: {{caption}}
 *     {{/caption}}          this piece only if the value isn't empty; pieces don't nest
 *     {{#examples}}         this piece once for each example, with its values before the post's and
 *     {{image}} {{text}}    its picture; at most one such block, in a user message, which may hold
 *     {{/examples}}         pieces
 *
 * Lines before the first "---" line are comments. White space at both ends of a message is dropped.
 * A "{{" that begins none of these forms is an error. The version of a prompt is the SHA-256 of its
 * file. A loaded prompt never changes and may be used from any thread. */
#ifndef GM_LLM_PROMPT_H
#define GM_LLM_PROMPT_H

#include "base/arena.h"
#include "base/buf.h"
#include "llm/chat.h"

struct gm_prompt;

struct gm_prompt_value {
    const char *name;
    struct gm_str text;
};

/* One turn of the block. */
struct gm_prompt_example {
    const struct gm_prompt_value *values;
    size_t n_values;
    const struct gm_llm_part *picture; /* NULL = none */
};

enum { GM_PROMPT_EXAMPLES_MAX = 8 };

/* What a prompt is filled with. */
struct gm_prompt_filling {
    const struct gm_prompt_value *values;
    size_t n_values;
    const struct gm_llm_part *picture; /* in the place of {{image}}; NULL = none, of examples too */
    const struct gm_prompt_example *examples; /* the first GM_PROMPT_EXAMPLES_MAX are used */
    size_t n_examples;
};

/* gm_prompt_load - `which` is the name of a prompt that comes with the program ("expand") or, with
 * a "/" or ending in ".txt", the path of a file of yours; a NAME.txt in $GMNER_PROMPTS goes before
 * the program's. known is the NULL-ended list of the values that the caller gives, known_examples that of
 * the values of examples (NULL = it gives none, and the block is an error); one that the file uses and
 * that isn't there is an error. *out is yours.
 * Errors: ARG (no such prompt), FORMAT naming file and line, IO, NOMEM. */
enum gm_status gm_prompt_load(struct gm_prompt **out, const char *which, const char *const *known,
                              const char *const *known_examples, struct gm_error *err) GM_NODISCARD;
void gm_prompt_free(struct gm_prompt *p); /* NULL-safe */

/* gm_prompt_version - 64 hex digits, borrowed. */
const char *gm_prompt_version(const struct gm_prompt *p);

/* gm_prompt_has_image - whether it has an {{image}} of the post. gm_prompt_has_examples - whether it has
 * the block. */
bool gm_prompt_has_image(const struct gm_prompt *p);
bool gm_prompt_has_examples(const struct gm_prompt *p);

/* gm_prompt_render - the messages, filled. All in the arena but the pictures' bytes. Errors: NOMEM. */
enum gm_status gm_prompt_render(const struct gm_prompt *p, struct gm_arena *a,
                                const struct gm_prompt_filling *filling,
                                struct gm_llm_message **out, size_t *n_out,
                                struct gm_error *err) GM_NODISCARD;

#endif
