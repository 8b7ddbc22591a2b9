/* name_policy.c - a rule is a function on an entity's bytes in the text; false drops the entity. They are
 * taken in the order of `rules`. Words are compared by their ASCII letters and digits alone, in small letters, so
 * that "Valentine's Day" and "#ValentinesDay" are one. */
#include "ner/name_policy.h"

#include "base/utf8.h"
#include "record/offsets.h"
#include "text/unicode.h"

#include <string.h>

/* An entity under way. */
struct name {
    struct gm_str text; /* of the post */
    size_t from, to;    /* bytes */
    struct gm_str type;
};

static bool is_person(const struct name *e) { return gm_str_eq_c(e->type, "PER"); }

/* ---- words ---- */

enum { LONGEST = 48 };

/* The ASCII letters and digits of `s`, small; empty where there are more than fit, or others. */
static struct gm_str key_of(struct gm_str s, char out[LONGEST])
{
    size_t n = 0;
    for (size_t at = 0; at < s.n;) {
        uint32_t cp = gm_utf8_next(s, &at);
        bool capital = cp >= 'A' && cp <= 'Z';
        if (!gm_cp_is_alnum(cp) && !gm_cp_is_any_mark(cp))
            continue;
        if (cp >= 0x80 || n == LONGEST)
            return GM_STR("");
        out[n++] = (char)(capital ? cp + 'a' - 'A' : cp);
    }
    return (struct gm_str){out, n};
}

/* The letters and digits of a handle or hashtag go on at byte `at`; its end in *end. In scripts without spaces
 * nobody knows where it ends, so that what the tagger found is left as it is. */
static bool goes_on(struct gm_str text, size_t at, size_t *end)
{
    if (at >= text.n)
        return false;
    *end = at;
    uint32_t cp = gm_utf8_next(text, end);
    return cp == '_' ||
           ((gm_cp_is_alnum(cp) || gm_cp_is_any_mark(cp)) && gm_cp_unspaced(cp) == GM_SPACED);
}

/* Where the word of letters, digits and "_" around byte `at` begins, and what is before it. */
static size_t word_start(struct gm_str text, size_t at)
{
    while (at > 0) {
        size_t before = at - 1, end;
        while (before > 0 && ((unsigned char)text.p[before] & 0xC0) == 0x80)
            before--;
        if (!goes_on(text, before, &end))
            break;
        at = before;
    }
    return at;
}

static size_t word_end(struct gm_str text, size_t at)
{
    size_t end;
    while (goes_on(text, at, &end))
        at = end;
    return at;
}

/* ---- handles and hashtags ---- */

/* Whether the handle whose "@" is at byte `at` is named as a source: behind RT, MT or via. */
static bool is_credit(struct gm_str text, size_t at)
{
    static const char *const words[] = {"rt", "mt", "via", NULL};
    char key[LONGEST];
    while (at > 0 && (text.p[at - 1] == ' ' || text.p[at - 1] == ':'))
        at--;
    return gm_str_is_one_of(key_of(gm_str_sub(text, word_start(text, at), at), key), words);
}

static bool whole_tags(struct name *e)
{
    size_t first = word_start(e->text, e->from), last = word_start(e->text, e->to - 1);
    char mark = first > 0 ? e->text.p[first - 1] : ' ';
    char last_mark = last > 0 ? e->text.p[last - 1] : ' ';
    if (mark == '#' || mark == '@')
        e->from = first;
    if (last_mark == '#' || last_mark == '@')
        e->to = word_end(e->text, e->to);
    if (mark == '@')
        return is_person(e) && !is_credit(e->text, first - 1);
    return true;
}

/* ---- titles and ends ---- */

static const char *const titles[] = {
    "mr",       "mrs",   "ms",      "miss",     "dr",   "prof",    "professor", "sen",
    "senator",  "rep",   "gov",     "governor", "capt", "captain", "sgt",       "sergeant",
    "lt",       "col",   "colonel", "gen",      "rev",  "hon",     "president", "prime",
    "minister", "mayor", "judge",   "shri",     "smt",  NULL};

/* The titles in front of a name, with their dots and the spaces behind; a title alone is no name. */
static bool without_title(struct name *e)
{
    while (is_person(e) && e->from < e->to) {
        char key[LONGEST];
        size_t end = word_end(e->text, e->from);
        if (!gm_str_is_one_of(key_of(gm_str_sub(e->text, e->from, end), key), titles))
            return true;
        while (end < e->to && (e->text.p[end] == '.' || e->text.p[end] == ' '))
            end++;
        e->from = end;
    }
    return e->from < e->to;
}

/* ", Jr" behind a person. */
static size_t suffix_end(const struct name *e)
{
    static const char *const suffixes[] = {"jr", "sr", NULL};
    char key[LONGEST];
    size_t at = e->to;
    if (!is_person(e) || at >= e->text.n || e->text.p[at] != ',')
        return e->to;
    while (++at < e->text.n && e->text.p[at] == ' ')
        ;
    size_t end = word_end(e->text, at);
    return gm_str_is_one_of(key_of(gm_str_sub(e->text, at, end), key), suffixes) ? end : e->to;
}

static bool with_end(struct name *e)
{
    static const char *const shortened[] = {"jr",  "sr",  "inc",  "co", "corp",
                                            "ltd", "pub", "bros", NULL};
    char key[LONGEST];
    e->to = suffix_end(e);
    if (e->to >= e->text.n || e->text.p[e->to] != '.')
        return true;
    size_t start = word_start(e->text, e->to);
    bool letter = e->to - start == 1 && start >= e->from + 2 && e->text.p[start - 1] == '.';
    if (letter || gm_str_is_one_of(key_of(gm_str_sub(e->text, start, e->to), key), shortened))
        e->to++;
    return true;
}

/* ---- what is no name by itself ---- */

static const char *const holidays[] = {"valentine",
                                       "valentines",
                                       "valentinesday",
                                       "valentineday",
                                       "christmas",
                                       "christmasday",
                                       "christmaseve",
                                       "xmas",
                                       "easter",
                                       "eastersunday",
                                       "goodfriday",
                                       "halloween",
                                       "thanksgiving",
                                       "thanksgivingday",
                                       "newyear",
                                       "newyears",
                                       "newyearsday",
                                       "newyearseve",
                                       "mothersday",
                                       "fathersday",
                                       "memorialday",
                                       "laborday",
                                       "labourday",
                                       "veteransday",
                                       "independenceday",
                                       "4thofjuly",
                                       "fourthofjuly",
                                       "stpatricksday",
                                       "saintpatricksday",
                                       "presidentsday",
                                       "earthday",
                                       "blackfriday",
                                       "cybermonday",
                                       "aprilfools",
                                       "aprilfoolsday",
                                       "ramadan",
                                       "eid",
                                       "hanukkah",
                                       "chanukah",
                                       "diwali",
                                       "boxingday",
                                       NULL};

static bool no_holiday(struct name *e)
{
    static const char happy[] = "happy";
    char buf[LONGEST];
    struct gm_str key = key_of(gm_str_sub(e->text, e->from, e->to), buf);
    if (gm_str_starts(key, gm_str(happy)))
        key = gm_str_sub(key, sizeof happy - 1, key.n);
    return !gm_str_is_one_of(key, holidays);
}

static const char *const peoples[] = {
    "african",     "africans",   "afghan",      "american",     "americans", "arab",
    "arabs",       "arabic",     "argentine",   "asian",        "asians",    "australian",
    "australians", "austrian",   "belgian",     "brazilian",    "british",   "britons",
    "brits",       "bulgarian",  "canadian",    "canadians",    "catholic",  "catholics",
    "chilean",     "chinese",    "christian",   "christians",   "colombian", "croatian",
    "cuban",       "cubans",     "czech",       "danish",       "dutch",     "egyptian",
    "egyptians",   "english",    "european",    "europeans",    "filipino",  "filipinos",
    "finnish",     "french",     "german",      "germans",      "ghanaian",  "greek",
    "greeks",      "hindu",      "hindus",      "hispanic",     "hungarian", "icelandic",
    "indian",      "indians",    "indonesian",  "iranian",      "iranians",  "iraqi",
    "iraqis",      "irish",      "islamic",     "israeli",      "israelis",  "italian",
    "italians",    "jamaican",   "japanese",    "jew",          "jewish",    "jews",
    "kenyan",      "korean",     "koreans",     "kurdish",      "kurds",     "latino",
    "latinos",     "lebanese",   "libyan",      "malaysian",    "mexican",   "mexicans",
    "moroccan",    "muslim",     "muslims",     "nigerian",     "nigerians", "norwegian",
    "pakistani",   "pakistanis", "palestinian", "palestinians", "persian",   "peruvian",
    "polish",      "portuguese", "romanian",    "russian",      "russians",  "saudi",
    "saudis",      "scottish",   "serbian",     "serbs",        "sikh",      "sikhs",
    "somali",      "spanish",    "swedish",     "swiss",        "syrian",    "syrians",
    "thai",        "tibetan",    "tunisian",    "turkish",      "turks",     "ukrainian",
    "ukrainians",  "venezuelan", "vietnamese",  "welsh",        "yemeni",    NULL};

static bool no_people(struct name *e)
{
    char key[LONGEST];
    return is_person(e) ||
           !gm_str_is_one_of(key_of(gm_str_sub(e->text, e->from, e->to), key), peoples);
}

static const char *const platforms[] = {
    "twitter", "facebook", "instagram", "youtube",   "ebay",   "reddit",
    "tumblr",  "snapchat", "pinterest", "spotify",   "itunes", "netflix",
    "etsy",    "linkedin", "whatsapp",  "wikipedia", NULL};

static bool right_platform(struct name *e)
{
    char key[LONGEST];
    if (gm_str_eq_c(e->type, "OTHER") &&
        gm_str_is_one_of(key_of(gm_str_sub(e->text, e->from, e->to), key), platforms))
        e->type = GM_STR("ORG");
    return true;
}

/* ---- before the labels ---- */

/* How much less likely than the tagger thinks it is that a hashtag is no name, as the difference of emissions: on
 * tweets more of them are names than where it was trained. Chosen on tweets annotated by eye (docs/results.md). */
static const float hashtag_weight = 1.0F;

static bool is_separator(struct gm_str word)
{
    static const char *const words[] = {"-", "–", "—", "|", "+", "~", "•",
                                        "*", "/", "·", ">", "»", NULL};
    return gm_str_is_one_of(word, words);
}

static bool has_space_around(struct gm_str text, struct gm_word w)
{
    return w.start > 0 && gm_is_space_byte(text.p[w.start - 1]) && w.end < text.n &&
           gm_is_space_byte(text.p[w.end]);
}

void gm_name_policy_weigh(const struct gm_ner_labels *l, const struct gm_ner_rows *r, float *emit)
{
    struct gm_str text = r->post->text;
    if (r->post->has_tokens)
        return;
    for (size_t w = 0; w < r->n_words; w++) {
        struct gm_word at = r->words[w];
        if (at.start > 0 && text.p[at.start - 1] == '#')
            emit[w * l->k] -= hashtag_weight; /* label 0: no entity */
        if (w > 0 && is_separator(gm_str_sub(text, at.start, at.end)) && has_space_around(text, at))
            gm_ner_end_entities(l, emit, w);
    }
}

/* ---- a post ---- */

/* The rules are of these types. A type that a tagger has beside them (a nationality, an event) says by itself that
 * such names are entities. */
static bool is_of_types(struct gm_str type)
{
    static const char *const types[] = {"PER", "LOC", "ORG", "OTHER", "MISC", NULL};
    return gm_str_is_one_of(type, types);
}

static bool (*const rules[])(struct name *) = {whole_tags, without_title, with_end,
                                               no_holiday, no_people,     right_platform};

void gm_name_policy_apply(struct gm_post *p)
{
    size_t n = 0, last = 0; /* end of the entity before, in bytes */
    struct gm_offset at, out;
    if (p->has_tokens)
        return;
    gm_offset_init(&at, p->text);
    gm_offset_init(&out, p->text);
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entity *e = &p->entities[i];
        struct name x = {.text = p->text, .type = e->type};
        bool keep = gm_offset_to_cp(&at, e->start);
        x.from = at.byte;
        keep = gm_offset_to_cp(&at, e->end) && keep;
        x.to = at.byte;
        for (size_t r = 0; is_of_types(e->type) && r < sizeof rules / sizeof *rules && keep; r++)
            keep = rules[r](&x);
        if (!keep || x.from < last)
            continue;
        e->text = gm_str_sub(p->text, x.from, x.to);
        e->type = x.type;
        e->start = gm_offset_to_byte(&out, x.from);
        e->end = gm_offset_to_byte(&out, x.to);
        last = x.to;
        p->entities[n++] = *e;
    }
    p->n_entities = n;
}
