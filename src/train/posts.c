#include "train/posts.h"

#include "base/alloc.h"
#include "base/input.h"
#include "formats/reader.h"
#include "model/words.h"
#include "record/offsets.h"
#include "text/mend.h"

void gm_posts_clear(struct gm_posts *p)
{
    for (size_t i = 0; i < p->n; i++)
        gm_post_clear(&p->items[i]);
    gm_free(p->items);
    *p = (struct gm_posts){0};
}

static enum gm_status reserve(struct gm_posts *p, struct gm_error *err)
{
    if (p->n < p->cap)
        return GM_OK;
    size_t cap = p->cap ? 2 * p->cap : 1024;
    struct gm_post *grown = gm_realloc(p->items, cap, sizeof *grown);
    if (!grown)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu posts", cap);
    p->items = grown;
    p->cap = cap;
    return GM_OK;
}

static enum gm_status add_words(struct gm_post *p, enum gm_word_cut cut, struct gm_error *err)
{
    struct gm_word *ranges;
    struct gm_str *words;
    enum gm_status st = gm_words_of(p, cut, &p->arena, &ranges, &words, &p->n_tokens, err);
    if (st != GM_OK)
        return st;
    p->tokens = gm_arena_alloc(&p->arena, p->n_tokens, sizeof *p->tokens);
    if (!p->tokens)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->n_tokens; i++)
        p->tokens[i] = (struct gm_token){ranges[i].start, ranges[i].end};
    p->has_tokens = true;
    return GM_OK;
}

/* The place in mended text of byte `raw` of what it was. */
static size_t mended_byte(const struct gm_mended *m, size_t raw)
{
    size_t lo = 0, hi = m->text.n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->from[mid] < raw)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Raw text as it was meant, which is what a tagger reads of it; the entities go along. */
static enum gm_status mend(struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_mended m;
    struct gm_offset raw, now;
    if (p->has_tokens)
        return GM_OK;
    GM_TRY(gm_mend(p->text, &p->arena, &m, err));
    gm_offset_init(&raw, p->text);
    gm_offset_init(&now, m.text);
    for (size_t i = 0; m.from && i < p->n_entities; i++) {
        struct gm_entity *e = &p->entities[i];
        (void)gm_offset_to_cp(&raw, e->start);
        size_t start = mended_byte(&m, raw.byte);
        (void)gm_offset_to_cp(&raw, e->end);
        size_t end = mended_byte(&m, raw.byte);
        e->text = gm_str_sub(m.text, start, end);
        e->start = gm_offset_to_byte(&now, start);
        e->end = gm_offset_to_byte(&now, end);
    }
    p->text = m.text;
done:
    return st;
}

enum gm_status gm_posts_read(struct gm_posts *out, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_reader *r = NULL;
    GM_TRY(gm_reader_open(&r, path, NULL, err));
    for (;;) {
        bool has;
        GM_TRY(reserve(out, err));
        struct gm_post *p = &out->items[out->n];
        GM_TRY(gm_reader_next(r, p, &has, err));
        if (!has)
            break;
        out->n++;
        if (!p->has_entities) {
            st = GM_FAIL(err, GM_EFORMAT, "%s:%zu: post %.*s has no gold entities (tags)",
                         gm_reader_path(r), gm_reader_line(r), GM_STR_ARG(p->id));
            goto done;
        }
        GM_TRY(mend(p, err));
    }
done:
    gm_reader_free(r);
    return st;
}

enum gm_status gm_posts_read_pair(struct gm_posts *gold, struct gm_posts *pred, const char *path,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (gm_input_is_once(path))
        return GM_FAIL(err, GM_EARG,
                       "%s: is read twice, which a pipe can't be; save it as a file first", path);
    GM_TRY(gm_posts_read(gold, path, err));
    GM_TRY(gm_posts_read(pred, path, err));
    if (gold->n != pred->n)
        st = GM_FAIL(err, GM_EIO, "%s: it changed while it was read", path);
done:
    return st;
}

enum gm_word_cut gm_posts_how_cut(const struct gm_posts *p, const char *words)
{
    struct gm_cut_counts counts = {0};
    enum gm_word_cut cut;
    if (gm_cut_parse(gm_str(words), &cut))
        return cut;
    for (size_t i = 0; i < p->n; i++) {
        const struct gm_post *post = &p->items[i];
        if (!post->has_tokens)
            gm_cut_count_raw(&counts, post->text);
        for (size_t w = 0; w < post->n_tokens; w++)
            gm_cut_count_word(&counts, gm_post_word(post, w));
    }
    return gm_cut_of(&counts);
}

enum gm_status gm_posts_cut(struct gm_posts *p, enum gm_word_cut cut, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < p->n && st == GM_OK; i++)
        if (!p->items[i].has_tokens)
            st = add_words(&p->items[i], cut, err);
    return st;
}

enum gm_status gm_posts_index_init(struct gm_posts_index *x, const struct gm_posts *p,
                                   struct gm_error *err)
{
    *x = (struct gm_posts_index){.posts = p};
    gm_labels_init(&x->texts, p->n);
    gm_arena_init(&x->arena, 0);
    x->first = gm_arena_alloc(&x->arena, p->n, sizeof *x->first);
    if (!x->first)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (uint32_t i = 0, id; i < p->n; i++) {
        size_t had = x->texts.n;
        enum gm_status st = gm_labels_add(&x->texts, p->items[i].text, &id, err);
        if (st != GM_OK)
            return st;
        if (x->texts.n > had)
            x->first[id] = i;
    }
    return GM_OK;
}

void gm_posts_index_clear(struct gm_posts_index *x)
{
    gm_labels_clear(&x->texts);
    gm_arena_clear(&x->arena);
}

const struct gm_post *gm_posts_index_find(const struct gm_posts_index *x, struct gm_str text)
{
    uint32_t id = x->texts.n ? gm_labels_find(&x->texts, text) : GM_LABEL_NONE;
    return id == GM_LABEL_NONE ? NULL : &x->posts->items[x->first[id]];
}
