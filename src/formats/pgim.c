/* pgim.c - the pools of annotated samples of PGIM and RiVEG: the id of a post, then one line.
 *
 *   563049
 *   Named entities:1. Smash Shiba (person/handle)2. …Reasoning:The sentence mentions …
 *   563049
 *   ['Smash Shiba', 'PER'], ['Melee Grand Finals', 'OTHER']
 *
 * The second line is what a language model should say of the post, its knowledge, or the post's entities as
 * Python prints them, None where it has none. Neither file has texts: those are of the data set's own files
 * (gm_reader_opts.texts). For reading only. Source: github.com/JinYuanLi0012/PGIM. */
#include "base/alloc.h"
#include "formats/format.h"
#include "formats/text_lines.h"

#include <string.h>

enum { MAX_ENTITIES = 10000, ID_MAX = 200 };

struct pgim {
    struct gm_text_lines lines;
    struct gm_source from;
};

static void pgim_close(void *state)
{
    struct pgim *r = state;
    if (!r)
        return;
    gm_text_lines_close(&r->lines);
    gm_free(r);
}

static enum gm_status pgim_open(void **state, const struct gm_source *from, struct gm_error *err)
{
    struct pgim *r = *state = gm_alloc(1, sizeof *r);
    if (!r)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    r->from = *from;
    enum gm_status st = gm_text_lines_of(&r->lines, from->in, err);
    if (st != GM_OK) {
        pgim_close(r);
        *state = NULL;
    }
    return st;
}

/* ---- entities ---- */

static bool is_entities(struct gm_str s)
{
    return gm_str_eq_c(s, "None") || gm_str_starts(s, GM_STR("['")) ||
           gm_str_starts(s, GM_STR("[\""));
}

/* The pools have marks within marks: one that ends a text has a comma or a bracket behind it. */
static bool is_end(struct gm_str s, size_t i, char mark)
{
    return s.p[i] == mark && i + 1 < s.n && (s.p[i + 1] == ',' || s.p[i + 1] == ']');
}

/* A text in single or double quotes at *s, which moves behind it and its white space; a backslash takes the
 * sign behind it as it is. false: there is none. */
static bool take_quoted(struct gm_str *s, struct gm_arena *a, struct gm_str *out)
{
    char mark = s->n ? s->p[0] : 0;
    size_t i = 1, n = 0;
    char *to = mark == '\'' || mark == '"' ? gm_arena_alloc(a, s->n, 1) : NULL;
    while (to && i < s->n && !is_end(*s, i, mark)) {
        i += s->p[i] == '\\' && i + 1 < s->n;
        to[n++] = s->p[i++];
    }
    if (!to || i >= s->n)
        return false;
    *out = (struct gm_str){to, n};
    *s = gm_str_trim(gm_str_sub(*s, i + 1, s->n));
    return true;
}

static bool take_sign(struct gm_str *s, char sign)
{
    if (!s->n || s->p[0] != sign)
        return false;
    *s = gm_str_trim(gm_str_sub(*s, 1, s->n));
    return true;
}

/* "['a', 'PER'], ['b', 'LOC']" or "None"; false: something else. */
static bool take_entities(struct gm_str s, struct gm_arena *a, struct gm_named_entity *v, size_t *n)
{
    *n = 0;
    if (gm_str_eq_c(s, "None"))
        return true;
    do {
        struct gm_named_entity *e = &v[*n];
        *e = (struct gm_named_entity){.visible = -1};
        if (*n == MAX_ENTITIES || !take_sign(&s, '[') || !take_quoted(&s, a, &e->name) ||
            !take_sign(&s, ',') || !take_quoted(&s, a, &e->type) || !take_sign(&s, ']') ||
            !e->name.n || !e->type.n || memchr(e->type.p, 0, e->type.n))
            return false;
        ++*n;
    } while (take_sign(&s, ','));
    return s.n == 0;
}

/* ---- posts ---- */

/* The next line that is not empty, trimmed. */
static enum gm_status next_line(struct pgim *r, struct gm_str *s, bool *has, struct gm_error *err)
{
    enum gm_status st;
    do {
        st = gm_text_lines_next(&r->lines, s, has, err);
        if (st == GM_OK && *has)
            *s = gm_str_trim(*s);
    } while (st == GM_OK && *has && s->n == 0);
    return st;
}

static bool is_id(struct gm_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ')
            return false;
    return s.n > 0 && s.n <= ID_MAX;
}

static enum gm_status fill(const struct pgim *r, struct gm_post *p, struct gm_str s,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool named = is_entities(s);
    size_t n = 0, room = 0;
    for (size_t i = 0; named && i < s.n; i++)
        room += s.p[i] == '[';
    struct gm_named_entity *v = gm_arena_alloc(&p->arena, room + 1, sizeof *v);
    struct gm_str line = gm_arena_str(&p->arena, s); /* s lives until the next line is read */
    GM_TRY(v && line.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (named && !take_entities(line, &p->arena, v, &n)) {
        st = GM_FAIL(err, GM_EFORMAT, "expected ['NAME', 'TYPE'], … or None");
        goto done;
    }
    GM_TRY(gm_post_set_named(p, v, n, r->from.texts, r->from.lost, err));
    p->has_entities = named;
    if (!named)
        p->knowledge = line;
    if (!p->image.n)
        st = gm_post_id_image(p, r->from.images_dir, err);
done:
    return st;
}

static enum gm_status pgim_next(void *state, struct gm_post *post, size_t *line, bool *has,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct pgim *r = state;
    struct gm_str s;
    GM_TRY(next_line(r, &s, has, err));
    *line = gm_text_lines_number(&r->lines);
    if (!*has)
        return GM_OK;
    if (!is_id(s)) {
        st = GM_FAIL(err, GM_EFORMAT, "%s:%zu: expected the id of a post, alone on its line",
                     gm_text_lines_path(&r->lines), *line);
        goto done;
    }
    post->has_id = true;
    post->id = gm_arena_str(&post->arena, s);
    GM_TRY(post->id.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(next_line(r, &s, has, err));
    if (!*has) {
        *has = true;
        st = GM_FAIL(err, GM_EFORMAT, "%s:%zu: no knowledge or entities behind the id \"%.*s\"",
                     gm_text_lines_path(&r->lines), *line, GM_STR_ARG(post->id));
        goto done;
    }
    st = fill(r, post, s, err);
    if (st != GM_OK)
        gm_error_prefix(err, "%s:%zu", gm_text_lines_path(&r->lines), *line + 1);
done:
    return st;
}

/* A word alone on the first line, and on the second one what a pool has there. */
static enum gm_fit fit(const struct gm_head *h)
{
    struct gm_str first = gm_str_trim(h->line), rest = gm_str_sub(h->text, h->at, h->text.n),
                  second;
    struct gm_str line;
    if (!is_id(first) || !gm_str_cut(rest, '\n', &line, &rest))
        return GM_FIT_NOT;
    gm_str_cut(rest, '\n', &second, &rest);
    second = gm_str_trim(second);
    return is_entities(second) || gm_str_starts(second, GM_STR("Named entit")) ? GM_FIT_KEYS
                                                                               : GM_FIT_NOT;
}

const struct gm_format_row gm_format_pgim_row = {.title = "PGIM's pool of samples",
                                                 .fit = fit,
                                                 .open = pgim_open,
                                                 .next = pgim_next,
                                                 .close = pgim_close};
