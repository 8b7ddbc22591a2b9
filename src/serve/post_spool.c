#include "serve/post_spool.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "formats/reader.h"
#include "pipeline/merge.h"
#include "record/image_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1 << 28 };

struct place {
    off_t at;
    size_t n;
};

struct name {
    uint64_t hash;
    size_t post;
};

struct gm_post_spool {
    FILE *file;
    struct place *places;
    struct name *names; /* by hash, then by post */
    size_t n, cap, names_cap;
    off_t end;
    struct gm_buf line; /* while it is filled */
    enum gm_status (*fn)(void *user, size_t i, struct gm_post *post, struct gm_error *err);
    void *user;
};

/* The picture's path as it is right from everywhere. */
static enum gm_status set_image(struct gm_post *post, struct gm_error *err)
{
    if (!post->image.n)
        return GM_OK;
    post->image = gm_image_absolute(&post->arena, post->image);
    if (!post->image.p || (post->source && gm_json_get(post->source, "image") &&
                           !gm_json_set(post->source, "image", gm_json_new_str(post->image))))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    return GM_OK;
}

static enum gm_status add(void *spool, struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post_spool *s = spool;
    gm_buf_reset(&s->line);
    GM_TRY(set_image(post, err));
    GM_TRY(gm_post_to_json(post, &s->line, err));
    GM_TRY(GM_GROW(s->places, s->n, s->cap, err));
    GM_TRY(GM_GROW(s->names, s->n, s->names_cap, err));
    if (fwrite(s->line.p, 1, s->line.n, s->file) != s->line.n)
        return GM_FAIL(err, GM_EIO, "a temporary file for posts: %s", strerror(errno));
    s->places[s->n] = (struct place){s->end, s->line.n};
    s->names[s->n] = (struct name){gm_str_hash(post->id), s->n};
    s->end += (off_t)s->line.n;
    if (s->fn)
        GM_TRY(s->fn(s->user, s->n, post, err));
    s->n++;
done:
    return st;
}

/* What can't be read is told of, and the others are there. */
static enum gm_status add_file(struct gm_post_spool *s, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_reader *r = NULL;
    bool has = true;
    GM_TRY(gm_reader_open(&r, path, NULL, err));
    while (has) {
        struct gm_post post;
        struct gm_error why = {0};
        st = gm_reader_next(r, &post, &has, &why);
        if (st != GM_OK && has) {
            GM_LOG(GM_LOG_WARN, "serve", "left out: %s", why.msg);
            st = GM_OK;
            continue;
        }
        if (st != GM_OK) {
            st = GM_FAIL(err, st, "%s", why.msg);
            goto done;
        }
        if (!has)
            break;
        st = add(s, &post, err);
        gm_post_clear(&post);
        if (st != GM_OK)
            goto done;
    }
done:
    gm_reader_free(r);
    return st;
}

static enum gm_status add_run(struct gm_post_spool *s, const char *dir, struct gm_error *err)
{
    struct gm_merge_report report;
    return gm_runs_merge(&dir, 1, "/", add, s, &report, err);
}

static int by_hash(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->post < y->post ? -1 : x->post > y->post;
}

enum gm_status gm_post_spool_open(struct gm_post_spool **out, const char *path,
                                  enum gm_status (*fn)(void *user, size_t i, struct gm_post *post,
                                                       struct gm_error *err),
                                  void *user, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    *out = NULL;
    struct gm_post_spool *s = gm_alloc(1, sizeof *s);
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    s->fn = fn;
    s->user = user;
    gm_buf_init(&s->line, LINE_MAX_BYTES);
    if (!(s->file = tmpfile())) {
        st = GM_FAIL(err, GM_EIO, "a temporary file for posts: %s", strerror(errno));
        goto done;
    }
    const char *store = gm_path_join(&a, path, "store.sqlite");
    GM_TRY(store && gm_is_file(store) ? add_run(s, path, err) : add_file(s, path, err));
    if (fflush(s->file) != 0) {
        st = GM_FAIL(err, GM_EIO, "a temporary file for posts: %s", strerror(errno));
        goto done;
    }
    if (s->n)
        qsort(s->names, s->n, sizeof *s->names, by_hash);
    gm_buf_clear(&s->line);
    *out = s;
    s = NULL;
done:
    gm_post_spool_free(s);
    gm_arena_clear(&a);
    return st;
}

void gm_post_spool_free(struct gm_post_spool *s)
{
    if (!s)
        return;
    if (s->file)
        fclose(s->file);
    gm_buf_clear(&s->line);
    gm_free(s->places);
    gm_free(s->names);
    gm_free(s);
}

size_t gm_post_spool_count(const struct gm_post_spool *s) { return s->n; }

static bool has_id(const struct gm_post_spool *s, size_t i, struct gm_str id)
{
    struct gm_json *j = NULL;
    struct gm_str text;
    long long number;
    char digits[32] = "";
    if (gm_post_spool_get(s, i, &j, NULL) != GM_OK)
        return false;
    if (gm_json_int(gm_json_get(j, "id"), &number))
        snprintf(digits, sizeof digits, "%lld", number);
    if (!gm_json_str(gm_json_get(j, "id"), &text))
        text = gm_str(digits);
    bool is = gm_str_eq(text, id);
    gm_json_free(j);
    return is;
}

size_t gm_post_spool_find(const struct gm_post_spool *s, struct gm_str id)
{
    const struct name wanted = {gm_str_hash(id), 0};
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_hash(&s->names[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < s->n && s->names[low].hash == wanted.hash; low++)
        if (has_id(s, s->names[low].post, id))
            return s->names[low].post;
    return SIZE_MAX;
}

enum gm_status gm_post_spool_get(const struct gm_post_spool *s, size_t i, struct gm_json **out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf text;
    gm_buf_init(&text, LINE_MAX_BYTES);
    GM_TRY(gm_buf_reserve(&text, s->places[i].n, err));
    if (pread(fileno(s->file), text.p, s->places[i].n, s->places[i].at) !=
        (ssize_t)s->places[i].n) {
        st = GM_FAIL(err, GM_EIO, "a temporary file for posts: %s", strerror(errno));
        goto done;
    }
    text.n = s->places[i].n;
    GM_TRY(gm_json_parse_lenient(out, gm_buf_str(&text), err));
done:
    gm_buf_clear(&text);
    return st;
}
