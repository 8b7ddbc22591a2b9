/* riveg.h - RiVEG's text lines, one entity a line (docs/formats.md). Internal to src/formats. */
#ifndef GM_FORMATS_RIVEG_H
#define GM_FORMATS_RIVEG_H

#include "base/str.h"

/* gm_riveg_is_line - whether a line is one of RiVEG's three shapes. */
bool gm_riveg_is_line(struct gm_str line);

#endif
