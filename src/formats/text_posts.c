/* Plain text, one post a line. An empty line is no post; a post's id is the number of its line, so that
 * what was found can be laid beside the text again. */
#include "base/alloc.h"
#include "formats/format.h"
#include "formats/text_lines.h"

struct text_posts {
    struct gm_text_lines lines;
    struct gm_source from;
};

static void close_posts(void *state)
{
    struct text_posts *t = state;
    if (!t)
        return;
    gm_text_lines_close(&t->lines);
    gm_free(t);
}

static enum gm_status open_posts(void **state, const struct gm_source *from, struct gm_error *err)
{
    struct text_posts *t = *state = gm_alloc(1, sizeof *t);
    if (!t)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    t->from = *from;
    enum gm_status st = gm_text_lines_of(&t->lines, from->in, err);
    if (st != GM_OK) {
        close_posts(t);
        *state = NULL;
    }
    return st;
}

static enum gm_status next_post(void *state, struct gm_post *post, size_t *line, bool *has,
                                struct gm_error *err)
{
    struct text_posts *t = state;
    struct gm_str s;
    do {
        enum gm_status st = gm_text_lines_next(&t->lines, &s, has, err);
        *line = gm_text_lines_number(&t->lines);
        if (st != GM_OK || !*has)
            return st;
    } while (gm_str_trim(s).n == 0);
    post->text = gm_arena_str(&post->arena, s);
    post->id = gm_arena_printf(&post->arena, "%zu", *line);
    post->has_id = true;
    if (!post->text.p || !post->id.p)
        return GM_FAIL(err, GM_ENOMEM, "%s:%zu: out of memory", gm_text_lines_path(&t->lines),
                       *line);
    return gm_post_id_image(post, t->from.images_dir, err);
}

const struct gm_format_row gm_format_text_row = {.title = "plain text, a post a line",
                                                 .unit = GM_UNIT_LINE,
                                                 .open = open_posts,
                                                 .next = next_post,
                                                 .close = close_posts};
