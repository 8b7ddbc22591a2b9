#include "formats/captions.h"

#include "base/alloc.h"
#include "formats/text_lines.h"

enum { MAX_TEXT = 1 << 30, MAX_IDS = 100000000 };

struct gm_captions {
    struct gm_labels ids;
    struct gm_buf text;   /* captions end to end */
    struct gm_buf places; /* struct place [ids.n] */
};

struct place {
    size_t from, n; /* bytes of text */
};

void gm_captions_free(struct gm_captions *c)
{
    if (!c)
        return;
    gm_labels_clear(&c->ids);
    gm_buf_clear(&c->text);
    gm_buf_clear(&c->places);
    gm_free(c);
}

/* Append a line to the caption that began at `from`, each run of white space as one space. */
static enum gm_status add_text(struct gm_captions *c, size_t from, struct gm_str line,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str rest = gm_str_trim(line);
    while (rest.n) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] != ' ' && rest.p[n] != '\t')
            n++;
        if (c->text.n > from)
            GM_TRY(gm_buf_add(&c->text, " ", 1, err));
        GM_TRY(gm_buf_add(&c->text, rest.p, n, err));
        rest = gm_str_trim(gm_str_sub(rest, n, rest.n));
    }
done:
    return st;
}

/* Begin the caption of an "imgid:ID###text" line; *id becomes its number. */
static enum gm_status begin(struct gm_captions *c, struct gm_str line, uint32_t *id,
                            struct gm_str *text, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t mark = gm_str_find(line, GM_STR("###"), 6);
    if (mark == SIZE_MAX)
        return GM_FAIL(err, GM_EFORMAT, "an imgid line without ###: expected imgid:ID###caption");
    struct gm_str name = gm_str_trim(gm_str_sub(line, 6, mark));
    if (name.n == 0)
        return GM_FAIL(err, GM_EFORMAT, "imgid: without an id");
    struct place place = {c->text.n, 0};
    GM_TRY(gm_labels_add(&c->ids, name, id, err));
    if (*id * sizeof place == c->places.n)
        GM_TRY(gm_buf_add(&c->places, &place, sizeof place, err));
    ((struct place *)(void *)c->places.p)[*id] = place;
    *text = gm_str_sub(line, mark + 3, line.n);
done:
    return st;
}

static enum gm_status load(struct gm_captions *c, struct gm_text_lines *lines, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint32_t id = GM_LABEL_NONE;
    for (;;) {
        struct gm_str line;
        bool has;
        st = gm_text_lines_next(lines, &line, &has, err);
        if (st != GM_OK || !has)
            return st;
        if (gm_str_starts(line, GM_STR("imgid:")))
            st = begin(c, line, &id, &line, err);
        else if (id == GM_LABEL_NONE && gm_str_trim(line).n)
            st = GM_FAIL(err, GM_EFORMAT, "expected imgid:ID###caption");
        if (st == GM_OK && id != GM_LABEL_NONE) {
            struct place *p = &((struct place *)(void *)c->places.p)[id];
            st = add_text(c, p->from, line, err);
            p->n = c->text.n - p->from;
        }
        if (st != GM_OK) {
            gm_error_prefix(err, "%s:%zu", gm_text_lines_path(lines), gm_text_lines_number(lines));
            return st;
        }
    }
}

enum gm_status gm_captions_load(struct gm_captions **out, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_text_lines lines = {0};
    *out = NULL;
    struct gm_captions *c = gm_alloc(1, sizeof *c);
    if (!c)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_labels_init(&c->ids, MAX_IDS);
    gm_buf_init(&c->text, MAX_TEXT);
    gm_buf_init(&c->places, MAX_IDS * sizeof(struct place));
    GM_TRY(gm_text_lines_open(&lines, path, err));
    GM_TRY(load(c, &lines, err));
    *out = c;
    c = NULL;
done:
    gm_text_lines_close(&lines);
    gm_captions_free(c);
    return st;
}

struct gm_str gm_captions_get(const struct gm_captions *c, struct gm_str id)
{
    uint32_t i = c ? gm_labels_find(&c->ids, id) : GM_LABEL_NONE;
    if (i == GM_LABEL_NONE)
        return GM_STR("");
    const struct place *p = &((const struct place *)(const void *)c->places.p)[i];
    return (struct gm_str){c->text.p ? c->text.p + p->from : "", p->n};
}

enum gm_status gm_captions_copy(const struct gm_captions *c, struct gm_str id, struct gm_arena *a,
                                struct gm_str *caption, struct gm_error *err)
{
    struct gm_str own = gm_captions_get(c, id);
    if (!own.n)
        return GM_OK;
    own = gm_arena_str(a, own);
    if (!own.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    *caption = own;
    return GM_OK;
}

size_t gm_captions_count(const struct gm_captions *c) { return c ? c->ids.n : 0; }

void gm_captions_unused(const struct gm_captions *c, const struct gm_labels *ids, const char *what,
                        struct gm_losses *lost)
{
    for (uint32_t i = 0; c && i < c->ids.n; i++)
        if (gm_labels_find(ids, gm_labels_at(&c->ids, i)) == GM_LABEL_NONE)
            gm_losses_add(lost, what, gm_labels_at(&c->ids, i));
}
