#include "llm/secret.h"

#include "base/alloc.h"
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum {
    KEY_MAX = 8192,
    HIDDEN_MIN = 4 /* less of a key is no secret, and stands in any text */
};

void gm_secret_free(char *key)
{
    if (key)
        gm_wipe(key, strlen(key));
    gm_free(key);
}

/* What may stand in a header line. */
enum gm_status gm_secret_copy(char **out, struct gm_str s, const char *from, struct gm_error *err)
{
    *out = NULL;
    s = gm_str_trim(s);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return GM_FAIL(err, GM_EARG, "%s: a key is one line of letters, digits and signs",
                           from);
    if (!s.n)
        return GM_FAIL(err, GM_EARG, "%s: there is no key in it", from);
    if (!(*out = gm_alloc(s.n + 1, 1)))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    memcpy(*out, s.p, s.n);
    return GM_OK;
}

/* "URL KEY": whether the URL is of this origin. */
static bool is_of(struct gm_str url, struct gm_str origin)
{
    return url.n >= origin.n && strncasecmp(url.p, origin.p, origin.n) == 0 &&
           (url.n == origin.n || strchr("/?#", url.p[origin.n]));
}

/* The key that the lines have for the origin. */
static enum gm_status find_key(char **out, struct gm_str text, const struct gm_str *origin,
                               const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str line, first, rest;
    size_t n_bare = 0, n_urls = 0;
    while (text.n && st == GM_OK) {
        gm_str_cut(text, '\n', &line, &text);
        line = gm_str_trim(line);
        if (!line.n)
            continue;
        bool has_url = gm_str_cut(line, ' ', &first, &rest) &&
                       gm_str_find(first, GM_STR("://"), 0) != SIZE_MAX;
        n_urls += has_url;
        n_bare += !has_url;
        bool wanted = has_url ? origin && is_of(first, *origin) : !origin;
        if (n_bare > 1)
            st = GM_FAIL(err, GM_EARG,
                         "%s: a key is one line; one for other servers is \"URL KEY\"", path);
        else if (wanted && !*out)
            st = gm_secret_copy(out, has_url ? rest : line, path, err);
    }
    if (st == GM_OK && n_bare + n_urls == 0)
        st = GM_FAIL(err, GM_EARG, "%s: there is no key in it", path);
    if (st != GM_OK) {
        gm_secret_free(*out);
        *out = NULL;
    }
    return st;
}

static enum gm_status read_file(char **out, const char *path, const struct gm_str *origin,
                                struct gm_error *err)
{
    struct stat sb;
    struct gm_buf b;
    enum gm_status st = GM_OK;
    gm_buf_init(&b, KEY_MAX);
    if (stat(path, &sb) != 0)
        return GM_FAIL(err, GM_EIO, "%s: cannot read: %s", path, strerror(errno));
    if (sb.st_mode & (S_IRWXG | S_IRWXO))
        return GM_FAIL(err, GM_EARG,
                       "%s: a key file must be its owner's alone; `chmod 600 %s` mends it", path,
                       path);
    GM_TRY(gm_file_read(path, &b, err));
    GM_TRY(find_key(out, gm_buf_str(&b), origin, path, err));
done:
    gm_wipe(b.p, b.n);
    gm_buf_clear(&b);
    return st;
}

enum gm_status gm_secret_read(char **out, const char *path, const struct gm_str *origin,
                              struct gm_error *err)
{
    *out = NULL;
    if (path)
        return read_file(out, path, origin, err);
    const char *key = origin ? NULL : getenv("OPENAI_API_KEY");
    return key && *key ? gm_secret_copy(out, gm_str(key), "OPENAI_API_KEY", err) : GM_OK;
}

/* ---- all of a client ---- */

enum gm_status gm_secrets_add(struct gm_secrets *s, char *key, struct gm_error *err)
{
    enum gm_status st = key ? GM_GROW(s->keys, s->n, s->cap, err) : GM_OK;
    if (key && st == GM_OK)
        s->keys[s->n++] = key;
    else
        gm_secret_free(key);
    return st;
}

/* Whether a query's parameter of this name is a key: "api_key", "code", "token", "sig". */
static bool is_secret(struct gm_str name)
{
    static const char *const words[] = {"key", "token", "secret", "pass", "auth", "sig", "code"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (size_t at = 0, n = strlen(words[i]); at + n <= name.n; at++)
            if (strncasecmp(name.p + at, words[i], n) == 0)
                return true;
    return false;
}

enum gm_status gm_secrets_add_query(struct gm_secrets *s, const char *url, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str rest = gm_str(url), one, name, value;
    gm_str_cut(rest, '#', &rest, &one);
    if (!gm_str_cut(rest, '?', &one, &rest))
        return GM_OK;
    while (rest.n && st == GM_OK) {
        gm_str_cut(rest, '&', &one, &rest);
        if (!gm_str_cut(one, '=', &name, &value) || !is_secret(name) || !value.n)
            continue;
        char *key = gm_alloc(value.n + 1, 1);
        if (!key)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        memcpy(key, value.p, value.n);
        st = gm_secrets_add(s, key, err);
    }
    return st;
}

/* How much of a text of `left` bytes is a key, or the beginning of one that the text's end cuts. */
static size_t key_at(const struct gm_secrets *s, const char *at, size_t left)
{
    size_t most = 0;
    for (size_t i = 0; i < s->n; i++) {
        size_t n = strlen(s->keys[i]), here = n < left ? n : left;
        if (n >= HIDDEN_MIN && here >= HIDDEN_MIN && here > most &&
            memcmp(at, s->keys[i], here) == 0)
            most = here;
    }
    return most;
}

/* Each byte goes when it has been looked at, so that keys that overlap go whole. */
void gm_secrets_hide(const struct gm_secrets *s, char *text)
{
    size_t n = strlen(text), end = 0;
    for (size_t i = 0; i < n; i++) {
        size_t hidden = key_at(s, text + i, n - i);
        if (hidden && i + hidden > end)
            end = i + hidden;
        if (i < end)
            text[i] = '*';
    }
}

void gm_secrets_clear(struct gm_secrets *s)
{
    for (size_t i = 0; i < s->n; i++)
        gm_secret_free(s->keys[i]);
    gm_free(s->keys);
    *s = (struct gm_secrets){0};
}
