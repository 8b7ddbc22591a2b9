/* One Pascal VOC annotation. */
#include "fuzz.h"

#include "formats/voc_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_arena a;
    struct gm_voc voc;
    struct gm_error err;
    (void)fuzz_file(data, size);
    gm_arena_init(&a, 0);
    if (gm_voc_read(&voc, &a, fuzz_dir, GM_STR("post"), NULL, &err) == GM_OK) {
        const struct gm_voc_object **found = gm_arena_alloc(&a, voc.n_objects, sizeof *found);
        for (size_t i = 0; found && i < voc.n_objects && i < 100; i++)
            if (!gm_voc_find(&voc, voc.objects[i].name, found))
                abort();
    }
    gm_arena_clear(&a);
    fuzz_end();
    return 0;
}
