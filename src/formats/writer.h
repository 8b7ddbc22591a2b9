/* writer.h - posts to a file, one at a time, whatever the format; the reader's other half. */
#ifndef GM_FORMATS_WRITER_H
#define GM_FORMATS_WRITER_H

#include "formats/reader.h"
#include "record/losses.h"

enum gm_mask_form {
    GM_MASKS_STRING,  /* COCO's compressed counts */
    GM_MASKS_COUNTS,  /* plain list of runs */
    GM_MASKS_POLYGONS /* outlines; holes are lost and counted */
};

struct gm_writer_opts {
    enum gm_format format;     /* never AUTO */
    enum gm_tag_scheme scheme; /* CoNLL: BIO (also for AUTO) or BIOES */
    bool spaced;               /* CoNLL: columns by a space, not a tab */
    enum gm_mask_form masks;   /* COCO */
    bool picture_paths;        /* OFA: pictures as paths, not as base64 */
    const char
        *image_prefix;      /* Label Studio: what image addresses begin with, before the path below
                                  images_dir, else below the output's folder, else the file's name;
                                  NULL = image paths as they are; borrowed */
    const char *images_dir; /* NULL = none; borrowed */
};

struct gm_writer;

/* gm_writer_open - path "-" = standard output; for Pascal VOC a folder, made where it is missing.
 * Errors: IO, NOMEM, ARG (a format that is read only; a folder for standard output). */
enum gm_status gm_writer_open(struct gm_writer **out, const char *path,
                              const struct gm_writer_opts *opts, struct gm_error *err) GM_NODISCARD;

/* gm_writer_add - write one post. What the format can't hold is counted, and may be taken out of the post. The
 * post's image path is made relative to the output's folder. Errors: IO, NOMEM, FORMAT (an id that can't be a file's name, or that
 * an earlier post has, in a format whose posts are known by it); after it others can be added. */
enum gm_status gm_writer_add(struct gm_writer *w, struct gm_post *post,
                             struct gm_error *err) GM_NODISCARD;

/* gm_writer_losses - what was counted so far; borrowed. */
const struct gm_losses *gm_writer_losses(const struct gm_writer *w);

/* gm_writer_commit - complete the file and put it in place; frees whatever the result.
 * gm_writer_abort - drop it (of Pascal VOC, the files already written stay); NULL-safe. */
enum gm_status gm_writer_commit(struct gm_writer *w, struct gm_error *err) GM_NODISCARD;
void gm_writer_abort(struct gm_writer *w);

/* gm_format_of_name - the format that a name for an output suggests: .jsonl, .conll and .txt, or a
 * folder ("xml/"); AUTO where it does not tell (.json). gm_format_ending - what the names of its files end
 * with where nothing else is asked for; "/" of a folder. */
enum gm_format gm_format_of_name(const char *path);
const char *gm_format_ending(enum gm_format f);
/* gm_format_is_written - false for formats that are for reading only (json, csv, text). */
bool gm_format_is_written(enum gm_format f);

#endif
