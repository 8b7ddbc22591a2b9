/* stop.h - ending long work well when the user asks for it (Ctrl-C, SIGTERM). */
#ifndef GM_BASE_STOP_H
#define GM_BASE_STOP_H

#include <stdbool.h>

/* gm_stop_catch - from now on the first SIGINT or SIGTERM only makes gm_stop_requested true; the
 * second ends the process as usual. Called once by the program, before threads start. */
void gm_stop_catch(void);
/* gm_stop_requested - from any thread. */
bool gm_stop_requested(void);

#endif
