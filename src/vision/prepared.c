/* prepared.c - the files of prepared models. With the content as n words w of 8 bytes, the last filled up
 * with zeros, and the key's words behind it, the checksum has four lanes h_0 ... h_3, word i going to lane i mod 4:
 *
 *   h <- rotl((h ^ w) m, 29), m odd
 *
 * so that each step is a bijection of h and of w: one changed word always changes the sum. It is made
 * against damage, not against a forger; a forger who may write into the user's folder needs no checksum. */
#include "vision/prepared.h"

#include "base/path.h"
#include "base/sha256.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const char ENDING[] = ".prepared";
static const char MAGIC[8] = {'g', 'm', 'p', 'r', 'e', 'p', '0', '1'};

enum { FILES_MAX = 4096 }; /* of which the folder's oldest are looked for */

/* Behind the content. */
struct mark {
    char magic[8];
    uint64_t bytes, sum; /* of the content */
};

static uint64_t rotl(uint64_t x, int by) { return x << by | x >> (64 - by); }

static void add_bytes(uint64_t h[4], struct gm_str s)
{
    static const uint64_t m = 0x9e3779b97f4a7c15u;
    size_t i = 0;
    for (; i + 32 <= s.n; i += 32)
        for (size_t k = 0; k < 4; k++) {
            uint64_t w;
            memcpy(&w, s.p + i + 8 * k, 8);
            h[k] = rotl((h[k] ^ w) * m, 29);
        }
    for (size_t k = 0; i < s.n; i += 8, k++) {
        uint64_t w = 0;
        memcpy(&w, s.p + i, s.n - i < 8 ? s.n - i : 8);
        h[k] = rotl((h[k] ^ w) * m, 29);
    }
}

static uint64_t checksum(struct gm_str blob, struct gm_str key)
{
    uint64_t h[4] = {1, 2, 3, 4};
    add_bytes(h, blob);
    add_bytes(h, key);
    return h[0] ^ rotl(h[1], 16) ^ rotl(h[2], 32) ^ rotl(h[3], 48);
}

/* NULL = none. */
static const char *folder(struct gm_arena *a)
{
    const char *given = getenv("GMNER_VISION_CACHE");
    if (given && given[0])
        return strcmp(given, "none") == 0 ? NULL : given;
    return gm_user_path(a, "XDG_CACHE_HOME", ".cache", "gmner/vision");
}

/* What the processor can do, as it says itself: its name may be the same for many on a virtual machine. */
static struct gm_str processor(struct gm_arena *a)
{
    const char *most = getenv("ONEDNN_MAX_CPU_ISA");
    unsigned r[4][4] = {{0}};
#if defined(__x86_64__)
    static const unsigned leaves[4][2] = {{0, 0}, {1, 0}, {7, 0}, {7, 1}};
    for (size_t i = 0; i < 4; i++)
        (void)__get_cpuid_count(leaves[i][0], leaves[i][1], &r[i][0], &r[i][1], &r[i][2], &r[i][3]);
    r[1][1] = 0; /* which core it is that answers */
#endif
    return gm_arena_printf(a, "%x-%x-%x %x-%x-%x %x-%x-%x %x %s", r[0][1], r[0][2], r[0][3],
                           r[1][0], r[1][2], r[1][3], r[2][1], r[2][2], r[2][3], r[3][0],
                           most ? most : "");
}

enum gm_status gm_prepared_init(struct gm_prepared *p, const char *model, const char *runtime,
                                struct gm_str how, struct gm_error *err)
{
    struct stat s;
    char hex[GM_SHA256_HEX];
    *p = (struct gm_prepared){.path = NULL};
    gm_arena_init(&p->arena, 0);
    const char *dir = folder(&p->arena);
    if (!dir || stat(model, &s) != 0)
        return GM_OK;
    struct gm_str path = gm_path_absolute(&p->arena, gm_str(model));
    struct gm_str cpu = processor(&p->arena);
    p->key = gm_arena_printf(&p->arena, "%s\n%s\n%s\n%lld %lld.%09ld %lld.%09ld\n%.*s\n", path.p,
                             runtime, cpu.p, (long long)s.st_size, (long long)s.st_mtim.tv_sec,
                             s.st_mtim.tv_nsec, (long long)s.st_ctim.tv_sec, s.st_ctim.tv_nsec,
                             GM_STR_ARG(how));
    if (!path.p || !cpu.p || !p->key.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_sha256(p->key, hex);
    p->path = gm_arena_printf(&p->arena, "%s/%s%s", dir, hex, ENDING).p;
    return p->path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static void forget(struct gm_prepared *p)
{
    gm_map_close(&p->map);
    p->blob = (struct gm_str){NULL, 0};
}

void gm_prepared_clear(struct gm_prepared *p)
{
    forget(p);
    gm_arena_clear(&p->arena);
    p->path = NULL;
}

/* Whether the map is a whole file of the key. */
static bool is_good(const struct gm_prepared *p)
{
    struct mark mark;
    if (p->map.n <= sizeof mark)
        return false;
    struct gm_str blob = {(const char *)p->map.p, p->map.n - sizeof mark};
    memcpy(&mark, p->map.p + blob.n, sizeof mark);
    return memcmp(mark.magic, MAGIC, sizeof MAGIC) == 0 && mark.bytes == blob.n &&
           mark.sum == checksum(blob, p->key);
}

enum gm_status gm_prepared_find(struct gm_prepared *p, struct gm_error *err)
{
    struct stat s;
    struct gm_error why = {0};
    if (!p->path || stat(p->path, &s) != 0 || !S_ISREG(s.st_mode) || s.st_uid != geteuid())
        return GM_OK;
    if (gm_map_open(&p->map, p->path, &why) == GM_ENOMEM)
        return GM_FAIL(err, GM_ENOMEM, "%s", why.msg);
    if (!is_good(p)) {
        forget(p);
        return GM_OK;
    }
    p->blob = (struct gm_str){(const char *)p->map.p, p->map.n - sizeof(struct mark)};
    (void)utimensat(AT_FDCWD, p->path, NULL, 0);
    return GM_OK;
}

void gm_prepared_drop(struct gm_prepared *p)
{
    forget(p);
    (void)unlink(p->path);
}

/* A file of the folder. */
struct kept {
    const char *path;
    struct timespec used;
    size_t bytes;
};

static int by_use(const void *a, const void *b)
{
    const struct kept *s = a, *t = b;
    if (s->used.tv_sec != t->used.tv_sec)
        return s->used.tv_sec < t->used.tv_sec ? -1 : 1;
    return (s->used.tv_nsec > t->used.tv_nsec) - (s->used.tv_nsec < t->used.tv_nsec);
}

/* Removes the files that were not used for longest, until the rest is no more than the most. */
static enum gm_status prune(const char *dir, struct gm_error *err)
{
    struct gm_arena a;
    struct gm_error why = {0};
    const char **names;
    size_t n = 0, n_files = 0, total = 0;
    gm_arena_init(&a, 0);
    gm_out_sweep(dir);
    enum gm_status st = gm_dir_list(&a, dir, FILES_MAX, &names, &n, &why);
    struct kept *files = st == GM_OK ? gm_arena_alloc(&a, n, sizeof *files) : NULL;
    if (st == GM_ENOMEM || (st == GM_OK && !files)) {
        gm_arena_clear(&a);
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        struct stat s;
        const char *path = gm_path_join(&a, dir, names[i]);
        if (!gm_str_ends(gm_str(names[i]), gm_str(ENDING)) || !path || lstat(path, &s) != 0 ||
            !S_ISREG(s.st_mode))
            continue;
        files[n_files++] = (struct kept){path, s.st_mtim, (size_t)s.st_size};
        total += (size_t)s.st_size;
    }
    qsort(files, n_files, sizeof *files, by_use);
    for (size_t i = 0; i < n_files && total > GM_PREPARED_BYTES_MAX; i++) {
        total -= files[i].bytes;
        (void)unlink(files[i].path);
    }
    gm_arena_clear(&a);
    return GM_OK;
}

enum gm_status gm_prepared_keep(struct gm_prepared *p, struct gm_str blob, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_error why = {0};
    struct gm_out *out = NULL;
    struct mark mark = {.bytes = blob.n, .sum = checksum(blob, p->key)};
    memcpy(mark.magic, MAGIC, sizeof MAGIC);
    if (!p->path || blob.n == 0 || blob.n > GM_PREPARED_BYTES_MAX / 4)
        return GM_OK;
    const char *dir = gm_path_dir(&p->arena, p->path);
    if (!dir)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(gm_mkdirs(dir, &why));
    (void)unlink(p->path); /* so that nothing of what was there goes on, such as its owner */
    GM_TRY(gm_out_open(&out, p->path, &why));
    GM_TRY(gm_out_write(out, blob, &why));
    GM_TRY(gm_out_write(out, (struct gm_str){(const char *)&mark, sizeof mark}, &why));
    st = gm_out_commit(out, &why);
    out = NULL;
    if (st == GM_OK)
        st = prune(dir, &why);
done:
    gm_out_abort(out);
    return st == GM_ENOMEM ? GM_FAIL(err, GM_ENOMEM, "%s", why.msg) : GM_OK;
}
