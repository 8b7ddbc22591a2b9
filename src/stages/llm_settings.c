/* The settings that every stage has that asks a language model. */
#include "stages/llm_stage.h"

#include <stdio.h>
#include <string.h>

/* "none" in place of a number: the parameter is not sent. */
static enum gm_status read_temperature(struct gm_llm_stage *s, const struct gm_json *settings,
                                       struct gm_error *err)
{
    struct gm_str word;
    if (!gm_json_str(gm_json_get(settings, "temperature"), &word))
        return gm_settings_num(settings, "temperature", 0, 2, &s->temperature, err);
    s->temperature = -1;
    return gm_str_eq_c(word, "none")
               ? GM_OK
               : GM_FAIL(err, GM_EARG,
                         "setting \"temperature\" is \"%.*s\"; it must be a number or none",
                         GM_STR_ARG(word));
}

/* One of the NULL-ended words, by its place; *out stays where the setting is not there. */
static enum gm_status read_word(const struct gm_json *settings, const char *key,
                                const char *const *words, int *out, struct gm_error *err)
{
    char list[100] = "";
    struct gm_str word = gm_str(words[*out]);
    enum gm_status st = gm_settings_str(settings, key, &word, err);
    for (int i = 0; words[i] && st == GM_OK; i++) {
        if (gm_str_eq_c(word, words[i])) {
            *out = i;
            return GM_OK;
        }
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", words[i]);
    }
    if (st == GM_OK)
        st = GM_FAIL(err, GM_EARG, "setting \"%s\" is \"%.*s\"; it must be one of: %s", key,
                     GM_STR_ARG(word), list);
    return st;
}

/* What the client writes itself is not to be said twice. */
static enum gm_status read_extra(struct gm_llm_stage *s, const struct gm_json *settings,
                                 struct gm_error *err)
{
    static const char *const ours[] = {"model", "messages", "stream", "n"};
    const struct gm_json *extra = gm_json_get(settings, "extra");
    if (!extra)
        return GM_OK;
    if (gm_json_kind(extra) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EARG, "setting \"extra\" must be an object, but is %s",
                       gm_json_kind_name(gm_json_kind(extra)));
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (gm_json_get(extra, ours[i]))
            return GM_FAIL(err, GM_EARG, "setting \"extra\" cannot have \"%s\"", ours[i]);
    s->extra = gm_json_ref(extra);
    return GM_OK;
}

static enum gm_status read_request(struct gm_llm_stage *s, const struct gm_json *settings,
                                   struct gm_error *err)
{
    static const char *const names[] = {"max_tokens", "max_completion_tokens", "none", NULL};
    enum gm_status st = GM_OK;
    int name = 0;
    GM_TRY(read_temperature(s, settings, err));
    GM_TRY(gm_settings_num(settings, "top_p", 0, 1, &s->top_p, err));
    GM_TRY(gm_settings_whole(settings, "max_tokens", 1, 100000, &s->max_tokens, err));
    GM_TRY(read_word(settings, "max_tokens_name", names, &name, err));
    GM_TRY(gm_settings_whole(settings, "seed", 0, 1e15, &s->seed, err));
    GM_TRY(read_extra(s, settings, err));
    s->max_name = (enum gm_llm_max_name)name;
done:
    return st;
}

static enum gm_status read_pictures(struct gm_llm_stage *s, const struct gm_json *settings,
                                    struct gm_error *err)
{
    static const char *const words[] = {"auto", "always", "never", NULL};
    enum gm_status st = GM_OK;
    int images = 0;
    GM_TRY(read_word(settings, "images", words, &images, err));
    GM_TRY(gm_settings_whole(settings, "image_side", 28, 8192, &s->image_side, err));
    GM_TRY(gm_settings_whole(settings, "min_pixels", 0, 1e8, &s->min_pixels, err));
    GM_TRY(gm_settings_whole(settings, "jpeg_quality", 1, 100, &s->jpeg_quality, err));
    s->images = (enum gm_llm_images)images;
    if (s->images == GM_LLM_IMAGES_NEVER && s->kind->needs_picture == GM_LLM_PICTURE_NEEDED)
        st = GM_FAIL(err, GM_EARG, "setting \"images\" is never, and %s asks about pictures",
                     s->stage);
done:
    return st;
}

enum gm_status gm_llm_prompt_load(struct gm_prompt **out, const struct gm_llm_prompt_setting *x,
                                  const struct gm_json *settings, struct gm_error *err)
{
    struct gm_str which = gm_str(x->name);
    enum gm_status st = gm_settings_str(settings, x->key, &which, err);
    return st == GM_OK ? gm_prompt_load(out, which.p, x->values, x->example_values, err) : st;
}

enum gm_status gm_llm_prompt_fingerprint(const struct gm_llm_prompt_setting *x,
                                         const struct gm_json *settings, struct gm_buf *out,
                                         struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_prompt *prompt = NULL;
    GM_TRY(gm_llm_prompt_load(&prompt, x, settings, err));
    st = gm_buf_printf(out, err, "%s=%s\n", x->key, gm_prompt_version(prompt));
done:
    gm_prompt_free(prompt);
    return st;
}

struct gm_llm_prompt_setting gm_llm_stage_prompt(const struct gm_llm_stage_kind *kind)
{
    return (struct gm_llm_prompt_setting){"prompt", kind->prompt, kind->values,
                                          kind->example_values};
}

enum gm_status gm_llm_stage_read_settings(struct gm_llm_stage *s, const struct gm_json *settings,
                                          struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_llm_stage_kind *kind = s->kind;
    const struct gm_llm_prompt_setting prompt = gm_llm_stage_prompt(kind);
    struct gm_str model = GM_STR(""), guide = {NULL, 0};
    s->top_p = s->seed = -1;
    s->max_tokens = kind->max_tokens;
    s->image_side = 1000;
    s->min_pixels = 512 * 512;
    s->jpeg_quality = 90;
    s->grid = 28;
    GM_TRY(gm_settings_check(settings, s->stage, kind->settings, err));
    GM_TRY(gm_settings_str(settings, "model", &model, err));
    GM_TRY(read_request(s, settings, err));
    GM_TRY(read_pictures(s, settings, err));
    if (model.n && !(s->model = gm_arena_str(&s->arena, model).p)) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(gm_settings_str(settings, "guide", &guide, err));
    GM_TRY(gm_guide_load(&s->guide, guide.n ? guide.p : NULL, err));
    GM_TRY(gm_llm_prompt_load(&s->prompt, &prompt, settings, err));
    if (s->images == GM_LLM_IMAGES_ALWAYS && !gm_prompt_has_image(s->prompt)) {
        struct gm_str which = gm_str(prompt.name);
        GM_TRY(gm_settings_str(settings, prompt.key, &which, err));
        st = GM_FAIL(err, GM_EARG,
                     "setting \"images\" is always, and the prompt %.*s has no {{image}}",
                     GM_STR_ARG(which));
    }
done:
    return st;
}
