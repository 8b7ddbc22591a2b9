/* Between a post's entities (code points of its text) and spans of its words (tags.h). */
#include "record/offsets.h"
#include "record/tags.h"

#include <stdlib.h>
#include <string.h>

enum gm_status gm_post_add_spans(struct gm_post *p, const struct gm_span *spans, size_t n,
                                 const struct gm_labels *types, const char *source,
                                 struct gm_error *err)
{
    size_t had = p->n_entities;
    struct gm_offset at;
    gm_offset_init(&at, p->text);
    p->has_entities = true;
    if (n == 0)
        return GM_OK;
    struct gm_entity *all = gm_arena_alloc(&p->arena, had + n, sizeof *all);
    struct gm_str *names = gm_arena_alloc(&p->arena, types->n, sizeof *names);
    if (!all || !names)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu entities", n);
    if (had)
        memcpy(all, p->entities, had * sizeof *all);
    for (size_t i = 0; i < n; i++) {
        struct gm_str *name = &names[spans[i].type]; /* one copy a type, not an entity */
        if (!name->p)
            *name = gm_arena_str(&p->arena, gm_labels_at(types, spans[i].type));
        if (!name->p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu entities", n);
        size_t from = p->tokens[spans[i].first].start, to = p->tokens[spans[i].end - 1].end;
        struct gm_entity *e = &all[had + i];
        *e = (struct gm_entity){.text = gm_str_sub(p->text, from, to),
                                .type = *name,
                                .score = 1,
                                .visible = -1,
                                .source = gm_str(source)};
        e->start = gm_offset_to_byte(&at, from);
        e->end = gm_offset_to_byte(&at, to);
    }
    p->entities = all;
    p->n_entities = had + n;
    return GM_OK;
}

/* Number of the first word that begins (`ends`: that ends) at byte `byte`; n_tokens when none does.
 * Words are in text order. */
static size_t word_at(const struct gm_post *p, size_t byte, bool ends)
{
    size_t lo = 0, hi = p->n_tokens;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if ((ends ? p->tokens[mid].end : p->tokens[mid].start) < byte)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < p->n_tokens && (ends ? p->tokens[lo].end : p->tokens[lo].start) == byte)
        return lo;
    return p->n_tokens;
}

static int by_place(const void *a, const void *b)
{
    const struct gm_span *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return (x->type > y->type) - (x->type < y->type);
}

enum gm_status gm_post_spans(const struct gm_post *p, struct gm_labels *types,
                             struct gm_span *spans, size_t *n_spans, size_t *n_skipped,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_offset at;
    size_t n = 0, kept = 0;
    gm_offset_init(&at, p->text);
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *e = &p->entities[i];
        gm_offset_to_cp(&at, e->start);
        size_t first = word_at(p, at.byte, false);
        gm_offset_to_cp(&at, e->end);
        size_t last = word_at(p, at.byte, true);
        if (first >= p->n_tokens || last >= p->n_tokens || last < first)
            continue;
        spans[n] = (struct gm_span){first, last + 1, 0};
        GM_TRY(gm_labels_add(types, e->type, &spans[n].type, err));
        n++;
    }
    if (n)
        qsort(spans, n, sizeof *spans, by_place);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || spans[i].first >= spans[kept - 1].end)
            spans[kept++] = spans[i];
    *n_spans = kept;
    *n_skipped = p->n_entities - kept;
done:
    return st;
}
