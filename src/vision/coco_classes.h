/* coco_classes.h - the 80 object classes of COCO (Lin et al., ECCV 2014), in the order of the detectors
 * trained on it, and how English names one or several of them. */
#ifndef GM_VISION_COCO_CLASSES_H
#define GM_VISION_COCO_CLASSES_H

#include "base/str.h"

#include <stddef.h>

enum { GM_COCO_CLASSES = 80, GM_COCO_PERSON = 0 };

struct gm_coco_class {
    const char *label; /* "person", "wine glass" */
    const char *one;   /* "a person", "an apple", "skis" */
    const char *many;  /* "people", "wine glasses" */
};

/* gm_coco_class - class i of [0, GM_COCO_CLASSES). */
const struct gm_coco_class *gm_coco_class(size_t i);

/* gm_coco_find - the class with this label; NULL when there is none. */
const struct gm_coco_class *gm_coco_find(struct gm_str label);

#endif
