#include "base/stop.h"

#include "base/temp.h"

#include <signal.h>
#include <stddef.h>

/* A signal handler has nothing but globals to write to. */
static volatile sig_atomic_t requested;

static void on_signal(int number)
{
    if (requested)
        gm_temp_die(number);
    requested = 1;
}

void gm_stop_catch(void)
{
    /* Without SA_RESTART: who waits for input from a terminal or pipe wakes up. */
    struct sigaction a = {.sa_handler = on_signal};
    sigemptyset(&a.sa_mask);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

bool gm_stop_requested(void) { return requested != 0; }
