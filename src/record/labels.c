#include "record/labels.h"

#include <stdlib.h>

/* Where `name` is or belongs in the table, which is never full. */
static size_t slot_of(const struct gm_labels *l, struct gm_str name)
{
    size_t i = (size_t)gm_str_hash(name) & (l->n_slots - 1);
    while (l->slots[i] != GM_LABEL_NONE && !gm_str_eq(l->names[l->slots[i]], name))
        i = (i + 1) & (l->n_slots - 1);
    return i;
}

void gm_labels_init(struct gm_labels *l, size_t max)
{
    *l = (struct gm_labels){.max = max < GM_LABEL_NONE ? max : GM_LABEL_NONE - 1};
    gm_arena_init(&l->arena, 0);
}

void gm_labels_clear(struct gm_labels *l)
{
    gm_arena_clear(&l->arena);
    gm_labels_init(l, l->max);
}

static void fill_slots(struct gm_labels *l)
{
    for (size_t i = 0; i < l->n_slots; i++)
        l->slots[i] = GM_LABEL_NONE;
    for (uint32_t id = 0; id < l->n; id++)
        l->slots[slot_of(l, l->names[id])] = id;
}

/* A table twice as large, at most half full. */
static enum gm_status rehash(struct gm_labels *l, struct gm_error *err)
{
    size_t n_slots = l->n_slots ? l->n_slots * 2 : 32;
    uint32_t *slots = gm_arena_alloc(&l->arena, n_slots, sizeof *slots);
    if (!slots)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu labels", l->n);
    l->slots = slots;
    l->n_slots = n_slots;
    fill_slots(l);
    return GM_OK;
}

enum gm_status gm_labels_add(struct gm_labels *l, struct gm_str name, uint32_t *id,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *id = gm_labels_find(l, name);
    if (*id != GM_LABEL_NONE)
        return GM_OK;
    if (l->n >= l->max)
        return GM_FAIL(err, GM_EFORMAT, "more than %zu different labels (\"%.*s\")", l->max,
                       (int)(name.n < 40 ? name.n : 40), name.p);
    if (2 * (l->n + 1) > l->n_slots)
        GM_TRY(rehash(l, err));
    GM_TRY(GM_ARENA_GROW(&l->arena, l->names, l->n, l->cap, err));
    struct gm_str copy = gm_arena_str(&l->arena, name);
    if (!copy.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a label");
    size_t slot = slot_of(l, name);
    *id = (uint32_t)l->n;
    l->names[l->n++] = copy;
    l->slots[slot] = *id;
done:
    return st;
}

uint32_t gm_labels_find(const struct gm_labels *l, struct gm_str name)
{
    return l->n ? l->slots[slot_of(l, name)] : GM_LABEL_NONE;
}

static int by_name(const void *a, const void *b)
{
    return gm_str_cmp(*(const struct gm_str *)a, *(const struct gm_str *)b);
}

void gm_labels_sort(struct gm_labels *l)
{
    if (l->n)
        qsort(l->names, l->n, sizeof *l->names, by_name);
    fill_slots(l);
}

bool gm_labels_same(const struct gm_labels *a, const struct gm_labels *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; i < a->n && same; i++)
        same = gm_labels_find(b, a->names[i]) != GM_LABEL_NONE;
    return same;
}

struct gm_str gm_labels_at(const struct gm_labels *l, uint32_t id) { return l->names[id]; }
