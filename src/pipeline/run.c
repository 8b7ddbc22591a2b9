#include "pipeline/run.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/host.h"
#include "base/path.h"
#include "pipeline/run_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const char sql_get[] = "SELECT state FROM result WHERE post = ?1 AND stage = ?2 AND "
                              "config = ?3 AND input = ?4 AND error IS NULL";
static const char sql_last[] = "SELECT config, error IS NOT NULL FROM result WHERE post = ?1 AND "
                               "stage = ?2 ORDER BY session DESC, rowid DESC LIMIT 1";
static const char sql_put[] =
    "INSERT INTO result (post, stage, config, input, state, error, why, session) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (post, stage, config, input) DO UPDATE "
    "SET state = ?5, error = ?6, why = ?7, session = ?8, times = times + 1";
static const char sql_output[] = "INSERT OR REPLACE INTO output VALUES (?1, ?2, ?3, ?4, ?5)";

const char *gm_run_path(struct gm_arena *a, const char *dir)
{
    return gm_path_join(a, dir, "store.sqlite");
}

enum gm_status gm_run_read(struct gm_store **out, const char *dir, struct gm_error *err)
{
    struct gm_arena a;
    enum gm_status st;
    *out = NULL;
    gm_arena_init(&a, 0);
    const char *path = gm_run_path(&a, dir);
    if (!path)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    else if ((st = gm_path_reach(path, err)) == GM_OK && !gm_is_file(path))
        st = GM_FAIL(err, GM_EIO, "%s: no run folder; `gmner predict --run DIR` makes one", dir);
    else if (st == GM_OK)
        st = gm_store_open(out, path, GM_RUN_SCHEMA, GM_RUN_VERSION, err);
    gm_arena_clear(&a);
    return st;
}

/* ---- opening ---- */

/* The lock goes with the process, however it ends. */
static enum gm_status lock_folder(struct gm_run *r, const char *dir, struct gm_error *err)
{
    char who[32] = "";
    const char *path = gm_path_join(&r->arena, dir, "lock");
    if (!path)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    r->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (r->lock_fd < 0)
        return GM_FAIL(err, GM_EIO, "%s: %s", path, strerror(errno));
    if (flock(r->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = pread(r->lock_fd, who, sizeof who - 1, 0);
        who[n > 0 ? n : 0] = 0;
        who[strcspn(who, "\n")] = 0;
        return GM_FAIL(err, GM_EAGAIN,
                       "%s: process %s works on this run folder; wait for it, or give another one "
                       "with %s",
                       dir, who, gm_option("--run"));
    }
    snprintf(who, sizeof who, "%ld\n", (long)getpid());
    if (ftruncate(r->lock_fd, 0) != 0 || !gm_pwrite_all(r->lock_fd, gm_str(who), 0))
        return GM_FAIL(err, GM_EIO, "%s: cannot write: %s", path, strerror(errno));
    return GM_OK;
}

/* A folder belongs to one shard for good: its outputs are that shard's. */
static enum gm_status check_shard(struct gm_run *r, const char *dir, struct gm_shard shard,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_stmt *q = NULL;
    bool has;
    char text[64];
    size_t n = shard.n ? shard.n : 1;
    snprintf(text, sizeof text, "%zu/%zu", n > 1 ? shard.i : (size_t)1, n);
    GM_TRY(gm_stmt_new(&q, r->store, "SELECT value FROM meta WHERE key = 'shard'", err));
    GM_TRY(gm_stmt_run(q, NULL, 0, &has, err));
    if (has && !gm_str_eq_c(gm_stmt_text(q, 0), text)) {
        st = GM_FAIL(err, GM_EARG,
                     "%s: this run folder holds shard %.*s, not %s; give another one "
                     "with %s",
                     dir, GM_STR_ARG(gm_stmt_text(q, 0)), text, gm_option("--run"));
        goto done;
    }
    if (!has) {
        const struct gm_value arg = GM_VALUE_STR(gm_str(text));
        GM_TRY(gm_store_once(r->store, "INSERT INTO meta VALUES ('shard', ?1)", &arg, 1, err));
    }
done:
    gm_stmt_free(q);
    return st;
}

static enum gm_status begin_session(struct gm_run *r, const char *recipe, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_value arg = GM_VALUE_STR(gm_str(recipe));
    GM_TRY(gm_store_once(r->store, "UPDATE session SET how = 'killed' WHERE how = 'running'", NULL,
                         0, err));
    GM_TRY(gm_store_once(r->store,
                         "INSERT INTO session (started, how, recipe) "
                         "VALUES (datetime('now'), 'running', ?1)",
                         &arg, 1, err));
    r->session = gm_store_last_id(r->store);
    GM_TRY(
        gm_store_exec(r->store, "DELETE FROM output; DELETE FROM meta WHERE key = 'n_input'", err));
    GM_TRY(gm_stmt_new(&r->get, r->store, sql_get, err));
    GM_TRY(gm_stmt_new(&r->last, r->store, sql_last, err));
    GM_TRY(gm_stmt_new(&r->put, r->store, sql_put, err));
    GM_TRY(gm_stmt_new(&r->output, r->store, sql_output, err));
done:
    return st;
}

enum gm_status gm_run_open(struct gm_run **out, const char *dir, const char *recipe,
                           struct gm_shard shard, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    struct gm_run *r = gm_alloc(1, sizeof *r);
    if (!r)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->put_lock, NULL);
    gm_arena_init(&r->arena, 0);
    gm_arena_init(&r->waiting_arena, 0);
    r->lock_fd = -1;
    GM_TRY(gm_mkdirs(dir, err));
    GM_TRY(lock_folder(r, dir, err));
    const char *path = gm_run_path(&r->arena, dir);
    if (!path) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(gm_store_open(&r->store, path, GM_RUN_SCHEMA, GM_RUN_VERSION, err));
    GM_TRY(check_shard(r, dir, shard, err));
    GM_TRY(begin_session(r, recipe, err));
    *out = r;
    r = NULL;
done:
    gm_run_close(r);
    return st;
}

void gm_run_close(struct gm_run *r)
{
    if (!r)
        return;
    gm_stmt_free(r->get);
    gm_stmt_free(r->last);
    gm_stmt_free(r->put);
    gm_stmt_free(r->output);
    gm_store_close(r->store);
    if (r->lock_fd >= 0)
        close(r->lock_fd);
    gm_arena_clear(&r->waiting_arena);
    gm_arena_clear(&r->arena);
    pthread_mutex_destroy(&r->put_lock);
    pthread_mutex_destroy(&r->lock);
    gm_free(r);
}

/* ---- configurations ---- */

static enum gm_status find_config(struct gm_run *r, const char *stage, const char *hash,
                                  long long *config, struct gm_error *err)
{
    struct gm_stmt *q = NULL;
    bool has;
    enum gm_status st = GM_OK;
    const struct gm_value args[] = {GM_VALUE_STR(gm_str(stage)), GM_VALUE_STR(gm_str(hash))};
    GM_TRY(gm_stmt_new(&q, r->store, "SELECT id FROM config WHERE stage = ?1 AND hash = ?2", err));
    GM_TRY(gm_stmt_run(q, args, 2, &has, err));
    *config = has ? gm_stmt_int(q, 0) : 0;
done:
    gm_stmt_free(q);
    return st;
}

enum gm_status gm_run_config(struct gm_run *r, size_t order, const char *stage, struct gm_str text,
                             long long *config, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char hash[GM_SHA256_HEX];
    gm_sha256(text, hash);
    pthread_mutex_lock(&r->lock);
    if (order >= GM_RUN_STAGES_MAX) {
        st = GM_FAIL(err, GM_EARG, "a recipe of more than %d stages", GM_RUN_STAGES_MAX);
        goto done;
    }
    GM_TRY(find_config(r, stage, hash, config, err));
    if (*config == 0) {
        const struct gm_value args[] = {GM_VALUE_STR(gm_str(stage)), GM_VALUE_STR(gm_str(hash)),
                                        GM_VALUE_STR(text)};
        GM_TRY(gm_store_once(r->store, "INSERT INTO config (stage, hash, text) VALUES (?1, ?2, ?3)",
                             args, 3, err));
        *config = gm_store_last_id(r->store);
    }
    const struct gm_value args[] = {GM_VALUE_INT(r->session), GM_VALUE_INT(order),
                                    GM_VALUE_STR(gm_str(stage)), GM_VALUE_INT(*config)};
    GM_TRY(gm_store_once(r->store,
                         "INSERT OR REPLACE INTO session_stage (session, place, stage, config) "
                         "VALUES (?1, ?2, ?3, ?4)",
                         args, 4, err));
    r->config[order] = *config;
    r->n_stages = order + 1 > r->n_stages ? order + 1 : r->n_stages;
done:
    pthread_mutex_unlock(&r->lock);
    return st;
}

/* ---- results ---- */

static void count_reused(struct gm_run *r, long long config)
{
    for (size_t i = 0; i < r->n_stages; i++)
        r->reused[i] += r->config[i] == config;
}

enum gm_status gm_run_get(struct gm_run *r, const struct gm_run_key *key, struct gm_buf *out,
                          bool *found, struct gm_error *err)
{
    const struct gm_value args[] = {GM_VALUE_STR(key->post), GM_VALUE_STR(gm_str(key->stage)),
                                    GM_VALUE_INT(key->config), GM_VALUE_STR(gm_str(key->input))};
    pthread_mutex_lock(&r->lock);
    enum gm_status st = gm_stmt_run(r->get, args, 4, found, err);
    if (st == GM_OK && *found) {
        st = gm_buf_add_str(out, gm_stmt_text(r->get, 0), err);
        count_reused(r, key->config);
    }
    gm_stmt_reset(r->get);
    pthread_mutex_unlock(&r->lock);
    return st;
}

/* ---- the end ---- */

enum gm_status gm_run_end(struct gm_run *r, const char *how, size_t n_input, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char number[32];
    pthread_mutex_lock(&r->lock);
    GM_TRY(gm_run_write_outputs(r, err));
    const struct gm_value args[] = {GM_VALUE_STR(gm_str(how)), GM_VALUE_INT(r->session)};
    GM_TRY(gm_store_once(r->store,
                         "UPDATE session SET ended = datetime('now'), how = ?1 WHERE id = ?2", args,
                         2, err));
    if (strcmp(how, "complete") == 0) {
        snprintf(number, sizeof number, "%zu", n_input);
        const struct gm_value arg = GM_VALUE_STR(gm_str(number));
        GM_TRY(gm_store_once(r->store, "INSERT OR REPLACE INTO meta VALUES ('n_input', ?1)", &arg,
                             1, err));
    }
done:
    pthread_mutex_unlock(&r->lock);
    return st;
}
