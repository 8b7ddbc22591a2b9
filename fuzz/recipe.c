/* YAML recipes: the settings' tables are held against them, no model is loaded. */
#include "fuzz.h"

#include "pipeline/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_recipe *r;
    struct gm_error err;
    if (gm_recipe_load(&r, fuzz_file(data, size), &err) == GM_OK)
        gm_recipe_free(r);
    fuzz_end();
    return 0;
}
