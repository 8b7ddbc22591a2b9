/* look, by a multimodal LLM: a caption for a post that has none; with `short: true` a short one besides, both in
 * one answer. Objects are the detector's
 * work: with the setting `detector` it goes first, as a step of its own. */
#include "stages/backends.h"
#include "stages/llm_stage.h"

enum { CAPTION_MAX_BYTES = 1000, SHORT_MAX_BYTES = 300 };

static const char *check(void *user, const struct gm_json *value)
{
    struct gm_str s;
    (void)user;
    return gm_json_str(value, &s) && s.n <= CAPTION_MAX_BYTES ? NULL : "a caption that is too long";
}

static const char *check_both(void *user, const struct gm_json *value)
{
    struct gm_str s;
    if (!gm_json_str(gm_json_get(value, "short"), &s) || s.n > SHORT_MAX_BYTES)
        return "a short caption that is too long";
    return check(user, gm_json_get(value, "caption"));
}

/* What was said becomes a caption where the post has none. */
static enum gm_status take(struct gm_post *p, const struct gm_json *said, struct gm_str *caption,
                           struct gm_error *err)
{
    struct gm_str text = {NULL, 0};
    if (caption->n || !gm_json_str(said, &text))
        return GM_OK;
    text = gm_llm_one_line(&p->arena, text);
    if (!text.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    *caption = text;
    return GM_OK;
}

static enum gm_status look_at(void *self, struct gm_post *p, struct gm_error *err)
{
    struct gm_llm_stage *s = self;
    enum gm_status st = GM_OK;
    struct gm_llm_reply r = {0};
    struct gm_picture picture = {.w = 0};
    bool both = s->schema != NULL;
    const struct gm_prompt_value v[] = {{"text", p->text}};
    const struct gm_llm_question q = {
        .post = p, .values = v, .n_values = 1, .check = both ? check_both : check};
    if ((p->caption.n && (p->caption_short.n || !both)) || !p->image.n)
        return GM_OK;
    GM_TRY(gm_llm_stage_picture(s, p, &picture, err));
    if (p->error.stage.n)
        goto done;
    GM_TRY(gm_llm_stage_ask(s, &picture, &q, 1, &r, err));
    if (gm_llm_stage_failed(s, p, &r))
        goto done;
    if (r.st == GM_EFORMAT) {
        gm_llm_reject(s->llm, s->stage, "no_caption");
        goto done;
    }
    GM_TRY(take(p, both ? gm_json_get(r.value, "caption") : r.value, &p->caption, err));
    if (both)
        st = take(p, gm_json_get(r.value, "short"), &p->caption_short, err);
done:
    gm_llm_reply_clear(&r);
    gm_picture_clear(&picture);
    return st;
}

static enum gm_status open_look(void *self, const struct gm_json *settings, struct gm_error *err)
{
    bool both;
    (void)self;
    return gm_settings_bool(settings, "short", &both, err);
}

static const char *const values[] = {GM_LLM_VALUES, "text", NULL};
static const char *const known[] = {GM_LLM_SETTINGS, "short", "detector", NULL};

#define KIND                                                                                     \
    .values = values, .settings = known, .needs_picture = GM_LLM_PICTURE_NEEDED, .one = look_at, \
    .open = open_look

static const struct gm_llm_stage_kind kind_of_both = {
    KIND,
    .prompt = "captions",
    .schema = "{\"type\":\"object\",\"properties\":{"
              "\"caption\":{\"type\":\"string\",\"minLength\":1},"
              "\"short\":{\"type\":\"string\",\"minLength\":1}},"
              "\"required\":[\"caption\",\"short\"],\"additionalProperties\":false}",
    .max_tokens = 240,
};

static const struct gm_llm_stage_kind *pick(const struct gm_json *settings)
{
    bool both = false;
    (void)gm_json_bool(gm_json_get(settings, "short"), &both);
    return both ? &kind_of_both : NULL;
}

static const struct gm_llm_stage_kind kind = {KIND, .pick = pick, .prompt = "caption",
                                              .max_tokens = 120};

const struct gm_backend gm_backend_look_llm = {GM_LLM_BACKEND,
                                               .stage = "look",
                                               .needs_image = true,
                                               .llm = &kind,
                                               .first = &gm_backend_detect,
                                               .first_if = "detector"};
