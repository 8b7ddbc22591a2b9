#include "formats/coco_index.h"

#include "base/path.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_IMAGES = 100000000, MAX_CATEGORIES = 65535 };

void gm_coco_index_init(struct gm_coco_index *x)
{
    *x = (struct gm_coco_index){0};
    gm_labels_init(&x->keys, MAX_IMAGES);
    gm_labels_init(&x->stems, MAX_IMAGES);
    gm_labels_init(&x->category_ids, MAX_CATEGORIES);
    gm_labels_init(&x->category_names, MAX_CATEGORIES);
    gm_buf_init(&x->name_of, MAX_CATEGORIES * sizeof(uint32_t));
    gm_buf_init(&x->places, MAX_IMAGES * sizeof(struct gm_coco_place));
    gm_buf_init(&x->n_of_stems, MAX_IMAGES * sizeof(uint32_t));
}

void gm_coco_index_clear(struct gm_coco_index *x)
{
    gm_labels_clear(&x->keys);
    gm_labels_clear(&x->stems);
    gm_labels_clear(&x->category_ids);
    gm_labels_clear(&x->category_names);
    gm_buf_clear(&x->name_of);
    gm_buf_clear(&x->places);
    gm_buf_clear(&x->n_of_stems);
}

bool gm_coco_id(const struct gm_json *j, char buf[32], struct gm_str *out)
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

static enum gm_status add_category(struct gm_coco_index *x, const struct gm_json *j,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char buf[32];
    struct gm_str id, name;
    uint32_t i, n;
    if (!gm_coco_id(gm_json_get(j, "id"), buf, &id) ||
        !gm_json_str(gm_json_get(j, "name"), &name) || name.n == 0 || memchr(name.p, 0, name.n))
        return GM_FAIL(err, GM_EFORMAT, "a category needs \"id\" and \"name\"");
    GM_TRY(gm_labels_add(&x->category_ids, id, &i, err));
    GM_TRY(gm_labels_add(&x->category_names, name, &n, err));
    if (i * sizeof n == x->name_of.n)
        GM_TRY(gm_buf_add(&x->name_of, &n, sizeof n, err));
    else
        memcpy(x->name_of.p + i * sizeof n, &n, sizeof n);
done:
    return st;
}

static enum gm_status add_place(struct gm_coco_index *x, const struct gm_document *d,
                                struct gm_str value, const struct gm_json *j, size_t at,
                                struct gm_losses *lost, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char buf[32];
    struct gm_str id;
    struct gm_coco_place place = {.at = at, .n = value.n, .line = d->item_line};
    if (!gm_coco_id(gm_json_get(j, "image_id"), buf, &id)) {
        gm_losses_fault(lost, "annotations without \"image_id\"", GM_STR(""));
        return GM_OK;
    }
    GM_TRY(gm_labels_add(&x->keys, id, &place.image, err));
    GM_TRY(gm_buf_add(&x->places, &place, sizeof place, err));
done:
    return st;
}

/* A path without its ending; a name that begins with its only dot has none. */
static struct gm_str without_ending(struct gm_str file)
{
    size_t dot = file.n;
    while (dot && file.p[dot - 1] != '.' && file.p[dot - 1] != '/')
        dot--;
    bool has = dot > 1 && file.p[dot - 1] == '.' && file.p[dot - 2] != '/';
    return has ? gm_str_sub(file, 0, dot - 1) : file;
}

static struct gm_str stem_of(struct gm_str file) { return without_ending(gm_path_file(file)); }

static enum gm_status add_stem(struct gm_coco_index *x, const struct gm_json *j,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str file = GM_STR("");
    uint32_t i, one = 1;
    if (!gm_json_str(gm_json_get(j, "file_name"), &file) || !file.n)
        return GM_OK;
    GM_TRY(gm_labels_add(&x->stems, stem_of(file), &i, err));
    if (i * sizeof one == x->n_of_stems.n)
        GM_TRY(gm_buf_add(&x->n_of_stems, &one, sizeof one, err));
    else
        ((uint32_t *)(void *)x->n_of_stems.p)[i]++;
done:
    return st;
}

enum section { IMAGES, ANNOTATIONS, CATEGORIES, N_SECTIONS };

/* Go through one section. An image that can't be read is told of when its turn comes. */
static enum gm_status read_section(struct gm_coco_index *x, struct gm_document *doc,
                                   struct gm_str text, enum section section, struct gm_losses *lost,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_document d;
    struct gm_str key, value;
    struct gm_json *j = NULL;
    bool has;
    gm_document_of(&d, doc, text, doc->item_line);
    for (;;) {
        st = gm_document_next(&d, &key, &value, &has, err);
        if (st == GM_OK && has)
            st = gm_document_parse(&d, value, &j, err);
        if (st == GM_EFORMAT && section == IMAGES && has)
            continue;
        if (st != GM_OK || !has)
            return st == GM_EFORMAT && section == IMAGES ? GM_OK : st;
        st = section == IMAGES ? add_stem(x, j, err)
             : section == CATEGORIES
                 ? add_category(x, j, err)
                 : add_place(x, &d, value, j, (size_t)(value.p - doc->text.p), lost, err);
        gm_json_free(j);
        j = NULL;
        if (st != GM_OK) {
            gm_error_prefix(err, "%s:%zu", d.path, d.item_line);
            return st;
        }
    }
}

static int by_image(const void *a, const void *b)
{
    const struct gm_coco_place *x = a, *y = b;
    if (x->image != y->image)
        return x->image < y->image ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

enum gm_status gm_coco_index_read(struct gm_coco_index *x, struct gm_document *doc,
                                  struct gm_losses *lost, struct gm_error *err)
{
    static const char *const names[N_SECTIONS] = {"images", "annotations", "categories"};
    enum gm_status st = GM_OK;
    struct gm_str key, value;
    bool has, has_images = false;
    for (;;) {
        GM_TRY(gm_document_next(doc, &key, &value, &has, err));
        if (!has)
            break;
        if (gm_str_eq_c(key, names[IMAGES])) {
            gm_document_of(&x->images, doc, value, doc->item_line);
            has_images = true;
        }
        for (enum section i = 0; i < N_SECTIONS; i++)
            if (gm_str_eq_c(key, names[i]))
                GM_TRY(read_section(x, doc, value, i, lost, err));
    }
    if (!doc->is_object || !has_images)
        return GM_FAIL(err, GM_EFORMAT,
                       "%s:1: expected a COCO file: {\"images\": [], "
                       "\"annotations\": [], \"categories\": []}",
                       doc->path);
    if (x->places.n)
        qsort(x->places.p, x->places.n / sizeof(struct gm_coco_place), sizeof(struct gm_coco_place),
              by_image);
done:
    return st;
}

struct gm_str gm_coco_index_category(const struct gm_coco_index *x, const struct gm_json *id)
{
    char buf[32];
    struct gm_str s;
    uint32_t i = GM_LABEL_NONE, name;
    if (gm_coco_id(id, buf, &s))
        i = gm_labels_find(&x->category_ids, s);
    if (i == GM_LABEL_NONE)
        return GM_STR("");
    memcpy(&name, x->name_of.p + i * sizeof name, sizeof name);
    return gm_labels_at(&x->category_names, name);
}

/* A range of the sorted places. */
const struct gm_coco_place *gm_coco_index_places(const struct gm_coco_index *x, struct gm_str id,
                                                 size_t *n)
{
    const struct gm_coco_place *v = (const void *)x->places.p;
    size_t n_all = x->places.n / sizeof *v, lo = 0, hi = n_all;
    uint32_t key = gm_labels_find(&x->keys, id);
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

static bool is_of_several(const struct gm_coco_index *x, struct gm_str stem)
{
    uint32_t i = gm_labels_find(&x->stems, stem);
    return i != GM_LABEL_NONE && ((const uint32_t *)(const void *)x->n_of_stems.p)[i] > 1;
}

enum gm_status gm_coco_index_post_id(const struct gm_coco_index *x, struct gm_arena *a,
                                     struct gm_str file, struct gm_str image_id, struct gm_str *out,
                                     struct gm_error *err)
{
    struct gm_str stem = stem_of(file), path = gm_arena_str(a, without_ending(file));
    if (!path.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    while (path.n && (path.p[0] == '/' || gm_str_starts(path, GM_STR("./"))))
        path = gm_str_sub(path, 1, path.n);
    for (char *slash; (slash = memchr(path.p, '/', path.n));)
        *slash = '_'; /* the copy's; an id with one can't be the name of a file */
    if (!file.n)
        *out = gm_arena_str(a, image_id);
    else if (!is_of_several(x, stem))
        *out = gm_arena_str(a, stem);
    else if (gm_labels_find(&x->stems, path) == GM_LABEL_NONE)
        *out = path;
    else
        *out = gm_arena_printf(a, "%.*s_%.*s", GM_STR_ARG(path), GM_STR_ARG(image_id));
    return out->p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}
