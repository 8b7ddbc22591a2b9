#include "formats/text_lines.h"

#include "base/log.h"
#include "base/utf8.h"

#include <string.h>

/* Nearly all lines of CoNLL files are; eight bytes at a time. */
static bool is_ascii(struct gm_str s)
{
    uint64_t high = 0, word;
    size_t i = 0;
    for (; i + sizeof word <= s.n; i += sizeof word) {
        memcpy(&word, s.p + i, sizeof word);
        high |= word;
    }
    for (; i < s.n; i++)
        high |= (unsigned char)s.p[i];
    return (high & 0x8080808080808080u) == 0;
}

bool gm_tell_latin1(struct gm_str text, const char *path, size_t line)
{
    size_t at;
    if (!gm_utf8_find_latin1(text, &at))
        return false;
    for (size_t i = 0; i < at; i++)
        line += text.p[i] == '\n';
    GM_LOG(GM_LOG_WARN, "data",
           "%s:%zu: not UTF-8 but, it seems, Latin-1 or Windows-1252: its letters beyond "
           "ASCII are lost (convert it: iconv -f WINDOWS-1252 -t UTF-8)",
           path, line);
    return true;
}

static void init(struct gm_text_lines *f)
{
    *f = (struct gm_text_lines){0};
    gm_buf_init(&f->repaired, 3 * GM_TEXT_LINE_MAX);
}

enum gm_status gm_text_lines_open(struct gm_text_lines *f, const char *path, struct gm_error *err)
{
    init(f);
    return gm_lines_open(&f->lines, path, GM_TEXT_LINE_MAX, err);
}

enum gm_status gm_text_lines_of(struct gm_text_lines *f, struct gm_input *in, struct gm_error *err)
{
    init(f);
    return gm_lines_of(&f->lines, in, GM_TEXT_LINE_MAX, err);
}

void gm_text_lines_close(struct gm_text_lines *f)
{
    gm_lines_free(f->lines);
    gm_buf_clear(&f->repaired);
    *f = (struct gm_text_lines){0};
}

enum gm_status gm_text_lines_next(struct gm_text_lines *f, struct gm_str *line, bool *has,
                                  struct gm_error *err)
{
    *has = true;
    if (!f->is_unread) {
        enum gm_status st = gm_lines_next(f->lines, &f->line, has, err);
        if (st != GM_OK)
            return st;
        if (*has && !is_ascii(f->line) && !gm_utf8_is_valid(f->line)) {
            if (!f->told_latin1)
                f->told_latin1 =
                    gm_tell_latin1(f->line, gm_text_lines_path(f), gm_text_lines_number(f));
            gm_buf_reset(&f->repaired);
            st = gm_utf8_repair(f->line, &f->repaired, err);
            if (st != GM_OK)
                return st;
            f->line = gm_buf_str(&f->repaired);
        }
    }
    f->is_unread = false;
    *line = f->line;
    return GM_OK;
}

void gm_text_lines_unread(struct gm_text_lines *f) { f->is_unread = true; }

size_t gm_text_lines_number(const struct gm_text_lines *f) { return gm_lines_number(f->lines); }

const char *gm_text_lines_path(const struct gm_text_lines *f) { return gm_lines_path(f->lines); }
