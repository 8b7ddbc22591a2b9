#include "data/reader.h"

#include "base/alloc.h"
#include "data/conll.h"
#include "data/jsonl.h"

#include <string.h>

struct gm_reader {
    struct gm_feed feed;
    struct gm_conll conll;
    struct gm_arena arena; /* the two folder names */
    enum gm_format format;
    char *base_dir;        /* JSON: of relative image paths; NULL = the working directory */
    size_t n_posts, line;
};

bool gm_format_parse(const char *name, enum gm_format *out)
{
    static const struct { const char *name; enum gm_format format; } formats[] = {
        {"auto", GM_FORMAT_AUTO}, {"jsonl", GM_FORMAT_JSONL}, {"conll", GM_FORMAT_CONLL}};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(name, formats[i].name) == 0) {
            *out = formats[i].format;
            return true;
        }
    return false;
}

/* What the first line that is not empty says about the file. */
static enum gm_status guess(struct gm_str line, enum gm_format *format, const struct gm_feed *f,
                            struct gm_error *err)
{
    struct gm_str s = gm_str_trim(line);
    bool row = gm_conll_is_row(line);
    struct gm_str rest = gm_str_trim(gm_str_sub(s, 1, s.n));
    *format = s.p[0] == '{' && !row ? GM_FORMAT_JSONL : GM_FORMAT_CONLL;
    if (s.p[0] == '[' && !row && (rest.n == 0 || memchr("{[\"", rest.p[0], 3)))
        return GM_FAIL(err, GM_EFORMAT,
                       "%s:%zu: a JSON array; expected JSON Lines, one post a line (jq -c '.[]')",
                       gm_feed_path(f), gm_feed_number(f));
    if (memchr(s.p, 0, s.n) && !row)
        return GM_FAIL(err, GM_EFORMAT, "%s:%zu: NUL bytes; expected UTF-8 text, JSON Lines or "
                       "CoNLL (UTF-16 files: iconv -f UTF-16 -t UTF-8)", gm_feed_path(f),
                       gm_feed_number(f));
    return GM_OK;
}

/* Read to the first line with something in it, guess, hand the line back. An empty file is a file
 * of no posts. */
static enum gm_status detect(struct gm_reader *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str line;
    bool has;
    if (r->format != GM_FORMAT_AUTO)
        return GM_OK;
    r->format = GM_FORMAT_CONLL;
    do {
        GM_TRY(gm_feed_next(&r->feed, &line, &has, err));
    } while (has && gm_str_trim(line).n == 0);
    if (has) {
        GM_TRY(guess(line, &r->format, &r->feed, err));
        gm_feed_unread(&r->feed);
    }
done:
    return st;
}

enum gm_status gm_reader_open(struct gm_reader **out, const char *path,
                              const struct gm_reader_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_reader_opts o = opts ? *opts : (struct gm_reader_opts){0};
    bool is_stdin = strcmp(path, "-") == 0;
    char *images = NULL;
    *out = NULL;
    struct gm_reader *r = gm_alloc(1, sizeof *r);
    if (!r)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    r->format = o.format;
    gm_arena_init(&r->arena, 0);
    GM_TRY(gm_feed_open(&r->feed, path, err));
    if (o.images_dir)
        images = r->base_dir = (char *)(uintptr_t)gm_arena_str(&r->arena, gm_str(o.images_dir)).p;
    else if (!is_stdin)
        r->base_dir = gm_path_dir(&r->arena, path);
    if (!r->base_dir && (o.images_dir || !is_stdin)) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    gm_conll_init(&r->conll, &r->feed, images, o.scheme, o.repair);
    GM_TRY(detect(r, err));
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
    gm_conll_clear(&r->conll);
    gm_feed_close(&r->feed);
    gm_arena_clear(&r->arena);
    gm_free(r);
}

enum gm_status gm_reader_next(struct gm_reader *r, struct gm_post *post, bool *has,
                              struct gm_error *err)
{
    enum gm_status st;
    if (r->format == GM_FORMAT_JSONL) {
        st = gm_jsonl_next(&r->feed, r->base_dir, post, &r->line, has, err);
    } else {
        st = gm_conll_next(&r->conll, post, has, err);
        r->line = r->conll.line;
    }
    r->n_posts += *has;
    if (st != GM_OK || !*has)
        return st;
    if (!post->has_id)
        post->id = gm_arena_printf(&post->arena, "%zu", r->n_posts);
    if (post->id.p)
        return GM_OK;
    gm_post_clear(post);
    return GM_FAIL(err, GM_ENOMEM, "out of memory");
}

size_t gm_reader_line(const struct gm_reader *r) { return r->line; }

const char *gm_reader_path(const struct gm_reader *r) { return gm_feed_path(&r->feed); }

size_t gm_reader_count(const struct gm_reader *r) { return r->n_posts; }
