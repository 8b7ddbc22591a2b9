/* clip.c - for a picture of w x h pixels and the model's side S (224), with m = min(w, h):
 *
 *   resize to floor(S w / m) x floor(S h / m) (bicubic), keep the S x S pixels in the middle
 *   x [3][S][S], x[k][i] = (value[i][k] / 255 - MEAN[k]) / DEVIATION[k]       k: red, green, blue
 *   v = model(x),   out = v / |v|                                            [dim]; the norm is f64
 *
 * Source: clip.h. Tests: tests/unit/test_vision_clip.c. */
#include "vision/clip.h"

#include "base/alloc.h"
#include "vision/vision_session.h"

#include <math.h>
#include <string.h>

enum {
    SIDE = 224,
    MAX_SIDE = 4096,
    LONG_SIDES = 8 /* a picture of more sides is long */
};

/* Of CLIP's training pictures. */
static const float MEAN[3] = {0.48145466f, 0.4578275f, 0.40821073f};
static const float DEVIATION[3] = {0.26862954f, 0.26130258f, 0.27577711f};

struct gm_clip {
    struct gm_session *session;
    const char *input, *output; /* the session's */
    size_t side, dim;
    float *pixels[GM_SESSION_LANES_MAX]; /* [3][side][side] */
};

static enum gm_status pick_input(struct gm_clip *c, const char *path, struct gm_error *err)
{
    size_t n;
    const struct gm_session_port *in = gm_session_inputs(c->session, &n);
    if (n != 1 || (in->rank && in->rank != 4) || (in->rank && in->dims[1] && in->dims[1] != 3))
        return GM_FAIL(
            err, GM_EMODEL,
            "%s: %zu input%s, the first \"%s\" of rank %zu, where a CLIP vision model has one of "
            "pixels [N,3,H,W]; export the vision model alone",
            path, n, n == 1 ? "" : "s", n ? in->name : "", n ? in->rank : 0);
    c->input = in->name;
    c->side = in->rank && in->dims[2] ? in->dims[2] : SIDE;
    if (in->rank && (in->dims[2] != in->dims[3] || in->dims[2] > MAX_SIDE))
        return GM_FAIL(err, GM_EMODEL, "%s: input \"%s\" is no square of at most %d pixels a side",
                       path, in->name, (int)MAX_SIDE);
    return GM_OK;
}

static enum gm_status pick_output(struct gm_clip *c, const char *path, struct gm_error *err)
{
    size_t n, best = 0, value = 0;
    const struct gm_session_port *out = gm_session_outputs(c->session, &n);
    for (size_t i = 0; i < n; i++) {
        size_t mine = strcmp(out[i].name, "image_embeds") == 0    ? 3
                      : strcmp(out[i].name, "pooler_output") == 0 ? 2
                                                                  : out[i].rank == 2;
        if (mine > value) {
            best = i;
            value = mine;
        }
    }
    if (n == 0 || !out[best].name[0])
        return GM_FAIL(err, GM_EMODEL, "%s: the model's output has no name", path);
    c->output = out[best].name;
    return GM_OK;
}

static enum gm_status infer(struct gm_clip *c, size_t lane, struct gm_session_tensor *out,
                            struct gm_error *err)
{
    const struct gm_session_tensor in = {c->input, c->pixels[lane], {1, 3, c->side, c->side}, 4};
    *out = (struct gm_session_tensor){.name = c->output};
    return gm_session_run(c->session, lane, &in, 1, out, 1, err);
}

/* How long a vector is, known when one is there: by a run on a grey picture. */
static enum gm_status measure(struct gm_clip *c, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_session_tensor out;
    size_t wide = 0;
    memset(c->pixels[0], 0, 3 * c->side * c->side * sizeof *c->pixels[0]);
    GM_TRY(infer(c, 0, &out, err));
    c->dim = 1;
    for (size_t i = 0; i < out.rank; i++) {
        c->dim *= out.dims[i];
        wide += out.dims[i] != 1;
    }
    if (wide != 1)
        st = GM_FAIL(err, GM_EMODEL,
                     "%s: output \"%s\" is not one vector a picture (%zu sides are longer than 1); "
                     "export the model with its projection",
                     path, c->output, wide);
done:
    return st;
}

enum gm_status gm_clip_load(struct gm_clip **out, const char *path, bool bf16, struct gm_error *err)
{
    const struct gm_session_opts opts = {.bf16 = bf16, .batch_of_one = true};
    enum gm_status st = GM_OK;
    struct gm_clip *c = gm_alloc(1, sizeof *c);
    *out = NULL;
    if (!c)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for the picture encoder");
    GM_TRY(gm_session_load(&c->session, path, &opts, err));
    GM_TRY(pick_input(c, path, err));
    GM_TRY(pick_output(c, path, err));
    for (size_t i = 0; i < gm_session_lanes(c->session); i++) {
        c->pixels[i] = gm_alloc_aligned(3 * c->side * c->side, sizeof *c->pixels[i]);
        if (!c->pixels[i]) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory for the picture encoder");
            goto done;
        }
    }
    GM_TRY(measure(c, path, err));
    *out = c;
    c = NULL;
done:
    gm_clip_free(c);
    return st;
}

void gm_clip_free(struct gm_clip *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < GM_SESSION_LANES_MAX; i++)
        gm_free(c->pixels[i]);
    gm_session_free(c->session);
    gm_free(c);
}

size_t gm_clip_dim(const struct gm_clip *c) { return c->dim; }

size_t gm_clip_lanes(const struct gm_clip *c) { return gm_session_lanes(c->session); }

/* What is kept of a picture once its shorter side has `side` pixels. The longer side is rounded down, and the
 * square starts at whole pixels, as in the reference. */
struct middle {
    size_t w, h, left, top;
};

static struct middle middle_of(const struct gm_image *im, size_t side)
{
    size_t w = im->w, h = im->h;
    struct middle m = {.w = w <= h ? side : side * w / h, .h = w <= h ? side * h / w : side};
    m.left = (m.w - side) / 2;
    m.top = (m.h - side) / 2;
    return m;
}

/* The whole picture is resized, so that each byte is rounded as in the reference; of one that is very long, only
 * what is kept. `from`: where that lies in *out. */
static enum gm_status resize(struct gm_image **out, const struct gm_image *im, size_t side,
                             size_t *from, struct gm_error *err)
{
    struct middle m = middle_of(im, side);
    bool is_long = m.w + m.h > LONG_SIDES * side;
    double sx = (double)im->w / (double)m.w, sy = (double)im->h / (double)m.h;
    float box[4] = {0, 0, (float)im->w, (float)im->h};
    if (is_long) {
        box[0] = (float)((double)m.left * sx);
        box[1] = (float)((double)m.top * sy);
        box[2] = (float)((double)(m.left + side) * sx);
        box[3] = (float)((double)(m.top + side) * sy);
    }
    *from = is_long ? 0 : m.top * m.w + m.left;
    return gm_image_resize_cubic(out, im, box, (uint32_t)(is_long ? side : m.w),
                                 (uint32_t)(is_long ? side : m.h), err);
}

static enum gm_status set_pixels(struct gm_clip *c, float *pixels, const struct gm_image *im,
                                 struct gm_error *err)
{
    struct gm_image *small = NULL;
    size_t from, n = c->side * c->side;
    enum gm_status st = resize(&small, im, c->side, &from, err);
    for (size_t k = 0; st == GM_OK && k < 3; k++)
        for (size_t i = 0; i < n; i++) {
            size_t at = from + i / c->side * small->w + i % c->side;
            pixels[k * n + i] = ((float)small->rgb[3 * at + k] / 255 - MEAN[k]) / DEVIATION[k];
        }
    gm_image_free(small);
    return st;
}

enum gm_status gm_clip_run(struct gm_clip *c, size_t lane, const struct gm_image *im, float *out,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_session_tensor t;
    double sum = 0;
    GM_TRY(set_pixels(c, c->pixels[lane], im, err));
    GM_TRY(infer(c, lane, &t, err));
    for (size_t i = 0; i < c->dim; i++)
        sum += (double)t.data[i] * (double)t.data[i];
    for (size_t i = 0; i < c->dim; i++)
        out[i] = sum > 0 ? (float)((double)t.data[i] / sqrt(sum)) : 0;
done:
    return st;
}
