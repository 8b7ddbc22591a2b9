/* examples_pool.h - the pool of the setting `examples`: its posts, indexed once for all stages that name it.
 * Internal to src/stages. */
#ifndef GM_STAGES_EXAMPLES_POOL_H
#define GM_STAGES_EXAMPLES_POOL_H

#include "similar/similar.h"
#include "stages/pool_file.h"

struct gm_examples_setting {
    struct gm_pool_file file;
    struct gm_str encoder, precision, clip, entity;
    double k;
    struct gm_similar_opts opts;
};

/* gm_examples_setting_read - of a JSON object, from which it borrows. Errors: ARG. */
enum gm_status gm_examples_setting_read(struct gm_examples_setting *x, const struct gm_json *j,
                                        struct gm_error *err) GM_NODISCARD;

struct gm_examples_pool {
    struct gm_similar_pool *similar;
    struct gm_pool_posts posts;
    size_t n_with_picture, n_users;
    struct gm_str key; /* what it was made of */
    struct gm_arena arena;
    struct gm_examples_pool *next; /* of the pools that are open */
};

/* gm_examples_pool_get - one that is open already and was made of the same, else a new one. *out is yours until
 * gm_examples_pool_put (NULL-safe). Only read by then. Errors: those of the reader and gm_similar_pool_load;
 * FORMAT (no posts). Threads: yes. Cost: reading the pool, and of a new one its posts through the
 * sentence encoder. */
enum gm_status gm_examples_pool_get(struct gm_examples_pool **out,
                                    const struct gm_examples_setting *x,
                                    struct gm_error *err) GM_NODISCARD;
void gm_examples_pool_put(struct gm_examples_pool *p);

/* gm_examples_pool_fingerprint - append lines: the pool's posts, the encoders. Errors: as above. */
enum gm_status gm_examples_pool_fingerprint(const struct gm_examples_setting *x, struct gm_buf *out,
                                            struct gm_error *err) GM_NODISCARD;

#endif
