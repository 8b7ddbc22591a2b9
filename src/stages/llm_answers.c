/* llm_answers.c - what all stages do with a language model's answers: what cannot be used is noted, texts become one line,
 * and lists by number are checked (llm_stage.h). */
#include "stages/llm_stage.h"

#include "record/note.h"

#include <stdio.h>

/* reason NULL: nothing was. */
static enum gm_status note_rejected(const struct gm_llm_stage *s, struct gm_post *p,
                                    struct gm_entity *e, const char *reason, struct gm_error *err)
{
    char kind[40];
    snprintf(kind, sizeof kind, "%s_rejected", s->stage);
    return gm_note_set(p, e, kind, reason, err);
}

enum gm_status gm_llm_reject_entity(const struct gm_llm_stage *s, struct gm_post *p,
                                    struct gm_entity *e, const char *reason, struct gm_error *err)
{
    gm_llm_reject(s->llm, s->stage, reason);
    return note_rejected(s, p, e, reason, err);
}

enum gm_status gm_llm_clear_rejected(const struct gm_llm_stage *s, struct gm_post *p,
                                     struct gm_entity *e, struct gm_error *err)
{
    return note_rejected(s, p, e, NULL, err);
}

struct gm_str gm_llm_one_line(struct gm_arena *a, struct gm_str s)
{
    char *out = gm_arena_alloc(a, s.n + 1, 1);
    size_t n = 0;
    for (size_t i = 0; out && i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c > ' ' && c != 0x7f)
            out[n++] = (char)c;
        else if (n && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    while (n && out[n - 1] == ' ')
        n--;
    if (out)
        out[n] = 0;
    return (struct gm_str){out, n};
}

bool gm_llm_is_numbered(const struct gm_json *list, size_t n_needed, size_t n, bool may_repeat)
{
    bool seen[GM_LLM_NUMBERED_MAX] = {false};
    size_t n_seen = 0; /* of those that are needed */
    for (size_t i = 0; i < gm_json_count(list); i++) {
        long long number = 0;
        (void)gm_json_int(gm_json_get(gm_json_at(list, i), "entity"), &number);
        if (number < 1 || number > (long long)n || (seen[number - 1] && !may_repeat))
            return false;
        n_seen += !seen[number - 1] && (size_t)number <= n_needed;
        seen[number - 1] = true;
    }
    return n_seen == n_needed;
}
