/* Writing the state of a post; reading is in state_apply.c. */
#include "pipeline/state.h"

#include <math.h>
#include <string.h>

static const char *const part_names[GM_N_PARTS] = {"caption",    "knowledge",     "entities",
                                                   "candidates", "objects",       "texts",
                                                   "size",       "caption_short", "asked"};

void gm_state_init(struct gm_state *s)
{
    for (enum gm_part i = 0; i < GM_N_PARTS; i++)
        gm_buf_init(&s->part[i], SIZE_MAX - 1);
}

void gm_state_clear(struct gm_state *s)
{
    for (enum gm_part i = 0; i < GM_N_PARTS; i++)
        gm_buf_clear(&s->part[i]);
}

/* A number that reads back as the same bits; not finite: null. */
static enum gm_status add_num(double x, struct gm_buf *b, struct gm_error *err)
{
    if (x == 0 && !signbit(x))
        return gm_buf_add_c(b, "0", err); /* as printf, which takes long, and scores often are */
    return isfinite(x) ? gm_buf_printf(b, err, "%.17g", x) : gm_buf_add_c(b, "null", err);
}

/* , "key": "text" - left out when empty. */
static enum gm_status add_text(const char *key, struct gm_str s, struct gm_buf *b,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (!s.n)
        return GM_OK;
    GM_TRY(gm_buf_add_c(b, ",\"", err));
    GM_TRY(gm_buf_add_c(b, key, err));
    GM_TRY(gm_buf_add_c(b, "\":", err));
    GM_TRY(gm_json_write_str(s, b, err));
done:
    return st;
}

static enum gm_status add_score_box(double score, const double box[GM_BOX_XYXY], struct gm_buf *b,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(b, "{\"score\":", err));
    GM_TRY(add_num(score, b, err));
    GM_TRY(gm_buf_add_c(b, ",\"box\":", err));
    for (size_t i = 0; i < GM_BOX_XYXY; i++) {
        GM_TRY(gm_buf_add_c(b, i ? "," : "[", err));
        GM_TRY(add_num(box[i], b, err));
    }
    GM_TRY(gm_buf_add_c(b, "]", err));
done:
    return st;
}

/* , "field": N - which element of a list of the input gave an object its unknown fields; left out when none did. */
static enum gm_status add_field(const struct gm_json *list, const struct gm_json *fields,
                                struct gm_buf *b, struct gm_error *err)
{
    for (size_t i = 0; fields && i < gm_json_count(list); i++)
        if (gm_json_at(list, i) == fields)
            return gm_buf_printf(b, err, ",\"field\":%zu", i);
    return GM_OK;
}

static const struct gm_json *list_of(const struct gm_post *p, const char *key)
{
    return p->source ? gm_json_get(p->source, key) : NULL;
}

static enum gm_status add_region(const struct gm_entity *e, const struct gm_region *r,
                                 struct gm_buf *b, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(add_score_box((double)r->score, r->box, b, err));
    GM_TRY(add_text("label", r->label, b, err));
    if (r->mask.counts.n)
        GM_TRY(gm_buf_printf(b, err, ",\"h\":%u,\"w\":%u", r->mask.h, r->mask.w));
    GM_TRY(add_text("counts", r->mask.counts, b, err));
    GM_TRY(add_text("note", r->note, b, err));
    if (e->fields)
        GM_TRY(add_field(gm_json_get(e->fields, "regions"), r->fields, b, err));
    GM_TRY(gm_buf_add_c(b, r->is_crowd ? ",\"crowd\":true}" : "}", err));
done:
    return st;
}

static enum gm_status add_uncertainty(const struct gm_uncertainty *u, struct gm_buf *b,
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const double v[] = {u->marginal, u->entropy, u->margin, u->span_score, u->type_score};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        GM_TRY(gm_buf_add_c(b, i ? "," : ",\"uncertainty\":[", err));
        GM_TRY(add_num(v[i], b, err));
    }
    GM_TRY(gm_buf_add_c(b, "]", err));
done:
    return st;
}

static enum gm_status add_evidence(const struct gm_evidence *v, struct gm_buf *b,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool any = false;
    for (size_t i = 0; i < GM_N_WITNESSES; i++) {
        if (!v->has[i])
            continue;
        GM_TRY(
            gm_buf_printf(b, err, "%s\"%s\":", any ? "," : ",\"evidence\":{", gm_witness_names[i]));
        GM_TRY(add_num(v->by[i], b, err));
        any = true;
    }
    if (any)
        GM_TRY(gm_buf_add_c(b, "}", err));
done:
    return st;
}

static enum gm_status add_entity(const struct gm_json *from, const struct gm_entity *e,
                                 struct gm_buf *b, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(b, err, "{\"start\":%zu,\"end\":%zu,\"score\":", e->start, e->end));
    GM_TRY(add_num(e->score, b, err));
    GM_TRY(add_text("text", e->text, b, err));
    GM_TRY(add_text("type", e->type, b, err));
    GM_TRY(add_text("fine_type", e->fine_type, b, err));
    if (e->uncertainty.has)
        GM_TRY(add_uncertainty(&e->uncertainty, b, err));
    GM_TRY(add_text("source", e->source, b, err));
    GM_TRY(add_text("note", e->note, b, err));
    GM_TRY(add_text("expression", e->expression, b, err));
    if (e->visible >= 0) {
        GM_TRY(gm_buf_add_c(b, ",\"visible\":", err));
        GM_TRY(add_num(e->visible, b, err));
    }
    GM_TRY(add_evidence(&e->evidence, b, err));
    GM_TRY(add_field(from, e->fields, b, err));
    for (size_t i = 0; i < e->n_regions; i++) {
        GM_TRY(gm_buf_add_c(b, i ? "," : ",\"regions\":[", err));
        GM_TRY(add_region(e, &e->regions[i], b, err));
    }
    GM_TRY(gm_buf_add_c(b, e->n_regions ? "]}" : "}", err));
done:
    return st;
}

static enum gm_status add_entities(const struct gm_json *from, const struct gm_entity *list,
                                   size_t n, struct gm_buf *b, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(b, "[", err));
    for (size_t i = 0; i < n; i++) {
        GM_TRY(gm_buf_add_c(b, i ? "," : "", err));
        GM_TRY(add_entity(from, &list[i], b, err));
    }
    GM_TRY(gm_buf_add_c(b, "]", err));
done:
    return st;
}

static enum gm_status add_objects(const struct gm_post *p, struct gm_buf *b, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(b, "[", err));
    for (size_t i = 0; i < p->n_objects; i++) {
        const struct gm_object *o = &p->objects[i];
        GM_TRY(gm_buf_add_c(b, i ? "," : "", err));
        GM_TRY(add_score_box((double)o->score, o->box, b, err));
        GM_TRY(add_text("label", o->label, b, err));
        GM_TRY(add_field(list_of(p, "objects"), o->fields, b, err));
        GM_TRY(gm_buf_add_c(b, "}", err));
    }
    GM_TRY(gm_buf_add_c(b, "]", err));
done:
    return st;
}

static enum gm_status add_texts(const struct gm_post *p, struct gm_buf *b, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(b, "[", err));
    for (size_t i = 0; i < p->n_texts; i++) {
        GM_TRY(gm_buf_add_c(b, i ? "," : "", err));
        GM_TRY(add_score_box((double)p->texts[i].score, p->texts[i].box, b, err));
        GM_TRY(add_text("text", p->texts[i].text, b, err));
        GM_TRY(add_field(list_of(p, "texts"), p->texts[i].fields, b, err));
        GM_TRY(gm_buf_add_c(b, "}", err));
    }
    GM_TRY(gm_buf_add_c(b, "]", err));
done:
    return st;
}

static enum gm_status take_part(enum gm_part part, const struct gm_post *p, struct gm_buf *b,
                                struct gm_error *err)
{
    switch (part) {
    case GM_PART_CAPTION: return p->caption.n ? gm_json_write_str(p->caption, b, err) : GM_OK;
    case GM_PART_CAPTION_SHORT:
        return p->caption_short.n ? gm_json_write_str(p->caption_short, b, err) : GM_OK;
    case GM_PART_KNOWLEDGE: return p->knowledge.n ? gm_json_write_str(p->knowledge, b, err) : GM_OK;
    case GM_PART_ENTITIES:
        return p->has_entities
                   ? add_entities(list_of(p, "entities"), p->entities, p->n_entities, b, err)
                   : GM_OK;
    case GM_PART_CANDIDATES:
        return p->has_candidates ? add_entities(list_of(p, "entity_candidates"), p->candidates,
                                                p->n_candidates, b, err)
                                 : GM_OK;
    case GM_PART_OBJECTS: return p->has_objects ? add_objects(p, b, err) : GM_OK;
    case GM_PART_TEXTS: return p->has_texts ? add_texts(p, b, err) : GM_OK;
    case GM_PART_SIZE:
        return p->image_w ? gm_buf_printf(b, err, "[%u,%u]", p->image_w, p->image_h) : GM_OK;
    case GM_PART_ASKED:
        return gm_json_get(p->source, "asked")
                   ? gm_json_write(gm_json_get(p->source, "asked"), false, b, err)
                   : GM_OK;
    case GM_N_PARTS: break;
    }
    return GM_OK;
}

enum gm_status gm_state_take(struct gm_state *s, const struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (enum gm_part i = 0; i < GM_N_PARTS; i++) {
        gm_buf_reset(&s->part[i]);
        GM_TRY(take_part(i, post, &s->part[i], err));
    }
done:
    return st;
}

/* Of what was asked only the last entry, which is the stage's own: those of the stages before are theirs to store. */
static enum gm_status add_own_entry(struct gm_str list, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    GM_TRY(gm_json_parse(&j, list, err));
    size_t n = gm_json_count(j);
    GM_TRY(gm_buf_add_c(out, "[", err));
    if (n)
        GM_TRY(gm_json_write(gm_json_at(j, n - 1), false, out, err));
    st = gm_buf_add_c(out, "]", err);
done:
    gm_json_free(j);
    return st;
}

enum gm_status gm_state_diff(const struct gm_state *before, const struct gm_state *now,
                             struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool first = true;
    for (enum gm_part i = 0; i < GM_N_PARTS; i++) {
        struct gm_str text = gm_buf_str(&now->part[i]);
        if (gm_str_eq(gm_buf_str(&before->part[i]), text))
            continue;
        GM_TRY(gm_buf_printf(out, err, "%c\"%s\":", first ? '{' : ',', part_names[i]));
        if (i == GM_PART_ASKED && text.n)
            GM_TRY(add_own_entry(text, out, err));
        else
            GM_TRY(gm_buf_add_str(out, text.n ? text : GM_STR("null"), err));
        first = false;
    }
    GM_TRY(gm_buf_add_c(out, first ? "{}" : "}", err));
done:
    return st;
}

/* A part that came later adds nothing where it is empty, so that posts without it keep their hash: a run
 * folder of before goes on. */
enum gm_status gm_state_text(const struct gm_state *s, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (enum gm_part i = 0; i < GM_PART_ASKED; i++) {
        if (i >= GM_PART_CAPTION_SHORT && !s->part[i].n)
            continue;
        GM_TRY(gm_buf_add_str(out, gm_buf_str(&s->part[i]), err));
        GM_TRY(gm_buf_add_c(out, "\n", err));
    }
done:
    return st;
}
