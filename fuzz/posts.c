/* Posts in the format GM_FUZZ_FORMAT ("auto" guesses): whatever comes, reading goes on to the end,
 * every fault has a message, and each post can be written as a record and read again. */
#include "fuzz.h"

#include "formats/reader.h"

#include <string.h>

static void write_and_read(const struct gm_post *p)
{
    struct gm_buf line;
    struct gm_json *j;
    struct gm_post again;
    struct gm_error err;
    gm_buf_init(&line, (size_t)1 << 30);
    gm_post_init(&again);
    if (gm_post_to_json(p, &line, &err) != GM_OK ||
        gm_json_parse(&j, gm_buf_str(&line), &err) != GM_OK)
        abort();
    if (gm_post_from_json(&again, j, NULL, &err) != GM_OK) {
        fprintf(stderr, "%s\n", err.msg);
        abort();
    }
    gm_post_clear(&again);
    gm_buf_clear(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_reader_opts opts = {0};
    struct gm_losses lost = {.n = 0};
    struct gm_reader *r;
    struct gm_error err = {0};
    opts.lost = &lost;
    if (!gm_format_parse(GM_FUZZ_FORMAT, &opts.format))
        abort();
    if (gm_reader_open(&r, fuzz_file(data, size), &opts, &err) == GM_OK) {
        struct gm_post post;
        bool has = true;
        while (has) {
            enum gm_status st = gm_reader_next(r, &post, &has, &err);
            if (st != GM_OK && err.msg[0] == 0)
                abort();
            if (st != GM_OK || !has)
                continue;
            write_and_read(&post);
            gm_post_clear(&post);
        }
        gm_reader_free(r);
    }
    fuzz_end();
    return 0;
}
