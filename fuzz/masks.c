/* The masks of one picture (JSON). */
#include "fuzz.h"

#include "formats/mask_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_arena a;
    struct gm_voc voc;
    struct gm_error err;
    const char *path = fuzz_file(data, size);
    gm_arena_init(&a, 0);
    if (gm_masks_read(&voc, &a, path, GM_STR("post"), NULL, &err) == GM_OK)
        for (size_t i = 0; i < voc.n_objects; i++)
            if (!voc.objects[i].name.n || !voc.objects[i].mask.counts.n ||
                !(voc.objects[i].box[0] < voc.objects[i].box[2]))
                abort();
    gm_arena_clear(&a);
    fuzz_end();
    return 0;
}
