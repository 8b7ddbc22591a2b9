/* Files of proposed regions; those of one that loads are found again. */
#include "fuzz.h"

#include "stages/proposals.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_proposals *p;
    struct gm_error err = {0};
    size_t n;
    if (gm_proposals_load(&p, fuzz_file(data, size), &err) == GM_OK) {
        const struct gm_post post = {.id = GM_STR("1"), .image = GM_STR("a/b.jpg")};
        const struct gm_object *all = gm_proposals_find(p, &post, &n);
        for (size_t i = 0; i < n; i++)
            if (!(all[i].score >= 0 && all[i].score <= 1))
                abort();
        gm_proposals_free(p);
    } else if (!err.msg[0]) {
        abort();
    }
    fuzz_end();
    return 0;
}
