/* image_path.h - relative image paths: in every file they are relative to that file's folder. */
#ifndef GM_RECORD_IMAGE_PATH_H
#define GM_RECORD_IMAGE_PATH_H

#include "record/record.h"

/* gm_post_set_image - the image that a file of folder `base_dir` names `given`: as it is where it is
 * absolute or an address, or the folder is "." or not known (NULL), else below the folder. Errors: FORMAT (a NUL in
 * the path), NOMEM. */
enum gm_status gm_post_set_image(struct gm_post *post, const char *base_dir, struct gm_str given,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_post_place_image - make the post's image path, which is right from the current folder, right in
 * a file of folder `dir`: unchanged where input and output are in one folder, absolute where the
 * image is not inside `dir`. Errors: NOMEM. */
enum gm_status gm_post_place_image(struct gm_post *post, const char *dir,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_image_is_address - an address of the web or of a store (https://, s3://, data:) and no path; it
 * is the same from every folder. */
bool gm_image_is_address(struct gm_str image);

/* gm_image_absolute - a path that is right from the current folder, or an address, right from every
 * folder; in the arena, .p NULL when memory is out. */
struct gm_str gm_image_absolute(struct gm_arena *a, struct gm_str image);

/* gm_image_name - the last part of a path or address, without the query and fragment of an address;
 * borrowed. gm_image_has_ending - whether that name ends as picture files do (.jpg, .TIFF, …). */
struct gm_str gm_image_name(struct gm_str image);
bool gm_image_has_ending(struct gm_str image);

#endif
