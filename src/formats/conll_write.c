/* conll_write.c - posts as CoNLL: the word, its tag, and for FMNERG its fine tag; knowledge behind
 * <EOS> tagged X. Raw text is cut at white space, where entities begin and end, and where words of scripts without
 * spaces do (text/cut.h). */
#include "formats/text_out.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/utf8.h"
#include "record/offsets.h"
#include "text/segment.h"
#include "text/unicode.h"

#include <string.h>

enum { MAX_TYPES = 65535 };

struct conll_out {
    struct gm_text_out base;
    enum gm_tag_scheme scheme;
    bool has_fine_tags;
    bool
        is_open; /* the last post was an id alone, whose words those of a post without id would be */
    char separator;
};

static enum gm_status create(void **state, const struct gm_target *to, struct gm_error *err)
{
    enum gm_status st = gm_text_out_new(state, sizeof(struct conll_out), to, err);
    struct conll_out *o = *state;
    if (st != GM_OK)
        return st;
    o->scheme = to->opts.scheme == GM_TAGS_BIOES ? GM_TAGS_BIOES : GM_TAGS_BIO;
    o->has_fine_tags = to->opts.format == GM_FORMAT_FMNERG;
    o->separator = to->opts.spaced ? ' ' : '\t';
    return GM_OK;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* What is known of the bytes of a raw text: whether a word begins or ends before one, and whether it is of white space,
 * Unicode's too (U+00A0, U+3000), which other readers of columns take for their end. */
enum { CUT = 1, SPACE = 2 };

static void mark_spaces(struct gm_str text, uint8_t *marks)
{
    for (size_t at = 0, end = 0; at < text.n; at = end)
        if (gm_cp_is_space(gm_utf8_next(text, &end)))
            memset(marks + at, SPACE, end - at);
}

/* The words of raw text: pieces between white space, cut again at the edges of entities. */
static enum gm_status cut_words(struct gm_post *p, const uint8_t *marks, struct gm_error *err)
{
    struct gm_token *tokens = gm_arena_alloc(&p->arena, p->text.n + 1, sizeof *tokens);
    size_t n = 0;
    if (!tokens)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for the words of a text");
    for (size_t i = 0; i < p->text.n;) {
        if (marks[i] & SPACE) {
            i++;
            continue;
        }
        tokens[n].start = i++;
        while (i < p->text.n && !marks[i])
            i++;
        tokens[n++].end = i;
    }
    p->tokens = tokens;
    p->n_tokens = n;
    p->has_tokens = true;
    return GM_OK;
}

/* Mark the edges of the entities that can be tagged, as gm_post_spans chooses them: one that is left
 * out, as it overlaps an earlier one or has white space at an edge, must not cut a word. */
static void mark_edges(const struct gm_post *p, const struct gm_entity **v, uint8_t *marks)
{
    struct gm_offset at;
    size_t reach = 0;
    gm_post_by_place(p, v);
    gm_offset_init(&at, p->text);
    for (size_t i = 0; i < p->n_entities; i++) {
        (void)gm_offset_to_cp(&at, v[i]->start);
        size_t from = at.byte;
        (void)gm_offset_to_cp(&at, v[i]->end);
        if (from < reach || from == at.byte || (marks[from] & SPACE) ||
            (marks[at.byte - 1] & SPACE))
            continue;
        marks[from] |= CUT;
        marks[at.byte] |= CUT;
        reach = at.byte;
    }
}

/* Words of scripts without spaces: Chinese and Japanese a character each, as CoNLL files of them have. */
static enum gm_status mark_unspaced(const struct gm_post *p, uint8_t *marks, struct gm_error *err)
{
    struct gm_arena a;
    struct gm_word *words;
    size_t n;
    gm_arena_init(&a, 0);
    enum gm_status st = gm_segment(p->text, GM_CUT_CHARACTERS, &a, &words, &n, err);
    for (size_t i = 0; i < n && st == GM_OK; i++) {
        size_t at = words[i].start;
        if (gm_cp_unspaced(gm_utf8_next(p->text, &at)) == GM_SPACED)
            continue;
        marks[words[i].start] |= CUT;
        marks[words[i].end] |= CUT;
    }
    gm_arena_clear(&a);
    return st;
}

static enum gm_status segment(struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_entity **v = gm_alloc(p->n_entities, sizeof *v);
    uint8_t *marks = gm_alloc(p->text.n + 1, 1);
    if (!v || !marks) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    mark_spaces(p->text, marks);
    mark_edges(p, v, marks);
    GM_TRY(mark_unspaced(p, marks, err));
    GM_TRY(cut_words(p, marks, err));
done:
    gm_free(v);
    gm_free(marks);
    return st;
}

/* A word, an id or a type: what would end a line or a column becomes '_'. An id may hold no space,
 * and no NUL. */
static enum gm_status put(struct conll_out *o, struct gm_str s, bool no_space, struct gm_str id,
                          struct gm_error *err)
{
    size_t from = o->base.text.n;
    bool changed = s.n == 0 && o->separator == ' ';
    enum gm_status st = gm_buf_add_str(&o->base.text, changed ? GM_STR("_") : s, err);
    for (size_t i = from; i < o->base.text.n && st == GM_OK; i++) {
        char *c = &o->base.text.p[i];
        bool ends = *c == ' ' ? no_space || o->separator == ' ' : is_space(*c);
        if (ends || (*c == 0 && no_space)) {
            *c = '_';
            changed = true;
        }
    }
    if (changed)
        gm_losses_add(o->base.to.lost, "white space or NULs inside words, ids or types (now _)",
                      id);
    return st;
}

static enum gm_status put_tag(struct conll_out *o, struct gm_tag tag, struct gm_str type,
                              struct gm_str id, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(&o->base.text, err, "%c%c%s", o->separator, tag.prefix,
                         tag.prefix == 'O' ? "" : "-"));
    if (tag.prefix != 'O')
        GM_TRY(put(o, type, true, id, err));
done:
    return st;
}

/* For each span of words the entity it came from; the types of a post are numbered by entity. */
struct tagged {
    struct gm_labels types;
    struct gm_span *spans;
    struct gm_tag *tags;
    size_t n_spans, n_skipped;
};

static void tagged_clear(struct tagged *t)
{
    gm_labels_clear(&t->types);
    gm_free(t->spans);
    gm_free(t->tags);
}

static enum gm_status tagged_init(struct tagged *t, const struct gm_post *p,
                                  enum gm_tag_scheme scheme, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *t = (struct tagged){.spans = gm_alloc(p->n_entities, sizeof *t->spans),
                         .tags = gm_alloc(p->n_tokens, sizeof *t->tags)};
    gm_labels_init(&t->types, MAX_TYPES);
    if (!t->spans || !t->tags) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for tags");
        goto done;
    }
    GM_TRY(gm_post_spans(p, &t->types, t->spans, &t->n_spans, &t->n_skipped, err));
    gm_spans_to_tags(t->spans, t->n_spans, scheme, t->tags, p->n_tokens);
done:
    return st;
}

/* The entity that the span was made of; another one may begin at the same word. */
static const struct gm_entity *entity_of(const struct gm_post *p, const struct tagged *t,
                                         const struct gm_span *span, struct gm_offset *at)
{
    size_t start = gm_offset_to_byte(at, p->tokens[span->first].start);
    size_t end = gm_offset_to_byte(at, p->tokens[span->end - 1].end);
    for (size_t k = 0; k < p->n_entities; k++) {
        const struct gm_entity *e = &p->entities[k];
        if (e->start == start && e->end == end &&
            gm_str_eq(e->type, gm_labels_at(&t->types, span->type)))
            return e;
    }
    return NULL;
}

static enum gm_status put_words(struct conll_out *o, const struct gm_post *p,
                                const struct tagged *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_entity *e = NULL;
    struct gm_offset at;
    size_t next = 0; /* span */
    gm_offset_init(&at, p->text);
    for (size_t i = 0; i < p->n_tokens; i++) {
        struct gm_tag tag = t->tags[i];
        GM_TRY(put(o, gm_post_word(p, i), false, p->id, err));
        GM_TRY(put_tag(o, tag, tag.prefix == 'O' ? GM_STR("") : gm_labels_at(&t->types, tag.type),
                       p->id, err));
        if (o->has_fine_tags) {
            if (tag.prefix == 'B' || tag.prefix == 'S')
                e = entity_of(p, t, &t->spans[next++], &at);
            if (tag.prefix == 'O' || !e || !e->fine_type.n)
                tag.prefix = 'O';
            GM_TRY(put_tag(o, tag, e ? e->fine_type : GM_STR(""), p->id, err));
        }
        GM_TRY(gm_buf_add_c(&o->base.text, "\n", err));
    }
done:
    return st;
}

static enum gm_status put_context(struct conll_out *o, const struct gm_post *p,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str rest = gm_str_trim(p->knowledge);
    if (rest.n == 0)
        return GM_OK;
    GM_TRY(gm_buf_add_c(&o->base.text, "<EOS>", err));
    for (bool more = true; more; rest = gm_str_trim(rest)) {
        GM_TRY(o->has_fine_tags
                   ? gm_buf_printf(&o->base.text, err, "%cX%cX\n", o->separator, o->separator)
                   : gm_buf_printf(&o->base.text, err, "%cX\n", o->separator));
        size_t n = 0;
        while (n < rest.n && !is_space(rest.p[n]))
            n++;
        more = n > 0;
        GM_TRY(gm_buf_add(&o->base.text, rest.p, n, err));
        rest = gm_str_sub(rest, n, rest.n);
    }
done:
    return st;
}

static enum gm_status add(void *state, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct conll_out *o = state;
    struct tagged t = {0};
    bool has_words, is_named;
    gm_buf_reset(&o->base.text);
    if (!p->has_tokens) {
        gm_losses_add(o->base.to.lost, "white space of raw texts (now cut into words)", p->id);
        GM_TRY(segment(p, err));
    }
    has_words = p->n_tokens || gm_str_trim(p->knowledge).n;
    is_named = p->has_id || (o->is_open && has_words);
    o->is_open = (is_named || o->is_open) && !has_words;
    GM_TRY(tagged_init(&t, p, o->scheme, err));
    for (size_t i = 0; i < t.n_skipped; i++)
        gm_losses_add(o->base.to.lost, "entities that overlap others, or end inside a word", p->id);
    if (p->n_tokens == 0 && !p->has_id)
        gm_losses_add(o->base.to.lost, "posts without words and id", p->id);
    if (is_named) {
        GM_TRY(gm_buf_add_c(&o->base.text, "IMGID:", err));
        GM_TRY(put(o, p->id, true, p->id, err));
        GM_TRY(gm_buf_add_c(&o->base.text, "\n", err));
    }
    GM_TRY(put_words(o, p, &t, err));
    GM_TRY(put_context(o, p, err));
    GM_TRY(gm_buf_add_c(&o->base.text, "\n", err));
    GM_TRY(gm_out_write(o->base.out, gm_buf_str(&o->base.text), err));
done:
    tagged_clear(&t);
    return st;
}

#define HOLDS                                                                                   \
    (GM_HOLDS_TEXT | GM_HOLDS_TOKENS | GM_HOLDS_KNOWLEDGE | GM_HOLDS_TYPE | GM_HOLDS_POSITION | \
     GM_HOLDS_UNGROUNDED)

const struct gm_format_row gm_format_conll_row = {.title = "CoNLL",
                                                  .ending = ".txt",
                                                  .told_by = {".conll", ".txt"},
                                                  .has_tags = true,
                                                  .unit = GM_UNIT_BLOCK,
                                                  .holds = HOLDS,
                                                  .create = create,
                                                  .add = add,
                                                  .commit = gm_text_out_commit,
                                                  .abort = gm_text_out_abort};
const struct gm_format_row gm_format_fmnerg_row = {.title = "CoNLL with coarse and fine tags",
                                                   .ending = ".txt",
                                                   .has_tags = true,
                                                   .unit = GM_UNIT_BLOCK,
                                                   .holds = HOLDS | GM_HOLDS_FINE,
                                                   .create = create,
                                                   .add = add,
                                                   .commit = gm_text_out_commit,
                                                   .abort = gm_text_out_abort};
