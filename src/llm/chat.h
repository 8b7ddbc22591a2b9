/* chat.h - what an exchange with a model is made of: the messages that go out, and the tokens that it
 * took. */
#ifndef GM_LLM_CHAT_H
#define GM_LLM_CHAT_H

#include "base/str.h"

enum gm_llm_part_kind { GM_LLM_TEXT, GM_LLM_JPEG };

struct gm_llm_part {
    enum gm_llm_part_kind kind;
    struct gm_str bytes; /* UTF-8 text, or a JPEG file */
    uint32_t w, h;       /* pixels of the JPEG, for estimating tokens */
};

struct gm_llm_message {
    const char *role; /* "system", "user", "assistant" */
    const struct gm_llm_part *parts;
    size_t n_parts;
};

struct gm_llm_usage {
    size_t prompt, completion, cached; /* tokens as the server counts them */
};

#endif
