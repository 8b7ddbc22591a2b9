#include "base/input.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 1 << 16 };

/* Bytes go from the descriptor to `raw`, from there (unpacked, where they are packed) to the caller,
 * or first to `head` when the caller looks before reading. */
struct gm_input {
    int fd;
    char *path;
    off_t map_size;         /* of a file that can be mapped whole; 0 = of none */
    unsigned char *raw;     /* [CHUNK] */
    size_t raw_from, raw_n; /* what is unread of it: [raw_from, raw_n) */
    struct gm_buf head;
    size_t head_from;
    z_stream z;
    enum { NOT_KNOWN, PLAIN, PACKED } kind;
    bool raw_ended,
        z_ended; /* the descriptor said so; between two packed parts, or behind the last */
    gm_wait_fn *wait;
    void *wait_user;
};

enum gm_status gm_input_open(struct gm_input **out, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct stat sb = {0};
    bool is_stdin = strcmp(path, "-") == 0;
    *out = NULL;
    struct gm_input *in = gm_alloc(1, sizeof *in);
    if (!in)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    in->fd = -1;
    gm_buf_init(&in->head, (size_t)1 << 30);
    in->path = gm_strdup(is_stdin ? "standard input" : path);
    in->raw = gm_alloc(CHUNK, 1);
    if (!in->path || !in->raw) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    in->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0 || fstat(in->fd, &sb) != 0) {
        st = GM_FAIL(err, GM_EIO, "%s: cannot open: %s", in->path, strerror(errno));
        goto done;
    }
    if (S_ISDIR(sb.st_mode)) {
        st = GM_FAIL(err, GM_EIO, "%s: is a directory, not a file", in->path);
        goto done;
    }
    /* Standard input may have been read by another program up to some place. */
    if (S_ISREG(sb.st_mode) && lseek(in->fd, 0, SEEK_CUR) == 0)
        in->map_size = sb.st_size;
    *out = in;
    in = NULL;
done:
    gm_input_close(in);
    return st;
}

void gm_input_close(struct gm_input *in)
{
    if (!in)
        return;
    if (in->kind == PACKED)
        inflateEnd(&in->z);
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    gm_buf_clear(&in->head);
    gm_free(in->raw);
    gm_free(in->path);
    gm_free(in);
}

/* One read of the descriptor, with the wait before it. */
static enum gm_status read_fd(struct gm_input *in, void *p, size_t n, size_t *got,
                              struct gm_error *err)
{
    enum gm_status st = in->wait ? in->wait(in->wait_user, in->fd, err) : GM_OK;
    ssize_t k;
    *got = 0;
    if (st != GM_OK)
        return st;
    do {
        k = read(in->fd, p, n);
    } while (k < 0 && errno == EINTR);
    if (k < 0)
        return GM_FAIL(err, GM_EIO, "%s: cannot read: %s", in->path, strerror(errno));
    *got = (size_t)k;
    in->raw_ended = k == 0;
    return GM_OK;
}

/* More raw bytes behind what is unread. */
static enum gm_status fill(struct gm_input *in, struct gm_error *err)
{
    size_t got;
    memmove(in->raw, in->raw + in->raw_from, in->raw_n - in->raw_from);
    in->raw_n -= in->raw_from;
    in->raw_from = 0;
    enum gm_status st = read_fd(in, in->raw + in->raw_n, CHUNK - in->raw_n, &got, err);
    in->raw_n += got;
    return st;
}

static void *z_alloc(void *user, unsigned n, unsigned size)
{
    (void)user;
    return gm_alloc(n, size);
}

static void z_free(void *user, void *p)
{
    (void)user;
    gm_free(p);
}

static enum gm_status start_unpacking(struct gm_input *in, struct gm_error *err)
{
    enum { GZIP_ONLY = 16 }; /* added to the window's bits: see zlib.h */
    in->z = (z_stream){.zalloc = z_alloc, .zfree = z_free};
    if (inflateInit2(&in->z, MAX_WBITS + GZIP_ONLY) != Z_OK)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    in->kind = PACKED;
    return GM_OK;
}

/* How files that are packed begin; no UTF-8 text does. */
#define BEGINS(bytes)              \
    {                              \
        (bytes), sizeof(bytes) - 1 \
    }
static const struct {
    struct gm_str bytes;
    const char *name, *unpack;
} packed[] = {{BEGINS("\x1F\x8B"), NULL, NULL}, /* gzip */
              {BEGINS("\xFD"
                      "7zXZ"),
               "xz", "xz -dc"},
              {BEGINS("\x28\xB5\x2F\xFD"), "zstd", "zstd -dc"},
              {BEGINS("BZh91AY&SY"), "bzip2", "bzip2 -dc"},
              {BEGINS("PK\x03\x04"), "zip", "unzip -p"}};
enum { N_PACKED = sizeof packed / sizeof *packed };

/* Read until the beginning is that of packed[*which] or of none (N_PACKED), and no further: a pipe may
 * have no more for now. */
static enum gm_status find_packed(struct gm_input *in, size_t *which, struct gm_error *err)
{
    for (*which = 0; *which < N_PACKED; ++*which) {
        struct gm_str want = packed[*which].bytes;
        while (in->raw_n < want.n && !in->raw_ended && memcmp(in->raw, want.p, in->raw_n) == 0) {
            enum gm_status st = fill(in, err);
            if (st != GM_OK)
                return st;
        }
        if (in->raw_n >= want.n && memcmp(in->raw, want.p, want.n) == 0)
            return GM_OK;
    }
    return GM_OK;
}

static enum gm_status find_kind(struct gm_input *in, struct gm_error *err)
{
    size_t which;
    enum gm_status st = find_packed(in, &which, err);
    if (st != GM_OK)
        return st;
    if (which < N_PACKED && !packed[which].name)
        return start_unpacking(in, err);
    if (which < N_PACKED)
        return GM_FAIL(err, GM_EFORMAT,
                       "%s: is packed by %s, and only gzip is unpacked here: give what `%s` makes "
                       "of it",
                       in->path, packed[which].name, packed[which].unpack);
    in->kind = PLAIN;
    return GM_OK;
}

static enum gm_status read_plain(struct gm_input *in, char *p, size_t n, size_t *got,
                                 struct gm_error *err)
{
    size_t left = in->raw_n - in->raw_from;
    if (left == 0)
        return in->raw_ended ? GM_OK : read_fd(in, p, n, got, err);
    *got = left < n ? left : n;
    memcpy(p, in->raw + in->raw_from, *got);
    in->raw_from += *got;
    return GM_OK;
}

/* Behind a packed part: the end, zeros that fill a block of a tape, or the next part (`cat a.gz b.gz`). */
static enum gm_status next_part(struct gm_input *in, bool *at_end, struct gm_error *err)
{
    for (;;) {
        while (in->raw_from < in->raw_n && in->raw[in->raw_from] == 0)
            in->raw_from++;
        *at_end = in->raw_from == in->raw_n && in->raw_ended;
        if (*at_end)
            return GM_OK;
        if (in->raw_from < in->raw_n)
            break;
        enum gm_status st = fill(in, err);
        if (st != GM_OK)
            return st;
    }
    in->z_ended = false;
    return inflateReset(&in->z) == Z_OK ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status unpack(struct gm_input *in, char *p, size_t n, size_t *got,
                             struct gm_error *err)
{
    in->z.next_in = in->raw + in->raw_from;
    in->z.avail_in = (unsigned)(in->raw_n - in->raw_from);
    in->z.next_out = (unsigned char *)p;
    in->z.avail_out = n < CHUNK ? (unsigned)n : CHUNK;
    size_t room = in->z.avail_out;
    int code = inflate(&in->z, Z_SYNC_FLUSH);
    in->raw_from = in->raw_n - in->z.avail_in;
    *got = room - in->z.avail_out;
    in->z_ended = code == Z_STREAM_END;
    if (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR || *got)
        return GM_OK; /* a fault behind good bytes comes again at the next call */
    if (code == Z_MEM_ERROR)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    return GM_FAIL(err, GM_EFORMAT, "%s: the gzip data is damaged: %s", in->path,
                   in->z.msg ? in->z.msg : "not valid");
}

static enum gm_status read_packed(struct gm_input *in, char *p, size_t n, size_t *got,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool at_end = false;
    while (st == GM_OK && *got == 0) {
        if (in->z_ended) {
            st = next_part(in, &at_end, err);
            if (at_end)
                return st;
        } else if (in->raw_from == in->raw_n && in->raw_ended) {
            return GM_FAIL(err, GM_EFORMAT, "%s: the gzip data ends too early; is the file whole?",
                           in->path);
        } else if (in->raw_from == in->raw_n) {
            st = fill(in, err);
        } else {
            st = unpack(in, p, n, got, err);
        }
    }
    return st;
}

/* Past the head. */
static enum gm_status read_on(struct gm_input *in, char *p, size_t n, size_t *got,
                              struct gm_error *err)
{
    *got = 0;
    enum gm_status st = in->kind == NOT_KNOWN ? find_kind(in, err) : GM_OK;
    if (st != GM_OK)
        return st;
    return in->kind == PACKED ? read_packed(in, p, n, got, err) : read_plain(in, p, n, got, err);
}

enum gm_status gm_input_read(struct gm_input *in, char *p, size_t n, size_t *got,
                             struct gm_error *err)
{
    size_t left = in->head.n - in->head_from;
    if (left == 0)
        return read_on(in, p, n, got, err);
    *got = left < n ? left : n;
    memcpy(p, in->head.p + in->head_from, *got);
    in->head_from += *got;
    return GM_OK;
}

enum gm_status gm_input_peek(struct gm_input *in, size_t max, struct gm_str *head, bool *at_end,
                             struct gm_error *err)
{
    size_t got = 0;
    enum gm_status st = GM_OK;
    if (in->head.n <= max)
        st = gm_buf_reserve(&in->head, CHUNK, err);
    if (st == GM_OK && in->head.n <= max)
        st = read_on(in, in->head.p + in->head.n, CHUNK, &got, err);
    *at_end = in->head.n <= max && got == 0;
    in->head.n += got;
    if (got)
        in->head.p[in->head.n] = 0;
    *head = gm_buf_str(&in->head);
    return st;
}

enum gm_status gm_input_all(struct gm_input *in, struct gm_map *map, struct gm_buf *copy,
                            struct gm_str *text, struct gm_error *err)
{
    enum gm_status st = in->kind == NOT_KNOWN ? find_kind(in, err) : GM_OK;
    if (st != GM_OK)
        return st;
    if (in->kind == PLAIN && in->map_size > 0) {
        void *p = mmap(NULL, (size_t)in->map_size, PROT_READ, MAP_PRIVATE, in->fd, 0);
        if (p != MAP_FAILED) {
            *map = (struct gm_map){p, (size_t)in->map_size};
            *text = (struct gm_str){p, map->n};
            return GM_OK;
        } /* some file systems can't map: read it */
    }
    for (size_t got = 1; got > 0;) {
        char beyond; /* where the byte goes that shows a full buffer to be too small */
        size_t room = copy->max - copy->n;
        st = gm_buf_reserve(copy, room < CHUNK ? room : CHUNK, err);
        if (st == GM_OK)
            st = room ? gm_input_read(in, copy->p + copy->n, room < CHUNK ? room : CHUNK, &got, err)
                      : gm_input_read(in, &beyond, 1, &got, err);
        if (st != GM_OK)
            return st;
        if (got > room)
            return GM_FAIL(err, GM_ENOMEM, "%s: over the limit of %zu bytes", in->path, copy->max);
        copy->n += got;
        copy->p[copy->n] = 0;
    }
    *text = gm_buf_str(copy);
    return GM_OK;
}

void gm_input_on_wait(struct gm_input *in, gm_wait_fn *wait, void *user)
{
    in->wait = wait;
    in->wait_user = user;
}

bool gm_input_is_once(const char *path)
{
    struct stat sb;
    return strcmp(path, "-") == 0 ||
           (stat(path, &sb) == 0 && !S_ISREG(sb.st_mode) && !S_ISDIR(sb.st_mode));
}

const char *gm_input_path(const struct gm_input *in) { return in->path; }
