#include "llm/prompt.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"
#include "base/sha256.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES_MAX = 64, PROMPT_MAX_BYTES = 1 << 20 };

struct text_template {
    const char *role;
    struct gm_str text; /* with its placeholders */
};

struct gm_prompt {
    struct gm_arena arena;
    struct text_template messages[MESSAGES_MAX];
    size_t n;
    char version[GM_SHA256_HEX];
    bool has_image, has_examples;
};

/* The values that a file may use. */
struct known_values {
    const char *const *post, *const *example; /* example NULL: no block */
};

/* One step through a template. */
enum token_kind {
    TOKEN_END,
    TOKEN_TEXT,
    TOKEN_VALUE,
    TOKEN_IMAGE,
    TOKEN_IF,
    TOKEN_ENDIF,
    TOKEN_EXAMPLES,
    TOKEN_END_EXAMPLES,
    TOKEN_BAD
};

struct token {
    enum token_kind kind;
    struct gm_str text; /* of TEXT; the name for VALUE, IF and ENDIF */
};

static bool is_name(struct gm_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || s.p[i] == '_'))
            return false;
    return s.n > 0;
}

static struct token next_token(struct gm_str s, size_t *pos)
{
    size_t open = gm_str_find(s, GM_STR("{{"), *pos), from = *pos;
    if (from >= s.n)
        return (struct token){TOKEN_END, {NULL, 0}};
    if (open != from) {
        *pos = open == SIZE_MAX ? s.n : open;
        return (struct token){TOKEN_TEXT, gm_str_sub(s, from, *pos)};
    }
    size_t close = gm_str_find(s, GM_STR("}}"), open);
    struct gm_str name = gm_str_sub(s, open + 2, close == SIZE_MAX ? open + 2 : close);
    enum token_kind kind = TOKEN_VALUE;
    if (gm_str_eq_c(name, "#examples") || gm_str_eq_c(name, "/examples")) {
        kind = name.p[0] == '#' ? TOKEN_EXAMPLES : TOKEN_END_EXAMPLES;
        name = gm_str_sub(name, 1, name.n);
    } else if (name.n && (name.p[0] == '?' || name.p[0] == '/')) {
        kind = name.p[0] == '?' ? TOKEN_IF : TOKEN_ENDIF;
        name = gm_str_sub(name, 1, name.n);
    } else if (gm_str_eq_c(name, "image")) {
        kind = TOKEN_IMAGE;
    }
    if (close == SIZE_MAX || !is_name(name))
        return (struct token){TOKEN_BAD, gm_str_sub(s, open, open + 20)};
    *pos = close + 2;
    return (struct token){kind, name};
}

static bool is_known(const char *const *known, struct gm_str name)
{
    for (; known && *known; known++)
        if (gm_str_eq_c(name, *known))
            return true;
    return false;
}

/* Where a check is within a template. */
struct place {
    struct gm_str piece;           /* {{?piece}} that is open; .p NULL = none */
    bool in_block, has_block;      /* {{#examples}} */
    bool has_image, has_own_image; /* of the post; of the block's examples */
};

static enum gm_status check_piece(struct place *at, struct token k, struct gm_error *err)
{
    if (k.kind == TOKEN_IF && at->piece.p)
        return GM_FAIL(err, GM_EFORMAT, "{{?%.*s}} inside of another", GM_STR_ARG(k.text));
    if (k.kind == TOKEN_ENDIF && (!at->piece.p || !gm_str_eq(at->piece, k.text)))
        return GM_FAIL(err, GM_EFORMAT, "{{/%.*s}} closes nothing", GM_STR_ARG(k.text));
    at->piece = k.kind == TOKEN_IF ? k.text : (struct gm_str){NULL, 0};
    return GM_OK;
}

static enum gm_status check_block(struct place *at, struct token k, bool in_user, bool is_given,
                                  struct gm_error *err)
{
    bool opens = k.kind == TOKEN_EXAMPLES;
    if (opens && !is_given)
        return GM_FAIL(err, GM_EFORMAT, "there are no {{#examples}} for this prompt");
    if (opens && (at->has_block || !in_user))
        return GM_FAIL(err, GM_EFORMAT, "one block {{#examples}} is allowed, in a user message");
    if (!opens && !at->in_block)
        return GM_FAIL(err, GM_EFORMAT, "{{/examples}} closes nothing");
    if (at->piece.p)
        return GM_FAIL(err, GM_EFORMAT, "{{?%.*s}} is not closed where the block examples %s",
                       GM_STR_ARG(at->piece), opens ? "begins" : "ends");
    at->in_block = opens;
    at->has_block = true;
    return GM_OK;
}

static enum gm_status check_token(struct place *at, struct token k, bool in_user,
                                  const struct known_values *known, struct gm_error *err)
{
    bool *has_image = at->in_block ? &at->has_own_image : &at->has_image;
    if (k.kind == TOKEN_BAD)
        return GM_FAIL(err, GM_EFORMAT, "\"%.*s…\" is no placeholder", GM_STR_ARG(k.text));
    if ((k.kind == TOKEN_VALUE || k.kind == TOKEN_IF) && !is_known(known->post, k.text) &&
        !(at->in_block && is_known(known->example, k.text)))
        return GM_FAIL(err, GM_EFORMAT, "there is no value \"%.*s\" for this prompt",
                       GM_STR_ARG(k.text));
    if (k.kind == TOKEN_IMAGE && (*has_image || !in_user))
        return GM_FAIL(err, GM_EFORMAT, "one {{image}} is allowed, in a user message");
    *has_image |= k.kind == TOKEN_IMAGE;
    if (k.kind == TOKEN_EXAMPLES || k.kind == TOKEN_END_EXAMPLES)
        return check_block(at, k, in_user, known->example != NULL, err);
    return k.kind == TOKEN_IF || k.kind == TOKEN_ENDIF ? check_piece(at, k, err) : GM_OK;
}

/* What can be wrong with a template, found when it is loaded and not at the 1000th post. */
static enum gm_status check_template(struct gm_prompt *p, const struct text_template *t,
                                     const struct known_values *known, struct gm_error *err)
{
    struct place at = {.has_block = p->has_examples};
    struct token k;
    enum gm_status st = GM_OK;
    size_t pos = 0;
    while (st == GM_OK && (k = next_token(t->text, &pos)).kind != TOKEN_END)
        st = check_token(&at, k, strcmp(t->role, "user") == 0, known, err);
    if (st == GM_OK && at.piece.p)
        st = GM_FAIL(err, GM_EFORMAT, "{{?%.*s}} is never closed", GM_STR_ARG(at.piece));
    if (st == GM_OK && at.in_block)
        st = GM_FAIL(err, GM_EFORMAT, "{{#examples}} is never closed");
    p->has_image |= at.has_image;
    p->has_examples = at.has_block;
    return st;
}

static const char *role_of(struct gm_str line)
{
    static const char *const roles[] = {"system", "user", "assistant"};
    for (size_t i = 0; i < 3; i++)
        if (gm_str_eq_c(gm_str_trim(line), roles[i]))
            return roles[i];
    return NULL;
}

/* Cut the file at its "--- role" lines. */
static enum gm_status cut_messages(struct gm_prompt *p, struct gm_str file, struct gm_error *err)
{
    struct gm_str line, rest = file, dashes = GM_STR("--- ");
    size_t number = 0;
    while (rest.n) {
        const char *at = rest.p;
        number++;
        gm_str_cut(rest, '\n', &line, &rest);
        if (!gm_str_starts(line, dashes)) {
            if (p->n)
                p->messages[p->n - 1].text.n =
                    (size_t)(line.p + line.n - p->messages[p->n - 1].text.p);
            continue;
        }
        const char *role = role_of(gm_str_sub(line, dashes.n, line.n));
        if (!role || p->n == MESSAGES_MAX)
            return GM_FAIL(err, GM_EFORMAT,
                           "line %zu: \"%.*s\": the roles are system, user, assistant (at most %d)",
                           number, GM_STR_ARG(line), (int)MESSAGES_MAX);
        p->messages[p->n++] = (struct text_template){role, {rest.n ? rest.p : at, 0}};
    }
    if (p->n == 0)
        return GM_FAIL(err, GM_EFORMAT, "no message: a line \"--- user\" begins one");
    for (size_t i = 0; i < p->n; i++)
        p->messages[i].text = gm_str_trim(p->messages[i].text);
    return GM_OK;
}

static enum gm_status find_prompt(struct gm_arena *a, const char *which, const char **path,
                                  struct gm_error *err)
{
    const char *own = getenv("GMNER_PROMPTS");
    *path = which;
    if (strchr(which, '/') || gm_str_ends(gm_str(which), GM_STR(".txt")))
        return GM_OK;
    struct gm_str file = gm_arena_printf(a, "prompts/%s.txt", which);
    if (!file.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    *path = own && *own ? gm_path_join(a, own, file.p + strlen("prompts/")) : NULL;
    if (own && *own && !*path)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    enum gm_status st = GM_OK;
    if (!*path || !gm_is_file(*path))
        st = gm_home_path(a, file.p, path, err);
    if (st != GM_OK || *path)
        return st;
    return GM_FAIL(err, GM_EARG, "no prompt \"%s\"; a file of your own is given as ./%s.txt", which,
                   which);
}

enum gm_status gm_prompt_load(struct gm_prompt **out, const char *which, const char *const *known,
                              const char *const *known_examples, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct known_values values = {known, known_examples};
    const char *path = which;
    struct gm_buf b;
    *out = NULL;
    struct gm_prompt *p = gm_alloc(1, sizeof *p);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&p->arena, 0);
    gm_buf_init(&b, PROMPT_MAX_BYTES);
    GM_TRY(find_prompt(&p->arena, which, &path, err));
    GM_TRY(gm_file_read(path, &b, err));
    struct gm_str file = gm_arena_str(&p->arena, gm_buf_str(&b));
    gm_sha256(gm_buf_str(&b), p->version);
    if (!file.p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    else if (!gm_utf8_is_valid(file))
        st = GM_FAIL(err, GM_EFORMAT, "is not UTF-8");
    if (st == GM_OK)
        st = cut_messages(p, file, err);
    for (size_t i = 0; i < p->n && st == GM_OK; i++)
        st = check_template(p, &p->messages[i], &values, err);
    if (st != GM_OK) {
        gm_error_prefix(err, "%s", path);
        goto done;
    }
    *out = p;
    p = NULL;
done:
    gm_buf_clear(&b);
    gm_prompt_free(p);
    return st;
}

void gm_prompt_free(struct gm_prompt *p)
{
    if (!p)
        return;
    gm_arena_clear(&p->arena);
    gm_free(p);
}

const char *gm_prompt_version(const struct gm_prompt *p) { return p->version; }

bool gm_prompt_has_image(const struct gm_prompt *p) { return p->has_image; }

bool gm_prompt_has_examples(const struct gm_prompt *p) { return p->has_examples; }

/* ---- filling ---- */

/* A message while it is written. */
struct writing {
    struct gm_arena *a;
    struct gm_buf text; /* behind the last part */
    struct gm_llm_part *parts;
    size_t n_parts;
    const struct gm_prompt_filling *filling;
    const struct gm_prompt_example *example; /* whose turn of the block it is; NULL = outside */
    bool skip;
};

static struct gm_str value_in(const struct gm_prompt_value *values, size_t n, struct gm_str name)
{
    for (size_t i = 0; i < n; i++)
        if (gm_str_eq_c(name, values[i].name))
            return values[i].text;
    return (struct gm_str){NULL, 0};
}

static struct gm_str value_of(const struct writing *w, struct gm_str name)
{
    struct gm_str s = {NULL, 0};
    if (w->example)
        s = value_in(w->example->values, w->example->n_values, name);
    return s.p ? s : value_in(w->filling->values, w->filling->n_values, name);
}

/* The text collected so far becomes a part of the message. */
static enum gm_status end_part(struct writing *w, struct gm_error *err)
{
    if (w->text.n == 0)
        return GM_OK;
    struct gm_str text = gm_arena_str(w->a, gm_buf_str(&w->text));
    if (!text.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    w->parts[w->n_parts++] = (struct gm_llm_part){.kind = GM_LLM_TEXT, .bytes = text};
    gm_buf_reset(&w->text);
    return GM_OK;
}

static enum gm_status put_image(struct writing *w, struct gm_error *err)
{
    const struct gm_llm_part *own = w->filling->picture;
    const struct gm_llm_part *picture = w->example && own ? w->example->picture : own;
    enum gm_status st = picture ? end_part(w, err) : GM_OK;
    if (picture && st == GM_OK)
        w->parts[w->n_parts++] = *picture;
    return st;
}

static enum gm_status put_token(struct writing *w, struct token k, struct gm_error *err)
{
    if (k.kind == TOKEN_IF)
        w->skip = value_of(w, k.text).n == 0;
    else if (k.kind == TOKEN_ENDIF)
        w->skip = false;
    else if (w->skip)
        return GM_OK;
    else if (k.kind == TOKEN_TEXT)
        return gm_buf_add_str(&w->text, k.text, err);
    else if (k.kind == TOKEN_VALUE)
        return gm_buf_add_str(&w->text, value_of(w, k.text), err);
    else if (k.kind == TOKEN_IMAGE)
        return put_image(w, err);
    return GM_OK;
}

/* From *pos up to the block's end or the text's. */
static enum gm_status put_tokens(struct writing *w, struct gm_str text, size_t *pos,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct token k;
    while (st == GM_OK && (k = next_token(text, pos)).kind != TOKEN_END && k.kind != TOKEN_BAD &&
           k.kind != TOKEN_EXAMPLES && k.kind != TOKEN_END_EXAMPLES)
        st = put_token(w, k, err);
    return st;
}

static size_t n_examples(const struct gm_prompt_filling *f)
{
    return f->n_examples < GM_PROMPT_EXAMPLES_MAX ? f->n_examples : GM_PROMPT_EXAMPLES_MAX;
}

/* The block that begins at *pos, once for each example; *pos is then behind it. */
static enum gm_status put_block(struct writing *w, struct gm_str text, size_t *pos,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t begin = *pos, from;
    for (size_t i = 0; i < n_examples(w->filling) && st == GM_OK; i++) {
        w->example = &w->filling->examples[i];
        from = begin;
        st = put_tokens(w, text, &from, err);
    }
    w->example = NULL;
    *pos = gm_str_find(text, GM_STR("{{/examples}}"), begin) + strlen("{{/examples}}");
    return st;
}

static enum gm_status render_message(const struct text_template *t, struct gm_arena *a,
                                     const struct gm_prompt_filling *f, struct gm_llm_message *out,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t pos = 0;
    struct writing w = {.a = a, .filling = f};
    gm_buf_init(&w.text, (size_t)64 << 20);
    w.parts = gm_arena_alloc(a, 2 * n_examples(f) + 3, sizeof *w.parts); /* text between pictures */
    if (!w.parts) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (;;) {
        GM_TRY(put_tokens(&w, t->text, &pos, err));
        if (pos >= t->text.n)
            break;
        GM_TRY(put_block(&w, t->text, &pos, err));
    }
    GM_TRY(end_part(&w, err));
    *out = (struct gm_llm_message){.role = t->role, .parts = w.parts, .n_parts = w.n_parts};
done:
    gm_buf_clear(&w.text);
    return st;
}

enum gm_status gm_prompt_render(const struct gm_prompt *p, struct gm_arena *a,
                                const struct gm_prompt_filling *filling,
                                struct gm_llm_message **out, size_t *n_out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *n_out = 0;
    *out = gm_arena_alloc(a, p->n, sizeof **out);
    if (!*out) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t i = 0; i < p->n; i++)
        GM_TRY(render_message(&p->messages[i], a, filling, &(*out)[i], err));
    *n_out = p->n;
done:
    return st;
}
