/* Vocabularies without tokenizer.json: the bytes are the files of one, parted by 0x1D; one that loads must cut a text. */
#include "fuzz.h"

#include "tokenizer/tokenizer.h"

#include <string.h>

static const char *const names[] = {"vocab.txt",         "bpe.codes",  "tokenizer_config.json",
                                    "added_tokens.json", "vocab.json", "merges.txt"};
enum { N_NAMES = sizeof names / sizeof *names };

static void path_of(const char *name, char path[96])
{
    snprintf(path, 96, "%s/%s", fuzz_dir, name);
}

/* Files that are not empty; the others are not there. */
static void write_files(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < N_NAMES; i++) {
        const uint8_t *end = size ? memchr(data, 0x1D, size) : NULL;
        size_t n = end ? (size_t)(end - data) : size;
        char path[96];
        path_of(names[i], path);
        FILE *f = n ? fopen(path, "wb") : NULL;
        if (n && (!f || fwrite(data, 1, n, f) != n || fclose(f) != 0))
            abort();
        data += end ? n + 1 : n;
        size -= end ? n + 1 : n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_tokenizer *t;
    struct gm_pieces pieces;
    struct gm_error err;
    char path[96];
    (void)fuzz_file(data, 0); /* makes the folder */
    write_files(data, size);
    gm_pieces_init(&pieces);
    if (gm_tokenizer_load_dir(&t, fuzz_dir, &err) == GM_OK) {
        (void)!gm_tokenizer_encode(t, GM_STR("Ann\xC3\xA9 Lee\xE2\x80\xA6 #x aaaa <mask>"), &pieces,
                                   &err);
        gm_pieces_clear(&pieces);
        gm_tokenizer_free(t);
    }
    for (size_t i = 0; i < N_NAMES; i++) {
        path_of(names[i], path);
        (void)remove(path);
    }
    fuzz_end();
    return 0;
}
