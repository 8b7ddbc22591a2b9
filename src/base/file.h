/* file.h - files: whole, mapped, and written so that a reader never sees half. Line by line: lines.h. */
#ifndef GM_BASE_FILE_H
#define GM_BASE_FILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* gm_file_read - append the whole regular file (path "-" = standard input) to `out`.
 * Errors: IO (missing, a directory, unreadable), NOMEM (over out->max). */
enum gm_status gm_file_read(const char *path, struct gm_buf *out,
                            struct gm_error *err) GM_NODISCARD;

/* A read-only mapping of a file; pages are loaded on demand and shared between processes. */
struct gm_map {
    const unsigned char *p;
    size_t n; /* bytes */
};
/* gm_map_open - Errors: IO (missing, a directory, unreadable), FORMAT (empty: nothing can be mapped),
 * NOMEM (no address space for it). *out is then empty. */
enum gm_status gm_map_open(struct gm_map *out, const char *path, struct gm_error *err) GM_NODISCARD;
void gm_map_close(struct gm_map *m); /* NULL-safe, may be called twice */
/* gm_map_release - bytes [p, p + n) of a mapping are not needed for now: their whole pages leave the process's memory,
 * and come back from the file when they are read again. */
void gm_map_release(const void *p, size_t n);

/* Writing: to standard output, or to a temporary file (temp.h) beside the target, which replaces it only
 * on gm_out_commit and takes over its mode and owner. A symbolic link stays, and what it leads to is
 * replaced; what is no regular file (a pipe, a device, an open file such as /dev/stdout) is written
 * through. */
struct gm_out;
/* gm_out_open - path NULL or "-" = standard output. Temporary files for this path that dead processes
 * left are removed. Errors: IO (the folder is missing or not
 * writable, the target is a directory), NOMEM. */
enum gm_status gm_out_open(struct gm_out **out, const char *path,
                           struct gm_error *err) GM_NODISCARD;
enum gm_status gm_out_write(struct gm_out *o, struct gm_str s, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_out_flush(struct gm_out *o, struct gm_error *err) GM_NODISCARD;
/* gm_out_commit - flush, fsync, rename over the target; the object is freed whatever the result,
 * and on failure the temporary file is removed. */
enum gm_status gm_out_commit(struct gm_out *o, struct gm_error *err) GM_NODISCARD;
/* gm_out_abort - drop what was written and free; what went to standard output or is written through stays
 * there. NULL-safe. */
void gm_out_abort(struct gm_out *o);

/* gm_out_sweep - remove the temporary files that processes which no longer live left in a folder: what
 * a killed one was writing. A folder that can't be read is left as it is. */
void gm_out_sweep(const char *dir);

/* gm_file_write - all of `data` to `path` by the same temporary-file way. */
enum gm_status gm_file_write(const char *path, struct gm_str data,
                             struct gm_error *err) GM_NODISCARD;

/* gm_pwrite_all - all bytes to place `at` of an open file, however often that takes; false with errno. */
bool gm_pwrite_all(int fd, struct gm_str bytes, off_t at) GM_NODISCARD;

/* gm_dir_list - the names in a folder but for hidden ones, in order; *out and they live in the arena.
 * Errors: IO (it can't be read), FORMAT (over max names), NOMEM. O(n log n). */
enum gm_status gm_dir_list(struct gm_arena *a, const char *dir, size_t max, const char ***out,
                           size_t *n, struct gm_error *err) GM_NODISCARD;

/* gm_is_same_file - whether two paths, links followed, are of one file or folder, which is there. */
bool gm_is_same_file(const char *a, const char *b);

/* gm_mkdirs - create a directory and its parents; fine when it is there. */
enum gm_status gm_mkdirs(const char *path, struct gm_error *err) GM_NODISCARD;
/* gm_path_reach - OK where the system says whether `path` is there, and IO with its reason where it doesn't:
 * a folder that may not be entered. What isn't found goes through it before an error says "not there". */
enum gm_status gm_path_reach(const char *path, struct gm_error *err) GM_NODISCARD;
bool gm_is_file(const char *path);
bool gm_is_dir(const char *path);

#endif
