#include "record/tags.h"

#include <string.h>

bool gm_tag_parse(struct gm_str tag, char *prefix, struct gm_str *type)
{
    *type = gm_str_sub(tag, 2, tag.n);
    *prefix = tag.n ? tag.p[0] : 0;
    if (tag.n == 1)
        return *prefix == 'O';
    return tag.n > 2 && tag.p[1] == '-' && strchr("BIES", *prefix) && *prefix &&
           !memchr(type->p, 0, type->n);
}

bool gm_tag_repair_parse(const char *name, enum gm_tag_repair *out)
{
    bool strict = strcmp(name, "strict") == 0;
    *out = strict ? GM_REPAIR_STRICT : GM_REPAIR_CONLLEVAL;
    return strict || strcmp(name, "conlleval") == 0;
}

static const struct gm_tag outside = {'O', GM_LABEL_NONE};

/* Whether an entity is still open behind the tag: it may (BIO) or must (BIOES) go on. */
static bool is_open(struct gm_tag tag) { return tag.prefix == 'B' || tag.prefix == 'I'; }

/* conlleval's two questions about neighbours, as seqeval.metrics.sequence_labeling asks them. */
static bool lenient_end(struct gm_tag prev, struct gm_tag tag)
{
    if (prev.prefix == 'O')
        return false;
    return prev.prefix == 'E' || prev.prefix == 'S' || tag.prefix == 'B' || tag.prefix == 'S' ||
           tag.prefix == 'O' || prev.type != tag.type;
}

static bool lenient_start(struct gm_tag prev, struct gm_tag tag)
{
    if (tag.prefix == 'O')
        return false;
    return tag.prefix == 'B' || tag.prefix == 'S' || prev.prefix == 'E' || prev.prefix == 'S' ||
           prev.prefix == 'O' || prev.type != tag.type;
}

static size_t lenient_spans(const struct gm_tag *tags, size_t n, struct gm_span *spans)
{
    struct gm_tag prev = outside;
    size_t n_spans = 0, first = 0;
    for (size_t i = 0; i <= n; i++) {
        struct gm_tag tag = i < n ? tags[i] : outside;
        if (lenient_end(prev, tag))
            spans[n_spans++] = (struct gm_span){first, i, prev.type};
        if (lenient_start(prev, tag))
            first = i;
        prev = tag;
    }
    return n_spans;
}

/* seqeval.scheme's IOB2 and IOBES: a start, as many tags as continue it, and for BIOES an E-. */
static size_t strict_spans(const struct gm_tag *tags, size_t n, bool bioes, struct gm_span *spans)
{
    size_t n_spans = 0;
    for (size_t i = 0; i < n;) {
        size_t first = i++;
        bool single = bioes && tags[first].prefix == 'S';
        if (tags[first].prefix != 'B' && !single)
            continue;
        bool closed = !bioes || single;
        while (i < n && tags[i].type == tags[first].type && !single &&
               (tags[i].prefix == 'I' || (bioes && tags[i].prefix == 'E'))) {
            if (tags[i++].prefix != 'E')
                continue;
            closed = true;
            break;
        }
        if (closed)
            spans[n_spans++] = (struct gm_span){first, i, tags[first].type};
    }
    return n_spans;
}

/* seqeval.scheme's IOB1, with its quirks: a B- behind anything but its own type is outside, so that an
 * I- behind it begins an entity; a B- that another type's B- follows ends nowhere. */
static size_t iob1_spans(const struct gm_tag *tags, size_t n, struct gm_span *spans)
{
    size_t n_spans = 0;
    for (size_t i = 0; i < n;) {
        struct gm_tag prev = i ? tags[i - 1] : outside, tag = tags[i];
        size_t first = i++;
        bool behind_own = is_open(prev) && prev.type == tag.type;
        bool begins = tag.prefix == 'B' ? behind_own
                                        : tag.prefix == 'I' && (!behind_own || prev.prefix == 'B');
        if (!begins)
            continue;
        while (i < n && tags[i].prefix == 'I' && tags[i].type == tag.type)
            i++;
        bool cut = i - first == 1 && tag.prefix == 'B' && i < n && tags[i].prefix == 'B' &&
                   tags[i].type != tag.type;
        if (!cut)
            spans[n_spans++] = (struct gm_span){first, i, tag.type};
    }
    return n_spans;
}

size_t gm_tags_to_spans(const struct gm_tag *tags, size_t n, enum gm_tag_scheme scheme,
                        enum gm_tag_repair repair, struct gm_span *spans)
{
    bool bioes = scheme == GM_TAGS_BIOES;
    if (repair == GM_REPAIR_CONLLEVAL)
        return lenient_spans(tags, n, spans);
    for (size_t i = 0; i < n && scheme == GM_TAGS_AUTO && !bioes; i++)
        bioes = tags[i].prefix == 'E' || tags[i].prefix == 'S';
    return scheme == GM_TAGS_IOB1 ? iob1_spans(tags, n, spans)
                                  : strict_spans(tags, n, bioes, spans);
}

void gm_tag_signs_add(struct gm_tag_signs *s, const struct gm_tag *tags, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct gm_tag prev = i ? tags[i - 1] : outside;
        bool begins = prev.prefix == 'O' || prev.type != tags[i].type;
        s->has_e = s->has_e || tags[i].prefix == 'E';
        s->has_s = s->has_s || tags[i].prefix == 'S';
        s->has_b = s->has_b || tags[i].prefix == 'B';
        s->i_begins = s->i_begins || (tags[i].prefix == 'I' && begins);
        s->b_begins = s->b_begins || (tags[i].prefix == 'B' && begins);
    }
}

enum gm_tag_scheme gm_tag_signs_scheme(const struct gm_tag_signs *s, const char **odd)
{
    bool bioes = s->has_e || s->has_s;
    *odd = NULL;
    if (s->has_e && !s->has_b && !s->has_s)
        *odd = "IOE";
    else if (!bioes && s->i_begins && !s->b_begins)
        *odd = "IOB1";
    return bioes ? GM_TAGS_BIOES : GM_TAGS_BIO;
}

static bool is_inside(struct gm_tag tag) { return tag.prefix == 'I' || tag.prefix == 'E'; }

size_t gm_tags_faults(const struct gm_tag *tags, size_t n, enum gm_tag_scheme scheme, size_t *first)
{
    size_t n_faults = 0;
    for (size_t i = 0; i < n; i++) {
        struct gm_tag prev = i ? tags[i - 1] : outside, next = i + 1 < n ? tags[i + 1] : outside;
        bool starts_badly = is_inside(tags[i]) && !(is_open(prev) && prev.type == tags[i].type);
        bool ends_badly = scheme == GM_TAGS_BIOES && is_open(tags[i]) &&
                          !(is_inside(next) && next.type == tags[i].type);
        if ((starts_badly || ends_badly) && n_faults++ == 0)
            *first = i;
    }
    return n_faults;
}

void gm_spans_to_tags(const struct gm_span *spans, size_t n_spans, enum gm_tag_scheme scheme,
                      struct gm_tag *tags, size_t n)
{
    bool bioes = scheme == GM_TAGS_BIOES;
    for (size_t i = 0; i < n; i++)
        tags[i] = outside;
    for (size_t k = 0; k < n_spans; k++) {
        struct gm_span s = spans[k];
        for (size_t i = s.first; i < s.end; i++)
            tags[i] = (struct gm_tag){i == s.first ? 'B' : 'I', s.type};
        if (bioes && s.end > s.first)
            tags[s.end - 1].prefix = s.end - s.first == 1 ? 'S' : 'E';
    }
}
