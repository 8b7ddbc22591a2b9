#include "synth/ask.h"

#include "base/rng.h"
#include "llm/schema.h"
#include "synth/answer.h"

#include <stdio.h>

enum { N_VALUES = 7, MAX_NAMES_TEXT = 1 << 20 };

enum gm_status gm_synth_asker_open(struct gm_synth_asker *a, struct gm_error *err)
{
    static const char *const known[] = {"types",     "text",      "entities", "n",
                                        "words_min", "words_max", "problems", NULL};
    enum gm_status st = GM_OK;
    *a = (struct gm_synth_asker){.schema = NULL};
    GM_TRY(gm_schema_parse(&a->schema, gm_str(gm_synth_schema), err));
    for (size_t k = 0; k < GM_SYNTH_KINDS; k++) {
        char name[32];
        snprintf(name, sizeof name, "synth_%s", gm_synth_kind((enum gm_synth_kind)k));
        GM_TRY(gm_prompt_load(&a->prompts[k], name, known, NULL, err));
    }
done:
    return st;
}

void gm_synth_asker_close(struct gm_synth_asker *a)
{
    for (size_t k = 0; k < GM_SYNTH_KINDS; k++)
        gm_prompt_free(a->prompts[k]);
    gm_json_free(a->schema);
}

/* Lines "- NAME (TYPE)". */
static enum gm_status write_names(const struct gm_synth_seeds *seeds,
                                  const struct gm_synth_seed *seed, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < seed->n_names && st == GM_OK; i++)
        st = gm_buf_printf(out, err, "%s- %.*s (%.*s)", i ? "\n" : "",
                           GM_STR_ARG(seed->names[i].text),
                           GM_STR_ARG(gm_labels_at(&seeds->types, seed->names[i].type)));
    return st;
}

/* Different for each task, so that a seed's requests of one kind don't get one answer. */
static long long seed_of(const struct gm_synth_opts *o, const struct gm_synth_seed *seed,
                         const struct gm_synth_task *task)
{
    uint64_t x = gm_str_hash(seed->id) ^ gm_str_hash(seed->text);
    x = gm_hash64(x + (uint64_t)o->seed);
    x = gm_hash64(x + 16 * task->part + 4 * task->is_again + task->kind);
    return (long long)(x >> 33);
}

/* Room for the sentences in JSON, of words that are up to three tokens. */
static long answer_tokens(const struct gm_synth_opts *o, size_t n)
{
    size_t words = o->words_max < 200 ? o->words_max : 200;
    return (long)(300 + n * (60 + 4 * words));
}

enum gm_status gm_synth_ask(const struct gm_synth_asker *a, struct gm_llm_mailbox *box,
                            const struct gm_synth_opts *opts, const struct gm_synth_seeds *seeds,
                            const struct gm_synth_task *task, void *user, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_synth_seed *seed = &seeds->items[task->seed];
    size_t n = task->n - task->n_accepted;
    struct gm_llm_message *messages;
    struct gm_buf names;
    struct gm_arena arena;
    uint64_t id;
    gm_buf_init(&names, MAX_NAMES_TEXT);
    gm_arena_init(&arena, 0);
    GM_TRY(write_names(seeds, seed, &names, err));
    const struct gm_prompt_value values[N_VALUES] = {
        {"types", seeds->definitions},
        {"text", seed->text},
        {"entities", gm_buf_str(&names)},
        {"n", gm_arena_printf(&arena, "%zu", n)},
        {"words_min", gm_arena_printf(&arena, "%zu", opts->words_min)},
        {"words_max", gm_arena_printf(&arena, "%zu", opts->words_max)},
        {"problems", task->problems},
    };
    const struct gm_prompt_filling filling = {.values = values, .n_values = N_VALUES};
    struct gm_llm_request r = {.user = user,
                               .temperature = opts->temperature,
                               .top_p = -1,
                               .max_tokens = answer_tokens(opts, n),
                               .seed = seed_of(opts, seed, task),
                               .schema = a->schema,
                               .read = gm_synth_answer_read};
    GM_TRY(
        gm_prompt_render(a->prompts[task->kind], &arena, &filling, &messages, &r.n_messages, err));
    r.messages = messages;
    st = gm_llm_submit(box, &r, &id, err);
done:
    gm_buf_clear(&names);
    gm_arena_clear(&arena);
    return st;
}
