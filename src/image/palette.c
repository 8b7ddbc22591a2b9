/* palette.c - the table of colours. */
#include "image/palette.h"

static const struct {
    const char *type; /* lower case */
    struct gm_color color;
} known[] = {
    {"per", {0, 114, 178}},    {"person", {0, 114, 178}},      /* blue */
    {"loc", {0, 158, 115}},    {"location", {0, 158, 115}},    /* bluish green */
    {"org", {213, 94, 0}},     {"organization", {213, 94, 0}}, /* vermilion */
    {"other", {190, 95, 150}}, {"misc", {190, 95, 150}},       /* reddish purple, darkened */
};

static const struct gm_color rest[] = {
    {30, 136, 200}, {184, 122, 0}, {124, 88, 170}, {140, 86, 75}, {96, 128, 16}, {100, 116, 139},
};

struct gm_color gm_palette_color(struct gm_str type)
{
    char lower[32];
    size_t n = type.n < sizeof lower ? type.n : sizeof lower;
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)(type.p[i] >= 'A' && type.p[i] <= 'Z' ? type.p[i] | 0x20 : type.p[i]);
    struct gm_str name = {lower, n};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (gm_str_eq_c(name, known[i].type))
            return known[i].color;
    /* The upper half of FNV's bits are the better mixed. */
    return rest[(gm_str_hash(name) >> 32) % (sizeof rest / sizeof *rest)];
}

struct gm_color gm_palette_nth(size_t i)
{
    static const size_t n_known = sizeof known / sizeof *known / 2; /* each stands twice */
    static const size_t n_rest = sizeof rest / sizeof *rest;
    i %= n_known + n_rest;
    return i < n_known ? known[2 * i].color : rest[i - n_known];
}

struct gm_color gm_palette_ink(struct gm_color c)
{
    /* Relative luminance after ITU-R BT.709, in steps of 1/1000 of a level. */
    int light = 213 * c.r + 715 * c.g + 72 * c.b;
    return light > 150 * 1000 ? (struct gm_color){0, 0, 0} : (struct gm_color){255, 255, 255};
}
