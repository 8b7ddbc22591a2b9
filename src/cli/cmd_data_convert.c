/* gmner data convert: posts from one format to another. */
#include "cli/cmd_data.h"

#include "base/log.h"
#include "formats/writer.h"

#include <string.h>

static enum gm_status writing(const struct gm_data_opts *o, const char *path,
                              struct gm_writer_opts *w)
{
    (void)gm_format_parse(o->to, &w->format); /* these are checked by the option table */
    if (w->format == GM_FORMAT_AUTO)
        w->format = gm_format_of_name(path);
    w->scheme = strcmp(o->scheme, "bioes") == 0 ? GM_TAGS_BIOES : GM_TAGS_BIO;
    w->image_prefix = o->image_prefix;
    w->images_dir = o->images;
    w->spaced = strcmp(o->separator, "space") == 0;
    w->picture_paths = strcmp(o->pictures, "path") == 0;
    w->masks = strcmp(o->masks, "counts") == 0     ? GM_MASKS_COUNTS
               : strcmp(o->masks, "polygons") == 0 ? GM_MASKS_POLYGONS
                                                   : GM_MASKS_STRING;
    return w->format == GM_FORMAT_AUTO ? GM_EARG : GM_OK;
}

struct copying {
    struct gm_writer *w;
    size_t n, n_refused;
    struct gm_troubles troubles; /* of those */
};

static enum gm_status copy(void *ctx, struct gm_post *post, struct gm_error *err)
{
    struct copying *c = ctx;
    struct gm_error e;
    enum gm_status st = gm_writer_add(c->w, post, &e);
    if (st == GM_EFORMAT) { /* this post alone */
        gm_troubles_tell(&c->troubles, "data", "not written", e.msg);
        c->n_refused++;
        return GM_OK;
    }
    c->n += st == GM_OK;
    if (st != GM_OK && err)
        *err = e;
    return st;
}

enum gm_exit gm_data_convert(const struct gm_data_opts *o, const struct gm_args *args,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_data_in in = {0};
    struct copying c = {0};
    struct gm_writer_opts wo = {0};
    struct gm_losses lost;
    size_t n_bad = 0;
    const char *to = args->v[2];
    if (writing(o, to, &wo) != GM_OK)
        return GM_USAGE(err,
                        "data convert: the name %s does not tell a format; say --to (coco, "
                        "labelstudio, ccks, …)",
                        to);
    if (gm_data_check_output("convert", args->v[1], to, wo.format, o, args, err) != GM_EXIT_DONE)
        return GM_EXIT_USAGE;
    GM_TRY(gm_data_in_open(&in, args->v[1], o, err));
    GM_TRY(gm_writer_open(&c.w, to, &wo, err));
    if (strcmp(o->to, "auto") == 0)
        GM_LOG(GM_LOG_INFO, "data", "%s: written as %s (--to %s)", to, gm_format_title(wo.format),
               gm_format_name(wo.format));
    GM_TRY(gm_data_in_each(&in, copy, &c, &n_bad, err));
    gm_troubles_end(&c.troubles, "data");
    lost = *gm_writer_losses(c.w);
    st = gm_writer_commit(c.w, err);
    c.w = NULL;
    GM_TRY(st);
    gm_losses_tell(&in.lost, "data", "not read");
    gm_losses_tell(&lost, "data", "not held by the output");
    GM_LOG(GM_LOG_INFO, "data", "%zu posts written%s", c.n,
           n_bad ? ", some could not be read" : "");
done:
    gm_writer_abort(c.w);
    gm_data_in_close(&in);
    if (st == GM_OK && (n_bad || c.n_refused))
        return GM_EXIT_SOME;
    return gm_exit_of(st);
}
