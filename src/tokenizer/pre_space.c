/* Pre-tokenisers that change the text: Metaspace (a mark in place of spaces) and ByteLevel (a
 * printable character for every byte). */
#include "text/unicode.h"
#include "tokenizer/pretokenise.h"

#include <string.h>

/* Append `mark` to the new text, as coming from `src`. */
static enum gm_status put_mark(struct gm_aligned_text *t, struct gm_str mark, uint32_t src,
                               struct gm_error *err)
{
    enum gm_status st = gm_aligned_text_room(t, mark.n, err);
    for (size_t i = 0; i < mark.n && st == GM_OK; i++) {
        t->p[t->n] = mark.p[i];
        t->src[t->n++] = src;
    }
    return st;
}

/* The stretch with marks in place of spaces, at the end of p->spare. */
static enum gm_status put_stretch(const struct gm_pre_metaspace *set, struct gm_pretokens *p,
                                  struct gm_stretch x, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_str mark = {set->mark, set->n_mark};
    const struct gm_aligned_text *in = &p->text;
    struct gm_str s = gm_str_sub(gm_aligned_text_str(in), x.start, x.end);
    bool has_mark = s.p[0] == ' ' || gm_str_starts(s, mark);
    /* "First" means a stretch at the very start of the source. */
    if (!has_mark && (set->prepend == GM_PREPEND_ALWAYS ||
                      (set->prepend == GM_PREPEND_FIRST && in->src[x.start] == 0)))
        GM_TRY(put_mark(&p->spare, mark, in->src[x.start], err));
    for (size_t at = x.start; at < x.end;) {
        const char *space = memchr(in->p + at, ' ', x.end - at);
        size_t end = space ? (size_t)(space - in->p) : x.end;
        GM_TRY(gm_aligned_text_copy(&p->spare, in, at, end, err));
        if (space)
            GM_TRY(put_mark(&p->spare, mark, in->src[end], err));
        at = end + (space != NULL);
    }
done:
    return st;
}

enum gm_status gm_pre_metaspace_run(const void *settings, struct gm_pretokens *p,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_pre_metaspace *set = settings;
    const struct gm_str mark = {set->mark, set->n_mark};
    p->spare.n = 0;
    for (size_t i = 0; i < p->n; i++) {
        size_t start = p->spare.n, next = start;
        GM_TRY(put_stretch(set, p, p->items[i], err));
        struct gm_str s = gm_aligned_text_str(&p->spare);
        if (!set->split)
            next = SIZE_MAX;
        while (next != SIZE_MAX) { /* a new stretch at every mark */
            next = gm_str_find(
                s, mark, start + (gm_str_starts(gm_str_sub(s, start, s.n), mark) ? mark.n : 0));
            GM_TRY(gm_pretokens_push(p, start, next == SIZE_MAX ? s.n : next, err));
            start = next == SIZE_MAX ? s.n : next;
        }
        GM_TRY(gm_pretokens_push(p, start, s.n, err));
    }
    gm_aligned_text_swap(&p->text, &p->spare);
done:
    return st;
}

uint32_t gm_byte_level_char(unsigned char b)
{
    /* The 68 bytes without a visible character of their own are numbered from U+0100. */
    if (b <= 0x20)
        return 0x100u + b;
    if (b >= 0x7F && b <= 0xA0)
        return 0x121u + b - 0x7F;
    return b == 0xAD ? 0x143 : b;
}

enum char_class { SPACE, LETTER, NUMBER, OTHER };

static enum char_class class_at(struct gm_str s, size_t *at)
{
    char c = s.p[*at];
    if ((unsigned char)c < 0x80) {
        ++*at;
        return (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? LETTER
               : c >= '0' && c <= '9'                 ? NUMBER
               : gm_is_space_byte(c)                  ? SPACE
                                                      : OTHER;
    }
    uint32_t cp = gm_utf8_next(s, at);
    return gm_cp_is_space(cp)       ? SPACE
           : gm_cp_hf_is_letter(cp) ? LETTER
           : gm_cp_hf_is_number(cp) ? NUMBER
                                    : OTHER;
}

/* The end of a run of one class that starts at `at`. */
static size_t run_end(struct gm_str s, size_t at, enum char_class class)
{
    for (size_t next = at; next < s.n && class_at(s, &next) == class;)
        at = next;
    return at;
}

/* 's 't 're 've 'm 'll 'd */
static size_t contraction(struct gm_str s, size_t at)
{
    static const char *const endings[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (gm_str_starts(gm_str_sub(s, at, s.n), gm_str(endings[i])))
            return at + strlen(endings[i]);
    return at;
}

/* The end of GPT-2's match at `at`:
 * 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t gpt2_end(struct gm_str s, size_t at)
{
    size_t next = at, end;
    if (s.p[at] == '\'' && (end = contraction(s, at)) != at)
        return end;
    enum char_class class = class_at(s, &next);
    if (class != SPACE)
        return run_end(s, next, class);
    if (s.p[at] == ' ' && next < s.n) {
        size_t after = next;
        class = class_at(s, &after);
        if (class != SPACE)
            return run_end(s, after, class);
    }
    /* White space up to the last one, which goes with what follows; all of it at the end. */
    size_t last = at;
    for (end = at; end < s.n;) {
        next = end;
        if (class_at(s, &next) != SPACE)
            break;
        last = end;
        end = next;
    }
    return end == s.n || last == at ? end : last;
}

/* One stretch in the alphabet of bytes, at the end of p->spare. */
static enum gm_status put_bytes(struct gm_pretokens *p, size_t start, size_t end,
                                struct gm_error *err)
{
    size_t from = p->spare.n;
    enum gm_status st = gm_aligned_text_room(&p->spare, 2 * (end - start), err);
    if (st != GM_OK)
        return st;
    for (size_t i = start; i < end; i++)
        gm_aligned_text_put(&p->spare, gm_byte_level_char((unsigned char)p->text.p[i]),
                            p->text.src[i]);
    return gm_pretokens_push(p, from, p->spare.n, err);
}

enum gm_status gm_pre_byte_level_run(const void *settings, struct gm_pretokens *p,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_pre_byte_level *set = settings;
    /* The text with its spaces first, as the regular expression must see them. */
    p->spare.n = 0;
    for (size_t i = 0; i < p->n; i++) {
        struct gm_stretch x = p->items[i];
        p->items[i].start = p->spare.n;
        if (set->add_prefix_space && p->text.p[x.start] != ' ')
            GM_TRY(put_mark(&p->spare, GM_STR(" "), p->text.src[x.start], err));
        GM_TRY(gm_aligned_text_copy(&p->spare, &p->text, x.start, x.end, err));
        p->items[i].end = p->spare.n;
    }
    gm_aligned_text_swap(&p->text, &p->spare);
    p->spare.n = 0;
    for (size_t i = 0; i < p->n; i++) {
        struct gm_str s = {p->text.p, p->items[i].end};
        for (size_t at = p->items[i].start, end; at < s.n; at = end) {
            end = set->use_regex ? gpt2_end(s, at) : s.n;
            GM_TRY(put_bytes(p, at, end, err));
        }
    }
    gm_aligned_text_swap(&p->text, &p->spare);
done:
    return st;
}
