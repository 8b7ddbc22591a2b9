/* resize.c - antialiased resizing of [h][w][3] bytes. In each direction, for `out` samples from
 * [x0, x1) of `in` samples, with s = (x1 - x0) / out, f = max(1, s) and c_i = x0 + (i + 1/2) s:
 *
 *   result[i] = sum over x of k(|x + 1/2 - c_i| / f) in[x] / sum over x of k(|x + 1/2 - c_i| / f)
 *   bilinear: k(d) = 1 - d for d < 1
 *   bicubic:  k(d) = 1.5 d^3 - 2.5 d^2 + 1 for d < 1,   -0.5 d^3 + 2.5 d^2 - 4 d + 2 for d < 2
 *
 * and 0 beyond: the kernel is stretched by the scale, and never narrower than between input
 * samples. Source: Keys, IEEE Transactions on Acoustics, Speech and Signal Processing 29, 1981,
 * a = -0.5. The weights are those of Pillow's ImagingResample, BILINEAR and BICUBIC with `box`,
 * so that models see what their training code saw. Bilinear sums are kept in f32 between the
 * passes, where Pillow rounds to bytes, so that a result may differ from its by one level.
 * Reference: Pillow's pictures, tests/ref/image_reference.py, compared in
 * tests/unit/test_image_resize.c.
 *
 * In a square of the longer side L, of which a picture covers the upper left, read at S places a direction,
 * with s = L / S, c_i = (i + 1/2) s - 1/2, d = max(0, (s - 1) / 2), r = floor(4 d + 1/2):
 *
 *   blurred[x] = sum over |k| <= r of g(k) in[m(x + k)],  g(k) = exp(-k^2 / (2 d^2)), divided by their sum
 *   result[i] = (1 - t) blurred[f] + t blurred[m(f + 1)],  f = floor(m(c_i)), t = m(c_i) - f
 *
 * where m turns places outside of 0 .. L - 1 back at the first and last sample. Source: scikit-image's
 * resize (anti_aliasing, order 1, mode mirror) by SciPy's gaussian_filter and zoom with grid_mode.
 * Reference: the same sums pixel by pixel in test_image_resize.c, and OWLv2's processor in
 * tests/ref/vision_reference.py.
 *
 * Hot: bilinear. Its vertical pass, first, runs along whole rows; the horizontal pass then has
 * only the output rows to do, with four floats a pixel. CMake compiles this file with -O3 for
 * its vector loops. */
#include "image/image.h"

#include "base/alloc.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { FIXED_BITS = 22 };

struct kernel {
    double reach; /* it is 0 from this distance on */
    double (*at)(double away);
    bool is_fixed; /* weights are Pillow's whole numbers, of 1 / 2^FIXED_BITS */
};

static double triangle(double away) { return away < 1 ? 1 - away : 0; }

static double cubic(double away)
{
    if (away < 1)
        return (1.5 * away - 2.5) * away * away + 1;
    return away < 2 ? ((-0.5 * away + 2.5) * away - 4) * away + 2 : 0;
}

static const struct kernel BILINEAR = {1, triangle, false}, BILINEAR_FIXED = {1, triangle, true},
                           BICUBIC_FIXED = {2, cubic, true};

/* The weights of one direction: output i = sum over k < n[i] of weight[i*most + k] x
 * input[at[i] + k]. */
struct filter {
    uint32_t *at, *n;
    float *weight;
    int32_t *fixed; /* in place of it, of a kernel that is fixed */
    size_t most;    /* taps there is room for */
    size_t taps;    /* that some output has; the weights up to here are 0 where one has fewer */
};

static void filter_clear(struct filter *f)
{
    gm_free(f->at);
    gm_free(f->n);
    gm_free(f->weight);
    gm_free(f->fixed);
}

/* One output's taps, normalised to sum 1 (they are cut off at the picture's edges). */
static void filter_taps(struct filter *f, const struct kernel *kernel, size_t i, uint32_t in,
                        double center, double widen)
{
    double reach = kernel->reach * widen;
    double from = center - reach + 0.5, to = center + reach + 0.5, sum = 0;
    uint32_t first = from > 0 ? (uint32_t)from : 0;
    uint32_t end = to < in ? (uint32_t)to : in;
    for (uint32_t x = first; x < end; x++)
        sum += kernel->at(fabs((x - center + 0.5) / widen));
    for (uint32_t x = first; x < end; x++) {
        double weight = kernel->at(fabs((x - center + 0.5) / widen)) / sum;
        size_t at = i * f->most + x - first;
        if (kernel->is_fixed)
            f->fixed[at] = (int32_t)floor(weight * (1 << FIXED_BITS) + 0.5);
        else
            f->weight[at] = (float)weight;
    }
    f->at[i] = first;
    f->n[i] = end - first;
    f->taps = f->n[i] > f->taps ? f->n[i] : f->taps;
}

/* Room for `out` samples of at most `most` taps, all of weight 0. */
static enum gm_status filter_room(struct filter *f, size_t most, bool is_fixed, uint32_t out,
                                  struct gm_error *err)
{
    size_t n_weights;
    void *weights = gm_mul_size(out, most, &n_weights) ? gm_alloc(n_weights, 4) : NULL;
    f->most = most;
    f->at = gm_alloc(out, sizeof *f->at);
    f->n = gm_alloc(out, sizeof *f->n);
    f->fixed = is_fixed ? weights : NULL;
    f->weight = is_fixed ? NULL : weights;
    if (!f->at || !f->n || !weights)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for resizing to %u pixels", out);
    return GM_OK;
}

/* Weights that map [x0, x1) of `in` samples to `out` samples. */
static enum gm_status filter_init(struct filter *f, const struct kernel *kernel, uint32_t in,
                                  double x0, double x1, uint32_t out, struct gm_error *err)
{
    double scale = (double)((float)x1 - (float)x0) / out, /* as Pillow rounds it */
        widen = scale > 1 ? scale : 1;
    size_t most = (size_t)ceil(widen * kernel->reach) * 2 + 1;
    enum gm_status st = filter_room(f, most, kernel->is_fixed, out, err);
    for (uint32_t i = 0; st == GM_OK && i < out; i++)
        filter_taps(f, kernel, i, in, x0 + (i + 0.5) * scale, widen);
    return st;
}

/* A place of 0 .. last, or outside, turned back at the ends. */
static double mirror(double x, double last)
{
    if (last <= 0)
        return 0;
    x = fmod(fabs(x), 2 * last);
    return x > last ? 2 * last - x : x;
}

/* One output's taps: both blurred samples that it lies between, of weight 1 - t and t. Taps that fall on
 * the black beyond the `in` samples of the picture are left out. */
static void blur_taps(struct filter *f, size_t i, uint32_t in, double center, double last,
                      double deviation, int radius)
{
    double at = mirror(center, last), t = at - floor(at), sum = 0;
    int32_t base = (int32_t)floor(at), first = base - radius - 1;
    float *weight = f->weight + i * f->most;
    first = first > 0 ? first : 0;
    for (int k = -radius; k <= radius; k++)
        sum += deviation > 0 ? exp(-0.5 * k * k / (deviation * deviation)) : 1;
    f->at[i] = (uint32_t)first < in ? (uint32_t)first : in;
    for (int half = 0; half < 2; half++)
        for (int k = -radius; k <= radius; k++) {
            double g = deviation > 0 ? exp(-0.5 * k * k / (deviation * deviation)) : 1;
            uint32_t x = (uint32_t)mirror(mirror(base + half, last) + k, last);
            if (x >= in)
                continue;
            weight[x - f->at[i]] += (float)((half ? t : 1 - t) * g / sum);
            f->n[i] = x - f->at[i] + 1 > f->n[i] ? x - f->at[i] + 1 : f->n[i];
        }
    f->taps = f->n[i] > f->taps ? f->n[i] : f->taps;
}

/* Weights that map a side of the square, on which the picture covers `in` of `longer` samples. */
static enum gm_status filter_blur(struct filter *f, uint32_t in, uint32_t longer, uint32_t out,
                                  struct gm_error *err)
{
    double scale = (double)longer / out, deviation = scale > 1 ? (scale - 1) / 2 : 0;
    int radius = (int)(4 * deviation + 0.5);
    enum gm_status st = filter_room(f, 2 * (size_t)radius + 4, false, out, err);
    for (uint32_t i = 0; st == GM_OK && i < out; i++)
        blur_taps(f, i, in, (i + 0.5) * scale - 0.5, longer - 1.0, deviation, radius);
    return st;
}

/* One resizing under way. Rows in memory: */
struct job {
    const struct gm_image *src;
    struct filter fx, fy;
    size_t first, n; /* the source columns that some output needs: a crop costs what it covers */
    float *sum;      /* [n][3]          vertical sums, and one float that is read and not used */
    float *padded;   /* [n + taps][4]   the same, four floats a pixel; zeros behind them */
    float *line;     /* [w][4]          a row of the result; the fourth float means nothing */
};

static void row_add(float *restrict sum, const uint8_t *restrict row, size_t n, float weight)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += weight * (float)row[i];
}

/* Three floats a pixel to four: the horizontal pass then works on whole vectors. */
static void row_pad(float *restrict out, const float *restrict in, size_t n_pixels)
{
    for (size_t i = 0; i < n_pixels; i++)
        memcpy(out + 4 * i, in + 3 * i, 4 * sizeof *out);
}

/* Every pixel takes the same number of taps, of which some may weigh nothing: a loop whose length
 * changes from pixel to pixel is guessed wrong by the CPU again and again. */
static void row_shrink(float *restrict out, const float *restrict in, const struct filter *f,
                       size_t first, uint32_t w)
{
    for (uint32_t x = 0; x < w; x++, out += 4) {
        const float *px = in + 4 * (f->at[x] - first), *weight = f->weight + x * f->most;
        float sum[4] = {0};
        for (size_t k = 0; k < f->taps; k++, px += 4)
            for (int c = 0; c < 4; c++)
                sum[c] += weight[k] * px[c];
        memcpy(out, sum, sizeof sum);
    }
}

/* The box clipped to the picture; false when nothing is left of it. */
static bool clip_box(const float box[4], const struct gm_image *im, double out[4])
{
    for (int i = 0; i < 4; i++) {
        double most = i % 2 ? im->h : im->w;
        out[i] = box[i] > 0 ? (box[i] < most ? (double)box[i] : most) : 0; /* NaN becomes 0 */
    }
    return out[2] > out[0] && out[3] > out[1];
}

static void job_clear(struct job *j)
{
    gm_free(j->line);
    gm_free(j->padded);
    gm_free(j->sum);
    filter_clear(&j->fx);
    filter_clear(&j->fy);
}

/* Rows for the filters, which are set. */
static enum gm_status job_rows(struct job *j, uint32_t w, struct gm_error *err)
{
    j->first = j->fx.at[0];
    j->n = j->fx.at[w - 1] + j->fx.n[w - 1] - j->first;
    j->sum = gm_alloc(3 * j->n + 1, sizeof *j->sum);
    j->padded = gm_alloc(4 * (j->n + j->fx.taps), sizeof *j->padded);
    j->line = gm_alloc(4 * (size_t)w, sizeof *j->line);
    if (!j->sum || !j->padded || !j->line)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a row of %u pixels", j->src->w);
    return GM_OK;
}

static enum gm_status job_init(struct job *j, const struct gm_image *src, const float box[4],
                               uint32_t w, uint32_t h, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double b[4];
    *j = (struct job){.src = src};
    if (!clip_box(box, src, b))
        return GM_FAIL(err, GM_EARG, "the box [%g %g %g %g] holds no pixel of a %u x %u picture",
                       (double)box[0], (double)box[1], (double)box[2], (double)box[3], src->w,
                       src->h);
    GM_TRY(filter_init(&j->fx, &BILINEAR, src->w, b[0], b[2], w, err));
    GM_TRY(filter_init(&j->fy, &BILINEAR, src->h, b[1], b[3], h, err));
    st = job_rows(j, w, err);
done:
    return st;
}

/* Row y of the result into j->line. */
static void job_row(struct job *j, uint32_t w, uint32_t y)
{
    const float *weight = j->fy.weight + y * j->fy.most;
    memset(j->sum, 0, 3 * j->n * sizeof *j->sum);
    for (uint32_t k = 0; k < j->fy.n[y]; k++) {
        size_t row = j->fy.at[y] + k;
        row_add(j->sum, j->src->rgb + (row * j->src->w + j->first) * 3, 3 * j->n, weight[k]);
    }
    row_pad(j->padded, j->sum, j->n);
    row_shrink(j->line, j->padded, &j->fx, j->first, w);
}

static uint8_t to_byte(float v) { return (uint8_t)(v < 0 ? 0 : v > 254.5f ? 255 : v + 0.5f); }

enum gm_status gm_image_resize(struct gm_image **out, const struct gm_image *src,
                               const float box[4], uint32_t w, uint32_t h, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *to = NULL;
    struct job j = {0};
    *out = NULL;
    GM_TRY(gm_image_new(&to, w, h, err));
    GM_TRY(job_init(&j, src, box, w, h, err));
    for (uint32_t y = 0; y < h; y++) {
        uint8_t *row = to->rgb + (size_t)y * w * 3;
        job_row(&j, w, y);
        for (size_t x = 0; x < w; x++)
            for (size_t c = 0; c < 3; c++)
                row[3 * x + c] = to_byte(j.line[4 * x + c]);
    }
    *out = to;
    to = NULL;
done:
    job_clear(&j);
    gm_image_free(to);
    return st;
}

/* Sums of `n` values that lie `step` bytes apart, rounded: one channel of a tap's line. In Pillow's fixed
 * point, so that what lies between two bytes goes to the same one. */
static uint8_t weigh(const uint8_t *from, size_t step, const int32_t *weight, size_t n)
{
    int32_t sum = 1 << (FIXED_BITS - 1);
    for (size_t k = 0; k < n; k++)
        sum += weight[k] * from[k * step];
    sum = sum < 0 ? 0 : sum >> FIXED_BITS;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

/* Rows of n_rows lines, `line` bytes apart, whose first pixel is number `first` of the picture's. */
static void pass_across(uint8_t *out, const uint8_t *in, size_t line, size_t first, size_t n_rows,
                        const struct filter *f, size_t w)
{
    for (size_t y = 0; y < n_rows; y++, in += line)
        for (size_t x = 0; x < 3 * w; x++)
            *out++ = weigh(in + (f->at[x / 3] - first) * 3 + x % 3, 3, f->fixed + x / 3 * f->most,
                           f->n[x / 3]);
}

/* `bytes` columns of lines that are `line` bytes apart, the first of which is number `first`. */
static void pass_down(uint8_t *out, const uint8_t *in, size_t line, size_t bytes, size_t first,
                      const struct filter *f, size_t h)
{
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < bytes; x++)
            *out++ =
                weigh(in + (f->at[y] - first) * line + x, line, f->fixed + y * f->most, f->n[y]);
}

static size_t span(const struct filter *f, size_t n)
{
    return f->at[n - 1] + f->n[n - 1] - f->at[0];
}

/* Both directions, rounded and clipped to bytes between them, as Pillow does it: where a bicubic filter
 * overshoots at an edge, clipping once at the end is off by many levels; and a bilinear one is then the same
 * in every byte. Pillow 13 begins with the columns of a picture that loses most of its height. */
static enum gm_status both_passes(struct gm_image *to, const struct gm_image *src,
                                  const struct filter *fx, const struct filter *fy,
                                  struct gm_error *err)
{
    size_t line = 3 * (size_t)src->w, x0 = fx->at[0], y0 = fy->at[0];
    size_t nx = span(fx, to->w), ny = span(fy, to->h);
    bool down_first =
        src->h > to->h && (int64_t)src->h - to->h > 2 * ((int64_t)src->w - (int64_t)to->w);
    uint8_t *between = down_first ? gm_alloc(to->h, 3 * nx) : gm_alloc(ny, 3 * (size_t)to->w);
    if (!between)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a picture between two passes");
    if (down_first) {
        pass_down(between, src->rgb + 3 * x0, line, 3 * nx, 0, fy, to->h);
        pass_across(to->rgb, between, 3 * nx, x0, to->h, fx, to->w);
    } else {
        pass_across(between, src->rgb + y0 * line, line, 0, ny, fx, to->w);
        pass_down(to->rgb, between, 3 * (size_t)to->w, 3 * (size_t)to->w, y0, fy, to->h);
    }
    gm_free(between);
    return GM_OK;
}

static enum gm_status resize_bytes(struct gm_image **out, const struct kernel *kernel,
                                   const struct gm_image *src, const float box[4], uint32_t w,
                                   uint32_t h, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *to = NULL;
    struct filter fx = {0}, fy = {0};
    double b[4];
    *out = NULL;
    GM_TRY(gm_image_new(&to, w, h, err));
    GM_TRY(
        clip_box(box, src, b)
            ? GM_OK
            : GM_FAIL(err, GM_EARG, "the box holds no pixel of a %u x %u picture", src->w, src->h));
    GM_TRY(filter_init(&fx, kernel, src->w, b[0], b[2], w, err));
    GM_TRY(filter_init(&fy, kernel, src->h, b[1], b[3], h, err));
    GM_TRY(both_passes(to, src, &fx, &fy, err));
    *out = to;
    to = NULL;
done:
    filter_clear(&fx);
    filter_clear(&fy);
    gm_image_free(to);
    return st;
}

enum gm_status gm_image_resize_cubic(struct gm_image **out, const struct gm_image *src,
                                     const float box[4], uint32_t w, uint32_t h,
                                     struct gm_error *err)
{
    return resize_bytes(out, &BICUBIC_FIXED, src, box, w, h, err);
}

enum gm_status gm_image_resize_bytes(struct gm_image **out, const struct gm_image *src,
                                     const float box[4], uint32_t w, uint32_t h,
                                     struct gm_error *err)
{
    return resize_bytes(out, &BILINEAR_FIXED, src, box, w, h, err);
}

/* All rows of the job, plane by plane. */
static void job_planes(struct job *j, float *out, uint32_t w, uint32_t h,
                       const struct gm_plane planes[3])
{
    for (uint32_t y = 0; y < h; y++) {
        job_row(j, w, y);
        for (size_t c = 0; c < 3; c++) {
            const float *from = j->line + planes[c].channel;
            float *row = out + (c * h + y) * w, scale = planes[c].scale, shift = planes[c].shift;
            for (size_t x = 0; x < w; x++)
                row[x] = from[4 * x] * scale + shift;
        }
    }
}

enum gm_status gm_image_resize_planes(float *out, const struct gm_image *src, uint32_t w,
                                      uint32_t h, const struct gm_plane planes[3],
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const float whole[4] = {0, 0, (float)src->w, (float)src->h};
    struct job j = {0};
    if (w == 0 || h == 0)
        return GM_FAIL(err, GM_EARG, "cannot resize to %u x %u pixels", w, h);
    GM_TRY(job_init(&j, src, whole, w, h, err));
    job_planes(&j, out, w, h, planes);
done:
    job_clear(&j);
    return st;
}

enum gm_status gm_image_square_planes(float *out, const struct gm_image *src, uint32_t side,
                                      const struct gm_plane planes[3], struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct job j = {.src = src};
    uint32_t longer = src->w > src->h ? src->w : src->h;
    if (side == 0)
        return GM_FAIL(err, GM_EARG, "cannot resize to no pixels");
    GM_TRY(filter_blur(&j.fx, src->w, longer, side, err));
    GM_TRY(filter_blur(&j.fy, src->h, longer, side, err));
    GM_TRY(job_rows(&j, side, err));
    job_planes(&j, out, side, side, planes);
done:
    job_clear(&j);
    return st;
}
