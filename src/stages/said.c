#include "stages/said.h"

#include "llm/json_repair.h"
#include "text/segment.h"

#include <strings.h>

enum gm_status gm_said_wrap(struct gm_json **out, const char *name, struct gm_json *list,
                            struct gm_error *err)
{
    *out = gm_json_new_object();
    if (*out && gm_json_set(*out, name, list))
        return GM_OK;
    if (!*out)
        gm_json_free(list);
    gm_json_free(*out);
    *out = NULL;
    return GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status said_list(struct gm_json **out, const char *name, struct gm_str text,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    enum gm_json_care care;
    struct gm_json *said = NULL;
    struct gm_str s;
    long long n;
    *out = NULL;
    GM_TRY(gm_json_read_tolerant(&said, text, &care, err));
    if (gm_json_kind(said) == GM_JSON_ARRAY) {
        struct gm_json *list = said;
        said = NULL;
        GM_TRY(gm_said_wrap(&said, name, list, err));
    }
    const struct gm_json *list = gm_json_get(said, name);
    for (size_t i = 0; i < gm_json_count(list); i++) {
        struct gm_json *one = gm_json_at(list, i);
        if (gm_json_str(gm_json_get(one, "entity"), &s) && gm_str_to_int(gm_str_trim(s), &n) &&
            !gm_json_set(one, "entity", gm_json_new_int(n))) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
            goto done;
        }
    }
    *out = said;
    said = NULL;
done:
    gm_json_free(said);
    return st;
}

/* 1 yes, 0 no, -1 neither. */
static int word_means(struct gm_str word)
{
    if (word.n == 3 && strncasecmp(word.p, "yes", 3) == 0)
        return 1;
    return word.n == 2 && strncasecmp(word.p, "no", 2) == 0 ? 0 : -1;
}

int gm_said_yes(struct gm_str text)
{
    int means = -1;
    size_t at = 0;
    for (struct gm_str w = gm_next_word(text, &at); w.n; w = gm_next_word(text, &at)) {
        int word = word_means(w);
        means = word >= 0 ? word : means;
    }
    return means;
}

enum gm_status gm_said_entities(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_list(out, "entities", text, err);
}

enum gm_status gm_said_phrases(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_list(out, "phrases", text, err);
}
