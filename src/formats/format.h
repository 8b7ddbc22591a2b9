/* format.h - what a file format is to the reader and the writer: a row of functions. To add one:
 * write its file, and list it in formats.c. Internal to src/formats. */
#ifndef GM_FORMATS_FORMAT_H
#define GM_FORMATS_FORMAT_H

#include "formats/named_entities.h"
#include "formats/reader.h"
#include "formats/writer.h"

/* What a format's reader is given. */
struct gm_source {
    const char *path;             /* "-" = standard input */
    struct gm_input *in;          /* of path, nothing of it read yet; NULL of a folder */
    const char *images_dir;       /* NULL = none */
    const char *base_dir;         /* of relative image paths; NULL = the working directory */
    const struct gm_texts *texts; /* NULL = none */
    struct gm_losses *lost;       /* NULL = not counted */
    bool entries_apart;           /* as in gm_reader_opts */
};

/* What a format's writer is given. */
struct gm_target {
    const char *path;
    const char *dir; /* the folder of path; lives as long as the writer */
    struct gm_writer_opts opts;
    struct gm_losses *lost; /* never NULL */
};

struct gm_format_row {
    enum gm_format format;
    const char *name;  /* of --from and --to */
    const char *title; /* for messages */
    unsigned holds;    /* enum gm_holds; of a target */
    bool is_by_id;     /* of a target: a post's id is its key, so that two posts can't share one */
    /* Reading; NULL: reader.c's own (JSON Lines, CoNLL) or the format is for writing only.
     * next: as gm_reader_next, *line the line of the post; the post has been initialised. */
    enum gm_status (*open)(void **state, const struct gm_source *from, struct gm_error *err);
    enum gm_status (*next)(void *state, struct gm_post *post, size_t *line, bool *has,
                           struct gm_error *err);
    void (*close)(void *state); /* NULL-safe */
    /* Writing; NULL: for reading only. commit and abort free; a failed commit too. */
    enum gm_status (*create)(void **state, const struct gm_target *to, struct gm_error *err);
    enum gm_status (*add)(void *state, struct gm_post *post, struct gm_error *err);
    enum gm_status (*commit)(void *state, struct gm_error *err);
    void (*abort)(void *state); /* NULL-safe */
};

extern const struct gm_format_row gm_format_jsonl_row, gm_format_conll_row, gm_format_fmnerg_row,
    gm_format_json_row, gm_format_text_row, gm_format_csv_row, gm_format_voc_row,
    gm_format_ccks_row, gm_format_ccks_text_row, gm_format_coco_row, gm_format_labelstudio_row,
    gm_format_riveg_row, gm_format_riveg_pred_row, gm_format_riveg_ve_row;

/* gm_format_row - never NULL for a format that is not AUTO. */
const struct gm_format_row *gm_format_row(enum gm_format f);

/* gm_post_image - set p->image to images_dir/NAME, for formats that name image files. No images_dir:
 * no image. Errors: NOMEM. */
enum gm_status gm_post_image(struct gm_post *p, const char *images_dir, struct gm_str name,
                             struct gm_error *err) GM_NODISCARD;

/* gm_post_id_image - the same for formats whose images are named after the posts: images_dir/ID.jpg. */
enum gm_status gm_post_id_image(struct gm_post *p, const char *images_dir,
                                struct gm_error *err) GM_NODISCARD;

/* gm_post_image_size - the size of the post's picture into image_w, image_h, from its masks or the
 * file; stays 0 where neither can tell. Decodes the picture. */
void gm_post_image_size(struct gm_post *p);

#endif
