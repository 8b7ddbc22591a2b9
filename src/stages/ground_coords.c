#include "stages/ground_coords.h"

#include "base/log.h"
#include "stages/coords_probe.h"
#include "stages/said.h"

#include <string.h>

static const double iou_min = 0.6;

/* ---- settings ---- */

static void apply(const struct gm_ground_coords *c, struct gm_llm_stage *s)
{
    bool y_first = c->order == GM_ORDER_YXYX;
    enum gm_status (*read)(struct gm_json * *out, struct gm_str text, struct gm_error * err);
    if (c->by_post)
        read = y_first ? gm_said_grounds_yx : gm_said_grounds;
    else
        read = y_first ? gm_said_ground_yx : gm_said_ground;
    if (c->asking)
        c->asking->read = read;
    else
        s->read = read;
    s->grid = gm_coords_grid(c->coords);
}

enum gm_status gm_ground_coords_open(struct gm_ground_coords *c, struct gm_llm_stage *s,
                                     const struct gm_json *settings, bool by_post,
                                     struct gm_llm_asking *asking, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str coords = GM_STR("auto"), order = GM_STR("xyxy");
    *c = (struct gm_ground_coords){.coords = GM_COORDS_1000,
                                   .max_pixels = 16384 * 28 * 28,
                                   .is_said = true,
                                   .asking = asking,
                                   .by_post = by_post};
    long long number; /* YAML's numbers in place of texts */
    if (gm_json_int(gm_json_get(settings, "coords"), &number) && (number == 1 || number == 1000))
        coords = number == 1 ? GM_STR("1") : GM_STR("1000");
    else
        GM_TRY(gm_settings_str(settings, "coords", &coords, err));
    GM_TRY(gm_settings_str(settings, "order", &order, err));
    GM_TRY(gm_settings_whole(settings, "max_pixels", 784, 1e9, &c->max_pixels, err));
    c->is_auto = gm_str_eq_c(coords, "auto");
    c->has_order = gm_json_get(settings, "order") != NULL;
    c->may_guess = !c->has_order && !gm_json_get(settings, "coords");
    if (!c->is_auto && !gm_coords_parse(coords, &c->coords))
        st = GM_FAIL(err, GM_EARG,
                     "setting \"coords\" is \"%.*s\"; it must be auto, sent, grid28, grid32, "
                     "1000 or 1",
                     GM_STR_ARG(coords));
    else if (!gm_order_parse(order, &c->order))
        st = GM_FAIL(err, GM_EARG, "setting \"order\" is \"%.*s\"; it must be xyxy or yxyx",
                     GM_STR_ARG(order));
    apply(c, s);
done:
    return st;
}

/* ---- what the prompt says ---- */

/* The words that tell the model which numbers are meant. */
static struct gm_str coords_words(enum gm_coords c)
{
    switch (c) {
    case GM_COORDS_1000: return GM_STR("numbers from 0 to 1000, relative to the image's size");
    case GM_COORDS_1: return GM_STR("fractions from 0 to 1 of the image's size");
    case GM_COORDS_SENT:
    case GM_COORDS_GRID28:
    case GM_COORDS_GRID32:
    case GM_N_COORDS: break;
    }
    return GM_STR("absolute pixels of the image");
}

struct gm_frame gm_ground_coords_frame(const struct gm_ground_coords *c,
                                       const struct gm_picture *picture)
{
    return gm_coords_frame(c->coords, picture->w, picture->h, c->max_pixels);
}

enum gm_status gm_ground_coords_values(const struct gm_ground_coords *c,
                                       const struct gm_picture *picture, struct gm_arena *a,
                                       struct gm_prompt_value values[GM_GROUND_COORDS_N_VALUES],
                                       struct gm_error *err)
{
    static const char *const names[] = {GM_GROUND_COORDS_VALUES};
    for (int i = 0; i < GM_GROUND_COORDS_N_VALUES; i++)
        values[i] = (struct gm_prompt_value){names[i], GM_STR("")};
    values[0].text = GM_STR("[four numbers]");
    if (!c->is_said)
        return GM_OK;
    struct gm_frame f = gm_ground_coords_frame(c, picture);
    values[0].text = c->order == GM_ORDER_YXYX ? GM_STR("[ymin, xmin, ymax, xmax]")
                                               : GM_STR("[xmin, ymin, xmax, ymax]");
    values[1].text = coords_words(c->coords);
    values[2].text = gm_arena_printf(a, "%.0f", f.w);
    values[3].text = gm_arena_printf(a, "%.0f", f.h);
    if (!values[2].text.p || !values[3].text.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    return GM_OK;
}

enum gm_status gm_ground_coords_put(const struct gm_ground_coords *c,
                                    const struct gm_picture *picture, const double box[4],
                                    struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_frame f = gm_ground_coords_frame(c, picture);
    double x = f.w / picture->full_w, y = f.h / picture->full_h;
    double said[4] = {box[0] * x, box[1] * y, box[2] * x, box[3] * y};
    for (size_t i = 0; i < 4; i++) {
        double side = said[c->order == GM_ORDER_YXYX ? i ^ 1 : i];
        GM_TRY(gm_buf_add_c(out, i ? ", " : "[", err));
        GM_TRY(gm_buf_add_number(out, side, c->coords == GM_COORDS_1 ? 3 : 0, err));
    }
    st = gm_buf_add_c(out, "]", err);
done:
    return st;
}

/* ---- learning ---- */

enum { N_OWN = 6, N_VALUES = N_OWN + GM_GROUND_COORDS_N_VALUES };

/* One generated picture and what is asked about its shapes. */
struct probing {
    size_t number;
    struct gm_picture picture;
    struct gm_prompt_value values[GM_PROBE_SHAPES][N_VALUES];
    struct gm_llm_question q[GM_PROBE_SHAPES];
    struct gm_llm_reply replies[GM_PROBE_SHAPES];
    size_t n; /* questions: one a shape, or one for all */
};

/* "1. red circle (shape)", a line each. */
static struct gm_str list_shapes(size_t number, struct gm_arena *a)
{
    struct gm_str list = GM_STR("");
    for (size_t i = 0; i < GM_PROBE_SHAPES && list.p; i++)
        list = gm_arena_printf(a, "%.*s%s%zu. %s (shape)", GM_STR_ARG(list), i ? "\n" : "", i + 1,
                               gm_probe_shape(number, i)->name);
    return list;
}

static enum gm_status fill_questions(const struct gm_ground_coords *c, struct probing *w,
                                     struct gm_arena *a, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str list = list_shapes(w->number, a);
    if (!list.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    w->n = c->by_post ? 1 : GM_PROBE_SHAPES;
    for (size_t i = 0; i < w->n; i++) {
        const struct gm_probe_shape *shape = gm_probe_shape(w->number, i);
        struct gm_prompt_value *v = w->values[i];
        v[0] = (struct gm_prompt_value){"text", gm_str(shape->caption)};
        v[1] = (struct gm_prompt_value){"caption", gm_str(shape->caption)};
        v[2] = (struct gm_prompt_value){"entity", gm_str(shape->name)};
        v[3] = (struct gm_prompt_value){"type", GM_STR("shape")};
        v[4] = (struct gm_prompt_value){"entities", list};
        v[5] = (struct gm_prompt_value){"several", GM_STR("yes")};
        GM_TRY(gm_ground_coords_values(c, &w->picture, a, v + N_OWN, err));
        w->q[i] = (struct gm_llm_question){
            .values = v, .n_values = N_VALUES, .asking = c->asking, .fresh = true};
    }
done:
    return st;
}

/* Of an answer about all shapes the part on one, as text; empty where it has none. */
static enum gm_status part_on(struct gm_str text, size_t shape, struct gm_buf *out,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *said = NULL;
    struct gm_error why;
    if (gm_said_grounds(&said, text, &why) == GM_OK)
        for (size_t i = 0; i < gm_json_count(gm_json_get(said, "entities")) && !out->n; i++) {
            const struct gm_json *one = gm_json_at(gm_json_get(said, "entities"), i);
            long long n = 0;
            if (gm_json_int(gm_json_get(one, "entity"), &n) && n == (long long)shape + 1)
                GM_TRY(gm_json_write(gm_json_get(one, "boxes"), false, out, err));
        }
done:
    gm_json_free(said);
    return st;
}

static enum gm_status count_replies(const struct gm_ground_coords *c, const struct gm_llm_stage *s,
                                    const struct probing *w, struct gm_probe *probe,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf part;
    gm_buf_init(&part, (size_t)1 << 20);
    for (size_t i = 0; i < GM_PROBE_SHAPES; i++) {
        const struct gm_llm_reply *r = &w->replies[c->by_post ? 0 : i];
        struct gm_str text = r->st == GM_OK ? gm_buf_str(&r->text) : GM_STR("");
        if (r->st == GM_ECANCEL && gm_llm_is_dry(s->llm))
            continue; /* counted */
        if (r->st != GM_OK && r->st != GM_EFORMAT) {
            st = r->st;
            if (err)
                *err = r->err;
            goto done;
        }
        gm_buf_reset(&part);
        if (c->by_post) {
            GM_TRY(part_on(text, i, &part, err));
            text = gm_buf_str(&part);
        }
        GM_TRY(gm_probe_add(probe, text, gm_probe_shape(w->number, i)->box, &w->picture,
                            c->max_pixels, err));
    }
done:
    gm_buf_clear(&part);
    return st;
}

/* Ask for the shapes of one picture and count how the answers fit. */
static enum gm_status ask_picture(const struct gm_ground_coords *c, struct gm_llm_stage *s,
                                  size_t number, struct gm_probe *probe, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_picture_rule rule = {(uint32_t)s->image_side, s->grid, (uint32_t)s->min_pixels};
    struct gm_image *im = NULL;
    struct probing w = {.number = number};
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(gm_probe_picture(&im, number, err));
    GM_TRY(gm_picture_make(&w.picture, im, NULL, &rule, (int)s->jpeg_quality, err));
    GM_TRY(fill_questions(c, &w, &a, err));
    GM_TRY(gm_llm_stage_ask(s, &w.picture, w.q, w.n, w.replies, err));
    GM_TRY(count_replies(c, s, &w, probe, err));
done:
    for (size_t i = 0; i < w.n; i++)
        gm_llm_reply_clear(&w.replies[i]);
    gm_picture_clear(&w.picture);
    gm_image_free(im);
    gm_arena_clear(&a);
    return st;
}

/* What the pair is kept under: all that the numbers may depend on beside server and model. */
static enum gm_status fact_name(const struct gm_ground_coords *c, const struct gm_llm_stage *s,
                                struct gm_buf *out, struct gm_error *err)
{
    return gm_buf_printf(out, err, "coords of ground %s side=%g min=%g max=%g order=%s",
                         gm_prompt_version(c->asking ? c->asking->prompt : s->prompt),
                         s->image_side, s->min_pixels, c->max_pixels,
                         c->has_order ? gm_order_name(c->order) : "any");
}

/* The pair as it is kept: "1000 xyxy said". False: not what this program writes. */
static bool read_pair(struct gm_ground_coords *c, struct gm_str text)
{
    struct gm_str coords, order, rest;
    struct gm_ground_coords read = *c;
    gm_str_cut(text, ' ', &coords, &rest);
    gm_str_cut(rest, ' ', &order, &rest);
    if (!gm_coords_parse(coords, &read.coords) || !gm_order_parse(order, &read.order))
        return false;
    read.is_said = gm_str_eq_c(rest, "said");
    *c = read;
    return true;
}

static enum gm_status look_up(struct gm_ground_coords *c, const struct gm_llm_stage *s,
                              struct gm_str name, bool *found, struct gm_error *err)
{
    struct gm_buf kept;
    gm_buf_init(&kept, (size_t)1 << 20);
    enum gm_status st = gm_llm_fact_get(s->llm, s->servers, s->model, name.p, &kept, found, err);
    *found = st == GM_OK && *found && read_pair(c, gm_buf_str(&kept));
    gm_buf_clear(&kept);
    return st;
}

/* Three pictures, asked about in one of the two ways; the best pair goes into *c. */
static enum gm_status try_prompt(struct gm_ground_coords *c, struct gm_llm_stage *s, bool is_said,
                                 struct gm_probe *probe, double *best, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    enum gm_order wanted = c->has_order ? c->order : GM_N_ORDERS;
    *probe = (struct gm_probe){.n = 0};
    c->is_said = is_said;
    for (size_t i = 0; i < GM_PROBE_PICTURES; i++)
        GM_TRY(ask_picture(c, s, i, probe, err));
    struct gm_ground_coords found = *c;
    *best = gm_probe_best(probe, wanted, &found.coords, &found.order);
    if (*best >= iou_min)
        *c = found;
done:
    return st;
}

static enum gm_status keep(const struct gm_ground_coords *c, const struct gm_llm_stage *s,
                           struct gm_str name, double iou, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf b;
    gm_buf_init(&b, 200);
    GM_LOG(GM_LOG_INFO, "llm",
           "the model says boxes as coords=%s order=%s%s (mean IoU %.2f on generated pictures)",
           gm_coords_name(c->coords), gm_order_name(c->order), c->is_said ? ", when asked to" : "",
           iou);
    GM_TRY(gm_buf_printf(&b, err, "%s %s %s", gm_coords_name(c->coords), gm_order_name(c->order),
                         c->is_said ? "said" : "own"));
    GM_TRY(gm_llm_fact_put(s->llm, s->servers, s->model, name.p, gm_buf_str(&b), err));
done:
    gm_buf_clear(&b);
    return st;
}

/* No pair fits: an error, or where nobody has asked for `auto` a warning. */
static enum gm_status refuse(struct gm_ground_coords *c, const struct gm_probe probes[2],
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf own, said;
    struct gm_error why;
    gm_buf_init(&own, GM_ERROR_MAX);
    gm_buf_init(&said, GM_ERROR_MAX);
    GM_TRY(gm_probe_table(&probes[0], &own, err));
    GM_TRY(gm_probe_table(&probes[1], &said, err));
    st = GM_FAIL(
        &why, GM_EARG,
        "the model's boxes of known shapes fit no coordinates: no pair of coords and order "
        "has a mean IoU of %g. In its own numbers (%zu of %zu answers hold boxes): %s. Asked "
        "for 0 to 1000 (%zu of %zu): %s. Use a model that finds boxes, or set coords and order",
        iou_min, probes[0].n_read, probes[0].n, own.p, probes[1].n_read, probes[1].n, said.p);
    if (c->may_guess) {
        GM_LOG(GM_LOG_WARN, "llm", "%s. Its boxes are asked for and read as coords=1000 now",
               why.msg);
        st = GM_OK;
    } else if (err) {
        *err = why;
    }
done:
    gm_buf_clear(&own);
    gm_buf_clear(&said);
    return st;
}

enum gm_status gm_ground_coords_learn(struct gm_ground_coords *c, struct gm_llm_stage *s,
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_probe probes[2];
    struct gm_buf name;
    bool found = false;
    double iou = 0;
    if (!c->is_auto)
        return GM_OK;
    gm_buf_init(&name, 400);
    GM_TRY(fact_name(c, s, &name, err));
    GM_TRY(look_up(c, s, gm_buf_str(&name), &found, err));
    for (int i = 0; i < 2 && !found; i++) {
        GM_TRY(try_prompt(c, s, i == 1, &probes[i], &iou, err));
        if (gm_llm_is_dry(s->llm))
            goto done;
        found = iou >= iou_min;
        if (found)
            GM_TRY(keep(c, s, gm_buf_str(&name), iou, err));
    }
    st = found ? GM_OK : refuse(c, probes, err);
    apply(c, s);
done:
    gm_buf_clear(&name);
    return st;
}
