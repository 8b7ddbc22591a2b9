#include "stages/proposals.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/lines.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 64 << 20 };

/* The regions of one picture. */
struct row {
    struct gm_str key; /* the post's id, or the picture's name */
    struct gm_object *objects;
    size_t n;
};

struct gm_proposals {
    struct gm_arena arena; /* holds all of it */
    struct row *rows;      /* [n], in order of their keys, one each, once they are read */
    size_t n, cap;
};

static struct gm_str name_of(struct gm_str path)
{
    size_t from = path.n;
    while (from && path.p[from - 1] != '/')
        from--;
    return gm_str_sub(path, from, path.n);
}

static enum gm_status add(struct gm_proposals *all, const struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena *a = &all->arena;
    GM_TRY(GM_ARENA_GROW(a, all->rows, all->n, all->cap, err));
    struct row *row = &all->rows[all->n];
    row->key = gm_arena_str(a, p->id.n ? p->id : name_of(p->image));
    row->n = p->n_objects;
    row->objects = gm_arena_alloc(a, p->n_objects, sizeof *row->objects);
    if (!row->key.p || !row->objects)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->n_objects; i++) {
        row->objects[i] = p->objects[i];
        row->objects[i].label = gm_arena_str(a, p->objects[i].label);
        if (!row->objects[i].label.p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    all->n++;
done:
    return st;
}

/* Of a line only what is wanted, so that a record's other fields can't be wrong. */
static enum gm_status read_row(void *all, struct gm_str line, struct gm_error *err)
{
    static const char *const wanted[] = {"id", "image", "objects"};
    enum gm_status st = GM_OK;
    struct gm_json *said = NULL, *row = gm_json_new_object();
    struct gm_post p;
    gm_post_init(&p);
    bool ok = row && gm_json_set(row, "text", gm_json_new_str(GM_STR("")));
    GM_TRY(gm_json_parse_lenient(&said, line, err));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted && ok; i++)
        if (gm_json_get(said, wanted[i]))
            ok = gm_json_set(row, wanted[i], gm_json_ref(gm_json_get(said, wanted[i])));
    if (!ok) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    st = gm_post_from_json(&p, row, NULL, err);
    row = NULL; /* the post's now */
    if (st == GM_OK && !p.id.n && !p.image.n)
        st = GM_FAIL(err, GM_EFORMAT, "neither \"id\" nor \"image\"");
    if (st == GM_OK && !p.has_objects)
        st = GM_FAIL(err, GM_EFORMAT,
                     "no \"objects\": expected [{\"box\": [xmin, ymin, xmax, ymax]}, …]");
    if (st == GM_OK)
        st = add(all, &p, err);
done:
    gm_json_free(said);
    gm_json_free(row);
    gm_post_clear(&p);
    return st;
}

static int by_key(const void *a, const void *b)
{
    return gm_str_cmp(((const struct row *)a)->key, ((const struct row *)b)->key);
}

/* Rows of one picture become one: a file may have a line for each region. */
static enum gm_status join_rows(struct gm_proposals *all, struct gm_error *err)
{
    size_t n = 0, last;
    qsort(all->rows, all->n, sizeof *all->rows, by_key);
    for (size_t i = 0; i < all->n; i = last) {
        struct row joined = {.key = all->rows[i].key};
        for (last = i; last < all->n && by_key(&all->rows[i], &all->rows[last]) == 0; last++)
            joined.n += all->rows[last].n;
        joined.objects = gm_arena_alloc(&all->arena, joined.n, sizeof *joined.objects);
        if (!joined.objects)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        for (size_t k = i, at = 0; k < last; at += all->rows[k++].n)
            memcpy(joined.objects + at, all->rows[k].objects,
                   all->rows[k].n * sizeof *joined.objects);
        all->rows[n++] = joined;
    }
    all->n = n;
    return GM_OK;
}

enum gm_status gm_proposals_load(struct gm_proposals **out, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_lines *lines = NULL;
    struct gm_proposals *all = gm_alloc(1, sizeof *all);
    *out = NULL;
    if (!all)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&all->arena, 0);
    GM_TRY(gm_lines_open(&lines, path, LINE_MAX_BYTES, err));
    GM_TRY(gm_lines_each(lines, read_row, all, err));
    if (all->n)
        GM_TRY(join_rows(all, err));
    *out = all;
    all = NULL;
done:
    gm_lines_free(lines);
    gm_proposals_free(all);
    return st;
}

void gm_proposals_free(struct gm_proposals *p)
{
    if (!p)
        return;
    gm_arena_clear(&p->arena);
    gm_free(p);
}

const struct gm_object *gm_proposals_find(const struct gm_proposals *p, const struct gm_post *post,
                                          size_t *n)
{
    const struct gm_str keys[] = {post->id, name_of(post->image)};
    *n = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && p->n; i++) {
        const struct row key = {.key = keys[i]};
        const struct row *found =
            keys[i].n ? bsearch(&key, p->rows, p->n, sizeof key, by_key) : NULL;
        if (found) {
            *n = found->n;
            return found->objects;
        }
    }
    return NULL;
}
