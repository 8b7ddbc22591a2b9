/* progress.h - progress of long work on stderr: a live bar with rate and ETA on a terminal, one log
 * line every few seconds otherwise. */
#ifndef GM_BASE_PROGRESS_H
#define GM_BASE_PROGRESS_H

#include "base/log.h"

struct gm_progress {
    const char *label, *unit; /* borrowed: "epoch 1/6", "posts" */
    size_t total;             /* 0 = unknown */
    double start_s, shown_s;  /* monotonic clock */
};

/* gm_clock_s - seconds of a monotonic clock. */
double gm_clock_s(void);

/* gm_progress_init - begin; label and unit must outlive the object. */
void gm_progress_init(struct gm_progress *p, const char *label, size_t total, const char *unit);
/* gm_progress_due - whether gm_progress_update would show something now: four times a second on a
 * terminal, every five seconds in a log. For callers to whom `extra` costs something. */
bool gm_progress_due(const struct gm_progress *p);
/* gm_progress_update - `done` units are ready; the n numbers of `extra` are shown behind. A log line
 * has the fields UNIT, total and eta_s (where the total is known), per_s, and the first 12 of those.
 * Cheap when nothing is due. */
void gm_progress_update(struct gm_progress *p, size_t done, const struct gm_log_field *extra,
                        size_t n);
/* gm_progress_end - remove the bar. */
void gm_progress_end(struct gm_progress *p);

#endif
