/* Numbers of marks in a model's answer (ground_marks.h): one, several, as text too, or none. */
#include "llm/json_repair.h"
#include "stages/said.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { DEPTH_MAX = 4 };

/* What models call them; the first is what the schema asks for. */
static const char *const names[] = {"numbers", "number", "marks", "mark",
                                    "regions", "boxes",  "box",   NULL};

/* Every whole number that is written in a text: "2 and 5". */
static bool add_written(struct gm_json *list, struct gm_str s)
{
    bool ok = true;
    for (size_t i = 0; i < s.n && ok;) {
        size_t from = i;
        long long n;
        while (i < s.n && isdigit((unsigned char)s.p[i]))
            i++;
        if (i > from && gm_str_to_int(gm_str_sub(s, from, i), &n))
            ok = gm_json_add(list, gm_json_new_int(n));
        i += i == from;
    }
    return ok;
}

static bool add_all(struct gm_json *list, const struct gm_json *said, int depth)
{
    struct gm_str s;
    long long n;
    bool ok = true;
    if (depth == DEPTH_MAX)
        return true;
    if (gm_json_str(said, &s))
        return add_written(list, s);
    if (gm_json_int(said, &n))
        return gm_json_add(list, gm_json_new_int(n));
    for (size_t i = 0; gm_json_kind(said) == GM_JSON_ARRAY && i < gm_json_count(said) && ok; i++)
        ok = add_all(list, gm_json_at(said, i), depth + 1);
    for (const char *const *name = names; gm_json_kind(said) == GM_JSON_OBJECT && *name; name++)
        if (gm_json_get(said, *name))
            return add_all(list, gm_json_get(said, *name), depth + 1);
    return ok;
}

enum gm_status gm_said_marks_in(struct gm_json **out, const struct gm_json *said,
                                struct gm_error *err)
{
    *out = gm_json_new_array();
    if (*out && add_all(*out, said, 0))
        return GM_OK;
    gm_json_free(*out);
    *out = NULL;
    return GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* "2, 5" or "none", with nothing else around it: in a sentence any number could stand. */
static bool is_bare(struct gm_str s)
{
    static const char *const none[] = {"none", "none.", "null", "[]", NULL};
    bool has_digit = false;
    for (const char *const *word = none; *word; word++)
        if (s.n == strlen(*word) && strncasecmp(s.p, *word, s.n) == 0)
            return true;
    for (size_t i = 0; i < s.n; i++) {
        has_digit |= isdigit((unsigned char)s.p[i]) != 0;
        if (!isdigit((unsigned char)s.p[i]) && !strchr(" ,.;#\n", s.p[i]))
            return false;
    }
    return has_digit;
}

enum gm_status gm_said_value(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    enum gm_json_care care;
    if (!is_bare(gm_str_trim(text)))
        return gm_json_read_tolerant(out, text, &care, err);
    *out = gm_json_new_str(gm_str_trim(text));
    return *out ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

enum gm_status gm_said_marks(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *said = NULL, *numbers = NULL;
    struct gm_str reason = GM_STR("");
    *out = NULL;
    GM_TRY(gm_said_value(&said, text, err));
    GM_TRY(gm_said_marks_in(&numbers, said, err));
    (void)gm_json_str(gm_json_get(said, "reason"), &reason);
    GM_TRY(gm_said_wrap(out, "numbers", numbers, err));
    if (!gm_json_set(*out, "reason", gm_json_new_str(reason))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        gm_json_free(*out);
        *out = NULL;
    }
done:
    gm_json_free(said);
    return st;
}
