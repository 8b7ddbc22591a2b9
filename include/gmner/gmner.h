/* gmner.h - who is named in a post, and where they are in its picture: the library behind the
 * program `gmner`, for use inside of other programs. From simple to advanced:
 *
 *     1 version   2 errors   3 a model and its sessions   4 posts   5 predict   6 results   7 options
 *     8 streams   9 cancel and cost
 *
 *     struct gmner_model *model;
 *     struct gmner_session *session;
 *     struct gmner_result *result;
 *     struct gmner_error e;
 *     struct gmner_post post = {.struct_size = sizeof post, .text = "Grace Hopper at the Navy Yard",
 *                               .image = "grace.jpg"};
 *     if (gmner_open(NULL, &model, &e) || gmner_session_new(model, &session, &e) ||
 *         gmner_predict(session, &post, 1, &result, &e))
 *         … e.message says what is wrong, where, and how to mend it
 *
 * examples/embed.c is a whole program, docs/library.md a guide.
 *
 * What holds everywhere. Text is UTF-8, ended by NUL where no length stands beside it; what is no
 * UTF-8 in the text of a post is repaired. What is given to a call is only read during the call,
 * and copied where it is needed longer. A function that can fail returns 0 or a number of enum
 * gmner_status, and fills *error where that is not NULL; what it was to make is then NULL. NULL
 * where an object is needed is an error (GMNER_EARG) and no crash. Nothing is printed, no signal
 * handler, locale or OpenMP setting of the program is changed, and nothing exits. Which calls may
 * run at the same time stands beside each; on different objects all may. */
#ifndef GMNER_H
#define GMNER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GMNER_API __attribute__((visibility("default")))
#else
#define GMNER_API
#endif

/* ---- 1. version ---- */

/* Of this header. Within a major version, what was compiled with an older header works with a
 * newer library. */
#define GMNER_VERSION_MAJOR 0
#define GMNER_VERSION_MINOR 1
#define GMNER_VERSION_PATCH 0

/* gmner_version - of the library: "0.1.0". */
GMNER_API const char *gmner_version(void);

/* ---- 2. errors ---- */

/* The numbers never change. */
enum gmner_status {
    GMNER_OK = 0,
    GMNER_ENOMEM = 1,  /* out of memory */
    GMNER_EIO = 2,     /* a file can't be read or written, a thread not started */
    GMNER_EFORMAT = 3, /* a post, file or answer that is not what it should be */
    GMNER_EARG = 4,    /* an argument, option or setting that can't be */
    GMNER_ESHAPE = 5,  /* a model whose tensors do not fit */
    GMNER_ENET = 6,    /* the network, or the server of a language model */
    GMNER_ETIME = 7,   /* it took longer than it may */
    GMNER_EMODEL = 8,  /* a model that is missing or broken */
    GMNER_ECANCEL = 9, /* gmner_cancel, a callback that said so, or a budget that is spent */
    GMNER_EBUSY = 10,  /* the session is in another call */
    GMNER_ECLOSED = 11 /* the session was closed */
};

struct gmner_error {
    int status; /* enum gmner_status */
    char message
        [1024]; /* one line of UTF-8: what is wrong, where, how to mend it; "" with GMNER_OK */
};

/* gmner_status_name - "ok", "nomem", "io", … as "code" of an error in JSON has it; "unknown" for
 * other numbers. */
GMNER_API const char *gmner_status_name(int status);

/* ---- 3. a model and its sessions ---- */

/* The stages of a recipe with their weights. It does not change, and any number of sessions on
 * any threads share it: each has buffers of its own, and of the weights there is one copy. */
struct gmner_model;
/* What one caller needs to predict. One call at a time; one session a thread is the rule. */
struct gmner_session;

struct gmner_opts; /* 7 */

/* gmner_open - read a recipe. opts NULL = the recipe "embedded" with every default. Files of
 * models are loaded when the first post needs them, and stay until the model is freed.
 * Errors: EARG (an unknown recipe, a bad option, no server for a recipe that asks a language
 * model), EIO, EFORMAT, EMODEL (a tagger that is missing), ENOMEM. Threads: yes. */
GMNER_API int gmner_open(const struct gmner_opts *opts, struct gmner_model **model,
                         struct gmner_error *error);
/* gmner_close - the caller needs it no more; it is freed with the last of its sessions.
 * NULL-safe. */
GMNER_API void gmner_close(struct gmner_model *model);

/* gmner_session_new - Errors: ENOMEM. Threads: yes. */
GMNER_API int gmner_session_new(struct gmner_model *model, struct gmner_session **session,
                                struct gmner_error *error);
/* gmner_session_close - give up all that it holds; calls on it are then errors (ECLOSED), for
 * programs whose objects outlive what is in them. EBUSY while it is in a call. gmner_session_free
 * - close it and forget it; no call is under way, and none follows. NULL-safe. */
GMNER_API int gmner_session_close(struct gmner_session *session, struct gmner_error *error);
GMNER_API void gmner_session_free(struct gmner_session *session);

/* ---- 4. posts ---- */

/* An entity that is known beforehand, for recipes that do not begin with tagging. */
struct gmner_span {
    size_t start, end; /* code points of the text, end exclusive */
    const char *type;  /* "PER" */
};

/* A post. All members but struct_size may be 0 or NULL; one of text, tokens and json is needed. */
struct gmner_post {
    size_t struct_size; /* sizeof(struct gmner_post) */
    const char *text;
    const char *const
        *tokens; /* [n_tokens] words, in place of a text that is cut into words here */
    size_t n_tokens;
    const char *image;       /* path of a JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF file; with
                                image_bytes what results call the image */
    const void *image_bytes; /* [image_len] such a file's content, in place of a file */
    size_t image_len;
    const char *id;                    /* NULL = its number within the call, from 1 */
    const char *caption;               /* of the image */
    const struct gmner_span *entities; /* [n_entities] */
    size_t n_entities;
    int has_entities; /* the entities are known, also when there are none */
    const char *
        json; /* [json_len] in place of all the above but image_bytes: an object of docs/record.md, as a
                         line of the program's input */
    size_t json_len;
};

/* ---- 5. predict ---- */

struct gmner_result;

/* gmner_predict - the entities of n posts, in batches that use all of the session's threads: many
 * posts a call are much faster than one.
 *   posts  [n] all of one struct_size
 *   result yours: gmner_result_free; it has a post for each of `posts`, in their order, and is
 *          independent of session and model
 * A post that can't be read or that fails keeps what was found and carries an error of its own;
 * the others go on and the call is OK. Errors are those that no post gets by: EMODEL (a model
 * that is missing), ENET (a server that is dead), ECANCEL, EARG, ENOMEM, EBUSY, ECLOSED. */
GMNER_API int gmner_predict(struct gmner_session *session, const struct gmner_post *posts, size_t n,
                            struct gmner_result **result, struct gmner_error *error);

/* gmner_predict_json - the same for posts as JSON text [len]: one object, which may stand on several
 * lines, an array of them, or a line each (JSON Lines). A line or an element that is no object among
 * others that are is a post that failed; of an empty text or array there are no posts.
 * Errors: also EFORMAT (none of these: no line or element is an object, an array that can't be read). */
GMNER_API int gmner_predict_json(struct gmner_session *session, const char *text, size_t len,
                                 struct gmner_result **result, struct gmner_error *error);

/* ---- 6. results ----
 *
 * What the functions return belongs to the result and goes with it. Reading is safe from many threads at once, but
 * for gmner_result_json. A number past the last gives NULL. Structures of this part are made by the library alone, and
 * may get more members at their end. */

/* One post. Texts are "" where there is none. */
struct gmner_answer {
    const char *id, *text, *image, *caption, *knowledge;
    uint32_t image_w, image_h; /* pixels of the upright picture; 0 = it was not read */
    size_t n_entities;
    const char *error_stage; /* where it failed ("input": it can't be read); "" = it did not */
    const char *error_code;  /* as gmner_status_name */
    const char *error_message;
};

struct gmner_entity {
    const char *text, *type;
    const char *fine_type;  /* "" = none */
    size_t start, end;      /* code points of the post's text, end exclusive */
    double score;           /* 0..1: that there is this entity */
    double visible;         /* 0..1: that it is in the picture; -1 = not judged */
    const char *source;     /* the stage that found it: "tag", "input", … */
    const char *expression; /* what it was looked for as; "" = nothing */
    const char *note;       /* why it has no box: "no_box:no_person"; "" = nothing to say */
    size_t n_regions;
};

struct gmner_region {
    double box[4];     /* xmin, ymin, xmax, ymax in pixels of the upright picture, half-open */
    double score;      /* 0..1 */
    const char *label; /* what the detector saw: "person"; "" = nothing */
    const char *note;  /* why it has no mask; "" = nothing to say */
    uint32_t mask_h,
        mask_w; /* pixels of the mask, which are those of the picture; 0 = there is none */
    const char *mask_counts; /* COCO's compressed run lengths, ASCII; "" = there is none */
};

GMNER_API size_t gmner_result_count(const struct gmner_result *result);
GMNER_API const struct gmner_answer *gmner_result_post(const struct gmner_result *result,
                                                       size_t post);
GMNER_API const struct gmner_entity *gmner_result_entity(const struct gmner_result *result,
                                                         size_t post, size_t entity);
GMNER_API const struct gmner_region *gmner_result_region(const struct gmner_result *result,
                                                         size_t post, size_t entity, size_t region);

/* gmner_mask_pixels - a region's mask as bytes: pixels [mask_h][mask_w], row by row, 1 inside and
 * 0 outside; `size` is what the caller has room for. A region without a mask has no pixels, and
 * nothing is written.
 * Errors: EARG (too little room), EFORMAT, ENOMEM. Threads: yes. */
GMNER_API int gmner_mask_pixels(const struct gmner_region *region, uint8_t *pixels, size_t size,
                                struct gmner_error *error);

/* gmner_result_json - a post as the program writes it: a JSON object on one line, without a line
 * end. GMNER_ALL_POSTS: every post, with a line end each. *len (may be NULL) is the text's
 * length; it is ended by NUL, too, and stays until gmner_result_free. One thread at a time.
 * Errors: EARG (no such post), ENOMEM. */
#define GMNER_ALL_POSTS ((size_t)-1)
GMNER_API int gmner_result_json(struct gmner_result *result, size_t post, const char **json,
                                size_t *len, struct gmner_error *error);

GMNER_API void gmner_result_free(struct gmner_result *result); /* NULL-safe */

/* gmner_html - a post as an HTML page of its own, which loads nothing: the picture with boxes and masks, the text
 * with the entities marked, and a table of them. post->json is what gmner_result_json gave, or any record;
 * post->image_bytes the picture where the record has no path of one. A picture that can't be read is shown as
 * missing. *html is yours: gmner_html_free; *len (may be NULL) its length without the NUL at its end.
 * Errors: EARG, ENOMEM. Threads: yes. */
GMNER_API int gmner_html(const struct gmner_post *post, char **html, size_t *len,
                         struct gmner_error *error);
GMNER_API void gmner_html_free(char *html); /* NULL-safe */

/* ---- 7. options ---- */

enum gmner_log_level {
    GMNER_LOG_ERROR = 1,
    GMNER_LOG_WARNING = 2,
    GMNER_LOG_INFO = 3,
    GMNER_LOG_DEBUG = 4
};

/* One line without its end. Called from any thread, perhaps from several at once. It must not
 * call the library. It may wait for a lock of the host's that is held where gmner_model_usage or
 * gmner_cancel is called, and for none that is held in a longer call, which may wait for it. */
typedef void gmner_log_fn(void *user, int level, const char *line);

/* Zeroed, every member has its default; gmner_opts_init does that. Texts are copied by
 * gmner_open. */
struct gmner_opts {
    size_t struct_size; /* sizeof(struct gmner_opts) */

    /* What is done. */
    const char *
        recipe; /* "embedded" (the default), "tag", "riveg", "refineg", or the path of a YAML file */
    const char *settings;  /* a file of settings, which count before the recipe's */
    const char *tagger;    /* the tagger's model: a folder, or a name of one; NULL = the recipe's */
    const char *precision; /* "auto", "f32", "bf16", "int8"; NULL = the recipe's */
    size_t max_words;      /* a post of more fails; 0 = 20,000 */
    uint64_t max_pixels;   /* a picture of more can't be read; 0 = 100 million */
    double post_seconds;   /* a stage that needs longer for a post fails it; 0 = any time */

    /* Where files are. */
    const char *
        home; /* the folder with recipes/, prompts/ and models/; NULL = $GMNER_HOME, else found beside
                           the library (share/gmner), else beside the program */
    const char
        *models; /* a folder of models that is looked at first; NULL = $GMNER_MODELS, if set */
    const char
        *run; /* a folder that gmner_stream keeps every result in, to go on there; NULL = none */

    /* How much of the machine. */
    size_t threads; /* of a session's call; 0 = all cores that the process may use */
    size_t
        sessions; /* that work at once: room for so many is made in models of pictures; 0 = cores / threads */

    /* The language model, for recipes that ask one. All sessions share one client, and so its limits. */
    const char
        *llm_endpoint;     /* "http://host:8000/v1", several with commas between, or a FILE.gguf */
    const char *llm_model; /* its name; NULL = "default" */
    const char *llm_key;   /* never logged; NULL = that of llm_key_file, else $OPENAI_API_KEY */
    const char *llm_key_file; /* read only when nobody but its owner can */
    const char *llm_server;   /* the command that serves a FILE.gguf; NULL = "llama-server" */
    const char *llm_cache;    /* a file that answers are kept in, to be used again; NULL = none */
    size_t llm_in_flight;     /* requests at once; 0 = 16 */
    double llm_price_in, llm_price_out; /* money for a million tokens */
    double llm_budget;                  /* money that may be spent; needs the prices; 0 = any */
    double llm_requests_per_min, llm_tokens_per_min; /* 0 = any number */

    /* What it has to say while it works. */
    gmner_log_fn *log; /* NULL = nothing is said */
    void *log_user;
    int log_level; /* the most verbose that is wanted; 0 = GMNER_LOG_INFO */
};

/* gmner_opts_init - every default; size is sizeof(struct gmner_opts) as the caller knows it. */
GMNER_API void gmner_opts_init(struct gmner_opts *opts, size_t size);

/* ---- 8. streams ---- */

enum {
    GMNER_NEXT_END = 0, /* there are no more posts */
    GMNER_NEXT_POST =
        1, /* *post is one; what it points to must stay until the next call of `next` */
    GMNER_NEXT_LATER =
        2 /* there is none now; asked again after what is here was worked on, within milliseconds */
};

/* Any number of posts in constant memory. All functions are called on the caller's thread. A
 * number below 0 from `next`, one that is not 0 from `put` or `stop`, ends the stream with
 * ECANCEL. */
struct gmner_stream {
    size_t struct_size; /* sizeof(struct gmner_stream) */
    void *user;
    int (*next)(void *user, struct gmner_post *post); /* *post is zeroed but for struct_size */
    int (*put)(void *user,
               struct gmner_result *result); /* one post, in the order of the input; yours:
                                                            gmner_result_free */
    int (*stop)(void *user);                 /* asked ten times a second or so; NULL = never */
};

/* gmner_stream_run - posts from `next` to `put`, until the end. With a run folder (opts.run)
 * every result of every stage is in it before it comes to `put`: a stream of the same posts takes
 * from there what is known. One session at a time uses a run folder. Errors: as gmner_predict;
 * EIO of the folder. */
GMNER_API int gmner_stream_run(struct gmner_session *session, const struct gmner_stream *stream,
                               struct gmner_error *error);

/* ---- 9. cancel and cost ---- */

/* gmner_cancel - the session's call that is under way ends soon, with ECANCEL; where none is,
 * nothing happens. The session can be used again. Threads: from any, while the session is not
 * freed. */
GMNER_API void gmner_cancel(struct gmner_session *session);

/* What the language model has cost so far, all sessions together, with what calls that are under
 * way have asked. */
struct gmner_usage {
    size_t struct_size; /* sizeof(struct gmner_usage): the caller's */
    size_t requests, answered, cached, failed;
    size_t prompt_tokens, completion_tokens;
    double cost; /* by the prices of the options */
};

/* gmner_model_usage - zeros where no language model was asked. Errors: EARG. Threads: yes. */
GMNER_API int gmner_model_usage(const struct gmner_model *model, struct gmner_usage *usage,
                                struct gmner_error *error);

#ifdef __cplusplus
}
#endif

#endif
