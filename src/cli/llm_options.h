/* llm_options.h - the command line options of everything that asks a language model. */
#ifndef GM_CLI_LLM_OPTIONS_H
#define GM_CLI_LLM_OPTIONS_H

#include "base/arena.h"
#include "base/log.h"
#include "cli/options.h"
#include "llm/llm.h"

struct gm_llm_cli {
    const char *endpoint, *model, *key_file, *llama_server, *price;
    long long in_flight;
    double budget, requests_per_min, tokens_per_min;
    bool dry_run;
};

/* Rows of the option table of a command whose options are in struct `type`, in its member
 * `member` of type struct gm_llm_cli. */
#define GM_LLM_ROW(type, member, field) offsetof(type, member) + offsetof(struct gm_llm_cli, field)
/* clang-format off */
#define GM_LLM_OPTIONS(type, member)                                                               \
    {"endpoint", 0, GM_OPT_STR, GM_LLM_ROW(type, member, endpoint), NULL, 0, 0, "URL|FILE.gguf",   \
     "chat-completions server(s), separated by commas, such as http://127.0.0.1:8080/v1, or a "    \
     "GGUF file that a local server is started for; the key is $OPENAI_API_KEY (default: "         \
     "$OPENAI_BASE_URL)"},                                                                         \
    {"model", 0, GM_OPT_STR, GM_LLM_ROW(type, member, model), NULL, 0, 0, "NAME",                  \
     "the model to ask for, in place of the recipe's"},                                            \
    {"key-file", 0, GM_OPT_STR, GM_LLM_ROW(type, member, key_file), NULL, 0, 0, "FILE",            \
     "file with the key, readable by its owner only, in place of $OPENAI_API_KEY; a line "           \
     "\"URL KEY\" "                                                                                \
     "has the key of that server"},                                                                \
    {"llama-server", 0, GM_OPT_STR, GM_LLM_ROW(type, member, llama_server), NULL, 0, 0, "CMD",     \
     "the program that serves a GGUF file (default: llama-server)"},                               \
    {"in-flight", 0, GM_OPT_INT, GM_LLM_ROW(type, member, in_flight), "16", 1, 512, "N",           \
     "requests under way at once"},                                                                \
    {"price", 0, GM_OPT_STR, GM_LLM_ROW(type, member, price), NULL, 0, 0, "IN,OUT",                \
     "price of a million prompt tokens and a million answer tokens, to tell the cost"},            \
    {"budget", 0, GM_OPT_NUM, GM_LLM_ROW(type, member, budget), NULL, 0.000001, 1e9, "AMOUNT",     \
     "stop before the cost passes this (with --price)"},                                           \
    {"requests-per-min", 0, GM_OPT_NUM, GM_LLM_ROW(type, member, requests_per_min), NULL, 0.1,     \
     1e6, "N", "send no more requests a minute"},                                                  \
    {"tokens-per-min", 0, GM_OPT_NUM, GM_LLM_ROW(type, member, tokens_per_min), NULL, 1, 1e12,     \
     "N", "send no more tokens a minute"}
/* Of a command that has work with an end, which can be counted. */
#define GM_LLM_OPTION_DRY_RUN(type, member)                                                        \
    {"dry-run", 0, GM_OPT_FLAG, GM_LLM_ROW(type, member, dry_run), NULL, 0, 0, NULL,               \
     "ask nothing: tell how many requests and tokens it would take at most"}
/* clang-format on */

/* gm_llm_cli_read - *out from the options and the environment; its texts live in the arena or in
 * `c`. n_endpoints 0 = none was given (a dry run needs none). Errors: ARG (a message for the user), NOMEM. */
enum gm_status gm_llm_cli_read(const struct gm_llm_cli *c, struct gm_arena *a,
                               struct gm_llm_opts *out, struct gm_error *err) GM_NODISCARD;

/* gm_llm_cli_progress - tokens, cost, retries and in_flight for a progress line; how many. */
enum { GM_LLM_PROGRESS_MAX = 4 };
size_t gm_llm_cli_progress(struct gm_llm *llm, const struct gm_llm_opts *opts,
                           struct gm_log_field out[GM_LLM_PROGRESS_MAX]);

/* gm_llm_cli_summary - log what was asked, what it cost, and the answers that could not be used. */
void gm_llm_cli_summary(struct gm_llm *llm, const struct gm_llm_opts *opts);

/* gm_llm_cli_dry - append what a dry run has found. */
enum gm_status gm_llm_cli_dry(struct gm_llm *llm, const struct gm_llm_opts *opts,
                              struct gm_buf *out, struct gm_error *err) GM_NODISCARD;

#endif
