/* ground_coords.h - the numbers that a stage's model says boxes in: by the settings `coords` and
 * `order`, or, where `coords` is "auto", learned from the model itself. */
#ifndef GM_STAGES_GROUND_COORDS_H
#define GM_STAGES_GROUND_COORDS_H

#include "stages/coords.h"
#include "stages/llm_stage.h"

/* The settings that this reads, and the values that it gives a prompt. */
#define GM_GROUND_COORDS_SETTINGS "coords", "order", "max_pixels"
#define GM_GROUND_COORDS_VALUES "order", "coords", "width", "height"
enum { GM_GROUND_COORDS_N_VALUES = 4 };

struct gm_ground_coords {
    enum gm_coords coords;
    enum gm_order order;
    double max_pixels; /* of the model's own resizing */
    bool is_auto;      /* to be learned */
    bool may_guess;    /* "auto" only for want of a setting: what can't be learned is 1000 */
    bool has_order;    /* the order is the setting's */
    bool is_said;      /* the prompt says which numbers are meant; else the model's own are */
    struct gm_llm_asking
        *asking;  /* the question that the numbers are learned by, where it isn't the stage's own */
    bool by_post; /* one question about all of a post's entities; else one an entity */
};

/* gm_ground_coords_open - read the settings; those of `s` that depend on them are set, and how its answers
 * are read. by_post: as in the struct; the prompt then has the value "entities", lines "1. NAME (TYPE)",
 * in place of "entity" and "type". asking: as in the struct; NULL = the stage's own, whose `read` is set, else
 * that of `asking`. With "auto", the default, boxes are asked for and read as 0..1000 until gm_ground_coords_learn has been called.
 * Errors: ARG. */
enum gm_status gm_ground_coords_open(struct gm_ground_coords *c, struct gm_llm_stage *s,
                                     const struct gm_json *settings, bool by_post,
                                     struct gm_llm_asking *asking,
                                     struct gm_error *err) GM_NODISCARD;

/* gm_ground_coords_values - what the prompt says of the numbers, for a picture as it is sent; all but
 * `order` are empty where nothing is said. Errors: NOMEM. */
enum gm_status gm_ground_coords_values(const struct gm_ground_coords *c,
                                       const struct gm_picture *picture, struct gm_arena *a,
                                       struct gm_prompt_value values[GM_GROUND_COORDS_N_VALUES],
                                       struct gm_error *err) GM_NODISCARD;

/* gm_ground_coords_frame - the frame of a picture as it is sent. */
struct gm_frame gm_ground_coords_frame(const struct gm_ground_coords *c,
                                       const struct gm_picture *picture);

/* gm_ground_coords_put - append a box of pixels of the original as the model would say it of the picture as it
 * was sent: "[12, 34, 56, 78]". Errors: NOMEM. */
enum gm_status gm_ground_coords_put(const struct gm_ground_coords *c,
                                    const struct gm_picture *picture, const double box[4],
                                    struct gm_buf *out, struct gm_error *err) GM_NODISCARD;

/* gm_ground_coords_learn - with "auto": the pair that is kept in the cache for this server, model,
 * prompt and settings, or the one that fits the model's answers to the stage's own prompt about three
 * generated pictures (coords_probe.h) best. First nothing is said of the numbers, so that models speak
 * the language that they were trained in; where that fits nowhere they are asked for 0..1000.
 * Errors: ARG (no pair reaches a mean IoU of 0.6: the message has the table of all; a warning and 1000
 * where neither `coords` nor `order` is set), those of gm_llm_stage_ask. */
enum gm_status gm_ground_coords_learn(struct gm_ground_coords *c, struct gm_llm_stage *s,
                                      struct gm_error *err) GM_NODISCARD;

#endif
