/* sam_ports.h - what an exported SAM takes and gives, told by the names. Internal to sam.c and sam_ports.c. */
#ifndef GM_VISION_SAM_PORTS_H
#define GM_VISION_SAM_PORTS_H

#include "vision/vision_session.h"

enum { GM_SAM_INPUTS_MAX = 8 };

/* What an input of the decoder is for. */
enum gm_sam_role {
    GM_SAM_EMBEDDINGS,
    GM_SAM_POSITIONS,
    GM_SAM_BOXES, /* transformers */
    GM_SAM_POINTS,
    GM_SAM_POINT_LABELS,
    GM_SAM_CORNERS, /* Meta's: a box's corners are points */
    GM_SAM_CORNER_LABELS,
    GM_SAM_MASK,
    GM_SAM_HAS_MASK,
    GM_SAM_SIZE,          /* of the picture: height, width */
    GM_SAM_QUERY_CORNERS, /* EfficientSAM */
    GM_SAM_QUERY_LABELS
};

/* How the encoder wants a picture. */
enum gm_sam_pixels {
    GM_SAM_PADDED, /* [1,3,side,side] */
    GM_SAM_ROWS,   /* [rows,columns,3] */
    GM_SAM_WHOLE   /* [1,3,rows,columns], the picture as it is */
};

struct gm_sam_ports {
    const char *pixels; /* all names are the sessions' */
    enum gm_sam_pixels pixels_are;
    size_t side;               /* of a padded picture */
    size_t fixed_h, fixed_w;   /* WHOLE: the only size there is; 0 = any */
    const char *embeddings[2]; /* the second, of positions, may be NULL */
    struct {
        const char *name;
        enum gm_sam_role role;
    } inputs[GM_SAM_INPUTS_MAX];
    size_t n_inputs;
    bool takes_boxes, is_efficient;
    const char *scores, *maps;
    bool maps_are_padded; /* they show the padded picture; else the picture alone */
    bool maps_are_small;  /* they are there beside masks of the picture's size */
};

/* gm_sam_read_decoder - fills what the decoder tells; gm_sam_read_encoder - what the encoder does,
 * after that. Errors: MODEL, naming `path`, what is missing, and what there is. */
enum gm_status gm_sam_read_decoder(struct gm_sam_ports *p, const struct gm_session *decoder,
                                   const char *path, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_sam_read_encoder(struct gm_sam_ports *p, const struct gm_session *encoder,
                                   const char *path, struct gm_error *err) GM_NODISCARD;

#endif
