/* A result of the public API as a page to look at. */
#include "api/api_internal.h"
#include "base/alloc.h"
#include "report/report.h"

static enum gm_status write_page(const struct gmner_post *post, struct gm_buf *page,
                                 struct gm_error *err)
{
    struct gm_post p;
    enum gm_status st = gm_api_post(&p, post, 1, err);
    if (st != GM_OK)
        return st;
    st = gm_report_card(page, &p, err);
    gm_post_clear(&p);
    return st;
}

int gmner_html(const struct gmner_post *post, char **html, size_t *len, struct gmner_error *error)
{
    struct gm_error e = {0};
    struct gm_buf page;
    if (html)
        *html = NULL;
    if (len)
        *len = 0;
    if (!post || !html)
        return gm_api_fail(error, GMNER_EARG, "gmner_html: %s is NULL", post ? "html" : "post");
    gm_buf_init(&page, SIZE_MAX - 1);
    enum gm_status st = write_page(post, &page, &e);
    if (st == GM_OK) {
        *html = page.p; /* the caller's */
        if (len)
            *len = page.n;
    } else {
        gm_buf_clear(&page);
    }
    return gm_api_done(st, &e, error);
}

void gmner_html_free(char *html) { gm_free(html); }
