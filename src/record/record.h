/* record.h - the record of one post: what every stage reads and adds to, and what goes in and out
 * as one line of JSON. See docs/record.md for the file format.
 *
 * Offsets `start`/`end` are Unicode code points of `text`, end exclusive. Boxes are pixels of the
 * original image after its EXIF rotation: xmin, ymin, xmax, ymax, half-open.
 * Everything a post points to lives in its arena (or in its JSON source) and goes with it. */
#ifndef GM_RECORD_RECORD_H
#define GM_RECORD_RECORD_H

#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gm_image;

enum { GM_BOX_XYXY = 4, GM_BOX_DECIMALS = 2 /* of the numbers in files */ };

/* From this probability (gm_entity.visible) on an entity counts as in the image. */
#define GM_VISIBLE_MIN 0.5

/* The most words a post may have; the readers refuse longer ones. */
#define GM_POST_MAX_WORDS ((size_t)2000000)

/* One mask in COCO's compressed run-length encoding: column-major runs of zeros and ones. */
struct gm_rle {
    uint32_t h, w;        /* pixels; the original image's size */
    struct gm_str counts; /* COCO's ASCII string; .n == 0 = no mask */
};

struct gm_region {
    double box[GM_BOX_XYXY];
    float score;         /* 0..1 */
    struct gm_str label; /* "person"; empty = none */
    struct gm_rle mask;  /* mask.counts.n == 0: none */
    struct gm_str note;  /* why there is no mask: "no_mask:nothing_seen"; empty = none */
    bool is_crowd; /* of many things together (COCO's iscrowd): average precision leaves it out */
    const struct gm_json *fields; /* as gm_entity.fields */
};

/* How sure the tagger is of one entity. */
struct gm_uncertainty {
    bool has;
    double marginal;   /* probability of the whole span and type */
    double entropy;    /* nats */
    double margin;     /* score of the best path less that of the best path without the entity */
    double span_score; /* calibrated probability of an entity just there, whatever its type, 0..1 */
    double type_score; /* of its type where the span is right: the entity's score is the product of
                          both; NAN = not known, as any of these */
};

/* What sources of their own say of whether an entity is in the image, each a number of 0..1. What the
 * detector says is in the post's objects. */
enum gm_witness {
    GM_WITNESS_ENCODER, /* the probability of the native classifier */
    GM_WITNESS_MODEL,   /* a language model's yes, or the probability of it */
    GM_WITNESS_READER,  /* the share of the name's words that stand in the picture */
    GM_N_WITNESSES
};

struct gm_evidence {
    bool has[GM_N_WITNESSES];
    double by[GM_N_WITNESSES];
};

extern const char *const gm_witness_names[GM_N_WITNESSES]; /* "encoder", … */

struct gm_entity {
    struct gm_str text, type, fine_type; /* fine_type empty = none */
    size_t start, end;                   /* code points of the post's text */
    double score;                        /* 0..1 */
    struct gm_uncertainty uncertainty;
    struct gm_str source;     /* stage that last set it: "tag"; "input": came with the post */
    struct gm_str note;       /* "no_box:no_person; …", see note.h; empty = none */
    struct gm_str expression; /* "a man in a dark suit"; empty = none */
    double visible;           /* probability that it is in the image; < 0 = not judged */
    struct gm_evidence evidence;
    struct gm_region *regions;
    size_t n_regions;
    const struct gm_json *fields; /* the input's object, whose unknown fields are written again;
                                     borrowed from the post's source; NULL = none */
};

struct gm_object {
    struct gm_str label; /* "person" */
    float score;
    double box[GM_BOX_XYXY];
    const struct gm_json *fields; /* as gm_entity.fields */
};

/* A line of text in the image. */
struct gm_written {
    struct gm_str text;
    float score; /* 0..1 */
    double box[GM_BOX_XYXY];
    const struct gm_json *fields; /* as gm_entity.fields */
};

struct gm_token {
    size_t start, end; /* bytes of the post's text, end exclusive */
};

struct gm_post {
    struct gm_arena arena;  /* owns everything below that is not in `source` */
    struct gm_json *source; /* the input object; NULL for other formats. Unknown fields are kept */
    struct gm_str id;
    bool has_id;             /* the input gave it; else it is the post's 1-based number there */
    struct gm_str text;      /* valid UTF-8 */
    bool is_refused;         /* it could not be read: its error stays, and no stage sees it */
    bool names_only;         /* the format has no texts (RiVEG, CCKS entities, boxes): `text` is the
                               entities' names joined by "; " */
    struct gm_token *tokens; /* words given by the input; NULL = raw text, to be segmented */
    size_t n_tokens;
    bool has_tokens;       /* the input gave words (also when there are none) */
    struct gm_str image;   /* path, relative paths resolved against the input file; empty = none */
    struct gm_str caption; /* empty = none */
    struct gm_str
        caption_short; /* a line of it, for what reads little (entailment); empty = none */
    struct gm_str
        knowledge; /* empty = none; from CoNLL: the words after <EOS>, joined by a space */
    struct gm_entity *entities;
    size_t n_entities;
    bool has_entities; /* the input gave entities, or tagging has run */
    struct gm_entity
        *candidates; /* what the tagger may have missed, in order of the text: text, type
                                     (the likeliest), span, and as score the calibrated probability
                                     that it is an entity, of whatever type */
    size_t n_candidates;
    bool has_candidates; /* the tagger looked for some */
    struct gm_object *objects;
    size_t n_objects;
    bool has_objects;         /* the image was looked at */
    struct gm_written *texts; /* in reading order */
    size_t n_texts;
    bool has_texts;            /* the image was read */
    uint32_t image_w, image_h; /* pixels after EXIF rotation; 0 = not read */
    struct gm_image *pixels; /* decoded by the first stage that needs it (stages/pixels.h), perhaps
                                as a copy of fewer pixels than image_w x image_h; freed through the arena;
                                never written out */
    struct {
        struct gm_str stage, code, message;
    } error; /* stage.n == 0: none */
};

/* gm_post_init - an empty post with its arena; allocates nothing. gm_post_clear frees all; the post
 * can then be initialised again. One thread at a time a post. */
void gm_post_init(struct gm_post *p);
void gm_post_clear(struct gm_post *p);

/* gm_post_fail - record that `stage` failed with `e`; the first failure stays. What the post held
 * before stays too. When memory is out even for that, a constant message is kept. */
void gm_post_fail(struct gm_post *p, const char *stage, const struct gm_error *e);

/* gm_post_set_words - set text and tokens from words: `text` becomes the words joined by one space.
 * Words are copied and repaired to valid UTF-8. Errors: NOMEM. Cost: linear. */
enum gm_status gm_post_set_words(struct gm_post *p, const struct gm_str *words, size_t n,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_post_short_caption - the short caption, else the caption; borrowed; empty = there is none. */
struct gm_str gm_post_short_caption(const struct gm_post *p);

/* gm_post_word - view of word i. */
struct gm_str gm_post_word(const struct gm_post *p, size_t i);
/* gm_post_words_before - how many of the words that the post came with, which are in text order, end at byte `at` or
 * before. Cost: their number's logarithm. */
size_t gm_post_words_before(const struct gm_post *p, size_t at);

/* gm_post_by_place - v [n_entities] = the post's entities in the order of their places: by start, end and type,
 * equal ones as they stand. */
void gm_post_by_place(const struct gm_post *p, const struct gm_entity **v);

/* gm_post_from_json - fill an empty post from one parsed line, which it takes over (also on
 * failure). `base_dir` resolves a relative image path (NULL: as it is).
 * Input: {"id","text" or "tokens","image"?,"caption"?,"caption_short"?,"entities"?}; also reads what gm_post_to_json
 * wrote. `id` stays empty when there is none. Boxes are as they are (gm_post_settle_boxes). Errors: FORMAT naming the field that is wrong, NOMEM;
 * the post is then in no defined state but for gm_post_clear. */
enum gm_status gm_post_from_json(struct gm_post *p, struct gm_json *line, const char *base_dir,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_post_to_json - append the record as one line of JSON, without "\n": the input's fields in
 * their order, then what was added. Scores are rounded to 6 decimals, boxes to 2; a number that is not
 * finite is written as null. Errors: NOMEM (over out->max); `out` may then end in half a line. */
enum gm_status gm_post_to_json(const struct gm_post *p, struct gm_buf *out,
                               struct gm_error *err) GM_NODISCARD;

#endif
