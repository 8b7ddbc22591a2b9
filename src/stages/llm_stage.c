#include "stages/llm_stage.h"

#include "base/alloc.h"
#include "base/host.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/stop.h"
#include "llm/schema.h"
#include "stages/asked.h"

#include <string.h>

static const struct gm_llm_stage_kind *kind_of(const struct gm_backend *b,
                                               const struct gm_json *settings)
{
    const struct gm_llm_stage_kind *other = b->llm->pick ? b->llm->pick(settings) : NULL;
    return other ? other : b->llm;
}

/* What all kinds have. *out is there to be closed whatever the result, unless it is NULL. */
static enum gm_status open_base(struct gm_llm_stage **out, const struct gm_backend *b,
                                const struct gm_json *settings, struct gm_error *err)
{
    struct gm_llm_stage *s = gm_alloc(1, b->llm->size ? b->llm->size : sizeof *s);
    *out = s;
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    s->stage = b->stage;
    s->kind = kind_of(b, settings);
    s->read = s->kind->read;
    gm_arena_init(&s->arena, 0);
    sem_init(&s->decoders, 0, (unsigned)gm_threads());
    return gm_llm_stage_read_settings(s, settings, err);
}

enum gm_status gm_llm_stage_check(const struct gm_backend *b, const struct gm_json *settings,
                                  struct gm_error *err)
{
    struct gm_llm_stage *s;
    enum gm_status st = open_base(&s, b, settings, err);
    gm_llm_stage_close(s);
    return st;
}

enum gm_status gm_llm_stage_open(void **self, const struct gm_backend *b,
                                 const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_llm_stage *s;
    *self = NULL;
    GM_TRY(open_base(&s, b, settings, err));
    if (s->kind->schema)
        GM_TRY(gm_schema_parse(&s->schema, gm_str(s->kind->schema), err));
    if (s->kind->open) {
        s->is_open = true;
        GM_TRY(s->kind->open(s, settings, err));
    }
    *self = s;
    s = NULL;
done:
    gm_llm_stage_close(s);
    return st;
}

void gm_llm_stage_close(void *self)
{
    struct gm_llm_stage *s = self;
    if (!s)
        return;
    if (s->is_open && s->kind->close)
        s->kind->close(s);
    gm_prompt_free(s->prompt);
    gm_json_free(s->schema);
    gm_json_free(s->extra);
    gm_guide_clear(&s->guide);
    gm_arena_clear(&s->arena);
    sem_destroy(&s->decoders);
    gm_free(s);
}

void gm_llm_stage_use(void *self, struct gm_llm *llm, size_t servers)
{
    struct gm_llm_stage *s = self;
    s->llm = llm;
    s->servers = servers;
}

enum gm_status gm_llm_stage_learn(void *self, struct gm_error *err)
{
    const struct gm_llm_stage *s = self;
    return s->kind->learn ? s->kind->learn(self, err) : GM_OK;
}

enum gm_status gm_llm_stage_run(void *self, struct gm_post **posts, size_t n, struct gm_error *err)
{
    const struct gm_llm_stage *s = self;
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < n && st == GM_OK; i++)
        if (!posts[i]->error.stage.n && (posts[i]->image.n || s->images != GM_LLM_IMAGES_ALWAYS)) {
            gm_asked_begin();
            st = s->kind->one(self, posts[i], err);
            if (st == GM_OK)
                st = gm_asked_end(posts[i], s->stage, err);
        }
    return st;
}

enum gm_status gm_llm_stage_fingerprint(const struct gm_backend *b, const struct gm_json *settings,
                                        struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_llm_stage_kind *kind = kind_of(b, settings);
    const struct gm_llm_prompt_setting prompt = gm_llm_stage_prompt(kind);
    struct gm_str guide = {NULL, 0};
    GM_TRY(gm_llm_prompt_fingerprint(&prompt, settings, out, err));
    GM_TRY(gm_settings_str(settings, "guide", &guide, err));
    if (guide.n)
        GM_TRY(gm_fingerprint_file("guide", guide.p, out, err));
    if (kind->fingerprint)
        st = kind->fingerprint(settings, out, err);
done:
    return st;
}

bool gm_llm_stage_sees(const struct gm_llm_stage *s, const struct gm_post *p)
{
    return p->image.n && s->images != GM_LLM_IMAGES_NEVER && !atomic_load(&s->is_blind) &&
           gm_prompt_has_image(s->prompt);
}

/* From the whole picture: what a post has decoded may be a copy of fewer pixels (stages/pixels.h). */
static enum gm_status make_pictures(const struct gm_llm_stage *s, struct gm_str path,
                                    const struct gm_picture_view *views, size_t n,
                                    struct gm_picture *out, struct gm_error *err)
{
    struct gm_image *im = NULL;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    struct gm_str ended = gm_arena_str(&a, path); /* by NUL */
    enum gm_status st = ended.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (st == GM_OK)
        st = gm_image_load(&im, ended.p, err);
    const struct gm_picture_rule rule = {(uint32_t)s->image_side, s->grid, (uint32_t)s->min_pixels};
    for (size_t i = 0; i < n && st == GM_OK; i++)
        st = gm_picture_make(&out[i], im, views ? &views[i] : NULL, &rule, (int)s->jpeg_quality,
                             err);
    gm_image_free(im);
    gm_arena_clear(&a);
    return st;
}

/* *stopped: the work is to end, and the status is not the picture's. */
static enum gm_status make_in_turn(struct gm_llm_stage *s, struct gm_str path,
                                   const struct gm_picture_view *views, size_t n,
                                   struct gm_picture *out, bool *stopped, struct gm_error *err)
{
    const struct gm_limit limit = gm_limit_get();
    for (size_t i = 0; i < n; i++)
        gm_buf_init(&out[i].jpeg, 0);
    while (sem_wait(&s->decoders) != 0) {
    } /* only a signal interrupts it */
    enum gm_status st = gm_limit_check(&limit, err);
    *stopped = st != GM_OK;
    if (st == GM_OK)
        st = make_pictures(s, path, views, n, out, err);
    sem_post(&s->decoders);
    return st;
}

enum gm_status gm_llm_stage_views(struct gm_llm_stage *s, struct gm_post *p,
                                  const struct gm_picture_view *views, size_t n,
                                  struct gm_picture *out, struct gm_error *err)
{
    struct gm_error why = {0};
    bool stopped;
    enum gm_status st = make_in_turn(s, p->image, views, n, out, &stopped, &why);
    if (stopped && err)
        *err = why;
    if (stopped)
        return st;
    if (st == GM_OK) {
        p->image_w = out->full_w;
        p->image_h = out->full_h;
    } else {
        gm_post_fail(p, s->stage, &why);
    }
    return GM_OK;
}

enum gm_status gm_llm_stage_picture(struct gm_llm_stage *s, struct gm_post *p,
                                    struct gm_picture *out, struct gm_error *err)
{
    return gm_llm_stage_views(s, p, NULL, 1, out, err);
}

enum gm_status gm_llm_stage_picture_of(struct gm_llm_stage *s, struct gm_str path,
                                       struct gm_picture *out, struct gm_error *err)
{
    bool stopped;
    return make_in_turn(s, path, NULL, 1, out, &stopped, err);
}

struct gm_llm_part gm_llm_stage_part(const struct gm_picture *picture)
{
    return (struct gm_llm_part){
        .kind = GM_LLM_JPEG, .bytes = gm_buf_str(&picture->jpeg), .w = picture->w, .h = picture->h};
}

/* Of samples, so that one that is asked for again does not become the next one. */
static const long long seeds_apart = 100;

enum { N_COMMON = 2 }; /* of GM_LLM_VALUES */

/* The examples whose pictures the server takes beside the post's own. */
static size_t shown_examples(const struct gm_llm_stage *s, const struct gm_llm_question *q,
                             bool has_picture)
{
    size_t most = atomic_load(&s->most_pictures), n = 0, n_pictures = 1;
    if (!has_picture || most == 0)
        return q->n_examples;
    while (n < q->n_examples && (!q->examples[n].picture || n_pictures < most))
        n_pictures += q->examples[n++].picture != NULL;
    return n;
}

/* "NAVY YARD" "Grace" … in reading order. */
static enum gm_status quote_texts(const struct gm_post *p, struct gm_arena *a, struct gm_str *out,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf b;
    gm_buf_init(&b, GM_LLM_TEXTS_MAX + 1);
    for (size_t i = 0; p && i < p->n_texts; i++) {
        struct gm_str line = gm_llm_one_line(a, p->texts[i].text);
        GM_TRY(line.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
        if (b.n + line.n + 3 > GM_LLM_TEXTS_MAX)
            break;
        GM_TRY(gm_buf_printf(&b, err, "%s\"%.*s\"", b.n ? " " : "", GM_STR_ARG(line)));
    }
    *out = gm_arena_str(a, gm_buf_str(&b));
    if (!out->p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_buf_clear(&b);
    return st;
}

/* What the prompt of a question is filled with: its own values behind GM_LLM_VALUES. */
static enum gm_status values_of(const struct gm_llm_stage *s, const struct gm_llm_question *q,
                                struct gm_arena *a, struct gm_prompt_filling *filling,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str texts;
    struct gm_prompt_value *values = gm_arena_alloc(a, q->n_values + N_COMMON, sizeof *values);
    if (!values)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(quote_texts(q->post, a, &texts, err));
    values[0] = (struct gm_prompt_value){"guide", s->guide.text};
    values[1] = (struct gm_prompt_value){"texts", texts};
    for (size_t i = 0; i < q->n_values; i++)
        values[N_COMMON + i] = q->values[i];
    filling->values = values;
    filling->n_values = N_COMMON + q->n_values;
done:
    return st;
}

static enum gm_status submit(const struct gm_llm_stage *s, struct gm_llm_mailbox *box,
                             const struct gm_llm_part *picture, const struct gm_llm_question *q,
                             uint64_t *id, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_llm_message *messages;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    struct gm_llm_request r = {.user = q->user,
                               .servers = s->servers,
                               .model = s->model,
                               .temperature = s->temperature,
                               .top_p = s->top_p,
                               .max_tokens = (long)s->max_tokens,
                               .max_name = s->max_name,
                               .extra = s->extra,
                               .can_do_without_pictures =
                                   picture && s->images == GM_LLM_IMAGES_AUTO &&
                                   s->kind->needs_picture == GM_LLM_PICTURE_HELPS,
                               .seed = (long long)s->seed,
                               .logprobs = q->logprobs,
                               .fresh = q->fresh,
                               .schema = s->schema,
                               .read = s->read,
                               .check = q->check};
    const struct gm_prompt *prompt = s->prompt;
    if (q->asking) {
        prompt = q->asking->prompt;
        r.schema = q->asking->schema;
        r.read = q->asking->read;
        if (q->asking->max_tokens)
            r.max_tokens = q->asking->max_tokens;
    }
    if (q->sample) {
        r.temperature = q->temperature;
        r.sample = q->sample;
        r.seed = (s->seed < 0 ? 0 : (long long)s->seed) + seeds_apart * (long long)q->sample;
    }
    struct gm_prompt_filling filling = {.picture = picture,
                                        .examples = q->examples,
                                        .n_examples = shown_examples(s, q, picture != NULL)};
    GM_TRY(values_of(s, q, &a, &filling, err));
    GM_TRY(gm_prompt_render(prompt, &a, &filling, &messages, &r.n_messages, err));
    r.messages = messages;
    GM_TRY(gm_llm_submit(box, &r, id, err));
done:
    gm_arena_clear(&a);
    return st;
}

/* Replies come in any order. */
static enum gm_status collect(const struct gm_llm_stage *s, struct gm_llm_mailbox *box,
                              const uint64_t *ids, size_t n, struct gm_llm_reply *replies,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_limit limit = gm_limit_get();
    bool drained = false;
    for (size_t got = 0; got < n;) {
        struct gm_llm_reply r;
        if (!gm_llm_poll(box, 100,
                         &r)) { /* every request gets its reply, or the post's time is over */
            if (gm_stop_asked())
                return GM_FAIL(err, GM_ECANCEL, "stopped on request");
            if (gm_limit_is_over(&limit) && !gm_stop_requested())
                return gm_limit_check(&limit, err);
            if (gm_stop_requested() && !drained) /* where the caller's own thread waits here */
                gm_llm_drain(s->llm, GM_LLM_GRACE_S);
            drained = gm_stop_requested();
            continue;
        }
        size_t i = 0;
        while (ids[i] != r.id)
            i++;
        replies[i] = r;
        got++;
        if (r.stopped && !gm_llm_is_dry(s->llm)) {
            st = r.st;
            if (err)
                *err = r.err;
        }
    }
    return st;
}

static enum gm_status ask_all(const struct gm_llm_stage *s, const struct gm_picture *picture,
                              const struct gm_llm_question *questions, size_t n,
                              struct gm_llm_reply *replies, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_llm_mailbox *box = NULL;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    uint64_t *ids = gm_arena_alloc(&a, n, sizeof *ids);
    if (!ids) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(gm_llm_mailbox_new(&box, s->llm, err));
    for (size_t i = 0; i < n; i++) {
        const struct gm_picture *own = questions[i].picture ? questions[i].picture : picture;
        struct gm_llm_part part = {.kind = GM_LLM_JPEG};
        if (own)
            part = gm_llm_stage_part(own);
        GM_TRY(submit(s, box, own ? &part : NULL, &questions[i], &ids[i], err));
    }
    GM_TRY(collect(s, box, ids, n, replies, err));
done:
    gm_llm_mailbox_free(box);
    gm_arena_clear(&a);
    return st;
}

/* The first reply of a server that takes no pictures, or fewer than it was sent; n = there is none. */
static size_t first_refusal(const struct gm_llm_reply *replies, size_t n)
{
    size_t i = 0;
    while (i < n && !replies[i].no_pictures && !replies[i].most_pictures)
        i++;
    return i;
}

static bool has_more_pictures(const struct gm_llm_question *q, size_t most)
{
    size_t n = 1;
    for (size_t i = 0; i < q->n_examples; i++)
        n += q->examples[i].picture != NULL;
    return n > most;
}

/* Do with fewer pictures, or with none, what the reply of a server asks for; false = nothing helps. */
static bool does_with_fewer(struct gm_llm_stage *s, const struct gm_llm_question *q,
                            const struct gm_llm_reply *r)
{
    size_t most = r->most_pictures;
    if (most == 0) {
        if (!atomic_exchange(&s->is_blind, true))
            GM_LOG(GM_LOG_WARN, "llm", "%s does without pictures: %s", s->stage, r->err.msg);
        return true;
    }
    if (!has_more_pictures(q, most))
        return false;
    if (atomic_exchange(&s->most_pictures, most) != most)
        GM_LOG(GM_LOG_WARN, "llm",
               "%s shows at most %zu example%s, as the server takes no more pictures (in vLLM "
               "limit-mm-per-prompt): %s",
               s->stage, most - 1, most == 2 ? "" : "s", r->err.msg);
    return true;
}

enum gm_status gm_llm_stage_ask(struct gm_llm_stage *s, const struct gm_picture *picture,
                                const struct gm_llm_question *questions, size_t n,
                                struct gm_llm_reply *replies, struct gm_error *err)
{
    memset(replies, 0, n * sizeof *replies);
    if (!s->llm)
        return GM_FAIL(err, GM_EARG, "the stage %s asks a language model: give %s", s->stage,
                       gm_option("--endpoint URL"));
    enum gm_status st = ask_all(s, picture, questions, n, replies, err);
    size_t refused = first_refusal(replies, n);
    if (st == GM_OK && refused < n && does_with_fewer(s, &questions[refused], &replies[refused])) {
        if (replies[refused].no_pictures)
            picture = NULL;
        for (size_t i = 0; i < n; i++)
            gm_llm_reply_clear(&replies[i]);
        memset(replies, 0, n * sizeof *replies);
        st = ask_all(s, picture, questions, n, replies, err);
    }
    for (size_t i = 0; st == GM_OK && i < n; i++) {
        gm_asked_reply(&replies[i]);
        if (questions[i].n_examples)
            gm_asked_shown(shown_examples(s, &questions[i], picture || questions[i].picture));
    }
    return st;
}

bool gm_llm_stage_failed(const struct gm_llm_stage *s, struct gm_post *p,
                         const struct gm_llm_reply *r)
{
    if (r->st == GM_OK || r->st == GM_EFORMAT)
        return false;
    if (r->st != GM_ECANCEL)
        gm_post_fail(p, s->stage, &r->err);
    return true;
}
