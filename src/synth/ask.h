/* ask.h - the requests. Private to src/synth. */
#ifndef GM_SYNTH_ASK_H
#define GM_SYNTH_ASK_H

#include "llm/prompt.h"
#include "synth/seeds.h"
#include "synth/synth.h"

struct gm_synth_asker {
    struct gm_prompt *prompts[GM_SYNTH_KINDS]; /* prompts/synth_KIND.txt */
    struct gm_json *schema, *schema_knowledge;
};

/* What one request asks for. */
struct gm_synth_task {
    uint32_t seed; /* its number */
    enum gm_synth_kind kind;
    uint32_t part;          /* of the seed's requests of that kind, from 0 */
    size_t n, n_accepted;   /* sentences */
    bool is_again, refused; /* for what was refused; sentences were */
    struct gm_str problems; /* those, a line each with the reason; empty = none */
};

/* gm_synth_asker_open - gm_synth_asker_close frees, also after an error. Errors: of gm_prompt_load. */
enum gm_status gm_synth_asker_open(struct gm_synth_asker *a, struct gm_error *err) GM_NODISCARD;
void gm_synth_asker_close(struct gm_synth_asker *a);

/* gm_synth_ask - submit the request of a task; `user` comes back in the reply. The same task of the same
 * seeds and options is the same request, whatever else is asked. Errors: those of gm_llm_submit. */
enum gm_status gm_synth_ask(const struct gm_synth_asker *a, struct gm_llm_mailbox *box,
                            const struct gm_synth_opts *opts, const struct gm_synth_seeds *seeds,
                            const struct gm_synth_task *task, void *user,
                            struct gm_error *err) GM_NODISCARD;

#endif
