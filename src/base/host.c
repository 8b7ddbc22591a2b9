#include "base/host.h"

static _Thread_local const struct gm_host *current;

void gm_host_set(const struct gm_host *host) { current = host; }

const struct gm_host *gm_host_get(void) { return current; }
