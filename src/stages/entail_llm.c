/* entail, by a multimodal LLM: yes or no an entity, is it in the picture? With logprobs the
 * probability is that of the yes token against the no token, else 1 or 0.
 * With the setting `encoder` the native classifier goes first, as a step of its own, and the model is
 * asked only where it is unsure: |logit| < `bound`. With `fusion` all evidence is weighed (fusion.h);
 * else the model's word counts where it was asked.
 * Source: the visual entailment step of RiVEG (arXiv 2406.07268). */
#include "stages/backends.h"
#include "stages/fusion.h"
#include "stages/llm_stage.h"
#include "stages/said.h"

#include "llm/message.h"

#include <math.h>

struct entail {
    struct gm_llm_stage base; /* first: the helpers take a pointer to it */
    struct gm_fusion fusion;
    double bound;        /* of the encoder's logit; INFINITY = every entity is asked about */
    bool keeps_evidence; /* there is more than the model's word */
};

static enum gm_status open_entail(void *self, const struct gm_json *settings, struct gm_error *err)
{
    struct entail *s = self;
    enum gm_status st = GM_OK;
    struct gm_str encoder = GM_STR("");
    s->bound = (double)INFINITY;
    GM_TRY(gm_settings_str(settings, "encoder", &encoder, err));
    GM_TRY(gm_settings_num(settings, "bound", 0, 100, &s->bound, err));
    GM_TRY(gm_fusion_read(&s->fusion, settings, err));
    if (isfinite(s->bound) && !encoder.n)
        st = GM_FAIL(err, GM_EARG,
                     "setting \"bound\" is of the encoder's logit: the stage needs the setting "
                     "encoder too, such as entail-default");
    s->keeps_evidence = encoder.n || s->fusion.n;
done:
    return st;
}

/* An encoder that said nothing about it is not sure. */
static bool is_asked(const struct entail *s, const struct gm_entity *e)
{
    const struct gm_evidence *v = &e->evidence;
    return !v->has[GM_WITNESS_ENCODER] ||
           fabs(gm_evidence_logit(v->by[GM_WITNESS_ENCODER])) < s->bound;
}

/* What the answer comes to: its last word that is one of the two, behind whatever reasons. */
static int yes_or_no(const struct gm_json *value)
{
    struct gm_str s;
    return gm_json_str(value, &s) ? gm_said_yes(s) : -1;
}

static const char *check(void *user, const struct gm_json *value)
{
    (void)user;
    return yes_or_no(value) < 0 ? "neither yes nor no" : NULL;
}

enum { N_VALUES = 6 };

static void fill_values(const struct gm_llm_stage *s, struct gm_prompt_value *v,
                        const struct gm_post *p, const struct gm_entity *e)
{
    struct gm_str type = e->fine_type.n ? e->fine_type : e->type;
    v[0] = (struct gm_prompt_value){"text", p->text};
    v[1] = (struct gm_prompt_value){"caption", gm_post_short_caption(p)};
    v[2] = (struct gm_prompt_value){"entity", e->text};
    v[3] = (struct gm_prompt_value){"type", type};
    v[4] = (struct gm_prompt_value){"expression", e->expression};
    v[5] = (struct gm_prompt_value){"type_definition", gm_guide_definition(&s->guide, type)};
}

/* What came of the questions; asked [n] are their entities' places in the post. */
static enum gm_status take(struct entail *s, struct gm_post *p, const size_t *asked, size_t n,
                           const struct gm_llm_reply *replies, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < n; i++) /* all or nothing: a failed post is done again */
        if (gm_llm_stage_failed(&s->base, p, &replies[i]))
            return GM_OK;
    for (size_t i = 0; i < p->n_entities; i++)
        GM_TRY(gm_llm_clear_rejected(&s->base, p, &p->entities[i], err));
    for (size_t i = 0; i < n; i++) {
        struct gm_entity *e = &p->entities[asked[i]];
        if (replies[i].st == GM_EFORMAT) {
            GM_TRY(gm_llm_reject_entity(&s->base, p, e, "not_yes_or_no", err));
            continue;
        }
        double yes = gm_llm_yes(replies[i].logprobs);
        e->visible = isfinite(yes) ? yes : yes_or_no(replies[i].value);
        e->evidence.has[GM_WITNESS_MODEL] = s->keeps_evidence;
        e->evidence.by[GM_WITNESS_MODEL] = e->visible;
    }
    gm_fusion_apply(&s->fusion, p);
done:
    return st;
}

static enum gm_status ask(struct entail *s, struct gm_post *p, const size_t *asked, size_t n,
                          struct gm_arena *a, struct gm_llm_reply *replies, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_picture picture = {.w = 0};
    struct gm_prompt_value *v = gm_arena_alloc(a, n, N_VALUES * sizeof *v);
    struct gm_llm_question *q = gm_arena_alloc(a, n, sizeof *q);
    if (!v || !q)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    bool sees = gm_llm_stage_sees(&s->base, p);
    if (sees)
        GM_TRY(gm_llm_stage_picture(&s->base, p, &picture, err));
    if (p->error.stage.n)
        goto done;
    for (size_t i = 0; i < n; i++) {
        fill_values(&s->base, v + i * N_VALUES, p, &p->entities[asked[i]]);
        q[i] = (struct gm_llm_question){.post = p,
                                        .values = v + i * N_VALUES,
                                        .n_values = N_VALUES,
                                        .logprobs = true,
                                        .check = check};
    }
    GM_TRY(gm_llm_stage_ask(&s->base, sees ? &picture : NULL, q, n, replies, err));
done:
    gm_picture_clear(&picture);
    return st;
}

static enum gm_status entail_post(void *self, struct gm_post *p, struct gm_error *err)
{
    struct entail *s = self;
    enum gm_status st = GM_OK;
    struct gm_arena a;
    size_t n = 0;
    if (p->n_entities == 0 || !p->image.n)
        return GM_OK;
    gm_arena_init(&a, 0);
    size_t *asked = gm_arena_alloc(&a, p->n_entities, sizeof *asked);
    struct gm_llm_reply *replies = gm_arena_alloc(&a, p->n_entities, sizeof *replies);
    if (!asked || !replies) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t i = 0; i < p->n_entities; i++)
        if (is_asked(s, &p->entities[i]))
            asked[n++] = i;
    if (n)
        GM_TRY(ask(s, p, asked, n, &a, replies, err));
    if (!p->error.stage.n)
        GM_TRY(take(s, p, asked, n, replies, err));
done:
    for (size_t i = 0; i < n; i++)
        gm_llm_reply_clear(&replies[i]);
    gm_arena_clear(&a);
    return st;
}

static const char *const values[] = {GM_LLM_VALUES, "text",       "caption",         "entity",
                                     "type",        "expression", "type_definition", NULL};
static const char *const known[] = {GM_LLM_SETTINGS, "encoder", "precision",
                                    "bound",         "fusion",  NULL};
static const struct gm_llm_stage_kind kind = {
    .prompt = "entail",
    .values = values,
    .settings = known,
    .max_tokens = 8,
    .needs_picture = GM_LLM_PICTURE_WANTED,
    .one = entail_post,
    .size = sizeof(struct entail),
    .open = open_entail,
};

const struct gm_backend gm_backend_entail_llm = {GM_LLM_BACKEND,
                                                 .stage = "entail",
                                                 .needs_image = true,
                                                 .llm = &kind,
                                                 .first = &gm_backend_encode_native,
                                                 .first_if = "encoder"};
