/* labelstudio_labels.c - where the labels of a task are in its text.
 *
 * Offsets count code points (Label Studio since 2022); where the labels' own texts show that they
 * count UTF-16 units, or CRLF as one, as older versions stored them, they are read so. */
#include "formats/labelstudio_task.h"

#include "base/utf8.h"
#include "record/offsets.h"

#include <string.h>

/* How a label's offsets count: what a character outside of the BMP and the CR of a CRLF are worth. */
enum { WIDE = 1, NO_CR = 2, N_UNITS = 4 };

/* Code points before unit number `units`; false past the end or inside a character. */
static bool cp_of_units(struct gm_str text, unsigned how, long long units, long long *cp)
{
    size_t pos = 0;
    *cp = 0;
    while (units > 0 && pos < text.n) {
        uint32_t c = gm_utf8_next(text, &pos);
        bool is_cr = (how & NO_CR) && c == '\r' && pos < text.n && text.p[pos] == '\n';
        units -= is_cr ? 0 : (how & WIDE) && c > 0xFFFF ? 2 : 1;
        ++*cp;
    }
    return units == 0;
}

static bool text_at(struct gm_str text, long long start, long long end, struct gm_str *out)
{
    struct gm_offset at;
    gm_offset_init(&at, text);
    if (start < 0 || end < start || !gm_offset_to_cp(&at, (size_t)start))
        return false;
    size_t from = at.byte;
    if (!gm_offset_to_cp(&at, (size_t)end))
        return false;
    *out = gm_str_sub(text, from, at.byte);
    return true;
}

/* Equal but for white space, which Label Studio collapses or leaves out in a label's own text. */
static bool same_words(struct gm_str a, struct gm_str b)
{
    size_t i = 0, k = 0;
    for (;;) {
        while (i < a.n && gm_is_space_byte(a.p[i]))
            i++;
        while (k < b.n && gm_is_space_byte(b.p[k]))
            k++;
        if (i == a.n || k == b.n)
            return i == a.n && k == b.n;
        if (a.p[i++] != b.p[k++])
            return false;
    }
}

struct span {
    long long start, end; /* code points */
    struct gm_str text;
};

/* The place of a label whose offsets count `how`; false: it is no part of the text. */
static bool place_of(struct gm_str text, const struct gm_json *value, unsigned how, struct span *s)
{
    long long start, end;
    return gm_json_int(gm_json_get(value, "start"), &start) && start >= 0 &&
           gm_json_int(gm_json_get(value, "end"), &end) && end >= start &&
           cp_of_units(text, how, start, &s->start) && cp_of_units(text, how, end, &s->end) &&
           text_at(text, s->start, s->end, &s->text);
}

/* All labels of one annotation count alike: as most of their own texts prove, code points first. */
unsigned gm_labelstudio_units(const struct gm_labelstudio_task *t, const struct gm_json *results)
{
    size_t proofs[N_UNITS] = {0};
    unsigned best = 0;
    for (size_t i = 0; i < gm_json_count(results); i++) {
        const struct gm_json *r = gm_json_at(results, i), *value = gm_json_get(r, "value");
        struct gm_str said = gm_labelstudio_str(value, "text");
        struct span s;
        for (unsigned how = 0; said.n && gm_labelstudio_is_text_label(r) && how < N_UNITS; how++)
            proofs[how] += place_of(t->post->text, value, how, &s) && same_words(s.text, said);
    }
    for (unsigned how = 1; how < N_UNITS; how++)
        if (proofs[how] > proofs[best])
            best = how;
    return best;
}

/* The one place of `said` in the text; false: none or several. */
static bool only_place(struct gm_str text, struct gm_str said, struct span *s)
{
    size_t at = gm_str_find(text, said, 0), pos = 0;
    if (at == SIZE_MAX || gm_str_find(text, said, at + 1) != SIZE_MAX)
        return false;
    for (s->start = 0; pos < at; s->start++)
        (void)gm_utf8_next(text, &pos);
    for (s->end = s->start; pos < at + said.n; s->end++)
        (void)gm_utf8_next(text, &pos);
    s->text = gm_str_sub(text, at, at + said.n);
    return true;
}

/* Where a label is: at its offsets if its own text is there, else where that text stands once.
 * found false: at a place that is known to be wrong. */
static enum gm_status read_span(struct gm_labelstudio_task *t, const struct gm_json *value,
                                struct gm_entity *e, bool *found, struct gm_error *err)
{
    long long start, end;
    struct gm_str said = gm_labelstudio_str(value, "text");
    struct span s = {0};
    *found = true;
    if (!gm_json_int(gm_json_get(value, "start"), &start) ||
        !gm_json_int(gm_json_get(value, "end"), &end))
        return GM_FAIL(err, GM_EFORMAT, "\"start\" and \"end\": expected two integers");
    bool in = place_of(t->post->text, value, t->units, &s);
    if (said.n && !(in && same_words(s.text, said))) {
        *found = only_place(t->post->text, said, &s);
        gm_losses_fault(t->lost,
                        *found ? "offsets of labels (found by the labels' own text)"
                               : "labels whose own text is not what is at their offsets",
                        t->post->id);
    } else if (!in) {
        return GM_FAIL(err, GM_EFORMAT, "%lld..%lld is no part of the text", start, end);
    }
    e->text = s.text;
    e->start = (size_t)s.start;
    e->end = (size_t)s.end;
    return GM_OK;
}

static void read_meta(const struct gm_json *result, struct gm_entity *e)
{
    const struct gm_json *meta = gm_json_get(result, "meta");
    double x;
    e->fine_type = gm_labelstudio_str(meta, "fine_type");
    e->expression = gm_labelstudio_str(meta, "expression");
    if (gm_json_num(gm_json_get(meta, "visible"), &x) && x >= 0 && x <= 1)
        e->visible = x;
}

enum gm_status gm_labelstudio_entity(struct gm_labelstudio_task *t, const struct gm_json *result,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *value = gm_json_get(result, "value");
    struct gm_post *p = t->post;
    struct gm_entity e = {
        .score = gm_labelstudio_score(result), .visible = -1, .source = GM_STR("input")};
    bool found;
    GM_TRY(read_span(t, value, &e, &found, err));
    if (!found)
        return GM_OK;
    e.type = gm_labelstudio_label(t, value, "labels");
    if (e.type.n == 0 || memchr(e.type.p, 0, e.type.n))
        return GM_FAIL(err, GM_EFORMAT, "\"labels\": expected [\"TYPE\"]");
    read_meta(result, &e);
    t->ids[p->n_entities] = gm_labelstudio_str(result, "id");
    p->entities[p->n_entities++] = e;
done:
    return st;
}
