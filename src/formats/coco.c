/* coco.c - COCO's instance annotations as posts: an image is a post, an annotation a region.
 *
 * The file is read twice: first every annotation's image id and place, then image by image with its
 * annotations, so that only the index is in memory. A file that gmner wrote says in its "gmner"
 * fields which text and which entity an image and an annotation stand for; of others, each
 * annotation becomes an entity named as its category. Source: cocodataset.org, format-data. */
#include "formats/coco.h"
#include "formats/coco_index.h"
#include "record/image_path.h"
#include "record/offsets.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

enum { MAX_OF_IMAGE = 10000 };

struct coco {
    struct gm_document doc;
    struct gm_coco_index index;
    struct gm_source from;
    size_t n_used; /* annotations given to an image */
};

static void coco_close(void *state)
{
    struct coco *c = state;
    if (!c)
        return;
    gm_document_close(&c->doc);
    gm_coco_index_clear(&c->index);
    gm_free(c);
}

static enum gm_status coco_open(void **state, const struct gm_source *from, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct coco *c = gm_alloc(1, sizeof *c);
    *state = NULL;
    if (!c)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    c->from = *from;
    gm_coco_index_init(&c->index);
    GM_TRY(gm_document_open(&c->doc, from->in, err));
    GM_TRY(gm_coco_index_read(&c->index, &c->doc, from->lost, err));
    *state = c;
    c = NULL;
done:
    coco_close(c);
    return st;
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
    struct gm_str type = gm_coco_index_category(&c->index, gm_json_get(j, "category_id"));
    if (!type.n)
        return GM_FAIL(err, GM_EFORMAT, "\"category_id\": none of the file's categories");
    v->type = gm_arena_str(&p->arena, type);
    bool has_name = gm_json_str(gm_json_get(own, "text"), &name) && name.n;
    v->name = has_name ? gm_arena_str(&p->arena, name) : v->type;
    (void)gm_json_int(gm_json_get(own, "start"), &start);
    (void)gm_json_int(gm_json_get(own, "end"), &end);
    if (!v->type.p || !v->name.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (f->has_text && (start < 0 || end < start))
        return GM_FAIL(err, GM_EFORMAT, "\"gmner\": \"start\" and \"end\" are no place");
    f->spans[f->n] = (struct gm_entity){.start = (size_t)start, .end = (size_t)end};
    f->numbers[f->n++] = number;
    return GM_OK;
}

/* Leave an annotation out that can't be read, and count it under why. */
static void lose(const struct coco *c, const struct gm_post *p, const char *why)
{
    char what[GM_LOSS_NAME_MAX];
    snprintf(what, sizeof what, "annotations (%.60s)", why);
    gm_losses_fault(c->from.lost, what, p->id);
}

static enum gm_status read_annotation(struct coco *c, struct gm_post *p,
                                      const struct gm_coco_place *place, struct found *f,
                                      struct gm_error *err)
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
done:
    gm_json_free(j);
    return st;
}

/* An annotation that can't be read, as one whose numbers are none, loses itself alone. */
static enum gm_status read_annotations(struct coco *c, struct gm_post *p,
                                       const struct gm_coco_place *places, size_t n,
                                       struct found *f, struct gm_error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct gm_error e;
        enum gm_status st = read_annotation(c, p, &places[i], f, &e);
        if (st == GM_EFORMAT) {
            lose(c, p, e.msg);
        } else if (st != GM_OK) {
            if (err)
                *err = e;
            return st;
        }
    }
    return GM_OK;
}

/* Of gmner's own files: the text and where the entities are in it. */
static enum gm_status set_spans(const struct coco *c, struct gm_post *p, const struct found *f,
                                struct gm_str text, struct gm_error *err)
{
    struct gm_offset at;
    p->text = gm_arena_str(&p->arena, text);
    p->entities = gm_arena_alloc(&p->arena, f->n, sizeof *p->entities);
    if (!p->text.p || !p->entities)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_offset_init(&at, p->text);
    p->has_entities = true;
    for (size_t i = 0; i < f->n; i++) {
        bool in = gm_offset_to_cp(&at, f->spans[i].start);
        size_t from = at.byte;
        if (!in || !gm_offset_to_cp(&at, f->spans[i].end)) {
            lose(c, p, "a place outside of the text");
            continue;
        }
        struct gm_entity *e = &p->entities[p->n_entities++];
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

/* The image's own fields; the post's id is gmner's, else the file's name without its ending. */
static enum gm_status read_image(struct coco *c, struct gm_post *p, const struct gm_json *j,
                                 struct gm_str id, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str file = GM_STR(""), own;
    long long w = 0, h = 0;
    (void)gm_json_str(gm_json_get(j, "file_name"), &file);
    if (memchr(file.p, 0, file.n))
        return GM_FAIL(err, GM_EFORMAT, "\"file_name\": a NUL character");
    if (gm_json_str(gm_json_get(gm_json_get(j, "gmner"), "id"), &own))
        p->id = gm_arena_str(&p->arena, own);
    else
        GM_TRY(gm_coco_index_post_id(&c->index, &p->arena, file, id, &p->id, err));
    p->has_id = true;
    if (!p->id.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (gm_json_int(gm_json_get(j, "width"), &w) && gm_json_int(gm_json_get(j, "height"), &h) &&
        w > 0 && h > 0 && w <= INT32_MAX && h <= INT32_MAX) {
        p->image_w = (uint32_t)w;
        p->image_h = (uint32_t)h;
    }
    if (file.n)
        GM_TRY(gm_post_set_image(p, c->from.base_dir, file, err));
done:
    return st;
}

static enum gm_status read_post(struct coco *c, struct gm_post *p, const struct gm_json *j,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char buf[32];
    struct gm_str id, text = GM_STR("");
    struct found f = {0};
    size_t n;
    if (!gm_coco_id(gm_json_get(j, "id"), buf, &id))
        return GM_FAIL(err, GM_EFORMAT, "an image without \"id\"");
    f.has_text = gm_json_str(gm_json_get(gm_json_get(j, "gmner"), "text"), &text);
    GM_TRY(read_image(c, p, j, id, err));
    const struct gm_coco_place *places = gm_coco_index_places(&c->index, id, &n);
    c->n_used += n; /* they have an image, whether the post can be read or not */
    GM_TRY(found_init(&f, p, n, err));
    GM_TRY(read_annotations(c, p, places, n, &f, err));
    GM_TRY(f.has_text ? set_spans(c, p, &f, text, err)
                      : gm_post_set_named(p, f.v, f.n, c->from.texts, c->from.lost, err));
done:
    return st;
}

static enum gm_status coco_next(void *state, struct gm_post *post, size_t *line, bool *has,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct coco *c = state;
    struct gm_document *images = &c->index.images;
    struct gm_str key, value;
    struct gm_json *j = NULL;
    GM_TRY(gm_document_next(images, &key, &value, has, err));
    *line = images->item_line;
    if (!*has) {
        for (; c->n_used < c->index.places.n / sizeof(struct gm_coco_place); c->n_used++)
            gm_losses_fault(c->from.lost, "annotations of no image", GM_STR(""));
        return GM_OK;
    }
    GM_TRY(gm_document_parse(images, value, &j, err));
    st = read_post(c, post, j, err);
    if (st != GM_OK && err && !gm_str_starts(gm_str(err->msg), gm_str(c->doc.path)))
        gm_error_prefix(err, "%s:%zu", c->doc.path, *line);
done:
    gm_json_free(j);
    return st;
}

static enum gm_fit fit(const struct gm_head *h)
{
    static const char *const lists[] = {"images", "annotations", "categories", NULL};
    size_t n = h->is_array ? 0 : gm_head_keys(h, lists, "[");
    return n >= 2 ? GM_FIT_KEYS : n ? GM_FIT_KEY : GM_FIT_NOT;
}

#define HOLDS                                                                             \
    (GM_HOLDS_TEXT | GM_HOLDS_IMAGE | GM_HOLDS_TYPE | GM_HOLDS_BOX | GM_HOLDS_BOX_SCORE | \
     GM_HOLDS_MASK | GM_HOLDS_POSITION)

const struct gm_format_row gm_format_coco_row = {.title = "COCO JSON",
                                                 .ending = ".json",
                                                 .fit = fit,
                                                 .holds = HOLDS,
                                                 .open = coco_open,
                                                 .next = coco_next,
                                                 .close = coco_close,
                                                 .create = gm_coco_create,
                                                 .add = gm_coco_add,
                                                 .commit = gm_coco_commit,
                                                 .abort = gm_coco_abort};
