/* joint.h - the samples of a pool that are most like a post by what a tagger makes of both, text and picture
 * together: how PGIM (arXiv 2305.12212) and RiVEG choose what a language model is shown for knowledge.
 *
 * A post's vector is its features (ner/tagger.h) and its picture's vector (vision/clip.h) end to end, each of
 * length 1 before, scaled so that the cosine of two posts that both have a picture is
 *   (1 - w) cos(features) + w cos(pictures)
 * and the picture's part is 0 where there is none. The papers' features come from an encoder that was trained
 * with both, where they are one vector; ours are of two encoders whose numbers have nothing to do with each
 * other, nor are there equally many, so that they can be laid end to end, but not be added. */
#ifndef GM_SIMILAR_JOINT_H
#define GM_SIMILAR_JOINT_H

#include "similar/pictures.h"
#include "similar/search.h"

struct gm_joint_opts {
    const char *tagger;    /* a packaged model or a folder; NULL = "ner-default" */
    const char *precision; /* of both encoders; NULL = f32 */
    const char *clip;      /* file of the picture encoder; NULL = texts alone */
    const char *cache;     /* as in gm_similar_opts */
    double image;          /* w, 0..1 */
    double duplicate; /* samples whose words are this similar to the post's are left out; 0..1 */
    gm_unreadable_fn *unreadable; /* of pictures; NULL = not told */
    void *user;
};

struct gm_joint_opts gm_joint_opts_default(void); /* w 0.5, duplicate 0.8 */

struct gm_joint;

/* gm_joint_load - with the n samples of a pool, which are not kept; opts NULL = default. *out is yours.
 * Errors: those of gm_tagger_load, gm_tagger_features, gm_pictures_*. Cost: n posts through the encoders. */
enum gm_status gm_joint_load(struct gm_joint **out, struct gm_post *const *posts, size_t n,
                             const struct gm_joint_opts *opts, struct gm_error *err) GM_NODISCARD;
void gm_joint_free(struct gm_joint *j); /* NULL-safe */

/* gm_joint_find - the k samples of the largest cosine, best first, the earlier one first where two are equal;
 * the post itself and its near-duplicates are left out. hits [k] out, of which post, score and
 * value[GM_SIMILAR_TEXT], the cosine, are set; *n_hits is less than k where the pool has no more.
 * Errors: as gm_joint_load. Threads: yes; the encoders work for one call at a time. */
enum gm_status gm_joint_find(struct gm_joint *j, struct gm_post *post, size_t k,
                             struct gm_similar_hit *hits, size_t *n_hits,
                             struct gm_error *err) GM_NODISCARD;

#endif
