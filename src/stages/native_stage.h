/* native_stage.h - what the backends have in common that hold one model of the native engine: its
 * two settings, which model and in which precision, and the model itself. A backend of this kind is
 * a `gm_native_kind` and a row with GM_NATIVE_BACKEND. */
#ifndef GM_STAGES_NATIVE_STAGE_H
#define GM_STAGES_NATIVE_STAGE_H

#include "stages/stage.h"

struct gm_native_kind {
    const char *model_key; /* the setting that names the model or its folder; default: b->model */
    bool is_second; /* the step behind another backend (gm_backend.then): the settings are that
                              one's, which has checked them */
    const char
        *number_key; /* a setting of its own, a number from 0 to 1, 0 by default; NULL = none */
    enum gm_status (*load)(void **model, const char *dir, const char *precision, double number,
                           struct gm_error *err);
    void (*free)(void *model); /* NULL-safe */
    /* Other settings of its own, ended by NULL, and what reads them (without a model: says only what is wrong with
     * them); NULL = none. */
    const char *const *more;
    enum gm_status (*read)(void *model, const struct gm_json *settings, struct gm_error *err);
    /* What one caller needs to run the model, which itself is only read. */
    enum gm_status (*session_new)(void **session, const void *model, struct gm_error *err);
    enum gm_status (*run)(void *session, struct gm_post **posts, size_t n, struct gm_error *err);
    void (*session_free)(void *session); /* NULL-safe */
};

#define GM_NATIVE_BACKEND                                                           \
    .name = "native", .check = gm_native_stage_check, .open = gm_native_stage_open, \
    .run = gm_native_stage_run, .close = gm_native_stage_close,                     \
    .fingerprint = gm_native_stage_fingerprint
enum gm_status gm_native_stage_check(const struct gm_backend *b, const struct gm_json *settings,
                                     struct gm_error *err) GM_NODISCARD;
enum gm_status gm_native_stage_open(void **self, const struct gm_backend *b,
                                    const struct gm_json *settings,
                                    struct gm_error *err) GM_NODISCARD;
enum gm_status gm_native_stage_run(void *self, struct gm_post **posts, size_t n,
                                   struct gm_error *err) GM_NODISCARD;
void gm_native_stage_close(void *self);
enum gm_status gm_native_stage_fingerprint(const struct gm_backend *b,
                                           const struct gm_json *settings, struct gm_buf *out,
                                           struct gm_error *err) GM_NODISCARD;

#endif
