/* image_path.h - which picture is a post's, and relative image paths: in every file they are relative to
 * that file's folder. */
#ifndef GM_RECORD_IMAGE_PATH_H
#define GM_RECORD_IMAGE_PATH_H

#include "record/record.h"

/* gm_post_set_image - the image that a file of folder `base_dir` names `given`: as it is where it is
 * absolute or an address, or the folder is "." or not known (NULL), else below the folder. Errors: FORMAT (a NUL in
 * the path), NOMEM. */
enum gm_status gm_post_set_image(struct gm_post *post, const char *base_dir, struct gm_str given,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_post_read_image - set p->image from the post's source: the first field of image, image_path,
 * img_path, image_file, img, image_url and images that names a picture, as a path, a list of them (the
 * first counts) or an object with a path, url or file_name; a file: address becomes a path. The source then has it as
 * "image" (what else an "image" that is no string held goes to "images"), so that records are written
 * alike whatever the input's name was. Errors: those of gm_post_set_image; FORMAT ("image" is a
 * number or a boolean, or an object or list that names none). */
enum gm_status gm_post_read_image(struct gm_post *post, const char *base_dir,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_post_other_picture - the name of a field of the post's source that no reader knows and that seems to
 * hold a picture (a word with the ending of a picture file); empty = none. Borrowed. */
struct gm_str gm_post_other_picture(const struct gm_post *post);

/* gm_post_place_image - make the post's image path, which is right from the current folder, right in
 * a file of folder `dir`: unchanged where input and output are in one folder, or the input gave an absolute
 * path; absolute where the image is not inside `dir`. Errors: NOMEM. */
enum gm_status gm_post_place_image(struct gm_post *post, const char *dir,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_image_is_address - an address of the web or of a store (https://, s3://, data:) and no path; it
 * is the same from every folder. */
bool gm_image_is_address(struct gm_str image);

/* gm_image_absolute - a path that is right from the current folder, or an address, right from every
 * folder; in the arena, .p NULL when memory is out. */
struct gm_str gm_image_absolute(struct gm_arena *a, struct gm_str image);

/* gm_image_name - the last part of a path or address, without the query and fragment of an address,
 * of a data: URI its kind (data:image/png); borrowed. gm_image_has_ending - whether that name ends as
 * picture files do (.jpg, .TIFF, …). */
struct gm_str gm_image_name(struct gm_str image);
bool gm_image_has_ending(struct gm_str image);

#endif
