/* labelstudio.c - tasks exported from Label Studio: labels on the text become entities, rectangles and
 * brushes on the image their regions.
 *
 * The first annotation that was not cancelled counts, else the first prediction. A rectangle belongs
 * to the entity that a relation ties it to; a brush to the rectangle that is its parent, or to an
 * entity as a rectangle does. What is tied to nothing becomes an object of the image. Offsets count
 * code points (Label Studio since 2022); where a label's own text shows that they count UTF-16 units,
 * as older versions stored them, they are read so. */
#include "data/brush.h"
#include "data/document.h"
#include "data/format.h"
#include "data/labelstudio.h"
#include "data/mask_of.h"
#include "data/offsets.h"

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
    struct gm_str *ids;    /* of post->entities */
    struct loose *loose;
    size_t n_loose;
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

/* Code points before UTF-16 unit number `units`; false past the end or inside a character. */
static bool cp_of_utf16(struct gm_str text, long long units, long long *cp)
{
    size_t pos = 0;
    *cp = 0;
    while (units > 0 && pos < text.n) {
        units -= gm_utf8_next(text, &pos) > 0xFFFF ? 2 : 1;
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

static enum gm_status read_span(struct task *t, const struct gm_json *value, struct gm_entity *e,
                                struct gm_error *err)
{
    long long start, end, s16, e16;
    struct gm_str said = str_of(value, "text"), there, wide, text = t->post->text;
    if (!gm_json_int(gm_json_get(value, "start"), &start) ||
        !gm_json_int(gm_json_get(value, "end"), &end))
        return GM_FAIL(err, GM_EFORMAT, "\"start\" and \"end\": expected two integers");
    bool ok = text_at(text, start, end, &there);
    if (said.n && !(ok && gm_str_eq(there, said)) && cp_of_utf16(text, start, &s16) &&
        cp_of_utf16(text, end, &e16) && text_at(text, s16, e16, &wide) && gm_str_eq(wide, said)) {
        start = s16;
        end = e16;
        there = wide;
        ok = true;
    }
    if (!ok)
        return GM_FAIL(err, GM_EFORMAT, "%lld..%lld is no part of the text", start, end);
    if (said.n && !gm_str_eq(there, said))
        gm_losses_add(t->lost, "labels whose own text is not what is at their offsets", t->post->id);
    e->text = there;
    e->start = (size_t)start;
    e->end = (size_t)end;
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
    GM_TRY(read_span(t, value, &e, err));
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
        return GM_FAIL(err, GM_EFORMAT, "\"original_width\" and \"original_height\": expected the "
                       "picture's size in pixels");
    p->image_w = (uint32_t)w;
    p->image_h = (uint32_t)h;
    return GM_OK;
}

static enum gm_status read_rectangle(struct task *t, const struct gm_json *result,
                                     struct gm_error *err)
{
    static const char *const names[] = {"x", "y", "width", "height"};
    enum gm_status st = GM_OK;
    const struct gm_json *value = gm_json_get(result, "value");
    double v[4], turn = 0;
    GM_TRY(read_size(result, t->post, err));
    for (size_t i = 0; i < 4; i++)
        if (!gm_json_num(gm_json_get(value, names[i]), &v[i]) || !(fabs(v[i]) <= 1e6))
            return GM_FAIL(err, GM_EFORMAT, "\"%s\": expected a number of percent", names[i]);
    if (gm_json_num(gm_json_get(value, "rotation"), &turn) && turn != 0)
        gm_losses_add(t->lost, "rotations of rectangles", t->post->id);
    struct loose *l = &t->loose[t->n_loose++];
    double w = t->post->image_w / 100.0, h = t->post->image_h / 100.0;
    *l = (struct loose){.id = str_of(result, "id"), .entity = SIZE_MAX,
                        .region = {.score = (float)score_of(result),
                                   .label = label_of(t, value, "rectanglelabels"),
                                   .box = {v[0] * w, v[1] * h, (v[0] + v[2]) * w,
                                           (v[1] + v[3]) * h}}};
done:
    return st;
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
    *l = (struct loose){.id = str_of(result, "id"), .entity = SIZE_MAX,
                        .region = {.score = (float)score_of(result)}};
    return l;
}

static enum gm_status read_brush(struct task *t, const struct gm_json *result,
                                 struct gm_error *err)
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
    GM_TRY(gm_brush_decode(bytes, gm_json_count(rle), h, w, mask, err));
    size_t n_before = t->n_loose;
    struct loose *l = home_of(t, result);
    if (t->n_loose > n_before)
        l->region.label = label_of(t, value, "brushlabels");
    GM_TRY(gm_region_set_mask(&l->region, &t->post->arena, mask, h, w, t->n_loose == n_before, err));
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

/* Labels and rectangles come before what refers to them, so results are gone through by kind. */
static enum gm_status read_results(struct task *t, const struct gm_json *results,
                                   struct gm_error *err)
{
    static const char *const kinds[] = {"labels", "rectanglelabels", "brushlabels", "relation"};
    size_t n = gm_json_count(results), n_known = 0;
    for (size_t kind = 0; kind < 4; kind++)
        for (size_t i = 0; i < n; i++) {
            enum gm_status st = GM_OK;
            const struct gm_json *r = gm_json_at(results, i);
            if (!gm_str_eq_c(str_of(r, "type"), kinds[kind]))
                continue;
            n_known++;
            if (kind == 0)
                st = read_entity(t, r, err);
            else if (kind == 1)
                st = read_rectangle(t, r, err);
            else if (kind == 2)
                st = read_brush(t, r, err);
            else
                read_relation(t, r);
            if (st != GM_OK) {
                gm_error_prefix(err, "result %zu (%s)", i + 1, kinds[kind]);
                return st;
            }
        }
    for (size_t i = n_known; i < n; i++)
        gm_losses_add(t->lost, "results that are no labels, rectangles, brushes or relations",
                      t->post->id);
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
    (GM_HOLDS_TEXT | GM_HOLDS_IMAGE | GM_HOLDS_CAPTION | GM_HOLDS_TYPE | GM_HOLDS_FINE |            \
     GM_HOLDS_SCORE | GM_HOLDS_EXPRESSION | GM_HOLDS_VISIBLE | GM_HOLDS_BOX |                       \
     GM_HOLDS_BOX_SCORE | GM_HOLDS_MASK | GM_HOLDS_POSITION | GM_HOLDS_UNGROUNDED |                 \
     GM_HOLDS_OBJECTS)

const struct gm_format_row gm_format_labelstudio_row = {
    .format = GM_FORMAT_LABELSTUDIO, .name = "labelstudio", .title = "Label Studio tasks",
    .holds = HOLDS, .open = gm_document_source_open, .next = in_next, .close = gm_document_source_close,
    .create = gm_labelstudio_create, .add = gm_labelstudio_add, .commit = gm_labelstudio_commit,
    .abort = gm_labelstudio_abort};
