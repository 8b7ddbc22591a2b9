/* labelstudio.h - writing Label Studio tasks; the functions of a format's row (format.h). Internal to
 * src/formats. */
#ifndef GM_FORMATS_LABELSTUDIO_H
#define GM_FORMATS_LABELSTUDIO_H

#include "formats/format.h"

enum gm_status gm_labelstudio_create(void **state, const struct gm_target *to,
                                     struct gm_error *err) GM_NODISCARD;
enum gm_status gm_labelstudio_add(void *state, struct gm_post *p,
                                  struct gm_error *err) GM_NODISCARD;
enum gm_status gm_labelstudio_commit(void *state, struct gm_error *err) GM_NODISCARD;
void gm_labelstudio_abort(void *state);

#endif
