#include "train/posts.h"

#include "base/alloc.h"
#include "formats/reader.h"
#include "model/words.h"

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
    }
done:
    gm_reader_free(r);
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
