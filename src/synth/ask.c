#include "synth/ask.h"

#include "base/rng.h"
#include "llm/schema.h"
#include "synth/answer.h"
#include "synth/written.h"

#include <stdio.h>

enum { N_VALUES = 9, MAX_NAMES_TEXT = 1 << 20 };

enum gm_status gm_synth_asker_open(struct gm_synth_asker *a, struct gm_error *err)
{
    static const char *const known[] = {"types",     "text",     "entities",  "n",     "words_min",
                                        "words_max", "problems", "knowledge", "guide", NULL};
    enum gm_status st = GM_OK;
    *a = (struct gm_synth_asker){.schema = NULL};
    GM_TRY(gm_schema_parse(&a->schema, gm_str(gm_synth_schema), err));
    GM_TRY(gm_schema_parse(&a->schema_knowledge, gm_str(gm_synth_schema_knowledge), err));
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
    gm_json_free(a->schema_knowledge);
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
    bool is_rewritten =
        task->kind == GM_SYNTH_REWRITE; /* as without this kind, what the others ask for */
    x = gm_hash64(x + 16 * task->part + 8 * is_rewritten + 4 * task->is_again +
                  (is_rewritten ? 0 : task->kind));
    return (long long)(x >> 33);
}

/* Room for the sentences in JSON, of words that are up to three tokens, and for their knowledge. */
static long answer_tokens(size_t words_most, struct gm_str knowledge, size_t n)
{
    size_t words = words_most < 200 ? words_most : 200;
    return (long)(300 + n * (60 + 4 * words + knowledge.n / 2));
}

enum gm_status gm_synth_ask(const struct gm_synth_asker *a, struct gm_llm_mailbox *box,
                            const struct gm_synth_opts *opts, const struct gm_synth_seeds *seeds,
                            const struct gm_synth_task *task, void *user, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_synth_seed *seed = &seeds->items[task->seed];
    size_t n = task->n - task->n_accepted;
    size_t least = gm_synth_words_least(opts, seed, task->kind);
    size_t most = gm_synth_words_most(opts, seed, task->kind);
    bool has_knowledge = task->kind == GM_SYNTH_REWRITE && seed->knowledge.n;
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
        {"words_min", gm_arena_printf(&arena, "%zu", least)},
        {"words_max", gm_arena_printf(&arena, "%zu", most)},
        {"problems", task->problems},
        {"knowledge", seed->knowledge},
        {"guide", seeds->guide},
    };
    const struct gm_prompt_filling filling = {.values = values, .n_values = N_VALUES};
    struct gm_llm_request r = {
        .user = user,
        .temperature = opts->temperature,
        .top_p = -1,
        .max_tokens = answer_tokens(most, has_knowledge ? seed->knowledge : GM_STR(""), n),
        .seed = seed_of(opts, seed, task),
        .schema = has_knowledge ? a->schema_knowledge : a->schema,
        .read = has_knowledge ? gm_synth_answer_read_knowledge : gm_synth_answer_read};
    GM_TRY(
        gm_prompt_render(a->prompts[task->kind], &arena, &filling, &messages, &r.n_messages, err));
    r.messages = messages;
    st = gm_llm_submit(box, &r, &id, err);
done:
    gm_buf_clear(&names);
    gm_arena_clear(&arena);
    return st;
}
