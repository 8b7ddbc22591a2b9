/* mask.c - measures of binary masks [h][w], pixel (x, y) at y w + x: area = number of pixels
 * inside, box = the smallest half-open one around them, and components = classes of pixels that
 * are joined by a chain of neighbours, 4 or 8 of each. Components are found over runs of rows
 * joined by union-find: a mask of a person has a few runs a row, so that this costs little more
 * than reading it. Source: Tarjan 1975 (union-find). Naive reference: `flood` in
 * tests/unit/test_image_mask.c. */
#include "image/mask.h"

#include "base/alloc.h"

#include <string.h>

size_t gm_mask_area(const uint8_t *mask, uint32_t h, uint32_t w)
{
    size_t n = (size_t)h * w, area = 0;
    for (size_t i = 0; i < n; i++)
        area += mask[i] != 0;
    return area;
}

bool gm_mask_box(const uint8_t *mask, uint32_t h, uint32_t w, double box[4])
{
    uint32_t x0 = w, y0 = h, x1 = 0, y1 = 0;
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++)
            if (mask[(size_t)y * w + x]) {
                x0 = x < x0 ? x : x0;
                x1 = x >= x1 ? x + 1 : x1;
                y0 = y < y0 ? y : y0;
                y1 = y + 1;
            }
    bool any = x1 > 0;
    box[0] = any ? x0 : 0;
    box[1] = any ? y0 : 0;
    box[2] = x1;
    box[3] = y1;
    return any;
}

struct run {
    uint32_t y, x0, x1; /* pixels [x0, x1) of row y */
    size_t parent;      /* union-find: index of a run of the same component; a root's own */
    size_t pixels;      /* of a root: its component's */
};

struct runs {
    struct run *v;
    size_t n;
};

static bool starts_run(const uint8_t *row, uint32_t x) { return row[x] && (x == 0 || !row[x - 1]); }

static enum gm_status runs_read(struct runs *r, const uint8_t *mask, uint32_t h, uint32_t w,
                                struct gm_error *err)
{
    size_t n = 0;
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++)
            n += starts_run(mask + (size_t)y * w, x);
    *r = (struct runs){gm_alloc(n, sizeof *r->v), 0};
    if (!r->v)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for the %zu runs of a mask", n);
    for (uint32_t y = 0; y < h; y++) {
        const uint8_t *row = mask + (size_t)y * w;
        for (uint32_t x = 0; x < w; x++) {
            if (!starts_run(row, x))
                continue;
            uint32_t x0 = x;
            while (x < w && row[x])
                x++;
            r->v[r->n] = (struct run){y, x0, x, r->n, x - x0};
            r->n++;
        }
    }
    return GM_OK;
}

static size_t root_of(struct run *v, size_t i)
{
    while (v[i].parent != i) {
        v[i].parent = v[v[i].parent].parent;
        i = v[i].parent;
    }
    return i;
}

/* Join touching runs of neighbouring rows: two fingers move over both rows once. With 8 neighbours
 * runs that meet only at a corner touch too. */
static void runs_join(struct runs *r, uint32_t reach)
{
    size_t above = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct run *v = r->v, *b = &v[i];
        while (v[above].y + 1 < b->y || (v[above].y + 1 == b->y && v[above].x1 + reach <= b->x0))
            above++;
        for (size_t k = above; v[k].y + 1 == b->y && v[k].x0 < b->x1 + reach; k++) {
            size_t p = root_of(v, k), q = root_of(v, i);
            if (p != q) {
                v[q].parent = p;
                v[p].pixels += v[q].pixels;
            }
        }
    }
}

static struct gm_components runs_count(const struct runs *r)
{
    struct gm_components c = {0};
    for (size_t i = 0; i < r->n; i++) {
        if (r->v[i].parent != i)
            continue;
        c.n++;
        c.area += r->v[i].pixels;
        c.largest = r->v[i].pixels > c.largest ? r->v[i].pixels : c.largest;
    }
    return c;
}

static enum gm_status runs_find(struct runs *r, const uint8_t *mask, uint32_t h, uint32_t w,
                                int connectivity, struct gm_error *err)
{
    *r = (struct runs){0};
    if (connectivity != 4 && connectivity != 8)
        return GM_FAIL(err, GM_EARG, "a connectivity of %d: it must be 4 or 8", connectivity);
    enum gm_status st = runs_read(r, mask, h, w, err);
    if (st == GM_OK)
        runs_join(r, connectivity == 8);
    return st;
}

enum gm_status gm_mask_components(const uint8_t *mask, uint32_t h, uint32_t w, int connectivity,
                                  struct gm_components *out, struct gm_error *err)
{
    struct runs r;
    enum gm_status st = runs_find(&r, mask, h, w, connectivity, err);
    *out = st == GM_OK ? runs_count(&r) : (struct gm_components){0};
    gm_free(r.v);
    return st;
}

enum gm_status gm_mask_drop_small(uint8_t *mask, uint32_t h, uint32_t w, int connectivity,
                                  double min_share, struct gm_components *out, struct gm_error *err)
{
    struct runs r;
    struct gm_components left = {0};
    enum gm_status st = runs_find(&r, mask, h, w, connectivity, err);
    if (st == GM_OK) {
        left.largest = runs_count(&r).largest;
        for (size_t i = 0; i < r.n; i++) {
            size_t root = root_of(r.v, i), pixels = r.v[root].pixels;
            uint32_t len = r.v[i].x1 - r.v[i].x0;
            bool small = (double)pixels < min_share * (double)left.largest;
            if (small)
                memset(mask + (size_t)r.v[i].y * w + r.v[i].x0, 0, len);
            left.area += small ? 0 : len;
            left.n += !small && root == i;
        }
    }
    if (out)
        *out = left;
    gm_free(r.v);
    return st;
}
