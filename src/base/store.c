#include "base/store.h"

#include "base/alloc.h"
#include "base/file.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>

enum { BUSY_MS = 60000 };

struct gm_store {
    sqlite3 *db;
    char *path;
};

struct gm_stmt {
    sqlite3_stmt *q;
    const struct gm_store *store;
};

/* What SQLite said, as ours. */
static enum gm_status failed(const struct gm_store *s, int rc, struct gm_error *err)
{
    const char *why = s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_NOMEM: return GM_FAIL(err, GM_ENOMEM, "%s: out of memory", s->path);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        /* So it also calls what the disk fails to give (SQLITE_IOERR_CORRUPTFS). */
        return GM_FAIL(err, GM_EFORMAT,
                       "%s: %s, or could not be read from the disk; if it holds nothing of worth, "
                       "remove it",
                       s->path, why);
    case SQLITE_FULL: return GM_FAIL(err, GM_EIO, "%s: cannot write: %s", s->path, why);
    default: return GM_FAIL(err, GM_EIO, "%s: %s", s->path, why);
    }
}

enum gm_status gm_store_exec(struct gm_store *s, const char *sql, struct gm_error *err)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? GM_OK : failed(s, rc, err);
}

static enum gm_status get_version(struct gm_store *s, long long *version, struct gm_error *err)
{
    struct gm_stmt *q = NULL;
    bool has;
    enum gm_status st = GM_OK;
    GM_TRY(gm_stmt_new(&q, s, "PRAGMA user_version", err));
    GM_TRY(gm_stmt_run(q, NULL, 0, &has, err));
    *version = has ? gm_stmt_int(q, 0) : 0;
done:
    gm_stmt_free(q);
    return st;
}

/* Make the tables, or see that they are those we know. Two processes that come at once wait for
 * each other at BEGIN IMMEDIATE. */
static enum gm_status prepare(struct gm_store *s, const char *schema, int version,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    long long found;
    char set[64];
    GM_TRY(gm_store_exec(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", err));
    GM_TRY(get_version(s, &found, err));
    if (found == version)
        goto done;
    GM_TRY(gm_store_exec(s, "BEGIN IMMEDIATE", err));
    GM_TRY(get_version(s, &found, err));
    if (found && found != version) {
        st = GM_FAIL(err, GM_EFORMAT,
                     "%s: its format is number %lld, and this program writes %d; use the program "
                     "that wrote it, or another place",
                     s->path, found, version);
        goto done;
    }
    if (!found) {
        GM_TRY(gm_store_exec(s, schema, err));
        snprintf(set, sizeof set, "PRAGMA user_version=%d", version);
        GM_TRY(gm_store_exec(s, set, err));
    }
    GM_TRY(gm_store_exec(s, "COMMIT", err));
done:
    return st;
}

enum gm_status gm_store_open(struct gm_store **out, const char *path, const char *schema,
                             int version, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    struct gm_store *s = gm_alloc(1, sizeof *s);
    if (!s || !(s->path = gm_strdup(path))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(path, &s->db, flags, NULL);
    if (rc != SQLITE_OK) {
        st = failed(s, rc, err);
        goto done;
    }
    sqlite3_busy_timeout(s->db, BUSY_MS);
    GM_TRY(prepare(s, schema, version, err));
    *out = s;
    s = NULL;
done:
    gm_store_close(s);
    return st;
}

void gm_store_close(struct gm_store *s)
{
    if (!s)
        return;
    sqlite3_close(s->db);
    gm_free(s->path);
    gm_free(s);
}

long long gm_store_last_id(const struct gm_store *s) { return sqlite3_last_insert_rowid(s->db); }

enum gm_status gm_stmt_new(struct gm_stmt **out, struct gm_store *s, const char *sql,
                           struct gm_error *err)
{
    *out = NULL;
    struct gm_stmt *q = gm_alloc(1, sizeof *q);
    if (!q)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    q->store = s;
    int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->q, NULL);
    if (rc != SQLITE_OK) {
        gm_free(q);
        return failed(s, rc, err);
    }
    *out = q;
    return GM_OK;
}

void gm_stmt_free(struct gm_stmt *q)
{
    if (!q)
        return;
    sqlite3_finalize(q->q);
    gm_free(q);
}

enum gm_status gm_stmt_next(struct gm_stmt *q, bool *has, struct gm_error *err)
{
    int rc = sqlite3_step(q->q);
    if (has)
        *has = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW)
        return GM_OK;
    enum gm_status st = rc == SQLITE_DONE ? GM_OK : failed(q->store, rc, err);
    sqlite3_reset(q->q); /* let go of the locks at once */
    return st;
}

enum gm_status gm_stmt_run(struct gm_stmt *q, const struct gm_value *args, size_t n, bool *has,
                           struct gm_error *err)
{
    sqlite3_reset(q->q);
    for (size_t i = 0; i < n; i++) {
        const struct gm_value *v = &args[i];
        int at = (int)i + 1, rc;
        if (v->text.n > INT_MAX)
            return GM_FAIL(err, GM_ENOMEM, "%s: a text of %zu bytes is too long", q->store->path,
                           v->text.n);
        if (v->is_int)
            rc = sqlite3_bind_int64(q->q, at, v->number);
        else if (v->is_blob)
            rc = sqlite3_bind_blob(q->q, at, v->text.p, (int)v->text.n, SQLITE_TRANSIENT);
        else if (v->text.p)
            rc = sqlite3_bind_text(q->q, at, v->text.p, (int)v->text.n, SQLITE_TRANSIENT);
        else
            rc = sqlite3_bind_null(q->q, at);
        if (rc != SQLITE_OK)
            return failed(q->store, rc, err);
    }
    return gm_stmt_next(q, has, err);
}

struct gm_str gm_stmt_text(struct gm_stmt *q, int i)
{
    const char *p = (const char *)sqlite3_column_text(q->q, i);
    return (struct gm_str){p, p ? (size_t)sqlite3_column_bytes(q->q, i) : 0};
}

struct gm_str gm_stmt_bytes(struct gm_stmt *q, int i)
{
    const char *p = sqlite3_column_blob(q->q, i);
    return (struct gm_str){p, p ? (size_t)sqlite3_column_bytes(q->q, i) : 0};
}

long long gm_stmt_int(struct gm_stmt *q, int i) { return sqlite3_column_int64(q->q, i); }

void gm_stmt_reset(struct gm_stmt *q) { sqlite3_reset(q->q); }

enum gm_status gm_store_once(struct gm_store *s, const char *sql, const struct gm_value *args,
                             size_t n, struct gm_error *err)
{
    struct gm_stmt *q;
    enum gm_status st = gm_stmt_new(&q, s, sql, err);
    if (st == GM_OK)
        st = gm_stmt_run(q, args, n, NULL, err);
    gm_stmt_free(q);
    return st;
}
