/* Output files that appear whole or not at all (gm_out of file.h). */
#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"
#include "base/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct gm_out {
    FILE *f;
    char *path;           /* as it was given, for messages; NULL = standard output */
    char *target;         /* path behind its symbolic links */
    struct gm_temp *temp; /* NULL = the target is written directly */
    bool keeps_file;      /* the target was there: its mode and owner go on */
    struct stat old;
};

static void out_free(struct gm_out *o)
{
    gm_free(o->path);
    gm_free(o->target);
    gm_free(o);
}

static enum gm_status io_error(struct gm_out *o, const char *what, struct gm_error *err)
{
    return GM_FAIL(err, GM_EIO, "%s: cannot %s: %s", o->path ? o->path : "standard output", what,
                   strerror(errno));
}

/* The number of an open file of ours that `path` names (/proc/self/fd/1, also reached as /dev/stdout
 * or /dev/fd/1); -1 for other paths. */
static int own_descriptor(struct gm_arena *a, const char *path)
{
    char own[64], *end;
    const char *dir = gm_path_dir(a, path), *name = gm_path_file(gm_str(path)).p;
    char *real = dir ? realpath(dir, NULL) : NULL;
    long fd = strtol(name, &end, 10);
    snprintf(own, sizeof own, "/proc/%ld/fd", (long)getpid());
    bool is_own = real && strcmp(real, own) == 0 && *name && *end == 0 && fd >= 0 && fd < 1 << 20;
    free(real); /* the C library's */
    return is_own ? (int)fd : -1;
}

/* Where `path` leads: *target is the name behind its symbolic links, which need not exist yet; *fd is
 * the open file of ours that a link on the way stands for, or -1. */
static enum gm_status follow(struct gm_arena *a, const char *path, const char **target, int *fd,
                             struct gm_error *err)
{
    enum { MAX_LINKS = 40 };
    char to[PATH_MAX];
    *target = gm_arena_str(a, gm_str(path)).p;
    for (int i = 0; *target && i < MAX_LINKS; i++) {
        *fd = own_descriptor(a, *target);
        ssize_t n = *fd < 0 ? readlink(*target, to, sizeof to - 1) : -1;
        if (n < 0)
            return GM_OK;
        to[n] = 0;
        const char *dir = gm_path_dir(a, *target);
        *target = dir ? gm_path_join(a, dir, to) : NULL;
    }
    if (*target)
        return GM_FAIL(err, GM_EIO, "%s: cannot write: too many symbolic links", path);
    return GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* Open the file behind o->target, or a temporary one beside it. */
static enum gm_status open_target(struct gm_out *o, int *fd, struct gm_error *err)
{
    bool exists = stat(o->target, &o->old) == 0;
    if (exists && S_ISDIR(o->old.st_mode))
        return GM_FAIL(err, GM_EIO, "%s: is a directory; give the name of a file", o->path);
    o->keeps_file = exists && S_ISREG(o->old.st_mode);
    if (!exists || o->keeps_file)
        return gm_temp_new(&o->temp, o->target, fd, err);
    *fd = open(o->target, O_WRONLY | O_CLOEXEC);
    return *fd < 0 ? io_error(o, "write", err) : GM_OK;
}

enum gm_status gm_out_open(struct gm_out **out, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    const char *target = NULL;
    int own = -1, fd = -1;
    *out = NULL;
    gm_arena_init(&a, 0);
    struct gm_out *o = gm_alloc(1, sizeof *o);
    if (!o) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    o->f = stdout;
    if (path && strcmp(path, "-") != 0)
        GM_TRY(follow(&a, path, &target, &own, err));
    if (target && own != STDOUT_FILENO) {
        o->path = gm_strdup(path);
        o->target = gm_strdup(target);
        if (!o->path || !o->target) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
            goto done;
        }
        /* A copy of the descriptor shares its position, as a second opening of the file would not. */
        fd = own >= 0 ? fcntl(own, F_DUPFD_CLOEXEC, 0) : -1;
        if (own < 0)
            GM_TRY(open_target(o, &fd, err));
        o->f = fd < 0 ? NULL : fdopen(fd, "wb");
        if (!o->f) {
            st = io_error(o, "write", err);
            goto done;
        }
    }
    *out = o;
    o = NULL;
done:
    if (o) {
        gm_temp_end(o->temp, false);
        if (fd >= 0)
            close(fd);
        out_free(o);
    }
    gm_arena_clear(&a);
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

/* The mode and owner of the file that goes; the owner only where we may give it. */
static bool take_over(struct gm_out *o)
{
    struct stat sb;
    int fd = fileno(o->f);
    mode_t mode = o->old.st_mode & 07777;
    if (fstat(fd, &sb) != 0)
        return false;
    if ((sb.st_uid != o->old.st_uid || sb.st_gid != o->old.st_gid) &&
        fchown(fd, o->old.st_uid, o->old.st_gid) != 0)
        mode &= 01777;
    return fchmod(fd, mode) == 0;
}

enum gm_status gm_out_commit(struct gm_out *o, struct gm_error *err)
{
    enum gm_status st = gm_out_flush(o, err);
    if (!o->path) {
        out_free(o);
        return st;
    }
    /* fsync of a pipe or device fails with EINVAL: nothing to make durable there. */
    if (st == GM_OK && o->temp && fsync(fileno(o->f)) != 0)
        st = io_error(o, "write", err);
    if (st == GM_OK && o->keeps_file && !take_over(o))
        st = io_error(o, "keep the mode", err);
    /* The lock of the temporary file goes with the descriptor, hence the rename before. */
    if (st == GM_OK && o->temp && rename(gm_temp_path(o->temp), o->target) != 0)
        st = io_error(o, "replace", err);
    gm_temp_end(o->temp, st == GM_OK);
    if (fclose(o->f) != 0 && st == GM_OK)
        st = io_error(o, "write", err);
    out_free(o);
    return st;
}

void gm_out_abort(struct gm_out *o)
{
    if (!o)
        return;
    gm_temp_end(o->temp, false);
    if (o->path)
        fclose(o->f);
    out_free(o);
}

void gm_out_sweep(const char *dir) { gm_temp_sweep(dir, NULL); }

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
