/* The journal of corrections: a line {"post", "id", "version", "who", "time", "record"} each. */
#include "serve/browse_internal.h"

#include "base/lines.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static enum gm_status fail(const struct gm_browse *b, const char *what, struct gm_error *err)
{
    return GM_FAIL(err, GM_EIO, "%s: %s: %s", b->journal_path, what, strerror(errno));
}

/* One line: the row's version is the one it tells. */
static enum gm_status take(struct gm_browse *b, struct gm_str line, off_t at, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    struct gm_str id;
    long long i, version;
    struct gm_post post;
    gm_post_init(&post);
    GM_TRY(gm_json_parse(&j, line, err));
    if (!gm_json_int(gm_json_get(j, "post"), &i) || !gm_json_str(gm_json_get(j, "id"), &id) ||
        !gm_json_int(gm_json_get(j, "version"), &version) || version < 1 || i < 0 ||
        (size_t)i >= b->n || !gm_str_eq(b->rows[i].id, id)) {
        st = GM_FAIL(
            err, GM_EFORMAT,
            "a correction of a post that %s does not have at this place: it is another file than the "
            "one that was corrected; move the corrections away to begin anew",
            b->path);
        goto done;
    }
    GM_TRY(gm_post_from_json(&post, gm_json_ref(gm_json_get(j, "record")), NULL, err));
    b->n_corrected += b->rows[i].version == 0;
    b->rows[i].version = (size_t)version;
    b->rows[i].at = at;
    b->rows[i].n = line.n;
    GM_TRY(gm_browse_note(b, (size_t)i, &post, err));
done:
    gm_post_clear(&post);
    gm_json_free(j);
    return st;
}

/* A line at a time; what stands behind the last line end was cut short when the process was killed. */
static enum gm_status read_lines(struct gm_browse *b, struct gm_str all, struct gm_error *err)
{
    size_t number = 1;
    for (struct gm_str rest = all, line; rest.n; number++) {
        off_t at = (off_t)(all.n - rest.n);
        if (!gm_str_cut(rest, '\n', &line, &rest)) {
            GM_LOG(GM_LOG_WARN, "serve", "%s: the last line was cut short and is dropped",
                   b->journal_path);
            b->journal_end = at;
            return ftruncate(b->journal, at) == 0 ? GM_OK : fail(b, "it can't be shortened", err);
        }
        enum gm_status st = take(b, line, at, err);
        if (st != GM_OK) {
            gm_error_prefix(err, "%s:%zu", b->journal_path, number);
            return st;
        }
        b->journal_end = (off_t)(all.n - rest.n);
    }
    return GM_OK;
}

enum gm_status gm_browse_journal_open(struct gm_browse *b, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf all;
    gm_buf_init(&all, SIZE_MAX - 1);
    b->journal = open(b->journal_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (b->journal < 0)
        return fail(b, "corrections can't be kept there", err);
    if (flock(b->journal, LOCK_EX | LOCK_NB) != 0)
        return fail(b, "another process corrects this file", err);
    off_t size = lseek(b->journal, 0, SEEK_END);
    if (size > 0) {
        GM_TRY(gm_buf_reserve(&all, (size_t)size, err));
        if (pread(b->journal, all.p, (size_t)size, 0) != (ssize_t)size) {
            st = fail(b, "it can't be read", err);
            goto done;
        }
        all.n = (size_t)size;
        GM_TRY(read_lines(b, gm_buf_str(&all), err));
    }
done:
    gm_buf_clear(&all);
    return st;
}

static enum gm_status write_line(const struct gm_browse *b, size_t i, struct gm_str who,
                                 const struct gm_post *post, struct gm_buf *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char now[32] = "";
    time_t t = time(NULL);
    struct tm utc;
    if (gmtime_r(&t, &utc))
        strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &utc);
    GM_TRY(gm_buf_printf(out, err, "{\"post\": %zu, \"id\": ", i));
    GM_TRY(gm_json_write_str(b->rows[i].id, out, err));
    GM_TRY(gm_buf_printf(out, err, ", \"version\": %zu, \"who\": ", b->rows[i].version + 1));
    GM_TRY(gm_json_write_str(who, out, err));
    GM_TRY(gm_buf_printf(out, err, ", \"time\": \"%s\", \"record\": ", now));
    GM_TRY(gm_post_to_json(post, out, err));
    GM_TRY(gm_buf_add_c(out, "}\n", err));
done:
    return st;
}

enum gm_status gm_browse_journal_add(struct gm_browse *b, size_t i, struct gm_str who,
                                     const struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf line;
    gm_buf_init(&line, BROWSE_RECORD_MAX);
    GM_TRY(write_line(b, i, who, post, &line, err));
    ssize_t n = write(b->journal, line.p, line.n);
    if (n != (ssize_t)line.n || fdatasync(b->journal) != 0) {
        st = fail(b, "the correction was not written", err);
        if (ftruncate(b->journal, b->journal_end) != 0)
            GM_LOG(GM_LOG_WARN, "serve", "%s: half a line stays at its end", b->journal_path);
        goto done;
    }
    struct browse_row *row = &b->rows[i];
    b->n_corrected += row->version == 0;
    row->version++;
    row->at = b->journal_end;
    row->n = line.n - 1;
    b->journal_end += (off_t)line.n;
done:
    gm_buf_clear(&line);
    return st;
}

enum gm_status gm_browse_journal_get(const struct gm_browse *b, size_t i, struct gm_json **out,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf text;
    struct gm_json *j = NULL;
    const struct browse_row *row = &b->rows[i];
    gm_buf_init(&text, BROWSE_RECORD_MAX);
    GM_TRY(gm_buf_reserve(&text, row->n, err));
    if (pread(b->journal, text.p, row->n, row->at) != (ssize_t)row->n) {
        st = fail(b, "it can't be read", err);
        goto done;
    }
    text.n = row->n;
    GM_TRY(gm_json_parse(&j, gm_buf_str(&text), err));
    *out = gm_json_ref(gm_json_get(j, "record"));
done:
    gm_json_free(j);
    gm_buf_clear(&text);
    return st;
}
