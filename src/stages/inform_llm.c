/* inform, by an LLM: what a reader should know to understand the post, asked with in-context samples
 * (samples.h). With the setting tagger the step retag (tag_native.c) follows, which reads the knowledge
 * behind the text. Source: the auxiliary knowledge of PGIM and RiVEG (arXiv 2406.07268). The model's words
 * never become entities: the tagger finds them, in the text alone. */
#include "stages/backends.h"
#include "stages/llm_stage.h"
#include "stages/samples.h"

enum { KNOWLEDGE_MAX_BYTES = 2000, LIST_MAX_BYTES = 4 << 20 };

struct inform {
    struct gm_llm_stage base; /* first: the helpers take a pointer to it */
    struct gm_samples *samples;
};

static enum gm_status open_inform(void *self, const struct gm_json *settings, struct gm_error *err)
{
    return gm_samples_open(&((struct inform *)self)->samples, settings, err);
}

static void close_inform(void *self) { gm_samples_free(((struct inform *)self)->samples); }

static const char *check(void *user, const struct gm_json *value)
{
    struct gm_str s;
    (void)user;
    return gm_json_str(value, &s) && s.n <= KNOWLEDGE_MAX_BYTES ? NULL
                                                                : "knowledge that is too long";
}

static enum gm_status list_entities(const struct gm_post *p, struct gm_buf *out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < p->n_entities && st == GM_OK; i++)
        st = gm_buf_printf(out, err, "%s%.*s", i ? ", " : "", GM_STR_ARG(p->entities[i].text));
    return st;
}

static enum gm_status take(struct inform *f, struct gm_post *p, const struct gm_llm_reply *r,
                           struct gm_error *err)
{
    struct gm_str text = {NULL, 0};
    if (r->st == GM_EFORMAT) {
        gm_llm_reject(f->base.llm, f->base.stage, "no_knowledge");
        return GM_OK;
    }
    (void)gm_json_str(r->value, &text);
    struct gm_str line = gm_llm_one_line(&p->arena, text);
    if (!line.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    p->knowledge = line;
    return GM_OK;
}

static enum gm_status inform_post(void *self, struct gm_post *p, struct gm_error *err)
{
    struct inform *f = self;
    enum gm_status st = GM_OK;
    struct gm_llm_reply r = {0};
    struct gm_picture picture = {.w = 0};
    struct gm_buf names, samples;
    if (p->knowledge.n)
        return GM_OK;
    gm_buf_init(&names, LIST_MAX_BYTES);
    gm_buf_init(&samples, LIST_MAX_BYTES);
    bool sees = gm_llm_stage_sees(&f->base, p);
    if (sees)
        GM_TRY(gm_llm_stage_picture(&f->base, p, &picture, err));
    if (p->error.stage.n)
        goto done;
    GM_TRY(list_entities(p, &names, err));
    GM_TRY(gm_samples_write(f->samples, p, &samples, err));
    const struct gm_prompt_value v[] = {{"text", p->text},
                                        {"caption", p->caption},
                                        {"entities", gm_buf_str(&names)},
                                        {"samples", gm_buf_str(&samples)}};
    const struct gm_llm_question q = {.post = p, .values = v, .n_values = 4, .check = check};
    GM_TRY(gm_llm_stage_ask(&f->base, sees ? &picture : NULL, &q, 1, &r, err));
    if (!gm_llm_stage_failed(&f->base, p, &r))
        GM_TRY(take(f, p, &r, err));
done:
    gm_llm_reply_clear(&r);
    gm_picture_clear(&picture);
    gm_buf_clear(&names);
    gm_buf_clear(&samples);
    return st;
}

/* The tagger is named here, too, as it was when its entities were stored in one row with the answer:
 * a run folder of then goes on without asking again. */
static enum gm_status fingerprint_inform(const struct gm_json *settings, struct gm_buf *out,
                                         struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str model = {NULL, 0};
    GM_TRY(gm_samples_fingerprint(settings, out, err));
    GM_TRY(gm_settings_str(settings, "tagger", &model, err));
    if (model.n)
        GM_TRY(gm_fingerprint_model(model.p, out, err));
done:
    return st;
}

static const char *const values[] = {GM_LLM_VALUES, "text", "caption", "entities", "samples", NULL};
static const char *const known[] = {GM_LLM_SETTINGS, GM_SAMPLES_SETTINGS, "tagger", "precision",
                                    NULL};
static const struct gm_llm_stage_kind kind = {
    .prompt = "inform",
    .values = values,
    .settings = known,
    .max_tokens = 300,
    .one = inform_post,
    .size = sizeof(struct inform),
    .open = open_inform,
    .close = close_inform,
    .fingerprint = fingerprint_inform,
};

const struct gm_backend gm_backend_inform_llm = {
    GM_LLM_BACKEND,      .stage = "inform", .llm = &kind, .then = &gm_backend_retag_native,
    .then_if = "tagger",
};
