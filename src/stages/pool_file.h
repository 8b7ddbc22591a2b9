/* pool_file.h - the annotated posts that a setting of a stage names, to choose from what a language model is
 * shown: `examples` of refine and ground, `samples` of inform. Internal to src/stages. */
#ifndef GM_STAGES_POOL_FILE_H
#define GM_STAGES_POOL_FILE_H

#include "stages/stage.h"

/* The keys, to begin a list of known ones with: the file, its format, the folders of its pictures and of its
 * VOC boxes, and the file that has its texts where it has none of its own. */
#define GM_POOL_FILE_SETTINGS "pool", "from", "images", "xml", "text"

struct gm_pool_file {
    const char *setting; /* "examples", for messages */
    struct gm_str pool, from, images, xml, text;
};

/* gm_pool_file_read - from an object of settings, from which it borrows. Errors: ARG. */
enum gm_status gm_pool_file_read(struct gm_pool_file *f, const char *setting,
                                 const struct gm_json *j, struct gm_error *err) GM_NODISCARD;

struct gm_pool_posts {
    struct gm_post **items; /* [n] in the order of the file */
    size_t n, cap;
    struct gm_arena arena;
};

/* gm_pool_posts_load - all posts that `takes` (NULL: all) says yes to, into an empty *p (zeroed);
 * gm_pool_posts_clear follows, whatever comes back. Errors: those of gm_reader_*, gm_texts_load;
 * FORMAT (there is none). */
enum gm_status gm_pool_posts_load(struct gm_pool_posts *p, const struct gm_pool_file *f,
                                  bool (*takes)(const struct gm_post *post),
                                  struct gm_error *err) GM_NODISCARD;
void gm_pool_posts_clear(struct gm_pool_posts *p);

/* gm_pool_file_fingerprint - append the line "SETTING=SHA-256" of the posts. Errors: as
 * gm_pool_posts_load. */
enum gm_status gm_pool_file_fingerprint(const struct gm_pool_file *f, struct gm_buf *out,
                                        struct gm_error *err) GM_NODISCARD;

#endif
