/* host.h - what a program that embeds the library has said for the work of a thread: where the files
 * are, where log lines go, what its sessions share.
 *
 * It belongs to the thread and is no parameter, as it changes nothing of what is computed: the API
 * sets it where a call comes in, the threads that gm_thread_start and base/parallel.h start have it
 * of the thread that started them, and the program `gmner` has none. */
#ifndef GM_BASE_HOST_H
#define GM_BASE_HOST_H

#include "base/log.h"

#include <stddef.h>
#include <stdint.h>

struct gm_shared; /* base/shared.h */

struct gm_host {
    const char *home;         /* counts before $GMNER_HOME; NULL = not said */
    const char *models;       /* counts before $GMNER_MODELS; NULL = not said */
    struct gm_shared *shared; /* what its sessions have in common; NULL = nothing */
    size_t sessions;          /* how many may work at once; 0 = one */
    void (*log)(void *user, enum gm_log_level level, const char *line); /* NULL = nobody listens */
    void *log_user;
    enum gm_log_level log_level;             /* the most verbose that it wants */
    const char *(*option)(const char *flag); /* gm_option; NULL = without its dashes */
    uint64_t max_pixels;                     /* of a picture or mask; 0 = the process's limit */
};

/* gm_host_set - for the calling thread, until the next call; borrowed; NULL = no host.
 * gm_host_get - the calling thread's; NULL = the program itself is at work. */
void gm_host_set(const struct gm_host *host);
const struct gm_host *gm_host_get(void);

/* gm_option - an option of the program as a message calls it: the flag itself ("--in-flight") in the
 * program, which alone has flags, and what the host calls it elsewhere ("llm_in_flight"). */
const char *gm_option(const char *flag);

#endif
