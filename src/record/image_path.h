/* image_path.h - relative image paths: in every file they are relative to that file's folder. */
#ifndef GM_RECORD_IMAGE_PATH_H
#define GM_RECORD_IMAGE_PATH_H

#include "record/record.h"

/* gm_post_place_image - make the post's image path, which is right from the current folder, right in
 * a file of folder `dir`: unchanged where input and output are in one folder, absolute where the
 * image is not inside `dir`. Errors: NOMEM. */
enum gm_status gm_post_place_image(struct gm_post *post, const char *dir,
                                   struct gm_error *err) GM_NODISCARD;

#endif
