#include "record/note.h"

#include "base/clocale.h"

#include <stdio.h>

#define SEPARATOR GM_STR("; ")

/* The first note of `rest`, which becomes what follows it. */
static struct gm_str next_note(struct gm_str *rest)
{
    size_t end = gm_str_find(*rest, SEPARATOR, 0);
    struct gm_str note = gm_str_sub(*rest, 0, end < rest->n ? end : rest->n);
    *rest = gm_str_sub(*rest, note.n + SEPARATOR.n, rest->n);
    return note;
}

/* is_bare: without a reason. */
static bool is_kind(struct gm_str note, const char *kind, bool is_bare)
{
    struct gm_str name = gm_str(kind);
    return is_bare ? gm_str_eq(note, name)
                   : gm_str_starts(note, name) && note.n > name.n && note.p[name.n] == ':';
}

enum gm_status gm_note_set(struct gm_post *p, struct gm_entity *e, const char *kind,
                           const char *reason, struct gm_error *err)
{
    struct gm_str kept = GM_STR(""), rest = e->note;
    bool is_bare = reason && !*reason;
    while (rest.n) {
        struct gm_str note = next_note(&rest);
        if (!is_kind(note, kind, is_bare))
            kept = kept.n ? gm_arena_printf(&p->arena, "%.*s; %.*s", GM_STR_ARG(kept),
                                            GM_STR_ARG(note))
                          : note;
        if (!kept.p)
            break;
    }
    if (kept.p && reason)
        kept = gm_arena_printf(&p->arena, "%.*s%s%s%s%s", GM_STR_ARG(kept), kept.n ? "; " : "",
                               kind, is_bare ? "" : ":", reason);
    if (!kept.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    e->note = kept;
    return GM_OK;
}

enum gm_status gm_note_below(struct gm_post *p, struct gm_entity *e, const char *kind,
                             const char *what, double min, struct gm_error *err)
{
    char reason[80];
    locale_t before = gm_c_locale();
    snprintf(reason, sizeof reason, "%s:%g", what, min);
    gm_c_locale_end(before);
    return gm_note_set(p, e, kind, reason, err);
}
