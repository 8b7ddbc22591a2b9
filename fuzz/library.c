/* Posts as JSON text that a host gives to the library: one object, an array or lines, whatever is in them; each
 * result is read through every door. The recipe needs no model. */
#include "fuzz.h"

#include "gmner/gmner.h"

#include <assert.h>
#include <stdlib.h>

static void read_result(struct gmner_result *r)
{
    const struct gmner_answer *post;
    const struct gmner_entity *e;
    const struct gmner_region *region;
    const char *json;
    size_t len;
    for (size_t i = 0; (post = gmner_result_post(r, i)); i++) {
        assert(gmner_result_json(r, i, &json, &len, NULL) == GMNER_OK && len >= 2);
        for (size_t k = 0; (e = gmner_result_entity(r, i, k)); k++)
            for (size_t m = 0; (region = gmner_result_region(r, i, k, m)); m++) {
                size_t n = (size_t)region->mask_h * region->mask_w;
                uint8_t *pixels = n < 1 << 20 ? malloc(n + 1) : NULL;
                if (pixels)
                    (void)gmner_mask_pixels(region, pixels, n, NULL);
                free(pixels);
            }
    }
    assert(gmner_result_json(r, GMNER_ALL_POSTS, &json, &len, NULL) == GMNER_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char recipe[] = "name: x\nstages:\n  - stage: expand\n";
    struct gmner_model *model;
    struct gmner_session *session;
    struct gmner_result *result;
    const struct gmner_opts opts = {.struct_size = sizeof opts,
                                    .recipe = fuzz_file((const uint8_t *)recipe, sizeof recipe - 1),
                                    .threads = 1};
    if (gmner_open(&opts, &model, NULL) != GMNER_OK)
        abort();
    if (gmner_session_new(model, &session, NULL) != GMNER_OK)
        abort();
    if (gmner_predict_json(session, (const char *)data, size, &result, NULL) == GMNER_OK)
        read_result(result);
    gmner_result_free(result);
    gmner_session_free(session);
    gmner_close(model);
    fuzz_end();
    return 0;
}
