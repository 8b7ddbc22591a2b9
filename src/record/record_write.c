/* gm_post_to_json: one line of JSON, written straight into the buffer. */
#include "record/own_fields.h"

#include <math.h>
#include <string.h>

/* x rounded to `decimals`, with one at least; JSON has no NaN and no infinity. */
static enum gm_status write_num(double x, int decimals, struct gm_buf *out, struct gm_error *err)
{
    size_t from = out->n;
    if (!isfinite(x))
        return gm_buf_add_c(out, "null", err);
    enum gm_status st = gm_buf_add_number(out, x, decimals, err);
    if (st != GM_OK || memchr(out->p + from, '.', out->n - from))
        return st;
    return gm_buf_add_c(out, ".0", err);
}

/* , "key": - the comma unless the object has just been opened. */
static enum gm_status write_key(const char *key, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool first = out->n && out->p[out->n - 1] == '{';
    GM_TRY(gm_buf_add_c(out, first ? "\"" : ", \"", err));
    GM_TRY(gm_buf_add_c(out, key, err));
    GM_TRY(gm_buf_add_c(out, "\": ", err));
done:
    return st;
}

static enum gm_status write_str(const char *key, struct gm_str s, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = write_key(key, out, err);
    return st == GM_OK ? gm_json_write_str(s, out, err) : st;
}

static enum gm_status write_optional(const char *key, struct gm_str s, struct gm_buf *out,
                                     struct gm_error *err)
{
    return s.n ? write_str(key, s, out, err) : GM_OK;
}

static enum gm_status write_score(const char *key, double x, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = write_key(key, out, err);
    return st == GM_OK ? write_num(x, 6, out, err) : st;
}

static enum gm_status write_box(const double box[GM_BOX_XYXY], struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = write_key("box", out, err);
    for (size_t i = 0; i < GM_BOX_XYXY && st == GM_OK; i++) {
        st = gm_buf_add_c(out, i ? ", " : "[", err);
        if (st == GM_OK)
            st = write_num(box[i], GM_BOX_DECIMALS, out, err);
    }
    return st == GM_OK ? gm_buf_add_c(out, "]", err) : st;
}

static enum gm_status write_region(const struct gm_region *r, struct gm_buf *out,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "{", err));
    GM_TRY(write_box(r->box, out, err));
    GM_TRY(write_score("score", (double)r->score, out, err));
    GM_TRY(write_optional("label", r->label, out, err));
    if (r->mask.counts.n) {
        GM_TRY(write_key("mask", out, err));
        GM_TRY(gm_buf_printf(out, err, "{\"size\": [%u, %u]", r->mask.h, r->mask.w));
        GM_TRY(write_str("counts", r->mask.counts, out, err));
        GM_TRY(gm_buf_add_c(out, "}", err));
    }
    if (r->is_crowd)
        GM_TRY(gm_buf_add_c(out, ", \"crowd\": true", err));
    GM_TRY(write_optional("note", r->note, out, err));
    GM_TRY(gm_own_fields_write(r->fields, GM_HOLDER_REGION, out, err));
    GM_TRY(gm_buf_add_c(out, "}", err));
done:
    return st;
}

static enum gm_status write_uncertainty(const struct gm_uncertainty *u, struct gm_buf *out,
                                        struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (!u->has)
        return GM_OK;
    GM_TRY(write_key("uncertainty", out, err));
    GM_TRY(gm_buf_add_c(out, "{", err));
    GM_TRY(write_score("marginal", u->marginal, out, err));
    GM_TRY(write_score("entropy", u->entropy, out, err));
    GM_TRY(write_score("margin", u->margin, out, err));
    if (!isnan(u->span_score))
        GM_TRY(write_score("span_score", u->span_score, out, err));
    if (!isnan(u->type_score))
        GM_TRY(write_score("type_score", u->type_score, out, err));
    GM_TRY(gm_buf_add_c(out, "}", err));
done:
    return st;
}

static enum gm_status write_evidence(const struct gm_evidence *v, struct gm_buf *out,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool any = false;
    for (size_t i = 0; i < GM_N_WITNESSES; i++) {
        if (!v->has[i])
            continue;
        if (!any) {
            GM_TRY(write_key("evidence", out, err));
            GM_TRY(gm_buf_add_c(out, "{", err));
        }
        any = true;
        GM_TRY(write_score(gm_witness_names[i], v->by[i], out, err));
    }
    if (any)
        GM_TRY(gm_buf_add_c(out, "}", err));
done:
    return st;
}

static enum gm_status write_entity(const struct gm_entity *e, struct gm_buf *out,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "{", err));
    GM_TRY(write_str("text", e->text, out, err));
    GM_TRY(write_str("type", e->type, out, err));
    GM_TRY(write_optional("fine_type", e->fine_type, out, err));
    GM_TRY(gm_buf_printf(out, err, ", \"start\": %zu, \"end\": %zu", e->start, e->end));
    GM_TRY(write_score("score", e->score, out, err));
    GM_TRY(write_uncertainty(&e->uncertainty, out, err));
    GM_TRY(write_str("source", e->source, out, err));
    GM_TRY(write_optional("note", e->note, out, err));
    GM_TRY(write_optional("expression", e->expression, out, err));
    if (e->visible >= 0)
        GM_TRY(write_score("visible", e->visible, out, err));
    GM_TRY(write_evidence(&e->evidence, out, err));
    GM_TRY(write_key("regions", out, err));
    GM_TRY(gm_buf_add_c(out, "[", err));
    for (size_t i = 0; i < e->n_regions; i++) {
        GM_TRY(gm_buf_add_c(out, i ? ", " : "", err));
        GM_TRY(write_region(&e->regions[i], out, err));
    }
    GM_TRY(gm_buf_add_c(out, "]", err));
    GM_TRY(gm_own_fields_write(e->fields, GM_HOLDER_ENTITY, out, err));
    GM_TRY(gm_buf_add_c(out, "}", err));
done:
    return st;
}

static enum gm_status write_entities(const struct gm_post *p, struct gm_buf *out,
                                     struct gm_error *err)
{
    enum gm_status st = gm_buf_add_c(out, "[", err);
    for (size_t i = 0; i < p->n_entities && st == GM_OK; i++) {
        st = gm_buf_add_c(out, i ? ", " : "", err);
        if (st == GM_OK)
            st = write_entity(&p->entities[i], out, err);
    }
    return st == GM_OK ? gm_buf_add_c(out, "]", err) : st;
}

static enum gm_status write_candidates(const struct gm_post *p, struct gm_buf *out,
                                       struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "[", err));
    for (size_t i = 0; i < p->n_candidates; i++) {
        const struct gm_entity *e = &p->candidates[i];
        GM_TRY(gm_buf_add_c(out, i ? ", {" : "{", err));
        GM_TRY(write_str("text", e->text, out, err));
        GM_TRY(write_str("type", e->type, out, err));
        GM_TRY(gm_buf_printf(out, err, ", \"start\": %zu, \"end\": %zu", e->start, e->end));
        GM_TRY(write_score("score", e->score, out, err));
        GM_TRY(gm_own_fields_write(e->fields, GM_HOLDER_CANDIDATE, out, err));
        GM_TRY(gm_buf_add_c(out, "}", err));
    }
    GM_TRY(gm_buf_add_c(out, "]", err));
done:
    return st;
}

static enum gm_status write_tokens(const struct gm_post *p, struct gm_buf *out,
                                   struct gm_error *err)
{
    enum gm_status st = gm_buf_add_c(out, "[", err);
    for (size_t i = 0; i < p->n_tokens && st == GM_OK; i++) {
        st = gm_buf_add_c(out, i ? ", " : "", err);
        if (st == GM_OK)
            st = gm_json_write_str(gm_post_word(p, i), out, err);
    }
    return st == GM_OK ? gm_buf_add_c(out, "]", err) : st;
}

static enum gm_status write_objects(const struct gm_post *p, struct gm_buf *out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "[", err));
    for (size_t i = 0; i < p->n_objects; i++) {
        const struct gm_object *o = &p->objects[i];
        GM_TRY(gm_buf_add_c(out, i ? ", {" : "{", err));
        GM_TRY(write_str("label", o->label, out, err));
        GM_TRY(write_score("score", (double)o->score, out, err));
        GM_TRY(write_box(o->box, out, err));
        GM_TRY(gm_own_fields_write(o->fields, GM_HOLDER_OBJECT, out, err));
        GM_TRY(gm_buf_add_c(out, "}", err));
    }
    GM_TRY(gm_buf_add_c(out, "]", err));
done:
    return st;
}

static enum gm_status write_texts(const struct gm_post *p, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "[", err));
    for (size_t i = 0; i < p->n_texts; i++) {
        GM_TRY(gm_buf_add_c(out, i ? ", {" : "{", err));
        GM_TRY(write_str("text", p->texts[i].text, out, err));
        GM_TRY(write_score("score", (double)p->texts[i].score, out, err));
        GM_TRY(write_box(p->texts[i].box, out, err));
        GM_TRY(gm_own_fields_write(p->texts[i].fields, GM_HOLDER_TEXT, out, err));
        GM_TRY(gm_buf_add_c(out, "}", err));
    }
    GM_TRY(gm_buf_add_c(out, "]", err));
done:
    return st;
}

static enum gm_status write_error(const struct gm_post *p, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "{", err));
    GM_TRY(write_str("stage", p->error.stage, out, err));
    GM_TRY(write_str("code", p->error.code, out, err));
    GM_TRY(write_str("message", p->error.message, out, err));
    GM_TRY(gm_buf_add_c(out, "}", err));
done:
    return st;
}

/* The record's own fields, in the order they are added in. */
enum field {
    F_ID,
    F_TEXT,
    F_TOKENS,
    F_IMAGE,
    F_CAPTION,
    F_CAPTION_SHORT,
    F_KNOWLEDGE,
    F_ENTITIES,
    F_CANDIDATES,
    F_OBJECTS,
    F_TEXTS,
    F_ERROR,
    N_FIELDS
};
static const char *const field_names[N_FIELDS] = {"id",        "text",     "tokens",
                                                  "image",     "caption",  "caption_short",
                                                  "knowledge", "entities", "entity_candidates",
                                                  "objects",   "texts",    "error"};

static enum field field_of(struct gm_str key)
{
    for (enum field f = 0; f < N_FIELDS; f++)
        if (gm_str_eq_c(key, field_names[f]))
            return f;
    return N_FIELDS;
}

static bool is_set(const struct gm_post *p, enum field f)
{
    switch (f) {
    case F_ID: return p->id.n > 0;
    case F_TEXT: return true;
    case F_TOKENS: return p->has_tokens;
    case F_IMAGE: return p->image.n > 0;
    case F_CAPTION: return p->caption.n > 0;
    case F_CAPTION_SHORT: return p->caption_short.n > 0;
    case F_KNOWLEDGE: return p->knowledge.n > 0;
    case F_ENTITIES: return p->has_entities;
    case F_CANDIDATES: return p->has_candidates;
    case F_OBJECTS: return p->has_objects;
    case F_TEXTS: return p->has_texts;
    case F_ERROR: return p->error.stage.n > 0;
    case N_FIELDS: break;
    }
    return false;
}

static enum gm_status write_field(const struct gm_post *p, enum field f, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = write_key(field_names[f], out, err);
    if (st != GM_OK)
        return st;
    switch (f) {
    case F_ID: return gm_json_write_str(p->id, out, err);
    case F_TEXT: return gm_json_write_str(p->text, out, err);
    case F_TOKENS: return write_tokens(p, out, err);
    case F_IMAGE: return gm_json_write_str(p->image, out, err);
    case F_CAPTION: return gm_json_write_str(p->caption, out, err);
    case F_CAPTION_SHORT: return gm_json_write_str(p->caption_short, out, err);
    case F_KNOWLEDGE: return gm_json_write_str(p->knowledge, out, err);
    case F_ENTITIES: return write_entities(p, out, err);
    case F_CANDIDATES: return write_candidates(p, out, err);
    case F_OBJECTS: return write_objects(p, out, err);
    case F_TEXTS: return write_texts(p, out, err);
    case F_ERROR: return write_error(p, out, err);
    case N_FIELDS: break;
    }
    return GM_OK;
}

/* A field of the input, in its place: what stages may have changed is written as it is now, or left
 * out when it is no more (the entities that the input had are not those of a tagger that failed); what
 * it had as null, such as an id, has the value that it was given; all else stays as it was. */
static enum gm_status write_source_field(const struct gm_post *p, void *it, struct gm_buf *out,
                                         struct gm_error *err)
{
    enum gm_status st = GM_OK;
    enum field f = field_of(gm_json_key(it));
    bool is_null = gm_json_kind(gm_json_value(it)) == GM_JSON_NULL;
    if (f < N_FIELDS && (f >= F_CAPTION || is_null) && is_set(p, f))
        return write_field(p, f, out, err);
    if (f >= F_ENTITIES && f < N_FIELDS && (!is_null || f == F_ERROR))
        return GM_OK;
    GM_TRY(gm_buf_add_c(out, out->p[out->n - 1] == '{' ? "" : ", ", err));
    GM_TRY(gm_json_write_str(gm_json_key(it), out, err));
    GM_TRY(gm_buf_add_c(out, ": ", err));
    GM_TRY(gm_json_write(gm_json_value(it), false, out, err));
done:
    return st;
}

enum gm_status gm_post_to_json(const struct gm_post *p, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool seen[N_FIELDS + 1] = {false};
    GM_TRY(gm_buf_add_c(out, "{", err));
    for (void *it = p->source ? gm_json_first(p->source) : NULL; it;
         it = gm_json_next(p->source, it)) {
        seen[field_of(gm_json_key(it))] = true;
        GM_TRY(write_source_field(p, it, out, err));
    }
    for (enum field f = 0; f < N_FIELDS; f++)
        if (!seen[f] && is_set(p, f))
            GM_TRY(write_field(p, f, out, err));
    GM_TRY(gm_buf_add_c(out, "}", err));
done:
    return st;
}
