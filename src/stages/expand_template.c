/* expand: an expression that a phrase detector or a reader can look for, made from the entity's
 * type and the caption. A person is described by the caption's first noun phrase about a person ("a
 * man in a dark suit"), anything else by its type alone: a caption rarely says which thing is
 * meant. Source: the role of entity expansion expressions in RiVEG (arXiv 2406.07268), without an
 * LLM. */
#include "stages/backends.h"

#include "base/utf8.h"
#include "text/segment.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *type, *expression;
} by_type[] = {
    {"PER", "a person"},
    {"ORG", "an organisation's logo or name"},
    {"LOC", "a place"},
    {"OTHER", "a thing"},
};

/* Nouns that stand for one person or a group of persons. */
static const char *const person_nouns[] = {
    "man",     "woman",    "boy",     "girl",       "person",  "people",  "men",    "women",
    "guy",     "lady",     "child",   "kid",        "player",  "athlete", "singer", "actor",
    "actress", "musician", "soldier", "politician", "speaker", "dancer",  "driver", "couple",
};

/* Words that end a noun phrase: verbs and joints of the sentence. */
static const char *const phrase_ends[] = {
    "is",      "are",      "was",     "were",     "has",     "and",     "while", "who",
    "that",    "standing", "sitting", "posing",   "smiling", "holding", "on",    "at",
    "next",    "behind",   "near",    "from",     "as",      "for",     "to",    "playing",
    "walking", "looking",  "talking", "speaking", "stands",  "sits",
};

enum { WORDS_BEFORE_MAX = 4, WORDS_MAX = 10 };

#define COUNT(a) (sizeof(a) / sizeof *(a))

static bool is_one_of(struct gm_str word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (word.n == strlen(list[i]) && strncasecmp(word.p, list[i], word.n) == 0)
            return true;
    return false;
}

static bool is_determiner(struct gm_str word)
{
    static const char *const list[] = {"a", "an", "the", "one", "two", "three", "several"};
    return is_one_of(word, list, COUNT(list));
}

/* Where what belongs to a word at byte `at` ends: a letter or digit, an apostrophe, a hyphen; else `at`. */
static size_t part_end(struct gm_str s, size_t at)
{
    struct gm_str apostrophe = GM_STR("\xe2\x80\x99");
    if (s.p[at] == '\'' || s.p[at] == '-')
        return at + 1;
    return gm_str_starts(gm_str_sub(s, at, s.n), apostrophe) ? at + apostrophe.n
                                                             : gm_letter_end(s, at);
}

/* The next word at or after *pos: letters, digits, apostrophes and hyphens. Empty at the end and at
 * a punctuation mark, which is stepped over. */
static struct gm_str next_word(struct gm_str s, size_t *pos)
{
    for (size_t next = *pos; next < s.n && gm_cp_is_space(gm_utf8_next(s, &next));)
        *pos = next;
    size_t from = *pos, end;
    while (*pos < s.n && (end = part_end(s, *pos)) > *pos)
        *pos = end;
    struct gm_str word = gm_str_sub(s, from, *pos);
    if (!word.n && *pos < s.n)
        (void)gm_utf8_next(s, pos);
    return word;
}

/* End (bytes) of the noun phrase whose head ends at `head_end`. */
static size_t phrase_end(struct gm_str caption, size_t head_end)
{
    size_t end = head_end, pos = head_end;
    for (int i = 0; i < WORDS_MAX && pos < caption.n; i++) {
        struct gm_str word = next_word(caption, &pos);
        if (!word.n || is_one_of(word, phrase_ends, COUNT(phrase_ends)))
            break;
        end = (size_t)(word.p - caption.p) + word.n;
    }
    /* "a man in a" would end on a joint: go back to the last full word. */
    static const char *const joints[] = {"in", "with", "wearing", "of", "a",
                                         "an", "the",  "his",     "her"};
    while (end > head_end) {
        size_t from = end;
        while (from > head_end && !isspace((unsigned char)caption.p[from - 1]))
            from--;
        if (!is_one_of(gm_str_sub(caption, from, end), joints, COUNT(joints)))
            break;
        while (from > head_end && isspace((unsigned char)caption.p[from - 1]))
            from--;
        end = from;
    }
    return end;
}

/* The first noun phrase about a person; empty when the caption has none. */
static struct gm_str person_phrase(struct gm_str caption)
{
    size_t start = SIZE_MAX; /* of the last determiner seen */
    int since = 0;           /* words since then */
    for (size_t pos = 0; pos < caption.n;) {
        struct gm_str word = next_word(caption, &pos);
        size_t from = (size_t)(word.p - caption.p);
        if (!word.n) {
            start = SIZE_MAX;
        } else if (is_determiner(word)) {
            start = from;
            since = 0;
        } else if (is_one_of(word, person_nouns, COUNT(person_nouns))) {
            size_t begin = start != SIZE_MAX && since <= WORDS_BEFORE_MAX ? start : from;
            return gm_str_sub(caption, begin, phrase_end(caption, from + word.n));
        } else {
            since++;
        }
    }
    return GM_STR("");
}

/* "a musical_work": the name of a type outside of the table, in words. */
static struct gm_str words_of_type(struct gm_arena *a, struct gm_str type)
{
    bool vowel = type.n && strchr("AEIOUaeiou", type.p[0]);
    struct gm_str s = gm_arena_printf(a, "%s %.*s", vowel ? "an" : "a", GM_STR_ARG(type));
    for (size_t i = 0; i < s.n; i++) {
        char *c = (char *)(uintptr_t)(s.p + i);
        *c = *c == '_' || *c == '-' || *c == '/' ? ' ' : (char)tolower((unsigned char)*c);
    }
    return s;
}

static struct gm_str expression_of(struct gm_post *p, const struct gm_entity *e)
{
    struct gm_str phrase = gm_str_eq_c(e->type, "PER") ? person_phrase(p->caption) : GM_STR("");
    if (phrase.n)
        return gm_arena_str(&p->arena, phrase);
    for (size_t i = 0; i < COUNT(by_type); i++)
        if (gm_str_eq_c(e->type, by_type[i].type))
            return gm_str(by_type[i].expression);
    return e->type.n ? words_of_type(&p->arena, e->type) : GM_STR("a thing");
}

static enum gm_status check_template(const struct gm_backend *b, const struct gm_json *settings,
                                     struct gm_error *err)
{
    static const char *const known[] = {NULL};
    return gm_settings_check(settings, b->stage, known, err);
}

static enum gm_status open_template(void **self, const struct gm_backend *b,
                                    const struct gm_json *settings, struct gm_error *err)
{
    *self = NULL;
    return check_template(b, settings, err);
}

static enum gm_status run_template(void *self, struct gm_post **posts, size_t n,
                                   struct gm_error *err)
{
    (void)self;
    for (size_t i = 0; i < n; i++) {
        struct gm_post *p = posts[i];
        for (size_t k = 0; k < p->n_entities && !p->error.stage.n; k++) {
            struct gm_entity *e = &p->entities[k];
            if (e->expression.n)
                continue;
            e->expression = expression_of(p, e);
            if (!e->expression.p)
                return GM_FAIL(err, GM_ENOMEM, "out of memory");
        }
    }
    return GM_OK;
}

static void close_template(void *self) { (void)self; }

const struct gm_backend gm_backend_expand_template = {
    .stage = "expand",
    .name = "template",
    .needs_image = true,
    .check = check_template,
    .open = open_template,
    .run = run_template,
    .close = close_template,
};
