/* safetensors; the data of every tensor of a file that opens can be read, and a matrix of it used,
 * int8 ones with their scales. */
#include "fuzz.h"

#include "nn/params.h"

static void use_matrix(const struct gm_safetensors *f, struct gm_error *err)
{
    struct gm_params ps;
    size_t w;
    float values[6];
    gm_params_init(&ps, GM_F32, false);
    if (gm_params_add(&ps, &w, GM_MATRIX, 2, 3, err, "w") == GM_OK &&
        gm_params_bind(&ps, f, err) == GM_OK && gm_params_ready(&ps, err) == GM_OK)
        gm_param_values(&ps.p[w], values);
    gm_params_clear(&ps);
}

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
        use_matrix(f, &err);
        gm_safetensors_free(f);
    }
    (void)sum;
    fuzz_end();
    return 0;
}
