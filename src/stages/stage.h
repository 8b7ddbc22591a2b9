/* stage.h - the one interface of all stages and their backends.
 *
 * A stage is a function from one post's record to the same record with more in it. It never reaches
 * into another stage: what it needs is in the record. A backend is one way to do a stage; the table
 * in stages.c lists them all. A recipe names the stages, each one's backend and its settings. */
#ifndef GM_STAGES_STAGE_H
#define GM_STAGES_STAGE_H

#include "base/fingerprint.h"
#include "record/record.h"

struct gm_llm; /* src/llm */

struct gm_backend {
    const char *stage;    /* "tag", "look", … */
    const char *name;     /* "native", "detector", … */
    bool needs_image;     /* posts without an image pass it by */
    bool needs_knowledge; /* posts without knowledge do */
    bool
        opens_ahead; /* open takes long and is asked for nothing but models: a thread of its own may do
                             it while other stages work; close does nothing but free them, and may be left out */
    const char *model; /* default of the setting "model"; NULL: there is no such setting */
    const struct gm_native_kind
        *native; /* of a backend that holds one native model (native_stage.h) */
    const struct gm_llm_stage_kind *llm; /* of a backend that asks a language model (llm_stage.h) */
    /* The native step behind this backend, where the settings have `then_if`: the pipeline runs it as a
     * stage of its own, with the same settings, in batches, and with stored results of its own.
     * NULL: there is none. */
    const struct gm_backend *then;
    const char *then_if;
    /* The same for a native step in front of it. */
    const struct gm_backend *first;
    const char *first_if;
    /* Of such a step: the stage whose settings `number_key` and `more` (native_stage.h) are its own, too, so that
     * both work alike; NULL: none. */
    const char *like;

    /* Read the settings as `open` does and find nothing out but what is wrong with them: no model is opened. The
     * pipeline asks all its stages before the first post. Errors: those of `open` that are the settings'. */
    enum gm_status (*check)(const struct gm_backend *b, const struct gm_json *settings,
                            struct gm_error *err);

    /* Load models; `b` is the backend itself, settings a JSON object (may be NULL), borrowed during
     * the call. Keys that the backend does not know, and values out of range, are ARG errors that
     * name the key. *self is closed by `close`. */
    enum gm_status (*open)(void **self, const struct gm_backend *b, const struct gm_json *settings,
                           struct gm_error *err);

    /* Work on a batch; n >= 1. A post that fails gets gm_post_fail and the others go on; posts that
     * have an error are skipped. A status other than OK means that no post can be done (and the run
     * stops), or, EAGAIN, that the time for a post (base/stop.h) is over: each is then tried alone.
     * Called from one thread at a time; uses the thread budget inside. */
    enum gm_status (*run)(void *self, struct gm_post **posts, size_t n, struct gm_error *err);

    void (*close)(void *self); /* NULL-safe */

    /* What a post without an image is told in passing, when needs_image; the stage need not be open.
     * NULL: nothing. Errors: NOMEM. */
    enum gm_status (*pass_by)(struct gm_post *post, struct gm_error *err);

    /* Append what the results depend on beside the settings, one "name=value" a line: the content
     * of models, prompts and sample files (gm_fingerprint_setting, gm_fingerprint_file). A stored
     * result is used again only while this text and the settings stay the same; `gmner runs show`
     * names the line that changed. Settings that change no result (an endpoint's address, limits)
     * are no part of it: they go to the client and not into `settings`. NULL: the settings alone.
     * Called before open. */
    enum gm_status (*fingerprint)(const struct gm_backend *b, const struct gm_json *settings,
                                  struct gm_buf *out, struct gm_error *err);

    /* A backend that asks a language model: use_llm hands it the run's one client (borrowed), and
     * which of its servers are this stage's (gm_llm_request), after
     * open and before the first run. Its run is called from many threads at once, a post a call,
     * so `self` must be read-only by then. A status other than OK (ENET: a dead endpoint, ECANCEL:
     * a spent budget or a drain) leaves the posts without an answer as they were: they are not
     * stored and asked again when the run goes on. */
    void (*use_llm)(void *self, struct gm_llm *llm, size_t servers);

    /* What the stage must know of the model before it asks about pictures, which it asks the model
     * itself: called once, after use_llm and before the first post with a picture is asked about. A
     * status other than OK stops the run. NULL: nothing. */
    enum gm_status (*learn)(void *self, struct gm_error *err);
};

/* gm_fingerprint_setting - the lines of gm_fingerprint_model of the setting "model", else of b->model:
 * `fingerprint` of a backend with one model. Errors: as there. */
enum gm_status gm_fingerprint_setting(const struct gm_backend *b, const struct gm_json *settings,
                                      struct gm_buf *out, struct gm_error *err) GM_NODISCARD;

/* gm_backend_find - the backend of that stage and name; name NULL = the stage's embedded default.
 * NULL when there is none. gm_backend_at - number i in stage order, NULL past the end. */
const struct gm_backend *gm_backend_find(const char *stage, const char *name);
const struct gm_backend *gm_backend_at(size_t i);

/* The stages in the pipeline's order, for messages. */
#define GM_STAGE_LIST "tag, look, read, inform, refine, expand, entail, ground, check, segment"

/* gm_stage_order - place of a stage in the pipeline (tag 0, look 1, …); -1 = no such stage. */
int gm_stage_order(const char *stage);

/* gm_settings_check - ARG error naming the first key of `settings` that is not in the NULL-ended
 * list `known`. gm_settings_num/whole/bool/str - read one; *value, the default, stays where the key is not
 * there. A number is to be in min..max, and a whole one where `whole` says so; a text is borrowed from the
 * settings and ended by NUL. Errors: ARG. */
enum gm_status gm_settings_check(const struct gm_json *settings, const char *stage,
                                 const char *const *known, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_settings_num(const struct gm_json *settings, const char *key, double min,
                               double max, double *value, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_settings_whole(const struct gm_json *settings, const char *key, double min,
                                 double max, double *value, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_settings_bool(const struct gm_json *settings, const char *key, bool *value,
                                struct gm_error *err) GM_NODISCARD;
enum gm_status gm_settings_str(const struct gm_json *settings, const char *key,
                               struct gm_str *value, struct gm_error *err) GM_NODISCARD;

/* gm_settings_precision - the same of a precision (nn/engine.h); *name, the default, becomes what is set. Errors: ARG,
 * also for what this CPU has no instructions for. */
struct gm_precision;
enum gm_status gm_settings_precision(const struct gm_json *settings, const char *key,
                                     struct gm_str *name, struct gm_precision *out,
                                     struct gm_error *err) GM_NODISCARD;

#endif
