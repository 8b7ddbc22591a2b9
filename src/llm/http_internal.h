/* http_internal.h - what http.c and http_target.c share: they are the users of libcurl. */
#ifndef GM_LLM_HTTP_INTERNAL_H
#define GM_LLM_HTTP_INTERNAL_H

#include "llm/http.h"

struct gm_http_target {
    char *url, *address; /* address: without the query */
    char *ca_file;       /* NULL = the system's certificates */
    struct curl_slist *headers;
    bool loopback;
};

/* gm_curl_is_ready - start libcurl's own global state at the first call. Threads: yes. */
bool gm_curl_is_ready(void);

#endif
