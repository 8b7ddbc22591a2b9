#include "llm/secret.h"

#include "base/alloc.h"
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { KEY_MAX = 8192 };

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
