/* examples_pool.h - the pool of the setting `examples`: its posts, indexed once for all stages and sessions that
 * name it.
 * Internal to src/stages. */
#ifndef GM_STAGES_EXAMPLES_POOL_H
#define GM_STAGES_EXAMPLES_POOL_H

#include "base/shared.h"
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
    size_t n_with_picture;
};

/* gm_examples_pool_get - out->thing is a struct gm_examples_pool, which is only read: one that is there already
 * and was made of the same, else a new one. Errors: those of the reader and gm_similar_pool_load; FORMAT (no
 * posts). Threads: yes. Cost: reading the pool, and of a new one its posts through the sentence encoder. */
enum gm_status gm_examples_pool_get(struct gm_held *out, const struct gm_examples_setting *x,
                                    struct gm_error *err) GM_NODISCARD;

/* gm_examples_pool_fingerprint - append lines: the pool's posts, the encoders. Errors: as above. */
enum gm_status gm_examples_pool_fingerprint(const struct gm_examples_setting *x, struct gm_buf *out,
                                            struct gm_error *err) GM_NODISCARD;

#endif
