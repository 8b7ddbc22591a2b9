/* own_fields.h - which fields of a record's objects are the record's, and which are the input's own: these are kept
 * as they stand. The lists of names are here alone. */
#ifndef GM_RECORD_OWN_FIELDS_H
#define GM_RECORD_OWN_FIELDS_H

#include "record/record.h"

/* What has fields. */
enum gm_holder {
    GM_HOLDER_POST,
    GM_HOLDER_ENTITY,
    GM_HOLDER_CANDIDATE,
    GM_HOLDER_REGION,
    GM_HOLDER_OBJECT,
    GM_HOLDER_TEXT, /* a line of text in the image */
    GM_HOLDERS_N
};

/* gm_own_fields_has - whether an object of the input (NULL: none) has a field that the record does not know. */
bool gm_own_fields_has(const struct gm_json *o, enum gm_holder holder);

/* gm_own_fields_write - append those fields, each with a comma before it. Errors: NOMEM. */
enum gm_status gm_own_fields_write(const struct gm_json *o, enum gm_holder holder,
                                   struct gm_buf *out, struct gm_error *err) GM_NODISCARD;

#endif
