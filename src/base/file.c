#define _DEFAULT_SOURCE /* madvise */
#include "base/file.h"

#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Open for reading; a directory is refused here, so that messages name it as such. */
static enum gm_status open_read(int *fd, struct stat *sb, const char *path, struct gm_error *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return GM_FAIL(err, GM_EIO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(*fd, sb) == 0 && !S_ISDIR(sb->st_mode))
        return GM_OK;
    bool dir = S_ISDIR(sb->st_mode);
    close(*fd);
    *fd = -1;
    return GM_FAIL(err, GM_EIO, "%s: %s", path, dir ? "is a directory, not a file" : "cannot stat");
}

enum gm_status gm_file_read(const char *path, struct gm_buf *out, struct gm_error *err)
{
    int fd = STDIN_FILENO;
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat sb = {0};
    enum gm_status st = is_stdin ? GM_OK : open_read(&fd, &sb, path, err);
    if (st != GM_OK)
        return st;
    if (sb.st_size > 0 && (size_t)sb.st_size > out->max - out->n) {
        st = GM_FAIL(err, GM_ENOMEM, "%s: %lld bytes, over the limit of %zu", path,
                     (long long)sb.st_size, out->max);
        goto done;
    }
    for (;;) {
        /* One byte more than the file's size, so that the end is seen without growing again. */
        size_t want = sb.st_size > 0 && (size_t)sb.st_size >= out->n
                          ? (size_t)sb.st_size - out->n + 1
                          : (size_t)1 << 16;
        char beyond; /* where the byte goes that shows a full buffer to be too small */
        bool full = out->n == out->max;
        if (want > out->max - out->n)
            want = out->max - out->n;
        GM_TRY(gm_buf_reserve(out, want, err));
        ssize_t got = full ? read(fd, &beyond, 1) : read(fd, out->p + out->n, want);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            st = GM_FAIL(err, GM_EIO, "%s: cannot read: %s", path, strerror(errno));
            goto done;
        }
        if (got == 0)
            break;
        if (full) {
            st = GM_FAIL(err, GM_ENOMEM, "%s: over the limit of %zu bytes",
                         is_stdin ? "standard input" : path, out->max);
            goto done;
        }
        out->n += (size_t)got;
        out->p[out->n] = 0;
    }
done:
    if (!is_stdin)
        close(fd);
    return st;
}

enum gm_status gm_map_open(struct gm_map *out, const char *path, struct gm_error *err)
{
    int fd;
    struct stat sb;
    *out = (struct gm_map){0};
    enum gm_status st = open_read(&fd, &sb, path, err);
    if (st != GM_OK)
        return st;
    if (sb.st_size == 0) {
        close(fd);
        return GM_FAIL(err, GM_EFORMAT, "%s: empty file", path);
    }
    void *p = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int why = errno;
    close(fd);
    if (p == MAP_FAILED && why == ENOMEM)
        return GM_FAIL(err, GM_ENOMEM, "%s: out of memory: its %lld bytes cannot be mapped", path,
                       (long long)sb.st_size);
    if (p == MAP_FAILED)
        return GM_FAIL(err, GM_EIO, "%s: cannot map: %s", path, strerror(why));
    *out = (struct gm_map){p, (size_t)sb.st_size};
    return GM_OK;
}

void gm_map_close(struct gm_map *m)
{
    if (m && m->p)
        munmap((void *)(uintptr_t)m->p, m->n);
    if (m)
        *m = (struct gm_map){0};
}

void gm_map_release(const void *p, size_t n)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE),
              from = ((uintptr_t)p + page - 1) / page * page;
    uintptr_t to = ((uintptr_t)p + n) / page * page;
    if (from < to)
        (void)madvise((void *)from, to - from, MADV_DONTNEED);
}

bool gm_pwrite_all(int fd, struct gm_str bytes, off_t at)
{
    for (size_t done = 0; done < bytes.n;) {
        ssize_t n = pwrite(fd, bytes.p + done, bytes.n - done, at + (off_t)done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum gm_status gm_dir_list(struct gm_arena *a, const char *dir, size_t max, const char ***out,
                           size_t *n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    DIR *d = opendir(dir);
    if (!d)
        return GM_FAIL(err, GM_EIO, "%s: cannot read the folder: %s", dir, strerror(errno));
    for (;;) {
        errno = 0; /* the one way to tell an error from the end */
        const struct dirent *e = readdir(d);
        if (!e && errno != 0)
            st = GM_FAIL(err, GM_EIO, "%s: cannot read the folder: %s", dir, strerror(errno));
        if (!e)
            goto done;
        if (e->d_name[0] == '.')
            continue;
        if (*n == max) {
            st = GM_FAIL(err, GM_EFORMAT, "%s: over %zu files in the folder", dir, max);
            goto done;
        }
        GM_TRY(GM_ARENA_GROW(a, *out, *n, cap, err));
        (*out)[*n] = gm_arena_str(a, gm_str(e->d_name)).p;
        if (!(*out)[(*n)++]) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory for file names");
            goto done;
        }
    }
done:
    closedir(d);
    if (st == GM_OK && *n)
        qsort(*out, *n, sizeof **out, by_name);
    return st;
}

enum gm_status gm_mkdirs(const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char *copy = gm_strdup(path);
    if (!copy)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != 0)
            continue;
        char c = *p;
        *p = 0;
        if (mkdir(copy, 0777) != 0 && (errno != EEXIST || !gm_is_dir(copy))) {
            st = GM_FAIL(err, GM_EIO, "%s: cannot create the folder: %s", copy,
                         errno == EEXIST ? "a file of that name is there" : strerror(errno));
            break;
        }
        *p = c;
        if (c == 0)
            break;
    }
    gm_free(copy);
    return st;
}

enum gm_status gm_path_reach(const char *path, struct gm_error *err)
{
    struct stat sb;
    if (stat(path, &sb) == 0 || errno == ENOENT || errno == ENOTDIR)
        return GM_OK;
    return GM_FAIL(err, GM_EIO, "%s: %s", path, strerror(errno));
}

bool gm_is_file(const char *path)
{
    struct stat sb;
    return stat(path, &sb) == 0 && S_ISREG(sb.st_mode);
}

bool gm_is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool gm_is_dir(const char *path)
{
    struct stat sb;
    return stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}
