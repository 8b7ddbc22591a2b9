/* The table of formats, and what several of them share. */
#include "formats/format.h"

#include "base/file.h"
#include "base/path.h"
#include "image/image.h"

#include <string.h>

#define ROW(number, row, name, from, to) [GM_FORMAT_##number] = &gm_format_##row##_row,
static const struct gm_format_row *const rows[GM_FORMATS_N] = {GM_FORMATS(ROW)};
#undef ROW

#define NAME(number, row, name, from, to) [GM_FORMAT_##number] = name,
static const char *const names[GM_FORMATS_N] = {[GM_FORMAT_AUTO] = "auto", GM_FORMATS(NAME)};
#undef NAME

const struct gm_format_row *gm_format_row(enum gm_format f) { return rows[f]; }

bool gm_format_parse(const char *name, enum gm_format *out)
{
    *out = GM_FORMAT_AUTO;
    for (int i = GM_FORMATS_N - 1; i >= 0; i--)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum gm_format)i;
            return true;
        }
    return false;
}

const char *gm_format_name(enum gm_format f) { return names[f]; }

const char *gm_format_title(enum gm_format f)
{
    return rows[f] ? rows[f]->title : "an unknown format";
}

bool gm_format_is_sparse(enum gm_format f) { return rows[f] && rows[f]->is_sparse; }

bool gm_format_has_tags(enum gm_format f) { return rows[f] && rows[f]->has_tags; }

enum gm_format_unit gm_format_unit(enum gm_format f)
{
    return rows[f] ? rows[f]->unit : GM_UNIT_NONE;
}

bool gm_format_is_folder(enum gm_format f)
{
    return rows[f] && rows[f]->ending && strcmp(rows[f]->ending, "/") == 0;
}

const char *gm_format_ending(enum gm_format f) { return rows[f]->ending; }

enum gm_format gm_format_of_name(const char *path)
{
    bool is_dir = gm_is_dir(path);
    for (int i = GM_FORMAT_AUTO + 1; i < GM_FORMATS_N; i++) {
        enum gm_format f = (enum gm_format)i;
        if (is_dir && gm_format_is_folder(f))
            return f;
        for (size_t k = 0; k < 3 && rows[f]->told_by[k] && !is_dir; k++)
            if (gm_str_ends(gm_str(path), gm_str(rows[f]->told_by[k])))
                return f;
    }
    return GM_FORMAT_AUTO;
}

bool gm_format_is_written(enum gm_format f) { return rows[f] && rows[f]->create; }

enum gm_status gm_post_image(struct gm_post *p, const char *images_dir, struct gm_str name,
                             struct gm_error *err)
{
    if (!images_dir)
        return GM_OK;
    p->image = gm_path_below(&p->arena, images_dir, name);
    return p->image.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

enum gm_status gm_post_id_image(struct gm_post *p, const char *images_dir, struct gm_error *err)
{
    if (!images_dir)
        return GM_OK;
    struct gm_str file = gm_arena_printf(&p->arena, "%.*s.jpg", GM_STR_ARG(p->id));
    return file.p ? gm_post_image(p, images_dir, file, err)
                  : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

enum gm_status gm_post_image_size(struct gm_post *p, struct gm_error *err)
{
    struct gm_image *im = NULL;
    for (size_t i = 0; i < p->n_entities && !p->image_w; i++)
        for (size_t k = 0; k < p->entities[i].n_regions; k++)
            if (p->entities[i].regions[k].mask.counts.n) {
                p->image_w = p->entities[i].regions[k].mask.w;
                p->image_h = p->entities[i].regions[k].mask.h;
            }
    if (p->image_w || !p->image.n)
        return GM_OK;
    struct gm_str path = gm_arena_str(&p->arena, p->image);
    if (!path.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    enum gm_status st = gm_image_load(&im, path.p, err);
    if (st == GM_OK) {
        p->image_w = im->w;
        p->image_h = im->h;
    }
    gm_image_free(im);
    return st == GM_ENOMEM ? st : GM_OK;
}
