#include "formats/conll.h"

#include "base/alloc.h"
#include "base/host.h"
#include "formats/format.h"

#include <string.h>

enum { MAX_COLUMNS = 3, MAX_TYPES = 65535, MAX_TEXT = 256 << 20 };

void gm_conll_init(struct gm_conll *c, struct gm_text_lines *lines, const char *images_dir,
                   enum gm_tag_scheme scheme, enum gm_tag_repair repair)
{
    *c = (struct gm_conll){
        .lines = lines, .images_dir = images_dir, .scheme = scheme, .repair = repair};
    gm_labels_init(&c->types, MAX_TYPES);
    gm_labels_init(&c->fine_types, MAX_TYPES);
    gm_buf_init(&c->id, GM_TEXT_LINE_MAX);
    gm_buf_init(&c->text, MAX_TEXT);
    gm_buf_init(&c->context, MAX_TEXT);
    gm_buf_init(&c->tokens, GM_POST_MAX_WORDS * sizeof(struct gm_token));
    gm_buf_init(&c->tags, GM_POST_MAX_WORDS * sizeof(struct gm_tag));
    gm_buf_init(&c->fine_tags, GM_POST_MAX_WORDS * sizeof(struct gm_tag));
}

void gm_conll_clear(struct gm_conll *c)
{
    gm_labels_clear(&c->types);
    gm_labels_clear(&c->fine_types);
    gm_buf_clear(&c->id);
    gm_buf_clear(&c->text);
    gm_buf_clear(&c->context);
    gm_buf_clear(&c->tokens);
    gm_buf_clear(&c->tags);
    gm_buf_clear(&c->fine_tags);
}

/* gm_buf_add without the call where there is room: once a word and column, the hot path. */
static enum gm_status push(struct gm_buf *b, const void *p, size_t n, struct gm_error *err)
{
    if (b->cap - b->n <= n)
        return gm_buf_add(b, p, n, err);
    memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
    return GM_OK;
}

static bool is_blank(struct gm_str line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] != ' ' && line.p[i] != '\t' && line.p[i] != '\r')
            return false;
    return true;
}

/* "IMGID:797970" alone on its line. The word "IMGID:5" of a row is followed by a tab or a space. */
static bool is_id_line(struct gm_str line, struct gm_str *id)
{
    if (line.n < 6 || memcmp(line.p, "IMGID:", 6) != 0)
        return false;
    *id = gm_str_trim(gm_str_sub(line, 6, line.n));
    return !memchr(id->p, '\t', id->n) && !memchr(id->p, ' ', id->n);
}

/* Cut a line into its columns. Only the ASCII space and the tab separate, so a word may hold any
 * other white space of Unicode, and may be empty. Returns how many there are, of which at most
 * MAX_COLUMNS are stored. */
static size_t split(struct gm_str line, bool tabbed, struct gm_str cols[MAX_COLUMNS])
{
    size_t n = 0, i = 0;
    while (!tabbed && line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t'))
        line.n--;
    for (;;) {
        size_t from = i;
        while (i < line.n && line.p[i] != '\t' && (tabbed || line.p[i] != ' '))
            i++;
        if (n < MAX_COLUMNS)
            cols[n] = gm_str_sub(line, from, i);
        n++;
        if (i == line.n)
            return n;
        i++;
        while (!tabbed && i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'))
            i++;
    }
}

bool gm_conll_is_row(struct gm_str line)
{
    struct gm_str cols[MAX_COLUMNS], type;
    char prefix;
    size_t n = split(line, memchr(line.p, '\t', line.n) != NULL, cols);
    return n >= 2 && n <= MAX_COLUMNS && gm_tag_parse(gm_str_trim(cols[n - 1]), &prefix, &type);
}

/* The first word of the file fixes how all its lines look. */
static enum gm_status columns_check(struct gm_conll *c, struct gm_str line,
                                    struct gm_str cols[MAX_COLUMNS], struct gm_error *err)
{
    if (c->n_columns == 0)
        c->is_tabbed = memchr(line.p, '\t', line.n) != NULL;
    size_t n = split(line, c->is_tabbed, cols);
    if (n > MAX_COLUMNS)
        return GM_FAIL(
            err, GM_EFORMAT,
            "%zu columns; expected a word and a tag (or two: coarse and fine) a line%s", n,
            c->n_columns ? "" : gm_option("; --from text reads plain text, a post a line"));
    if (c->n_columns == 0) {
        c->n_columns = n;
        c->columns_line = gm_text_lines_number(c->lines);
    }
    if (n != c->n_columns)
        return GM_FAIL(err, GM_EFORMAT,
                       "%zu column%s where line %zu has %zu: expected %s, "
                       "separated by %s",
                       n, n == 1 ? "" : "s", c->columns_line, c->n_columns,
                       c->n_columns == 1   ? "a word alone"
                       : c->n_columns == 2 ? "a word and its tag"
                                           : "a word and two tags",
                       c->is_tabbed ? "a tab" : "spaces");
    return GM_OK;
}

static enum gm_status add_tag(struct gm_conll *c, struct gm_str text, struct gm_labels *types,
                              struct gm_buf *tags, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_tag tag = {'O', GM_LABEL_NONE};
    struct gm_str type;
    if (!gm_tag_parse(text, &tag.prefix, &type))
        return GM_FAIL(
            err, GM_EFORMAT,
            "\"%.*s\" is not a tag: expected O, or B-, I-, E- or S- and a type (B-PER)%s",
            (int)(text.n < 60 ? text.n : 60), text.p,
            gm_text_lines_number(c->lines) == c->columns_line && text.n &&
                    !memchr(text.p, '-', text.n)
                ? gm_option("; --from text reads plain text, a post a line")
                : "");
    if (tag.prefix != 'O')
        GM_TRY(gm_labels_add(types, type, &tag.type, err));
    if (c->scheme == GM_TAGS_AUTO && (tag.prefix == 'E' || tag.prefix == 'S'))
        c->scheme = GM_TAGS_BIOES;
    GM_TRY(push(tags, &tag, sizeof tag, err));
done:
    return st;
}

/* A word of the knowledge behind <EOS>, tagged X. */
static enum gm_status add_context(struct gm_conll *c, struct gm_str word, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool first = !c->in_context;
    c->in_context = true;
    if (word.n == 0 || (first && gm_str_eq_c(word, "<EOS>")))
        return GM_OK;
    if (c->context.n)
        GM_TRY(push(&c->context, " ", 1, err));
    GM_TRY(push(&c->context, word.p, word.n, err));
done:
    return st;
}

static enum gm_status add_word(struct gm_conll *c, struct gm_str line, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str cols[MAX_COLUMNS];
    GM_TRY(columns_check(c, line, cols, err));
    if (c->n_words == 0)
        c->words_line = gm_text_lines_number(c->lines);
    if (++c->n_words > GM_POST_MAX_WORDS)
        return GM_FAIL(err, GM_EFORMAT, "a post of over %zu words; posts end with an empty line",
                       GM_POST_MAX_WORDS);
    struct gm_str tag = c->n_columns > 1 ? gm_str_trim(cols[1]) : GM_STR("O");
    if (tag.n == 1 && tag.p[0] == 'X')
        return add_context(c, cols[0], err);
    if (c->in_context)
        return GM_FAIL(err, GM_EFORMAT,
                       "tag \"%.*s\" after words tagged X: expected X up to the "
                       "end of the post",
                       (int)(tag.n < 60 ? tag.n : 60), tag.p);
    if (c->tokens.n)
        GM_TRY(push(&c->text, " ", 1, err));
    struct gm_token token = {c->text.n, c->text.n + cols[0].n};
    GM_TRY(push(&c->text, cols[0].p, cols[0].n, err));
    GM_TRY(push(&c->tokens, &token, sizeof token, err));
    if (c->n_columns > 1)
        GM_TRY(add_tag(c, tag, &c->types, &c->tags, err));
    if (c->n_columns > 2)
        GM_TRY(add_tag(c, gm_str_trim(cols[2]), &c->fine_types, &c->fine_tags, err));
done:
    return st;
}

/* Count the fine tags of words [from, to) that no entity has the type of: `fine` is that of theirs. */
static void count_lost(const struct gm_conll *c, const struct gm_post *post, size_t from, size_t to,
                       struct gm_tag fine)
{
    const struct gm_tag *tags = (const void *)c->fine_tags.p;
    for (size_t i = from; i < to; i++)
        if (tags[i].prefix != 'O' && tags[i].type != fine.type)
            gm_losses_fault(c->lost, "fine tags that are not those of an entity's first word",
                            post->id);
}

/* Give each entity the fine type of its first word; coarse and fine columns should mark the same words. */
static enum gm_status set_fine_types(const struct gm_conll *c, struct gm_post *post,
                                     const struct gm_span *spans, struct gm_error *err)
{
    const struct gm_tag *fine_tags = (const void *)c->fine_tags.p, none = {'O', GM_LABEL_NONE};
    size_t word = 0;
    for (size_t i = 0; i < post->n_entities; i++) {
        struct gm_tag tag = fine_tags[spans[i].first];
        count_lost(c, post, word, spans[i].first, none);
        count_lost(c, post, spans[i].first, spans[i].end, tag);
        word = spans[i].end;
        if (tag.prefix == 'O')
            continue;
        struct gm_str name = gm_arena_str(&post->arena, gm_labels_at(&c->fine_types, tag.type));
        if (!name.p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory for fine types");
        post->entities[i].fine_type = name;
    }
    count_lost(c, post, word, post->n_tokens, none);
    return GM_OK;
}

static enum gm_status set_entities(const struct gm_conll *c, struct gm_post *post,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_span *spans = gm_alloc(post->n_tokens, sizeof *spans);
    if (!spans) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu tags", post->n_tokens);
        goto done;
    }
    size_t n = post->n_tokens ? gm_tags_to_spans((const void *)c->tags.p, post->n_tokens, c->scheme,
                                                 c->repair, spans)
                              : 0;
    GM_TRY(gm_post_add_spans(post, spans, n, &c->types, "input", err));
    if (c->n_columns > 2)
        GM_TRY(set_fine_types(c, post, spans, err));
done:
    gm_free(spans);
    return st;
}

size_t gm_conll_faults(const struct gm_conll *c, size_t *line)
{
    size_t i = 0, n = c->tags.n / sizeof(struct gm_tag);
    size_t n_faults = gm_tags_faults((const void *)c->tags.p, n, c->scheme, &i);
    *line = c->words_line + i;
    return n_faults;
}

/* Make the post of what the buffers hold. */
static enum gm_status finish(struct gm_conll *c, struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena *a = &post->arena;
    gm_post_init(post);
    post->n_tokens = c->tokens.n / sizeof *post->tokens;
    post->has_tokens = true;
    post->has_id = c->id.n > 0;
    post->id = gm_arena_str(a, gm_buf_str(&c->id));
    post->text = gm_arena_str(a, gm_buf_str(&c->text));
    post->knowledge = gm_arena_str(a, gm_buf_str(&c->context));
    post->tokens = gm_arena_alloc(a, post->n_tokens, sizeof *post->tokens);
    if (!post->id.p || !post->text.p || !post->knowledge.p || !post->tokens) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", post->n_tokens);
        goto done;
    }
    if (post->has_id)
        GM_TRY(gm_post_id_image(post, c->images_dir, err));
    if (post->n_tokens)
        memcpy(post->tokens, c->tokens.p, c->tokens.n);
    if (c->n_columns != 1) {
        gm_tag_signs_add(&c->signs, (const void *)c->tags.p, post->n_tokens);
        GM_TRY(set_entities(c, post, err));
    }
done:
    if (st != GM_OK)
        gm_post_clear(post);
    return st;
}

static void reset(struct gm_conll *c)
{
    c->line = 0;
    c->n_words = 0;
    c->in_context = false;
    gm_buf_reset(&c->id);
    gm_buf_reset(&c->text);
    gm_buf_reset(&c->context);
    gm_buf_reset(&c->tokens);
    gm_buf_reset(&c->tags);
    gm_buf_reset(&c->fine_tags);
}

/* Take one line that is part of the post in hand. */
static enum gm_status add_line(struct gm_conll *c, struct gm_str line, struct gm_error *err)
{
    struct gm_str id;
    if (!is_id_line(line, &id))
        return add_word(c, line, err);
    if (id.n == 0)
        return GM_FAIL(err, GM_EFORMAT, "IMGID: without an id");
    if (memchr(id.p, 0, id.n))
        return GM_FAIL(err, GM_EFORMAT, "IMGID: with a NUL byte");
    return gm_buf_add_str(&c->id, id, err);
}

enum gm_status gm_conll_next(struct gm_conll *c, struct gm_post *post, bool *has,
                             struct gm_error *err)
{
    enum gm_status bad = GM_OK; /* the first fault of the post; the rest of it is skipped */
    struct gm_error e, *first = err;
    reset(c);
    for (;;) {
        struct gm_str line, id;
        enum gm_status st = gm_text_lines_next(c->lines, &line, has, first);
        if (!*has && st != GM_OK) {
            if (err && first != err)
                *err = e;
            return st;
        }
        if (!*has)
            break;
        bool begun = c->line != 0, is_id = st == GM_OK && is_id_line(line, &id);
        if (begun && is_id) {
            gm_text_lines_unread(c->lines);
            break;
        }
        if (st == GM_OK && is_blank(line)) {
            if (c->n_words || bad != GM_OK)
                break;
            continue; /* an id with no word yet: words may follow, or the next id */
        }
        if (!begun)
            c->line = gm_text_lines_number(c->lines);
        if (st == GM_OK && bad == GM_OK) {
            st = add_line(c, line, err);
            if (st != GM_OK)
                gm_error_prefix(err, "%s:%zu", gm_text_lines_path(c->lines),
                                gm_text_lines_number(c->lines));
        }
        if (st != GM_OK) {
            bad = bad == GM_OK ? st : bad;
            first = &e;
        }
    }
    *has = c->line != 0;
    if (!*has || bad != GM_OK)
        return bad;
    return finish(c, post, err);
}
