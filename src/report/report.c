/* report.c - see report.h. page.css, card.js and page.js are put into the program by CMake. */
#include "report/report.h"

#include "base/alloc.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/sha256.h"
#include "report/html.h"
#include "report/html_post.h"
#include "page_assets.h"

#include <assert.h>

/* A card with its picture is about 100 kB; the bound is for a post of a million words. */
#define CARD_MAX ((size_t)512 << 20)

enum { MAX_TYPES = 64 }; /* more types than this get no filter of their own */

struct type_count {
    struct gm_str name;
    size_t n;
};

struct mark {
    struct gm_str name, label;
    size_t n; /* posts that have it */
};

struct gm_report {
    struct gm_out *out;
    struct gm_buf card;
    struct gm_buf texts; /* what gm_report_add_text was given, as HTML */
    struct gm_arena names;
    struct type_count types[MAX_TYPES];
    size_t n_types;
    struct mark marks[GM_REPORT_MARKS_MAX];
    size_t n_marks;
    size_t n_posts, n_images, n_entities, n_visible, n_boxes, n_masks, n_errors;
};

static struct gm_str style(void)
{
    return (struct gm_str){(const char *)page_css, sizeof page_css};
}
static struct gm_str script(void) { return (struct gm_str){(const char *)page_js, sizeof page_js}; }

static int hex_digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

/* Only this very script may run, whatever else gets into the page, and nothing may be loaded. */
static enum gm_status add_policy(struct gm_buf *b, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char hex[GM_SHA256_HEX], digest[32];
    gm_sha256(script(), hex);
    for (size_t i = 0; i < sizeof digest; i++)
        digest[i] = (char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    GM_TRY(
        gm_buf_add_c(b,
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                     "img-src data:; style-src 'unsafe-inline'; script-src 'sha256-",
                     err));
    GM_TRY(gm_base64_write(b, (struct gm_str){digest, sizeof digest}, err));
    GM_TRY(gm_buf_add_c(b, "'\">\n", err));
done:
    return st;
}

static enum gm_status add_head(struct gm_buf *b, const char *title, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(b,
                        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                        "<meta name=\"color-scheme\" content=\"light dark\">\n",
                        err));
    GM_TRY(add_policy(b, err));
    GM_TRY(gm_buf_add_c(b, "<title>", err));
    GM_TRY(gm_html_text(b, gm_str(title), err));
    GM_TRY(gm_buf_add_c(b, "</title>\n<style>\n", err));
    GM_TRY(gm_buf_add_str(b, style(), err));
    GM_TRY(gm_buf_add_c(b, "</style>\n</head>\n<body>\n", err));
done:
    return st;
}

static enum gm_status add_script(struct gm_buf *b, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(b, "<script>", err));
    GM_TRY(gm_buf_add_str(b, script(), err));
    GM_TRY(gm_buf_add_c(b, "</script>\n</body>\n</html>\n", err));
done:
    return st;
}

enum gm_status gm_report_card(struct gm_buf *out, const struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(add_head(out, "gmner", err));
    GM_TRY(gm_buf_add_c(out, "<main>\n", err));
    GM_TRY(gm_html_post(out, post, 1, NULL, 0, NULL, err));
    GM_TRY(gm_buf_add_c(out, "</main>\n", err));
    GM_TRY(add_script(out, err));
done:
    return st;
}

static enum gm_status write_head(struct gm_report *r, const char *title, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf *b = &r->card;
    GM_TRY(add_head(b, title, err));
    GM_TRY(gm_buf_add_c(b, "<header class=\"page\"><h1>", err));
    GM_TRY(gm_html_text(b, gm_str(title), err));
    GM_TRY(gm_buf_add_c(b, "</h1></header>\n<main>\n", err));
    GM_TRY(gm_out_write(r->out, gm_buf_str(b), err));
done:
    return st;
}

enum gm_status gm_report_open(struct gm_report **out, const char *path, const char *title,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_report *r = gm_alloc(1, sizeof *r);
    *out = NULL;
    if (!r)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a report");
    gm_buf_init(&r->card, CARD_MAX);
    gm_buf_init(&r->texts, CARD_MAX);
    gm_arena_init(&r->names, 0);
    GM_TRY(gm_out_open(&r->out, path, err));
    GM_TRY(write_head(r, title, err));
    *out = r;
    r = NULL;
done:
    gm_report_abort(r);
    return st;
}

static enum gm_status count_type(struct gm_report *r, struct gm_str type, struct gm_error *err)
{
    size_t i = 0;
    while (i < r->n_types && !gm_str_eq(r->types[i].name, type))
        i++;
    if (i == r->n_types) {
        if (i == MAX_TYPES || type.n == 0)
            return GM_OK;
        r->types[i].name = gm_arena_str(&r->names, type);
        if (!r->types[i].name.p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory for a report");
        r->n_types++;
    }
    r->types[i].n++;
    return GM_OK;
}

static enum gm_status count_post(struct gm_report *r, const struct gm_post *post,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    r->n_posts++;
    r->n_images += post->image.n > 0 || post->pixels;
    r->n_errors += post->error.stage.n > 0;
    r->n_entities += post->n_entities;
    for (size_t i = 0; i < post->n_entities; i++) {
        const struct gm_entity *e = &post->entities[i];
        r->n_visible += e->n_regions > 0;
        r->n_boxes += e->n_regions;
        for (size_t k = 0; k < e->n_regions; k++)
            r->n_masks += e->regions[k].mask.counts.n > 0;
        GM_TRY(count_type(r, e->type, err));
    }
done:
    return st;
}

enum gm_status gm_report_add_mark(struct gm_report *r, const char *name, const char *label,
                                  struct gm_error *err)
{
    assert(r->n_marks < GM_REPORT_MARKS_MAX);
    struct mark *m = &r->marks[r->n_marks];
    *m = (struct mark){.name = gm_arena_str(&r->names, gm_str(name)),
                       .label = gm_arena_str(&r->names, gm_str(label))};
    if (!m->name.p || !m->label.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a report");
    r->n_marks++;
    return GM_OK;
}

enum gm_status gm_report_add(struct gm_report *r, const struct gm_post *post, unsigned marks,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str names[GM_REPORT_MARKS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < r->n_marks; i++)
        if (marks >> i & 1) {
            names[n++] = r->marks[i].name;
            r->marks[i].n++;
        }
    gm_buf_reset(&r->card);
    GM_TRY(count_post(r, post, err));
    GM_TRY(gm_html_post(&r->card, post, r->n_posts, names, n, NULL, err));
    GM_TRY(gm_out_write(r->out, gm_buf_str(&r->card), err));
done:
    return st;
}

enum gm_status gm_report_add_text(struct gm_report *r, const char *heading, struct gm_str text,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(&r->texts, "<details open><summary>", err));
    GM_TRY(gm_html_text(&r->texts, gm_str(heading), err));
    GM_TRY(gm_buf_add_c(&r->texts, "</summary><pre>", err));
    GM_TRY(gm_html_text(&r->texts, text, err));
    GM_TRY(gm_buf_add_c(&r->texts, "</pre></details>\n", err));
done:
    return st;
}

static enum gm_status add_totals(const struct gm_report *r, struct gm_buf *b, struct gm_error *err)
{
    const struct {
        const char *name;
        size_t n;
    } rows[] = {{"posts", r->n_posts},        {"with an image", r->n_images},
                {"entities", r->n_entities},  {"found in the image", r->n_visible},
                {"boxes", r->n_boxes},        {"masks", r->n_masks},
                {"failed posts", r->n_errors}};
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(b, "<dl>", err));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        GM_TRY(
            gm_buf_printf(b, err, "<div><dt>%s</dt><dd>%zu</dd></div>", rows[i].name, rows[i].n));
    GM_TRY(gm_buf_add_c(b, "</dl>\n", err));
done:
    return st;
}

/* Which posts are to be shown: the page's own kinds, and those of its marks. */
static enum gm_status add_which(const struct gm_report *r, struct gm_buf *b, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(b,
                        "<label>Posts <select id=\"which\"><option value=\"\">all</option>"
                        "<option value=\"regions\">with boxes</option>"
                        "<option value=\"unfound\">with an image, without boxes</option>"
                        "<option value=\"text\">without an image</option>"
                        "<option value=\"error\">that failed</option>",
                        err));
    for (size_t i = 0; i < r->n_marks; i++) {
        GM_TRY(gm_buf_add_c(b, "<option value=\"mark ", err));
        GM_TRY(gm_html_text(b, r->marks[i].name, err));
        GM_TRY(gm_buf_add_c(b, "\">", err));
        GM_TRY(gm_html_text(b, r->marks[i].label, err));
        GM_TRY(gm_buf_printf(b, err, " (%zu)</option>", r->marks[i].n));
    }
    GM_TRY(gm_buf_add_c(b, "</select></label>", err));
done:
    return st;
}

static enum gm_status add_filters(const struct gm_report *r, struct gm_buf *b, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(b, "<form id=\"filters\" hidden><fieldset><legend>Types</legend>", err));
    for (size_t i = 0; i < r->n_types; i++) {
        GM_TRY(gm_buf_add_c(b, "<button type=\"button\" aria-pressed=\"false\" data-type=\"", err));
        GM_TRY(gm_html_text(b, r->types[i].name, err));
        GM_TRY(gm_buf_add_c(b, "\"", err));
        GM_TRY(gm_html_color(b, gm_palette_color(r->types[i].name), err));
        GM_TRY(gm_buf_add_c(b, ">", err));
        GM_TRY(gm_html_text(b, r->types[i].name, err));
        GM_TRY(gm_buf_printf(b, err, " <span>%zu</span></button>", r->types[i].n));
    }
    GM_TRY(gm_buf_add_c(b, "</fieldset>", err));
    GM_TRY(add_which(r, b, err));
    GM_TRY(gm_buf_add_c(
        b,
        "<label>Find <input id=\"words\" type=\"search\" placeholder=\"text or id\">"
        "</label><label><input id=\"objects\" type=\"checkbox\"> all detected objects and texts"
        "</label><output id=\"shown\"></output></form>\n",
        err));
done:
    return st;
}

/* The totals are known last; the style sheet moves this section above the posts. */
static enum gm_status write_foot(struct gm_report *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf *b = &r->card;
    gm_buf_reset(b);
    GM_TRY(gm_buf_add_c(b, "</main>\n<section id=\"totals\" aria-label=\"Totals and filters\">\n",
                        err));
    GM_TRY(add_totals(r, b, err));
    GM_TRY(gm_buf_add_str(b, gm_buf_str(&r->texts), err));
    GM_TRY(add_filters(r, b, err));
    GM_TRY(gm_buf_add_c(b,
                        "</section>\n<footer>Made by gmner. Boxes and masks belong to the entity "
                        "of the same colour and name.</footer>\n",
                        err));
    GM_TRY(add_script(b, err));
    GM_TRY(gm_out_write(r->out, gm_buf_str(b), err));
done:
    return st;
}

enum gm_status gm_report_commit(struct gm_report *r, struct gm_error *err)
{
    enum gm_status st = write_foot(r, err);
    if (st == GM_OK) {
        st = gm_out_commit(r->out, err);
        r->out = NULL;
    }
    gm_report_abort(r);
    return st;
}

void gm_report_abort(struct gm_report *r)
{
    if (!r)
        return;
    gm_out_abort(r->out);
    gm_buf_clear(&r->card);
    gm_buf_clear(&r->texts);
    gm_arena_clear(&r->names);
    gm_free(r);
}
