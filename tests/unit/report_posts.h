/* report_posts.h - posts as the tests of the report write them: one line of JSON each. */
#ifndef GM_TESTS_REPORT_POSTS_H
#define GM_TESTS_REPORT_POSTS_H

#include "image_files.h"

#include "base/json.h"
#include "record/record.h"

static inline void post_of(struct gm_post *post, const char *json)
{
    struct gm_error err;
    struct gm_json *j;
    must(gm_json_parse(&j, gm_str(json), &err), &err);
    gm_post_init(post);
    must(gm_post_from_json(post, j, NULL, &err), &err);
}

/* source.png (173 x 97) with two entities: one with two boxes, of which one has a mask (columns 40
 * to 59), and one that is not in the image
 * and says why. */
#define POST_WITH_IMAGE                                                                     \
    "{\"id\": \"p\", \"text\": \"Ana Ruiz in Rome\", \"image\": \"" GOLDEN "source.png\","  \
    " \"entities\": ["                                                                      \
    "{\"text\": \"Ana Ruiz\", \"type\": \"PER\", \"start\": 0, \"end\": 8, \"score\": 0.9," \
    " \"source\": \"tag\", \"visible\": 0.8, \"regions\": ["                                \
    "{\"box\": [40, 30, 80, 90], \"score\": 0.7, \"label\": \"person\","                    \
    " \"mask\": {\"size\": [97, 173], \"counts\": \"" MASK_COUNTS "\"}},"                   \
    "{\"box\": [100, 20, 150, 90], \"score\": 0.5, \"label\": \"person\"}]},"               \
    "{\"text\": \"Rome\", \"type\": \"LOC\", \"start\": 12, \"end\": 16, \"score\": 0.6,"   \
    " \"source\": \"tag\", \"visible\": 0.1, \"regions\": [],"                              \
    " \"note\": \"no_box:below_threshold:0.5\"}]}"

/* Columns 40..59 of 97 x 173: runs of 3880, 1940 and 10961 pixels. */
#define MASK_COUNTS "Xi3dl1af:"

#endif
