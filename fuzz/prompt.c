/* Files of prompts; one that loads can be filled in. */
#include "fuzz.h"

#include "llm/prompt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const known[] = {"text", "caption", NULL};
    static const char *const known_examples[] = {"text", "answer", NULL};
    const struct gm_prompt_value values[] = {{"text", GM_STR("{{text}}")}, {"caption", GM_STR("")}};
    const struct gm_llm_part picture = {.kind = GM_LLM_JPEG, .bytes = GM_STR("x"), .w = 1, .h = 1};
    const struct gm_prompt_example examples[] = {{values, 1, &picture}, {values, 2, NULL}};
    const struct gm_prompt_filling filling = {values, 2, &picture, examples, 2};
    struct gm_prompt *p;
    struct gm_llm_message *messages;
    size_t n;
    struct gm_error err = {0};
    struct gm_arena a;
    gm_arena_init(&a, 0);
    if (gm_prompt_load(&p, fuzz_file(data, size), known, known_examples, &err) == GM_OK) {
        if (gm_prompt_render(p, &a, &filling, &messages, &n, &err) != GM_OK)
            abort();
        gm_prompt_free(p);
    } else if (!err.msg[0]) {
        abort();
    }
    gm_arena_clear(&a);
    fuzz_end();
    return 0;
}
