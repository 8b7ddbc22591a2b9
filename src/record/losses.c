#include "record/losses.h"

#include "base/log.h"
#include "record/own_fields.h"

#include <stdio.h>
#include <string.h>

static void add(struct gm_losses *l, const char *what, struct gm_str id, bool is_fault)
{
    size_t i = 0;
    if (!l)
        return;
    while (i < l->n && strncmp(l->kinds[i].what, what, GM_LOSS_NAME_MAX - 1) != 0)
        i++;
    if (i == GM_LOSS_KINDS_MAX) { /* the last kind takes all that finds no place */
        i--;
        snprintf(l->kinds[i].what, sizeof l->kinds[i].what, "other things");
    }
    struct gm_loss *k = &l->kinds[i];
    if (i == l->n) {
        l->n++;
        snprintf(k->what, sizeof k->what, "%s", what);
        snprintf(k->first, sizeof k->first, id.n ? "post %.*s" : "%.*s", GM_STR_ARG(id));
    }
    k->n++;
    k->is_fault = k->is_fault || is_fault;
}

void gm_losses_add(struct gm_losses *l, const char *what, struct gm_str id)
{
    add(l, what, id, false);
}

void gm_losses_fault(struct gm_losses *l, const char *what, struct gm_str id)
{
    add(l, what, id, true);
}

void gm_losses_mask(struct gm_losses *l, struct gm_str id, const char *why)
{
    char what[GM_LOSS_NAME_MAX];
    snprintf(what, sizeof what, "masks (%.60s)", why);
    gm_losses_fault(l, what, id);
}

void gm_losses_unboxed(struct gm_losses *l, const struct gm_entity *e, struct gm_str id)
{
    if (e->n_regions == 0 && e->visible >= GM_VISIBLE_MIN)
        gm_losses_add(l, "entities in the image, but without a box (now not in it)", id);
}

void gm_losses_tell(const struct gm_losses *l, const char *module, const char *what)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct gm_loss *k = &l->kinds[i];
        GM_LOG(GM_LOG_WARN, module, "%s: %s: %zu%s%s%s", what, k->what, k->n,
               k->first[0] ? " (first: " : "", k->first, k->first[0] ? ")" : "");
    }
}

static void count_region(struct gm_losses *l, const struct gm_region *r, unsigned lacks,
                         struct gm_str id)
{
    if (lacks & GM_HOLDS_BOX)
        gm_losses_add(l, "boxes", id);
    if (lacks & GM_HOLDS_BOX_SCORE && r->score < 1)
        gm_losses_add(l, "scores of boxes", id);
    if (lacks & GM_HOLDS_BOX_LABEL && r->label.n)
        gm_losses_add(l, "labels of boxes", id);
    if (lacks & GM_HOLDS_MASK && r->mask.counts.n)
        gm_losses_add(l, "masks", id);
    if (lacks & GM_HOLDS_NOTE && r->note.n)
        gm_losses_add(l, "notes", id);
}

static bool is_judged(double visible) { return visible >= 0 && visible != 0 && visible != 1; }

static bool has_evidence(const struct gm_evidence *v)
{
    bool has = false;
    for (size_t i = 0; i < GM_N_WITNESSES; i++)
        has = has || v->has[i];
    return has;
}

static void count_entity(struct gm_losses *l, const struct gm_entity *e, unsigned lacks,
                         struct gm_str id)
{
    const struct {
        unsigned bit;
        bool has;
        const char *what;
    } parts[] = {
        {GM_HOLDS_TYPE, e->type.n > 0, "entity types"},
        {GM_HOLDS_FINE, e->fine_type.n > 0, "fine types"},
        {GM_HOLDS_SCORE, e->score < 1, "scores of entities"},
        {GM_HOLDS_UNCERTAINTY, e->uncertainty.has, "uncertainties"},
        {GM_HOLDS_NOTE, e->note.n > 0, "notes"},
        {GM_HOLDS_EXPRESSION, e->expression.n > 0, "expressions"},
        {GM_HOLDS_VISIBLE, is_judged(e->visible), "probabilities of being in the image"},
        {GM_HOLDS_EVIDENCE, has_evidence(&e->evidence), "what sources say of being in the image"},
        {GM_HOLDS_UNGROUNDED, e->n_regions == 0, "entities without a box"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (lacks & parts[i].bit && parts[i].has)
            gm_losses_add(l, parts[i].what, id);
    for (size_t i = 0; i < e->n_regions; i++)
        count_region(l, &e->regions[i], lacks, id);
}

/* How many of the post's objects have fields that the record does not know. */
static size_t count_own_fields(const struct gm_post *p)
{
    size_t n = gm_own_fields_has(p->source, GM_HOLDER_POST);
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *e = &p->entities[i];
        n += gm_own_fields_has(e->fields, GM_HOLDER_ENTITY);
        for (size_t k = 0; k < e->n_regions; k++)
            n += gm_own_fields_has(e->regions[k].fields, GM_HOLDER_REGION);
    }
    for (size_t i = 0; i < p->n_candidates; i++)
        n += gm_own_fields_has(p->candidates[i].fields, GM_HOLDER_CANDIDATE);
    for (size_t i = 0; i < p->n_objects; i++)
        n += gm_own_fields_has(p->objects[i].fields, GM_HOLDER_OBJECT);
    for (size_t i = 0; i < p->n_texts; i++)
        n += gm_own_fields_has(p->texts[i].fields, GM_HOLDER_TEXT);
    return n;
}

void gm_losses_post(struct gm_losses *l, const struct gm_post *p, unsigned holds)
{
    unsigned lacks = ~holds;
    const struct {
        unsigned bit;
        bool has;
        const char *what;
    } parts[] = {
        {GM_HOLDS_TEXT, !p->names_only, "texts"},
        {GM_HOLDS_TOKENS, p->has_tokens, "word boundaries"},
        {GM_HOLDS_IMAGE, p->image.n > 0, "image paths"},
        {GM_HOLDS_CAPTION, p->caption.n > 0, "captions"},
        {GM_HOLDS_CAPTION_SHORT, p->caption_short.n > 0, "short captions"},
        {GM_HOLDS_KNOWLEDGE, p->knowledge.n > 0, "knowledge"},
        {GM_HOLDS_UNCERTAINTY, p->n_candidates > 0, "candidates"},
        {GM_HOLDS_OBJECTS, p->n_objects > 0, "objects"},
        {GM_HOLDS_TEXTS, p->n_texts > 0, "texts in the image"},
        {GM_HOLDS_ERROR, p->error.stage.n > 0, "errors"},
        {GM_HOLDS_FIELDS, count_own_fields(p) > 0, "fields of the input's own"},
        {GM_HOLDS_POSITION, !p->names_only && p->n_entities > 0,
         "positions of entities in the text"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (lacks & parts[i].bit && parts[i].has)
            gm_losses_add(l, parts[i].what, p->id);
    for (size_t i = 0; i < p->n_entities; i++)
        count_entity(l, &p->entities[i], lacks, p->id);
}
