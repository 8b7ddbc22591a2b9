/* Answers about the entities of a whole post: one object an entity, with its boxes in any of the forms of
 * said_boxes.c. */
#include "llm/json_repair.h"
#include "stages/said.h"

#include <stdio.h>
#include <strings.h>

/* How answers are read. */
struct reading {
    bool y_first;
    bool is_check;         /* there is a box already: "answer" in place of "visible" */
    bool is_marks;         /* "numbers" of boxes that are drawn in place of "boxes" */
    struct gm_json *known; /* what the list has, by the entity's number: a list may be long */
};

/* The entity's number: "entity", or what models write for it, as a number or a text of one. Where boxes are
 * numbered, "number" is a box's. */
static bool number_of(const struct gm_json *said, struct reading how, long long *n)
{
    static const char *const names[] = {"entity", "id", "index", "number"};
    for (size_t i = 0; i < sizeof names / sizeof *names - how.is_marks; i++) {
        const struct gm_json *m = gm_json_get(said, names[i]);
        struct gm_str s;
        if (gm_json_int(m, n))
            return true;
        if (gm_json_str(m, &s) && gm_str_to_int(gm_str_trim(s), n))
            return true;
    }
    return false;
}

/* Whether it says that the entity is there; where it says nothing, its boxes do. */
static bool is_visible(const struct gm_json *said, size_t n_boxes)
{
    const struct gm_json *m = gm_json_get(said, "visible");
    struct gm_str s;
    bool is = n_boxes > 0;
    if (!gm_json_bool(m, &is) && gm_json_str(m, &s)) {
        s = gm_str_trim(s);
        is = !(s.n == 2 && strncasecmp(s.p, "no", 2) == 0) &&
             !(s.n == 5 && strncasecmp(s.p, "false", 5) == 0);
    }
    return is;
}

/* The name of an entity's number in reading.known. */
static const char *key_of(long long number, char key[24])
{
    snprintf(key, 24, "%lld", number);
    return key;
}

static const char *member_of(struct reading how) { return how.is_marks ? "numbers" : "boxes"; }

/* The boxes that are said, or their numbers. */
static enum gm_status places_in(struct gm_json **out, const struct gm_json *said,
                                struct reading how, struct gm_error *err)
{
    return how.is_marks ? gm_said_marks_in(out, said, err)
                        : gm_said_boxes_in(out, said, how.y_first, err);
}

/* Some models say an entity once for each of its boxes. */
static bool add_boxes(struct gm_json *answer, const struct gm_json *boxes, struct reading how)
{
    struct gm_json *into = gm_json_get(answer, member_of(how));
    bool ok = true;
    for (size_t i = 0; i < gm_json_count(boxes) && ok; i++)
        ok = gm_json_add(into, gm_json_ref(gm_json_at(boxes, i)));
    if (ok && gm_json_count(boxes) && !how.is_check)
        ok = gm_json_set(answer, "visible", gm_json_new_bool(true));
    return ok;
}

/* What is to become of the box that was found; a word that is none of the three is left as it is. */
static struct gm_str verdict_of(const struct gm_json *said, size_t n_boxes)
{
    static const char *const words[] = {"keep", "change", "none"};
    struct gm_str s = GM_STR("");
    if (!gm_json_str(gm_json_get(said, "answer"), &s))
        return n_boxes                                                      ? GM_STR("change")
               : gm_json_get(said, "visible") && !is_visible(said, n_boxes) ? GM_STR("none")
                                                                            : s;
    s = gm_str_trim(s);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (s.n == gm_str(words[i]).n && strncasecmp(s.p, words[i], s.n) == 0)
            return gm_str(words[i]);
    return s;
}

/* What `said` says of entity `number` goes into the list. */
static enum gm_status add_answer(struct gm_json *list, long long number, const struct gm_json *said,
                                 struct reading how, struct gm_error *err)
{
    char key[24];
    struct gm_json *boxes = NULL, *one = gm_json_get(how.known, key_of(number, key)), *fresh = NULL;
    struct gm_str reason = GM_STR("");
    enum gm_status st = places_in(&boxes, said, how, err);
    if (st != GM_OK)
        return st;
    bool visible = is_visible(said, gm_json_count(boxes)), ok = true;
    (void)gm_json_str(gm_json_get(said, "reason"), &reason);
    if (!one) {
        one = fresh = gm_json_new_object();
        ok = fresh && gm_json_set(fresh, "entity", gm_json_new_int(number)) &&
             gm_json_set(fresh, "reason", gm_json_new_str(reason)) &&
             (how.is_check ? gm_json_set(fresh, "answer",
                                         gm_json_new_str(verdict_of(said, gm_json_count(boxes))))
                           : gm_json_set(fresh, "visible", gm_json_new_bool(visible))) &&
             gm_json_set(fresh, member_of(how), gm_json_new_array());
    }
    if (ok && (visible || how.is_check))
        ok = add_boxes(one, boxes, how);
    gm_json_free(boxes);
    if (fresh && ok)
        ok = gm_json_set(how.known, key, gm_json_ref(fresh)) && gm_json_add(list, fresh);
    else
        gm_json_free(fresh);
    return ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* The list of answers in what was said; NULL = there is none. */
static const struct gm_json *answers_in(const struct gm_json *said)
{
    static const char *const names[] = {"entities", "answers", "answer", "results", "objects"};
    if (gm_json_kind(said) == GM_JSON_ARRAY && gm_json_kind(gm_json_at(said, 0)) != GM_JSON_NONE)
        return gm_json_kind(gm_json_at(said, 0)) == GM_JSON_OBJECT ? said : NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (gm_json_kind(gm_json_get(said, names[i])) == GM_JSON_ARRAY)
            return gm_json_get(said, names[i]);
    return NULL;
}

/* Answers that have no number are about the one entity that there is, if no other has one. */
static enum gm_status add_all(struct gm_json *list, const struct gm_json *said, struct reading how,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *answers = answers_in(said);
    long long number = 1;
    bool has_numbers = false;
    if (!answers) {
        (void)number_of(said, how, &number);
        return add_answer(list, number, said, how, err);
    }
    for (size_t i = 0; i < gm_json_count(answers); i++)
        has_numbers |= number_of(gm_json_at(answers, i), how, &number);
    for (size_t i = 0; i < gm_json_count(answers) && st == GM_OK; i++) {
        number = 1;
        if (number_of(gm_json_at(answers, i), how, &number) || !has_numbers)
            st = add_answer(list, number, gm_json_at(answers, i), how, err);
    }
    return st;
}

static enum gm_status said_grounds(struct gm_json **out, struct gm_str text, struct reading how,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    enum gm_json_care care;
    struct gm_json *said = NULL, *list = gm_json_new_array();
    *out = NULL;
    how.known = gm_json_new_object();
    if (!list || !how.known)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    else if (how.is_marks)
        st = gm_said_value(&said, text, err);
    else if (gm_str_find(text, GM_STR("{"), 0) != SIZE_MAX)
        st = gm_json_read_tolerant(&said, text, &care, err);
    else /* boxes alone, by marks and tokens too */
        st = how.y_first ? gm_said_boxes_yx(&said, text, err) : gm_said_boxes(&said, text, err);
    if (st == GM_OK)
        st = add_all(list, said, how, err);
    if (st == GM_OK) {
        st = gm_said_wrap(out, "entities", list, err);
        list = NULL;
    }
    gm_json_free(said);
    gm_json_free(list);
    gm_json_free(how.known);
    return st;
}

/* The words of the object that was said, where it is one: boxes have been read from it. */
static enum gm_status said_ground(struct gm_json **out, struct gm_str text, bool y_first,
                                  struct gm_error *err)
{
    enum gm_json_care care;
    struct gm_json *said = NULL;
    struct gm_str reason = GM_STR("");
    struct gm_error why;
    enum gm_status st = y_first ? gm_said_boxes_yx(out, text, err) : gm_said_boxes(out, text, err);
    if (st != GM_OK)
        return st;
    if (gm_json_read_tolerant(&said, text, &care, &why) == GM_OK)
        (void)gm_json_str(gm_json_get(said, "reason"), &reason);
    if (!gm_json_set(*out, "reason", gm_json_new_str(reason))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        gm_json_free(*out);
        *out = NULL;
    }
    gm_json_free(said);
    return st;
}

enum gm_status gm_said_ground(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_ground(out, text, false, err);
}

enum gm_status gm_said_ground_yx(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_ground(out, text, true, err);
}

enum gm_status gm_said_grounds(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_grounds(out, text, (struct reading){.y_first = false}, err);
}

enum gm_status gm_said_grounds_yx(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_grounds(out, text, (struct reading){.y_first = true}, err);
}

enum gm_status gm_said_checks(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_grounds(out, text, (struct reading){.is_check = true}, err);
}

enum gm_status gm_said_checks_yx(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_grounds(out, text, (struct reading){.y_first = true, .is_check = true}, err);
}

enum gm_status gm_said_mark_grounds(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_grounds(out, text, (struct reading){.is_marks = true}, err);
}

enum gm_status gm_said_mark_checks(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_grounds(out, text, (struct reading){.is_marks = true, .is_check = true}, err);
}
