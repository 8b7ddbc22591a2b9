/* examples.h - the setting `examples` of a stage that asks a language model: annotated posts of a pool that
 * are most like the post (similar/similar.h), shown to the model in the prompt's block {{#examples}}, their
 * pictures resized as the post's is.
 *
 *   examples: {pool: FILE, k: 3, from, images, xml, text, encoder, precision, clip, entity, duplicate,
 *              weights: {text: 0.4, image: 0.2, entity: 0.6}}
 */
#ifndef GM_STAGES_EXAMPLES_H
#define GM_STAGES_EXAMPLES_H

#include "stages/llm_stage.h"

#define GM_EXAMPLES_SETTINGS "examples"

/* The values that every example has: its number, text, caption and entities (lines "1. NAME (TYPE)"). */
#define GM_EXAMPLES_VALUES "number", "text", "caption", "entities"
enum { GM_EXAMPLES_N_VALUES = 4 };

struct gm_examples;

/* gm_examples_open - read the setting and the pool, and index it; *out stays NULL where there is no setting.
 * Samples without a picture are left out where the stage's kind needs one, and the stage's prompt must have the block. *out
 * is yours. Errors: ARG (of the setting), those of gm_reader_* and gm_similar_pool_load.
 * Cost: the pool through the sentence encoder. */
enum gm_status gm_examples_open(struct gm_examples **out, const struct gm_llm_stage *s,
                                const struct gm_json *settings, struct gm_error *err) GM_NODISCARD;
void gm_examples_free(struct gm_examples *e); /* NULL-safe */

/* gm_examples_fingerprint - what examples depend on beside the setting: the pool's posts, the encoders.
 * Nothing where there is no setting. Errors: as gm_examples_open. */
enum gm_status gm_examples_fingerprint(const struct gm_json *settings, struct gm_buf *out,
                                       struct gm_error *err) GM_NODISCARD;

/* The samples for one post, the most similar first. */
struct gm_example_set {
    const struct gm_post *posts[GM_PROMPT_EXAMPLES_MAX]; /* borrowed from the pool */
    struct gm_picture pictures[GM_PROMPT_EXAMPLES_MAX];  /* .w == 0: it has none */
    struct gm_llm_part parts[GM_PROMPT_EXAMPLES_MAX];
    struct gm_prompt_example each[GM_PROMPT_EXAMPLES_MAX]; /* what a question takes; n of them */
    size_t n;
};

/* gm_examples_find - for a post with the entities that it has by now; with_pictures: the samples' pictures
 * go along (as the post's own does). e NULL = none are found. Then each example has its picture and the
 * values of GM_EXAMPLES_VALUES (the first GM_EXAMPLES_N_VALUES). *set is yours (gm_example_set_clear), whatever comes back. A sample whose picture
 * can't be read is shown without (left out where the stage's kind needs one), and told of once. Errors: those of gm_similar_find; a stop. Threads: yes. */
enum gm_status gm_examples_find(struct gm_examples *e, struct gm_llm_stage *s, struct gm_post *post,
                                bool with_pictures, struct gm_arena *a, struct gm_example_set *set,
                                struct gm_error *err) GM_NODISCARD;
void gm_example_set_clear(struct gm_example_set *set);

#endif
