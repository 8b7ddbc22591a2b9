/* temp.h - temporary files that no end of the process leaves behind: those of a process that a signal
 * ends are removed by its handler (64 at most), all others by the next run on the same name.
 * Safe from any thread. */
#ifndef GM_BASE_TEMP_H
#define GM_BASE_TEMP_H

#include "base/status.h"

#include <stdbool.h>

struct gm_temp; /* one open temporary file */

/* gm_temp_new - make `path`.PID-SERIAL.tmp, open for writing (mode 0666 less the umask), after removing
 * those that dead processes left for the same path. *fd belongs to the caller, who closes it after
 * gm_temp_end. Errors: IO, NOMEM. */
enum gm_status gm_temp_new(struct gm_temp **out, const char *path, int *fd,
                           struct gm_error *err) GM_NODISCARD;
const char *gm_temp_path(const struct gm_temp *t);
/* gm_temp_end - free, and remove the file unless it was renamed. NULL-safe. */
void gm_temp_end(struct gm_temp *t, bool renamed);

/* gm_temp_catch - from now on every signal that would end the process removes the open temporary files
 * first; a file that grows over the limit (SIGXFSZ) becomes a failed write. Signals that are ignored or
 * have a handler are left as they are. For the program, not for the library. */
void gm_temp_catch(void);
/* gm_temp_die - remove the open temporary files and end by the signal: to be called in a handler. */
void gm_temp_die(int number);

/* gm_temp_sweep - remove the temporary files in `dir` of processes that no longer live: all of them, or
 * with `name` those for that file. A folder that can't be read is left as it is. */
void gm_temp_sweep(const char *dir, const char *name);

#endif
