/* inform, by an LLM: what a reader should know to understand the post, asked with in-context
 * samples from a file. With the setting tagger the step retag (tag_native.c) follows, which reads the
 * knowledge behind the text. Source: the auxiliary knowledge of PGIM and RiVEG (arXiv 2406.07268); the
 * samples are the same for every post. The model's words never become entities: the tagger finds
 * them, in the text alone. */
#include "stages/backends.h"
#include "stages/llm_stage.h"

#include "base/file.h"
#include "base/path.h"
#include "base/lines.h"
#include "base/models.h"

enum { KNOWLEDGE_MAX_BYTES = 2000, SAMPLES_MAX_BYTES = 1 << 16 };

struct inform {
    struct gm_llm_stage base; /* first: the helpers take a pointer to it */
    struct gm_buf samples;    /* as they stand in the prompt */
};

static void close_inform(void *self) { gm_buf_clear(&((struct inform *)self)->samples); }

/* The file that the settings name, else the one that comes with the program. */
static enum gm_status samples_path(struct gm_arena *a, const struct gm_json *settings,
                                   const char **path, struct gm_error *err)
{
    struct gm_str own = {NULL, 0};
    enum gm_status st = gm_settings_str(settings, "samples", &own, err);
    *path = own.p;
    if (st == GM_OK && !own.n)
        st = gm_home_path(a, "prompts/inform_samples.jsonl", path, err);
    if (st == GM_OK && !*path)
        st = GM_FAIL(err, GM_EIO, "no file prompts/inform_samples.jsonl beside the program");
    return st;
}

static enum gm_status add_sample(struct gm_buf *out, struct gm_str line, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    struct gm_str text, caption = {NULL, 0}, knowledge;
    GM_TRY(gm_json_parse(&j, line, err));
    (void)gm_json_str(gm_json_get(j, "caption"), &caption);
    if (!gm_json_str(gm_json_get(j, "text"), &text) ||
        !gm_json_str(gm_json_get(j, "knowledge"), &knowledge)) {
        st = GM_FAIL(err, GM_EFORMAT, "a sample needs the texts \"text\" and \"knowledge\"");
        goto done;
    }
    GM_TRY(gm_buf_printf(out, err, "%sPost: %.*s\n", out->n ? "\n" : "", GM_STR_ARG(text)));
    if (caption.n)
        GM_TRY(gm_buf_printf(out, err, "Photo: %.*s\n", GM_STR_ARG(caption)));
    GM_TRY(gm_buf_printf(out, err, "Knowledge: %.*s\n", GM_STR_ARG(knowledge)));
done:
    gm_json_free(j);
    return st;
}

/* JSON Lines of {"text","caption"?,"knowledge"}. */
static enum gm_status read_samples(struct gm_buf *out, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_lines *lines = NULL;
    struct gm_str line;
    bool has = true;
    GM_TRY(gm_lines_open(&lines, path, SAMPLES_MAX_BYTES, err));
    for (;;) {
        GM_TRY(gm_lines_next(lines, &line, &has, err));
        if (!has)
            break;
        if (!gm_str_trim(line).n)
            continue;
        st = add_sample(out, line, err);
        if (st != GM_OK) {
            gm_error_prefix(err, "%s:%zu", path, gm_lines_number(lines));
            goto done;
        }
    }
done:
    gm_lines_free(lines);
    return st;
}

static enum gm_status open_inform(void *self, const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct inform *f = self;
    struct gm_arena a;
    const char *path;
    gm_arena_init(&a, 0);
    gm_buf_init(&f->samples, SAMPLES_MAX_BYTES);
    GM_TRY(samples_path(&a, settings, &path, err));
    GM_TRY(read_samples(&f->samples, path, err));
done:
    gm_arena_clear(&a);
    return st;
}

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
    struct gm_buf names;
    if (p->knowledge.n)
        return GM_OK;
    gm_buf_init(&names, (size_t)4 << 20);
    bool sees = gm_llm_stage_sees(&f->base, p);
    if (sees)
        GM_TRY(gm_llm_stage_picture(&f->base, p, &picture, err));
    if (p->error.stage.n)
        goto done;
    GM_TRY(list_entities(p, &names, err));
    const struct gm_prompt_value v[] = {{"text", p->text},
                                        {"caption", p->caption},
                                        {"entities", gm_buf_str(&names)},
                                        {"samples", gm_buf_str(&f->samples)}};
    const struct gm_llm_question q = {.post = p, .values = v, .n_values = 4, .check = check};
    GM_TRY(gm_llm_stage_ask(&f->base, sees ? &picture : NULL, &q, 1, &r, err));
    if (!gm_llm_stage_failed(&f->base, p, &r))
        GM_TRY(take(f, p, &r, err));
done:
    gm_llm_reply_clear(&r);
    gm_picture_clear(&picture);
    gm_buf_clear(&names);
    return st;
}

/* The tagger is named here, too, as it was when its entities were stored in one row with the answer:
 * a run folder of then goes on without asking again. */
static enum gm_status fingerprint_inform(const struct gm_json *settings, struct gm_buf *out,
                                         struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str model = {NULL, 0};
    const char *path;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(samples_path(&a, settings, &path, err));
    GM_TRY(gm_fingerprint_file("samples", path, out, err));
    GM_TRY(gm_settings_str(settings, "tagger", &model, err));
    if (model.n)
        GM_TRY(gm_fingerprint_model(model.p, out, err));
done:
    gm_arena_clear(&a);
    return st;
}

static const char *const values[] = {GM_LLM_VALUES, "text", "caption", "entities", "samples", NULL};
static const char *const known[] = {GM_LLM_SETTINGS, "samples", "tagger", "precision", NULL};
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
