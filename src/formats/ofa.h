/* ofa.h - the writer of OFA's rows; ofa.c reads them. Internal to src/formats. */
#ifndef GM_FORMATS_OFA_H
#define GM_FORMATS_OFA_H

#include "formats/format.h"

/* For the rows of the table of formats (format.h). */
enum gm_status gm_ofa_create(void **state, const struct gm_target *to,
                             struct gm_error *err) GM_NODISCARD;
enum gm_status gm_ofa_add(void *state, struct gm_post *p, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_ofa_commit(void *state, struct gm_error *err) GM_NODISCARD;
void gm_ofa_abort(void *state);

#endif
