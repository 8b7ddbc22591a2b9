#include "cli/count_posts.h"

#include "base/file.h"
#include "base/input.h"

#include <string.h>

enum { CHUNK = 1 << 16 };

/* Lines with something on them, and groups of such lines. */
struct count {
    size_t n_lines, n_blocks;
    bool in_line, in_block; /* the line has something; the line before had */
};

static void count_bytes(struct count *c, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\n') {
            c->in_block = c->in_line;
            c->in_line = false;
        } else if (!c->in_line && p[i] != ' ' && p[i] != '\t' && p[i] != '\r') {
            c->in_line = true;
            c->n_lines++;
            c->n_blocks += !c->in_block;
        } else if (c->in_line) {
            /* The rest of the line says nothing: go to its end. */
            const char *end = memchr(p + i, '\n', n - i);
            i = end ? (size_t)(end - p) - 1 : n;
        }
    }
}

size_t gm_count_posts(const char *path, enum gm_format format)
{
    char chunk[CHUNK];
    struct count c = {0};
    struct gm_input *in = NULL;
    if (!gm_is_file(path) || gm_input_open(&in, path, NULL) != GM_OK)
        return 0;
    for (size_t n; gm_input_read(in, chunk, sizeof chunk, &n, NULL) == GM_OK && n > 0;)
        count_bytes(&c, chunk, n);
    gm_input_close(in);
    switch (gm_format_unit(format)) {
    case GM_UNIT_LINE: return c.n_lines;
    case GM_UNIT_TABLE_LINE: return c.n_lines ? c.n_lines - 1 : 0;
    case GM_UNIT_BLOCK: return c.n_blocks;
    case GM_UNIT_NONE: break;
    }
    return 0;
}
