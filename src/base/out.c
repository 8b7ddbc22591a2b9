/* Output files that appear whole or not at all (gm_out of file.h). */
#include "base/alloc.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct gm_out {
    FILE *f;
    char *path; /* NULL = standard output */
    char *temp;
    bool in_place; /* the target is no regular file (a pipe, /dev/null): written directly */
};

static void out_free(struct gm_out *o)
{
    gm_free(o->path);
    gm_free(o->temp);
    gm_free(o);
}

static enum gm_status io_error(struct gm_out *o, const char *what, struct gm_error *err)
{
    return GM_FAIL(err, GM_EIO, "%s: cannot %s: %s", o->path ? o->path : "standard output", what,
                   strerror(errno));
}

enum gm_status gm_out_open(struct gm_out **out, const char *path, struct gm_error *err)
{
    static atomic_uint serial;
    enum gm_status st = GM_OK;
    struct stat sb;
    *out = NULL;
    struct gm_out *o = gm_alloc(1, sizeof *o);
    if (!o)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (!path || strcmp(path, "-") == 0) {
        o->f = stdout;
        *out = o;
        return GM_OK;
    }
    size_t cap = strlen(path) + 64;
    o->path = gm_strdup(path);
    o->temp = gm_alloc(cap, 1);
    if (!o->path || !o->temp) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    bool exists = stat(path, &sb) == 0;
    if (exists && S_ISDIR(sb.st_mode)) {
        st = GM_FAIL(err, GM_EIO, "%s: is a directory; give the name of a file", path);
        goto done;
    }
    o->in_place = exists && !S_ISREG(sb.st_mode);
    snprintf(o->temp, cap, "%s.%ld-%u.tmp", path, (long)getpid(), atomic_fetch_add(&serial, 1));
    int fd = o->in_place ? open(path, O_WRONLY | O_CLOEXEC)
                         : open(o->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        st = io_error(o, "write", err);
        goto done;
    }
    o->f = fdopen(fd, "wb");
    if (!o->f) {
        st = io_error(o, "write", err);
        close(fd);
        if (!o->in_place)
            unlink(o->temp);
        goto done;
    }
    *out = o;
    o = NULL;
done:
    if (o)
        out_free(o);
    return st;
}

enum gm_status gm_out_write(struct gm_out *o, struct gm_str s, struct gm_error *err)
{
    if (s.n && fwrite(s.p, 1, s.n, o->f) != s.n)
        return io_error(o, "write", err);
    return GM_OK;
}

enum gm_status gm_out_flush(struct gm_out *o, struct gm_error *err)
{
    return fflush(o->f) == 0 ? GM_OK : io_error(o, "write", err);
}

enum gm_status gm_out_commit(struct gm_out *o, struct gm_error *err)
{
    enum gm_status st = gm_out_flush(o, err);
    if (!o->path) {
        out_free(o);
        return st;
    }
    /* fsync of a pipe or device fails with EINVAL: nothing to make durable there. */
    if (st == GM_OK && !o->in_place && fsync(fileno(o->f)) != 0)
        st = io_error(o, "write", err);
    if (fclose(o->f) != 0 && st == GM_OK)
        st = io_error(o, "write", err);
    if (!o->in_place) {
        if (st == GM_OK && rename(o->temp, o->path) != 0)
            st = io_error(o, "replace", err);
        if (st != GM_OK)
            unlink(o->temp);
    }
    out_free(o);
    return st;
}

void gm_out_abort(struct gm_out *o)
{
    if (!o)
        return;
    if (o->path) {
        fclose(o->f);
        if (!o->in_place)
            unlink(o->temp);
    }
    out_free(o);
}

/* Whether a name is NAME.PID-SERIAL.tmp, as gm_out_open makes it, of a process that is gone. */
static bool is_left_behind(const char *name)
{
    const char *end = name + strlen(name) - 4, *dot;
    char *after;
    if (end <= name || strcmp(end, ".tmp") != 0)
        return false;
    for (dot = end - 1; dot > name && *dot != '.'; dot--)
        ;
    long pid = strtol(dot + 1, &after, 10);
    if (dot == name || pid <= 0 || *after != '-')
        return false;
    strtoul(after + 1, &after, 10);
    return after == end && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

void gm_out_sweep(const char *dir)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (is_left_behind(e->d_name))
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
}

enum gm_status gm_file_write(const char *path, struct gm_str data, struct gm_error *err)
{
    struct gm_out *o;
    enum gm_status st = gm_out_open(&o, path, err);
    if (st != GM_OK)
        return st;
    st = gm_out_write(o, data, err);
    if (st == GM_OK)
        return gm_out_commit(o, err);
    gm_out_abort(o);
    return st;
}
