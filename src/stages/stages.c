/* The table of all stages and backends. */
#include "stages/backends.h"

#include <string.h>

/* The order of the pipeline (the design's "one way through"). */
static const char *const stage_names[] = {"tag",    "look",   "read",   "inform", "refine",
                                          "expand", "entail", "ground", "check",  "segment"};

/* In stage order; the first backend of a stage is its embedded default. */
static const struct gm_backend *const backends[] = {
    &gm_backend_tag_native,      &gm_backend_look_detector,  &gm_backend_look_llm,
    &gm_backend_read_ppocr,      &gm_backend_inform_llm,     &gm_backend_refine_llm,
    &gm_backend_expand_template, &gm_backend_expand_llm,     &gm_backend_entail_native,
    &gm_backend_entail_llm,      &gm_backend_ground_objects, &gm_backend_ground_phrases,
    &gm_backend_ground_llm,      &gm_backend_check_llm,      &gm_backend_segment_matting,
    &gm_backend_segment_sam,
};

int gm_stage_order(const char *stage)
{
    for (size_t i = 0; i < sizeof stage_names / sizeof *stage_names; i++)
        if (strcmp(stage_names[i], stage) == 0)
            return (int)i;
    return -1;
}

const struct gm_backend *gm_backend_at(size_t i)
{
    return i < sizeof backends / sizeof *backends ? backends[i] : NULL;
}

const struct gm_backend *gm_backend_find(const char *stage, const char *name)
{
    const struct gm_backend *b;
    for (size_t i = 0; (b = gm_backend_at(i)); i++)
        if (strcmp(b->stage, stage) == 0 && (!name || strcmp(b->name, name) == 0))
            return b;
    return NULL;
}
