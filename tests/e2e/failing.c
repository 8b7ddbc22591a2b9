/* failing.c - a library for LD_PRELOAD that lets a call of the program fail, for test_failing.py:
 * an allocation, or opening, reading, writing, making durable or renaming a file.
 *
 *   GM_FAILING=KIND:N    the Nth call of this kind fails
 *   GM_FAILING=KIND:N+   and all of this kind behind it
 *   GM_FAILING=short     reads and writes do half of what they could, and every third is interrupted
 *   GM_FAILING_LOG=FILE  gets a line "KIND N OBJECT+OFFSET STACK" for the call that failed or, without
 *                        GM_FAILING, for each call; STACK is a hash of who called whom
 *
 * Counted are calls of the program itself and of the C libraries below, from main on. The C++
 * libraries (oneDNN, OpenVINO) are left out: some of their own end the process. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

enum { ERROR_SEEN = 0x20 }; /* what ferror of the GNU C library looks at */

enum kind { ALLOC, OPEN, READ, WRITE, FSYNC, RENAME, KINDS };
static const struct {
    const char *name;
    int why;
} kinds[KINDS] = {
    [ALLOC] = {"alloc", ENOMEM}, [OPEN] = {"open", EMFILE}, [READ] = {"read", EIO},
    [WRITE] = {"write", ENOSPC}, [FSYNC] = {"fsync", EIO},  [RENAME] = {"rename", EACCES},
};

/* The program's own name in the list of loaded objects is "". */
static const char *const counted[] = {
    "libc.so",     "libjansson",  "libyaml",    "libexpat",  "libsqlite3", "libutf8proc",
    "libjpeg",     "libspng",     "libwebp",    "libgif",    "libtiff",    "libexif",
    "libfreetype", "libharfbuzz", "libfribidi", "libnettle", "libcurl",    "libz.so",
};

static struct range {
    uintptr_t from, to;
} ranges[64];
static size_t n_ranges;

static bool armed, forever, halved;
static enum kind fail_kind = KINDS;
static size_t fail_at;
static const char *log_path;
static atomic_size_t calls[KINDS];
static _Thread_local bool inside;

/* The function behind this library's own of the same name. */
static void *next(const char *name, _Atomic(void *) *slot)
{
    void *p = atomic_load(slot);
    if (!p) {
        p = dlsym(RTLD_NEXT, name);
        atomic_store(slot, p);
    }
    return p;
}

#define NEXT(result, name, ...)         \
    static _Atomic(void *) slot_##name; \
    result (*real)(__VA_ARGS__);        \
    *(void **)&real = next(#name, &slot_##name)

static int add_range(struct dl_phdr_info *o, size_t size, void *data)
{
    (void)size;
    (void)data;
    const char *slash = strrchr(o->dlpi_name, '/'), *name = slash ? slash + 1 : o->dlpi_name;
    bool wanted = *name == 0;
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        wanted = wanted || strncmp(name, counted[i], strlen(counted[i])) == 0;
    for (size_t i = 0; wanted && i < o->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &o->dlpi_phdr[i];
        if (h->p_type == PT_LOAD && (h->p_flags & PF_X) &&
            n_ranges < sizeof ranges / sizeof *ranges)
            ranges[n_ranges++] =
                (struct range){o->dlpi_addr + h->p_vaddr, o->dlpi_addr + h->p_vaddr + h->p_memsz};
    }
    return 0;
}

static bool is_counted(const void *caller)
{
    for (size_t i = 0; i < n_ranges; i++)
        if ((uintptr_t)caller >= ranges[i].from && (uintptr_t)caller < ranges[i].to)
            return true;
    return false;
}

struct stack {
    uint64_t hash;
    int depth;
};

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *c, void *data)
{
    struct stack *s = data;
    s->hash = (s->hash ^ _Unwind_GetIP(c)) * 1099511628211u;
    return ++s->depth < 12 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

/* By system calls, as everything else would be counted. */
static void note(enum kind kind, size_t n, const void *caller)
{
    char line[512];
    Dl_info at = {0};
    struct stack stack = {14695981039346656037u, 0};
    _Unwind_Backtrace(add_frame, &stack);
    dladdr(caller, &at);
    const char *slash = at.dli_fname ? strrchr(at.dli_fname, '/') : NULL;
    int len = snprintf(
        line, sizeof line, "%s %zu %s+%#zx %016llx\n", kinds[kind].name, n, slash ? slash + 1 : "?",
        (size_t)((uintptr_t)caller - (uintptr_t)at.dli_fbase), (unsigned long long)stack.hash);
    long fd =
        syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd >= 0) {
        syscall(SYS_write, fd, line, (size_t)len);
        syscall(SYS_close, fd);
    }
}

/* Counts a call; true, with errno, when it must fail. */
static bool fails(enum kind kind, const void *caller)
{
    if (!armed || inside || !is_counted(caller))
        return false;
    size_t n = atomic_fetch_add(&calls[kind], 1) + 1;
    bool fail = kind == fail_kind && (n == fail_at || (forever && n > fail_at));
    if (log_path && (n == fail_at ? fail : fail_kind == KINDS)) {
        inside = true;
        note(kind, n, caller);
        inside = false;
    }
    if (fail)
        errno = kinds[kind].why;
    return fail;
}

#define FAILS(kind) fails(kind, __builtin_return_address(0))

/* What is left of n bytes when transfers are halved; *interrupted every third time. */
static size_t part(size_t n, bool *interrupted, const void *caller)
{
    static atomic_uint turn;
    bool mine = armed && halved && n_ranges && is_counted(caller);
    *interrupted = mine && atomic_fetch_add(&turn, 1) % 3 == 0;
    if (*interrupted)
        errno = EINTR;
    return mine && n > 1 ? n / 2 : n;
}

static int (*program)(int, char **, char **);

static int counted_main(int argc, char **argv, char **environment)
{
    int status = program(argc, argv, environment);
    armed = false; /* what comes now, as gcc's counters of lines, is not the program's */
    return status;
}

/* Everything before main belongs to the libraries' own beginnings. */
int __libc_start_main(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                      void (*)(void), void *);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    NEXT(int, __libc_start_main, int (*)(int, char **, char **), int, char **, void (*)(void),
         void (*)(void), void (*)(void), void *);
    const char *what = getenv("GM_FAILING");
    log_path = getenv("GM_FAILING_LOG");
    for (int k = 0; what && k < KINDS; k++) {
        size_t len = strlen(kinds[k].name);
        if (strncmp(what, kinds[k].name, len) == 0 && what[len] == ':') {
            fail_kind = (enum kind)k;
            fail_at = strtoul(what + len + 1, NULL, 10);
            forever = what[strlen(what) - 1] == '+';
        }
    }
    halved = what && strcmp(what, "short") == 0;
    dl_iterate_phdr(add_range, NULL);
    unsetenv("LD_PRELOAD"); /* children are left alone */
    armed = what || log_path;
    program = main;
    return real(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}

void *malloc(size_t n)
{
    NEXT(void *, malloc, size_t);
    return FAILS(ALLOC) ? NULL : real(n);
}

void *calloc(size_t n, size_t size)
{
    NEXT(void *, calloc, size_t, size_t);
    return FAILS(ALLOC) ? NULL : real(n, size);
}

void *realloc(void *p, size_t n)
{
    NEXT(void *, realloc, void *, size_t);
    return FAILS(ALLOC) ? NULL : real(p, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    NEXT(int, posix_memalign, void **, size_t, size_t);
    return FAILS(ALLOC) ? ENOMEM : real(p, align, n);
}

static mode_t mode_of(int flags, va_list ap) { return flags & O_CREAT ? va_arg(ap, mode_t) : 0; }

int open(const char *path, int flags, ...)
{
    NEXT(int, open, const char *, int, ...);
    va_list ap;
    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    return FAILS(OPEN) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    NEXT(int, open64, const char *, int, ...);
    va_list ap;
    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    return FAILS(OPEN) ? -1 : real(path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    NEXT(int, openat, int, const char *, int, ...);
    va_list ap;
    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    return FAILS(OPEN) ? -1 : real(dir, path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    NEXT(FILE *, fopen, const char *, const char *);
    return FAILS(OPEN) ? NULL : real(path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    NEXT(FILE *, fopen64, const char *, const char *);
    return FAILS(OPEN) ? NULL : real(path, mode);
}

FILE *fdopen(int fd, const char *mode)
{
    NEXT(FILE *, fdopen, int, const char *);
    return FAILS(OPEN) ? NULL : real(fd, mode);
}

FILE *tmpfile(void)
{
    NEXT(FILE *, tmpfile, void);
    return FAILS(OPEN) ? NULL : real();
}

int mkstemp(char *path)
{
    NEXT(int, mkstemp, char *);
    return FAILS(OPEN) ? -1 : real(path);
}

DIR *opendir(const char *path)
{
    NEXT(DIR *, opendir, const char *);
    return FAILS(OPEN) ? NULL : real(path);
}

int epoll_create1(int flags)
{
    NEXT(int, epoll_create1, int);
    return FAILS(OPEN) ? -1 : real(flags);
}

int eventfd(unsigned count, int flags)
{
    NEXT(int, eventfd, unsigned, int);
    return FAILS(OPEN) ? -1 : real(count, flags);
}

ssize_t read(int fd, void *to, size_t n)
{
    NEXT(ssize_t, read, int, void *, size_t);
    bool interrupted;
    n = part(n, &interrupted, __builtin_return_address(0));
    return interrupted || FAILS(READ) ? -1 : real(fd, to, n);
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
    NEXT(ssize_t, pread, int, void *, size_t, off_t);
    bool interrupted;
    n = part(n, &interrupted, __builtin_return_address(0));
    return interrupted || FAILS(READ) ? -1 : real(fd, to, n, at);
}

ssize_t pread64(int fd, void *to, size_t n, off64_t at)
{
    NEXT(ssize_t, pread64, int, void *, size_t, off64_t);
    bool interrupted;
    n = part(n, &interrupted, __builtin_return_address(0));
    return interrupted || FAILS(READ) ? -1 : real(fd, to, n, at);
}

size_t fread(void *to, size_t size, size_t n, FILE *f)
{
    NEXT(size_t, fread, void *, size_t, size_t, FILE *);
    if (!FAILS(READ))
        return real(to, size, n, f);
    f->_flags |= ERROR_SEEN;
    return 0;
}

struct dirent *readdir(DIR *d)
{
    NEXT(struct dirent *, readdir, DIR *);
    return FAILS(READ) ? NULL : real(d);
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    NEXT(void *, mmap, void *, size_t, int, int, int, off_t);
    return fd >= 0 && FAILS(READ) ? MAP_FAILED : real(at, n, prot, flags, fd, offset);
}

ssize_t write(int fd, const void *from, size_t n)
{
    NEXT(ssize_t, write, int, const void *, size_t);
    bool interrupted;
    n = part(n, &interrupted, __builtin_return_address(0));
    return interrupted || FAILS(WRITE) ? -1 : real(fd, from, n);
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t at)
{
    NEXT(ssize_t, pwrite, int, const void *, size_t, off_t);
    bool interrupted;
    n = part(n, &interrupted, __builtin_return_address(0));
    return interrupted || FAILS(WRITE) ? -1 : real(fd, from, n, at);
}

ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at)
{
    NEXT(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    bool interrupted;
    n = part(n, &interrupted, __builtin_return_address(0));
    return interrupted || FAILS(WRITE) ? -1 : real(fd, from, n, at);
}

/* Messages go through, or nothing could be said of what failed. */
size_t fwrite(const void *from, size_t size, size_t n, FILE *f)
{
    NEXT(size_t, fwrite, const void *, size_t, size_t, FILE *);
    if (f == stderr || !FAILS(WRITE))
        return real(from, size, n, f);
    f->_flags |= ERROR_SEEN;
    return 0;
}

int fputs(const char *text, FILE *f)
{
    NEXT(int, fputs, const char *, FILE *);
    return f != stderr && FAILS(WRITE) ? EOF : real(text, f);
}

int fflush(FILE *f)
{
    NEXT(int, fflush, FILE *);
    return f != stderr && FAILS(WRITE) ? EOF : real(f);
}

/* A stream whose closing fails is closed all the same. */
int fclose(FILE *f)
{
    NEXT(int, fclose, FILE *);
    bool fail = FAILS(WRITE);
    int done = real(f);
    if (fail)
        errno = kinds[WRITE].why;
    return fail ? EOF : done;
}

int ftruncate(int fd, off_t n)
{
    NEXT(int, ftruncate, int, off_t);
    return FAILS(WRITE) ? -1 : real(fd, n);
}

int fsync(int fd)
{
    NEXT(int, fsync, int);
    return FAILS(FSYNC) ? -1 : real(fd);
}

int fdatasync(int fd)
{
    NEXT(int, fdatasync, int);
    return FAILS(FSYNC) ? -1 : real(fd);
}

int rename(const char *from, const char *to)
{
    NEXT(int, rename, const char *, const char *);
    return FAILS(RENAME) ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    NEXT(int, mkdir, const char *, mode_t);
    return FAILS(RENAME) ? -1 : real(path, mode);
}

int fchmod(int fd, mode_t mode)
{
    NEXT(int, fchmod, int, mode_t);
    return FAILS(RENAME) ? -1 : real(fd, mode);
}
