/* format.h - what a file format is to the reader and the writer: a row of facts and functions. To add one:
 * write its file with the row, and name that in format_table.h. Internal to src/formats. */
#ifndef GM_FORMATS_FORMAT_H
#define GM_FORMATS_FORMAT_H

#include "formats/head.h"
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
    const char *title;        /* for messages */
    const char *ending;       /* of a target: of its files' names; "/": it is a folder */
    const char *told_by[3];   /* endings that tell this format from all others; NULL = no more */
    unsigned holds;           /* enum gm_holds; of a target */
    bool is_by_id;            /* of a target: a post's id is its key: two posts can't share one */
    bool is_sparse, has_tags; /* as gm_format_is_sparse, gm_format_has_tags */
    enum gm_format_unit unit;
    /* How well the beginning of a file fits; NULL = not guessed. */
    enum gm_fit (*fit)(const struct gm_head *head);
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

#define GM_FORMAT_EXTERN(number, row, name, from, to) \
    extern const struct gm_format_row gm_format_##row##_row;
GM_FORMATS(GM_FORMAT_EXTERN)
#undef GM_FORMAT_EXTERN

/* gm_format_row - NULL for AUTO only. gm_format_is_folder - its files lie in a folder that is its path. */
const struct gm_format_row *gm_format_row(enum gm_format f);
bool gm_format_is_folder(enum gm_format f);

/* gm_post_image - set p->image to images_dir/NAME, for formats that name image files. No images_dir:
 * no image. Errors: NOMEM. */
enum gm_status gm_post_image(struct gm_post *p, const char *images_dir, struct gm_str name,
                             struct gm_error *err) GM_NODISCARD;

/* gm_post_id_image - the same for formats whose images are named after the posts: images_dir/ID.jpg. */
enum gm_status gm_post_id_image(struct gm_post *p, const char *images_dir,
                                struct gm_error *err) GM_NODISCARD;

/* gm_post_image_size - the size of the post's picture into image_w, image_h, from its masks or the
 * file; stays 0 where neither can tell. Decodes the picture. Errors: NOMEM. */
enum gm_status gm_post_image_size(struct gm_post *p, struct gm_error *err) GM_NODISCARD;

#endif
