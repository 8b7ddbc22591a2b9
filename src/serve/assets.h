/* assets.h - the files of the page and the OpenAPI document, which are part of the program. */
#ifndef GM_SERVE_ASSETS_H
#define GM_SERVE_ASSETS_H

#include <stddef.h>

struct gm_asset {
    const char *path; /* of the URL: "/", "/page/app.js" */
    const char *type;
    const char *etag; /* with its quotes: of the content */
    const unsigned char *p;
    size_t n;
};

/* gm_assets_at - number i; NULL past the end. */
const struct gm_asset *gm_assets_at(size_t i);

#endif
