/* store.h - a small SQL database in one file; store.c is the only user of SQLite.
 *
 * Write-ahead log, without a sync a commit: a process that is killed loses nothing that was
 * committed; a machine that loses power may lose the last moments, and never more than those.
 * Other processes may open the same file; a writer waits for another for up to a minute.
 * A store and its statements belong to one thread at a time: the caller locks. */
#ifndef GM_BASE_STORE_H
#define GM_BASE_STORE_H

#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct gm_store;
struct gm_stmt;

/* gm_store_open - open the file at `path`; one that is missing is made with the statements of
 * `schema`. `version` (> 0) numbers the schema: a file of another version is a FORMAT error.
 * Errors: IO (can't be made or written), FORMAT (no such store), NOMEM; the first two name the path. */
enum gm_status gm_store_open(struct gm_store **out, const char *path, const char *schema,
                             int version, struct gm_error *err) GM_NODISCARD;
void gm_store_close(struct gm_store *s); /* NULL-safe; statements are freed before */

/* gm_store_exec - statements without arguments and results, such as "BEGIN" and "COMMIT". */
enum gm_status gm_store_exec(struct gm_store *s, const char *sql,
                             struct gm_error *err) GM_NODISCARD;
/* gm_store_last_id - row number of the last INSERT. */
long long gm_store_last_id(const struct gm_store *s);

/* An argument of a statement: a text, or bytes when `is_blob`, or an integer when `is_int`, or NULL when
 * text.p is NULL. */
struct gm_value {
    struct gm_str text;
    long long number;
    bool is_int, is_blob;
};
#define GM_VALUE_INT(x) ((struct gm_value){.number = (long long)(x), .is_int = true})
#define GM_VALUE_STR(...) ((struct gm_value){.text = __VA_ARGS__})
#define GM_VALUE_BLOB(...) ((struct gm_value){.text = __VA_ARGS__, .is_blob = true})

/* gm_stmt_new - prepare one statement; *out is yours. */
enum gm_status gm_stmt_new(struct gm_stmt **out, struct gm_store *s, const char *sql,
                           struct gm_error *err) GM_NODISCARD;
void gm_stmt_free(struct gm_stmt *q); /* NULL-safe */

/* gm_stmt_run - begin anew with n arguments for ?1..?n (texts are copied) and go to the first row;
 * *has is false when there is none (NULL allowed for statements without rows).
 * gm_stmt_next - go to the next row. Errors: IO, FORMAT (the file is damaged), NOMEM; all name the file. */
enum gm_status gm_stmt_run(struct gm_stmt *q, const struct gm_value *args, size_t n, bool *has,
                           struct gm_error *err) GM_NODISCARD;
enum gm_status gm_stmt_next(struct gm_stmt *q, bool *has, struct gm_error *err) GM_NODISCARD;
/* gm_stmt_text, gm_stmt_bytes, gm_stmt_int - column i (from 0) of the row; a NULL is the view {NULL, 0}, or
 * 0. The text is valid until the statement moves on. gm_stmt_reset - leave the row; releases its locks. */
struct gm_str gm_stmt_text(struct gm_stmt *q, int i);
struct gm_str gm_stmt_bytes(struct gm_stmt *q, int i);
long long gm_stmt_int(struct gm_stmt *q, int i);
void gm_stmt_reset(struct gm_stmt *q);

/* gm_store_once - prepare, run and drop one statement that has no result. */
enum gm_status gm_store_once(struct gm_store *s, const char *sql, const struct gm_value *args,
                             size_t n, struct gm_error *err) GM_NODISCARD;

#endif
