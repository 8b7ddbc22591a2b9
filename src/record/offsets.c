#include "record/offsets.h"

static bool continues(struct gm_str s, size_t i) { return ((unsigned char)s.p[i] & 0xC0) == 0x80; }

void gm_offset_init(struct gm_offset *o, struct gm_str text)
{
    *o = (struct gm_offset){.text = text};
}

static void forward(struct gm_offset *o)
{
    do {
        o->byte++;
    } while (o->byte < o->text.n && continues(o->text, o->byte));
    o->cp++;
}

static void backward(struct gm_offset *o)
{
    do {
        o->byte--;
    } while (o->byte > 0 && continues(o->text, o->byte));
    o->cp--;
}

bool gm_offset_to_cp(struct gm_offset *o, size_t cp)
{
    while (o->cp > cp)
        backward(o);
    while (o->cp < cp && o->byte < o->text.n)
        forward(o);
    return o->cp == cp;
}

size_t gm_offset_to_byte(struct gm_offset *o, size_t byte)
{
    while (o->byte > byte)
        backward(o);
    while (o->byte < byte)
        forward(o);
    return o->cp;
}
