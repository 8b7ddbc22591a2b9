#include "stages/label_affinity.h"

#include "base/utf8.h"
#include "text/segment.h"
#include "vision/coco_classes.h"

#include <ctype.h>
#include <stdbool.h>

/* Words that people use for such an object, and names of products that are one. */
static const struct {
    const char *label, *words; /* separated by "|" */
} synonyms[] = {
    {"bicycle", "bike|bikes|cyclist"},
    {"car",
     "cars|ferrari|porsche|bmw|audi|mercedes|tesla|toyota|honda|mustang|lamborghini|corvette|"
     "camaro|bugatti|mclaren|volkswagen|nissan|subaru|mazda|bentley|rolls royce|jeep|supercar"},
    {"motorcycle", "motorbike|harley|harley davidson|ducati|kawasaki|scooter|vespa"},
    {"airplane", "plane|aeroplane|jet|aircraft|boeing|airbus|spitfire|concorde|flight"},
    {"bus", "coach bus|double decker"},
    {"train", "locomotive|subway train|metro train|amtrak|eurostar"},
    {"truck", "lorry|pickup|f 150|silverado"},
    {"boat", "ship|yacht|ferry|titanic|canoe|sailboat|uss|hms"},
    {"bird", "eagle|owl|parrot|falcon|hawk|duck|penguin|swan|flamingo"},
    {"cat", "kitten|kitty|kittens"},
    {"dog", "puppy|puppies|pup|labrador|retriever|bulldog|husky|corgi|poodle|terrier|doggo"},
    {"horse", "pony|stallion|racehorse|mare"},
    {"sheep", "lamb|lambs|ram"},
    {"cow", "bull|cattle|calf"},
    {"bear", "panda|grizzly"},
    {"sports ball", "football|basketball|soccer ball|baseball|volleyball|ball"},
    {"bottle", "coca cola|coke|pepsi|beer|champagne|whisky|whiskey|vodka|wine"},
    {"wine glass", "wine|champagne|prosecco"},
    {"cup", "coffee|tea|latte|espresso|cappuccino|mug"},
    {"sandwich", "burger|hamburger|big mac|whopper"},
    {"donut", "doughnut|doughnuts|krispy kreme"},
    {"cake", "cupcake|cupcakes|cheesecake"},
    {"potted plant", "bonsai|cactus"},
    {"tv", "television|hdtv"},
    {"laptop", "macbook|chromebook|thinkpad|notebook computer"},
    {"cell phone", "phone|iphone|smartphone|galaxy s|galaxy note|blackberry|nexus|xperia|oneplus"},
    {"book", "novel|bible|quran|paperback|hardcover"},
    {"clock", "watch|big ben"},
    {"teddy bear", "plush|winnie the pooh|paddington"},
};

/* Kinds of things that a fine type names; animals first. */
static const struct {
    const char *fine_type, *labels; /* separated by "|" */
} kinds[] = {
    {"animal", "bird|cat|dog|horse|sheep|cow|elephant|bear|zebra|giraffe"},
    {"vehicle", "bicycle|car|motorcycle|airplane|bus|train|truck|boat"},
    {"aircraft", "airplane"},
    {"vessel", "boat"},
    {"food", "sandwich|hot dog|pizza|donut|cake|banana|apple|orange|broccoli|carrot"},
};

/* Types whose names are not the things they are made of. */
static const char *const name_types[] = {"ORG", "LOC", "organization", "location", "building"};

/* A phrase of a "|" list; false at the end. */
static bool next_phrase(struct gm_str *list, struct gm_str *phrase)
{
    if (!list->n)
        return false;
    gm_str_cut(*list, '|', phrase, list);
    return true;
}

/* Where the phrase that begins at byte `at` ends; SIZE_MAX = it doesn't. A space of the phrase matches any one
 * character that is no letter or digit, so that "f 150" finds "F-150". */
static size_t match(struct gm_str text, size_t at, struct gm_str phrase)
{
    for (size_t i = 0; i < phrase.n; i++) {
        bool is_gap = phrase.p[i] == ' ';
        if (at >= text.n ||
            (is_gap ? gm_letter_end(text, at) > at
                    : tolower((unsigned char)text.p[at]) != tolower((unsigned char)phrase.p[i])))
            return SIZE_MAX;
        if (is_gap)
            (void)gm_utf8_next(text, &at);
        else
            at++;
    }
    return at;
}

/* Whether `phrase` stands in `text` as whole words. */
static bool has_phrase(struct gm_str text, struct gm_str phrase)
{
    for (size_t at = 0; at < text.n; (void)gm_utf8_next(text, &at)) {
        size_t end = match(text, at, phrase);
        if (end != SIZE_MAX && gm_is_word_edge(text, at) && gm_is_word_edge(text, end))
            return true;
    }
    return false;
}

static bool has_any(struct gm_str text, struct gm_str list)
{
    struct gm_str phrase;
    while (next_phrase(&list, &phrase))
        if (has_phrase(text, phrase))
            return true;
    return false;
}

static bool is_listed(struct gm_str word, struct gm_str list)
{
    struct gm_str phrase;
    while (next_phrase(&list, &phrase))
        if (gm_str_eq(phrase, word))
            return true;
    return false;
}

static float text_affinity(struct gm_str label, struct gm_str text)
{
    const struct gm_coco_class *c = gm_coco_find(label);
    if (has_phrase(text, label) || (c && has_phrase(text, gm_str(c->many))))
        return 1.0f;
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
        if (gm_str_eq_c(label, synonyms[i].label) && has_any(text, gm_str(synonyms[i].words)))
            return 0.8f;
    return 0;
}

float gm_label_affinity(struct gm_str label, const struct gm_entity *e)
{
    float best = text_affinity(label, e->expression);
    bool is_name = false;
    for (size_t i = 0; i < sizeof name_types / sizeof *name_types; i++)
        is_name = is_name || gm_str_eq_c(e->type, name_types[i]);
    if (!is_name) {
        float by_text = text_affinity(label, e->text);
        best = by_text > best ? by_text : best;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && best < 0.6f; i++)
        if ((gm_str_eq_c(e->fine_type, kinds[i].fine_type) ||
             gm_str_eq_c(e->type, kinds[i].fine_type)) &&
            is_listed(label, gm_str(kinds[i].labels)))
            best = 0.6f;
    return best;
}

bool gm_label_is_animal(struct gm_str label) { return is_listed(label, gm_str(kinds[0].labels)); }

const char *const gm_person_types[] = {
    "PER",          "person",     "politician",   "musician", "actor",     "artist",
    "athlete",      "author",     "businessman",  "coach",    "character", "director",
    "intellectual", "journalist", "person_other", NULL,
};

bool gm_is_person(const struct gm_entity *e)
{
    for (const char *const *t = gm_person_types; *t; t++)
        if (gm_str_eq_c(e->type, *t) || gm_str_eq_c(e->fine_type, *t))
            return true;
    return false;
}

enum gm_entity_kind gm_entity_kind(const struct gm_entity *e)
{
    static const char *const organisations[] = {"ORG", "organization"};
    static const char *const places[] = {"LOC", "location", "building"};
    if (gm_is_person(e))
        return GM_KIND_PERSON;
    for (size_t i = 0; i < sizeof organisations / sizeof *organisations; i++)
        if (gm_str_eq_c(e->type, organisations[i]))
            return GM_KIND_ORGANISATION;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (gm_str_eq_c(e->type, places[i]))
            return GM_KIND_PLACE;
    return GM_KIND_THING;
}
