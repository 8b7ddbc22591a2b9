/* The table of formats, and what several of them share. */
#include "formats/format.h"

#include "base/file.h"
#include "base/path.h"
#include "image/image.h"

#include <string.h>

static const struct gm_format_row *const rows[] = {
    &gm_format_jsonl_row,      &gm_format_conll_row,       &gm_format_fmnerg_row,
    &gm_format_json_row,       &gm_format_text_row,        &gm_format_csv_row,
    &gm_format_voc_row,        &gm_format_ccks_row,        &gm_format_ccks_text_row,
    &gm_format_coco_row,       &gm_format_labelstudio_row, &gm_format_riveg_row,
    &gm_format_riveg_pred_row, &gm_format_riveg_ve_row,
};

enum { N_ROWS = sizeof rows / sizeof *rows };

const struct gm_format_row *gm_format_row(enum gm_format f)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (rows[i]->format == f)
            return rows[i];
    return &gm_format_conll_row;
}

bool gm_format_parse(const char *name, enum gm_format *out)
{
    *out = GM_FORMAT_AUTO;
    for (size_t i = 0; i < N_ROWS; i++)
        if (strcmp(name, rows[i]->name) == 0)
            *out = rows[i]->format;
    return *out != GM_FORMAT_AUTO || strcmp(name, "auto") == 0;
}

const char *gm_format_name(enum gm_format f)
{
    return f == GM_FORMAT_AUTO ? "auto" : gm_format_row(f)->name;
}

const char *gm_format_title(enum gm_format f)
{
    return f == GM_FORMAT_AUTO ? "an unknown format" : gm_format_row(f)->title;
}

enum gm_format gm_format_of_name(const char *path)
{
    struct gm_str s = gm_str(path);
    if (gm_str_ends(s, GM_STR("/")) || gm_is_dir(path))
        return GM_FORMAT_VOC;
    if (gm_str_ends(s, GM_STR(".jsonl")) || gm_str_ends(s, GM_STR(".ndjson")))
        return GM_FORMAT_JSONL;
    if (gm_str_ends(s, GM_STR(".conll")) || gm_str_ends(s, GM_STR(".txt")))
        return GM_FORMAT_CONLL;
    return GM_FORMAT_AUTO;
}

bool gm_format_is_written(enum gm_format f) { return gm_format_row(f)->create != NULL; }

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

void gm_post_image_size(struct gm_post *p)
{
    struct gm_image *im = NULL;
    for (size_t i = 0; i < p->n_entities && !p->image_w; i++)
        for (size_t k = 0; k < p->entities[i].n_regions; k++)
            if (p->entities[i].regions[k].mask.counts.n) {
                p->image_w = p->entities[i].regions[k].mask.w;
                p->image_h = p->entities[i].regions[k].mask.h;
            }
    if (p->image_w || !p->image.n)
        return;
    struct gm_str path = gm_arena_str(&p->arena, p->image);
    if (path.p && gm_image_load(&im, path.p, NULL) == GM_OK) {
        p->image_w = im->w;
        p->image_h = im->h;
    }
    gm_image_free(im);
}
