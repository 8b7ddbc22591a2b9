/* labelstudio.c - tasks exported from Label Studio: labels on the text become entities, rectangles and
 * brushes on the image their regions.
 *
 * The first annotation that was not cancelled counts, else the first prediction. A rectangle belongs
 * to the entity that a relation ties it to; a brush to the rectangle that is its parent, or to an
 * entity as a rectangle does. What is tied to nothing becomes an object of the image. Offsets count
 * code points (Label Studio since 2022); where a label's own text shows that they count UTF-16 units,
 * as older versions stored them, they are read so. */
#include "formats/labelstudio.h"
#include "formats/brush_mask.h"
#include "formats/document.h"
#include "formats/format.h"
#include "record/record_mask.h"
#include "record/offsets.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <math.h>
#include <string.h>

enum { MAX_RESULTS = 10000, MAX_BRUSH_BYTES = 64 << 20 };

/* A region before it is known whose it is. */
struct loose {
    struct gm_str id;
    struct gm_region region;
    size_t entity; /* SIZE_MAX = nobody's */
};

/* One task being read. */
struct task {
    struct gm_post *post;
    struct gm_losses *lost;
    struct gm_str *ids; /* of post->entities */
    struct loose *loose;
    size_t n_loose;
    unsigned units; /* of the labels' offsets */
};

static struct gm_str str_of(const struct gm_json *o, const char *key)
{
    struct gm_str s = GM_STR("");
    (void)gm_json_str(gm_json_get(o, key), &s);
    return s;
}

static bool looks_like_image(struct gm_str s)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".png", ".webp", ".JPG", ".JPEG", ".PNG"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (gm_str_ends(s, gm_str(ends[i])))
            return true;
    return false;
}

/* data.text and data.image, else the first value that could be one. */
static void find_data(const struct gm_json *data, struct gm_str *text, struct gm_str *image)
{
    *text = str_of(data, "text");
    *image = str_of(data, "image");
    for (void *it = gm_json_first(data); it; it = gm_json_next(data, it)) {
        struct gm_str s, key = gm_json_key(it);
        if (!gm_json_str(gm_json_value(it), &s) || gm_str_eq_c(key, "id") ||
            gm_str_eq_c(key, "caption"))
            continue;
        if (looks_like_image(s) && !image->n)
            *image = s;
        else if (!looks_like_image(s) && !text->n)
            *text = s;
    }
}

/* "/data/local-files/?d=x/1.jpg" is x/1.jpg below the folder that Label Studio serves. */
static enum gm_status set_image(struct gm_post *p, const struct gm_source *from, struct gm_str s,
                                struct gm_error *err)
{
    static const char local[] = "/data/local-files/?d=";
    if (gm_str_starts(s, GM_STR(local)))
        s = gm_str_sub(s, sizeof local - 1, s.n);
    if (s.n == 0)
        return GM_OK;
    if (memchr(s.p, 0, s.n))
        return GM_FAIL(err, GM_EFORMAT, "image: a NUL character in the path");
    if (from->images_dir) {
        size_t cut = s.n;
        while (cut && s.p[cut - 1] != '/')
            cut--;
        return gm_post_image(p, from->images_dir, gm_str_sub(s, cut, s.n), err);
    }
    bool as_is = s.p[0] == '/' || gm_str_find(s, GM_STR("://"), 0) != SIZE_MAX || !from->base_dir ||
                 strcmp(from->base_dir, ".") == 0;
    if (!as_is)
        return gm_post_image(p, from->base_dir, s, err);
    p->image = s;
    return GM_OK;
}

static enum gm_status set_id(struct gm_post *p, const struct gm_json *task, struct gm_error *err)
{
    const struct gm_json *own = gm_json_get(gm_json_get(task, "data"), "id");
    const struct gm_json *j = own ? own : gm_json_get(task, "id");
    long long n;
    p->has_id = j != NULL;
    if (gm_json_int(j, &n))
        p->id = gm_arena_printf(&p->arena, "%lld", n);
    else if (!gm_json_str(j, &p->id))
        p->has_id = false;
    if (p->has_id && !p->id.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    return GM_OK;
}

/* The results that count; NULL = the task has none. */
static const struct gm_json *results_of(const struct gm_json *task, struct task *t)
{
    const struct gm_json *from = NULL, *list = gm_json_get(task, "annotations");
    if (!list) /* before 1.0 */
        list = gm_json_get(task, "completions");
    size_t n_used = 0;
    for (size_t i = 0; i < gm_json_count(list); i++) {
        bool cancelled = false;
        (void)gm_json_bool(gm_json_get(gm_json_at(list, i), "was_cancelled"), &cancelled);
        if (!cancelled && n_used++ == 0)
            from = gm_json_at(list, i);
    }
    for (size_t i = 1; i < n_used; i++)
        gm_losses_add(t->lost, "further annotations of a task", t->post->id);
    if (!from)
        from = gm_json_at(gm_json_get(task, "predictions"), 0);
    return gm_json_get(from, "result");
}

/* How a label's offsets count: what a character outside of the BMP and the CR of a CRLF are worth. */
enum { WIDE = 1, NO_CR = 2, N_UNITS = 4 };

/* Code points before unit number `units`; false past the end or inside a character. */
static bool cp_of_units(struct gm_str text, unsigned how, long long units, long long *cp)
{
    size_t pos = 0;
    *cp = 0;
    while (units > 0 && pos < text.n) {
        uint32_t c = gm_utf8_next(text, &pos);
        bool is_cr = (how & NO_CR) && c == '\r' && pos < text.n && text.p[pos] == '\n';
        units -= is_cr ? 0 : (how & WIDE) && c > 0xFFFF ? 2 : 1;
        ++*cp;
    }
    return units == 0;
}

static bool text_at(struct gm_str text, long long start, long long end, struct gm_str *out)
{
    struct gm_offset at;
    gm_offset_init(&at, text);
    if (start < 0 || end < start || !gm_offset_to_cp(&at, (size_t)start))
        return false;
    size_t from = at.byte;
    if (!gm_offset_to_cp(&at, (size_t)end))
        return false;
    *out = gm_str_sub(text, from, at.byte);
    return true;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Equal but for white space, which Label Studio collapses or leaves out in a label's own text. */
static bool same_words(struct gm_str a, struct gm_str b)
{
    size_t i = 0, k = 0;
    for (;;) {
        while (i < a.n && is_space(a.p[i]))
            i++;
        while (k < b.n && is_space(b.p[k]))
            k++;
        if (i == a.n || k == b.n)
            return i == a.n && k == b.n;
        if (a.p[i++] != b.p[k++])
            return false;
    }
}

struct span {
    long long start, end; /* code points */
    struct gm_str text;
};

/* The place of a label whose offsets count `how`; false: it is no part of the text. */
static bool place_of(struct gm_str text, const struct gm_json *value, unsigned how, struct span *s)
{
    long long start, end;
    return gm_json_int(gm_json_get(value, "start"), &start) && start >= 0 &&
           gm_json_int(gm_json_get(value, "end"), &end) && end >= start &&
           cp_of_units(text, how, start, &s->start) && cp_of_units(text, how, end, &s->end) &&
           text_at(text, s->start, s->end, &s->text);
}

/* A label of the text, not of a region of the picture. */
static bool is_text_label(const struct gm_json *result)
{
    const struct gm_json *value = gm_json_get(result, "value");
    return gm_str_eq_c(str_of(result, "type"), "labels") &&
           (gm_json_get(value, "start") || !(gm_json_get(value, "x") || gm_json_get(value, "rle")));
}

/* All labels of one annotation count alike: as most of their own texts prove, code points first. */
static unsigned units_of(const struct task *t, const struct gm_json *results)
{
    size_t proofs[N_UNITS] = {0};
    unsigned best = 0;
    for (size_t i = 0; i < gm_json_count(results); i++) {
        const struct gm_json *r = gm_json_at(results, i), *value = gm_json_get(r, "value");
        struct gm_str said = str_of(value, "text");
        struct span s;
        for (unsigned how = 0; said.n && is_text_label(r) && how < N_UNITS; how++)
            proofs[how] += place_of(t->post->text, value, how, &s) && same_words(s.text, said);
    }
    for (unsigned how = 1; how < N_UNITS; how++)
        if (proofs[how] > proofs[best])
            best = how;
    return best;
}

/* The one place of `said` in the text; false: none or several. */
static bool only_place(struct gm_str text, struct gm_str said, struct span *s)
{
    size_t at = gm_str_find(text, said, 0), pos = 0;
    if (at == SIZE_MAX || gm_str_find(text, said, at + 1) != SIZE_MAX)
        return false;
    for (s->start = 0; pos < at; s->start++)
        (void)gm_utf8_next(text, &pos);
    for (s->end = s->start; pos < at + said.n; s->end++)
        (void)gm_utf8_next(text, &pos);
    s->text = gm_str_sub(text, at, at + said.n);
    return true;
}

/* Where a label is: at its offsets if its own text is there, else where that text stands once.
 * found false: at a place that is known to be wrong. */
static enum gm_status read_span(struct task *t, const struct gm_json *value, struct gm_entity *e,
                                bool *found, struct gm_error *err)
{
    long long start, end;
    struct gm_str said = str_of(value, "text");
    struct span s = {0};
    *found = true;
    if (!gm_json_int(gm_json_get(value, "start"), &start) ||
        !gm_json_int(gm_json_get(value, "end"), &end))
        return GM_FAIL(err, GM_EFORMAT, "\"start\" and \"end\": expected two integers");
    bool in = place_of(t->post->text, value, t->units, &s);
    if (said.n && !(in && same_words(s.text, said))) {
        *found = only_place(t->post->text, said, &s);
        gm_losses_fault(t->lost,
                        *found ? "offsets of labels (found by the labels' own text)"
                               : "labels whose own text is not what is at their offsets",
                        t->post->id);
    } else if (!in) {
        return GM_FAIL(err, GM_EFORMAT, "%lld..%lld is no part of the text", start, end);
    }
    e->text = s.text;
    e->start = (size_t)s.start;
    e->end = (size_t)s.end;
    return GM_OK;
}

/* The first of value[kind]; the others are counted. */
static struct gm_str label_of(struct task *t, const struct gm_json *value, const char *kind)
{
    const struct gm_json *labels = gm_json_get(value, kind);
    struct gm_str s = GM_STR("");
    (void)gm_json_str(gm_json_at(labels, 0), &s);
    for (size_t i = 1; i < gm_json_count(labels); i++)
        gm_losses_add(t->lost, "second labels of one region", t->post->id);
    return s;
}

static void read_meta(const struct gm_json *result, struct gm_entity *e)
{
    const struct gm_json *meta = gm_json_get(result, "meta");
    double x;
    e->fine_type = str_of(meta, "fine_type");
    e->expression = str_of(meta, "expression");
    if (gm_json_num(gm_json_get(meta, "visible"), &x) && x >= 0 && x <= 1)
        e->visible = x;
}

static double score_of(const struct gm_json *result)
{
    double x = 1;
    (void)gm_json_num(gm_json_get(result, "score"), &x);
    return x >= 0 && x <= 1 ? x : 1;
}

static enum gm_status read_entity(struct task *t, const struct gm_json *result,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *value = gm_json_get(result, "value");
    struct gm_post *p = t->post;
    struct gm_entity e = {.score = score_of(result), .visible = -1, .source = GM_STR("input")};
    bool found;
    GM_TRY(read_span(t, value, &e, &found, err));
    if (!found)
        return GM_OK;
    e.type = label_of(t, value, "labels");
    if (e.type.n == 0 || memchr(e.type.p, 0, e.type.n))
        return GM_FAIL(err, GM_EFORMAT, "\"labels\": expected [\"TYPE\"]");
    read_meta(result, &e);
    t->ids[p->n_entities] = str_of(result, "id");
    p->entities[p->n_entities++] = e;
done:
    return st;
}

static enum gm_status read_size(const struct gm_json *result, struct gm_post *p,
                                struct gm_error *err)
{
    long long w, h;
    if (!gm_json_int(gm_json_get(result, "original_width"), &w) ||
        !gm_json_int(gm_json_get(result, "original_height"), &h) || w < 1 || h < 1 ||
        w > INT32_MAX || h > INT32_MAX)
        return GM_FAIL(err, GM_EFORMAT,
                       "\"original_width\" and \"original_height\": expected the "
                       "picture's size in pixels");
    p->image_w = (uint32_t)w;
    p->image_h = (uint32_t)h;
    return GM_OK;
}

/* The box around a rectangle of `v` = x, y, width, height that is turned clockwise about x, y. */
static void turned_box(const double v[4], double degrees, double box[GM_BOX_XYXY])
{
    double c = cos(degrees * acos(-1.0) / 180), s = sin(degrees * acos(-1.0) / 180);
    if (fmod(degrees, 90) == 0) { /* exact, so that upright boxes stay whole numbers */
        c = round(c);
        s = round(s);
    }
    double wx = v[2] * c, wy = v[2] * s, hx = -v[3] * s, hy = v[3] * c;
    box[0] = v[0] + fmin(0, wx) + fmin(0, hx);
    box[1] = v[1] + fmin(0, wy) + fmin(0, hy);
    box[2] = v[0] + fmax(0, wx) + fmax(0, hx);
    box[3] = v[1] + fmax(0, wy) + fmax(0, hy);
}

/* A rectangle whose labels, if it has any, are value[kind]. */
static enum gm_status read_rectangle(struct task *t, const struct gm_json *result, const char *kind,
                                     struct gm_error *err)
{
    static const char *const names[] = {"x", "y", "width", "height"};
    enum gm_status st = GM_OK;
    const struct gm_json *value = gm_json_get(result, "value");
    double v[4], turn = 0;
    GM_TRY(read_size(result, t->post, err));
    for (size_t i = 0; i < 4; i++) {
        if (!gm_json_num(gm_json_get(value, names[i]), &v[i]))
            return GM_FAIL(err, GM_EFORMAT, "\"%s\": expected a number of percent", names[i]);
        v[i] *= (i % 2 ? t->post->image_h : t->post->image_w) / 100.0;
    }
    if (gm_json_num(gm_json_get(value, "rotation"), &turn) && !(fabs(turn) <= 1e6))
        return GM_FAIL(err, GM_EFORMAT, "\"rotation\": expected a number of degrees");
    if (fmod(turn, 90) != 0)
        gm_losses_add(t->lost, "rotations of rectangles (now the box around each)", t->post->id);
    struct loose *l = &t->loose[t->n_loose++];
    *l = (struct loose){
        .id = str_of(result, "id"),
        .entity = SIZE_MAX,
        .region = {.score = (float)score_of(result), .label = label_of(t, value, kind)}};
    if (v[2] > 0 && v[3] > 0)
        turned_box(v, turn, l->region.box);
    else /* turning must not give it an area */
        memcpy(l->region.box, (double[]){v[0], v[1], v[0] + v[2], v[1] + v[3]},
               sizeof l->region.box);
    for (size_t i = 0; i < GM_BOX_XYXY; i++) {
        double *x = &l->region.box[i];
        if (!(fabs(*x) <= 1e9 + 1))
            return GM_FAIL(err, GM_EFORMAT, "a corner at over 1e9 pixels");
        *x = fmax(-1e9, fmin(1e9, *x)); /* percents are not exact */
    }
done:
    return st;
}

/* <Labels> on the picture: the label of the rectangle or brush of the same id, else one by itself. */
static enum gm_status read_image_label(struct task *t, const struct gm_json *result,
                                       struct gm_error *err)
{
    struct gm_str id = str_of(result, "id");
    const struct gm_json *value = gm_json_get(result, "value");
    for (size_t i = 0; i < t->n_loose && id.n; i++)
        if (gm_str_eq(t->loose[i].id, id)) {
            t->loose[i].region.label = label_of(t, value, "labels");
            return GM_OK;
        }
    if (gm_json_get(value, "x"))
        return read_rectangle(t, result, "labels", err);
    gm_losses_fault(t->lost, "labels of regions that are not there", t->post->id);
    return GM_OK;
}

static enum gm_status brush_bytes(const struct gm_json *rle, uint8_t **out, struct gm_error *err)
{
    size_t n = gm_json_count(rle);
    *out = NULL;
    if (gm_json_kind(rle) != GM_JSON_ARRAY || n > MAX_BRUSH_BYTES)
        return GM_FAIL(err, GM_EFORMAT, "\"rle\": expected an array of bytes");
    uint8_t *bytes = gm_alloc(n, 1);
    if (!bytes)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a brush mask");
    for (size_t i = 0; i < n; i++) {
        long long x;
        if (!gm_json_int(gm_json_at(rle, i), &x) || x < 0 || x > 255) {
            gm_free(bytes);
            return GM_FAIL(err, GM_EFORMAT, "\"rle\": number %zu is no byte", i + 1);
        }
        bytes[i] = (uint8_t)x;
    }
    *out = bytes;
    return GM_OK;
}

/* The rectangle that the brush is a child of, else a new region. */
static struct loose *home_of(struct task *t, const struct gm_json *result)
{
    struct gm_str parent = str_of(result, "parentID");
    for (size_t i = 0; i < t->n_loose && parent.n; i++)
        if (gm_str_eq(t->loose[i].id, parent))
            return &t->loose[i];
    struct loose *l = &t->loose[t->n_loose++];
    *l = (struct loose){.id = str_of(result, "id"),
                        .entity = SIZE_MAX,
                        .region = {.score = (float)score_of(result)}};
    return l;
}

static enum gm_status read_brush(struct task *t, const struct gm_json *result, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *value = gm_json_get(result, "value");
    const struct gm_json *rle = gm_json_get(value, "rle");
    uint8_t *bytes = NULL, *mask = NULL;
    GM_TRY(read_size(result, t->post, err));
    uint32_t w = t->post->image_w, h = t->post->image_h;
    GM_TRY(gm_mask_check_size(h, w, err));
    GM_TRY(brush_bytes(rle, &bytes, err));
    mask = gm_alloc((size_t)h * w, 1);
    if (!mask) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a mask of %u x %u pixels", w, h);
        goto done;
    }
    GM_TRY(gm_brush_mask_decode(bytes, gm_json_count(rle), h, w, mask, err));
    size_t n_before = t->n_loose;
    struct loose *l = home_of(t, result);
    if (t->n_loose > n_before)
        l->region.label = label_of(t, value, "brushlabels");
    GM_TRY(
        gm_region_set_mask(&l->region, &t->post->arena, mask, h, w, t->n_loose == n_before, err));
done:
    gm_free(bytes);
    gm_free(mask);
    return st;
}

static size_t entity_of(const struct task *t, struct gm_str id)
{
    for (size_t i = 0; i < t->post->n_entities && id.n; i++)
        if (gm_str_eq(t->ids[i], id))
            return i;
    return SIZE_MAX;
}

/* A relation between a label and a region, either way round. */
static void read_relation(struct task *t, const struct gm_json *result)
{
    struct gm_str from = str_of(result, "from_id"), to = str_of(result, "to_id");
    size_t e = entity_of(t, from);
    struct gm_str other = to;
    if (e == SIZE_MAX) {
        e = entity_of(t, to);
        other = from;
    }
    for (size_t i = 0; i < t->n_loose && e != SIZE_MAX; i++)
        if (gm_str_eq(t->loose[i].id, other)) {
            t->loose[i].entity = e;
            return;
        }
    gm_losses_add(t->lost, "relations that tie no label to a region", t->post->id);
}

/* Regions to their entities, the rest to the objects. */
static enum gm_status settle(struct task *t, struct gm_error *err)
{
    struct gm_post *p = t->post;
    for (size_t i = 0; i < t->n_loose; i++)
        if (t->loose[i].entity != SIZE_MAX)
            p->entities[t->loose[i].entity].n_regions++;
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entity *e = &p->entities[i];
        e->regions = gm_arena_alloc(&p->arena, e->n_regions, sizeof *e->regions);
        if (!e->regions)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        e->n_regions = 0;
    }
    p->objects = gm_arena_alloc(&p->arena, t->n_loose, sizeof *p->objects);
    if (!p->objects)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < t->n_loose; i++) {
        const struct loose *l = &t->loose[i];
        if (l->entity != SIZE_MAX) {
            struct gm_entity *e = &p->entities[l->entity];
            e->regions[e->n_regions] = l->region;
            e->regions[e->n_regions++].label = GM_STR(""); /* it repeats the entity's type */
            continue;
        }
        struct gm_object *o = &p->objects[p->n_objects++];
        o->label = l->region.label;
        o->score = l->region.score;
        memcpy(o->box, l->region.box, sizeof o->box);
        if (l->region.mask.counts.n)
            gm_losses_add(t->lost, "brushes tied to no label (kept as boxes of objects)", p->id);
    }
    p->has_objects = p->n_objects > 0;
    return GM_OK;
}

/* What a result is, in the order of reading: what is referred to comes first. */
enum kind { TEXT_LABEL, RECTANGLE, BRUSH, IMAGE_LABEL, RELATION, OTHER_KIND, OTHER_PICTURE };

static enum kind kind_of(const struct gm_json *result)
{
    struct gm_str type = str_of(result, "type");
    long long item = 0;
    if (gm_json_int(gm_json_get(result, "item_index"), &item) && item > 0)
        return OTHER_PICTURE;
    if (gm_str_eq_c(type, "labels"))
        return is_text_label(result) ? TEXT_LABEL : IMAGE_LABEL;
    if (gm_str_eq_c(type, "rectanglelabels") || gm_str_eq_c(type, "rectangle"))
        return RECTANGLE;
    if (gm_str_eq_c(type, "brushlabels") || gm_str_eq_c(type, "brush"))
        return BRUSH;
    return gm_str_eq_c(type, "relation") ? RELATION : OTHER_KIND;
}

static enum gm_status read_result(struct task *t, enum kind kind, const struct gm_json *result,
                                  struct gm_error *err)
{
    switch (kind) {
    case TEXT_LABEL: return read_entity(t, result, err);
    case RECTANGLE: return read_rectangle(t, result, "rectanglelabels", err);
    case BRUSH: return read_brush(t, result, err);
    case IMAGE_LABEL: return read_image_label(t, result, err);
    case RELATION: read_relation(t, result); return GM_OK;
    case OTHER_KIND:
        gm_losses_add(t->lost, "results that are no labels, rectangles, brushes or relations",
                      t->post->id);
        return GM_OK;
    case OTHER_PICTURE:
        gm_losses_add(t->lost, "regions of a task's further pictures", t->post->id);
        return GM_OK;
    }
    return GM_OK;
}

static enum gm_status read_results(struct task *t, const struct gm_json *results,
                                   struct gm_error *err)
{
    t->units = units_of(t, results);
    for (enum kind kind = TEXT_LABEL; kind <= OTHER_PICTURE; kind++)
        for (size_t i = 0; i < gm_json_count(results); i++) {
            const struct gm_json *r = gm_json_at(results, i);
            if (kind_of(r) != kind)
                continue;
            enum gm_status st = read_result(t, kind, r, err);
            if (st != GM_OK) {
                gm_error_prefix(err, "result %zu (%.*s)", i + 1, GM_STR_ARG(str_of(r, "type")));
                return st;
            }
        }
    return settle(t, err);
}

static void drop_json(void *p) { gm_json_free(p); }

static enum gm_status read_task(struct task *t, const struct gm_source *from,
                                const struct gm_json *task, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post *p = t->post;
    const struct gm_json *data = gm_json_get(task, "data");
    struct gm_str image;
    if (gm_json_kind(data) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EFORMAT, "expected a task: {\"data\": {\"text\", \"image\"}, …}");
    find_data(data, &p->text, &image);
    p->caption = str_of(data, "caption");
    GM_TRY(set_id(p, task, err));
    GM_TRY(set_image(p, from, image, err));
    const struct gm_json *results = results_of(task, t);
    size_t n = gm_json_count(results);
    if (n > MAX_RESULTS)
        return GM_FAIL(err, GM_EFORMAT, "over %d results in one task", MAX_RESULTS);
    p->has_entities = results != NULL;
    p->entities = gm_arena_alloc(&p->arena, n, sizeof *p->entities);
    t->ids = gm_arena_alloc(&p->arena, n, sizeof *t->ids);
    t->loose = gm_arena_alloc(&p->arena, n, sizeof *t->loose);
    if (!p->entities || !t->ids || !t->loose)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu results", n);
    GM_TRY(read_results(t, results, err));
done:
    return st;
}

static enum gm_status in_next(void *state, struct gm_post *post, size_t *line, bool *has,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_document_source *in = state;
    struct task t = {.post = post, .lost = in->from.lost};
    struct gm_str key, value;
    struct gm_json *j;
    GM_TRY(gm_document_next(&in->doc, &key, &value, has, err));
    *line = in->doc.item_line;
    if (!*has)
        return GM_OK;
    if (in->doc.is_object) { /* one task alone: its text is the whole file */
        value = in->doc.text;
        in->doc.item_line = 1;
        in->doc.is_done = true;
    }
    GM_TRY(gm_document_parse(&in->doc, value, &j, err));
    GM_TRY(gm_arena_on_clear(&post->arena, drop_json, j, err)); /* the post borrows from it */
    st = read_task(&t, &in->from, j, err);
    if (st != GM_OK)
        gm_error_prefix(err, "%s:%zu", in->doc.path, *line);
done:
    return st;
}

#define HOLDS                                                                                      \
    (GM_HOLDS_TEXT | GM_HOLDS_IMAGE | GM_HOLDS_CAPTION | GM_HOLDS_TYPE | GM_HOLDS_FINE |           \
     GM_HOLDS_SCORE | GM_HOLDS_EXPRESSION | GM_HOLDS_VISIBLE | GM_HOLDS_BOX | GM_HOLDS_BOX_SCORE | \
     GM_HOLDS_MASK | GM_HOLDS_POSITION | GM_HOLDS_UNGROUNDED | GM_HOLDS_OBJECTS)

const struct gm_format_row gm_format_labelstudio_row = {.format = GM_FORMAT_LABELSTUDIO,
                                                        .name = "labelstudio",
                                                        .title = "Label Studio tasks",
                                                        .holds = HOLDS,
                                                        .open = gm_document_source_open,
                                                        .next = in_next,
                                                        .close = gm_document_source_close,
                                                        .create = gm_labelstudio_create,
                                                        .add = gm_labelstudio_add,
                                                        .commit = gm_labelstudio_commit,
                                                        .abort = gm_labelstudio_abort};
