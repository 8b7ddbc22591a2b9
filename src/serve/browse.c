/* Opening a file of posts, and single posts of it. */
#include "serve/browse_internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/path.h"
#include "record/regions.h"
#include "serve/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_BYTES = 140 };

/* The beginning of a text, at most `max` bytes, cut between characters. */
static struct gm_str beginning(struct gm_str text, size_t max)
{
    size_t n = text.n < max ? text.n : max;
    while (n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    return gm_str_sub(text, 0, n);
}

static enum gm_status add(void *browse, size_t i, struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_browse *b = browse;
    GM_TRY(GM_GROW(b->rows, b->n, b->cap, err));
    b->rows[i] =
        (struct browse_row){.id = gm_arena_str(&b->arena, post->id),
                            .text = gm_arena_str(&b->arena, beginning(post->text, SHOWN_BYTES))};
    if (!b->rows[i].id.p || !b->rows[i].text.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(gm_browse_note(b, i, post, err));
    b->n++;
    if (b->n % 20000 == 0)
        GM_LOG(GM_LOG_INFO, "serve", "%s: %zu posts", b->path, b->n);
done:
    return st;
}

/* ---- opening ---- */

static int more_uncertain(const void *a, const void *b)
{
    const struct browse_rank *x = a, *y = b;
    if (x->uncertainty < y->uncertainty || y->uncertainty < x->uncertainty)
        return x->uncertainty > y->uncertainty ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static enum gm_status sort_rows(struct gm_browse *b, struct gm_error *err)
{
    b->by_uncertainty = gm_alloc(b->n + 1, sizeof *b->by_uncertainty);
    if (!b->by_uncertainty)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < b->n; i++)
        b->by_uncertainty[i] = (struct browse_rank){b->rows[i].uncertainty, i};
    qsort(b->by_uncertainty, b->n, sizeof *b->by_uncertainty, more_uncertain);
    return GM_OK;
}

/* The file's path without slashes at its end, so that the journal lies beside a folder and not in it. */
static enum gm_status set_paths(struct gm_browse *b, const char *path, struct gm_error *err)
{
    struct gm_str p = gm_str(path);
    while (p.n > 1 && p.p[p.n - 1] == '/')
        p.n--;
    b->path = gm_path_absolute(&b->arena, gm_arena_str(&b->arena, p)).p;
    b->journal_path = gm_arena_printf(&b->arena, "%s.corrections.jsonl", b->path).p;
    return b->path && b->journal_path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

enum gm_status gm_browse_open(struct gm_browse **out, const char *path, const char *gold,
                              const char *beside, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_browse *b = gm_alloc(1, sizeof *b);
    const struct gm_eval_opts comparing = gm_eval_opts_default(GM_TASK_GMNER);
    const char *const rivals[BROWSE_RIVALS] = {[BROWSE_GOLD] = gold, [BROWSE_BESIDE] = beside};
    *out = NULL;
    if (!b)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    b->journal = -1;
    gm_arena_init(&b->arena, 0);
    pthread_mutex_init(&b->lock, NULL);
    GM_TRY(set_paths(b, path, err));
    GM_TRY(gm_eval_new(&b->eval, &comparing, err));
    for (size_t i = 0; i < BROWSE_RIVALS; i++)
        if (rivals[i])
            GM_TRY(gm_post_spool_open(&b->rivals[i], rivals[i], NULL, NULL, err));
    GM_TRY(gm_post_spool_open(&b->posts, b->path, add, b, err));
    GM_TRY(gm_browse_journal_open(b, err));
    GM_TRY(sort_rows(b, err));
    *out = b;
    b = NULL;
done:
    gm_browse_free(b);
    return st;
}

void gm_browse_free(struct gm_browse *b)
{
    if (!b)
        return;
    if (b->journal >= 0)
        close(b->journal);
    gm_post_spool_free(b->posts);
    for (size_t i = 0; i < BROWSE_RIVALS; i++)
        gm_post_spool_free(b->rivals[i]);
    gm_eval_free(b->eval);
    gm_free(b->rows);
    gm_free(b->by_uncertainty);
    pthread_mutex_destroy(&b->lock);
    gm_arena_clear(&b->arena);
    gm_free(b);
}

size_t gm_browse_count(const struct gm_browse *b) { return b->n; }

size_t gm_browse_find(const struct gm_browse *b, struct gm_str id)
{
    return gm_post_spool_find(b->posts, id);
}

/* ---- posts ---- */

enum gm_status gm_browse_read(struct gm_browse *b, size_t i, struct gm_post *post,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    gm_post_init(post);
    GM_TRY(b->rows[i].version ? gm_browse_journal_get(b, i, &j, err)
                              : gm_post_spool_get(b->posts, i, &j, err));
    GM_TRY(gm_post_from_json(post, j, NULL, err));
    gm_post_settle_boxes(post, NULL);
done:
    return st;
}

enum gm_status gm_browse_post(struct gm_browse *b, size_t i, struct gm_post *post, size_t *version,
                              struct gm_error *err)
{
    pthread_mutex_lock(&b->lock);
    enum gm_status st = gm_browse_read(b, i, post, err);
    *version = b->rows[i].version;
    pthread_mutex_unlock(&b->lock);
    return st;
}

/* ---- leases ---- */

/* The lease on a post, or one that nobody has (its post is then SIZE_MAX); NULL = all are taken. */
static struct browse_lease *lease_of(struct gm_browse *b, size_t post)
{
    struct browse_lease *free_one = NULL;
    long long now = gm_now_ns();
    for (size_t i = 0; i < BROWSE_LEASES; i++) {
        struct browse_lease *l = &b->leases[i];
        if (l->until_ns > now && l->post == post)
            return l;
        if (l->until_ns <= now)
            free_one = l;
    }
    if (free_one)
        *free_one = (struct browse_lease){.post = SIZE_MAX};
    return free_one;
}

static bool is_others(const struct browse_lease *l, struct gm_str who)
{
    return l && l->post != SIZE_MAX && !gm_str_eq_c(who, l->who);
}

enum gm_browse_result gm_browse_lease(struct gm_browse *b, size_t i, struct gm_str who,
                                      struct gm_str name, bool ends, char *holder)
{
    enum gm_browse_result result = GM_BROWSE_DONE;
    pthread_mutex_lock(&b->lock);
    struct browse_lease *l = lease_of(b, i);
    *holder = 0;
    if (!l || is_others(l, who)) {
        result = GM_BROWSE_HELD;
        snprintf(holder, GM_BROWSE_WHO_MAX, "%s", l ? l->name : "too many others");
    } else {
        l->post = i;
        l->until_ns = ends ? 0 : gm_now_ns() + GM_BROWSE_LEASE_S * 1000000000LL;
        snprintf(l->who, sizeof l->who, "%.*s", GM_STR_ARG(who));
        name = beginning(name, sizeof l->name - 1);
        snprintf(l->name, sizeof l->name, "%.*s", GM_STR_ARG(name));
    }
    pthread_mutex_unlock(&b->lock);
    return result;
}

/* ---- corrections ---- */

/* The post with other entities, read as any record is, so that a wrong one is refused. */
static enum gm_status with_entities(struct gm_browse *b, size_t i, struct gm_json *entities,
                                    struct gm_post *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    gm_post_init(out);
    GM_TRY(b->rows[i].version ? gm_browse_journal_get(b, i, &j, err)
                              : gm_post_spool_get(b->posts, i, &j, err));
    if (!gm_json_set(j, "entities", entities)) {
        entities = NULL;
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    entities = NULL;
    struct gm_json *line = j;
    j = NULL;
    GM_TRY(gm_post_from_json(out, line, NULL, err));
    gm_post_settle_boxes(out, NULL);
done:
    gm_json_free(entities);
    gm_json_free(j);
    return st;
}

enum gm_status gm_browse_save(struct gm_browse *b, size_t i, size_t version, struct gm_str who,
                              struct gm_json *entities, enum gm_browse_result *result,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post post;
    pthread_mutex_lock(&b->lock);
    struct browse_row *row = &b->rows[i];
    *result = GM_BROWSE_DONE;
    if (is_others(lease_of(b, i), who))
        *result = GM_BROWSE_HELD;
    else if (version != row->version)
        *result = GM_BROWSE_OLD;
    if (*result == GM_BROWSE_DONE) {
        st = with_entities(b, i, entities, &post, err);
        if (st == GM_OK)
            st = gm_browse_journal_add(b, i, who, &post, err);
        if (st == GM_OK)
            st = gm_browse_note(b, i, &post, err);
        gm_post_clear(&post);
    } else {
        gm_json_free(entities);
    }
    pthread_mutex_unlock(&b->lock);
    return st;
}
