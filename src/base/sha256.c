#include "base/sha256.h"

#include "base/file.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>

void gm_sha256(struct gm_str bytes, char hex[GM_SHA256_HEX])
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&ctx);
    sha256_update(&ctx, bytes.n, (const uint8_t *)bytes.p);
    sha256_digest(&ctx, sizeof digest, digest);
    base16_encode_update(hex, sizeof digest, digest);
    hex[GM_SHA256_HEX - 1] = 0;
}

enum gm_status gm_sha256_file(const char *path, char hex[GM_SHA256_HEX], struct gm_error *err)
{
    struct gm_map m;
    enum gm_status st = gm_map_open(&m, path, err);
    if (st == GM_EFORMAT) /* empty: nothing to map */
        st = GM_OK;
    if (st == GM_OK)
        gm_sha256((struct gm_str){(const char *)m.p, m.n}, hex);
    gm_map_close(&m);
    return st;
}
