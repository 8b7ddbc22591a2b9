#include "eval/scheme.h"

enum gm_status gm_scheme_find(const char *path, const struct gm_reader_opts *opts,
                              enum gm_tag_scheme *out, const char **odd, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_reader *r = NULL;
    GM_TRY(gm_reader_open(&r, path, opts, err));
    bool has = gm_format_has_tags(gm_reader_format(r));
    while (has) {
        struct gm_post post;
        if (gm_reader_next(r, &post, &has, NULL) == GM_OK && has)
            gm_post_clear(&post);
    }
    struct gm_tag_signs signs = gm_reader_tag_signs(r);
    *out = gm_tag_signs_scheme(&signs, odd);
done:
    gm_reader_free(r);
    return st;
}
