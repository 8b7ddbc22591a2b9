/* What a run folder holds, for people: sessions, stages, and why each result was computed. */
#include "pipeline/run.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/path.h"
#include "pipeline/run_schema.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { SESSIONS_MAX = 10, VALUE_MAX = 60, HASH_SHOWN = 12 };

static enum gm_status query(struct gm_stmt **q, struct gm_store *s, const char *sql, long long a,
                            long long b, const char *c, bool *has, struct gm_error *err)
{
    enum gm_status st = gm_stmt_new(q, s, sql, err);
    const struct gm_value args[] = {GM_VALUE_INT(a), GM_VALUE_INT(b), GM_VALUE_STR(gm_str(c))};
    size_t n = c ? 3 : strstr(sql, "?2") ? 2 : strstr(sql, "?1") ? 1 : 0;
    return st == GM_OK ? gm_stmt_run(*q, args, n, has, err) : st;
}

/* ---- what changed between two configurations ---- */

/* The value of line "name=…" of a configuration; .p NULL when it has none. */
static struct gm_str value_of(struct gm_str text, struct gm_str name)
{
    struct gm_str line, key, value;
    while (text.n) {
        gm_str_cut(text, '\n', &line, &text);
        if (gm_str_cut(line, '=', &key, &value) && gm_str_eq(key, name))
            return value;
    }
    return (struct gm_str){NULL, 0};
}

static enum gm_status add_value(struct gm_str v, struct gm_buf *out, struct gm_error *err)
{
    bool is_hash = v.n == 64 && strspn(v.p, "0123456789abcdef") >= 64;
    if (!v.p)
        return gm_buf_add_c(out, "(none)", err);
    if (is_hash || v.n > VALUE_MAX)
        return gm_buf_printf(out, err, "%.*s...", is_hash ? HASH_SHOWN : VALUE_MAX, v.p);
    return gm_buf_add_str(out, v, err);
}

/* Lines of `a` that are other in, or missing from, `b`; `both` false: only those missing. */
static enum gm_status add_differences(struct gm_str a, struct gm_str b, bool both, size_t *n,
                                      struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str line, key, value;
    while (a.n) {
        gm_str_cut(a, '\n', &line, &a);
        if (!gm_str_cut(line, '=', &key, &value))
            continue;
        struct gm_str other = value_of(b, key);
        if (both ? other.p && gm_str_eq(value, other) : other.p != NULL)
            continue;
        GM_TRY(gm_buf_printf(out, err, "%s%.*s: ", *n ? "; " : "", GM_STR_ARG(key)));
        GM_TRY(add_value(both ? value : other, out, err));
        GM_TRY(gm_buf_add_c(out, " -> ", err));
        GM_TRY(add_value(both ? other : value, out, err));
        ++*n;
    }
done:
    return st;
}

/* "model: "a" -> "b"; a/weights: 12ab... -> 34cd...", from the configuration that the stage had in
 * the last session before this one. Nothing when there was none or it was the same. */
static enum gm_status add_change(struct gm_store *s, long long session, const char *stage,
                                 long long config, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_stmt *before = NULL, *now = NULL;
    bool had, has;
    size_t n = 0;
    GM_TRY(query(&before, s,
                 "SELECT c.text FROM session_stage t JOIN config c ON c.id = t.config WHERE "
                 "t.session < ?1 AND ?2 <> c.id AND t.stage = ?3 ORDER BY t.session DESC LIMIT 1",
                 session, config, stage, &had, err));
    GM_TRY(query(&now, s, "SELECT text FROM config WHERE id = ?1", config, 0, NULL, &has, err));
    if (!had || !has)
        goto done;
    struct gm_str old = gm_stmt_text(before, 0), new = gm_stmt_text(now, 0);
    GM_TRY(gm_buf_add_c(out, " (", err));
    GM_TRY(add_differences(old, new, true, &n, out, err));
    GM_TRY(add_differences(new, old, false, &n, out, err));
    GM_TRY(gm_buf_add_c(out, ")", err));
done:
    gm_stmt_free(before);
    gm_stmt_free(now);
    return st;
}

/* ---- sessions ---- */

static const char *why_text(struct gm_str why)
{
    static const struct {
        const char *code, *text;
    } texts[] = {{"new", "new"},
                 {"failed", "had failed before"},
                 {"settings", "other settings than before"},
                 {"input", "an earlier stage, the text or the image changed"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (gm_str_eq_c(why, texts[i].code))
            return texts[i].text;
    return "?";
}

static enum gm_status show_stage(struct gm_store *s, long long session, struct gm_stmt *stage,
                                 struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_stmt *q = NULL;
    struct gm_arena a;
    bool has;
    gm_arena_init(&a, 0);
    const char *name = gm_arena_str(&a, gm_stmt_text(stage, 0)).p;
    long long config = gm_stmt_int(stage, 1);
    if (!name) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(
        gm_buf_printf(out, err, "  %-8s taken from the store %lld", name, gm_stmt_int(stage, 2)));
    GM_TRY(query(&q, s,
                 "SELECT why, count(*), count(error) FROM result WHERE session = ?1 AND config = "
                 "?2 AND stage = ?3 GROUP BY why ORDER BY 2 DESC",
                 session, config, name, &has, err));
    if (!has)
        GM_TRY(gm_buf_add_c(out, ", ran 0", err));
    while (has) {
        GM_TRY(gm_buf_printf(out, err, ", ran %lld: %s", gm_stmt_int(q, 1),
                             why_text(gm_stmt_text(q, 0))));
        if (gm_str_eq_c(gm_stmt_text(q, 0), "settings"))
            GM_TRY(add_change(s, session, name, config, out, err));
        if (gm_stmt_int(q, 2))
            GM_TRY(gm_buf_printf(out, err, " [%lld failed]", gm_stmt_int(q, 2)));
        GM_TRY(gm_stmt_next(q, &has, err));
    }
    GM_TRY(gm_buf_add_c(out, "\n", err));
done:
    gm_stmt_free(q);
    gm_arena_clear(&a);
    return st;
}

static enum gm_status show_stages(struct gm_store *s, long long session, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_stmt *q = NULL;
    bool has;
    GM_TRY(query(&q, s,
                 "SELECT stage, config, reused FROM session_stage WHERE session = ?1 "
                 "ORDER BY place",
                 session, 0, NULL, &has, err));
    while (has) {
        GM_TRY(show_stage(s, session, q, out, err));
        GM_TRY(gm_stmt_next(q, &has, err));
    }
done:
    gm_stmt_free(q);
    return st;
}

/* Whether a process works on the folder just now. */
static bool is_locked(struct gm_arena *a, const char *dir)
{
    const char *path = gm_path_join(a, dir, "lock");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
    if (fd >= 0)
        close(fd); /* releases the lock */
    return locked;
}

static enum gm_status show_sessions(struct gm_store *s, bool locked, struct gm_buf *out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_stmt *q = NULL;
    bool has;
    GM_TRY(query(&q, s, "SELECT id, started, how, recipe FROM session ORDER BY id DESC LIMIT ?1",
                 SESSIONS_MAX, 0, NULL, &has, err));
    while (has) {
        struct gm_str how = gm_stmt_text(q, 2);
        bool running = gm_str_eq_c(how, "running");
        if (running)
            how = locked ? GM_STR("running now") : GM_STR("killed");
        GM_TRY(gm_buf_printf(out, err, "\nsession %lld, %.*s UTC, recipe %.*s: %.*s\n",
                             gm_stmt_int(q, 0), GM_STR_ARG(gm_stmt_text(q, 1)),
                             GM_STR_ARG(gm_stmt_text(q, 3)), GM_STR_ARG(how)));
        GM_TRY(show_stages(s, gm_stmt_int(q, 0), out, err));
        GM_TRY(gm_stmt_next(q, &has, err));
    }
done:
    gm_stmt_free(q);
    return st;
}

static enum gm_status show_outputs(struct gm_store *s, const char *dir, struct gm_buf *out,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_stmt *q = NULL;
    bool has;
    GM_TRY(query(&q, s,
                 "SELECT count(record), sum(record IS NOT NULL AND error IS NOT NULL), "
                 "sum(record IS NULL), (SELECT value FROM meta WHERE key = 'shard'), (SELECT value "
                 "FROM meta WHERE key = 'n_input') FROM output",
                 0, 0, NULL, &has, err));
    GM_TRY(gm_buf_printf(out, err, "%s: part %.*s", dir, GM_STR_ARG(gm_stmt_text(q, 3))));
    if (gm_stmt_text(q, 4).p)
        GM_TRY(
            gm_buf_printf(out, err, " of an input of %.*s posts", GM_STR_ARG(gm_stmt_text(q, 4))));
    else
        GM_TRY(gm_buf_add_c(out, ", not complete: the same command again goes on", err));
    GM_TRY(gm_buf_printf(out, err,
                         "\n%lld posts are ready, %lld of them failed; %lld could not be "
                         "read\n",
                         gm_stmt_int(q, 0), gm_stmt_int(q, 1), gm_stmt_int(q, 2)));
done:
    gm_stmt_free(q);
    return st;
}

enum gm_status gm_run_show(const char *dir, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_store *s = NULL;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(gm_run_read(&s, dir, err));
    GM_TRY(show_outputs(s, dir, out, err));
    GM_TRY(show_sessions(s, is_locked(&a, dir), out, err));
done:
    gm_store_close(s);
    gm_arena_clear(&a);
    return st;
}
