/* lettering - see the header. A word w of m letters is looked for anywhere in a line s of n letters:
 *
 *   d[0][j] = 0,  d[i][0] = i,
 *   d[i][j] = min(d[i-1][j] + 1, d[i][j-1] + 1, d[i-1][j-1] + [w_i != s_j]),   edits = min over j of d[m][j]
 *
 * d[0][j] = 0, so that it may begin at any letter of the line. */
#include "stages/lettering.h"

#include "base/utf8.h"
#include "text/unicode.h"

#include <string.h>

enum {
    LETTERS = 128,  /* of a name or a line that are looked at */
    WORDS = 24,     /* of a name */
    FUZZY = 5,      /* letters from which on a word may be misread, and of each edit */
    MANY_LINES = 6, /* from which on a line must stand out */
    SENTENCE = 3,   /* words beside those of a name that make a line one */
    PAGE_WORDS = 5  /* of half of a page's lines */
};
static const double stands_out = 1.25; /* its height against the lines' median */
static const double heads = 1.5;       /* the same, of what a page of text doesn't have */

/* Letters and numbers, folded; where a word begins is marked. */
struct letters {
    uint32_t cp[LETTERS];
    bool starts[LETTERS];
    size_t n;
};

/* One letter for those that look alike. */
static uint32_t fold(uint32_t cp)
{
    uint32_t out[GM_CP_PARTS];
    (void)gm_cp_decompose(cp, out);
    (void)gm_cp_lower(out[0], out);
    return out[0] == '0'                    ? 'o'
           : out[0] == '1' || out[0] == 'i' ? 'l'
           : out[0] == '5'                  ? 's'
                                            : out[0];
}

static bool is_digit(uint32_t cp) { return cp >= '0' && cp <= '9'; }

/* Where a name that is written in one is cut: "UFC|189|Live|From". */
static bool is_seam(uint32_t before, uint32_t cp)
{
    if (is_digit(before) || is_digit(cp))
        return is_digit(before) ? gm_cp_is_upper(cp) : true;
    return gm_cp_is_lower(before) && gm_cp_is_upper(cp);
}

/* is_cut: a word begins at a seam, too. */
static void read_letters(struct letters *l, struct gm_str s, bool is_cut)
{
    uint32_t before = ' ';
    l->n = 0;
    for (size_t at = 0; at < s.n && l->n < LETTERS;) {
        uint32_t cp = gm_utf8_next(s, &at);
        if (gm_cp_is_any_mark(cp))
            continue; /* an accent of the letter before */
        if (gm_cp_is_alnum(cp)) {
            l->starts[l->n] = !gm_cp_is_alnum(before) || (is_cut && is_seam(before, cp));
            l->cp[l->n++] = fold(cp);
        }
        before = cp;
    }
}

/* The end of the word that begins at letter i. */
static size_t word_end(const struct letters *l, size_t i)
{
    for (i++; i < l->n && !l->starts[i]; i++)
        continue;
    return i;
}

static bool is_word(const uint32_t *w, size_t n, const char *folded)
{
    size_t i = 0;
    while (i < n && folded[i] && w[i] == (uint32_t)(unsigned char)folded[i])
        i++;
    return i == n && !folded[i];
}

/* Says nothing by itself. Spelt as folded: "is" is "ls". */
static bool is_stop_word(const uint32_t *w, size_t n)
{
    static const char *const words[] = {"the", "of", "and",  "ln", "for", "to", "on",
                                        "at",  "by", "wlth", "an", "ls",  NULL};
    if (n < 2)
        return true;
    for (size_t i = 0; words[i]; i++)
        if (is_word(w, n, words[i]))
            return true;
    return false;
}

/* The least edits between w and any part of the line. */
static size_t edits(const uint32_t *w, size_t n, const struct letters *line)
{
    size_t d[LETTERS + 1] = {0}, best = n;
    for (size_t i = 0; i < n; i++) {
        size_t corner = d[0];
        d[0] = i + 1;
        for (size_t j = 1; j <= line->n; j++) {
            size_t change = corner + (w[i] != line->cp[j - 1]);
            size_t gap = (d[j] < d[j - 1] ? d[j] : d[j - 1]) + 1;
            corner = d[j];
            d[j] = change < gap ? change : gap;
        }
    }
    for (size_t j = 0; j <= line->n; j++)
        best = d[j] < best ? d[j] : best;
    return best;
}

static bool holds(const struct letters *line, const uint32_t *w, size_t n)
{
    if (n >= FUZZY)
        return edits(w, n, line) <= n / FUZZY;
    for (size_t i = 0; i < line->n; i = word_end(line, i))
        if (word_end(line, i) - i == n && memcmp(line->cp + i, w, n * sizeof *w) == 0)
            return true;
    return false;
}

static double height_of(const struct gm_written *t) { return t->box[3] - t->box[1]; }

/* Whether few lines are higher: the line is `times` as high as the line in the middle. */
static bool is_higher(const struct gm_post *p, const struct gm_written *t, double times)
{
    size_t below = 0;
    for (size_t i = 0; i < p->n_texts; i++)
        below += height_of(&p->texts[i]) * times <= height_of(t);
    return below * 2 >= p->n_texts;
}

static bool is_prominent(const struct gm_post *p, const struct gm_written *t)
{
    return p->n_texts < MANY_LINES || is_higher(p, t, stands_out);
}

static void join_box(double box[GM_BOX_XYXY], const double with[GM_BOX_XYXY], bool is_first)
{
    for (size_t i = 0; i < GM_BOX_XYXY; i++)
        if (is_first || (i < 2 ? with[i] < box[i] : with[i] > box[i]))
            box[i] = with[i];
}

/* What the lines have of the name; word by word, or run together in one line. */
struct search {
    struct letters name;
    size_t word[WORDS], n_words; /* where the words that count begin */
    bool is_read[WORDS];         /* in lines that stand out */
    bool is_seen[WORDS];         /* in any line */
    bool is_shown;               /* in a line that is no sentence */
    struct gm_lettering by_word, whole;
    size_t n_by_word, n_whole; /* lines */
};

static void list_words(struct search *s)
{
    for (size_t i = 0; i < s->name.n && s->n_words < WORDS; i = word_end(&s->name, i))
        if (!is_stop_word(s->name.cp + i, word_end(&s->name, i) - i))
            s->word[s->n_words++] = i;
}

static size_t letters_of(const struct search *s, size_t k)
{
    return word_end(&s->name, s->word[k]) - s->word[k];
}

static size_t count_words(const struct letters *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i = word_end(l, i))
        n++;
    return n;
}

/* Whether the line says more than the name, of which it holds so many words and letters. */
static bool is_sentence(const struct letters *line, size_t words, size_t letters)
{
    return count_words(line) >= words + SENTENCE && 2 * line->n >= 3 * letters;
}

static void search_line(struct search *s, const struct letters *line, const struct gm_written *t,
                        bool is_prominent)
{
    size_t words = 0, letters = 0;
    bool is_joined = word_end(&s->name, 0) < s->name.n; /* of several parts */
    if (is_prominent && is_joined && s->name.n + 1 >= FUZZY && line->n + 1 >= s->name.n &&
        edits(s->name.cp, s->name.n, line) <= s->name.n / FUZZY) {
        join_box(s->whole.box, t->box, s->n_whole++ == 0);
        s->is_shown |= !is_sentence(line, 1, s->name.n);
    }
    for (size_t k = 0; k < s->n_words; k++) {
        if (!holds(line, s->name.cp + s->word[k], letters_of(s, k)))
            continue;
        s->is_seen[k] = true;
        s->is_read[k] |= is_prominent;
        words++;
        letters += letters_of(s, k);
    }
    if (!words)
        return;
    s->is_shown |= !is_sentence(line, words, letters);
    if (is_prominent)
        join_box(s->by_word.box, t->box, s->n_by_word++ == 0);
}

struct gm_lettering gm_lettering_find(const struct gm_post *p, struct gm_str name)
{
    struct search s = {.n_words = 0};
    size_t all = 0, read = 0, seen = 0;
    read_letters(&s.name, name, true);
    list_words(&s);
    for (size_t i = 0; i < p->n_texts && s.n_words; i++) {
        struct letters line;
        read_letters(&line, p->texts[i].text, false);
        search_line(&s, &line, &p->texts[i], is_prominent(p, &p->texts[i]));
    }
    for (size_t k = 0; k < s.n_words; k++) {
        size_t n = letters_of(&s, k);
        all += n;
        read += s.is_read[k] ? n : 0;
        seen += s.is_seen[k] ? n : 0;
    }
    s.by_word.share = all ? (double)read / (double)all : 0;
    s.whole.share = 1;
    struct gm_lettering l = s.n_whole && read < all ? s.whole : s.by_word;
    l.is_mention = !s.is_shown && (s.n_whole || (seen && 2 * seen >= all));
    return l;
}

bool gm_lettering_is_page(const struct gm_post *p)
{
    size_t long_lines = 0;
    for (size_t i = 0; i < p->n_texts; i++) {
        struct letters line;
        if (is_higher(p, &p->texts[i], heads))
            return false;
        read_letters(&line, p->texts[i].text, false);
        long_lines += count_words(&line) >= PAGE_WORDS;
    }
    return p->n_texts >= MANY_LINES && 2 * long_lines >= p->n_texts;
}

static bool is_part(const struct letters *part, const struct letters *of, size_t from, size_t to)
{
    return part->n == to - from && memcmp(part->cp, of->cp + from, part->n * sizeof *part->cp) == 0;
}

bool gm_name_is_same(struct gm_str a, struct gm_str b)
{
    struct letters x, y;
    read_letters(&x, a, true);
    read_letters(&y, b, true);
    const struct letters *part = x.n < y.n ? &x : &y, *of = x.n < y.n ? &y : &x;
    if (is_part(part, of, 0, of->n))
        return true;
    if (part->n < 3 || word_end(part, 0) < part->n)
        return false; /* of two words or more: another name */
    size_t last = of->n;
    for (size_t i = 0; i < of->n; i = word_end(of, i))
        last = i;
    return is_part(part, of, 0, word_end(of, 0)) || is_part(part, of, last, of->n);
}
