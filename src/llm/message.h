/* message.h - the two ends of one exchange: the JSON body of a request, and what a reply says. */
#ifndef GM_LLM_MESSAGE_H
#define GM_LLM_MESSAGE_H

#include "base/buf.h"
#include "base/json.h"
#include "llm/chat.h"

/* Parameters of a request that a server may refuse, as bits. MAX_TOKENS refused means
 * max_completion_tokens in its place, and that refused too no limit at all. */
enum {
    GM_LLM_P_SCHEMA = 1,
    GM_LLM_P_LOGPROBS = 2,
    GM_LLM_P_TEMPERATURE = 4,
    GM_LLM_P_TOP_P = 8,
    GM_LLM_P_SEED = 16,
    GM_LLM_P_MAX_TOKENS = 32,
    GM_LLM_P_MAX_COMPLETION = 64
};

/* A request's body in two pieces: the messages, and the settings behind them, which differ from ask
 * to ask and with what the server understands. */
struct gm_llm_tail {
    double temperature, top_p;
    long max_tokens;
    long long seed;
    bool logprobs;
    const struct gm_json *schema; /* NULL = no response_format */
    const struct gm_json *extra;  /* members in place of those above; NULL = none */
    unsigned without;             /* GM_LLM_P_…: those to leave out */
};

/* gm_llm_tail_sends - the parameters that are written for it, without those of `extra`. */
unsigned gm_llm_tail_sends(const struct gm_llm_tail *tail);

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
    struct gm_str text;       /* the first choice's content, all its text parts, without thoughts */
    char none[400]; /* why there is none: thoughts that don't end, a refusal, a tool call */
    bool refused;   /* it is the model's or the server's will: the reason is for the user */
    bool cut;       /* ended by max_tokens */
    bool thoughts;  /* ended within its thoughts */
    struct gm_json *logprobs; /* borrowed, array of the answer's tokens, or NULL */
    struct gm_llm_usage usage;
    bool has_usage;
};

/* gm_llm_read_envelope - a server's JSON, as tolerantly as a model's (json_repair.h): bytes that are
 * no UTF-8, a BOM, lone surrogates and NaN or Infinity are no reason to lose what is in it; an array
 * around one object is taken off. *out is yours. Errors: FORMAT, also when it is cut off; NOMEM. */
enum gm_status gm_llm_read_envelope(struct gm_json **out, struct gm_str body,
                                    struct gm_error *err) GM_NODISCARD;

/* gm_llm_read_answer - a completion without text is one, too: `none` says why it has none.
 * Errors: FORMAT (not a chat completion), NOMEM. */
enum gm_status gm_llm_read_answer(struct gm_llm_answer *out, struct gm_str body,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_llm_yes - the probability of yes against no, from the last token that is one of yes, no, true
 * and false in any case; NaN when there is none or no logprobs were given. */
double gm_llm_yes(const struct gm_json *logprobs);

#endif
