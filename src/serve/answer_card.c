/* What the page shows: a record as the card that `gmner view` shows it in, made by the same code; and what this
 * server lets the page do. The page has the picture itself, so that nothing is opened here. */
#include "record/regions.h"
#include "report/html_post.h"
#include "serve/page_request.h"

enum { CARD_MAX = 1 << 28 };

static enum gm_status write_card(struct gm_json *record, const struct gm_html_shown *shown,
                                 size_t number, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post post;
    gm_post_init(&post);
    if (gm_json_get(record, "image")) {
        gm_json_free(record);
        st = GM_FAIL(err, GM_EARG, "\"image\": a card is made without the picture");
        goto done;
    }
    GM_TRY(gm_post_from_json(&post, record, NULL, err));
    gm_post_settle_boxes(&post, NULL);
    post.image = shown->w ? GM_STR("image") : GM_STR("");
    GM_TRY(gm_html_post(out, &post, number, NULL, 0, shown, err));
done:
    gm_post_clear(&post);
    return st;
}

void gm_answer_card(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    static const char *const names[] = {"w", "h", "number", NULL};
    struct gm_query q;
    struct gm_buf body;
    struct gm_error e = {0};
    long long w, h, number;
    (void)route;
    if (!gm_page_query(&q, call, names))
        return;
    if (!gm_query_number(&q, "w", 0, 65535, &w) || !gm_query_number(&q, "h", 0, 65535, &h) ||
        !gm_query_number(&q, "number", 1, 1000000000, &number)) {
        gm_problem_answer(
            call, GM_PROBLEM_BAD_REQUEST,
            "w, h and number are whole numbers: a picture's pixels, at most 65535 a side, "
            "and the card's",
            NULL);
        return;
    }
    struct gm_json *record = gm_page_body(s, call, NULL);
    if (!record)
        return;
    const struct gm_html_shown shown = {(uint32_t)(h ? w : 0), (uint32_t)(w ? h : 0)};
    gm_buf_init(&body, CARD_MAX);
    enum gm_status st = write_card(record, &shown, (size_t)number, &body, &e);
    gm_page_answer(call, st, "text/html; charset=utf-8", &body, &e);
}

static enum gm_status write_abilities(struct gm_server *s, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err, "{\"records\": %s, \"files\": [",
                         s->opts->data ? "true" : "false"));
    for (size_t i = 0; i < GM_SERVE_BROWSED && s->browsed[i]; i++) {
        GM_TRY(gm_buf_add_c(out, i ? ", " : "", err));
        GM_TRY(gm_browse_about(s->browsed[i], out, err));
    }
    GM_TRY(gm_buf_add_c(out, "]}", err));
done:
    return st;
}

void gm_answer_page(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    struct gm_buf body;
    struct gm_error e = {0};
    (void)route;
    gm_buf_init(&body, CARD_MAX);
    enum gm_status st = write_abilities(s, &body, &e);
    gm_page_answer(call, st, "application/json", &body, &e);
}
