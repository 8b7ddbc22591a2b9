/* safetensors; the data of every tensor of a file that opens can be read. */
#include "fuzz.h"

#include "nn/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_safetensors *f;
    struct gm_tensor t;
    struct gm_error err;
    unsigned sum = 0;
    if (gm_safetensors_open(&f, fuzz_file(data, size), &err) == GM_OK) {
        for (size_t i = 0; i < gm_safetensors_count(f); i++) {
            if (!gm_safetensors_get(f, gm_safetensors_name(f, i), &t))
                abort();
            for (size_t k = 0; k < gm_tensor_count(&t) * gm_dtype_size(t.dtype); k++)
                sum += ((const volatile unsigned char *)t.data)[k];
        }
        gm_safetensors_free(f);
    }
    (void)sum;
    fuzz_end();
    return 0;
}
