/* config.json of an encoder: a shape that is taken is within what the layers can hold. */
#include "fuzz.h"

#include "nn/encoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_encoder_config c;
    struct gm_error err = {0};
    if (gm_encoder_config_load(&c, fuzz_file(data, size), &err) == GM_OK) {
        if (!c.heads || c.hidden % c.heads || !c.layers || c.layers > GM_ENCODER_MAX_LAYERS)
            abort();
    } else if (!err.msg[0]) {
        abort();
    }
    fuzz_end();
    return 0;
}
