/* ground_rule.h - the embedded rule of grounding in its parts: settings and posts (ground_objects.c), what
 * its parts share (ground_rule.c), persons (ground_persons.c), everything else (ground_things.c). Internal to
 * src/stages. */
#ifndef GM_STAGES_GROUND_RULE_H
#define GM_STAGES_GROUND_RULE_H

#include "record/record.h"

enum { GM_GROUND_TYPES_MAX = 64, GM_GROUND_PERSONS_MAX = 64 };

/* Types, coarse or fine. */
struct gm_ground_types {
    const char *names[GM_GROUND_TYPES_MAX];
    double visible_min[GM_GROUND_TYPES_MAX]; /* of thresholds by type */
    size_t n;
};

struct gm_ground_rule {
    double visible_min; /* an entity less probably visible gets no box */
    double score_min;   /* objects below it are not used */
    double near_score; /* another box of the same person: at least this share of the best's score */
    double near_area;  /* and of its area */
    bool several;      /* a person may have such further boxes */
    double affinity_min;   /* nearness in meaning that an object needs */
    double lettering_min;  /* share of a name that must be read for its lettering to be a box */
    double lettering_area; /* lettering of less of the picture is itself the box of a thing */
    struct gm_ground_types persons;  /* that are persons */
    struct gm_ground_types pictures; /* for which the whole picture is the box if nothing else is */
    struct gm_ground_types visible;  /* with a threshold of their own */
    struct gm_arena arena;           /* holds the types of the settings */
};

/* gm_ground_type - the place of the entity's type, coarse or fine, among the types; their number where
 * it is none of them. */
size_t gm_ground_type(const struct gm_ground_types *t, const struct gm_entity *e);

bool gm_ground_is_person(const struct gm_ground_rule *r, const struct gm_entity *e);

/* gm_ground_visible_min - the threshold for that entity. gm_ground_wants_box - visible by it, or judged by no
 * stage, and without boxes that came with the post. */
double gm_ground_visible_min(const struct gm_ground_rule *r, const struct gm_entity *e);
bool gm_ground_wants_box(const struct gm_ground_rule *r, const struct gm_entity *e);

/* gm_ground_prominence - score x square root of the area: a photo's subject is large rather than the
 * sharpest passer-by. gm_ground_area - pixels. */
double gm_ground_prominence(const struct gm_object *o);
double gm_ground_area(const double box[GM_BOX_XYXY]);

/* gm_ground_is_same - whether two mentions are one entity: the same name, upper and lower case alike, or of persons
 * gm_name_is_same (lettering.h). */
bool gm_ground_is_same(const struct gm_entity *a, const struct gm_entity *b, bool persons);

/* gm_ground_put - these boxes for one mention, in regions of its own, as segment fills them. Errors: NOMEM. */
enum gm_status gm_ground_put(struct gm_post *p, struct gm_entity *e,
                             const struct gm_object *const *objects, size_t n,
                             struct gm_error *err) GM_NODISCARD;

/* gm_ground_persons, gm_ground_things - put boxes on the entities that want some: persons, all others.
 * Errors: NOMEM; things: those of gm_post_pixels where the picture's size is not known yet. Cost: linear in the
 * entities, things n log n, times the objects and lines of text. */
enum gm_status gm_ground_persons(const struct gm_ground_rule *r, struct gm_post *p,
                                 struct gm_error *err) GM_NODISCARD;
enum gm_status gm_ground_things(const struct gm_ground_rule *r, struct gm_post *p,
                                struct gm_error *err) GM_NODISCARD;

#endif
