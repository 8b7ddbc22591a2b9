/* gm_post_from_json: the record's fields checked and taken from one parsed line.
 *
 * A message names the field from the outside in: entities[2]: "start": expected …. JSON null counts
 * as absent. Strings are borrowed from the parsed line, which the post keeps. */
#include "record/image_path.h"
#include "record/offsets.h"
#include "record/record.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static enum gm_status wrong_kind(const char *key, const char *want, const struct gm_json *j,
                                 struct gm_error *err)
{
    return GM_FAIL(err, GM_EFORMAT, "\"%s\": expected %s, found %s", key, want,
                   gm_json_kind_name(gm_json_kind(j)));
}

static const struct gm_json *get(const struct gm_json *o, const char *key)
{
    const struct gm_json *j = gm_json_get(o, key);
    return gm_json_kind(j) == GM_JSON_NULL ? NULL : j;
}

static enum gm_status get_str(const struct gm_json *o, const char *key, struct gm_str *out,
                              struct gm_error *err)
{
    const struct gm_json *j = get(o, key);
    if (!j || gm_json_str(j, out))
        return GM_OK;
    return wrong_kind(key, "a string", j, err);
}

static enum gm_status get_num(const struct gm_json *o, const char *key, double *out,
                              struct gm_error *err)
{
    const struct gm_json *j = get(o, key);
    if (!j || gm_json_num(j, out))
        return GM_OK;
    return wrong_kind(key, "a number", j, err);
}

static enum gm_status get_probability(const struct gm_json *o, const char *key, double *out,
                                      struct gm_error *err)
{
    enum gm_status st = get_num(o, key, out, err);
    if (st == GM_OK && get(o, key) && !(*out >= 0 && *out <= 1))
        return GM_FAIL(err, GM_EFORMAT, "\"%s\": %g is not in 0..1", key, *out);
    return st;
}

/* A required number of code points. */
static enum gm_status get_offset(const struct gm_json *o, const char *key, size_t *out,
                                 struct gm_error *err)
{
    long long x;
    const struct gm_json *j = get(o, key);
    if (!gm_json_int(j, &x))
        return wrong_kind(key, "an integer", j, err);
    if (x < 0)
        return GM_FAIL(err, GM_EFORMAT, "\"%s\": %lld is negative", key, x);
    *out = (size_t)x;
    return GM_OK;
}

/* An optional array (NULL = none) and an optional object. */
static enum gm_status get_array(const struct gm_json *o, const char *key,
                                const struct gm_json **out, struct gm_error *err)
{
    *out = get(o, key);
    if (!*out || gm_json_kind(*out) == GM_JSON_ARRAY)
        return GM_OK;
    return wrong_kind(key, "an array", *out, err);
}

static enum gm_status check_object(const char *what, const struct gm_json *j, struct gm_error *err)
{
    if (gm_json_kind(j) == GM_JSON_OBJECT)
        return GM_OK;
    return GM_FAIL(err, GM_EFORMAT, "%s: expected an object, found %s", what,
                   gm_json_kind_name(gm_json_kind(j)));
}

static enum gm_status read_box(const struct gm_json *o, double box[GM_BOX_XYXY],
                               struct gm_error *err)
{
    const struct gm_json *j = get(o, "box");
    if (gm_json_kind(j) != GM_JSON_ARRAY || gm_json_count(j) != GM_BOX_XYXY)
        return GM_FAIL(err, GM_EFORMAT, "\"box\": expected [xmin, ymin, xmax, ymax] in pixels");
    for (size_t i = 0; i < GM_BOX_XYXY; i++) {
        double x;
        if (!gm_json_num(gm_json_at(j, i), &x) || fabs(x) > 1e9)
            return GM_FAIL(err, GM_EFORMAT, "\"box\": number %zu is none, or over 1e9", i + 1);
        box[i] = x;
    }
    return GM_OK;
}

static enum gm_status read_score(const struct gm_json *o, float *score, struct gm_error *err)
{
    double s = 1;
    enum gm_status st = get_probability(o, "score", &s, err);
    *score = (float)s;
    return st;
}

static enum gm_status read_mask(const struct gm_json *o, struct gm_rle *m, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *j = get(o, "mask"), *size = get(j, "size");
    long long h = 0, w = 0;
    if (!j)
        return GM_OK;
    GM_TRY(check_object("\"mask\"", j, err));
    GM_TRY(get_str(j, "counts", &m->counts, err));
    if (gm_json_count(size) != 2 || !gm_json_int(gm_json_at(size, 0), &h) ||
        !gm_json_int(gm_json_at(size, 1), &w) || h < 1 || w < 1 || h > INT32_MAX || w > INT32_MAX ||
        m->counts.n == 0)
        return GM_FAIL(err, GM_EFORMAT,
                       "\"mask\": expected {\"size\": [height, width], \"counts\": "
                       "\"compressed COCO RLE\"}");
    m->h = (uint32_t)h;
    m->w = (uint32_t)w;
done:
    return st;
}

static enum gm_status read_region(const struct gm_json *j, struct gm_region *r,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(check_object("region", j, err));
    GM_TRY(read_box(j, r->box, err));
    GM_TRY(read_score(j, &r->score, err));
    GM_TRY(get_str(j, "label", &r->label, err));
    GM_TRY(get_str(j, "note", &r->note, err));
    GM_TRY(read_mask(j, &r->mask, err));
    const struct gm_json *crowd = get(j, "crowd");
    r->fields = j;
    if (crowd && !gm_json_bool(crowd, &r->is_crowd))
        return GM_FAIL(err, GM_EFORMAT, "\"crowd\": expected true or false");
done:
    return st;
}

static enum gm_status read_regions(struct gm_post *p, const struct gm_json *o, struct gm_entity *e,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *j;
    GM_TRY(get_array(o, "regions", &j, err));
    e->n_regions = gm_json_count(j);
    if (e->n_regions == 0)
        return GM_OK;
    e->regions = gm_arena_alloc(&p->arena, e->n_regions, sizeof *e->regions);
    if (!e->regions)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu regions", e->n_regions);
    for (size_t i = 0; i < e->n_regions; i++) {
        st = read_region(gm_json_at(j, i), &e->regions[i], err);
        if (st != GM_OK) {
            gm_error_prefix(err, "regions[%zu]", i);
            return st;
        }
    }
done:
    return st;
}

static enum gm_status read_uncertainty(const struct gm_json *o, struct gm_uncertainty *u,
                                       struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *j = get(o, "uncertainty");
    if (!j)
        return GM_OK;
    GM_TRY(check_object("\"uncertainty\"", j, err));
    u->marginal = u->entropy = u->margin = u->span_score = u->type_score =
        NAN; /* until told; also what null stands for */
    GM_TRY(get_num(j, "marginal", &u->marginal, err));
    GM_TRY(get_num(j, "entropy", &u->entropy, err));
    GM_TRY(get_num(j, "margin", &u->margin, err));
    GM_TRY(get_probability(j, "span_score", &u->span_score, err));
    GM_TRY(get_probability(j, "type_score", &u->type_score, err));
    u->has = true;
done:
    return st;
}

static enum gm_status read_evidence(const struct gm_json *o, struct gm_evidence *v,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *j = get(o, "evidence");
    if (!j)
        return GM_OK;
    GM_TRY(check_object("\"evidence\"", j, err));
    for (size_t i = 0; i < GM_N_WITNESSES; i++) {
        v->by[i] = -1;
        GM_TRY(get_probability(j, gm_witness_names[i], &v->by[i], err));
        v->has[i] = v->by[i] >= 0;
    }
done:
    return st;
}

/* Offsets, and the text that must stand there. */
static enum gm_status read_span(const struct gm_json *o, struct gm_entity *e, struct gm_offset *at,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str said = {NULL, 0};
    GM_TRY(get_offset(o, "start", &e->start, err));
    GM_TRY(get_offset(o, "end", &e->end, err));
    GM_TRY(get_str(o, "text", &said, err));
    if (e->end < e->start)
        return GM_FAIL(err, GM_EFORMAT, "\"end\": %zu is before \"start\", %zu", e->end, e->start);
    bool in = gm_offset_to_cp(at, e->start);
    size_t from = at->byte;
    in = in && gm_offset_to_cp(at, e->end);
    if (!in)
        return GM_FAIL(err, GM_EFORMAT, "\"end\": %zu is past the text's %zu code points", e->end,
                       at->cp);
    e->text = gm_str_sub(at->text, from, at->byte);
    if (said.p && !gm_str_eq(said, e->text))
        return GM_FAIL(err, GM_EFORMAT, "\"text\": \"%.*s\" is not what is at %zu..%zu: \"%.*s\"",
                       (int)(said.n < 80 ? said.n : 80), said.p, e->start, e->end,
                       (int)(e->text.n < 80 ? e->text.n : 80), e->text.p);
done:
    return st;
}

static enum gm_status read_entity(struct gm_post *p, const struct gm_json *j, struct gm_entity *e,
                                  struct gm_offset *at, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *e = (struct gm_entity){.score = 1, .visible = -1, .source = GM_STR("input"), .fields = j};
    GM_TRY(check_object("entity", j, err));
    GM_TRY(read_span(j, e, at, err));
    GM_TRY(get_str(j, "type", &e->type, err));
    if (e->type.n == 0 || memchr(e->type.p, 0, e->type.n))
        return GM_FAIL(err, GM_EFORMAT, "\"type\": expected a string such as \"PER\"");
    GM_TRY(get_str(j, "fine_type", &e->fine_type, err));
    GM_TRY(get_str(j, "source", &e->source, err));
    GM_TRY(get_str(j, "note", &e->note, err));
    GM_TRY(get_str(j, "expression", &e->expression, err));
    GM_TRY(get_probability(j, "score", &e->score, err));
    GM_TRY(get_probability(j, "visible", &e->visible, err));
    GM_TRY(read_uncertainty(j, &e->uncertainty, err));
    GM_TRY(read_evidence(j, &e->evidence, err));
    GM_TRY(read_regions(p, j, e, err));
done:
    return st;
}

/* A list of entities, "entities" or "entity_candidates". */
static enum gm_status read_entities(struct gm_post *p, const char *key, struct gm_entity **out,
                                    size_t *n_out, bool *has, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *j;
    struct gm_offset at;
    gm_offset_init(&at, p->text);
    GM_TRY(get_array(p->source, key, &j, err));
    *has = j != NULL;
    size_t n = gm_json_count(j);
    struct gm_entity *list = n ? gm_arena_alloc(&p->arena, n, sizeof *list) : NULL;
    if (n && !list)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu %s", n, key);
    for (size_t i = 0; i < n; i++) {
        st = read_entity(p, gm_json_at(j, i), &list[i], &at, err);
        if (st != GM_OK) {
            gm_error_prefix(err, "%s[%zu]", key, i);
            return st;
        }
    }
    *out = list;
    *n_out = n;
done:
    return st;
}

static enum gm_status read_objects(struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *j;
    GM_TRY(get_array(p->source, "objects", &j, err));
    p->has_objects = j != NULL;
    size_t n = gm_json_count(j);
    p->objects = n ? gm_arena_alloc(&p->arena, n, sizeof *p->objects) : NULL;
    if (n && !p->objects)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu objects", n);
    for (size_t i = 0; i < n && st == GM_OK; i++) {
        const struct gm_json *o = gm_json_at(j, i);
        struct gm_object *obj = &p->objects[i];
        obj->fields = o;
        st = check_object("object", o, err);
        if (st == GM_OK)
            st = get_str(o, "label", &obj->label, err);
        if (st == GM_OK)
            st = read_box(o, obj->box, err);
        if (st == GM_OK)
            st = read_score(o, &obj->score, err);
        if (st != GM_OK)
            gm_error_prefix(err, "objects[%zu]", i);
    }
    p->n_objects = n;
done:
    return st;
}

static enum gm_status read_texts(struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *j;
    GM_TRY(get_array(p->source, "texts", &j, err));
    p->has_texts = j != NULL;
    size_t n = gm_json_count(j);
    p->texts = n ? gm_arena_alloc(&p->arena, n, sizeof *p->texts) : NULL;
    if (n && !p->texts)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu texts", n);
    for (size_t i = 0; i < n && st == GM_OK; i++) {
        const struct gm_json *o = gm_json_at(j, i);
        struct gm_written *t = &p->texts[i];
        t->fields = o;
        st = check_object("text", o, err);
        if (st == GM_OK)
            st = get_str(o, "text", &t->text, err);
        if (st == GM_OK)
            st = read_box(o, t->box, err);
        if (st == GM_OK)
            st = read_score(o, &t->score, err);
        if (st != GM_OK)
            gm_error_prefix(err, "texts[%zu]", i);
    }
    p->n_texts = n;
done:
    return st;
}

/* With "text" beside "tokens": find each token in the text, only white space between them. */
static enum gm_status locate_tokens(struct gm_post *p, const struct gm_str *words, size_t n,
                                    struct gm_error *err)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        while (at < p->text.n && strchr(" \t\r\n", p->text.p[at]) && p->text.p[at] &&
               !gm_str_starts(gm_str_sub(p->text, at, p->text.n), words[i]))
            at++;
        if (!gm_str_starts(gm_str_sub(p->text, at, p->text.n), words[i]))
            return GM_FAIL(err, GM_EFORMAT,
                           "tokens[%zu]: \"%.*s\" is not in \"text\" where it "
                           "should be; give one of the two",
                           i, (int)(words[i].n < 60 ? words[i].n : 60), words[i].p);
        p->tokens[i] = (struct gm_token){at, at + words[i].n};
        at += words[i].n;
    }
    if (gm_str_trim(gm_str_sub(p->text, at, p->text.n)).n)
        return GM_FAIL(err, GM_EFORMAT, "\"text\" goes on after the last of its \"tokens\"");
    return GM_OK;
}

static enum gm_status read_tokens(struct gm_post *p, const struct gm_json *j, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = gm_json_count(j);
    if (n > GM_POST_MAX_WORDS)
        return GM_FAIL(err, GM_EFORMAT, "\"tokens\": over %zu words", GM_POST_MAX_WORDS);
    struct gm_str given = p->text, *words = gm_arena_alloc(&p->arena, n, sizeof *words);
    if (!words)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu words", n);
    for (size_t i = 0; i < n; i++)
        if (!gm_json_str(gm_json_at(j, i), &words[i]))
            return GM_FAIL(err, GM_EFORMAT, "tokens[%zu]: expected a string, found %s", i,
                           gm_json_kind_name(gm_json_kind(gm_json_at(j, i))));
    GM_TRY(gm_post_set_words(p, words, n, err));
    if (given.p && !gm_str_eq(given, p->text)) {
        p->text = given;
        GM_TRY(locate_tokens(p, words, n, err));
    }
done:
    return st;
}

static enum gm_status read_id(struct gm_post *p, struct gm_error *err)
{
    const struct gm_json *j = get(p->source, "id");
    long long number;
    if (gm_json_int(j, &number))
        p->id = gm_arena_printf(&p->arena, "%lld", number);
    else if (j && !gm_json_str(j, &p->id))
        return wrong_kind("id", "a string or an integer", j, err);
    if (gm_json_kind(j) == GM_JSON_INT && !p->id.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    p->has_id = j != NULL;
    return GM_OK;
}

/* What an earlier run said about a failure. */
static enum gm_status read_error(struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *j = get(p->source, "error");
    if (!j)
        return GM_OK;
    GM_TRY(check_object("\"error\"", j, err));
    GM_TRY(get_str(j, "stage", &p->error.stage, err));
    GM_TRY(get_str(j, "code", &p->error.code, err));
    GM_TRY(get_str(j, "message", &p->error.message, err));
    if (p->error.stage.n == 0)
        p->error.stage = GM_STR("unknown");
done:
    return st;
}

enum gm_status gm_post_from_json(struct gm_post *p, struct gm_json *line, const char *base_dir,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *tokens;
    struct gm_str text = {NULL, 0};
    p->source = line;
    if (gm_json_kind(line) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EFORMAT, "expected an object with \"text\" or \"tokens\", found %s",
                       gm_json_kind_name(gm_json_kind(line)));
    GM_TRY(read_id(p, err));
    GM_TRY(get_str(line, "text", &text, err));
    GM_TRY(get_array(line, "tokens", &tokens, err));
    if (!text.p && !tokens)
        return GM_FAIL(err, GM_EFORMAT, "neither \"text\" nor \"tokens\"");
    p->text = text;
    if (tokens)
        GM_TRY(read_tokens(p, tokens, err));
    GM_TRY(gm_post_read_image(p, base_dir, err));
    GM_TRY(get_str(line, "caption", &p->caption, err));
    GM_TRY(get_str(line, "caption_short", &p->caption_short, err));
    GM_TRY(get_str(line, "knowledge", &p->knowledge, err));
    GM_TRY(read_entities(p, "entities", &p->entities, &p->n_entities, &p->has_entities, err));
    GM_TRY(read_entities(p, "entity_candidates", &p->candidates, &p->n_candidates,
                         &p->has_candidates, err));
    GM_TRY(read_objects(p, err));
    GM_TRY(read_texts(p, err));
    GM_TRY(read_error(p, err));
done:
    return st;
}
