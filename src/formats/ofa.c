/* ofa.c - training sets for OFA's entailment and grounding, as RiVEG trains them: rows of tab-separated
 * columns, one an entity, or one for each of its boxes.
 *
 *   entailment  ID.jpg#N, ID, picture, Entity(TYPE)-expression, caption, entailment | contradiction
 *   grounding   ID.jpg#N, ID, Entity(TYPE)-expression, x0,y0,x1,y1, picture, <bin_X0> <bin_Y0> <bin_X1> <bin_Y1>
 *
 * The columns are those of OFA's snli_ve and refcoco tasks (--selected-cols 0,2,3,4,5 and 0,4,2,3). Its loader
 * splits a line at every tab and knows no quotes, and opens a picture from base64 without turning it. It wants
 * pixels and makes the locations itself, from the picture scaled to a square: of a box's x in a picture of w
 * pixels
 *
 *   bin = round(999 x / w), of 0..999
 *
 * The last column of a row for grounding has them for programs that train on locations directly.
 * Reading, a column of the picture that has a '.' is a path; base64 becomes the record's data: URI. RiVEG's own
 * sets have the caption before the entity; both orders are read.
 * Source: github.com/OFA-Sys/OFA (data/mm_data, utils/transforms.py), github.com/JinYuanLi0012/RiVEG. */
#include "formats/ofa.h"
#include "base/alloc.h"
#include "formats/row_number.h"
#include "formats/text_lines.h"
#include "record/image_path.h"

#include <math.h>
#include <string.h>

enum { N_COLUMNS = 6, MAX_ROWS = 10000 };

/* A row taken apart; all borrowed from it. */
struct row {
    struct gm_str id, number, picture, caption;
    struct gm_named_entity entity;
    struct gm_region region; /* of a row for grounding */
};

/* "Entity(TYPE)-expression" or "Entity(TYPE)". */
static bool take_entity(struct gm_str s, struct gm_named_entity *e)
{
    size_t end = gm_str_find(s, GM_STR(")-"), 0), open;
    if (end == SIZE_MAX)
        end = gm_str_ends(s, GM_STR(")")) ? s.n - 1 : 0;
    for (open = end; open > 0 && s.p[open] != '(';)
        open--;
    if (open == 0 || open + 1 >= end)
        return false;
    e->name = gm_str_sub(s, 0, open);
    e->type = gm_str_sub(s, open + 1, end);
    e->expression = gm_str_sub(s, end + 2, s.n);
    return !memchr(e->type.p, 0, e->type.n);
}

static bool take_box(struct gm_str s, double box[GM_BOX_XYXY])
{
    struct gm_str number;
    for (size_t i = 0; i < GM_BOX_XYXY; i++)
        if (gm_str_cut(s, ',', &number, &s) != (i < 3) ||
            !gm_str_to_double(gm_str_trim(number), &box[i]) || !(fabs(box[i]) <= 1e9))
            return false;
    return true;
}

static const char *take_label(const struct gm_str *c, struct row *r)
{
    bool is_in = gm_str_eq_c(c[5], "entailment"), is_out = gm_str_eq_c(c[5], "contradiction");
    bool is_own = take_entity(c[3], &r->entity);
    if (!is_own && !take_entity(c[4], &r->entity))
        return "no entity: expected Entity(TYPE)-expression in the fourth column";
    if (!is_in && !is_out && !gm_str_eq_c(c[5], "neutral"))
        return "the last column is none of entailment, contradiction and neutral";
    r->caption = c[is_own ? 4 : 3];
    r->picture = c[2];
    r->entity.visible = is_in ? 1 : is_out ? 0 : -1;
    return NULL;
}

static const char *take_place(const struct gm_str *c, struct row *r)
{
    if (!take_entity(c[2], &r->entity))
        return "no entity: expected Entity(TYPE)-expression in the third column";
    if (!take_box(c[3], r->region.box))
        return "no box: expected x0,y0,x1,y1 in the fourth column, numbers of at most 1e9";
    r->picture = c[4];
    r->entity.visible = 1;
    r->entity.n_regions = 1;
    return NULL;
}

/* The columns of the row; how many there are, at most one more than they should. */
static size_t cut(struct gm_str line, struct gm_str c[N_COLUMNS])
{
    size_t n = 0;
    for (bool more = true; more && n < N_COLUMNS; n++)
        more = gm_str_cut(line, '\t', &c[n], &line);
    return n + (line.n > 0);
}

/* NULL, or what is wrong. */
static const char *take_apart(struct gm_str line, bool has_boxes, struct row *r)
{
    struct gm_str c[N_COLUMNS] = {{0}};
    size_t n = cut(line, c);
    *r = (struct row){.region = {.score = 1}};
    r->id = c[1];
    if (n > N_COLUMNS || n + has_boxes < N_COLUMNS) /* the locations are our own */
        return has_boxes ? "expected 5 or 6 columns between tabs"
                         : "expected 6 columns between tabs";
    if (r->id.n == 0 || memchr(r->id.p, 0, r->id.n))
        return "no image id in the second column";
    size_t mark = gm_str_starts(c[0], r->id) ? gm_str_find(c[0], GM_STR("#"), r->id.n) : SIZE_MAX;
    r->number = gm_str_sub(c[0], mark == SIZE_MAX ? c[0].n : mark + 1, c[0].n);
    return has_boxes ? take_place(c, r) : take_label(c, r);
}

struct ofa {
    struct gm_text_lines lines;
    struct gm_source from;
    struct gm_buf id; /* of the post in hand, to know its rows by */
    bool has_boxes;
};

static void ofa_close(void *state)
{
    struct ofa *o = state;
    if (!o)
        return;
    gm_text_lines_close(&o->lines);
    gm_buf_clear(&o->id);
    gm_free(o);
}

static enum gm_status open_rows(void **state, const struct gm_source *from, bool has_boxes,
                                struct gm_error *err)
{
    struct ofa *o = gm_alloc(1, sizeof *o);
    *state = o;
    if (!o)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    o->from = *from;
    o->has_boxes = has_boxes;
    gm_buf_init(&o->id, GM_TEXT_LINE_MAX);
    enum gm_status st = gm_text_lines_of(&o->lines, from->in, err);
    if (st != GM_OK) {
        ofa_close(o);
        *state = NULL;
    }
    return st;
}

static enum gm_status open_ve(void **state, const struct gm_source *from, struct gm_error *err)
{
    return open_rows(state, from, false, err);
}

static enum gm_status open_vg(void **state, const struct gm_source *from, struct gm_error *err)
{
    return open_rows(state, from, true, err);
}

/* Base64 of either alphabet as a data: URI, whose kind its first signs tell. */
static enum gm_status set_data(struct gm_post *p, struct gm_str base64, struct gm_error *err)
{
    const char *kind = gm_str_starts(base64, GM_STR("iVBOR"))   ? "png"
                       : gm_str_starts(base64, GM_STR("R0lG"))  ? "gif"
                       : gm_str_starts(base64, GM_STR("UklGR")) ? "webp"
                                                                : "jpeg";
    struct gm_buf b;
    gm_buf_init(&b, GM_TEXT_LINE_MAX + 64);
    enum gm_status st = gm_buf_printf(&b, err, "data:image/%s;base64,", kind);
    size_t from = b.n;
    if (st == GM_OK)
        st = gm_buf_add_str(&b, base64, err);
    for (size_t i = from; i < b.n; i++)
        b.p[i] = b.p[i] == '-' ? '+' : b.p[i] == '_' ? '/' : b.p[i];
    if (st == GM_OK) {
        p->image = gm_arena_str(&p->arena, gm_buf_str(&b));
        st = p->image.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    gm_buf_clear(&b);
    return st;
}

static enum gm_status begin_post(const struct ofa *o, const struct row *r, struct gm_post *p,
                                 struct gm_error *err)
{
    p->id = gm_arena_str(&p->arena, r->id);
    p->caption = gm_arena_str(&p->arena, r->caption);
    p->has_id = true;
    if (!p->id.p || !p->caption.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (o->from.images_dir || r->picture.n == 0)
        return gm_post_id_image(p, o->from.images_dir, err);
    if (!memchr(r->picture.p, '.', r->picture.n))
        return set_data(p, r->picture, err);
    if (memchr(r->picture.p, 0, r->picture.n))
        return GM_FAIL(err, GM_EFORMAT, "a NUL byte in the picture's path");
    return gm_post_set_image(p, o->from.base_dir, r->picture, err);
}

/* A row's entity, copied into the post. */
static enum gm_status copy_entity(struct gm_post *p, const struct row *r,
                                  struct gm_named_entity *to, struct gm_error *err)
{
    *to = r->entity;
    to->name = gm_arena_str(&p->arena, to->name);
    to->type = gm_arena_str(&p->arena, to->type);
    to->expression = gm_arena_str(&p->arena, to->expression);
    to->regions = gm_arena_alloc(&p->arena, to->n_regions, sizeof *to->regions);
    if (!to->name.p || !to->type.p || !to->expression.p || !to->regions)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (to->n_regions)
        to->regions[0] = r->region;
    return GM_OK;
}

/* Take the next row if it is of the post in hand (or none is); *take says so. A row that can't be read ends
 * the post before it, and is told of by the next call. */
static enum gm_status next_row(struct ofa *o, struct row *r, bool *take, struct gm_error *err)
{
    bool is_begun = o->id.n > 0, has;
    struct gm_str line;
    *take = false;
    do {
        enum gm_status st = gm_text_lines_next(&o->lines, &line, &has, err);
        if (st != GM_OK || !has) {
            *take = has;
            return st;
        }
    } while (gm_str_trim(line).n == 0);
    const char *why = take_apart(line, o->has_boxes, r);
    *take = why ? !is_begun : !is_begun || gm_str_eq(gm_buf_str(&o->id), r->id);
    if (!*take)
        gm_text_lines_unread(&o->lines);
    else if (why)
        return GM_FAIL(err, GM_EFORMAT, "%s", why);
    else if (!is_begun)
        return gm_buf_add_str(&o->id, r->id, err);
    return GM_OK;
}

static enum gm_status read_post(struct ofa *o, struct gm_post *post, size_t *line, bool *has,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_named_entity *v = NULL, entity;
    struct row r;
    size_t n = 0, cap = 0;
    bool take, is_joined;
    for (bool is_first = true;; is_first = false) {
        st = next_row(o, &r, &take, err);
        if (is_first) {
            *has = take;
            *line = gm_text_lines_number(&o->lines);
        }
        GM_TRY(st);
        if (!take)
            break;
        if (is_first)
            GM_TRY(begin_post(o, &r, post, err));
        GM_TRY(copy_entity(post, &r, &entity, err));
        GM_TRY(gm_row_number_join(post, n ? &v[n - 1] : NULL, &entity, r.number, &is_joined, err));
        if (is_joined)
            continue;
        if (n == MAX_ROWS)
            return GM_FAIL(err, GM_EFORMAT, "over %d rows of one picture", MAX_ROWS);
        GM_TRY(GM_ARENA_GROW(&post->arena, v, n, cap, err));
        v[n++] = entity;
    }
    if (n)
        GM_TRY(gm_post_set_named(post, v, n, o->from.texts, o->from.lost, err));
done:
    return st;
}

static enum gm_status ofa_next(void *state, struct gm_post *post, size_t *line, bool *has,
                               struct gm_error *err)
{
    struct ofa *o = state;
    gm_buf_reset(&o->id);
    *has = false;
    enum gm_status st = read_post(o, post, line, has, err);
    if (st != GM_OK)
        gm_error_prefix(err, "%s:%zu", gm_text_lines_path(&o->lines),
                        gm_text_lines_number(&o->lines));
    return st;
}

/* The first line may be cut off in its picture. */
static enum gm_fit fit(const struct gm_head *h, bool has_boxes)
{
    struct gm_str c[N_COLUMNS];
    struct gm_named_entity e;
    double box[GM_BOX_XYXY];
    size_t n = cut(h->line, c);
    if (n < (has_boxes ? 5 : 3) || c[1].n == 0 || !gm_str_starts(c[0], c[1]) ||
        gm_str_find(c[0], GM_STR("#"), c[1].n) == SIZE_MAX)
        return GM_FIT_NOT;
    bool is_place = n > 3 && take_entity(c[2], &e) && take_box(c[3], box);
    return is_place == has_boxes ? GM_FIT_KEYS : GM_FIT_NOT;
}

static enum gm_fit fit_ve(const struct gm_head *h) { return fit(h, false); }

static enum gm_fit fit_vg(const struct gm_head *h) { return fit(h, true); }

#define HOLDS (GM_HOLDS_TYPE | GM_HOLDS_EXPRESSION | GM_HOLDS_IMAGE)
#define FUNCTIONS                                                              \
    .ending = ".tsv", .is_sparse = true, .next = ofa_next, .close = ofa_close, \
    .create = gm_ofa_create, .add = gm_ofa_add, .commit = gm_ofa_commit, .abort = gm_ofa_abort

const struct gm_format_row gm_format_ofa_ve_row = {
    .title = "OFA entailment rows",
    .fit = fit_ve,
    .holds = HOLDS | GM_HOLDS_CAPTION | GM_HOLDS_CAPTION_SHORT | GM_HOLDS_UNGROUNDED,
    .open = open_ve,
    FUNCTIONS};
const struct gm_format_row gm_format_ofa_vg_row = {.title = "OFA grounding rows",
                                                   .fit = fit_vg,
                                                   .holds = HOLDS | GM_HOLDS_BOX,
                                                   .open = open_vg,
                                                   FUNCTIONS};
