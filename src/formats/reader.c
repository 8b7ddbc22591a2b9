/* The reader: opens a file in its format, and hands out its posts. The formats of lines that go
 * through the whole pipeline (JSON Lines, CoNLL) are read here from one stream of lines; the others bring their
 * own functions (formats.c). */
#include "formats/reader.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "formats/conll.h"
#include "formats/format.h"
#include "formats/guess.h"
#include "formats/jsonl.h"
#include "record/image_path.h"
#include "record/regions.h"

#include <stdio.h>
#include <string.h>

struct gm_reader {
    struct gm_text_lines lines; /* JSON Lines and CoNLL */
    struct gm_conll conll;
    struct gm_arena arena; /* the names below */
    enum gm_format format;
    const struct gm_format_row *row; /* of another format; NULL = one of those two */
    void *state;                     /* row's */
    struct gm_source from;
    size_t n_posts, line;
    bool keeps_bad_boxes;
    bool has_told;         /* of a field that seems to be the picture */
    struct gm_losses lost; /* where the caller does not count */
};

/* Read to the first line with something in it, guess, hand the line back. An empty file is a file
 * of no posts. */
static enum gm_status guess_by_line(struct gm_reader *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str line;
    bool has;
    r->format = GM_FORMAT_CONLL;
    do {
        GM_TRY(gm_text_lines_next(&r->lines, &line, &has, err));
    } while (has && gm_str_trim(line).n == 0);
    if (has) {
        GM_TRY(gm_format_guess_line(line, gm_text_lines_path(&r->lines),
                                    gm_text_lines_number(&r->lines), &r->format, err));
        gm_text_lines_unread(&r->lines);
    }
done:
    return st;
}

/* Pictures named by what comes through a pipe or from an open file (<(...), /dev/stdin) are looked for
 * from the working directory, as those of standard input are. */
static bool has_folder(const char *path)
{
    struct gm_str s = gm_str(path);
    return gm_is_dir(path) || (gm_is_file(path) && !gm_str_starts(s, GM_STR("/dev/")) &&
                               !gm_str_starts(s, GM_STR("/proc/")));
}

/* The names that must outlive the caller's. */
static enum gm_status set_paths(struct gm_reader *r, const char *path,
                                const struct gm_reader_opts *o, struct gm_error *err)
{
    r->from = (struct gm_source){
        .texts = o->texts, .lost = o->lost ? o->lost : &r->lost, .entries_apart = o->entries_apart};
    r->from.path = gm_arena_str(&r->arena, gm_str(path)).p;
    bool ok = r->from.path != NULL;
    if (o->images_dir) {
        r->from.images_dir = r->from.base_dir = gm_arena_str(&r->arena, gm_str(o->images_dir)).p;
        ok = ok && r->from.images_dir;
    } else if (has_folder(path)) {
        r->from.base_dir = gm_path_dir(&r->arena, path);
        ok = ok && r->from.base_dir;
    }
    return ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* Of a path that is a folder. */
static enum gm_format folder_format(void)
{
    int i = GM_FORMAT_AUTO + 1;
    while (i < GM_FORMATS_N && !gm_format_is_folder((enum gm_format)i))
        i++;
    return (enum gm_format)(i % GM_FORMATS_N);
}

static enum gm_status open_format(struct gm_reader *r, const struct gm_reader_opts *o,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (r->format == GM_FORMAT_AUTO && gm_is_dir(r->from.path))
        r->format = folder_format();
    if (!gm_format_is_folder(r->format))
        GM_TRY(gm_input_open(&r->from.in, r->from.path, err));
    if (r->format == GM_FORMAT_AUTO)
        GM_TRY(gm_format_guess(r->from.in, &r->format, err));
    if (r->format == GM_FORMAT_AUTO || !gm_format_row(r->format)->open) {
        GM_TRY(gm_text_lines_of(&r->lines, r->from.in, err));
        gm_conll_init(&r->conll, &r->lines, r->from.images_dir, o->scheme, o->repair);
        r->conll.lost = r->from.lost;
        if (r->format == GM_FORMAT_AUTO)
            GM_TRY(guess_by_line(r, err));
        return GM_OK;
    }
    r->row = gm_format_row(r->format);
    GM_TRY(r->row->open(&r->state, &r->from, err));
done:
    return st;
}

enum gm_status gm_reader_open(struct gm_reader **out, const char *path,
                              const struct gm_reader_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_reader_opts o = opts ? *opts : (struct gm_reader_opts){0};
    *out = NULL;
    struct gm_reader *r = gm_alloc(1, sizeof *r);
    if (!r)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    r->format = o.format;
    r->keeps_bad_boxes = o.keeps_bad_boxes;
    gm_arena_init(&r->arena, 0);
    GM_TRY(set_paths(r, path, &o, err));
    GM_TRY(open_format(r, &o, err));
    *out = r;
    r = NULL;
done:
    gm_reader_free(r);
    return st;
}

void gm_reader_free(struct gm_reader *r)
{
    if (!r)
        return;
    if (r->lost.n) {
        char what[300];
        snprintf(what, sizeof what, "%s: not read", gm_reader_path(r));
        gm_losses_tell(&r->lost, "read", what);
    }
    if (r->row)
        r->row->close(r->state);
    gm_conll_clear(&r->conll);
    gm_text_lines_close(&r->lines);
    gm_input_close(r->from.in);
    gm_arena_clear(&r->arena);
    gm_free(r);
}

/* The next post of a format with functions of its own, under the contract of gm_reader_next. */
static enum gm_status next_of_row(struct gm_reader *r, struct gm_post *post, bool *has,
                                  struct gm_error *err)
{
    gm_post_init(post);
    enum gm_status st = r->row->next(r->state, post, &r->line, has, err);
    if (st != GM_OK || !*has)
        gm_post_clear(post);
    return st;
}

/* A picture under a name that is not known would be left out in silence, for a whole file of posts. */
static void hint_at_picture(struct gm_reader *r, const struct gm_post *post)
{
    struct gm_str name = post->image.n ? GM_STR("") : gm_post_other_picture(post);
    if (!name.n || r->has_told)
        return;
    r->has_told = true;
    GM_LOG(GM_LOG_WARN, "read",
           "%s:%zu: \"%.*s\" seems to be a picture, but is not read as one: call it \"image\"",
           gm_reader_path(r), r->line, GM_STR_ARG(name));
}

enum gm_status gm_reader_next(struct gm_reader *r, struct gm_post *post, bool *has,
                              struct gm_error *err)
{
    enum gm_status st;
    if (r->row) {
        st = next_of_row(r, post, has, err);
    } else if (r->format == GM_FORMAT_JSONL) {
        st = gm_jsonl_next(&r->lines, r->from.base_dir, post, &r->line, has, err);
    } else {
        st = gm_conll_next(&r->conll, post, has, err);
        r->line = r->conll.line;
    }
    r->n_posts += *has;
    if (st != GM_OK || !*has)
        return st;
    if (!post->has_id)
        post->id = gm_arena_printf(&post->arena, "%zu", r->n_posts);
    if (post->id.p) {
        if (!r->keeps_bad_boxes)
            gm_post_settle_boxes(post, r->from.lost);
        hint_at_picture(r, post);
        return GM_OK;
    }
    gm_post_clear(post);
    return GM_FAIL(err, GM_ENOMEM, "out of memory");
}

void gm_reader_on_wait(struct gm_reader *r, gm_wait_fn *wait, void *user)
{
    if (r->from.in)
        gm_input_on_wait(r->from.in, wait, user);
}

size_t gm_reader_line(const struct gm_reader *r) { return r->line; }

const char *gm_reader_path(const struct gm_reader *r)
{
    return strcmp(r->from.path, "-") == 0 ? "standard input" : r->from.path;
}

size_t gm_reader_count(const struct gm_reader *r) { return r->n_posts; }

enum gm_format gm_reader_format(const struct gm_reader *r)
{
    return r->format == GM_FORMAT_CONLL && r->conll.n_columns == 3 ? GM_FORMAT_FMNERG : r->format;
}

size_t gm_reader_tag_faults(const struct gm_reader *r, size_t *line)
{
    *line = r->line;
    return gm_format_has_tags(r->format) ? gm_conll_faults(&r->conll, line) : 0;
}

struct gm_tag_signs gm_reader_tag_signs(const struct gm_reader *r)
{
    return gm_format_has_tags(r->format) ? r->conll.signs : (struct gm_tag_signs){0};
}

enum gm_status gm_reader_each(const char *path, const struct gm_reader_opts *opts,
                              enum gm_status (*fn)(void *user, struct gm_post *post,
                                                   struct gm_error *err),
                              void *user, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_reader *r = NULL;
    GM_TRY(gm_reader_open(&r, path, opts, err));
    for (;;) {
        struct gm_post p;
        bool has;
        GM_TRY(gm_reader_next(r, &p, &has, err));
        if (!has)
            break;
        st = fn(user, &p, err);
        gm_post_clear(&p);
        if (st != GM_OK) {
            gm_error_prefix(err, "%s:%zu", gm_reader_path(r), gm_reader_line(r));
            goto done;
        }
    }
done:
    gm_reader_free(r);
    return st;
}
