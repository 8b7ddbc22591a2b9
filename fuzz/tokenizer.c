/* tokenizer.json; one that loads must cut a text. */
#include "fuzz.h"

#include "tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_tokenizer *t;
    struct gm_pieces pieces;
    struct gm_error err;
    gm_pieces_init(&pieces);
    if (gm_tokenizer_load(&t, fuzz_file(data, size), &err) == GM_OK) {
        (void)!gm_tokenizer_encode(t, GM_STR("Ann\xC3\xA9 Lee\xE2\x80\xA6 #x"), &pieces, &err);
        gm_pieces_clear(&pieces);
        gm_tokenizer_free(t);
    }
    fuzz_end();
    return 0;
}
