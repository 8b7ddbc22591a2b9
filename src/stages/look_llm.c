/* look, by a multimodal LLM: a caption for a post that has none. Objects are the detector's work.
 */
#include "stages/backends.h"
#include "stages/llm_stage.h"

enum { CAPTION_MAX_BYTES = 1000 };

static const char *check(void *user, const struct gm_json *value)
{
    struct gm_str s;
    (void)user;
    return gm_json_str(value, &s) && s.n <= CAPTION_MAX_BYTES ? NULL : "a caption that is too long";
}

static enum gm_status look_at(void *self, struct gm_post *p, struct gm_error *err)
{
    struct gm_llm_stage *s = self;
    enum gm_status st = GM_OK;
    struct gm_llm_reply r = {0};
    struct gm_picture picture = {.w = 0};
    const struct gm_prompt_value v[] = {{"text", p->text}};
    const struct gm_llm_question q = {.values = v, .n_values = 1, .check = check};
    if (p->caption.n || !p->image.n)
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
    struct gm_str text = {NULL, 0};
    (void)gm_json_str(r.value, &text);
    p->caption = gm_llm_one_line(&p->arena, text);
    if (!p->caption.p) {
        p->caption = GM_STR("");
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
done:
    gm_llm_reply_clear(&r);
    gm_picture_clear(&picture);
    return st;
}

static const char *const values[] = {GM_LLM_VALUES, "text", NULL};
static const char *const known[] = {GM_LLM_SETTINGS, NULL};
static const struct gm_llm_stage_kind kind = {
    .prompt = "caption",
    .values = values,
    .settings = known,
    .max_tokens = 120,
    .needs_picture = GM_LLM_PICTURE_NEEDED,
    .one = look_at,
};

const struct gm_backend gm_backend_look_llm = {GM_LLM_BACKEND, .stage = "look", .needs_image = true,
                                               .llm = &kind};
