/* cmd_data.h - the parts of `gmner data`; one file each. Internal to src/cli. */
#ifndef GM_CLI_CMD_DATA_H
#define GM_CLI_CMD_DATA_H

#include "cli/cmd.h"
#include "base/troubles.h"
#include "formats/captions.h"
#include "formats/named_entities.h"
#include "formats/reader.h"

struct gm_data_opts {
    const char *from, *to, *images, *xml, *text, *captions, *captions_short, *scheme, *separator,
        *masks, *pictures, *svg;
    const char *parts, *out_dir, *types, *image_prefix;
    const char *by, *pred, *known, *output;
    long long seed, n;
    double similarity;
    bool json, all;
    bool keeps_bad_boxes; /* no option: `check` sets it, to tell of them */
    bool is_quiet;        /* nor this: of a file that is read again, all was said */
};

/* The posts of one file with all that stands beside it: texts, captions, boxes. */
struct gm_data_in {
    struct gm_reader *reader;
    struct gm_texts *texts;
    struct gm_captions *captions, *captions_short;
    struct gm_losses lost;
    struct gm_troubles troubles; /* of the posts that can't be read */
    struct gm_labels ids;        /* of the posts so far, where there are captions */
    const char *xml;
    bool is_quiet;
};

/* gm_data_in_open - open `path` and say what it was taken for. Cleared by gm_data_in_close. */
enum gm_status gm_data_in_open(struct gm_data_in *in, const char *path,
                               const struct gm_data_opts *o, struct gm_error *err) GM_NODISCARD;
/* gm_data_in_next - as gm_reader_next, with boxes and captions added. */
enum gm_status gm_data_in_next(struct gm_data_in *in, struct gm_post *post, bool *has,
                               struct gm_error *err) GM_NODISCARD;
/* gm_data_in_each - `fn` for every post that is left, which it borrows; posts that can't be read are
 * told of (troubles.h) and counted in *n_bad. Errors: IO, FORMAT (of the file), those of fn. */
enum gm_status gm_data_in_each(struct gm_data_in *in,
                               enum gm_status (*fn)(void *ctx, struct gm_post *post,
                                                    struct gm_error *err),
                               void *ctx, size_t *n_bad, struct gm_error *err) GM_NODISCARD;
void gm_data_in_close(struct gm_data_in *in);

/* gm_data_check_output - that the output `to` of `verb`, in this format, is none of the files that are read, `in` and
 * those of options, and that every option for outputs which was given is one for the format. */
enum gm_exit gm_data_check_output(const char *verb, const char *in, const char *to,
                                  enum gm_format format, const struct gm_data_opts *o,
                                  const struct gm_args *args, struct gm_error *err);

enum gm_exit gm_data_convert(const struct gm_data_opts *o, const struct gm_args *args,
                             struct gm_error *err);
enum gm_exit gm_data_check(const struct gm_data_opts *o, const struct gm_args *args,
                           struct gm_error *err);
enum gm_exit gm_data_stats(const struct gm_data_opts *o, const struct gm_args *args,
                           struct gm_error *err);
enum gm_exit gm_data_select(const struct gm_data_opts *o, const struct gm_args *args,
                            struct gm_error *err);
enum gm_exit gm_data_split(const struct gm_data_opts *o, const struct gm_args *args,
                           struct gm_error *err);

#endif
