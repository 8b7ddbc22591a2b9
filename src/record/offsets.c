#include "record/offsets.h"

/* From this many bytes or code points on a way back is looked up. */
enum { FAR = 4096 };

static bool continues(struct gm_str s, size_t i) { return ((unsigned char)s.p[i] & 0xC0) == 0x80; }

void gm_offset_init(struct gm_offset *o, struct gm_str text)
{
    o->text = text;
    o->byte = o->cp = 0;
    o->has_marks = false;
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

static size_t part_size(const struct gm_offset *o) { return o->text.n / GM_OFFSET_MARKS + 1; }

static void set_marks(struct gm_offset *o)
{
    size_t cp = 0, step = part_size(o);
    for (size_t i = 0; i < GM_OFFSET_MARKS; i++) {
        o->marks[i] = cp;
        for (size_t k = i * step; k < (i + 1) * step && k < o->text.n; k++)
            cp += !continues(o->text, k);
    }
    o->has_marks = true;
}

/* To the first character that begins in part i or behind it. */
static void jump(struct gm_offset *o, size_t i)
{
    size_t at = i * part_size(o);
    o->byte = at < o->text.n ? at : o->text.n;
    o->cp = o->marks[i];
    while (o->byte < o->text.n && continues(o->text, o->byte))
        o->byte++;
}

/* The last part before which at most `cp` code points begin. */
static size_t part_of(const struct gm_offset *o, size_t cp)
{
    size_t low = 0, high = GM_OFFSET_MARKS;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (o->marks[mid] <= cp)
            low = mid;
        else
            high = mid;
    }
    return low;
}

bool gm_offset_to_cp(struct gm_offset *o, size_t cp)
{
    if (!o->has_marks && o->cp > cp && o->cp - cp > FAR)
        set_marks(o);
    if (o->has_marks) {
        size_t i = part_of(o, cp);
        if (o->cp > cp || o->marks[i] > o->cp)
            jump(o, i);
    }
    while (o->cp > cp)
        backward(o);
    while (o->cp < cp && o->byte < o->text.n)
        forward(o);
    return o->cp == cp;
}

size_t gm_offset_to_byte(struct gm_offset *o, size_t byte)
{
    if (!o->has_marks && o->byte > byte && o->byte - byte > FAR)
        set_marks(o);
    if (o->has_marks) {
        size_t i = byte / part_size(o);
        if (o->byte > byte || i * part_size(o) > o->byte)
            jump(o, i);
    }
    while (o->byte > byte)
        backward(o);
    while (o->byte < byte)
        forward(o);
    return o->cp;
}
