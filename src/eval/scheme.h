/* scheme.h - the tag scheme of files that are read strictly. */
#ifndef GM_EVAL_SCHEME_H
#define GM_EVAL_SCHEME_H

#include "formats/reader.h"

/* gm_scheme_find - read the file at `path` through once and say what its tags are: BIO or BIOES, by
 * all of its posts, so that their order does not matter; BIO for formats without tags. *odd as
 * gm_tag_signs_scheme. Posts that can't be read are passed over: whoever reads them next tells.
 * Errors: as gm_reader_open. */
enum gm_status gm_scheme_find(const char *path, const struct gm_reader_opts *opts,
                              enum gm_tag_scheme *out, const char **odd,
                              struct gm_error *err) GM_NODISCARD;

#endif
