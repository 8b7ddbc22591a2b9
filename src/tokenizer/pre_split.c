/* Pre-tokenisers that only cut: BertPreTokenizer, Whitespace, WhitespaceSplit, Split. */
#include "text/unicode.h"
#include "tokenizer/pattern.h"
#include "tokenizer/pretokenise.h"

/* White space parts words, every punctuation mark is a word of its own. */
enum gm_status gm_pre_bert_run(const void *settings, struct gm_pretokens *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    (void)settings;
    for (size_t i = 0; i < p->n; i++) {
        struct gm_str s = {p->text.p, p->items[i].end};
        size_t start = p->items[i].start;
        for (size_t at = start; at < s.n;) {
            size_t here = at;
            uint32_t cp = gm_utf8_next(s, &at);
            bool space = gm_cp_is_space(cp), punct = !space && gm_cp_hf_is_punct(cp);
            if (!space && !punct)
                continue;
            GM_TRY(gm_pretokens_push(p, start, here, err));
            if (punct)
                GM_TRY(gm_pretokens_push(p, here, at, err));
            start = at;
        }
        GM_TRY(gm_pretokens_push(p, start, s.n, err));
    }
done:
    return st;
}

/* Stretches of code points of one class; those of class 0 are dropped. */
static enum gm_status cut_by_class(struct gm_pretokens *p, int (*class)(uint32_t cp),
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < p->n; i++) {
        struct gm_str s = {p->text.p, p->items[i].end};
        size_t start = p->items[i].start;
        int last = 0;
        for (size_t at = start; at < s.n;) {
            size_t here = at;
            int now = class(gm_utf8_next(s, &at));
            if (now == last)
                continue;
            if (last)
                GM_TRY(gm_pretokens_push(p, start, here, err));
            start = here;
            last = now;
        }
        if (last)
            GM_TRY(gm_pretokens_push(p, start, s.n, err));
    }
done:
    return st;
}

static int word_class(uint32_t cp) { return gm_cp_hf_is_word(cp) ? 1 : gm_cp_is_space(cp) ? 0 : 2; }
static int space_class(uint32_t cp) { return gm_cp_is_space(cp) ? 0 : 1; }

/* \w+|[^\w\s]+ */
enum gm_status gm_pre_whitespace_run(const void *settings, struct gm_pretokens *p,
                                     struct gm_error *err)
{
    (void)settings;
    return cut_by_class(p, word_class, err);
}

enum gm_status gm_pre_whitespace_split_run(const void *settings, struct gm_pretokens *p,
                                           struct gm_error *err)
{
    (void)settings;
    return cut_by_class(p, space_class, err);
}

/* The pieces of one stretch as they are found, cut one step behind: what they are merged with is
 * known only when the next one is. */
struct cutter {
    const struct gm_pre_split *set;
    struct gm_pretokens *p;
    size_t start, end; /* the stretch that waits */
    bool waits, was_match;
    struct gm_error *err;
};

/* Whether a piece joins the one that waits. Merging with the next piece: only the last of several
 * matches in a row does; with the previous one: only the first. */
static bool joins(const struct cutter *c, bool is_match)
{
    switch (c->set->behaviour) {
    case GM_SPLIT_MERGED_WITH_PREVIOUS: return is_match && !c->was_match;
    case GM_SPLIT_MERGED_WITH_NEXT: return !is_match && c->was_match;
    case GM_SPLIT_CONTIGUOUS: return is_match == c->was_match;
    case GM_SPLIT_REMOVED:
    case GM_SPLIT_ISOLATED: break;
    }
    return false;
}

static enum gm_status piece(struct cutter *c, size_t start, size_t end, bool is_match)
{
    enum gm_status st = GM_OK;
    if (start == end)
        return GM_OK;
    is_match = is_match != c->set->invert;
    if (c->waits && joins(c, is_match)) {
        c->end = end;
    } else {
        if (c->waits)
            st = gm_pretokens_push(c->p, c->start, c->end, c->err);
        c->start = start;
        c->end = end;
        c->waits = c->set->behaviour != GM_SPLIT_REMOVED || !is_match;
    }
    c->was_match = is_match;
    return st;
}

enum gm_status gm_pre_split_run(const void *settings, struct gm_pretokens *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_pre_split *set = settings;
    for (size_t i = 0; i < p->n; i++) {
        struct cutter c = {.set = set, .p = p, .err = err};
        struct gm_str s =
            gm_str_sub(gm_aligned_text_str(&p->text), p->items[i].start, p->items[i].end);
        size_t base = p->items[i].start, at = 0, start, end;
        while (gm_pattern_next(set->pattern, s, at, &start, &end)) {
            GM_TRY(piece(&c, base + at, base + start, false));
            GM_TRY(piece(&c, base + start, base + end, true));
            at = end;
        }
        GM_TRY(piece(&c, base + at, base + s.n, false));
        if (c.waits)
            GM_TRY(gm_pretokens_push(p, c.start, c.end, err));
    }
done:
    return st;
}
