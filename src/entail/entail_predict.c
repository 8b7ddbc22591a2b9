/* entail_predict.c - the probability of each entity of posts to be in their images: 1 / (1 +
 * exp(-z)) of the classifier's logit z, calibrated (model/calibration.h) for questions with or without a
 * caption. Reference: tests/unit/test_ner_tagger.c (its input),
 * tests/e2e/test_tagging.py. */
#include "entail/entail_model.h"

#include <math.h>

struct answering {
    const struct gm_entail_session *s;
    const struct gm_slice *slices;
    double *p;
};

static enum gm_status answer_slice(void *self, struct gm_graph *g, size_t i, struct gm_error *err)
{
    const struct answering *x = self;
    const struct gm_slice *s = &x->slices[i];
    float *out, *d_out;
    gm_graph_begin(g, false, 0);
    enum gm_status st = gm_entail_forward(x->s->e, &x->s->net.packer, g, s, &out, &d_out, err);
    for (size_t k = s->seq; st == GM_OK && k < s->end_seq; k++)
        x->p[k] = 1 / (1 + exp(-gm_entail_logit(out, k - s->seq)));
    return st;
}

enum gm_status gm_entail_answer(struct gm_entail_session *s, double *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_packer *packer = &s->net.packer;
    struct gm_arena a;
    struct gm_slice *slices;
    size_t n;
    gm_arena_init(&a, 0);
    GM_TRY(gm_packer_cut(packer, gm_lanes_parts(&s->net.lanes, packer->n_tokens, false), &a,
                         &slices, &n, err));
    st = gm_lanes_run(&s->net.lanes, n, answer_slice, &(struct answering){s, slices, p}, err);
done:
    gm_arena_clear(&a);
    return st;
}

struct asked {
    double *visible; /* where the answer goes */
    bool has_caption;
};

/* The questions in the packer. */
struct batch {
    struct gm_arena a, post; /* of the batch; of the post that is being asked about */
    struct asked *asked;     /* [n] */
    size_t n, cap;
};

static enum gm_status answer(struct gm_entail_session *s, struct batch *b, struct gm_error *err)
{
    double *p = gm_arena_alloc(&b->a, b->n, sizeof *p);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    enum gm_status st = gm_entail_answer(s, p, err);
    for (size_t i = 0; i < b->n && st == GM_OK; i++)
        *b->asked[i].visible = gm_calibrated(&s->e->calibration[b->asked[i].has_caption], p[i]);
    gm_arena_reset(&b->a);
    *b = (struct batch){.a = b->a, .post = b->post};
    gm_packer_reset(&s->net.packer);
    return st;
}

static enum gm_status ask_post(struct gm_entail_session *s, struct batch *b, struct gm_post *p,
                               struct gm_pieces *tmp, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_entail_input *inputs;
    gm_arena_reset(&b->post);
    GM_TRY(gm_entail_inputs(s->e, p, tmp, &b->post, &inputs, err));
    for (size_t i = 0; i < p->n_entities; i++) {
        if (inputs[i].first == inputs[i].end) {
            p->entities[i].visible = 0; /* no word, nothing to see */
            continue;
        }
        GM_TRY(GM_ARENA_GROW(&b->a, b->asked, b->n, b->cap, err));
        b->asked[b->n++] = (struct asked){&p->entities[i].visible, inputs[i].caption.n_words > 0};
        GM_TRY(gm_entail_add(s->e, &s->net.packer, &inputs[i], true, err));
        if (s->net.packer.n_tokens >= GM_ENTAIL_BATCH_TOKENS)
            GM_TRY(answer(s, b, err));
    }
done:
    return st;
}

enum gm_status gm_entail_predict(struct gm_entail_session *s, struct gm_post **posts, size_t n,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct batch b = {0};
    struct gm_pieces tmp;
    gm_arena_init(&b.a, 0);
    gm_arena_init(&b.post, 0);
    gm_pieces_init(&tmp);
    gm_packer_reset(&s->net.packer);
    for (size_t i = 0; i < n; i++)
        if (!posts[i]->error.stage.n && posts[i]->image.n && posts[i]->n_entities)
            GM_TRY(ask_post(s, &b, posts[i], &tmp, err));
    st = answer(s, &b, err);
done:
    gm_pieces_clear(&tmp);
    gm_arena_clear(&b.a);
    gm_arena_clear(&b.post);
    return st;
}
