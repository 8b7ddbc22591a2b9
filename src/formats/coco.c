/* coco.c - COCO's instance annotations as posts: an image is a post, an annotation a region.
 *
 * The file is read twice: first every annotation's image id and place, then image by image with its
 * annotations, so that only the index is in memory. A file that gmner wrote says in its "gmner"
 * fields which text and which entity an image and an annotation stand for; of others, each
 * annotation becomes an entity named as its category. Source: cocodataset.org, format-data. */
#include "formats/coco.h"
#include "formats/document.h"
#include "record/image_path.h"
#include "record/labels.h"
#include "record/offsets.h"

#include "base/alloc.h"
#include "base/path.h"
#include "record/image_path.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_IMAGES = 100000000, MAX_CATEGORIES = 65535, MAX_OF_IMAGE = 10000 };

struct place {
    uint32_t image;     /* number of its image's key */
    size_t at, n, line; /* bytes of the file */
};

struct coco {
    struct gm_document doc, images;
    struct gm_source from;
    struct gm_labels keys; /* image ids of annotations */
    struct gm_labels category_ids, category_names;
    struct gm_buf name_of; /* uint32_t: category id number -> name number */
    struct gm_buf places;  /* struct place, in order of image */
    size_t n_used;         /* annotations given to an image */
};

static void coco_close(void *state)
{
    struct coco *c = state;
    if (!c)
        return;
    gm_document_close(&c->doc);
    gm_labels_clear(&c->keys);
    gm_labels_clear(&c->category_ids);
    gm_labels_clear(&c->category_names);
    gm_buf_clear(&c->name_of);
    gm_buf_clear(&c->places);
    gm_free(c);
}

/* An id, an integer (also written as 7.0, as pandas does) or a string, as text in `buf`. */
static bool id_text(const struct gm_json *j, char buf[32], struct gm_str *out)
{
    long long n;
    double x;
    if (!gm_json_int(j, &n) && gm_json_num(j, &x) && fabs(x) < 9e15 && floor(x) == x)
        return *out = (struct gm_str){buf, (size_t)snprintf(buf, 32, "%.0f", x)}, true;
    if (gm_json_int(j, &n)) {
        *out = (struct gm_str){buf, (size_t)snprintf(buf, 32, "%lld", n)};
        return true;
    }
    return gm_json_str(j, out) && out->n > 0;
}

static enum gm_status add_category(struct coco *c, const struct gm_json *j, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char buf[32];
    struct gm_str id, name;
    uint32_t i, n;
    if (!id_text(gm_json_get(j, "id"), buf, &id) || !gm_json_str(gm_json_get(j, "name"), &name) ||
        name.n == 0 || memchr(name.p, 0, name.n))
        return GM_FAIL(err, GM_EFORMAT, "a category needs \"id\" and \"name\"");
    GM_TRY(gm_labels_add(&c->category_ids, id, &i, err));
    GM_TRY(gm_labels_add(&c->category_names, name, &n, err));
    if (i * sizeof n == c->name_of.n)
        GM_TRY(gm_buf_add(&c->name_of, &n, sizeof n, err));
    else
        memcpy(c->name_of.p + i * sizeof n, &n, sizeof n);
done:
    return st;
}

static enum gm_status add_place(struct coco *c, const struct gm_document *d, struct gm_str value,
                                const struct gm_json *j, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char buf[32];
    struct gm_str id;
    struct place place = {
        .at = (size_t)(value.p - c->doc.text.p), .n = value.n, .line = d->item_line};
    if (!id_text(gm_json_get(j, "image_id"), buf, &id))
        return GM_FAIL(err, GM_EFORMAT, "an annotation without \"image_id\"");
    GM_TRY(gm_labels_add(&c->keys, id, &place.image, err));
    GM_TRY(gm_buf_add(&c->places, &place, sizeof place, err));
done:
    return st;
}

/* Go through one section ("annotations" or "categories"). */
static enum gm_status read_section(struct coco *c, struct gm_str section, size_t line,
                                   bool annotations, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_document d;
    struct gm_str key, value;
    struct gm_json *j = NULL;
    bool has;
    gm_document_of(&d, &c->doc, section, line);
    for (;;) {
        GM_TRY(gm_document_next(&d, &key, &value, &has, err));
        if (!has)
            break;
        GM_TRY(gm_document_parse(&d, value, &j, err));
        st = annotations ? add_place(c, &d, value, j, err) : add_category(c, j, err);
        gm_json_free(j);
        j = NULL;
        if (st != GM_OK) {
            gm_error_prefix(err, "%s:%zu", d.path, d.item_line);
            return st;
        }
    }
done:
    return st;
}

static int by_image(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->image != y->image)
        return x->image < y->image ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static enum gm_status read_index(struct coco *c, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str key, value;
    bool has, has_images = false;
    for (;;) {
        GM_TRY(gm_document_next(&c->doc, &key, &value, &has, err));
        if (!has)
            break;
        bool images = gm_str_eq_c(key, "images"), annotations = gm_str_eq_c(key, "annotations");
        if (images)
            gm_document_of(&c->images, &c->doc, value, c->doc.item_line);
        has_images = has_images || images;
        if (annotations || gm_str_eq_c(key, "categories"))
            GM_TRY(read_section(c, value, c->doc.item_line, annotations, err));
    }
    if (!c->doc.is_object || !has_images)
        return GM_FAIL(err, GM_EFORMAT,
                       "%s:1: expected a COCO file: {\"images\": [], "
                       "\"annotations\": [], \"categories\": []}",
                       c->doc.path);
    if (c->places.n)
        qsort(c->places.p, c->places.n / sizeof(struct place), sizeof(struct place), by_image);
done:
    return st;
}

static enum gm_status coco_open(void **state, const struct gm_source *from, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct coco *c = gm_alloc(1, sizeof *c);
    *state = NULL;
    if (!c)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    c->from = *from;
    gm_labels_init(&c->keys, MAX_IMAGES);
    gm_labels_init(&c->category_ids, MAX_CATEGORIES);
    gm_labels_init(&c->category_names, MAX_CATEGORIES);
    gm_buf_init(&c->name_of, MAX_CATEGORIES * sizeof(uint32_t));
    gm_buf_init(&c->places, MAX_IMAGES * sizeof(struct place));
    GM_TRY(gm_document_open(&c->doc, from->in, err));
    GM_TRY(read_index(c, err));
    *state = c;
    c = NULL;
done:
    coco_close(c);
    return st;
}

static enum gm_status category_of(const struct coco *c, struct gm_post *p, const struct gm_json *j,
                                  struct gm_str *out, struct gm_error *err)
{
    char buf[32];
    struct gm_str id;
    uint32_t i = GM_LABEL_NONE, name;
    if (id_text(gm_json_get(j, "category_id"), buf, &id))
        i = gm_labels_find(&c->category_ids, id);
    if (i == GM_LABEL_NONE)
        return GM_FAIL(err, GM_EFORMAT, "\"category_id\": none of the file's categories");
    memcpy(&name, c->name_of.p + i * sizeof name, sizeof name);
    *out = gm_arena_str(&p->arena, gm_labels_at(&c->category_names, name));
    return out->p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* The entities of one image while they are read. */
struct found {
    struct gm_named_entity *v;
    struct gm_entity *spans; /* of gmner's own files: start, end */
    long long *numbers;      /* of gmner's own files; -1 = none */
    size_t *caps;
    size_t n;
    bool has_text;
};

/* The entity an annotation is a region of: one of its number, or a new one. */
static enum gm_status entity_of(const struct coco *c, struct gm_post *p, const struct gm_json *j,
                                struct found *f, size_t *at, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *own = gm_json_get(j, "gmner");
    long long number = -1, start = 0, end = 0;
    struct gm_str name;
    (void)gm_json_int(gm_json_get(own, "entity"), &number);
    for (*at = 0; *at < f->n && number >= 0; ++*at)
        if (f->numbers[*at] == number)
            return GM_OK;
    *at = f->n;
    struct gm_named_entity *v = &f->v[f->n];
    *v = (struct gm_named_entity){.visible = 1};
    GM_TRY(category_of(c, p, j, &v->type, err));
    bool has_name = gm_json_str(gm_json_get(own, "text"), &name) && name.n;
    v->name = has_name ? gm_arena_str(&p->arena, name) : v->type;
    (void)gm_json_int(gm_json_get(own, "start"), &start);
    (void)gm_json_int(gm_json_get(own, "end"), &end);
    if (!v->name.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (f->has_text && (start < 0 || end < start))
        return GM_FAIL(err, GM_EFORMAT, "\"gmner\": \"start\" and \"end\" are no place");
    f->spans[f->n] = (struct gm_entity){.start = (size_t)start, .end = (size_t)end};
    f->numbers[f->n++] = number;
done:
    return st;
}

static enum gm_status read_annotation(struct coco *c, struct gm_post *p, const struct place *place,
                                      struct found *f, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    struct gm_region region;
    struct gm_document d;
    size_t at;
    gm_document_of(&d, &c->doc, gm_str_sub(c->doc.text, place->at, place->at + place->n),
                   place->line);
    d.item_line = place->line;
    GM_TRY(gm_document_parse(&d, d.text, &j, err));
    st = gm_coco_region(&region, p, j, c->from.lost, err);
    if (st == GM_OK)
        st = entity_of(c, p, j, f, &at, err);
    if (st == GM_OK) {
        struct gm_named_entity *v = &f->v[at];
        st = GM_ARENA_GROW(&p->arena, v->regions, v->n_regions, f->caps[at], err);
        if (st == GM_OK)
            v->regions[v->n_regions++] = region;
    }
    if (st != GM_OK)
        gm_error_prefix(err, "%s:%zu: annotation", d.path, place->line);
done:
    gm_json_free(j);
    return st;
}

/* Of gmner's own files: the text and where the entities are in it. */
static enum gm_status set_spans(struct gm_post *p, const struct found *f, struct gm_str text,
                                struct gm_error *err)
{
    struct gm_offset at;
    p->text = gm_arena_str(&p->arena, text);
    p->entities = gm_arena_alloc(&p->arena, f->n, sizeof *p->entities);
    if (!p->text.p || !p->entities)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_offset_init(&at, p->text);
    p->has_entities = true;
    for (size_t i = 0; i < f->n; i++) {
        struct gm_entity *e = &p->entities[p->n_entities++];
        bool in = gm_offset_to_cp(&at, f->spans[i].start);
        size_t from = at.byte;
        if (!in || !gm_offset_to_cp(&at, f->spans[i].end))
            return GM_FAIL(err, GM_EFORMAT, "entity %zu lies outside of the text", i);
        *e = (struct gm_entity){.text = gm_str_sub(p->text, from, at.byte),
                                .type = f->v[i].type,
                                .start = f->spans[i].start,
                                .end = f->spans[i].end,
                                .score = 1,
                                .visible = 1,
                                .source = GM_STR("input"),
                                .regions = f->v[i].regions,
                                .n_regions = f->v[i].n_regions};
    }
    return GM_OK;
}

static enum gm_status found_init(struct found *f, struct gm_post *p, size_t n, struct gm_error *err)
{
    if (n > MAX_OF_IMAGE)
        return GM_FAIL(err, GM_EFORMAT, "over %d annotations of one image", MAX_OF_IMAGE);
    f->v = gm_arena_alloc(&p->arena, n, sizeof *f->v);
    f->spans = gm_arena_alloc(&p->arena, n, sizeof *f->spans);
    f->numbers = gm_arena_alloc(&p->arena, n, sizeof *f->numbers);
    f->caps = gm_arena_alloc(&p->arena, n, sizeof *f->caps);
    if (!f->v || !f->spans || !f->numbers || !f->caps)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu annotations", n);
    return GM_OK;
}

/* The annotations of image `id`: a range of the sorted places. */
static const struct place *places_of(const struct coco *c, struct gm_str id, size_t *n)
{
    const struct place *v = (const void *)c->places.p;
    size_t n_all = c->places.n / sizeof *v, lo = 0, hi = n_all;
    uint32_t key = gm_labels_find(&c->keys, id);
    *n = 0;
    if (key == GM_LABEL_NONE)
        return v;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (v[mid].image < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    while (lo + *n < n_all && v[lo + *n].image == key)
        ++*n;
    return v + lo;
}

/* The image's own fields; the post's id is gmner's, else the file's name without its ending. */
static enum gm_status read_image(struct coco *c, struct gm_post *p, const struct gm_json *j,
                                 struct gm_str id, struct gm_error *err)
{
    struct gm_str file = GM_STR(""), name = id;
    long long w = 0, h = 0;
    if (gm_json_str(gm_json_get(j, "file_name"), &file) && file.n) {
        struct gm_str last = gm_path_file(file);
        size_t end = last.n;
        while (end > 0 && last.p[end - 1] != '.')
            end--;
        name = gm_str_sub(last, 0, end > 1 ? end - 1 : last.n);
    }
    (void)gm_json_str(gm_json_get(gm_json_get(j, "gmner"), "id"), &name);
    if (memchr(file.p, 0, file.n))
        return GM_FAIL(err, GM_EFORMAT, "\"file_name\": a NUL character");
    p->id = gm_arena_str(&p->arena, name);
    p->has_id = true;
    if (!p->id.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (gm_json_int(gm_json_get(j, "width"), &w) && gm_json_int(gm_json_get(j, "height"), &h) &&
        w > 0 && h > 0 && w <= INT32_MAX && h <= INT32_MAX) {
        p->image_w = (uint32_t)w;
        p->image_h = (uint32_t)h;
    }
    if (file.n == 0)
        return GM_OK;
    return gm_post_set_image(p, c->from.base_dir, file, err);
}

static enum gm_status read_post(struct coco *c, struct gm_post *p, const struct gm_json *j,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char buf[32];
    struct gm_str id, text = GM_STR("");
    struct found f = {0};
    size_t n;
    if (!id_text(gm_json_get(j, "id"), buf, &id))
        return GM_FAIL(err, GM_EFORMAT, "an image without \"id\"");
    f.has_text = gm_json_str(gm_json_get(gm_json_get(j, "gmner"), "text"), &text);
    GM_TRY(read_image(c, p, j, id, err));
    const struct place *places = places_of(c, id, &n);
    c->n_used += n; /* they have an image, whether the post can be read or not */
    GM_TRY(found_init(&f, p, n, err));
    for (size_t i = 0; i < n; i++)
        GM_TRY(read_annotation(c, p, &places[i], &f, err));
    GM_TRY(f.has_text ? set_spans(p, &f, text, err)
                      : gm_post_set_named(p, f.v, f.n, c->from.texts, c->from.lost, err));
done:
    return st;
}

static enum gm_status coco_next(void *state, struct gm_post *post, size_t *line, bool *has,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct coco *c = state;
    struct gm_str key, value;
    struct gm_json *j = NULL;
    GM_TRY(gm_document_next(&c->images, &key, &value, has, err));
    *line = c->images.item_line;
    if (!*has) {
        for (; c->n_used < c->places.n / sizeof(struct place); c->n_used++)
            gm_losses_fault(c->from.lost, "annotations of no image", GM_STR(""));
        return GM_OK;
    }
    GM_TRY(gm_document_parse(&c->images, value, &j, err));
    st = read_post(c, post, j, err);
    if (st != GM_OK && err && !gm_str_starts(gm_str(err->msg), gm_str(c->doc.path)))
        gm_error_prefix(err, "%s:%zu", c->doc.path, *line);
done:
    gm_json_free(j);
    return st;
}

#define HOLDS                                                                             \
    (GM_HOLDS_TEXT | GM_HOLDS_IMAGE | GM_HOLDS_TYPE | GM_HOLDS_BOX | GM_HOLDS_BOX_SCORE | \
     GM_HOLDS_MASK | GM_HOLDS_POSITION)

const struct gm_format_row gm_format_coco_row = {.format = GM_FORMAT_COCO,
                                                 .name = "coco",
                                                 .title = "COCO JSON",
                                                 .holds = HOLDS,
                                                 .open = coco_open,
                                                 .next = coco_next,
                                                 .close = coco_close,
                                                 .create = gm_coco_create,
                                                 .add = gm_coco_add,
                                                 .commit = gm_coco_commit,
                                                 .abort = gm_coco_abort};
