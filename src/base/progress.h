/* progress.h - progress of long work on stderr: a live bar with rate and ETA on a terminal, one log
 * line every few seconds otherwise. */
#ifndef GM_BASE_PROGRESS_H
#define GM_BASE_PROGRESS_H

#include <stddef.h>

struct gm_progress {
    const char *label, *unit; /* borrowed: "epoch 1/6", "posts" */
    size_t total;             /* 0 = unknown */
    double start_s, shown_s;  /* monotonic clock */
};

/* gm_clock_s - seconds of a monotonic clock. */
double gm_clock_s(void);

/* gm_progress_init - begin; label and unit must outlive the object. */
void gm_progress_init(struct gm_progress *p, const char *label, size_t total, const char *unit);
/* gm_progress_update - `done` units are ready; `extra` (NULL allowed) is shown at the end of the
 * line. Cheap: draws at most ten times a second (a log line: every five seconds). */
void gm_progress_update(struct gm_progress *p, size_t done, const char *extra);
/* gm_progress_end - remove the bar. */
void gm_progress_end(struct gm_progress *p);

#endif
