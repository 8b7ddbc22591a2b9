#define _DEFAULT_SOURCE /* flock */
#include "base/temp.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_OPEN = 64, /* more are removed by the next run only */
    YOUNG_S = 60   /* a file is locked long before it is that old */
};

/* What the handler removes; a signal handler has nothing but globals to read. */
static _Atomic(char *) open_paths[MAX_OPEN];

struct gm_temp {
    char *path;
    _Atomic(char *) *slot; /* NULL = none was free */
};

/* The handler must know the name before the file is there, or a signal in between leaves it. */
static void note(struct gm_temp *t)
{
    for (size_t i = 0; i < MAX_OPEN && !t->slot; i++) {
        char *none = NULL;
        if (atomic_compare_exchange_strong(&open_paths[i], &none, t->path))
            t->slot = &open_paths[i];
    }
}

static void forget(struct gm_temp *t)
{
    if (t->slot)
        atomic_store(t->slot, NULL);
    t->slot = NULL;
}

enum gm_status gm_temp_new(struct gm_temp **out, const char *path, int *fd, struct gm_error *err)
{
    static atomic_uint serial;
    enum gm_status st = GM_OK;
    size_t cap = strlen(path) + 64;
    struct gm_arena a;
    *out = NULL;
    gm_arena_init(&a, 0);
    struct gm_temp *t = gm_alloc(1, sizeof *t);
    const char *dir = gm_path_dir(&a, path);
    if (!t || !dir || !(t->path = gm_alloc(cap, 1))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    gm_temp_sweep(dir, gm_path_file(gm_str(path)).p);
    do {
        forget(t);
        snprintf(t->path, cap, "%s.%ld-%u.tmp", path, (long)getpid(), atomic_fetch_add(&serial, 1));
        note(t);
        *fd = open(t->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (*fd < 0 && errno == EEXIST);
    if (*fd < 0) {
        st = GM_FAIL(err, GM_EIO, "%s: cannot write: %s", path, strerror(errno));
        forget(t);
        goto done;
    }
    /* The lock tells a sweeper that we live, also one in another container that can't see our number.
     * Where a file system has no locks the number alone tells. */
    (void)flock(*fd, LOCK_EX | LOCK_NB);
    *out = t;
    t = NULL;
done:
    if (t)
        gm_free(t->path);
    gm_free(t);
    gm_arena_clear(&a);
    return st;
}

const char *gm_temp_path(const struct gm_temp *t) { return t->path; }

void gm_temp_end(struct gm_temp *t, bool renamed)
{
    if (!t)
        return;
    if (!renamed)
        unlink(t->path);
    forget(t);
    gm_free(t->path);
    gm_free(t);
}

void gm_temp_die(int number)
{
    for (size_t i = 0; i < MAX_OPEN; i++) {
        const char *path = atomic_load(&open_paths[i]);
        if (path)
            unlink(path);
    }
    signal(number, SIG_DFL);
    raise(number);
}

void gm_temp_catch(void)
{
    static const int ending[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGALRM,   SIGUSR1,
                                 SIGUSR2, SIGXCPU, SIGPROF, SIGPOLL, SIGVTALRM, SIGABRT,
                                 SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,  SIGSYS,    SIGTRAP};
    struct sigaction a = {.sa_handler = gm_temp_die}, old;
    sigemptyset(&a.sa_mask);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        if (sigaction(ending[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(ending[i], &a, NULL);
    signal(SIGXFSZ, SIG_IGN);
}

/* The process in a name NAME.PID-SERIAL.tmp, as gm_temp_new makes it; 0 for other names. With `of`,
 * NAME must be that. */
static long owner(const char *name, const char *of)
{
    const char *end = name + strlen(name) - 4, *dot;
    char *after;
    if (end <= name || strcmp(end, ".tmp") != 0)
        return 0;
    for (dot = end - 1; dot > name && *dot != '.'; dot--)
        ;
    long pid = strtol(dot + 1, &after, 10);
    if (dot == name || pid <= 0 || *after != '-')
        return 0;
    if (of && (strlen(of) != (size_t)(dot - name) || strncmp(of, name, strlen(of)) != 0))
        return 0;
    strtoul(after + 1, &after, 10);
    return after == end ? pid : 0;
}

/* A living owner holds the lock. Between making a file and locking it is a moment in which only the
 * process number tells; numbers come again, so an old file without a lock is nobody's either. */
static bool is_left_behind(int dir, const char *name, long pid)
{
    struct stat sb;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool left = fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
                (pid == (long)getpid() || (kill((pid_t)pid, 0) != 0 && errno == ESRCH) ||
                 sb.st_mtime < time(NULL) - YOUNG_S);
    close(fd);
    return left;
}

void gm_temp_sweep(const char *dir, const char *name)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        long pid = owner(e->d_name, name);
        if (pid && is_left_behind(dirfd(d), e->d_name, pid))
            unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d)
        closedir(d);
}
