#include "llm/thoughts.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/* Sources: the chat templates of DeepSeek-R1, Qwen3, Magistral, Seed-OSS, Kimi-VL and others. */
static const struct {
    const char *open, *close;
} marks[] = {
    {"<think>", "</think>"},
    {"<thinking>", "</thinking>"},
    {"<thought>", "</thought>"},
    {"<reasoning>", "</reasoning>"},
    {"[THINK]", "[/THINK]"},
    {"<seed:think>", "</seed:think>"},
    {"\xe2\x97\x81think\xe2\x96\xb7", "\xe2\x97\x81/think\xe2\x96\xb7"},
    {"<|begin_of_thought|>", "<|end_of_thought|>"},
};
enum { N_MARKS = sizeof marks / sizeof *marks };

/* The first place at or after `from` where `word` stands, in letters of any case. */
static size_t find(struct gm_str s, const char *word, size_t from)
{
    size_t n = strlen(word);
    for (size_t i = from; i + n <= s.n; i++)
        if (s.p[i] == word[0] && strncasecmp(s.p + i, word, n) == 0)
            return i;
    return SIZE_MAX;
}

/* Just behind the last `word`; 0 when there is none. */
static size_t behind_last(struct gm_str s, const char *word)
{
    size_t end = 0;
    for (size_t at = find(s, word, 0); at != SIZE_MAX; at = find(s, word, end))
        end = at + strlen(word);
    return end;
}

/* "<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>ANSWER".
 * Source: the harmony response format of OpenAI's open models. */
static bool cut_channels(struct gm_str *text, size_t channel)
{
    struct gm_str rest = gm_str_sub(*text, channel, text->n);
    size_t message = find(rest, "<|message|>", 0);
    *text = GM_STR("");
    if (strncmp(rest.p, "final", rest.n < 5 ? rest.n : 5) != 0 || message == SIZE_MAX)
        return false;
    rest = gm_str_sub(rest, message + strlen("<|message|>"), rest.n);
    size_t end = find(rest, "<|return|>", 0), other = find(rest, "<|end|>", 0);
    end = other < end ? other : end;
    *text = gm_str_sub(rest, 0, end < rest.n ? end : rest.n);
    return true;
}

bool gm_thoughts_cut(struct gm_str *text)
{
    size_t end = 0, channel = behind_last(*text, "<|channel|>");
    if (channel)
        return cut_channels(text, channel);
    for (int i = 0; i < N_MARKS; i++) {
        size_t e = behind_last(*text, marks[i].close);
        end = e > end ? e : end;
    }
    /* The same format from servers that drop its marks but not the channels' names. */
    if (gm_str_starts(gm_str_trim(*text), GM_STR("analysis"))) {
        size_t e = behind_last(*text, "assistantfinal");
        end = e > end ? e : end;
    }
    *text = gm_str_sub(*text, end, text->n);
    for (int i = 0; i < N_MARKS; i++)
        if (find(*text, marks[i].open, 0) != SIZE_MAX) {
            *text = GM_STR("");
            return false;
        }
    return true;
}
