/* ccks.c - the files of CCKS-2025's GMNER task.
 *
 *   text file    {"17": {"text": "A Leopard 2 crosses the bridge."}, …}
 *   entity file  {"17": [{"name": "Leopard 2", "label": "vehicle",
 *                         "bnd": {"xmin": 31, "ymin": 40, "xmax": 398, "ymax": 277}}, …], …}
 *
 * An entity with several boxes appears once for each of them; bnd null = not in the image. Entities of
 * one name and label are read as one. Both files are read by the same functions. Boxes are written in
 * whole pixels, as the shared task has them. */
#include "base/json_scan.h"
#include "formats/document.h"
#include "formats/text_out.h"

#include <math.h>
#include <string.h>

enum { MAX_ENTITIES = 10000 };

static const char *const sides[] = {"xmin", "ymin", "xmax", "ymax"};

static enum gm_status copy(struct gm_arena *a, const struct gm_json *o, const char *key,
                           struct gm_str *out, struct gm_error *err)
{
    struct gm_str s = GM_STR("");
    if (!gm_json_str(gm_json_get(o, key), &s) || s.n == 0)
        return GM_FAIL(err, GM_EFORMAT, "\"%s\": expected a string that is not empty", key);
    *out = gm_arena_str(a, s);
    return out->p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status read_box(const struct gm_json *bnd, struct gm_region *r, struct gm_error *err)
{
    *r = (struct gm_region){.score = 1};
    for (size_t i = 0; i < GM_BOX_XYXY; i++) {
        double x;
        if (!gm_json_num(gm_json_get(bnd, sides[i]), &x) || !(fabs(x) <= 1e9))
            return GM_FAIL(err, GM_EFORMAT, "\"bnd\": \"%s\": expected a number of pixels",
                           sides[i]);
        r->box[i] = x;
    }
    return GM_OK;
}

/* One more box of an entity of `v`, whose arrays of boxes have room for caps; with `apart` of a new
 * one. */
static enum gm_status read_entity(struct gm_post *p, const struct gm_json *o,
                                  struct gm_named_entity *v, size_t *caps, size_t *n, bool apart,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_named_entity entity = {.visible = 0};
    const struct gm_json *bnd = gm_json_get(o, "bnd");
    size_t k = apart ? *n : 0;
    GM_TRY(copy(&p->arena, o, "name", &entity.name, err));
    GM_TRY(copy(&p->arena, o, "label", &entity.type, err));
    if (memchr(entity.type.p, 0, entity.type.n))
        return GM_FAIL(err, GM_EFORMAT, "\"label\": a NUL character");
    while (k < *n && !(gm_str_eq(v[k].name, entity.name) && gm_str_eq(v[k].type, entity.type)))
        k++;
    if (k == *n)
        v[(*n)++] = entity;
    if (gm_json_kind(bnd) == GM_JSON_NONE || gm_json_kind(bnd) == GM_JSON_NULL)
        return GM_OK;
    GM_TRY(GM_ARENA_GROW(&p->arena, v[k].regions, v[k].n_regions, caps[k], err));
    GM_TRY(read_box(bnd, &v[k].regions[v[k].n_regions], err));
    v[k].n_regions++;
    v[k].visible = 1;
done:
    return st;
}

static enum gm_status read_entities(const struct gm_document_source *c, struct gm_post *p,
                                    const struct gm_json *array, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_max = gm_json_count(array), n = 0;
    if (n_max > MAX_ENTITIES)
        return GM_FAIL(err, GM_EFORMAT, "over %d entities in one post", MAX_ENTITIES);
    struct gm_named_entity *v = gm_arena_alloc(&p->arena, n_max, sizeof *v);
    size_t *caps = gm_arena_alloc(&p->arena, n_max, sizeof *caps);
    if (!v || !caps)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n_max; i++) {
        st = read_entity(p, gm_json_at(array, i), v, caps, &n, c->from.entries_apart, err);
        if (st != GM_OK) {
            gm_error_prefix(err, "entity %zu", i + 1);
            return st;
        }
    }
    GM_TRY(gm_post_set_named(p, v, n, c->from.texts, c->from.lost, err));
done:
    return st;
}

/* The key as it stands in the file, with its escapes. */
static enum gm_status set_id(struct gm_post *p, struct gm_str key, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    struct gm_str plain = key;
    if (key.n && memchr(key.p, '\\', key.n)) {
        struct gm_str quoted = {key.p - 1, key.n + 2};
        GM_TRY(gm_json_parse(&j, quoted, err));
        (void)gm_json_str(j, &plain);
    }
    p->id = gm_arena_str(&p->arena, plain);
    if (!p->id.p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_json_free(j);
    return st;
}

static enum gm_status read_post(const struct gm_document_source *c, struct gm_post *p,
                                struct gm_str key, const struct gm_json *value,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str text;
    p->has_id = key.n > 0;
    GM_TRY(set_id(p, key, err));
    if (!p->id.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(gm_post_id_image(p, c->from.images_dir, err));
    if (gm_json_kind(value) == GM_JSON_ARRAY)
        return read_entities(c, p, value, err);
    if (!gm_json_str(gm_json_get(value, "text"), &text))
        return GM_FAIL(err, GM_EFORMAT, "expected {\"text\": …} or an array of entities");
    p->text = gm_arena_str(&p->arena, text);
    if (!p->text.p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    return st;
}

static enum gm_status ccks_next(void *state, struct gm_post *post, size_t *line, bool *has,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_document_source *c = state;
    struct gm_str key, value;
    struct gm_json *j = NULL;
    GM_TRY(gm_document_next(&c->doc, &key, &value, has, err));
    *line = c->doc.item_line;
    if (!*has)
        return GM_OK;
    if (!c->doc.is_object) {
        st = GM_FAIL(err, GM_EFORMAT, "%s:%zu: expected an object of posts by id", c->doc.path,
                     *line);
        goto done;
    }
    GM_TRY(gm_document_parse(&c->doc, value, &j, err));
    st = read_post(c, post, key, j, err);
    if (st != GM_OK)
        gm_error_prefix(err, "%s:%zu: \"%.*s\"", c->doc.path, *line, (int)(key.n < 60 ? key.n : 60),
                        key.p);
done:
    gm_json_free(j);
    return st;
}

struct ccks_out {
    struct gm_text_out base;
    bool texts; /* the text file; else the entity file */
    bool begun;
};

static enum gm_status create(void **state, const struct gm_target *to, struct gm_error *err)
{
    enum gm_status st = gm_text_out_new(state, sizeof(struct ccks_out), to, err);
    struct ccks_out *o = *state;
    if (st == GM_OK)
        o->texts = to->opts.format == GM_FORMAT_CCKS_TEXT;
    return st;
}

/* One axis of a box in whole pixels: each side to the nearest, but for one so thin that nothing would be
 * left of it. */
static void whole_pixels(const double box[GM_BOX_XYXY], size_t axis, double out[GM_BOX_XYXY])
{
    double low = box[axis], high = box[axis + 2];
    out[axis] = rint(low);
    out[axis + 2] = rint(high);
    if (high > low && out[axis + 2] <= out[axis]) {
        out[axis] = floor(low);
        out[axis + 2] = ceil(high);
    }
}

static bool is_between_pixels(const double box[GM_BOX_XYXY])
{
    for (size_t i = 0; i < GM_BOX_XYXY; i++)
        if (box[i] != rint(box[i]))
            return true;
    return false;
}

static enum gm_status put_entity(struct gm_buf *b, const struct gm_entity *e,
                                 const struct gm_region *r, bool first, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double box[GM_BOX_XYXY];
    GM_TRY(gm_buf_add_c(b, first ? "{\"name\": " : ", {\"name\": ", err));
    GM_TRY(gm_json_write_str(e->text, b, err));
    GM_TRY(gm_buf_add_c(b, ", \"label\": ", err));
    GM_TRY(gm_json_write_str(e->type, b, err));
    GM_TRY(gm_buf_add_c(b, r ? ", \"bnd\": {" : ", \"bnd\": null}", err));
    for (size_t axis = 0; r && axis < 2; axis++)
        whole_pixels(r->box, axis, box);
    for (size_t i = 0; r && i < GM_BOX_XYXY; i++)
        GM_TRY(gm_buf_printf(b, err, "%s\"%s\": %.0f", i ? ", " : "", sides[i], box[i]));
    GM_TRY(gm_buf_add_c(b, r ? "}}" : "", err));
done:
    return st;
}

static enum gm_status put_entities(struct gm_buf *b, const struct gm_post *p,
                                   struct gm_losses *lost, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = 0;
    GM_TRY(gm_buf_add_c(b, "[", err));
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *e = &p->entities[i];
        gm_losses_unboxed(lost, e, p->id);
        for (size_t k = 0; k < e->n_regions; k++)
            if (is_between_pixels(e->regions[k].box))
                gm_losses_add(lost, "boxes between whole pixels (now to the nearest)", p->id);
        for (size_t k = 0; k < e->n_regions || k == 0; k++)
            GM_TRY(put_entity(b, e, e->n_regions ? &e->regions[k] : NULL, n++ == 0, err));
    }
    GM_TRY(gm_buf_add_c(b, "]", err));
done:
    return st;
}

static enum gm_status add(void *state, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct ccks_out *o = state;
    gm_buf_reset(&o->base.text);
    GM_TRY(gm_buf_add_c(&o->base.text, o->begun ? ",\n" : "{\n", err));
    GM_TRY(gm_json_write_str(p->id, &o->base.text, err));
    GM_TRY(gm_buf_add_c(&o->base.text, o->texts ? ": {\"text\": " : ": ", err));
    GM_TRY(o->texts ? gm_json_write_str(p->text, &o->base.text, err)
                    : put_entities(&o->base.text, p, o->base.to.lost, err));
    GM_TRY(gm_buf_add_c(&o->base.text, o->texts ? "}" : "", err));
    for (size_t i = 0; i < p->n_entities && o->texts; i++)
        gm_losses_add(o->base.to.lost, "entities", p->id);
    o->begun = true;
    GM_TRY(gm_out_write(o->base.out, gm_buf_str(&o->base.text), err));
done:
    return st;
}

static enum gm_status commit(void *state, struct gm_error *err)
{
    struct ccks_out *o = state;
    enum gm_status st = gm_out_write(o->base.out, o->begun ? GM_STR("\n}\n") : GM_STR("{}\n"), err);
    if (st == GM_OK)
        return gm_text_out_commit(o, err);
    gm_text_out_abort(o);
    return st;
}

/* An object whose first value is the object of a text, or an array of named entities. */
static enum gm_fit fit(const struct gm_head *h)
{
    static const char *const text[] = {"text", NULL}, *const entity[] = {"name", "label", "bnd",
                                                                         NULL};
    const struct gm_str s = h->text;
    struct gm_str key;
    size_t i = 0;
    if (h->is_array || !gm_head_key(h, &i, &key) || i >= s.n || (s.p[i] != '[' && s.p[i] != '{'))
        return GM_FIT_NOT;
    bool is_list = s.p[i] == '[';
    i = gm_scan_space(s, i + 1);
    if (is_list && i < s.n && s.p[i] == ']')
        return GM_FIT_VALUE;
    if (is_list)
        i = i < s.n && s.p[i] == '{' ? gm_scan_space(s, i + 1) : s.n;
    bool fits = gm_scan_key(s, &i, &key) && gm_str_is_one_of(key, is_list ? entity : text);
    return fits ? GM_FIT_VALUE : GM_FIT_NOT;
}

#define FUNCTIONS                                                                      \
    .ending = ".json", .open = gm_document_source_open, .next = ccks_next,             \
    .close = gm_document_source_close, .create = create, .add = add, .commit = commit, \
    .abort = gm_text_out_abort

const struct gm_format_row gm_format_ccks_row = {.title = "CCKS-2025 entities",
                                                 .is_sparse = true,
                                                 .fit = fit,
                                                 .holds = GM_HOLDS_TYPE | GM_HOLDS_BOX |
                                                          GM_HOLDS_UNGROUNDED | GM_HOLDS_IMAGE,
                                                 .is_by_id = true,
                                                 FUNCTIONS};
const struct gm_format_row gm_format_ccks_text_row = {.title = "CCKS-2025 texts",
                                                      .holds = GM_HOLDS_TEXT | GM_HOLDS_IMAGE |
                                                               GM_HOLDS_POSITION |
                                                               GM_HOLDS_UNGROUNDED | GM_HOLDS_TYPE,
                                                      .is_by_id = true,
                                                      FUNCTIONS};
