#include "formats/mask_json.h"
#include "formats/voc_xml.h"

#include "base/file.h"
#include "base/path.h"
#include "record/regions.h"

#include <errno.h>
#include <expat.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

/* Larger files are refused; real ones have a few kilobytes. */
enum { MAX_FILE = 16 << 20, MAX_TEXT = 1 << 16 };

/* Elements we read. Anything else is skipped with what is in it. */
enum node {
    N_OTHER,
    N_ANNOTATION,
    N_OBJECT,
    N_BOX,
    N_SIZE,
    N_NAME,
    N_XMIN,
    N_YMIN,
    N_XMAX,
    N_YMAX,
    N_WIDTH,
    N_HEIGHT
};

enum { MAX_OBJECTS = 10000, MAX_NAMES = 1000 /* of an object */ };

struct walk {
    XML_Parser parser;
    const char *path;
    struct gm_arena *arena;
    struct gm_voc *voc;
    struct gm_str id;
    struct gm_losses *lost;
    size_t cap;           /* of voc->objects */
    size_t depth;         /* open elements */
    enum node at[4];      /* the open elements at depth 1..4 */
    struct gm_buf text;   /* of the innermost element */
    struct gm_str *names; /* of the object in hand, which shows what each of them says */
    size_t n_names, cap_names;
    double box[GM_BOX_XYXY]; /* of the object in hand */
    bool has_box;
    unsigned seen;     /* bits of N_XMIN … N_YMAX of the object in hand */
    enum gm_status st; /* first failure; the rest of the file is then ignored */
    struct gm_error *err;
};

static enum node node_of(const char *tag, enum node parent, size_t depth)
{
    static const struct {
        const char *tag;
        size_t depth;
        enum node parent, node;
    } known[] = {{"annotation", 1, N_OTHER, N_ANNOTATION},
                 {"object", 2, N_ANNOTATION, N_OBJECT},
                 {"size", 2, N_ANNOTATION, N_SIZE},
                 {"name", 3, N_OBJECT, N_NAME},
                 {"bndbox", 3, N_OBJECT, N_BOX},
                 {"width", 3, N_SIZE, N_WIDTH},
                 {"height", 3, N_SIZE, N_HEIGHT},
                 {"xmin", 4, N_BOX, N_XMIN},
                 {"ymin", 4, N_BOX, N_YMIN},
                 {"xmax", 4, N_BOX, N_XMAX},
                 {"ymax", 4, N_BOX, N_YMAX}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].depth == depth && known[i].parent == parent && strcmp(known[i].tag, tag) == 0)
            return known[i].node;
    return N_OTHER;
}

/* Keep the first fault, with its place. */
static void fail(struct walk *w, enum gm_status code, const char *what, struct gm_str value)
{
    if (w->st != GM_OK)
        return;
    w->st = GM_FAIL(w->err, code, "%s:%lu:%lu: %s%s%.*s%s", w->path,
                    (unsigned long)XML_GetCurrentLineNumber(w->parser),
                    (unsigned long)XML_GetCurrentColumnNumber(w->parser) + 1, what,
                    value.n ? " \"" : "", (int)(value.n < 60 ? value.n : 60), value.p,
                    value.n ? "\"" : "");
    XML_StopParser(w->parser, XML_FALSE);
}

static void on_start(void *user, const XML_Char *tag, const XML_Char **attributes)
{
    struct walk *w = user;
    (void)attributes;
    w->depth++;
    gm_buf_reset(&w->text);
    if (w->depth > 4)
        return;
    w->at[w->depth - 1] = node_of(tag, w->depth > 1 ? w->at[w->depth - 2] : N_OTHER, w->depth);
    enum node node = w->at[w->depth - 1];
    if (w->depth == 1 && node != N_ANNOTATION)
        fail(w, GM_EFORMAT, "not a Pascal VOC annotation: its root is not <annotation> but",
             gm_str(tag));
    if (node == N_OBJECT) {
        w->n_names = 0;
        w->has_box = false;
        w->seen = 0;
    }
    w->has_box = w->has_box || node == N_BOX;
}

static void on_text(void *user, const XML_Char *s, int n)
{
    struct walk *w = user;
    if (w->depth < 1 || w->depth > 4 || w->at[w->depth - 1] < N_NAME || w->st != GM_OK)
        return;
    if ((size_t)n > w->text.max - w->text.n)
        fail(w, GM_EFORMAT, "a text of over 65536 bytes", GM_STR(""));
    else if (gm_buf_add(&w->text, s, (size_t)n, NULL) != GM_OK)
        fail(w, GM_ENOMEM, "out of memory", GM_STR(""));
}

static void read_number(struct walk *w, enum node node, struct gm_str text)
{
    double x;
    if (!gm_str_to_double(text, &x) || fabs(x) > 1e9) {
        fail(w, GM_EFORMAT, "expected a number of pixels, found", text.n ? text : GM_STR(" "));
        return;
    }
    if (node == N_WIDTH || node == N_HEIGHT) {
        *(node == N_WIDTH ? &w->voc->w : &w->voc->h) = x > 0 ? (uint32_t)x : 0;
        return;
    }
    w->box[node - N_XMIN] = x;
    w->seen |= 1u << (node - N_XMIN);
}

static void end_object(struct walk *w)
{
    struct gm_voc *v = w->voc;
    if (w->st != GM_OK)
        return;
    if (w->n_names == 0)
        fail(w, GM_EFORMAT, "an object without a name", GM_STR(""));
    else if (!w->has_box)
        gm_losses_fault(w->lost, "objects without a box (bndbox)", w->id);
    else if (w->seen != 0xF)
        fail(w, GM_EFORMAT, "bndbox lacks one of xmin, ymin, xmax, ymax in object", w->names[0]);
    for (size_t i = 0; i < w->n_names && w->seen == 0xF && w->st == GM_OK; i++) {
        if (v->n_objects == MAX_OBJECTS) {
            fail(w, GM_EFORMAT, "over 10000 objects", GM_STR(""));
            return;
        }
        w->st = GM_ARENA_GROW(w->arena, v->objects, v->n_objects, w->cap, w->err);
        if (w->st != GM_OK)
            return;
        struct gm_voc_object *o = &v->objects[v->n_objects++];
        o->name = w->names[i];
        memcpy(o->box, w->box, sizeof o->box);
    }
}

/* One more name of the object in hand; an empty one, or one that it has, adds nothing. */
static void add_name(struct walk *w, struct gm_str text)
{
    for (size_t i = 0; i < w->n_names; i++)
        if (gm_str_eq(w->names[i], text))
            return;
    if (text.n == 0 || w->st != GM_OK)
        return;
    if (w->n_names == MAX_NAMES) {
        fail(w, GM_EFORMAT, "an object of over 1000 names", GM_STR(""));
        return;
    }
    w->st = GM_ARENA_GROW(w->arena, w->names, w->n_names, w->cap_names, w->err);
    if (w->st != GM_OK)
        return;
    struct gm_str *name = &w->names[w->n_names];
    *name = gm_arena_str(w->arena, text);
    if (!name->p)
        fail(w, GM_ENOMEM, "out of memory", GM_STR(""));
    else
        w->n_names++;
}

static void on_end(void *user, const XML_Char *tag)
{
    struct walk *w = user;
    struct gm_str text = gm_str_trim(gm_buf_str(&w->text));
    enum node node = w->depth <= 4 ? w->at[w->depth - 1] : N_OTHER;
    (void)tag;
    w->depth--;
    if (node == N_NAME) {
        add_name(w, text);
    } else if (node >= N_XMIN) {
        read_number(w, node, text);
    } else if (node == N_OBJECT) {
        end_object(w);
    }
    gm_buf_reset(&w->text);
}

static enum gm_status parse(struct walk *w, struct gm_str xml)
{
    XML_SetUserData(w->parser, w);
    XML_SetElementHandler(w->parser, on_start, on_end);
    XML_SetCharacterDataHandler(w->parser, on_text);
    enum XML_Status done = XML_Parse(w->parser, xml.p, (int)xml.n, 1);
    if (done != XML_STATUS_OK && w->st == GM_OK) {
        enum XML_Error why = XML_GetErrorCode(w->parser);
        fail(w, why == XML_ERROR_NO_MEMORY ? GM_ENOMEM : GM_EFORMAT, XML_ErrorString(why),
             GM_STR(""));
    }
    return w->st;
}

static struct gm_str path_of(struct gm_arena *a, const char *dir, struct gm_str id,
                             const char *ending)
{
    struct gm_str file = gm_arena_printf(a, "%.*s.%s", GM_STR_ARG(id), ending);
    return file.p ? gm_path_below(a, dir, file) : file;
}

struct gm_str gm_voc_path(struct gm_arena *a, const char *dir, struct gm_str id)
{
    return path_of(a, dir, id, "xml");
}

enum gm_status gm_voc_read(struct gm_voc *out, struct gm_arena *a, const char *dir,
                           struct gm_str id, struct gm_losses *lost, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct stat sb;
    struct gm_buf xml;
    struct walk w = {.arena = a, .voc = out, .id = id, .lost = lost, .err = err};
    *out = (struct gm_voc){0};
    gm_buf_init(&xml, MAX_FILE);
    gm_buf_init(&w.text, MAX_TEXT);
    w.path = gm_voc_path(a, dir, id).p;
    if (!w.path)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (stat(w.path, &sb) != 0 && errno == ENOENT) {
        const char *json = path_of(a, dir, id, "json").p;
        if (!json)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        if (gm_is_file(json))
            return gm_masks_read(out, a, json, id, lost, err);
        if (gm_is_dir(dir))
            return GM_OK;
        return GM_FAIL(err, GM_EIO, "%s: no such folder of annotations", dir);
    }
    GM_TRY(gm_file_read(w.path, &xml, err));
    w.parser = XML_ParserCreate(NULL);
    if (!w.parser) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(parse(&w, gm_buf_str(&xml)));
done:
    if (w.parser)
        XML_ParserFree(w.parser);
    gm_buf_clear(&w.text);
    gm_buf_clear(&xml);
    return st;
}

static bool is_ignored(char c)
{
    return (c > 0 && c <= ' ') || (c && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c));
}

/* Equal when ASCII white space and punctuation are left out; names of nothing else never are. */
static bool loosely_equal(struct gm_str a, struct gm_str b)
{
    size_t i = 0, k = 0, same = 0;
    for (;;) {
        while (i < a.n && is_ignored(a.p[i]))
            i++;
        while (k < b.n && is_ignored(b.p[k]))
            k++;
        if (i == a.n || k == b.n)
            return i == a.n && k == b.n && same > 0;
        if (a.p[i++] != b.p[k++])
            return false;
        same++;
    }
}

size_t gm_voc_find(const struct gm_voc *v, struct gm_str text, const struct gm_voc_object **found)
{
    size_t n = 0;
    for (size_t k = 0; k < v->n_objects; k++)
        if (gm_str_eq(v->objects[k].name, text))
            found[n++] = &v->objects[k];
    for (size_t k = 0, n_exact = n; k < v->n_objects && n_exact == 0; k++)
        if (loosely_equal(v->objects[k].name, text))
            found[n++] = &v->objects[k];
    return n;
}

static enum gm_status set_boxes(struct gm_post *p, struct gm_entity *e,
                                const struct gm_voc_object *const *found, size_t n,
                                struct gm_error *err)
{
    e->visible = n > 0;
    e->n_regions = n;
    e->regions = gm_arena_alloc(&p->arena, n, sizeof *e->regions);
    if (!e->regions)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu boxes", n);
    for (size_t i = 0; i < n; i++) {
        struct gm_region *r = &e->regions[i];
        *r = (struct gm_region){.score = 1, .mask = found[i]->mask};
        memcpy(r->box, found[i]->box, sizeof r->box);
    }
    return GM_OK;
}

enum gm_status gm_post_add_boxes(struct gm_post *p, const char *dir, struct gm_losses *lost,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_voc voc;
    GM_TRY(gm_voc_read(&voc, &p->arena, dir, p->id, lost, err));
    const struct gm_voc_object **found = gm_arena_alloc(&p->arena, voc.n_objects, sizeof *found);
    if (!found)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu boxes", voc.n_objects);
    if (!p->image_w && voc.w) {
        p->image_w = voc.w;
        p->image_h = voc.h;
    }
    for (size_t k = 0; k < p->n_entities; k++) {
        size_t n = gm_voc_find(&voc, p->entities[k].text, found);
        GM_TRY(set_boxes(p, &p->entities[k], found, n, err));
    }
    gm_post_settle_boxes(p, lost);
done:
    return st;
}
