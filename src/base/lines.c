/* Reading a file line by line (gm_lines of file.h) with one buffer that grows to the longest line. */
#include "base/alloc.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };

struct gm_lines {
    int fd;
    char *path;
    size_t max_line, number;
    struct gm_buf buf; /* unread bytes are [from, buf.n) */
    size_t from;
    bool at_end;
    gm_wait_fn *wait; /* NULL = a read just waits */
    void *wait_user;
};

enum gm_status gm_lines_open(struct gm_lines **out, const char *path, size_t max_line,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool is_stdin = strcmp(path, "-") == 0;
    *out = NULL;
    if (!is_stdin && gm_is_dir(path))
        return GM_FAIL(err, GM_EIO, "%s: is a directory, not a file", path);
    struct gm_lines *l = gm_alloc(1, sizeof *l);
    if (!l)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    l->fd = -1;
    l->max_line = max_line;
    gm_buf_init(&l->buf, max_line + 2 * (size_t)CHUNK);
    l->path = gm_strdup(is_stdin ? "standard input" : path);
    if (!l->path) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    l->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (l->fd < 0) {
        st = GM_FAIL(err, GM_EIO, "%s: cannot open: %s", path, strerror(errno));
        goto done;
    }
    *out = l;
    l = NULL;
done:
    gm_lines_free(l);
    return st;
}

void gm_lines_free(struct gm_lines *l)
{
    if (!l)
        return;
    if (l->fd > STDIN_FILENO)
        close(l->fd);
    gm_buf_clear(&l->buf);
    gm_free(l->path);
    gm_free(l);
}

/* Move what is unread to the front and read one chunk behind it. */
static enum gm_status fill(struct gm_lines *l, struct gm_error *err)
{
    if (l->from)
        memmove(l->buf.p, l->buf.p + l->from, l->buf.n - l->from);
    l->buf.n -= l->from;
    l->from = 0;
    enum gm_status st = gm_buf_reserve(&l->buf, CHUNK, err);
    if (st == GM_OK && l->wait)
        st = l->wait(l->wait_user, l->fd, err);
    if (st != GM_OK)
        return st;
    ssize_t got;
    do {
        got = read(l->fd, l->buf.p + l->buf.n, CHUNK);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return GM_FAIL(err, GM_EIO, "%s: cannot read: %s", l->path, strerror(errno));
    l->buf.n += (size_t)got;
    l->at_end = got == 0;
    return GM_OK;
}

enum gm_status gm_lines_next(struct gm_lines *l, struct gm_str *line, bool *has,
                             struct gm_error *err)
{
    size_t scanned = 0; /* bytes after `from` known to hold no newline */
    bool too_long = false;
    *has = false;
    *line = GM_STR("");
    for (;;) {
        size_t avail = l->buf.n - l->from;
        const char *p = l->buf.p ? l->buf.p + l->from : "";
        const char *nl = avail > scanned ? memchr(p + scanned, '\n', avail - scanned) : NULL;
        if (nl || (l->at_end && (avail > 0 || too_long))) {
            size_t n = nl ? (size_t)(nl - p) : avail;
            l->from += nl ? n + 1 : n;
            l->number++;
            *has = true;
            if (too_long || n > l->max_line)
                return GM_FAIL(err, GM_EFORMAT, "%s:%zu: a line of over %zu bytes", l->path,
                               l->number, l->max_line);
            *line = (struct gm_str){p, n};
            if (line->n && line->p[line->n - 1] == '\r')
                line->n--;
            if (l->number == 1 && gm_str_starts(*line, GM_STR("\xEF\xBB\xBF")))
                *line = gm_str_sub(*line, 3, line->n);
            return GM_OK;
        }
        if (l->at_end)
            return GM_OK;
        scanned = avail;
        if (avail > l->max_line) { /* drop what we have; only the end of the line matters */
            too_long = true;
            l->from = l->buf.n;
            scanned = 0;
        }
        enum gm_status st = fill(l, err);
        if (st != GM_OK)
            return st;
    }
}

void gm_lines_on_wait(struct gm_lines *l, gm_wait_fn *wait, void *user)
{
    l->wait = wait;
    l->wait_user = user;
}

size_t gm_lines_number(const struct gm_lines *l) { return l->number; }

const char *gm_lines_path(const struct gm_lines *l) { return l->path; }
