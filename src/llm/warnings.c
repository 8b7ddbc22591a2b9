/* What the client's thread has to warn of: noted under the lock, logged without it. A host's log function may wait
 * for a lock of the host's own, such as Python's, whose holder may be in gm_llm_stats and wait for the client's. */
#include "base/log.h"
#include "llm/llm_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void gm_client_warn(struct gm_llm *llm, const char *fmt, ...)
{
    char text[2048]; /* as long as a line of the log */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    /* Without memory it stays unsaid. */
    (void)!gm_buf_add(&llm->warnings, text, strlen(text) + 1, NULL);
}

void gm_client_say(struct gm_llm *llm)
{
    struct gm_buf said = llm->warnings;
    if (!said.n)
        return;
    gm_buf_init(&llm->warnings, said.max);
    pthread_mutex_unlock(&llm->lock);
    for (const char *p = said.p; p < said.p + said.n; p += strlen(p) + 1)
        GM_LOG(GM_LOG_WARN, "llm", "%s", p);
    gm_buf_clear(&said);
    pthread_mutex_lock(&llm->lock);
}
