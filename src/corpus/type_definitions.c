#include "corpus/type_definitions.h"

#include "base/yaml.h"

#include <strings.h>

struct definition {
    const char *type, *text;
};

#define PERSON "Shown by the whole visible person."
#define MARK "Shown by its logo, its lettering, or people in its kit or uniform."
#define PLACE "Shown only where the place itself can be recognised."
#define THING "Shown by the thing itself."

static const struct definition twitter[] = {
    {"PER", "A person named in the text, also a character of fiction. " PERSON},
    {"LOC", "A country, city, region, street, park, building or other place. Shown only where the "
            "place itself can be recognised: a landmark, its flag, its name on a sign."},
    {"ORG",
     "A company, team, league, band, party, agency, school, newspaper or other organisation. " MARK},
    {"OTHER",
     "A named thing that is neither person, place nor organisation: an event, a film, song or "
     "book, a product, a game, an award, an animal. Shown by the thing itself, its cover, "
     "poster or title lettering."},
    {"MISC",
     "A named thing that is neither person, place nor organisation: an event, a film, song or "
     "book, a product, a game, an award, an animal. Shown by the thing itself, its cover, "
     "poster or title lettering."},
};

static const struct definition fmnerg[] = {
    {"person", "A person named in the text, also a character of fiction. " PERSON},
    {"location", "A country, state, city, street, park or other place that is no building. " PLACE},
    {"building",
     "A named building: a stadium, theatre, museum, station, shop. Shown by the building, "
     "outside or inside, where it can be recognised."},
    {"organization", "A company, team, league, band, party, agency, school, newspaper or other "
                     "organisation. " MARK},
    {"product", "A named product: a brand's goods, software, a game. Shown by the product or its "
                "package."},
    {"art",
     "A named work: a film, a series, music, a book, a magazine. Shown by its cover, poster or "
     "title lettering."},
    {"event", "A named event: a festival, a holiday, a game or championship. Shown by its logo or "
              "lettering."},
    {"other",
     "A named thing of no other type: an award, an animal, a website, a law, a medical thing. " THING},
    {"actor", "An actor or a person known from films and television. " PERSON},
    {"artist",
     "An artist, dancer, model, comedian or other performer who is no musician or actor. " PERSON},
    {"athlete", "A sports player. " PERSON},
    {"author", "A writer. " PERSON},
    {"businessman", "A person known for business. " PERSON},
    {"character", "A character of a film, book, game or legend. Shown by its whole figure."},
    {"coach", "A trainer or manager in sports. " PERSON},
    {"director", "A director or producer of films. " PERSON},
    {"intellectual", "A scientist, scholar or thinker. " PERSON},
    {"journalist", "A journalist or presenter. " PERSON},
    {"musician", "A singer, rapper, DJ or other musician. " PERSON},
    {"politician", "A politician, official or ruler. " PERSON},
    {"person_other", "A person of no other kind. " PERSON},
    {"band", "A group of musicians. Shown by the group as a whole, or its name as lettering."},
    {"company", "A firm or its brand. " MARK},
    {"educational_institution", "A school or university. " MARK},
    {"government_agency", "A ministry, police, army or other body of a state. " MARK},
    {"news_agency", "A newspaper, broadcaster or news site as an organisation. " MARK},
    {"political_party", "A party. Shown by its logo, lettering or flag."},
    {"social_organization", "A club, charity, union or movement. " MARK},
    {"sports_league", "A league or federation in sports. Shown by its logo or lettering."},
    {"sports_team",
     "A club or national team. Shown by its crest, its lettering, or players in its kit."},
    {"organization_other", "An organisation of no other kind. " MARK},
    {"city", "A city, town or village. It is almost never in the picture. " PLACE},
    {"continent", "A continent. Shown by a map only."},
    {"country", "A country. Shown by its flag or a map."},
    {"park", "A park, garden, beach, mountain, lake or other piece of nature. " PLACE},
    {"road", "A street or road. " PLACE},
    {"state", "A state, province or region of a country. Shown by its flag or a map."},
    {"location_other", "A place of no other kind. " PLACE},
    {"cultural_place", "A museum, theatre, library, church or temple. Shown by the building."},
    {"entertainment_place",
     "A club, restaurant, hall, shop or theme park. Shown by the building or its "
     "sign."},
    {"sports_facility",
     "A stadium, arena or sports ground. Shown by the stadium, outside or inside."},
    {"building_other", "A building of no other kind. Shown by the building."},
    {"festival", "A festival, fair, concert series or holiday. Shown by its logo or lettering."},
    {"sports_event", "A match, race, cup or championship. Shown by its logo, lettering or trophy."},
    {"event_other", "An event of no other kind. Shown by its logo or lettering."},
    {"film_and_television_works",
     "A film, series or show. Shown by its poster or title lettering."},
    {"magazine", "A magazine or comic. Shown by its cover or title."},
    {"music", "A song or album. Shown by its cover."},
    {"written_work", "A book, poem or play. Shown by its cover."},
    {"art_other", "A work of no other kind, as a painting or sculpture. Shown by the work."},
    {"brand_name_products",
     "Goods of a brand: a car, phone, drink, garment. Shown by the product."},
    {"game", "A video game or other game. Shown by its cover, title or screen."},
    {"software", "A program, app or online service. Shown by its logo or screen."},
    {"product_other", "A product of no other kind. Shown by the product."},
    {"animal", "An animal or kind of animal by name. Shown by the whole animal."},
    {"award", "A prize, title or medal. Shown by the prize."},
    {"medical_thing", "A disease, drug or treatment. It is rarely in the picture."},
    {"ordinance", "A law, treaty or programme. It is rarely in the picture."},
    {"website", "A website. Shown by its logo or address."},
};

static const struct definition ccks[] = {
    {"vehicle",
     "A military or transport vehicle on land by its name or model: a tank, an armoured car, a "
     "truck. Shown by the whole vehicle."},
    {"aircraft",
     "An aeroplane, helicopter or drone by its name or model. Shown by the whole aircraft."},
    {"vessel",
     "A ship, boat or submarine by its name, number or class. Shown by the whole vessel."},
    {"weapon",
     "A weapon by its name or model: a gun, a missile, a rocket launcher. Shown by the weapon, "
     "with its launcher where that is part of it."},
    {"location",
     "A country, region, sea, town or training ground. It has no box, whatever the picture "
     "shows."},
    {"other",
     "A named thing of no other type: an organisation, a unit, an operation, a person. Shown "
     "only where its sign or the thing itself is seen."},
};

#define ROWS(t)                    \
    {                              \
        t, sizeof(t) / sizeof *(t) \
    }
static const struct {
    const struct definition *rows;
    size_t n;
} families[GM_N_TYPE_FAMILIES] = {ROWS(twitter), ROWS(fmnerg), ROWS(ccks)};

static const char *find(struct gm_str type, enum gm_type_family family)
{
    for (size_t i = 0; i < families[family].n; i++) {
        const struct definition *d = &families[family].rows[i];
        if (strncasecmp(d->type, type.p, type.n) == 0 && d->type[type.n] == 0)
            return d->text;
    }
    return NULL;
}

enum gm_type_family gm_type_family(const struct gm_str *types, size_t n)
{
    size_t best = 0, best_n = 0;
    for (size_t f = 0; f < GM_N_TYPE_FAMILIES; f++) {
        size_t known = 0;
        for (size_t i = 0; i < n; i++)
            known += types[i].n && find(types[i], (enum gm_type_family)f);
        if (known > best_n) {
            best_n = known;
            best = f;
        }
    }
    return (enum gm_type_family)best;
}

struct gm_str gm_type_definition(struct gm_str type, enum gm_type_family family)
{
    const char *text = type.n ? find(type, family) : NULL;
    for (size_t f = 0; f < GM_N_TYPE_FAMILIES && !text && type.n; f++)
        text = find(type, (enum gm_type_family)f);
    return gm_str(text);
}

enum gm_status gm_type_definitions_load(struct gm_json **out, const char *path, bool may_lack,
                                        struct gm_error *err)
{
    struct gm_str text;
    enum gm_status st = gm_yaml_load(out, path, err);
    if (st != GM_OK)
        return st;
    if (gm_json_kind(*out) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EFORMAT, "%s: lines \"TYPE: definition\" are expected", path);
    for (void *it = gm_json_first(*out); it; it = gm_json_next(*out, it))
        if (!(may_lack && gm_json_kind(gm_json_value(it)) == GM_JSON_NULL) &&
            !gm_json_str(gm_json_value(it), &text))
            return GM_FAIL(err, GM_EFORMAT, "%s: the definition of \"%s\" must be a text", path,
                           gm_json_key(it).p);
    return GM_OK;
}
