/* csv.h - tables of posts: values separated by commas, semicolons or tabs under a line of names.
 * Internal to src/formats; described in docs/formats.md. */
#ifndef GM_FORMATS_CSV_H
#define GM_FORMATS_CSV_H

#include "base/str.h"

#include <stdbool.h>

/* gm_csv_is_header - whether a file's first line looks like the names of a table's columns: at least two,
 * short, and one of them a usual name for what a post has. It need not be a table with texts. */
bool gm_csv_is_header(struct gm_str line);

#endif
