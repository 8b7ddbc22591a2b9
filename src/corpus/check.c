#include "corpus/check.h"

#include "base/alloc.h"
#include "base/file.h"
#include "corpus/entity_faults.h"
#include "corpus/near_duplicates.h"
#include "formats/voc_xml.h"
#include "image/data_uri.h"
#include "image/image.h"
#include "image/mask.h"
#include "record/image_path.h"
#include "record/labels.h"
#include "record/record_mask.h"

#include <stdio.h>
#include <string.h>

enum { MAX_POSTS = 100000000, MAX_TYPES = 65535, MESSAGE_MAX = 400 };

/* Boxes of annotation tools may end on the picture's edge plus one. */
static const double outside_px = 1;

/* Where a post is. */
struct where {
    uint32_t file; /* number */
    uint32_t id;   /* label */
    size_t line;
};

/* A type in a file: how often, and where first. */
struct typed {
    uint32_t file, type; /* numbers */
    size_t n, line;
    struct gm_str id; /* of the first post, in the arena of the types */
};

struct gm_check {
    struct gm_check_opts o;
    struct gm_near_duplicates *near_duplicates;
    struct gm_labels ids, files;
    struct gm_buf first; /* struct where [ids.n]: where an id was last seen */
    struct gm_buf posts; /* struct where: every post with an id or a text */
    struct gm_labels types;
    struct gm_buf typed; /* struct typed: every type of every file */
    size_t first_typed;  /* of the file in hand, in typed */
    uint32_t n_known;    /* types of the list given: the first numbers */
    size_t n_posts, counts[GM_CHECK_KINDS];
    const char *path; /* of the file in hand */
    size_t line;
    uint32_t file;
    struct gm_losses *lost; /* of the file in hand */
};

const char *gm_check_name(enum gm_check_kind kind)
{
    static const char *const names[GM_CHECK_KINDS] = {
        "unreadable",       "left-out",         "tags",
        "entity-empty",     "entity-space",     "entity-mid-word",
        "entity-duplicate", "entity-overlap",   "type-unknown",
        "box-name",         "box-empty",        "box-outside",
        "mask-unreadable",  "mask-size",        "mask-empty",
        "image-missing",    "image-unreadable", "image-size",
        "duplicate-id",     "leak-id",          "leak-exact",
        "leak-near"};
    return names[kind];
}

/* The types of the list "PER,LOC". */
static enum gm_status add_known(struct gm_check *c, const char *list, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str rest = gm_str(list), name;
    uint32_t id;
    for (bool more = rest.n > 0; more;) {
        more = gm_str_cut(rest, ',', &name, &rest);
        name = gm_str_trim(name);
        if (name.n)
            GM_TRY(gm_labels_add(&c->types, name, &id, err));
    }
    c->n_known = (uint32_t)c->types.n;
done:
    return st;
}

enum gm_status gm_check_new(struct gm_check **out, const struct gm_check_opts *opts,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_check *c = gm_alloc(1, sizeof *c);
    *out = NULL;
    if (!c)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    c->o = *opts;
    gm_labels_init(&c->ids, MAX_POSTS);
    gm_labels_init(&c->files, MAX_POSTS);
    gm_buf_init(&c->first, MAX_POSTS * sizeof(struct where));
    gm_buf_init(&c->posts, MAX_POSTS * sizeof(struct where));
    gm_labels_init(&c->types, MAX_TYPES);
    gm_buf_init(&c->typed, (size_t)1 << 30);
    GM_TRY(add_known(c, opts->types, err));
    GM_TRY(gm_near_duplicates_new(&c->near_duplicates, opts->similarity, err));
    *out = c;
    c = NULL;
done:
    gm_check_free(c);
    return st;
}

void gm_check_free(struct gm_check *c)
{
    if (!c)
        return;
    gm_near_duplicates_free(c->near_duplicates);
    gm_labels_clear(&c->ids);
    gm_labels_clear(&c->files);
    gm_buf_clear(&c->first);
    gm_buf_clear(&c->posts);
    gm_labels_clear(&c->types);
    gm_buf_clear(&c->typed);
    gm_free(c);
}

static void found(struct gm_check *c, enum gm_check_kind kind, size_t line, struct gm_str id,
                  const char *fmt, ...) GM_PRINTF(5, 6);

static void found(struct gm_check *c, enum gm_check_kind kind, size_t line, struct gm_str id,
                  const char *fmt, ...)
{
    struct gm_error e; /* its message is one line of valid UTF-8 */
    char text[MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)gm_error_set(&e, GM_EFORMAT, __FILE__, __LINE__, "%s", text);
    c->counts[kind]++;
    c->o.found(c->o.user, kind, c->path, line, id, e.msg);
}

static void check_tags(struct gm_check *c, const struct gm_reader *r, const struct gm_post *p)
{
    size_t line, n = gm_reader_tag_faults(r, &line);
    if (n)
        found(c, GM_CHECK_TAGS, line, p->id, "%zu tag%s break%s the scheme, the first here", n,
              n == 1 ? "" : "s", n == 1 ? "s" : "");
}

/* Where the entities are; in names that were joined there is nothing to see. */
static enum gm_status check_entities(struct gm_check *c, struct gm_post *p, struct gm_error *err)
{
    static const char *const whats[GM_ENTITY_FAULTS] = {
        "is empty", "begins or ends with white space", "begins or ends inside a word",
        "is there twice", "overlaps"};
    enum gm_status st = GM_OK;
    struct gm_entity_finding *v;
    size_t n;
    if (p->names_only)
        return GM_OK;
    GM_TRY(gm_entity_faults(p, &v, &n, err));
    for (size_t i = 0; i < n; i++) {
        const struct gm_entity *e = v[i].entity, *other = v[i].other;
        enum gm_check_kind kind = GM_CHECK_ENTITY_EMPTY + (enum gm_check_kind)v[i].fault;
        if (v[i].fault == GM_ENTITY_OVERLAP)
            found(c, kind, c->line, p->id, "\"%.*s\" (%.*s) at %zu..%zu overlaps \"%.*s\" (%.*s)",
                  GM_STR_ARG(e->text), GM_STR_ARG(e->type), e->start, e->end,
                  GM_STR_ARG(other->text), GM_STR_ARG(other->type));
        else
            found(c, kind, c->line, p->id, "\"%.*s\" (%.*s) at %zu..%zu %s", GM_STR_ARG(e->text),
                  GM_STR_ARG(e->type), e->start, e->end, whats[v[i].fault]);
    }
done:
    return st;
}

/* Count a type of the file in hand. */
static enum gm_status count_type(struct gm_check *c, const struct gm_post *p, struct gm_str type,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct typed t = {.file = c->file, .n = 1, .line = c->line}, *v = (void *)c->typed.p;
    GM_TRY(gm_labels_add(&c->types, type, &t.type, err));
    for (size_t i = c->first_typed; i < c->typed.n / sizeof t; i++)
        if (v[i].type == t.type) {
            v[i].n++;
            return GM_OK;
        }
    t.id = gm_arena_str(&c->types.arena, p->id);
    if (!t.id.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(gm_buf_add(&c->typed, &t, sizeof t, err));
done:
    return st;
}

static bool is_known(const struct gm_check *c, const struct typed *t)
{
    const struct typed *v = (const void *)c->typed.p;
    bool known = c->o.types ? t->type < c->n_known : c->files.n < 2;
    for (size_t i = 0; i < c->typed.n / sizeof *v && !c->o.types && !known; i++)
        known = v[i].type == t->type && v[i].file != t->file;
    return known;
}

void gm_check_finish(struct gm_check *c)
{
    const struct typed *v = (const void *)c->typed.p;
    for (size_t i = 0; i < c->typed.n / sizeof *v; i++) {
        if (is_known(c, &v[i]))
            continue;
        c->path = gm_labels_at(&c->files, v[i].file).p;
        found(c, GM_CHECK_TYPE_UNKNOWN, v[i].line, v[i].id,
              "\"%.*s\" is %s; %zu entit%s of it, the first here",
              GM_STR_ARG(gm_labels_at(&c->types, v[i].type)),
              c->o.types ? "none of the types" : "a type of no other file", v[i].n,
              v[i].n == 1 ? "y" : "ies");
    }
}

/* The masks of a post whose picture's size is known as well as can be. */
static enum gm_status check_mask(struct gm_check *c, const struct gm_post *p, struct gm_str name,
                                 const struct gm_rle *m, struct gm_error *err)
{
    struct gm_error e;
    uint8_t *mask = NULL;
    if (m->counts.n == 0)
        return GM_OK;
    enum gm_status st = gm_mask_pixels(m, &mask, &e);
    if (st == GM_ENOMEM) {
        if (err)
            *err = e;
        return st;
    }
    if (st != GM_OK)
        found(c, GM_CHECK_MASK_UNREADABLE, c->line, p->id, "\"%.*s\": %s", GM_STR_ARG(name), e.msg);
    else if (p->image_w && (m->w != p->image_w || m->h != p->image_h))
        found(c, GM_CHECK_MASK_SIZE, c->line, p->id,
              "\"%.*s\": a mask of %u x %u in a picture of %u x %u", GM_STR_ARG(name), m->w, m->h,
              p->image_w, p->image_h);
    else if (gm_mask_area(mask, m->h, m->w) == 0)
        found(c, GM_CHECK_MASK_EMPTY, c->line, p->id, "\"%.*s\": a mask without a pixel inside",
              GM_STR_ARG(name));
    gm_free(mask);
    return GM_OK;
}

static void check_box(struct gm_check *c, const struct gm_post *p, struct gm_str name,
                      const double b[GM_BOX_XYXY])
{
    if (b[2] <= b[0] || b[3] <= b[1])
        found(c, GM_CHECK_BOX_EMPTY, c->line, p->id, "\"%.*s\": [%g, %g, %g, %g] is empty",
              GM_STR_ARG(name), b[0], b[1], b[2], b[3]);
    else if (b[0] < -outside_px || b[1] < -outside_px ||
             (p->image_w && (b[2] > p->image_w + outside_px || b[3] > p->image_h + outside_px)))
        found(c, GM_CHECK_BOX_OUTSIDE, c->line, p->id,
              "\"%.*s\": [%g, %g, %g, %g] leaves the picture of %u x %u", GM_STR_ARG(name), b[0],
              b[1], b[2], b[3], p->image_w, p->image_h);
}

/* Missing or broken pictures; one that is right gives the size that boxes are held against. */
static void check_image(struct gm_check *c, struct gm_post *p)
{
    struct gm_image *im = NULL;
    struct gm_error e = {0};
    bool is_held = gm_data_uri_is(p->image);
    if (p->image.n == 0 || (gm_image_is_address(p->image) && !is_held))
        return;
    struct gm_str path = gm_arena_str(&p->arena, p->image);
    if (!path.p || (!is_held && !gm_is_file(path.p))) {
        if (path.p && gm_path_reach(path.p, &e) != GM_OK)
            found(c, GM_CHECK_IMAGE_UNREADABLE, c->line, p->id, "%s", e.msg);
        else
            found(c, GM_CHECK_IMAGE_MISSING, c->line, p->id, "no file %.*s", GM_STR_ARG(p->image));
    } else if (gm_image_load(&im, path.p, &e) != GM_OK) {
        found(c, GM_CHECK_IMAGE_UNREADABLE, c->line, p->id, "%s", e.msg);
    } else {
        if (p->image_w && (im->w != p->image_w || im->h != p->image_h))
            found(c, GM_CHECK_IMAGE_SIZE, c->line, p->id,
                  "the picture has %u x %u pixels, its annotation says %u x %u", im->w, im->h,
                  p->image_w, p->image_h);
        p->image_w = im->w;
        p->image_h = im->h;
    }
    gm_image_free(im);
}

/* Which objects of the file an entity of the post claims; in its arena, NULL when memory is out. */
static const bool *claims(const struct gm_voc *voc, struct gm_post *p)
{
    const struct gm_voc_object **found = gm_arena_alloc(&p->arena, voc->n_objects, sizeof *found);
    bool *is_claimed = gm_arena_alloc(&p->arena, voc->n_objects, sizeof *is_claimed);
    for (size_t k = 0; k < p->n_entities && found && is_claimed; k++) {
        size_t n = gm_voc_find(voc, p->entities[k].text, found);
        for (size_t i = 0; i < n; i++)
            is_claimed[found[i] - voc->objects] = true;
    }
    return found ? is_claimed : NULL;
}

static void check_xml(struct gm_check *c, struct gm_post *p)
{
    struct gm_voc voc;
    struct gm_error e = {0};
    const bool *is_claimed;
    if (gm_voc_read(&voc, &p->arena, c->o.xml_dir, p->id, c->lost, &e) != GM_OK) {
        found(c, GM_CHECK_UNREADABLE, c->line, p->id, "%s", e.msg);
        return;
    }
    p->image_w = voc.w ? voc.w : p->image_w;
    p->image_h = voc.w ? voc.h : p->image_h;
    check_image(c, p);
    is_claimed = claims(&voc, p);
    if (!is_claimed) {
        found(c, GM_CHECK_UNREADABLE, c->line, p->id, "out of memory for its boxes");
        return;
    }
    for (size_t i = 0; i < voc.n_objects; i++) {
        if (!is_claimed[i])
            found(c, GM_CHECK_BOX_NAME, c->line, p->id, "the box of \"%.*s\" is of no entity here",
                  GM_STR_ARG(voc.objects[i].name));
        check_box(c, p, voc.objects[i].name, voc.objects[i].box);
    }
}

/* The id against this file's and the earlier ones'. */
static enum gm_status check_id(struct gm_check *c, const struct gm_post *p, struct where *here,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_labels_add(&c->ids, p->id, &here->id, err));
    if (here->id * sizeof *here == c->first.n)
        return gm_buf_add(&c->first, here, sizeof *here, err);
    struct where *before = (struct where *)(void *)c->first.p + here->id;
    bool same = before->file == c->file;
    found(c, same ? GM_CHECK_ID_TWICE : GM_CHECK_LEAK_ID, c->line, p->id, "id %.*s is %s%s:%zu",
          GM_STR_ARG(p->id), same ? "also in " : "in ", gm_labels_at(&c->files, before->file).p,
          before->line);
    *before = *here;
done:
    return st;
}

static enum gm_status check_text(struct gm_check *c, const struct gm_post *p,
                                 const struct where *here, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_near_duplicates_match m;
    size_t n = c->posts.n / sizeof *here;
    GM_TRY(gm_near_duplicates_add(c->near_duplicates, p->text, n, &m, err));
    GM_TRY(gm_buf_add(&c->posts, here, sizeof *here, err));
    if (m.post == SIZE_MAX)
        return GM_OK;
    const struct where *other = (const struct where *)(const void *)c->posts.p + m.post;
    if (m.is_exact)
        found(c, GM_CHECK_LEAK_EXACT, c->line, p->id, "its text is in %s:%zu (post %s)",
              gm_labels_at(&c->files, other->file).p, other->line,
              other->id == GM_LABEL_NONE ? "without id" : gm_labels_at(&c->ids, other->id).p);
    else
        found(c, GM_CHECK_LEAK_NEAR, c->line, p->id,
              "its text is nearly (%.2f) in %s:%zu (post %s)", m.similarity,
              gm_labels_at(&c->files, other->file).p, other->line,
              other->id == GM_LABEL_NONE ? "without id" : gm_labels_at(&c->ids, other->id).p);
done:
    return st;
}

/* What the reader has left out since `before`. */
static void check_left_out(struct gm_check *c, const struct gm_losses *before, struct gm_str id)
{
    for (size_t i = 0; i < c->lost->n; i++) {
        const struct gm_loss *k = &c->lost->kinds[i];
        size_t n = k->n - (i < before->n ? before->kinds[i].n : 0);
        if (k->is_fault && n)
            found(c, GM_CHECK_LEFT_OUT, c->line, id, "%s: %zu", k->what, n);
    }
}

static enum gm_status check_post(struct gm_check *c, const struct gm_reader *r, struct gm_post *p,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct where here = {c->file, GM_LABEL_NONE, c->line};
    c->n_posts++;
    check_tags(c, r, p);
    if (c->o.xml_dir)
        check_xml(c, p);
    else
        check_image(c, p);
    GM_TRY(check_entities(c, p, err));
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *e = &p->entities[i];
        for (size_t k = 0; k < e->n_regions; k++) {
            check_box(c, p, e->text, e->regions[k].box);
            GM_TRY(check_mask(c, p, e->text, &e->regions[k].mask, err));
        }
        if (gm_reader_format(r) != GM_FORMAT_VOC) /* whose entities are of no type */
            GM_TRY(count_type(c, p, e->type, err));
    }
    if (p->has_id)
        GM_TRY(check_id(c, p, &here, err));
    if (!p->names_only)
        GM_TRY(check_text(c, p, &here, err));
done:
    return st;
}

/* A finding's place is told before its message; the reader's errors begin with the same. */
static const char *without_place(const struct gm_check *c, const char *message)
{
    char place[GM_ERROR_MAX];
    int n = snprintf(place, sizeof place, "%s:%zu: ", c->path, c->line);
    return n > 0 && strncmp(message, place, (size_t)n) == 0 ? message + n : message;
}

enum gm_status gm_check_file(struct gm_check *c, struct gm_reader *r, struct gm_losses *lost,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_error e;
    c->path = gm_reader_path(r);
    c->lost = lost;
    GM_TRY(gm_labels_add(&c->files, gm_str(c->path), &c->file, err));
    c->first_typed = c->typed.n / sizeof(struct typed);
    for (;;) {
        struct gm_post post;
        bool has;
        const struct gm_losses before = *lost;
        st = gm_reader_next(r, &post, &has, &e);
        c->line = gm_reader_line(r);
        if (st != GM_OK && e.code != GM_EFORMAT) {
            if (err)
                *err = e;
            return st;
        }
        if (st != GM_OK)
            found(c, GM_CHECK_UNREADABLE, c->line, GM_STR(""), "%s", without_place(c, e.msg));
        if (!has) {
            check_left_out(c, &before, GM_STR(""));
            break;
        }
        if (st != GM_OK)
            continue;
        st = check_post(c, r, &post, err);
        check_left_out(c, &before, post.id);
        gm_post_clear(&post);
        if (st != GM_OK)
            return st;
    }
    GM_TRY(gm_near_duplicates_next_file(c->near_duplicates, err));
done:
    return st;
}

size_t gm_check_posts(const struct gm_check *c) { return c->n_posts; }

size_t gm_check_count(const struct gm_check *c, enum gm_check_kind kind) { return c->counts[kind]; }
