/* Caption files. */
#include "fuzz.h"

#include "formats/captions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_captions *c;
    struct gm_error err;
    if (gm_captions_load(&c, fuzz_file(data, size), &err) == GM_OK)
        gm_captions_free(c);
    fuzz_end();
    return 0;
}
