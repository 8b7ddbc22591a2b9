#include "serve/assets.h"

#include "serve_assets.h" /* made by CMake: the bytes, and the table `assets` */

const struct gm_asset *gm_assets_at(size_t i)
{
    return i < sizeof assets / sizeof *assets ? &assets[i] : NULL;
}
