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
};

/* One step through a template. */
enum token_kind {
    TOKEN_END,
    TOKEN_TEXT,
    TOKEN_VALUE,
    TOKEN_IMAGE,
    TOKEN_IF,
    TOKEN_ENDIF,
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
    if (name.n && (name.p[0] == '?' || name.p[0] == '/')) {
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
    for (; *known; known++)
        if (gm_str_eq_c(name, *known))
            return true;
    return false;
}

/* What can be wrong with a template, found when it is loaded and not at the 1000th post. */
static enum gm_status check_template(const struct text_template *t, const char *const *known,
                                     struct gm_error *err)
{
    struct gm_str open = {NULL, 0};
    size_t pos = 0, n_images = 0;
    for (;;) {
        struct token k = next_token(t->text, &pos);
        if (k.kind == TOKEN_END)
            break;
        if (k.kind == TOKEN_BAD)
            return GM_FAIL(err, GM_EFORMAT, "\"%.*s…\" is no placeholder", GM_STR_ARG(k.text));
        if ((k.kind == TOKEN_VALUE || k.kind == TOKEN_IF) && !is_known(known, k.text))
            return GM_FAIL(err, GM_EFORMAT, "there is no value \"%.*s\" for this prompt",
                           GM_STR_ARG(k.text));
        if (k.kind == TOKEN_IMAGE && (++n_images > 1 || strcmp(t->role, "user") != 0))
            return GM_FAIL(err, GM_EFORMAT, "one {{image}} is allowed, in a user message");
        if (k.kind == TOKEN_IF && open.p)
            return GM_FAIL(err, GM_EFORMAT, "{{?%.*s}} inside of another", GM_STR_ARG(k.text));
        if (k.kind == TOKEN_ENDIF && (!open.p || !gm_str_eq(open, k.text)))
            return GM_FAIL(err, GM_EFORMAT, "{{/%.*s}} closes nothing", GM_STR_ARG(k.text));
        if (k.kind == TOKEN_IF)
            open = k.text;
        if (k.kind == TOKEN_ENDIF)
            open.p = NULL;
    }
    return open.p ? GM_FAIL(err, GM_EFORMAT, "{{?%.*s}} is never closed", GM_STR_ARG(open)) : GM_OK;
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
    if (!*path || !gm_is_file(*path))
        *path = gm_home_path(a, file.p);
    if (*path)
        return GM_OK;
    return GM_FAIL(err, GM_EARG, "no prompt \"%s\"; a file of your own is given as ./%s.txt", which,
                   which);
}

enum gm_status gm_prompt_load(struct gm_prompt **out, const char *which, const char *const *known,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
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
        st = check_template(&p->messages[i], known, err);
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

bool gm_prompt_has_image(const struct gm_prompt *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (gm_str_find(p->messages[i].text, GM_STR("{{image}}"), 0) != SIZE_MAX)
            return true;
    return false;
}

static struct gm_str value_of(const struct gm_prompt_value *values, size_t n, struct gm_str name)
{
    for (size_t i = 0; i < n; i++)
        if (gm_str_eq_c(name, values[i].name))
            return values[i].text;
    return GM_STR("");
}

/* The text collected so far becomes a part of the message. */
static enum gm_status end_part(struct gm_buf *b, struct gm_arena *a, struct gm_llm_part *parts,
                               size_t *n, struct gm_error *err)
{
    if (b->n == 0)
        return GM_OK;
    struct gm_str text = gm_arena_str(a, gm_buf_str(b));
    if (!text.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    parts[(*n)++] = (struct gm_llm_part){.kind = GM_LLM_TEXT, .bytes = text};
    gm_buf_reset(b);
    return GM_OK;
}

static enum gm_status render_message(const struct text_template *t, struct gm_arena *a,
                                     const struct gm_prompt_value *values, size_t n_values,
                                     const struct gm_llm_part *picture, struct gm_llm_message *out,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t pos = 0;
    bool skip = false;
    struct gm_buf b;
    gm_buf_init(&b, (size_t)64 << 20);
    struct gm_llm_part *parts = gm_arena_alloc(a, 3, sizeof *parts); /* text, picture, text */
    *out = (struct gm_llm_message){.role = t->role, .parts = parts};
    if (!parts) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (;;) {
        struct token k = next_token(t->text, &pos);
        if (k.kind == TOKEN_END || k.kind == TOKEN_BAD)
            break;
        if (k.kind == TOKEN_IF)
            skip = value_of(values, n_values, k.text).n == 0;
        else if (k.kind == TOKEN_ENDIF)
            skip = false;
        else if (skip)
            continue;
        else if (k.kind == TOKEN_TEXT)
            GM_TRY(gm_buf_add_str(&b, k.text, err));
        else if (k.kind == TOKEN_VALUE)
            GM_TRY(gm_buf_add_str(&b, value_of(values, n_values, k.text), err));
        else if (picture) {
            GM_TRY(end_part(&b, a, parts, &out->n_parts, err));
            parts[out->n_parts++] = *picture;
        }
    }
    GM_TRY(end_part(&b, a, parts, &out->n_parts, err));
done:
    gm_buf_clear(&b);
    return st;
}

enum gm_status gm_prompt_render(const struct gm_prompt *p, struct gm_arena *a,
                                const struct gm_prompt_value *values, size_t n_values,
                                const struct gm_llm_part *picture, struct gm_llm_message **out,
                                size_t *n_out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *n_out = 0;
    *out = gm_arena_alloc(a, p->n, sizeof **out);
    if (!*out) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t i = 0; i < p->n; i++)
        GM_TRY(render_message(&p->messages[i], a, values, n_values, picture, &(*out)[i], err));
    *n_out = p->n;
done:
    return st;
}
