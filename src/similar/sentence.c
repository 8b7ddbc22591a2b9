/* sentence.c - with h_1 … h_n the encoder's last states of a text's pieces:
 *   v = m / |m|,  m = 1/n sum over i of h_i */
#include "similar/sentence.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"
#include "base/json.h"
#include "model/session.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

enum {
    BATCH_TOKENS = 16384, /* of a packed batch; each goes through the model in parts */
    MAX_PIECES = 256,     /* where the model does not say */
    MAX_CONFIG = 1 << 20
};

struct gm_sentence {
    pthread_mutex_t one; /* the session serves one call at a time */
    struct gm_net net;
    struct gm_net_session session;
    struct gm_pieces pieces;
    size_t max_pieces; /* of a text, [CLS] and [SEP] with them */
};

static enum gm_status read_max_pieces(struct gm_sentence *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    long long n = MAX_PIECES;
    const char *path = gm_path_join(&s->net.arena, s->net.dir, "sentence_bert_config.json");
    GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (gm_is_file(path)) {
        GM_TRY(gm_json_load(&j, path, MAX_CONFIG, err));
        if (gm_json_get(j, "max_seq_length") &&
            (!gm_json_int(gm_json_get(j, "max_seq_length"), &n) || n < 3))
            st = GM_FAIL(err, GM_EMODEL, "%s: \"max_seq_length\" must be a whole number from 3",
                         path);
    }
    s->max_pieces = s->net.enc.config.positions;
    if ((unsigned long long)n < s->max_pieces)
        s->max_pieces = (size_t)n;
done:
    gm_json_free(j);
    return st;
}

enum gm_status gm_sentence_load(struct gm_sentence **out, const char *model, const char *precision,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_net_opts no = {.task = "encode", .precision = precision ? precision : "f32"};
    struct gm_sentence *s = gm_alloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    pthread_mutex_init(&s->one, NULL);
    gm_pieces_init(&s->pieces);
    GM_TRY(gm_net_open(&s->net, model ? model : "minilm", &no, err));
    GM_TRY(gm_net_bind(&s->net, err));
    GM_TRY(gm_net_ready(&s->net, &no, err));
    GM_TRY(gm_net_session_init(&s->session, &s->net, err));
    GM_TRY(read_max_pieces(s, err));
    *out = s;
    s = NULL;
done:
    gm_sentence_free(s);
    return st;
}

void gm_sentence_free(struct gm_sentence *s)
{
    if (!s)
        return;
    gm_pieces_clear(&s->pieces);
    gm_net_session_clear(&s->session);
    gm_net_clear(&s->net);
    pthread_mutex_destroy(&s->one);
    gm_free(s);
}

size_t gm_sentence_dim(const struct gm_sentence *s) { return s->net.enc.config.hidden; }

/* One text as a sequence of its own and one row over all of it. */
static enum gm_status pack_text(struct gm_sentence *s, struct gm_str text, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_packer *p = &s->session.packer;
    size_t from = p->n_tokens;
    gm_pieces_reset(&s->pieces);
    GM_TRY(gm_tokenizer_encode(s->net.tokenizer, text, &s->pieces, err));
    size_t n = s->pieces.n < s->max_pieces - 2 ? s->pieces.n : s->max_pieces - 2;
    GM_TRY(gm_packer_token(p, s->net.special_ids.cls, 0, 0, err));
    for (size_t i = 0; i < n; i++)
        GM_TRY(gm_packer_token(p, s->pieces.items[i].id, 0, 0, err));
    GM_TRY(gm_packer_token(p, s->net.special_ids.sep, 0, 0, err));
    GM_TRY(gm_packer_end_sequence(p, err));
    GM_TRY(gm_packer_row(p, from, p->n_tokens, err));
    st = gm_packer_end_post(p, err);
done:
    return st;
}

struct pooling {
    const struct gm_sentence *s;
    const struct gm_slice *slices;
    float *out; /* [rows][dim] of the batch */
};

static void scale_to_one(float *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)v[i] * (double)v[i];
    for (size_t i = 0; i < n && sum > 0; i++)
        v[i] = (float)((double)v[i] / sqrt(sum));
}

static enum gm_status pool_slice(void *self, struct gm_graph *g, size_t i, struct gm_error *err)
{
    const struct pooling *x = self;
    const struct gm_slice *slice = &x->slices[i];
    size_t dim = gm_sentence_dim(x->s);
    size_t n = slice->end_row - slice->row;
    struct gm_var *y;
    gm_graph_begin(g, false, 0);
    enum gm_status st = gm_slice_states(slice, &x->s->session.packer, &x->s->net.enc, g, &y, err);
    if (st != GM_OK)
        return st;
    g->kn->to_f32(n * dim, y->x, x->out + slice->row * dim);
    for (size_t row = slice->row; row < slice->end_row; row++)
        scale_to_one(x->out + row * dim, dim);
    return GM_OK;
}

/* What is in the packer through the model. */
static enum gm_status run_batch(struct gm_sentence *s, float *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct pooling x = {.s = s, .out = out};
    struct gm_slice *slices;
    struct gm_arena a;
    size_t n;
    gm_arena_init(&a, 0);
    GM_TRY(gm_packer_cut(&s->session.packer,
                         gm_lanes_parts(&s->session.lanes, s->session.packer.n_tokens, false), &a,
                         &slices, &n, err));
    x.slices = slices;
    st = gm_lanes_run(&s->session.lanes, n, pool_slice, &x, err);
done:
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_sentence_embed(struct gm_sentence *s, const struct gm_str *texts, size_t n,
                                 float *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t from = 0;
    pthread_mutex_lock(&s->one);
    gm_packer_reset(&s->session.packer);
    for (size_t i = 0; i < n; i++) {
        GM_TRY(pack_text(s, texts[i], err));
        if (s->session.packer.n_tokens < BATCH_TOKENS && i + 1 < n)
            continue;
        GM_TRY(run_batch(s, out + from * gm_sentence_dim(s), err));
        gm_packer_reset(&s->session.packer);
        from = i + 1;
    }
done:
    pthread_mutex_unlock(&s->one);
    return st;
}
