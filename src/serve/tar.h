/* tar.h - files of a folder as one archive (POSIX.1-2001 pax, which is ustar where names are short). */
#ifndef GM_SERVE_TAR_H
#define GM_SERVE_TAR_H

#include "base/buf.h"

/* gm_tar_folder - append the files of a folder, without folders in it, as FOLDERNAME/FILE, in order of their
 * names, and the archive's end; names may have any length. Ends early at the thread's limit (base/stop.h). Errors: IO,
 * CANCEL, AGAIN (the limit), NOMEM. */
enum gm_status gm_tar_folder(struct gm_buf *out, const char *dir, const char *folder_name,
                             struct gm_error *err) GM_NODISCARD;

#endif
