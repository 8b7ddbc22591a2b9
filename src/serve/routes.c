/* The table of what can be asked for. */
#include "serve/assets.h"
#include "serve/server.h"

#include <string.h>

static const struct gm_route api[] = {
    {"POST", "/v1/predict", false, true, GM_LANE_SERVER, gm_answer_predict},
    {"GET", "/v1/recipes", false, false, GM_LANE_SERVER, gm_answer_recipes},
    {"GET", "/metrics", false, false, GM_LANE_SERVER, gm_answer_metrics},
    {"GET", "/v1/page", false, false, GM_LANE_DISK, gm_answer_page},
    {"POST", "/v1/card", false, true, GM_LANE_SERVER, gm_answer_card},
    {"POST", "/v1/records", false, true, GM_LANE_DISK, gm_answer_keep},
    {"GET", "/v1/record", false, false, GM_LANE_DISK, gm_answer_kept},
    {"GET", "/v1/browse/rows", false, false, GM_LANE_DISK, gm_answer_rows},
    {"GET", "/v1/browse/post", false, false, GM_LANE_DISK, gm_answer_post},
    {"GET", "/v1/browse/picture", false, false, GM_LANE_PICTURES, gm_answer_picture},
    {"GET", "/v1/browse/export", false, false, GM_LANE_EXPORTS, gm_answer_export},
    {"POST", "/v1/browse/lease", false, true, GM_LANE_DISK, gm_answer_lease},
    {"POST", "/v1/browse/save", false, true, GM_LANE_DISK, gm_answer_save},
    {"GET", "/healthz", true, false, GM_LANE_SERVER, gm_answer_health},
    {"GET", "/readyz", true, false, GM_LANE_SERVER, gm_answer_ready},
};

enum { N_API = sizeof api / sizeof *api };

/* One for all files of the page, and for the document of the API. */
static const struct gm_route asset = {"GET", "/", true, false, GM_LANE_SERVER, gm_answer_asset};

const struct gm_route *gm_routes_at(size_t i)
{
    return i < N_API ? &api[i] : i == N_API ? &asset : NULL;
}

size_t gm_routes_number(const struct gm_route *r)
{
    size_t i = 0;
    while (gm_routes_at(i) && gm_routes_at(i) != r)
        i++;
    return i;
}

static const struct gm_route *at_path(struct gm_str path)
{
    const struct gm_asset *file;
    if (gm_str_starts(path, GM_STR("/r/"))) /* of a record: the page, which asks for it */
        return &asset;
    for (size_t i = 0; i < N_API; i++)
        if (gm_str_eq_c(path, api[i].path))
            return &api[i];
    for (size_t i = 0; (file = gm_assets_at(i)); i++)
        if (gm_str_eq_c(path, file->path))
            return &asset;
    return NULL;
}

const struct gm_route *gm_routes_find(struct gm_str method, struct gm_str path, const char **allow)
{
    const struct gm_route *r = at_path(path);
    *allow = r ? r->method : NULL;
    if (!r)
        return NULL;
    bool is_get = strcmp(r->method, "GET") == 0 && gm_str_eq_c(method, "HEAD");
    return is_get || gm_str_eq_c(method, r->method) ? r : NULL;
}
