/* Guides; one that loads can be said. */
#include "fuzz.h"

#include "corpus/guide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_guide g;
    struct gm_error err = {0};
    if (gm_guide_load(&g, fuzz_file(data, size), &err) == GM_OK) {
        if (!g.text.n || !gm_guide_definition(&g, GM_STR("PER")).p)
            abort();
        gm_guide_clear(&g);
    } else if (!err.msg[0]) {
        abort();
    }
    fuzz_end();
    return 0;
}
