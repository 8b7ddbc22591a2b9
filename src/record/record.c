/* The post itself: its life, its words, its failure. */
#include "record/record.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

const char *const gm_witness_names[GM_N_WITNESSES] = {"encoder", "model", "reader"};

void gm_post_init(struct gm_post *p)
{
    *p = (struct gm_post){0};
    gm_arena_init(&p->arena, 0);
}

void gm_post_clear(struct gm_post *p)
{
    gm_arena_clear(&p->arena);
    gm_json_free(p->source);
    *p = (struct gm_post){0};
}

void gm_post_fail(struct gm_post *p, const char *stage, const struct gm_error *e)
{
    if (p->error.stage.n)
        return;
    struct gm_str s = gm_arena_str(&p->arena, gm_str(stage));
    struct gm_str m = gm_arena_str(&p->arena, gm_str(e->msg));
    p->error.stage = s.p ? s : GM_STR("unknown");
    p->error.message = m.p ? m : GM_STR("out of memory");
    p->error.code = gm_str(gm_status_name(m.p ? e->code : GM_ENOMEM)); /* a constant string */
}

static int by_place(const void *a, const void *b)
{
    const struct gm_entity *x = *(const struct gm_entity *const *)a,
                           *y = *(const struct gm_entity *const *)b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    int order = gm_str_cmp(x->type, y->type);
    return order ? order : (x > y) - (x < y);
}

void gm_post_by_place(const struct gm_post *p, const struct gm_entity **v)
{
    for (size_t i = 0; i < p->n_entities; i++)
        v[i] = &p->entities[i];
    if (p->n_entities)
        qsort(v, p->n_entities, sizeof *v, by_place);
}

struct gm_str gm_post_short_caption(const struct gm_post *p)
{
    return p->caption_short.n ? p->caption_short : p->caption;
}

/* The post's text: the repaired words one after the other, the place of each in p->tokens. */
static enum gm_status join_words(struct gm_post *p, const struct gm_str *words, size_t n,
                                 struct gm_buf *text, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < n; i++) {
        if (i)
            GM_TRY(gm_buf_add(text, " ", 1, err));
        p->tokens[i].start = text->n;
        GM_TRY(gm_utf8_repair(words[i], text, err));
        p->tokens[i].end = text->n;
    }
done:
    return st;
}

enum gm_status gm_post_set_words(struct gm_post *p, const struct gm_str *words, size_t n,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf text;
    gm_buf_init(&text, SIZE_MAX - 1);
    p->tokens = gm_arena_alloc(&p->arena, n, sizeof *p->tokens);
    if (!p->tokens) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu words", n);
        goto done;
    }
    GM_TRY(join_words(p, words, n, &text, err));
    p->text = gm_arena_str(&p->arena, gm_buf_str(&text));
    if (!p->text.p) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a text of %zu bytes", text.n);
        goto done;
    }
    p->n_tokens = n;
    p->has_tokens = true;
done:
    gm_buf_clear(&text);
    return st;
}

struct gm_str gm_post_word(const struct gm_post *p, size_t i)
{
    return gm_str_sub(p->text, p->tokens[i].start, p->tokens[i].end);
}

size_t gm_post_words_before(const struct gm_post *p, size_t at)
{
    size_t lo = 0, hi = p->n_tokens;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (p->tokens[mid].end <= at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}
