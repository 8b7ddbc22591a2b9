/* html_post.c - see html_post.h. An entity has the same data-e in the text, the table and the
 * picture: the page's script lights them up together. */
#include "report/html_post.h"

#include "record/image_path.h"
#include "report/html.h"
#include "report/marks.h"

/* <tag>escaped text</tag>, or with attributes in `open`; nothing for an empty text. */
static enum gm_status add_element(struct gm_buf *out, const char *open, struct gm_str text,
                                  const char *close, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (text.n == 0)
        return GM_OK;
    GM_TRY(gm_buf_add_c(out, open, err));
    GM_TRY(gm_html_text(out, text, err));
    GM_TRY(gm_buf_add_c(out, close, err));
done:
    return st;
}

static enum gm_status add_text(struct gm_buf *out, const struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_mark *marks;
    size_t n, at = 0;
    gm_arena_init(&a, 0);
    GM_TRY(gm_marks_of(&a, post, &marks, &n, err));
    GM_TRY(gm_buf_add_c(out, "<p class=\"text\" dir=\"auto\">", err));
    for (size_t i = 0; i < n; i++) {
        const struct gm_entity *e = &post->entities[marks[i].entity];
        GM_TRY(gm_html_text(out, gm_str_sub(post->text, at, marks[i].from), err));
        GM_TRY(gm_buf_printf(out, err, "<mark data-e=\"%zu\"%s", marks[i].entity,
                             e->n_regions ? " data-found" : ""));
        GM_TRY(gm_html_color(out, gm_palette_color(e->type), err));
        GM_TRY(gm_buf_add_c(out, ">", err));
        GM_TRY(gm_html_text(out, gm_str_sub(post->text, marks[i].from, marks[i].to), err));
        GM_TRY(add_element(out, "<span class=\"tag\">", e->type, "</span>", err));
        GM_TRY(gm_buf_add_c(out, "</mark>", err));
        at = marks[i].to;
    }
    GM_TRY(gm_html_text(out, gm_str_sub(post->text, at, post->text.n), err));
    GM_TRY(gm_buf_add_c(out, "</p>\n", err));
done:
    gm_arena_clear(&a);
    return st;
}

static enum gm_status add_probability(struct gm_buf *out, double p, struct gm_error *err)
{
    double bar = p > 0 ? (p < 1 ? p : 1) : 0;
    return gm_buf_printf(out, err, "<span class=\"bar\" style=\"--p:%.3f\">%.2f</span>", bar, p);
}

static enum gm_status add_region(struct gm_buf *out, const struct gm_region *r,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err, "<li><span class=\"box\">%.0f, %.0f – %.0f, %.0f</span> ",
                         r->box[0], r->box[1], r->box[2], r->box[3]));
    GM_TRY(gm_html_text(out, r->label, err));
    GM_TRY(gm_buf_printf(out, err, " %.2f", (double)r->score));
    GM_TRY(gm_buf_add_c(out, r->mask.counts.n ? " <span class=\"has\">mask</span>" : "", err));
    GM_TRY(add_element(out, " <span class=\"note\">", r->note, "</span>", err));
    GM_TRY(gm_buf_add_c(out, "</li>", err));
done:
    return st;
}

static enum gm_status add_where(struct gm_buf *out, const struct gm_entity *e, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (e->n_regions == 0)
        return gm_buf_add_c(out, "<span class=\"none\">none</span>", err);
    GM_TRY(gm_buf_add_c(out, "<ul>", err));
    for (size_t i = 0; i < e->n_regions; i++)
        GM_TRY(add_region(out, &e->regions[i], err));
    GM_TRY(gm_buf_add_c(out, "</ul>", err));
done:
    return st;
}

/* The columns behind the entity's. A cell names its own too: on a narrow screen, where cells stand under
 * each other, the style sheet shows it before each. */
#define TYPE "Type"
#define SCORE "Score"
#define VISIBLE "In the image?"
#define WHERE "Where"
#define REQUESTS "Requests"
#define TOKENS "Tokens"
#define SAMPLES "Samples in the prompt"
#define HEAD(name) "<th scope=\"col\">" name "</th>"
#define CELL(name) "<td data-column=\"" name "\">"

/* Row i; without an image the last two columns are left out. */
static enum gm_status add_row(struct gm_buf *out, const struct gm_entity *e, size_t i,
                              bool has_image, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err, "<tr data-e=\"%zu\" tabindex=\"0\"", i));
    GM_TRY(gm_html_color(out, gm_palette_color(e->type), err));
    GM_TRY(gm_buf_add_c(out, "><th scope=\"row\"><bdi>", err));
    GM_TRY(gm_html_text(out, e->text, err));
    GM_TRY(gm_buf_add_c(out, "</bdi>", err));
    GM_TRY(add_element(out, "<small dir=\"auto\">", e->expression, "</small>", err));
    GM_TRY(add_element(out, "<small class=\"note\">", e->note, "</small>", err));
    GM_TRY(add_element(out, "</th>" CELL(TYPE) "<span class=\"type\">", e->type, "</span>", err));
    GM_TRY(add_element(out, "<small>", e->fine_type, "</small>", err));
    GM_TRY(gm_buf_add_c(out, "</td>" CELL(SCORE), err));
    GM_TRY(add_probability(out, e->score, err));
    if (!has_image)
        return gm_buf_add_c(out, "</td></tr>\n", err);
    GM_TRY(gm_buf_add_c(out, "</td>" CELL(VISIBLE), err));
    GM_TRY(e->visible < 0 ? gm_buf_add_c(out, "<span class=\"none\">not judged</span>", err)
                          : add_probability(out, e->visible, err));
    GM_TRY(gm_buf_add_c(out, "</td>" CELL(WHERE), err));
    GM_TRY(add_where(out, e, err));
    GM_TRY(gm_buf_add_c(out, "</td></tr>\n", err));
done:
    return st;
}

static enum gm_status add_table(struct gm_buf *out, const struct gm_post *post,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool has_image = post->image.n || post->pixels;
    if (post->n_entities == 0)
        return gm_buf_add_c(out, "<p class=\"none\">No entities.</p>\n", err);
    GM_TRY(gm_buf_add_c(
        out,
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Entity</th>" HEAD(TYPE)
            HEAD(SCORE),
        err));
    if (has_image)
        GM_TRY(gm_buf_add_c(out, HEAD(VISIBLE) HEAD(WHERE), err));
    GM_TRY(gm_buf_add_c(out, "</tr></thead><tbody>\n", err));
    for (size_t i = 0; i < post->n_entities; i++)
        GM_TRY(add_row(out, &post->entities[i], i, has_image, err));
    GM_TRY(gm_buf_add_c(out, "</tbody></table></div>\n", err));
done:
    return st;
}

static enum gm_status add_asked_row(struct gm_buf *out, const struct gm_json *asked,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str stage = {NULL, 0}, id = {NULL, 0}, text = {NULL, 0};
    const struct gm_json *samples = gm_json_get(asked, "samples");
    long long requests = 0, in = 0, back = 0;
    (void)gm_json_str(gm_json_get(asked, "stage"), &stage);
    (void)gm_json_int(gm_json_get(asked, "requests"), &requests);
    (void)gm_json_int(gm_json_get(asked, "prompt_tokens"), &in);
    (void)gm_json_int(gm_json_get(asked, "completion_tokens"), &back);
    GM_TRY(add_element(out, "<tr><th scope=\"row\">", stage, "</th>", err));
    GM_TRY(gm_buf_printf(
        out, err, CELL(REQUESTS) "%lld</td>" CELL(TOKENS) "%lld in, %lld out</td>" CELL(SAMPLES),
        requests, in, back));
    GM_TRY(gm_buf_add_c(out, gm_json_count(samples) ? "<ul>" : "", err));
    for (size_t i = 0; i < gm_json_count(samples); i++) {
        (void)gm_json_str(gm_json_get(gm_json_at(samples, i), "id"), &id);
        (void)gm_json_str(gm_json_get(gm_json_at(samples, i), "text"), &text);
        GM_TRY(gm_buf_add_c(out, "<li dir=\"auto\">", err));
        GM_TRY(add_element(out, "<b>", id, "</b> ", err));
        GM_TRY(gm_html_text(out, text, err));
        GM_TRY(gm_buf_add_c(out, "</li>", err));
    }
    GM_TRY(gm_buf_add_c(out, gm_json_count(samples) ? "</ul></td></tr>\n" : "</td></tr>\n", err));
done:
    return st;
}

/* What language models were asked about the post: the record's `asked`. A field of the name may be another's. */
static enum gm_status add_asked(struct gm_buf *out, const struct gm_post *post,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *list = gm_json_get(post->source, "asked");
    if (!gm_json_get(gm_json_at(list, 0), "stage"))
        return GM_OK;
    GM_TRY(gm_buf_add_c(out,
                        "<details><summary>Language models</summary><div class=\"scroll\"><table>"
                        "<thead><tr>" HEAD("Stage") HEAD(REQUESTS) HEAD(TOKENS)
                            HEAD(SAMPLES) "</tr></thead><tbody>\n",
                        err));
    for (size_t i = 0; i < gm_json_count(list); i++)
        GM_TRY(add_asked_row(out, gm_json_at(list, i), err));
    GM_TRY(gm_buf_add_c(out, "</tbody></table></div></details>\n", err));
done:
    return st;
}

static enum gm_status add_error(struct gm_buf *out, const struct gm_post *post,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (post->error.stage.n == 0)
        return GM_OK;
    GM_TRY(add_element(out, "<p class=\"error\"><strong>Failed in “", post->error.stage,
                       "”:</strong> ", err));
    GM_TRY(gm_html_text(out, post->error.message, err));
    GM_TRY(gm_buf_add_c(out, "</p>\n", err));
done:
    return st;
}

/* The card's head: its id, and the data that the page's filters look at. */
static enum gm_status add_head(struct gm_buf *out, const struct gm_post *post, size_t number,
                               const struct gm_str *marks, size_t n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_regions = 0;
    for (size_t i = 0; i < post->n_entities; i++)
        n_regions += post->entities[i].n_regions;
    GM_TRY(gm_buf_printf(out, err, "<article class=\"post\" id=\"p%zu\"%s%s%s data-marks=\"",
                         number, post->image.n || post->pixels ? " data-image" : "",
                         n_regions ? " data-regions" : "",
                         post->error.stage.n ? " data-error" : ""));
    for (size_t i = 0; i < n; i++)
        GM_TRY(add_element(out, i ? " " : "", marks[i], "", err));
    GM_TRY(gm_buf_add_c(out, "\" data-types=\"\n", err));
    for (size_t i = 0; i < post->n_entities; i++)
        GM_TRY(add_element(out, "", post->entities[i].type, "\n", err));
    GM_TRY(gm_buf_printf(out, err, "\">\n<header><h2><a href=\"#p%zu\">", number));
    GM_TRY(gm_html_text(out, post->id.n ? post->id : GM_STR("(no id)"), err));
    GM_TRY(gm_buf_add_c(out, "</a></h2>", err));
    GM_TRY(add_element(out, "<span class=\"file\" dir=\"ltr\">", gm_image_name(post->image),
                       "</span>", err));
    GM_TRY(gm_buf_add_c(out, "</header>\n<div class=\"body\">\n", err));
done:
    return st;
}

enum gm_status gm_html_post(struct gm_buf *out, const struct gm_post *post, size_t number,
                            const struct gm_str *marks, size_t n, const struct gm_html_shown *shown,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(add_head(out, post, number, marks, n, err));
    GM_TRY(gm_html_figure(out, post, shown, err));
    GM_TRY(gm_buf_add_c(out, "<div class=\"found\">\n", err));
    GM_TRY(add_text(out, post, err));
    GM_TRY(add_error(out, post, err));
    GM_TRY(add_table(out, post, err));
    GM_TRY(add_element(out, "<details><summary>Knowledge</summary><p dir=\"auto\">",
                       post->knowledge, "</p></details>\n", err));
    GM_TRY(add_asked(out, post, err));
    GM_TRY(gm_buf_add_c(out, "</div>\n</div>\n</article>\n", err));
done:
    return st;
}
