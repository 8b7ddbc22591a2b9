/* Files of prompts; one that loads can be filled in. */
#include "fuzz.h"

#include "llm/prompt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const known[] = {"text", "caption", NULL};
    const struct gm_prompt_value values[] = {{"text", GM_STR("{{text}}")}, {"caption", GM_STR("")}};
    struct gm_prompt *p;
    struct gm_llm_message *messages;
    size_t n;
    struct gm_error err = {0};
    struct gm_arena a;
    gm_arena_init(&a, 0);
    if (gm_prompt_load(&p, fuzz_file(data, size), known, &err) == GM_OK) {
        if (gm_prompt_render(p, &a, values, 2, NULL, &messages, &n, &err) != GM_OK)
            abort();
        gm_prompt_free(p);
    } else if (!err.msg[0]) {
        abort();
    }
    gm_arena_clear(&a);
    fuzz_end();
    return 0;
}
