/* tar.h - files of a folder as one archive (POSIX.1-1988 ustar). */
#ifndef GM_SERVE_TAR_H
#define GM_SERVE_TAR_H

#include "base/buf.h"

/* gm_tar_folder - append the files of a folder, without folders in it, as FOLDERNAME/FILE, in order of their
 * names, and the archive's end. Errors: IO, ARG (a name of over 99 bytes), NOMEM. */
enum gm_status gm_tar_folder(struct gm_buf *out, const char *dir, const char *folder_name,
                             struct gm_error *err) GM_NODISCARD;

#endif
