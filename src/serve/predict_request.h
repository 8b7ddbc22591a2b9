/* predict_request.h - what POST /v1/predict sends, as posts.
 *
 * A body of JSON is one post ({"text": …}, as in docs/record.md) or a list of them ({"posts": […]}). A form
 * (multipart/form-data) has the fields text, id, caption, caption_short and the file image of one post; or the field
 * posts, with the same JSON, whose images are "part:NAME", fields of the form.
 * An image is a data: URI or such a part. Nothing that a client sends is a path or an address to us. */
#ifndef GM_SERVE_PREDICT_REQUEST_H
#define GM_SERVE_PREDICT_REQUEST_H

#include "serve/job.h"

/* gm_predict_read - *out is yours: the posts of a call's body. Errors: as *problem says, with a message for the
 * client; nothing of the server's is in it. */
enum gm_status gm_predict_read(struct gm_job **out, struct gm_call *call,
                               struct gm_str content_type, size_t max_posts,
                               enum gm_problem *problem, struct gm_error *err) GM_NODISCARD;

#endif
