/* Tables of posts (RFC 4180): the columns that are named as a record's fields are those fields, the others
 * stay with the post. In files separated by commas or semicolons a cell that begins with a quote goes to
 * the next one, over line ends too. Tab-separated files of the field are mostly written without
 * quoting, and a quote in them is a sign of the text; there a cell is unquoted only where its last sign
 * is the matching quote. A table of one column has no separators: its lines are its cells. */
#include "base/alloc.h"
#include "formats/format.h"
#include "formats/text_lines.h"

#include <ctype.h>
#include <string.h>

enum { MAX_COLUMNS = 1000, MAX_NAME = 40 };

struct csv {
    struct gm_text_lines lines;
    struct gm_source from;
    struct gm_arena arena; /* the names */
    struct gm_str names[MAX_COLUMNS];
    size_t n_columns;
    char separator;
    struct gm_buf cell;
};

/* What a post has, by the record's names, and what columns with images and texts are called besides. */
static const char *const record_names[] = {
    "id",        "text",     "tokens",  "image", "caption", "caption_short",
    "knowledge", "entities", "objects", "texts", "error",   "entity_candidates",
    NULL};
static const char *const other_names[] = {"image_path", "img",    "image_url", "image_id",
                                          "imageid",    "img_id", "sentence",  "tweet",
                                          "content",    "label",  NULL};

static bool is_same(struct gm_str a, const char *b)
{
    size_t i = 0;
    while (i < a.n && b[i] && tolower((unsigned char)a.p[i]) == b[i])
        i++;
    return i == a.n && !b[i];
}

/* The name in the list that is `name` but for case; NULL = none. */
static const char *known(struct gm_str name, const char *const *list)
{
    while (*list && !is_same(name, *list))
        list++;
    return *list;
}

static char separator_of(struct gm_str line)
{
    bool has_tab = memchr(line.p, '\t', line.n), has_comma = memchr(line.p, ',', line.n);
    return has_tab ? '\t' : !has_comma && memchr(line.p, ';', line.n) ? ';' : ',';
}

/* The name up to the next separator, without quotes. */
static struct gm_str next_name(struct gm_str *rest, char separator, bool *more)
{
    struct gm_str name;
    *more = gm_str_cut(*rest, separator, &name, rest);
    name = gm_str_trim(name);
    if (name.n >= 2 && name.p[0] == '"' && name.p[name.n - 1] == '"')
        name = gm_str_sub(name, 1, name.n - 1);
    return name;
}

/* Whether a file's first line looks like the names of a table's columns: at least two, short, and one of
 * them a usual name for what a post has. It need not be a table with texts. */
static bool is_header(struct gm_str line)
{
    bool more = line.n > 0, has_usual = false;
    char separator = separator_of(line);
    size_t n = 0;
    for (; more; n++) {
        struct gm_str name = next_name(&line, separator, &more);
        if (name.n > MAX_NAME ||
            (name.n == 0 && n > 0)) /* the first may be a table's row numbers */
            return false;
        for (size_t i = 0; i < name.n; i++)
            if (!isalnum((unsigned char)name.p[i]) && !strchr("_- #.", name.p[i]))
                return false;
        has_usual = has_usual || known(name, record_names) || known(name, other_names);
    }
    return n >= 2 && has_usual;
}

static void close_table(void *state)
{
    struct csv *c = state;
    if (!c)
        return;
    gm_text_lines_close(&c->lines);
    gm_arena_clear(&c->arena);
    gm_buf_clear(&c->cell);
    gm_free(c);
}

static enum gm_status set_name(struct csv *c, struct gm_str name, struct gm_error *err)
{
    const char *usual = known(name, record_names);
    name = usual ? gm_str(usual) : gm_arena_str(&c->arena, name);
    if (!name.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < c->n_columns; i++)
        if (name.n && gm_str_eq(c->names[i], name))
            return GM_FAIL(err, GM_EFORMAT, "two columns \"%.*s\"", GM_STR_ARG(name));
    c->names[c->n_columns++] = name;
    return GM_OK;
}

static enum gm_status read_header(struct csv *c, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str line, rest;
    bool has, more = true, has_text = false;
    GM_TRY(gm_text_lines_next(&c->lines, &line, &has, err));
    if (!has)
        return GM_OK;
    rest = line;
    c->separator = separator_of(line);
    while (more) {
        struct gm_str name = next_name(&rest, c->separator, &more);
        if (c->n_columns == MAX_COLUMNS)
            return GM_FAIL(err, GM_EFORMAT, "over %d columns", MAX_COLUMNS);
        GM_TRY(set_name(c, name, err));
        has_text = has_text || is_same(name, "text") || is_same(name, "tokens");
    }
    if (!has_text)
        return GM_FAIL(err, GM_EFORMAT,
                       "a table without a column \"text\"; name that of the posts' texts so (the "
                       "first line is %.*s)",
                       (int)(line.n < 200 ? line.n : 200), line.p);
done:
    return st;
}

static enum gm_status open_table(void **state, const struct gm_source *from, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct csv *c = gm_alloc(1, sizeof *c);
    *state = NULL;
    if (!c)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    c->from = *from;
    gm_arena_init(&c->arena, 0);
    gm_buf_init(&c->cell, GM_TEXT_LINE_MAX);
    GM_TRY(gm_text_lines_of(&c->lines, from->in, err));
    st = read_header(c, err);
    if (st != GM_OK)
        gm_error_prefix(err, "%s:1", gm_text_lines_path(&c->lines));
    else
        *state = c;
done:
    if (st != GM_OK)
        close_table(c);
    return st;
}

/* Whether the cell of a tab-separated line that begins at `from` is quoted as a whole. */
static bool is_quoted_in_line(struct gm_str line, size_t from)
{
    size_t end = from + 1;
    while (end < line.n && line.p[end] != '\t')
        end++;
    return end - from >= 2 && line.p[end - 1] == '"';
}

/* The cell at byte *at of *line into c->cell; *at moves to the separator behind it or to the line's end. The
 * lines that a quoted cell goes on in are read, *line is then the last of them. */
static enum gm_status next_cell(struct csv *c, struct gm_str *line, size_t *at,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool has, quoted = *at < line->n && line->p[*at] == '"' &&
                       (c->separator != '\t' || is_quoted_in_line(*line, *at));
    gm_buf_reset(&c->cell);
    *at += quoted;
    for (;;) {
        if (*at == line->n && quoted && c->separator != '\t') {
            GM_TRY(gm_buf_add(&c->cell, "\n", 1, err));
            GM_TRY(gm_text_lines_next(&c->lines, line, &has, err));
            if (!has)
                return GM_FAIL(err, GM_EFORMAT, "a quoted cell is not closed");
            *at = 0;
            continue;
        }
        bool ends = *at == line->n || (line->p[*at] == c->separator && c->n_columns > 1);
        char ch = *at < line->n ? line->p[*at] : c->separator;
        if (ends && (!quoted || *at == line->n))
            return GM_OK;
        if (quoted && ch == '"') {
            quoted = *at + 1 < line->n && line->p[*at + 1] == '"';
            *at += 1;
            if (!quoted)
                continue;
        }
        GM_TRY(gm_buf_add(&c->cell, &ch, 1, err));
        *at += 1;
    }
done:
    return st;
}

/* A cell as the field of its column. Those that are lists or objects in the record hold their JSON. */
static enum gm_status set_field(struct csv *c, struct gm_json *post, size_t column,
                                struct gm_error *err)
{
    static const char *const parsed[] = {
        "tokens", "entities", "entity_candidates", "objects", "texts", "error", NULL};
    struct gm_str name = c->names[column], cell = gm_buf_str(&c->cell);
    struct gm_json *value = NULL;
    if (name.n == 0 || (cell.n == 0 && !gm_str_eq_c(name, "text")))
        return GM_OK;
    if (known(name, parsed)) {
        enum gm_status st = gm_json_parse_lenient(&value, cell, err);
        if (st != GM_OK) {
            gm_error_prefix(err, "column \"%s\"", name.p);
            return st;
        }
    } else {
        value = gm_json_new_str(cell.p ? cell : GM_STR(""));
    }
    return gm_json_set(post, name.p, value) ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status read_row(struct csv *c, struct gm_str line, struct gm_json *post,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = 0;
    for (size_t at = 0;; at++, n++) {
        GM_TRY(next_cell(c, &line, &at, err));
        if (n < c->n_columns)
            GM_TRY(set_field(c, post, n, err));
        if (at == line.n)
            break;
    }
    n++;
    if (n != c->n_columns)
        return GM_FAIL(err, GM_EFORMAT, "%zu cells; the first line names %zu columns", n,
                       c->n_columns);
done:
    return st;
}

static enum gm_status next_post(void *state, struct gm_post *post, size_t *line, bool *has,
                                struct gm_error *err)
{
    struct csv *c = state;
    struct gm_str s;
    do {
        enum gm_status st = gm_text_lines_next(&c->lines, &s, has, err);
        *line = gm_text_lines_number(&c->lines);
        if (st != GM_OK || !*has)
            return st;
    } while (gm_str_trim(s).n == 0);
    struct gm_json *json = gm_json_new_object();
    enum gm_status st = json ? read_row(c, s, json, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (st == GM_OK)
        st = gm_post_from_json(post, json, c->from.base_dir, err);
    else
        gm_json_free(json);
    if (st != GM_OK)
        gm_error_prefix(err, "%s:%zu", gm_text_lines_path(&c->lines), *line);
    return st;
}

static enum gm_fit fit(const struct gm_head *h)
{
    return !h->is_json && is_header(gm_str_trim(h->line)) ? GM_FIT_KEYS : GM_FIT_NOT;
}

const struct gm_format_row gm_format_csv_row = {.title =
                                                    "a table of comma- or tab-separated values",
                                                .unit = GM_UNIT_TABLE_LINE,
                                                .fit = fit,
                                                .open = open_table,
                                                .next = next_post,
                                                .close = close_table};
