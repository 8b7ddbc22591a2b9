#include "stages/asked.h"

#include "base/utf8.h"

enum { SAMPLES_MAX = 64, SHOWN_CHARS = 60 };

/* Texts are borrowed: samples outlive the work on a post. */
static _Thread_local struct {
    bool is_on;
    size_t n_requests, prompt_tokens, completion_tokens, n_samples;
    struct {
        struct gm_str id, text;
    } samples[SAMPLES_MAX];
} tally;

void gm_asked_begin(void)
{
    tally.is_on = true;
    tally.n_requests = tally.prompt_tokens = tally.completion_tokens = tally.n_samples = 0;
}

void gm_asked_sample(struct gm_str id, struct gm_str text)
{
    for (size_t i = 0; i < tally.n_samples; i++)
        if (gm_str_eq(tally.samples[i].id, id))
            return;
    if (!tally.is_on || tally.n_samples == SAMPLES_MAX)
        return;
    tally.samples[tally.n_samples].id = id;
    tally.samples[tally.n_samples++].text = gm_str_sub(text, 0, gm_utf8_offset(text, SHOWN_CHARS));
}

void gm_asked_shown(size_t n) { tally.n_samples = n < tally.n_samples ? n : tally.n_samples; }

void gm_asked_reply(const struct gm_llm_reply *reply)
{
    if (reply->st != GM_OK && reply->st != GM_EFORMAT)
        return;
    tally.n_requests++;
    tally.prompt_tokens += reply->usage.prompt;
    tally.completion_tokens += reply->usage.completion;
}

static struct gm_json *new_entry(const char *stage)
{
    struct gm_json *o = gm_json_new_object(), *list = tally.n_samples ? gm_json_new_array() : NULL;
    bool ok =
        o && gm_json_set(o, "stage", gm_json_new_str(gm_str(stage))) &&
        gm_json_set(o, "requests", gm_json_new_int((long long)tally.n_requests)) &&
        gm_json_set(o, "prompt_tokens", gm_json_new_int((long long)tally.prompt_tokens)) &&
        gm_json_set(o, "completion_tokens", gm_json_new_int((long long)tally.completion_tokens));
    for (size_t i = 0; ok && i < tally.n_samples; i++) {
        struct gm_json *one = gm_json_new_object();
        ok = one && gm_json_set(one, "id", gm_json_new_str(tally.samples[i].id)) &&
             gm_json_set(one, "text", gm_json_new_str(tally.samples[i].text));
        ok = gm_json_add(list, one) && ok;
    }
    if (ok && tally.n_samples) {
        ok = gm_json_set(o, "samples", list);
        list = NULL;
    }
    gm_json_free(list);
    if (!ok)
        gm_json_free(o);
    return ok ? o : NULL;
}

/* The entries of the other stages, with this one last; a field of the name that is no such list gives way. */
static struct gm_json *new_list(const struct gm_json *old, struct gm_str stage,
                                const struct gm_json *entry)
{
    struct gm_json *list = gm_json_new_array();
    struct gm_str whose;
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < gm_json_count(old); i++)
        if (gm_json_str(gm_json_get(gm_json_at(old, i), "stage"), &whose) &&
            !gm_str_eq(whose, stage))
            ok = gm_json_add(list, gm_json_ref(gm_json_at(old, i)));
    ok = ok && gm_json_add(list, gm_json_ref(entry));
    if (!ok)
        gm_json_free(list);
    return ok ? list : NULL;
}

enum gm_status gm_asked_put(struct gm_post *post, const struct gm_json *entry, struct gm_error *err)
{
    struct gm_str stage;
    if (!gm_json_str(gm_json_get(entry, "stage"), &stage))
        return GM_FAIL(err, GM_EFORMAT, "what was asked names no stage");
    if (!post->source)
        post->source = gm_json_new_object();
    if (!post->source || !gm_json_set(post->source, "asked",
                                      new_list(gm_json_get(post->source, "asked"), stage, entry)))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    return GM_OK;
}

enum gm_status gm_asked_end(struct gm_post *post, const char *stage, struct gm_error *err)
{
    tally.is_on = false;
    if (!tally.n_requests)
        return GM_OK;
    struct gm_json *entry = new_entry(stage);
    enum gm_status st =
        entry ? gm_asked_put(post, entry, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_json_free(entry);
    return st;
}
