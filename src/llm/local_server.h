/* local_server.h - a llama-server of our own for a GGUF file. It gets SIGTERM when the thread that
 * started it ends, also by a crash or kill -9 of ours (PR_SET_PDEATHSIG). */
#ifndef GM_LLM_LOCAL_SERVER_H
#define GM_LLM_LOCAL_SERVER_H

#include "base/status.h"

#include <stddef.h>

struct gm_local_server;

/* gm_local_server_start - run `cmd -m gguf --host 127.0.0.1 --port N -np slots` on a free port and
 * wait until GET /health says 200, at most wait_s seconds. cmd is split at spaces; NULL =
 * "llama-server". Call it from a thread that lives as long as the server is to. *out is yours.
 * Errors: IO (no such file or command), NET (it ended, three times, or never got healthy; the message has
 * the last line it wrote), ARG (cmd has no words, or over 50), CANCEL (a stop was requested), NOMEM. */
enum gm_status gm_local_server_start(struct gm_local_server **out, const char *cmd,
                                     const char *gguf, size_t slots, double wait_s,
                                     struct gm_error *err) GM_NODISCARD;
/* gm_local_server_url - "http://127.0.0.1:N/v1", borrowed. */
const char *gm_local_server_url(const struct gm_local_server *s);
/* gm_local_server_stop - end it (SIGTERM; SIGKILL after 5 s, or 0.3 s where a stop was requested) and free;
 * NULL-safe. */
void gm_local_server_stop(struct gm_local_server *s);

#endif
