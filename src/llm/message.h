/* message.h - the two ends of one exchange: the JSON body of a request, and what a reply says. */
#ifndef GM_LLM_MESSAGE_H
#define GM_LLM_MESSAGE_H

#include "llm/llm.h"

/* A request's body in two pieces: the messages, and the settings behind them, which differ from ask
 * to ask and with what the server understands. */
struct gm_llm_tail {
    double temperature, top_p;
    long max_tokens;
    long long seed;
    bool logprobs;
    const struct gm_json *schema; /* NULL = no response_format */
};

/* gm_llm_write_head - append {"model":…,"messages":[…] to out. Errors: FORMAT (not
 * UTF-8), NOMEM. */
enum gm_status gm_llm_write_head(const char *model, const struct gm_llm_message *messages, size_t n,
                                 struct gm_buf *out, struct gm_error *err) GM_NODISCARD;
/* gm_llm_write_tail - append the settings and the last brace. */
enum gm_status gm_llm_write_tail(const struct gm_llm_tail *tail, struct gm_buf *out,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_llm_estimate - tokens that the messages may come to. `bound` counts a token a byte, which no
 * byte-level vocabulary exceeds, and 1.5 times the most that common encoders make of a picture. */
size_t gm_llm_estimate(const struct gm_llm_message *messages, size_t n, bool bound);

/* What a server's 200 says. */
struct gm_llm_answer {
    struct gm_json *envelope; /* owns the others; gm_json_free */
    struct gm_str text;       /* the first choice's content */
    bool cut;                 /* ended by max_tokens */
    struct gm_json *logprobs; /* borrowed, array of tokens or NULL */
    struct gm_llm_usage usage;
    bool has_usage;
};

/* gm_llm_read_answer - Errors: FORMAT (not a chat completion), NOMEM. */
enum gm_status gm_llm_read_answer(struct gm_llm_answer *out, struct gm_str body,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_llm_server_message - what an error reply says: its error.message, or its beginning; one line
 * of at most cap-1 bytes, never with `key` (NULL = none) in it. */
void gm_llm_server_message(struct gm_str body, const char *key, char *out, size_t cap);

/* gm_llm_yes - the probability of yes against no, from the first token that is one of yes, no, true
 * and false in any case; NaN when there is none or no logprobs were given. */
double gm_llm_yes(const struct gm_json *logprobs);

#endif
