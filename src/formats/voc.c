/* voc.c - a folder of Pascal VOC XML as posts, and posts as such a folder: ID.xml for each picture
 * with boxes; objects of one name are the boxes of one entity. The files have no types and no texts:
 * without another file's texts (reader.h), names alone are read, of the type UNKNOWN. */
#include "formats/format.h"
#include "formats/voc_xml.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The name of a file may have 255 bytes, of which the ending and what a temporary one has behind it are some. */
enum { MAX_FILES = 100000000, ID_MAX_BYTES = 220 };

struct voc_in {
    struct gm_source from;
    struct gm_arena arena;
    const char **ids; /* in the arena, sorted */
    size_t n, next;
};

static void voc_close(void *state)
{
    struct voc_in *v = state;
    if (!v)
        return;
    gm_arena_clear(&v->arena);
    gm_free(v);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of the .xml and .json files become ids. */
static enum gm_status list(struct voc_in *v, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n;
    GM_TRY(gm_dir_list(&v->arena, v->from.path, MAX_FILES, &v->ids, &n, err));
    for (size_t i = 0; i < n; i++) {
        struct gm_str name = gm_str(v->ids[i]);
        size_t ending = gm_str_ends(name, GM_STR(".xml"))    ? 4
                        : gm_str_ends(name, GM_STR(".json")) ? 5
                                                             : 0;
        if (!ending)
            continue;
        v->ids[v->n] = gm_arena_str(&v->arena, gm_str_sub(name, 0, name.n - ending)).p;
        if (!v->ids[v->n++])
            return GM_FAIL(err, GM_ENOMEM, "out of memory for file names");
    }
    if (v->n == 0)
        return GM_FAIL(err, GM_EIO,
                       "%s: is a directory without .xml files (or .json); expected a file, or a "
                       "folder of Pascal VOC annotations",
                       v->from.path);
    if (v->n > 1)
        qsort(v->ids, v->n, sizeof *v->ids, by_name);
    n = v->n;
    v->n = 0;
    for (size_t i = 0; i < n; i++) /* of one id both: the .xml is read */
        if (i == 0 || strcmp(v->ids[i], v->ids[v->n - 1]) != 0)
            v->ids[v->n++] = v->ids[i];
done:
    return st;
}

static enum gm_status voc_open(void **state, const struct gm_source *from, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct voc_in *v = gm_alloc(1, sizeof *v);
    *state = NULL;
    if (!v)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    v->from = *from;
    gm_arena_init(&v->arena, 0);
    GM_TRY(list(v, err));
    *state = v;
    v = NULL;
done:
    voc_close(v);
    return st;
}

/* Objects grouped by name, in order of each name's first object. */
static enum gm_status group(struct gm_post *p, const struct gm_voc *voc, struct gm_named_entity *v,
                            size_t *n, struct gm_error *err)
{
    *n = 0;
    for (size_t i = 0; i < voc->n_objects; i++) {
        size_t k = 0;
        while (k < *n && !gm_str_eq(v[k].name, voc->objects[i].name))
            k++;
        if (k == *n) {
            v[(*n)++] = (struct gm_named_entity){
                .name = voc->objects[i].name, .type = GM_STR("UNKNOWN"), .visible = 1};
            size_t same = 0;
            for (size_t m = i; m < voc->n_objects; m++)
                same += gm_str_eq(voc->objects[m].name, voc->objects[i].name);
            v[k].regions = gm_arena_alloc(&p->arena, same, sizeof *v[k].regions);
            if (!v[k].regions)
                return GM_FAIL(err, GM_ENOMEM, "out of memory");
        }
        struct gm_region *r = &v[k].regions[v[k].n_regions++];
        *r = (struct gm_region){.score = 1};
        memcpy(r->box, voc->objects[i].box, sizeof r->box);
        r->mask = voc->objects[i].mask;
    }
    return GM_OK;
}

static enum gm_status voc_next(void *state, struct gm_post *p, size_t *line, bool *has,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct voc_in *v = state;
    struct gm_voc voc;
    size_t n;
    *line = 1;
    *has = v->next < v->n;
    if (!*has)
        return GM_OK;
    p->id = gm_arena_str(&p->arena, gm_str(v->ids[v->next++]));
    p->has_id = true;
    if (!p->id.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(gm_post_id_image(p, v->from.images_dir, err));
    GM_TRY(gm_voc_read(&voc, &p->arena, v->from.path, p->id, v->from.lost, err));
    p->image_w = voc.w;
    p->image_h = voc.h;
    struct gm_named_entity *found = gm_arena_alloc(&p->arena, voc.n_objects, sizeof *found);
    if (!found)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(group(p, &voc, found, &n, err));
    GM_TRY(gm_post_set_named(p, found, n, v->from.texts, v->from.lost, err));
done:
    return st;
}

struct voc_out {
    struct gm_losses *lost;
    struct gm_arena arena;
    const char *dir;
    struct gm_buf xml;
    size_t n_removed;
};

static void out_abort(void *state)
{
    struct voc_out *o = state;
    if (!o)
        return;
    gm_arena_clear(&o->arena);
    gm_buf_clear(&o->xml);
    gm_free(o);
}

static enum gm_status create(void **state, const struct gm_target *to, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *state = NULL;
    if (strcmp(to->path, "-") == 0)
        return GM_FAIL(err, GM_EARG, "Pascal VOC is a folder of files: name one in place of \"-\"");
    struct voc_out *o = gm_alloc(1, sizeof *o);
    if (!o)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    o->lost = to->lost;
    gm_arena_init(&o->arena, 0);
    gm_buf_init(&o->xml, (size_t)16 << 20);
    o->dir = gm_arena_str(&o->arena, gm_str(to->path)).p;
    if (!o->dir) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(gm_mkdirs(o->dir, err));
    *state = o;
    o = NULL;
done:
    out_abort(o);
    return st;
}

/* Bytes of a character at byte i that XML 1.0 can't hold, a control or U+FFFE, U+FFFF; 0: it can. */
static size_t unfit(struct gm_str s, size_t i)
{
    struct gm_str rest = gm_str_sub(s, i, s.n);
    if ((unsigned char)s.p[i] < 0x20)
        return 1;
    return gm_str_starts(rest, GM_STR("\xEF\xBF\xBE")) ||
                   gm_str_starts(rest, GM_STR("\xEF\xBF\xBF"))
               ? 3
               : 0;
}

/* Whether a name has more than white space when it is written. */
static bool is_name(struct gm_str s)
{
    for (size_t i = 0, n; i < s.n; i += n ? n : 1) {
        n = unfit(s, i);
        if (!n && s.p[i] != ' ')
            return true;
    }
    return false;
}

/* What XML can't hold becomes a space; all of markup is escaped. */
static enum gm_status put(struct voc_out *o, struct gm_str s, struct gm_str id,
                          struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0, n; i < s.n; i += n ? n : 1) {
        char c = s.p[i];
        const char *escaped = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : NULL;
        n = unfit(s, i);
        if (n)
            gm_losses_add(o->lost, "control characters (now spaces)", id);
        if (escaped)
            GM_TRY(gm_buf_add_c(&o->xml, escaped, err));
        else
            GM_TRY(gm_buf_add(&o->xml, n ? " " : s.p + i, 1, err));
    }
done:
    return st;
}

static enum gm_status put_object(struct voc_out *o, const struct gm_post *p,
                                 const struct gm_entity *e, const struct gm_region *r,
                                 struct gm_error *err)
{
    static const char *const sides[] = {"xmin", "ymin", "xmax", "ymax"};
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(&o->xml, "\t<object>\n\t\t<name>", err));
    GM_TRY(put(o, e->text, p->id, err));
    GM_TRY(gm_buf_add_c(&o->xml,
                        "</name>\n\t\t<pose>Unspecified</pose>\n"
                        "\t\t<truncated>0</truncated>\n\t\t<difficult>0</difficult>\n"
                        "\t\t<bndbox>\n",
                        err));
    for (size_t i = 0; i < GM_BOX_XYXY; i++) {
        GM_TRY(gm_buf_printf(&o->xml, err, "\t\t\t<%s>", sides[i]));
        GM_TRY(gm_buf_add_number(&o->xml, r->box[i], GM_BOX_DECIMALS, err));
        GM_TRY(gm_buf_printf(&o->xml, err, "</%s>\n", sides[i]));
    }
    GM_TRY(gm_buf_add_c(&o->xml, "\t\t</bndbox>\n\t</object>\n", err));
done:
    return st;
}

static enum gm_status put_entity(struct voc_out *o, const struct gm_post *p,
                                 const struct gm_entity *e, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (!is_name(e->text)) {
        gm_losses_add(o->lost, "entities of nothing that XML can hold", p->id);
        return GM_OK;
    }
    for (size_t k = 0; k < e->n_regions; k++)
        GM_TRY(put_object(o, p, e, &e->regions[k], err));
done:
    return st;
}

static enum gm_status put_head(struct voc_out *o, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    gm_buf_reset(&o->xml);
    GM_TRY(gm_buf_add_c(&o->xml, "<annotation>\n\t<filename>", err));
    GM_TRY(put(o, p->id, p->id, err));
    GM_TRY(gm_buf_add_c(&o->xml, ".jpg</filename>\n", err));
    GM_TRY(gm_post_image_size(p, err));
    if (p->image_w)
        GM_TRY(gm_buf_printf(&o->xml, err,
                             "\t<size>\n\t\t<width>%u</width>\n"
                             "\t\t<height>%u</height>\n\t\t<depth>3</depth>\n\t</size>\n",
                             p->image_w, p->image_h));
    else
        gm_losses_add(o->lost, "picture sizes that nothing tells (left out)", p->id);
done:
    return st;
}

static bool is_file_name(struct gm_str id)
{
    return id.n && id.n <= ID_MAX_BYTES && !memchr(id.p, '/', id.n) && !memchr(id.p, 0, id.n) &&
           !gm_str_eq_c(id, "..") && !gm_str_eq_c(id, ".");
}

/* No file says that nothing of a post is in the image, so that one which an earlier conversion left here goes. */
static enum gm_status remove_old(struct voc_out *o, const char *path, struct gm_error *err)
{
    if (unlink(path) == 0)
        o->n_removed++;
    else if (errno != ENOENT)
        return GM_FAIL(err, GM_EIO, "%s: cannot remove it, and its post has no boxes now: %s", path,
                       strerror(errno));
    return GM_OK;
}

static enum gm_status add(void *state, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct voc_out *o = state;
    struct gm_arena a;
    size_t n = 0;
    for (size_t i = 0; i < p->n_entities; i++)
        n += p->entities[i].n_regions;
    bool is_named = is_file_name(p->id);
    if (n == 0 && !is_named)
        return GM_OK;
    if (!is_named)
        return GM_FAIL(err, GM_EFORMAT, "post \"%.*s\": its id can't be the name of a file",
                       GM_STR_ARG(p->id));
    gm_arena_init(&a, 0);
    struct gm_str path = gm_voc_path(&a, o->dir, p->id);
    if (!path.p || n == 0) {
        st = path.p ? remove_old(o, path.p, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(put_head(o, p, err));
    for (size_t i = 0; i < p->n_entities; i++)
        GM_TRY(put_entity(o, p, &p->entities[i], err));
    GM_TRY(gm_buf_add_c(&o->xml, "</annotation>\n", err));
    st = gm_file_write(path.p, gm_buf_str(&o->xml), err);
done:
    gm_arena_clear(&a);
    return st;
}

static enum gm_status commit(void *state, struct gm_error *err)
{
    const struct voc_out *o = state;
    (void)err; /* every file is complete as soon as it is there */
    if (o->n_removed)
        GM_LOG(GM_LOG_WARN, "data", "%s: %zu file%s removed, whose posts have no boxes now", o->dir,
               o->n_removed, o->n_removed == 1 ? "" : "s");
    out_abort(state);
    return GM_OK;
}

const struct gm_format_row gm_format_voc_row = {.title = "Pascal VOC XML files",
                                                .ending = "/",
                                                .told_by = {"/"},
                                                .holds = GM_HOLDS_BOX | GM_HOLDS_IMAGE,
                                                .is_by_id = true,
                                                .open = voc_open,
                                                .next = voc_next,
                                                .close = voc_close,
                                                .create = create,
                                                .add = add,
                                                .commit = commit,
                                                .abort = out_abort};
