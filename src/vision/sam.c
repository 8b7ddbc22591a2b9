/* sam.c - a picture of w x h pixels and a model of side S (1024), with m = max(w, h):
 *
 *   rw = floor(w S / m + 1/2), rh = floor(h S / m + 1/2)
 *   resize to rw x rh (bilinear, as Pillow), x[c][i] = (value[i][c] / 255 - MEAN[c]) / DEVIATION[c], and 0
 *   right of it and below, up to S x S
 *   box (x0, y0, x1, y1) -> (x0 rw / w, y0 rh / h, x1 rw / w, y1 rh / h)
 *   logits = decoder(encoder(x), box) [masks][S/4][S/4] -> the picture by mask_map.c; inside where > 0
 *
 * EfficientSAM does all of this itself: it is given the picture's values / 255, its size and the box. An
 * encoder of values [H,W,3] (samexporter's) is given those of rw x rh, not normalised.
 * Sources: sam.h; transformers' SamImageProcessor. Tests: tests/unit/test_vision_sam.c, tests/e2e/test_sam.py,
 * tests/ref/sam_reference.py. */
#include "vision/sam.h"

#include "base/alloc.h"
#include "vision/mask_map.h"
#include "vision/sam_ports.h"
#include "vision/vision_session.h"

#include <math.h>
#include <string.h>

enum { SIDE = 1024, MAX_SIDE = 4096, MASKS_MAX = 64 };

/* Of ImageNet's pictures. */
static const float MEAN[3] = {0.485f, 0.456f, 0.406f}, DEVIATION[3] = {0.229f, 0.224f, 0.225f};

struct gm_sam {
    struct gm_session *encoder, *decoder;
    struct gm_sam_ports ports;
    float *pixels; /* of the encoder's input */
    size_t pixels_cap;
    float *no_mask; /* zeros for the input mask_input */
    size_t no_mask_n;
    uint32_t w, h, rw, rh; /* of the picture looked at */
    struct gm_session_tensor embeddings[2];
    const float *map; /* of the last box */
    size_t map_h, map_w;
};

void gm_sam_free(struct gm_sam *s)
{
    if (!s)
        return;
    gm_free(s->pixels);
    gm_free(s->no_mask);
    gm_session_free(s->decoder);
    gm_session_free(s->encoder);
    gm_free(s);
}

enum gm_status gm_sam_load(struct gm_sam **out, const struct gm_sam_files *files, bool bf16,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_session_opts opts = {.one_lane = true, .batch_of_one = true};
    struct gm_sam *s = gm_alloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for SAM");
    /* The decoder first: it is small, and its names tell the most. */
    GM_TRY(gm_session_load(&s->decoder, files->decoder, &opts, err));
    GM_TRY(gm_sam_read_decoder(&s->ports, s->decoder, files->decoder, err));
    opts.bf16 = bf16;
    GM_TRY(gm_session_load(&s->encoder, files->encoder, &opts, err));
    GM_TRY(gm_sam_read_encoder(&s->ports, s->encoder, files->encoder, err));
    *out = s;
    s = NULL;
done:
    gm_sam_free(s);
    return st;
}

bool gm_sam_takes_boxes(const struct gm_sam *s) { return s->ports.takes_boxes; }

static enum gm_status reserve(float **p, size_t *cap, size_t n, struct gm_error *err)
{
    if (n <= *cap)
        return GM_OK;
    gm_free(*p);
    *cap = 0;
    *p = gm_alloc_aligned(n, sizeof **p);
    if (!*p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu numbers of a picture", n);
    *cap = n;
    return GM_OK;
}

static uint32_t scaled(uint32_t size, uint32_t longer, size_t side)
{
    uint32_t r = (uint32_t)((double)size * ((double)side / (double)longer) + 0.5);
    return r ? r : 1;
}

/* How large the encoder is to see the picture. */
static void choose_size(struct gm_sam *s, const struct gm_image *im)
{
    const struct gm_sam_ports *p = &s->ports;
    uint32_t longer = im->w > im->h ? im->w : im->h;
    s->w = im->w;
    s->h = im->h;
    if (p->pixels_are == GM_SAM_WHOLE) {
        s->rw = p->fixed_w ? (uint32_t)p->fixed_w : im->w;
        s->rh = p->fixed_h ? (uint32_t)p->fixed_h : im->h;
    } else {
        s->rw = scaled(im->w, longer, p->side);
        s->rh = scaled(im->h, longer, p->side);
    }
}

/* Planes [3][rows][stride] of the picture `im`, which fills their upper left corner. */
static void set_planes(float *to, size_t rows, size_t stride, const struct gm_image *im,
                       bool normalise)
{
    for (size_t c = 0; c < 3; c++) {
        float mean = normalise ? MEAN[c] : 0, deviation = normalise ? DEVIATION[c] : 1;
        for (size_t y = 0; y < im->h; y++)
            for (size_t x = 0; x < im->w; x++)
                to[(c * rows + y) * stride + x] =
                    ((float)im->rgb[(y * im->w + x) * 3 + c] / 255 - mean) / deviation;
    }
}

/* The encoder's input; *in points to s->pixels. */
static enum gm_status set_pixels(struct gm_sam *s, const struct gm_image *im,
                                 struct gm_session_tensor *in, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_sam_ports *p = &s->ports;
    const float whole[4] = {0, 0, (float)im->w, (float)im->h};
    struct gm_image *small = NULL;
    size_t rows, stride, n;
    choose_size(s, im);
    rows = p->pixels_are == GM_SAM_PADDED ? p->side : s->rh;
    stride = p->pixels_are == GM_SAM_PADDED ? p->side : s->rw;
    n = 3 * rows * stride;
    GM_TRY(reserve(&s->pixels, &s->pixels_cap, n, err));
    if (s->rw != im->w || s->rh != im->h) {
        GM_TRY(gm_image_resize_bytes(&small, im, whole, s->rw, s->rh, err));
        im = small;
    }
    *in = (struct gm_session_tensor){p->pixels, s->pixels, {1, 3, rows, stride}, 4};
    if (p->pixels_are == GM_SAM_ROWS) {
        *in = (struct gm_session_tensor){p->pixels, s->pixels, {rows, stride, 3}, 3};
        for (size_t i = 0; i < n; i++)
            s->pixels[i] = (float)im->rgb[i];
    } else {
        memset(s->pixels, 0, n * sizeof *s->pixels);
        set_planes(s->pixels, rows, stride, im, p->pixels_are == GM_SAM_PADDED);
    }
done:
    gm_image_free(small);
    return st;
}

enum gm_status gm_sam_look(struct gm_sam *s, const struct gm_image *im, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_session_tensor in;
    for (size_t i = 0; i < 2; i++)
        s->embeddings[i] = (struct gm_session_tensor){.name = s->ports.embeddings[i]};
    GM_TRY(set_pixels(s, im, &in, err));
    GM_TRY(
        gm_session_run(s->encoder, 0, &in, 1, s->embeddings, s->ports.embeddings[1] ? 2 : 1, err));
done:
    return st;
}

/* What one box is to the decoder: numbers that its inputs point to. */
struct prompt {
    float corners[4], middle[2], corner_labels[2], one[1], none[1], size[2];
};

static struct prompt prompt_of(const struct gm_sam *s, const double box[4])
{
    bool whole = s->ports.pixels_are == GM_SAM_WHOLE;
    double sx = whole ? 1 : (double)s->rw / s->w, sy = whole ? 1 : (double)s->rh / s->h;
    struct prompt q = {.corner_labels = {2, 3}, .one = {1}};
    for (size_t i = 0; i < 4; i++)
        q.corners[i] = (float)(box[i] * (i % 2 ? sy : sx));
    q.middle[0] = (q.corners[0] + q.corners[2]) / 2;
    q.middle[1] = (q.corners[1] + q.corners[3]) / 2;
    /* The decoder's own masks of the picture's size are not looked at where it tells the small ones. */
    q.size[0] = s->ports.maps_are_small ? 64 : (float)s->h;
    q.size[1] = s->ports.maps_are_small ? 64 : (float)s->w;
    return q;
}

/* The decoder's mask_input: no mask, of four times the embeddings' sides. */
static enum gm_status no_mask(struct gm_sam *s, struct gm_session_tensor *t, struct gm_error *err)
{
    const struct gm_session_tensor *e = &s->embeddings[0];
    size_t h = e->rank == 4 ? 4 * e->dims[2] : 0, w = e->rank == 4 ? 4 * e->dims[3] : 0;
    if (h * w > s->no_mask_n) {
        enum gm_status st = reserve(&s->no_mask, &s->no_mask_n, h * w, err);
        if (st != GM_OK)
            return st;
        memset(s->no_mask, 0, h * w * sizeof *s->no_mask);
    }
    *t = (struct gm_session_tensor){t->name, s->no_mask, {1, 1, h, w}, 4};
    return GM_OK;
}

static enum gm_status set_input(struct gm_sam *s, const struct prompt *q, enum gm_sam_role role,
                                const char *name, struct gm_session_tensor *t, struct gm_error *err)
{
    bool also_boxes = s->ports.takes_boxes; /* then no point stands for a box */
    *t = (struct gm_session_tensor){.name = name};
    switch (role) {
    case GM_SAM_EMBEDDINGS:
    case GM_SAM_POSITIONS:
        *t = s->embeddings[role == GM_SAM_POSITIONS];
        t->name = name;
        break;
    case GM_SAM_BOXES: *t = (struct gm_session_tensor){name, q->corners, {1, 1, 4}, 3}; break;
    case GM_SAM_POINTS:
        *t = (struct gm_session_tensor){name, q->middle, {1, 1, !also_boxes, 2}, 4};
        break;
    case GM_SAM_POINT_LABELS:
        *t = (struct gm_session_tensor){name, q->one, {1, 1, !also_boxes}, 3};
        break;
    case GM_SAM_CORNERS: *t = (struct gm_session_tensor){name, q->corners, {1, 2, 2}, 3}; break;
    case GM_SAM_CORNER_LABELS:
        *t = (struct gm_session_tensor){name, q->corner_labels, {1, 2}, 2};
        break;
    case GM_SAM_QUERY_CORNERS:
        *t = (struct gm_session_tensor){name, q->corners, {1, 1, 2, 2}, 4};
        break;
    case GM_SAM_QUERY_LABELS:
        *t = (struct gm_session_tensor){name, q->corner_labels, {1, 1, 2}, 3};
        break;
    case GM_SAM_SIZE: *t = (struct gm_session_tensor){name, q->size, {2}, 1}; break;
    case GM_SAM_HAS_MASK: *t = (struct gm_session_tensor){name, q->none, {1}, 1}; break;
    case GM_SAM_MASK: return no_mask(s, t, err);
    }
    return GM_OK;
}

/* The mask with the largest predicted IoU, of out[0] (scores) and out[1] (maps). */
static enum gm_status pick_best(struct gm_sam *s, const struct gm_session_tensor out[2], float *iou,
                                struct gm_error *err)
{
    size_t n = 1, maps = 1, best = 0;
    for (size_t i = 0; i < out[0].rank; i++)
        n *= out[0].dims[i];
    for (size_t i = 0; i + 2 < out[1].rank; i++)
        maps *= out[1].dims[i];
    if (out[1].rank < 3 || n == 0 || n != maps || n > MASKS_MAX)
        return GM_FAIL(err, GM_ESHAPE,
                       "the mask decoder gives %zu scores \"%s\" for %zu masks \"%s\"", n,
                       out[0].name, maps, out[1].name);
    for (size_t i = 1; i < n; i++)
        if (out[0].data[i] > out[0].data[best])
            best = i;
    s->map_h = out[1].dims[out[1].rank - 2];
    s->map_w = out[1].dims[out[1].rank - 1];
    s->map = out[1].data + best * s->map_h * s->map_w;
    if (iou)
        *iou = out[0].data[best];
    return GM_OK;
}

enum gm_status gm_sam_mask(struct gm_sam *s, const double box[4], uint8_t *mask, size_t *area,
                           float *iou, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_sam_ports *p = &s->ports;
    const struct prompt q = prompt_of(s, box);
    struct gm_session_tensor in[GM_SAM_INPUTS_MAX],
        out[2] = {{.name = p->scores}, {.name = p->maps}};
    const struct gm_map_view view = {.w = s->w,
                                     .h = s->h,
                                     .side = p->maps_are_padded ? (uint32_t)p->side : 0,
                                     .rw = s->rw,
                                     .rh = s->rh};
    for (size_t i = 0; i < p->n_inputs; i++)
        GM_TRY(set_input(s, &q, p->inputs[i].role, p->inputs[i].name, &in[i], err));
    GM_TRY(gm_session_run(s->decoder, 0, in, p->n_inputs, out, 2, err));
    GM_TRY(pick_best(s, out, iou, err));
    GM_TRY(gm_mask_of_map(s->map, s->map_h, s->map_w, &view, mask, area, err));
done:
    return st;
}

const float *gm_sam_map(const struct gm_sam *s, size_t *h, size_t *w)
{
    *h = s->map_h;
    *w = s->map_w;
    return s->map;
}
