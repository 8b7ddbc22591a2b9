/* labelstudio.c - tasks exported from Label Studio: labels on the text become entities, rectangles and
 * brushes on the image their regions. The first annotation that was not cancelled counts, else the
 * first prediction. */
#include "formats/labelstudio.h"
#include "formats/document.h"
#include "formats/format.h"
#include "formats/labelstudio_task.h"
#include "base/utf8.h"
#include "record/image_path.h"

#include <string.h>

enum { MAX_RESULTS = 10000 };

static int hex_of(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

/* An address's %20 as a blank; as it is where that gives no text. .p is NULL when memory is out. */
static struct gm_str decoded(struct gm_arena *a, struct gm_str s)
{
    char *p = s.n && memchr(s.p, '%', s.n) ? gm_arena_alloc(a, s.n + 1, 1) : NULL;
    size_t n = 0;
    if (!s.n || !memchr(s.p, '%', s.n))
        return s;
    for (size_t i = 0; p && i < s.n; i++) {
        int high = s.p[i] == '%' && i + 2 < s.n ? hex_of(s.p[i + 1]) : -1;
        int low = high >= 0 ? hex_of(s.p[i + 2]) : -1;
        p[n++] = low >= 0 ? (char)(high * 16 + low) : s.p[i];
        i += low >= 0 ? 2 : 0;
    }
    struct gm_str out = {p, n};
    return !p || (gm_utf8_is_valid(out) && !memchr(p, 0, n)) ? out : s;
}

/* "/data/local-files/?d=x/1.jpg" is x/1.jpg below the folder that Label Studio serves. */
static enum gm_status set_image(struct gm_post *p, const struct gm_source *from, struct gm_str s,
                                struct gm_error *err)
{
    static const char local[] = "/data/local-files/?d=";
    if (s.n == 0)
        return GM_OK;
    if (gm_str_starts(s, GM_STR(local)))
        s = decoded(&p->arena, gm_str_sub(s, sizeof local - 1, s.n));
    else if (from->images_dir && (gm_image_is_address(s) || gm_str_starts(s, GM_STR("/data/"))))
        s = decoded(&p->arena, gm_image_name(s));
    if (!s.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (s.n == 0)
        return GM_OK;
    if (memchr(s.p, 0, s.n))
        return GM_FAIL(err, GM_EFORMAT, "image: a NUL character in the path");
    if (from->images_dir)
        return gm_post_image(p, from->images_dir, gm_image_name(s), err);
    return gm_post_set_image(p, from->base_dir, s, err);
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
static const struct gm_json *results_of(const struct gm_json *task, struct gm_labelstudio_task *t)
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

/* What a result is, in the order of reading: what is referred to comes first. */
enum kind {
    TEXT_LABEL,
    RECTANGLE,
    BRUSH,
    IMAGE_LABEL,
    RELATION,
    OTHER_KIND,
    OTHER_PICTURE,
    OTHER_TEXT,
    N_KINDS
};

static enum kind kind_of(const struct gm_labelstudio_task *t, const struct gm_json *result)
{
    struct gm_str type = gm_labelstudio_str(result, "type");
    enum gm_labelstudio_whose whose = gm_labelstudio_whose(t, result);
    if (whose != GM_LABELSTUDIO_MINE)
        return whose == GM_LABELSTUDIO_OTHER_TEXT ? OTHER_TEXT : OTHER_PICTURE;
    if (gm_str_eq_c(type, "labels"))
        return gm_labelstudio_is_text_label(result) ? TEXT_LABEL : IMAGE_LABEL;
    if (gm_str_eq_c(type, "rectanglelabels") || gm_str_eq_c(type, "rectangle"))
        return RECTANGLE;
    if (gm_str_eq_c(type, "brushlabels") || gm_str_eq_c(type, "brush"))
        return BRUSH;
    return gm_str_eq_c(type, "relation") ? RELATION : OTHER_KIND;
}

static enum gm_status read_result(struct gm_labelstudio_task *t, enum kind kind,
                                  const struct gm_json *result, struct gm_error *err)
{
    switch (kind) {
    case TEXT_LABEL: return gm_labelstudio_entity(t, result, err);
    case RECTANGLE: return gm_labelstudio_rectangle(t, result, "rectanglelabels", err);
    case BRUSH: return gm_labelstudio_brush(t, result, err);
    case IMAGE_LABEL: return gm_labelstudio_region_label(t, result, err);
    case RELATION: gm_labelstudio_relation(t, result); return GM_OK;
    case OTHER_KIND:
        gm_losses_add(t->lost, "results that are no labels, rectangles, brushes or relations",
                      t->post->id);
        return GM_OK;
    case OTHER_PICTURE:
        gm_losses_add(t->lost, "regions of a task's further pictures", t->post->id);
        return GM_OK;
    case OTHER_TEXT:
        gm_losses_add(t->lost, "labels of a task's further texts", t->post->id);
        return GM_OK;
    case N_KINDS: break;
    }
    return GM_OK;
}

static enum gm_status read_results(struct gm_labelstudio_task *t, const struct gm_json *results,
                                   struct gm_error *err)
{
    t->units = gm_labelstudio_units(t, results);
    for (enum kind kind = TEXT_LABEL; kind < N_KINDS; kind++)
        for (size_t i = 0; i < gm_json_count(results); i++) {
            const struct gm_json *r = gm_json_at(results, i);
            if (kind_of(t, r) != kind)
                continue;
            enum gm_status st = read_result(t, kind, r, err);
            if (st != GM_OK) {
                gm_error_prefix(err, "result %zu (%.*s)", i + 1,
                                GM_STR_ARG(gm_labelstudio_str(r, "type")));
                return st;
            }
        }
    return gm_labelstudio_settle(t, err);
}

static void drop_json(void *p) { gm_json_free(p); }

static enum gm_status read_task(struct gm_labelstudio_task *t, const struct gm_source *from,
                                const struct gm_json *task, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post *p = t->post;
    const struct gm_json *data = gm_json_get(task, "data");
    if (gm_json_kind(data) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EFORMAT, "expected a task: {\"data\": {\"text\", \"image\"}, …}");
    GM_TRY(set_id(p, task, err));
    const struct gm_json *results = results_of(task, t);
    gm_labelstudio_find_data(t, data, results);
    p->caption = gm_labelstudio_str(data, "caption");
    p->caption_short = gm_labelstudio_str(data, "caption_short");
    GM_TRY(set_image(p, from, t->image, err));
    size_t n = gm_json_count(results);
    if (n > MAX_RESULTS)
        return GM_FAIL(err, GM_EFORMAT, "over %d results in one task", MAX_RESULTS);
    p->has_entities = results != NULL;
    p->entities = gm_arena_alloc(&p->arena, n, sizeof *p->entities);
    t->ids = gm_arena_alloc(&p->arena, n, sizeof *t->ids);
    t->regions = gm_arena_alloc(&p->arena, n, sizeof *t->regions);
    if (!p->entities || !t->ids || !t->regions)
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
    struct gm_labelstudio_task t = {.post = post, .lost = in->from.lost};
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

/* Data in an object of its own are enough. */
static enum gm_fit fit(const struct gm_head *h)
{
    static const char *const task[] = {"data", "annotations", "predictions", NULL};
    static const char *const data[] = {"data", NULL};
    return gm_head_keys(h, task, NULL) + gm_head_keys(h, data, "{") >= 2 ? GM_FIT_KEYS : GM_FIT_NOT;
}

#define HOLDS                                                                                     \
    (GM_HOLDS_TEXT | GM_HOLDS_IMAGE | GM_HOLDS_CAPTION | GM_HOLDS_CAPTION_SHORT | GM_HOLDS_TYPE | \
     GM_HOLDS_FINE | GM_HOLDS_SCORE | GM_HOLDS_EXPRESSION | GM_HOLDS_VISIBLE | GM_HOLDS_BOX |     \
     GM_HOLDS_BOX_SCORE | GM_HOLDS_MASK | GM_HOLDS_POSITION | GM_HOLDS_UNGROUNDED |               \
     GM_HOLDS_OBJECTS)

const struct gm_format_row gm_format_labelstudio_row = {.title = "Label Studio tasks",
                                                        .ending = ".json",
                                                        .fit = fit,
                                                        .holds = HOLDS,
                                                        .open = gm_document_source_open,
                                                        .next = in_next,
                                                        .close = gm_document_source_close,
                                                        .create = gm_labelstudio_create,
                                                        .add = gm_labelstudio_add,
                                                        .commit = gm_labelstudio_commit,
                                                        .abort = gm_labelstudio_abort};
