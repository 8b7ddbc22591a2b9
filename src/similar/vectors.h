/* vectors.h - posts as the vectors that the search for similar ones works with. */
#ifndef GM_SIMILAR_VECTORS_H
#define GM_SIMILAR_VECTORS_H

#include "base/buf.h"
#include "corpus/word_set.h"
#include "record/labels.h"

#include <stdbool.h>

/* An entity of a post: its name's number in `names`, and its type's in the pool's table of types
 * (GM_LABEL_NONE = no type, or one that the pool does not have: it equals no other). */
struct gm_similar_entity {
    uint32_t name, type;
};

static inline bool gm_similar_same_type(uint32_t a, uint32_t b)
{
    return a == b && a != GM_LABEL_NONE;
}

/* n posts. A name that several entities have is there once. */
struct gm_similar_vectors {
    size_t n, dim, image_dim; /* dim: of texts and names; image_dim 0: no pictures */
    struct gm_buf text;       /* float [n][dim], each of length 1 */
    struct gm_buf image;     /* float [n][image_dim], each of length 1; zeros where there is none */
    struct gm_buf has_image; /* uint8_t [n] */
    struct gm_buf sum;       /* float [n][dim] sum of the vectors of the post's entities */
    struct gm_buf first;     /* size_t [n+1] post i's entities are first[i] .. first[i+1] */
    struct gm_buf entities;  /* struct gm_similar_entity */
    struct gm_labels names;  /* of entities */
    struct gm_buf name;      /* float [names.n][dim], each of length 1 */
    size_t n_types;          /* the last gm_similar_vectors_count_types' */
    struct gm_buf kinds;     /* float [n][n_types + 1] */
    struct gm_buf hashes, sets; /* words of the texts, for near-duplicates; private to vectors.c */
};

/* gm_similar_vectors_init - no posts; allocates nothing. gm_similar_vectors_clear frees all. */
void gm_similar_vectors_init(struct gm_similar_vectors *v, size_t dim, size_t image_dim);
void gm_similar_vectors_clear(struct gm_similar_vectors *v);

/* gm_similar_vectors_add - one more post.
 *   words           what near-duplicates are told by: the post's text; copied
 *   text  [dim]
 *   image [image_dim]  NULL = the post has none
 *   entities [n]    whose names' vectors are in v->name
 * Errors: NOMEM; the vectors are then of no use but to be cleared. */
enum gm_status gm_similar_vectors_add(struct gm_similar_vectors *v, struct gm_str words,
                                      const float *text, const float *image,
                                      const struct gm_similar_entity *entities, size_t n,
                                      struct gm_error *err) GM_NODISCARD;

/* gm_similar_vectors_kinds - what is counted of post i: how many of its entities have each of the
 * n_types types, and 1 if it has a picture.
 *   out [n_types + 1] out
 * gm_similar_vectors_count_types - the same of all posts into v->kinds: what a pool needs once it is
 * complete. Errors: NOMEM. */
void gm_similar_vectors_kinds(const struct gm_similar_vectors *v, size_t i, size_t n_types,
                              float *out);
enum gm_status gm_similar_vectors_count_types(struct gm_similar_vectors *v, size_t n_types,
                                              struct gm_error *err) GM_NODISCARD;

/* gm_similar_vectors_entities - of post i, *n of them; borrowed until the next one is added. */
const struct gm_similar_entity *gm_similar_vectors_entities(const struct gm_similar_vectors *v,
                                                            size_t i, size_t *n);

/* gm_similar_vectors_row - row i of one of the arrays of floats of `dim` columns. */
const float *gm_similar_vectors_row(const struct gm_buf *rows, size_t dim, size_t i);

/* gm_similar_vectors_has_image - of post i. */
bool gm_similar_vectors_has_image(const struct gm_similar_vectors *v, size_t i);

/* gm_similar_vectors_alike - whether post i of a and post k of b are near-duplicates: the same words
 * in the same order, or sets of words with a Jaccard similarity of `least` or more. */
bool gm_similar_vectors_alike(const struct gm_similar_vectors *a, size_t i,
                              const struct gm_similar_vectors *b, size_t k, double least);

#endif
