/* server_error.h - what a server's error reply means. Its words decide more than its status does:
 * servers answer 200, 400 or 500 for the same thing. */
#ifndef GM_LLM_SERVER_ERROR_H
#define GM_LLM_SERVER_ERROR_H

#include "base/str.h"
#include "llm/message.h"
#include "llm/secret.h"

struct gm_server_error {
    int status;      /* HTTP's, or in place of a 200 the one that the body tells */
    bool is_error;   /* the body is JSON that tells of an error */
    char text[1000]; /* its words, one line, never with a key in it; may be empty */
    char param[64];  /* the parameter that it names apart from its words, or "" */
    char code[64];   /* its code or type in words, or "" */
};

/* gm_server_error_read - of a reply with that HTTP status. Understood: {"error":{"message",…}},
 * {"error":"…"}, {"message"}, {"detail"} as text or list, all of them in an array too, an error in
 * the first choice, and plain text; the keys in it are blackened. */
void gm_server_error_read(struct gm_server_error *out, int status, struct gm_str body,
                          const struct gm_secrets *secrets);

/* gm_server_error_is_quota - money or a day's quota is spent, and the server names no time after
 * which to come back: waiting won't mend it. */
bool gm_server_error_is_quota(const struct gm_server_error *e);

/* gm_server_error_is_model - the server has no model of that name. */
bool gm_server_error_is_model(const struct gm_server_error *e);

/* gm_server_error_is_pictures - the server or its model takes no pictures. */
bool gm_server_error_is_pictures(const struct gm_server_error *e);

/* gm_server_error_most_pictures - how many pictures a request may have, where the server says that it has too
 * many; 0 = it says nothing of the kind. */
size_t gm_server_error_most_pictures(const struct gm_server_error *e);

/* gm_server_error_param - the one of the parameters `sent` (GM_LLM_P_…) that the server refuses and
 * that a request can go without; 0 = none. */
unsigned gm_server_error_param(const struct gm_server_error *e, unsigned sent);

#endif
