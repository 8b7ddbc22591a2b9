#include "pipeline/merge.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "pipeline/run_schema.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* One folder, its outputs in order of position. */
struct part {
    const char *dir;
    struct gm_store *store;
    struct gm_stmt *rows; /* pos, record, image, error */
    bool has;
};

/* A run of positions with the same fault, logged when it ends. */
struct range {
    const char *what;
    size_t first, last; /* first 0 = none yet */
};

static void range_end(struct range *r)
{
    if (!r->first)
        return;
    if (r->first == r->last)
        GM_LOG(GM_LOG_WARN, "merge", "post %zu: %s", r->first, r->what);
    else
        GM_LOG(GM_LOG_WARN, "merge", "posts %zu to %zu: %s", r->first, r->last, r->what);
    r->first = 0;
}

static void range_add(struct range *r, size_t from, size_t to)
{
    if (r->first && r->last + 1 != from)
        range_end(r);
    if (!r->first)
        r->first = from;
    r->last = to;
}

/* ---- the folders ---- */

static enum gm_status get_meta(struct part *p, const char *key, struct gm_arena *a,
                               struct gm_str *value, struct gm_error *err)
{
    struct gm_stmt *q = NULL;
    bool has;
    enum gm_status st = GM_OK;
    const struct gm_value arg = GM_VALUE_STR(gm_str(key));
    *value = GM_STR("");
    GM_TRY(gm_stmt_new(&q, p->store, "SELECT value FROM meta WHERE key = ?1", err));
    GM_TRY(gm_stmt_run(q, &arg, 1, &has, err));
    if (has)
        *value = gm_arena_str(a, gm_stmt_text(q, 0));
    if (!value->p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_stmt_free(q);
    return st;
}

/* Whether a process that opened this run folder has ended before it had made the store: the lock is the
 * first file there. */
static bool has_only_begun(const char *dir, struct gm_arena *a)
{
    const char *lock = gm_path_join(a, dir, "lock"), *store = gm_run_path(a, dir);
    return lock && store && gm_is_file(lock) && !gm_is_file(store);
}

/* The part's place in its job, "" = the run ended before it was written down; *n_input is raised to the
 * length of the input where the part knows it. */
static enum gm_status open_part(struct part *p, struct gm_arena *a, struct gm_str *shard,
                                size_t *n_input, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str number;
    long long x = 0;
    *shard = GM_STR("");
    if (!has_only_begun(p->dir, a)) {
        GM_TRY(gm_run_read(&p->store, p->dir, err));
        GM_TRY(get_meta(p, "shard", a, shard, err));
    }
    if (!shard->n) {
        GM_LOG(GM_LOG_WARN, "merge", "%s: its run has only begun; run its command again", p->dir);
        goto done;
    }
    GM_TRY(get_meta(p, "n_input", a, &number, err));
    if (!gm_str_to_int(number, &x))
        GM_LOG(GM_LOG_WARN, "merge", "%s: part %.*s is not complete; run its command again", p->dir,
               GM_STR_ARG(*shard));
    if ((size_t)x > *n_input)
        *n_input = (size_t)x;
    GM_TRY(gm_stmt_new(&p->rows, p->store,
                       "SELECT pos, record, image, error FROM output ORDER BY pos", err));
    GM_TRY(gm_stmt_run(p->rows, NULL, 0, &p->has, err));
done:
    return st;
}

/* Open all; *n_input is the length of the input as far as a complete part knows it. */
static enum gm_status open_parts(struct part *parts, const char *const *dirs, size_t n,
                                 struct gm_arena *a, size_t *n_input, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str shard, i, of, first_of = {NULL, 0};
    size_t first = 0;
    *n_input = 0;
    for (size_t k = 0; k < n; k++) {
        parts[k].dir = dirs[k];
        GM_TRY(open_part(&parts[k], a, &shard, n_input, err));
        if (!gm_str_cut(shard, '/', &i, &of))
            continue;
        if (!first_of.p) {
            first_of = of;
            first = k;
        }
        if (!gm_str_eq(of, first_of)) {
            st = GM_FAIL(err, GM_EARG,
                         "%s is one of %.*s parts and %s one of %.*s; parts of one job are needed",
                         dirs[first], GM_STR_ARG(first_of), dirs[k], GM_STR_ARG(of));
            goto done;
        }
    }
done:
    return st;
}

/* ---- merging ---- */

/* The part with the smallest position; NULL at the end. */
static struct part *smallest(struct part *parts, size_t n)
{
    struct part *best = NULL;
    for (size_t k = 0; k < n; k++)
        if (parts[k].has && (!best || gm_stmt_int(parts[k].rows, 0) < gm_stmt_int(best->rows, 0)))
            best = &parts[k];
    return best;
}

/* Where the image is, as a run into the output's folder would have had it: relative to the current
 * folder if the output is named so as well. */
static struct gm_str place(struct gm_arena *a, struct gm_str image, const char *out_dir)
{
    char cwd[4096];
    if (out_dir[0] != '/' && getcwd(cwd, sizeof cwd)) {
        struct gm_str here = gm_str(cwd);
        if (gm_str_starts(image, here) && image.n > here.n + 1 && image.p[here.n] == '/')
            image = gm_str_sub(image, here.n + 1, image.n);
    }
    return gm_arena_str(a, image);
}

struct merge {
    const char *out_dir;
    enum gm_status (*post)(void *user, struct gm_post *post, struct gm_error *err);
    void *user;
    struct gm_merge_report *report;
};

static enum gm_status hand_out(struct merge *m, struct part *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post post;
    struct gm_json *j;
    struct gm_str record = gm_stmt_text(p->rows, 1), image = gm_stmt_text(p->rows, 2);
    if (!record.p) {
        m->report->n_unreadable++;
        return GM_OK;
    }
    gm_post_init(&post);
    GM_TRY(gm_json_parse(&j, record, err));
    GM_TRY(gm_post_from_json(&post, j, NULL, err)); /* takes j over */
    if (image.p) {
        post.image = place(&post.arena, image, m->out_dir);
        if (!post.image.p) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
            goto done;
        }
    }
    m->report->n_posts++;
    m->report->n_failed += post.error.stage.n > 0;
    GM_TRY(m->post(m->user, &post, err));
done:
    gm_post_clear(&post);
    if (st != GM_OK)
        gm_error_prefix(err, "%s: post %lld", p->dir, gm_stmt_int(p->rows, 0));
    return st;
}

/* Step over the rows of the position that has been handed out. */
static enum gm_status skip(struct merge *m, struct part *parts, size_t n, struct part *taken,
                           struct range *twice, struct range *conflict, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    long long pos = gm_stmt_int(taken->rows, 0);
    struct gm_str record = gm_stmt_text(taken->rows, 1);
    for (size_t k = 0; k < n; k++) {
        struct part *p = &parts[k];
        if (p == taken || !p->has || gm_stmt_int(p->rows, 0) != pos)
            continue;
        bool same = gm_str_eq(record, gm_stmt_text(p->rows, 1));
        m->report->n_duplicates++;
        m->report->n_conflicts += !same;
        range_add(same ? twice : conflict, (size_t)pos, (size_t)pos);
        GM_TRY(gm_stmt_next(p->rows, &p->has, err));
    }
    GM_TRY(gm_stmt_next(taken->rows, &taken->has, err));
done:
    return st;
}

static enum gm_status merge_all(struct merge *m, struct part *parts, size_t n, size_t n_input,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct range gap = {.what = "missing"}, twice = {.what = "in more than one folder, the same"};
    struct range conflict = {.what = "in more than one folder, different; the first is taken"};
    size_t next = 1;
    for (struct part *p; (p = smallest(parts, n));) {
        size_t pos = (size_t)gm_stmt_int(p->rows, 0);
        if (pos > next) {
            range_add(&gap, next, pos - 1);
            m->report->n_missing += pos - next;
        }
        next = pos + 1;
        GM_TRY(hand_out(m, p, err));
        GM_TRY(skip(m, parts, n, p, &twice, &conflict, err));
    }
    if (n_input >= next) {
        range_add(&gap, next, n_input);
        m->report->n_missing += n_input - next + 1;
    }
    range_end(&gap);
    range_end(&twice);
    range_end(&conflict);
done:
    return st;
}

enum gm_status gm_runs_merge(const char *const *dirs, size_t n, const char *out_dir,
                             enum gm_status (*post)(void *user, struct gm_post *post,
                                                    struct gm_error *err),
                             void *user, struct gm_merge_report *report, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_input;
    struct gm_arena a;
    struct merge m = {out_dir, post, user, report};
    gm_arena_init(&a, 0);
    *report = (struct gm_merge_report){0};
    struct part *parts = gm_alloc(n, sizeof *parts);
    if (!parts) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(open_parts(parts, dirs, n, &a, &n_input, err));
    GM_TRY(merge_all(&m, parts, n, n_input, err));
done:
    for (size_t k = 0; parts && k < n; k++) {
        gm_stmt_free(parts[k].rows);
        gm_store_close(parts[k].store);
    }
    gm_free(parts);
    gm_arena_clear(&a);
    return st;
}
