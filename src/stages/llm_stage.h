/* llm_stage.h - what all backends that ask a language model have in common: settings, prompt,
 * picture, and a post's questions out together and their answers back.
 *
 * Settings of each of them: endpoint (its own servers, in place of the run's; the pipeline takes it
 * out before `open`), prompt (a name or a file, see llm/prompt.h), model (in place of the
 * run's), temperature (0; none = not sent), top_p, max_tokens, max_tokens_name (max_tokens,
 * max_completion_tokens, none), seed, extra (an object whose members go into the request, in place of
 * its own), guide (a file of what is known of the types, corpus/guide.h), and where pictures
 * are sent images (auto, always, never), image_side (1000: the longest
 * side in pixels), min_pixels (262144: smaller ones are enlarged) and jpeg_quality (90). */
#ifndef GM_STAGES_LLM_STAGE_H
#define GM_STAGES_LLM_STAGE_H

#include "corpus/guide.h"
#include "llm/llm.h"
#include "llm/picture.h"
#include "llm/prompt.h"
#include "stages/stage.h"

#include <semaphore.h>
#include <stdatomic.h>

/* The keys above, to begin a backend's list of known settings with. */
#define GM_LLM_SETTINGS                                                                     \
    "endpoint", "prompt", "model", "temperature", "top_p", "max_tokens", "max_tokens_name", \
        "seed", "extra", "guide", "images", "image_side", "min_pixels", "jpeg_quality"

/* The values that every prompt has, to begin a backend's list with: the stage fills them in, texts (the
 * lines read in the post's picture, each in quotes, as many as GM_LLM_TEXTS_MAX bytes hold) of the
 * question's post. */
#define GM_LLM_VALUES "guide", "texts"

/* Whether pictures go along. */
enum gm_llm_images {
    GM_LLM_IMAGES_AUTO, /* where post and prompt have one; a stage that can do without goes on without
                           * when the server takes none */
    GM_LLM_IMAGES_ALWAYS, /* posts without one are not asked about, servers that take none stop the run */
    GM_LLM_IMAGES_NEVER
};

/* What a stage's question is without a picture. */
enum gm_llm_needs_picture {
    GM_LLM_PICTURE_HELPS,  /* as good as it gets: inform, refine, expand */
    GM_LLM_PICTURE_WANTED, /* only asked where the user wants it so (images: never): entail */
    GM_LLM_PICTURE_NEEDED  /* senseless: look, ground, check */
};

struct gm_llm_stage {
    const char *stage; /* "ground" */
    const struct gm_llm_stage_kind *kind;
    struct gm_llm *llm; /* borrowed, from use_llm */
    size_t servers;     /* of it */
    struct gm_prompt *prompt;
    struct gm_json *schema; /* NULL = plain text is asked for */
    enum gm_status (*read)(struct gm_json **out, struct gm_str text, struct gm_error *err);
    struct gm_arena arena; /* holds what open read */
    const char *model;     /* NULL = the run's */
    double temperature, top_p, max_tokens, seed, image_side, min_pixels, jpeg_quality;
    enum gm_llm_images images;
    enum gm_llm_max_name max_name;
    struct gm_json *extra;       /* NULL = none */
    struct gm_guide guide;       /* empty where there is no setting */
    atomic_size_t most_pictures; /* of a request, as the server has said; 0 = nothing is known */
    atomic_bool is_blind;        /* the server has refused pictures, and the stage does without */
    uint32_t grid;  /* of the pictures' sides: 28, where the kind's open says nothing else */
    sem_t decoders; /* pictures decoded at once, so that 64 callers don't hold 64 of them */
    bool is_open;   /* kind->open was called */
};

/* Another question of a stage that has several: what takes the place of the stage's own. */
struct gm_llm_asking {
    const struct gm_prompt *prompt;
    const struct gm_json *schema;
    enum gm_status (*read)(struct gm_json **out, struct gm_str text, struct gm_error *err);
    long max_tokens; /* 0 = the stage's */
};

/* A setting that names a prompt. */
struct gm_llm_prompt_setting {
    const char *key, *name;            /* of the setting, and of its default */
    const char *const *values;         /* what the prompt may use, NULL-ended */
    const char *const *example_values; /* what its block of examples may; NULL = it has none */
};

/* gm_llm_prompt_load - the prompt that the settings name; *out is the caller's (gm_prompt_free).
 * gm_llm_prompt_fingerprint - its version as a line of a stage's fingerprint.
 * Errors: ARG (of the setting), those of gm_prompt_load. */
enum gm_status gm_llm_prompt_load(struct gm_prompt **out, const struct gm_llm_prompt_setting *x,
                                  const struct gm_json *settings,
                                  struct gm_error *err) GM_NODISCARD;
enum gm_status gm_llm_prompt_fingerprint(const struct gm_llm_prompt_setting *x,
                                         const struct gm_json *settings, struct gm_buf *out,
                                         struct gm_error *err) GM_NODISCARD;

/* What sets one of these backends apart. Their `self` is, or begins with, a struct gm_llm_stage. */
struct gm_llm_stage_kind {
    const char *prompt; /* its default; values, example_values: as above */
    const char *const *values;
    const char *const *example_values;
    const char *const *settings; /* every setting that is known, NULL-ended */
    const char *schema;          /* JSON; NULL = plain text */
    double max_tokens;           /* default */
    enum gm_llm_needs_picture needs_picture;
    /* With a schema: how answers are read, as in gm_llm_request; NULL = as JSON. What `open` puts
     * into the stage's `read` goes before it. */
    enum gm_status (*read)(struct gm_json **out, struct gm_str text, struct gm_error *err);

    /* Work on one post that has no error. A failure that is the post's own goes into the post
     * (gm_post_fail) and counts as OK. */
    enum gm_status (*one)(void *self, struct gm_post *p, struct gm_error *err);

    /* Another kind of the same stage that the settings ask for: another prompt, schema, way of asking.
     * NULL, or NULL returned: this one. */
    const struct gm_llm_stage_kind *(*pick)(const struct gm_json *settings);

    /* `learn` of struct gm_backend; NULL = nothing to learn. */
    enum gm_status (*learn)(void *self, struct gm_error *err);

    /* Of a backend with a struct of its own; else 0 and NULL. open and close see to what it has
     * besides (zeroed at first; close follows a failed open too), fingerprint to what its results
     * depend on besides the prompt. */
    size_t size;
    enum gm_status (*open)(void *self, const struct gm_json *settings, struct gm_error *err);
    void (*close)(void *self);
    enum gm_status (*fingerprint)(const struct gm_json *settings, struct gm_buf *out,
                                  struct gm_error *err);
};

/* What is the same in all of these backends. */
#define GM_LLM_BACKEND                                                                             \
    .name = "llm", .check = gm_llm_stage_check, .open = gm_llm_stage_open,                         \
    .run = gm_llm_stage_run, .close = gm_llm_stage_close, .fingerprint = gm_llm_stage_fingerprint, \
    .use_llm = gm_llm_stage_use, .learn = gm_llm_stage_learn
enum gm_status gm_llm_stage_check(const struct gm_backend *b, const struct gm_json *settings,
                                  struct gm_error *err) GM_NODISCARD;
enum gm_status gm_llm_stage_open(void **self, const struct gm_backend *b,
                                 const struct gm_json *settings, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_llm_stage_run(void *self, struct gm_post **posts, size_t n,
                                struct gm_error *err) GM_NODISCARD;
void gm_llm_stage_close(void *self);
enum gm_status gm_llm_stage_fingerprint(const struct gm_backend *b, const struct gm_json *settings,
                                        struct gm_buf *out, struct gm_error *err) GM_NODISCARD;
void gm_llm_stage_use(void *self, struct gm_llm *llm, size_t servers);
enum gm_status gm_llm_stage_learn(void *self, struct gm_error *err) GM_NODISCARD;

/* gm_llm_stage_prompt - the setting `prompt` of a kind. */
struct gm_llm_prompt_setting gm_llm_stage_prompt(const struct gm_llm_stage_kind *kind);

/* gm_llm_stage_read_settings - into the stage, with its prompt and guide. Errors: ARG, FORMAT, IO, NOMEM. */
enum gm_status gm_llm_stage_read_settings(struct gm_llm_stage *s, const struct gm_json *settings,
                                          struct gm_error *err) GM_NODISCARD;

/* gm_llm_stage_sees - whether a picture goes along with what is asked about the post. */
bool gm_llm_stage_sees(const struct gm_llm_stage *s, const struct gm_post *p);

/* gm_llm_stage_picture - the post's picture as it is to be sent, and its size noted in the post;
 * nothing stays decoded. *out is yours (gm_picture_clear), whatever comes back. OK: it is there, or the
 * post has failed (p->error). Another status: a stop, or the post's time is over. Threads: yes. */
enum gm_status gm_llm_stage_picture(struct gm_llm_stage *s, struct gm_post *p,
                                    struct gm_picture *out, struct gm_error *err) GM_NODISCARD;

/* gm_llm_stage_views - the same for n views of the post's picture (llm/picture.h), which is decoded once; out [n]. */
enum gm_status gm_llm_stage_views(struct gm_llm_stage *s, struct gm_post *p,
                                  const struct gm_picture_view *views, size_t n,
                                  struct gm_picture *out, struct gm_error *err) GM_NODISCARD;

/* gm_llm_stage_picture_of - the same for a picture that is not the post's own, as an example's. Errors:
 * those of gm_image_load, gm_picture_make; a stop. gm_llm_stage_part - what of it goes into a
 * message; borrows its bytes. */
enum gm_status gm_llm_stage_picture_of(struct gm_llm_stage *s, struct gm_str path,
                                       struct gm_picture *out, struct gm_error *err) GM_NODISCARD;
struct gm_llm_part gm_llm_stage_part(const struct gm_picture *picture);

/* One question of a post. */
enum { GM_LLM_TEXTS_MAX = 1000 };
struct gm_llm_question {
    const struct gm_post *post;           /* whose question it is; NULL = of none */
    const struct gm_prompt_value *values; /* without those of GM_LLM_VALUES */
    size_t n_values;
    const struct gm_prompt_example *examples;
    size_t n_examples;
    const struct gm_llm_asking *asking; /* NULL = the stage's own */
    const struct gm_picture
        *picture; /* in place of the one that gm_llm_stage_ask is given; NULL = that one */
    size_t
        sample; /* which of several answers to one question, from 1 on, each with a seed of its own and at
                      `temperature`; 0 = the only one, as the stage's settings say */
    double temperature;
    bool logprobs, fresh;
    const char *(*check)(void *user, const struct gm_json *value); /* as in gm_llm_request */
    void *user;
};

/* gm_llm_stage_ask - ask n questions at once and wait for all answers; picture NULL = none.
 * Where the server takes fewer pictures than a question has, it is asked again with fewer examples, and so is every
 * later one; that is said once. Where the server takes no pictures and the stage can do without (images: auto), all are asked again
 * without, and no later post's picture is sent; that is said once. replies [n] are the caller's to clear (gm_llm_reply_clear), whatever is returned.
 * OK: each has been answered, or has an error of its own: FORMAT (no answer that fits), NET or ARG
 * (no answer at all), or CANCEL in a dry run. Another status: the client has stopped, the post's time is over
 * (EAGAIN), NOMEM, ARG (there is no client); the post is to stay as it is. Threads: yes. */
enum gm_status gm_llm_stage_ask(struct gm_llm_stage *s, const struct gm_picture *picture,
                                const struct gm_llm_question *questions, size_t n,
                                struct gm_llm_reply *replies, struct gm_error *err) GM_NODISCARD;

/* gm_llm_stage_failed - whether the reply holds no answer to judge: then the post has failed (NET,
 * ARG) or nothing was asked (a dry run), and the stage leaves it. */
bool gm_llm_stage_failed(const struct gm_llm_stage *s, struct gm_post *p,
                         const struct gm_llm_reply *r);

/* gm_llm_reject_entity - count an answer about e that can't be used, and note
 * "STAGE_rejected:REASON" (record/note.h); both texts outlive the run. */
enum gm_status gm_llm_reject_entity(const struct gm_llm_stage *s, struct gm_post *p,
                                    struct gm_entity *e, const char *reason,
                                    struct gm_error *err) GM_NODISCARD;

/* gm_llm_clear_rejected - take away what an earlier run noted so of e, whose answer is about to be taken. Errors: NOMEM. */
enum gm_status gm_llm_clear_rejected(const struct gm_llm_stage *s, struct gm_post *p,
                                     struct gm_entity *e, struct gm_error *err) GM_NODISCARD;

/* gm_llm_one_line - a copy of s in the arena with runs of white space made one space and control
 * characters dropped; .p NULL when memory is out. */
struct gm_str gm_llm_one_line(struct gm_arena *a, struct gm_str s);

/* gm_llm_is_numbered - whether `list` has objects whose "entity" are numbers of 1 to n, in any order, those of 1
 * to n_needed all, and unless may_repeat none twice; n_needed <= n <= GM_LLM_NUMBERED_MAX. */
enum { GM_LLM_NUMBERED_MAX = 200 };
bool gm_llm_is_numbered(const struct gm_json *list, size_t n_needed, size_t n, bool may_repeat);

#endif
