#include "base/host.h"

#include <string.h>

static _Thread_local const struct gm_host *current;

void gm_host_set(const struct gm_host *host) { current = host; }

const struct gm_host *gm_host_get(void) { return current; }

const char *gm_option(const char *flag)
{
    if (!current)
        return flag;
    return current->option ? current->option(flag) : flag + strspn(flag, "-");
}
