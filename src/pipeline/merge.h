/* merge.h - the parts of a job that was split with --shard, put together in the input's order. */
#ifndef GM_PIPELINE_MERGE_H
#define GM_PIPELINE_MERGE_H

#include "record/record.h"

struct gm_merge_report {
    size_t n_posts, n_failed, n_unreadable;
    size_t n_missing;    /* positions of the input that no folder has */
    size_t n_duplicates; /* positions that several folders have */
    size_t n_conflicts;  /* of those, with different records */
};

/* gm_runs_merge - every post of the run folders to `post`, by its position in the input. Where
 * several folders have a post, the first named gives it. Gaps and duplicates are logged as ranges
 * and counted. A folder whose run ended before it knew its part has none of them, and is named.
 * `out_dir` is the folder that the output will be in, for relative image paths.
 * Errors: ARG (folders of different splits), IO, FORMAT, NOMEM, those of `post`. */
enum gm_status
gm_runs_merge(const char *const *dirs, size_t n, const char *out_dir,
              enum gm_status (*post)(void *user, struct gm_post *post, struct gm_error *err),
              void *user, struct gm_merge_report *report, struct gm_error *err) GM_NODISCARD;

#endif
