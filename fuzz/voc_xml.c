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
    if (gm_voc_read(&voc, &a, fuzz_dir, GM_STR("post"), NULL, &err) == GM_OK)
        for (size_t i = 0; i < voc.n_objects && i < 100; i++)
            if (!gm_voc_find(&voc, voc.objects[i].name, 0))
                abort();
    gm_arena_clear(&a);
    fuzz_end();
    return 0;
}
