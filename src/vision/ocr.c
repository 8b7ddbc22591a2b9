/* ocr.c - the three models of a reader, and what is done before, between and after them. Figures that
 * are not explained are RapidOCR's. */
#include "vision/ocr.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/parallel.h"
#include "vision/ctc.h"
#include "vision/onnx_meta.h"
#include "vision/vision_session.h"
#include "vision/textcrop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    GRID = 32,        /* the detector takes multiples of it */
    STRIP_H = 48,     /* of the recogniser and the classifier */
    STRIP_MIN = 320,  /* narrower lines are followed by grey */
    STRIP_MAX = 4096, /* wider ones are squeezed */
    STRIP_LEAST = 96, /* of a strip that fits its line */
    STRIP_STEP = 32,
    STRIPS_ALIKE = 6, /* neighbours in width that get the width of the widest */
    TURN_W = 192,     /* of the classifier's strip */
    BANNER = 8,       /* a picture of more than this many times its height in width … */
    BANNER_H = 30     /* … or of no more than this height gets black above and below */
};

/* A line stands on its head when the classifier is surer of it than this. */
static const float TURNED_MIN = 0.9f;
/* A picture that gets smaller than this is reduced smoothly, and not as RapidOCR does. */
static const double SMOOTH_MAX = 0.8;

/* Blue, green, red; (x / 255 - 0.5) / 0.5. */
static const struct gm_plane PLANES[3] = {
    {2, 1 / 127.5f, -1}, {1, 1 / 127.5f, -1}, {0, 1 / 127.5f, -1}};

struct lane {
    float *input; /* [cap] */
    size_t cap;
};

struct gm_ocr {
    struct gm_ocr_opts opts;
    struct gm_arena arena; /* the files' names and the characters */
    struct gm_ocr_files files;
    struct gm_session *detector;
    struct gm_session *recogniser; /* after prepare */
    struct gm_characters characters;
    struct gm_session *classifier; /* when a line is doubted; under the lock */
    pthread_mutex_t lock;
    bool has_begun; /* to open the recogniser beside other work; under the lock */
    bool is_opening;
    pthread_t opener;
    struct lane lanes[GM_SESSION_LANES_MAX];
};

struct gm_ocr_opts gm_ocr_opts_default(void)
{
    return (struct gm_ocr_opts){.map = gm_textmap_opts_default(),
                                .pixels = 750000,
                                .glance = 192,
                                .score_min = 0.5,
                                .upright_min = 0.9,
                                .bf16_find = true,
                                .bf16_read = true};
}

enum gm_status gm_ocr_load(struct gm_ocr **out, const struct gm_ocr_files *files,
                           const struct gm_ocr_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_ocr *r = gm_alloc(1, sizeof *r);
    *out = NULL;
    if (!r)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for the reader");
    gm_arena_init(&r->arena, 0);
    pthread_mutex_init(&r->lock, NULL);
    r->opts = opts ? *opts : gm_ocr_opts_default();
    r->files.recogniser = gm_arena_str(&r->arena, gm_str(files->recogniser)).p;
    r->files.classifier = gm_arena_str(&r->arena, gm_str(files->classifier)).p;
    if (!r->files.recogniser || !r->files.classifier) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for the reader");
        goto done;
    }
    struct gm_session_opts so = {.model = "ppocr", .bf16 = r->opts.bf16_find, .many_shapes = true};
    GM_TRY(gm_session_load(&r->detector, files->detector, &so, err));
    *out = r;
    r = NULL;
done:
    gm_ocr_free(r);
    return st;
}

void gm_ocr_free(struct gm_ocr *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < GM_SESSION_LANES_MAX; i++)
        gm_free(r->lanes[i].input);
    if (r->is_opening)
        pthread_join(r->opener, NULL);
    pthread_mutex_destroy(&r->lock);
    gm_session_free(r->classifier);
    gm_session_free(r->recogniser);
    gm_session_free(r->detector);
    gm_arena_clear(&r->arena);
    gm_free(r);
}

size_t gm_ocr_lanes(const struct gm_ocr *r) { return gm_session_lanes(r->detector); }

/* A model that is opened while lanes work gets as many as they are, whatever this one's threads. */
static enum gm_status with_lanes(struct gm_ocr *r,
                                 enum gm_status (*open)(struct gm_ocr *r, struct gm_error *err),
                                 struct gm_error *err)
{
    size_t budget = gm_threads();
    gm_threads_set(gm_ocr_lanes(r));
    enum gm_status st = open(r, err);
    gm_threads_set(budget);
    return st;
}

static enum gm_status open_recogniser(struct gm_ocr *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str text;
    const struct gm_session_opts so = {
        .model = "ppocr", .bf16 = r->opts.bf16_read, .many_shapes = true};
    if (!r->recogniser)
        GM_TRY(gm_session_load(&r->recogniser, r->files.recogniser, &so, err));
    if (!r->characters.n) {
        GM_TRY(gm_onnx_meta(&r->arena, r->files.recogniser, "character", &text, err));
        GM_TRY(gm_characters_split(&r->arena, text, &r->characters, err));
    }
done:
    return st;
}

static void *open_ahead(void *r)
{
    (void)open_recogniser(r, NULL); /* what can't be opened now says later why not */
    return NULL;
}

/* A picture has text: while it is looked for, a thread that has nothing to do opens what reads it. */
static void begin_to_open(struct gm_ocr *r)
{
    size_t lanes = gm_ocr_lanes(r);
    if (lanes < 2 && gm_threads() < 2)
        return;
    pthread_mutex_lock(&r->lock);
    if (!r->has_begun)
        r->is_opening = gm_thread_start(&r->opener, lanes, open_ahead, r, NULL) == GM_OK;
    r->has_begun = true;
    pthread_mutex_unlock(&r->lock);
}

enum gm_status gm_ocr_prepare(struct gm_ocr *r, struct gm_error *err)
{
    r->has_begun = true;
    if (r->is_opening)
        pthread_join(r->opener, NULL);
    r->is_opening = false;
    return with_lanes(r, open_recogniser, err);
}

static enum gm_status open_classifier(struct gm_ocr *r, struct gm_error *err)
{
    const struct gm_session_tensor strip = {"x", NULL, {1, 3, STRIP_H, TURN_W}, 4};
    const struct gm_session_opts so = {.model = "ppocr", .inputs = &strip, .n_inputs = 1};
    return r->classifier ? GM_OK : gm_session_load(&r->classifier, r->files.classifier, &so, err);
}

/* Room for the planes of w x h pixels. */
static enum gm_status reserve(struct lane *l, size_t w, size_t h, struct gm_error *err)
{
    size_t need = 3 * w * h;
    if (need <= l->cap)
        return GM_OK;
    gm_free(l->input);
    l->cap = 0;
    if (!(l->input = gm_alloc_aligned(need, sizeof *l->input)))
        return GM_FAIL(err, GM_ENOMEM, "out of memory to read a picture of %zu x %zu pixels", w, h);
    l->cap = need;
    return GM_OK;
}

/* A side in the detector's grid. */
static size_t to_grid(double side)
{
    double n = rint(floor(side) / GRID);
    return n < 1 ? GRID : (size_t)n * GRID;
}

/* The detector's size for a picture of which `scale` is to be seen, and never more than its pixels. */
static void detector_size(const struct gm_ocr *r, const struct gm_image *im, double scale,
                          size_t *w, size_t *h)
{
    double area = (double)im->w * im->h;
    scale = fmin(scale, sqrt((double)r->opts.pixels / area));
    *w = to_grid(im->w * scale);
    *h = to_grid(im->h * scale);
}

/* The detector's map of the picture scaled by `scale`; valid until the lane's next run. */
static enum gm_status detect(struct gm_ocr *r, size_t lane, const struct gm_image *im, double scale,
                             struct gm_textmap *map, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct lane *l = &r->lanes[lane];
    size_t w, h;
    detector_size(r, im, scale, &w, &h);
    GM_TRY(reserve(l, w, h, err));
    if ((double)w < SMOOTH_MAX * im->w)
        GM_TRY(gm_image_resize_planes(l->input, im, (uint32_t)w, (uint32_t)h, PLANES, err));
    else
        GM_TRY(gm_text_planes(im, w, h, l->input, err));
    const struct gm_session_tensor in = {"x", l->input, {1, 3, h, w}, 4};
    struct gm_session_tensor out = {.name = "fetch_name_0"};
    GM_TRY(gm_session_run(r->detector, lane, &in, 1, &out, 1, err));
    const size_t dims[4] = {1, 1, h, w};
    GM_TRY(gm_session_expect(r->detector, &out, dims, 4, err));
    *map = (struct gm_textmap){out.data, h, w};
done:
    return st;
}

/* Whether a look at the small picture shows a pixel of text. */
static enum gm_status glance(struct gm_ocr *r, size_t lane, const struct gm_image *im, bool *any,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_textmap map;
    double shorter = im->w < im->h ? im->w : im->h;
    *any = true;
    if ((double)r->opts.glance > SMOOTH_MAX * shorter)
        return GM_OK; /* as much work as the picture itself */
    GM_TRY(detect(r, lane, im, (double)r->opts.glance / shorter, &map, err));
    *any = false;
    for (size_t i = 0; i < map.w * map.h && !*any; i++)
        *any = (double)map.p[i] > r->opts.map.threshold;
done:
    return st;
}

/* The picture with black above and below, where it is a banner; *pad rows of it, 0 = the picture itself,
 * and *out then NULL. */
static enum gm_status frame(const struct gm_image *im, struct gm_image **out, uint32_t *pad,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    *pad = 0;
    if (im->h > BANNER_H && (double)im->w / im->h <= BANNER)
        return GM_OK;
    uint32_t wanted = im->w / BANNER > BANNER_H ? im->w / BANNER : BANNER_H;
    *pad = (2 * wanted - im->h) / 2;
    GM_TRY(gm_image_new(out, im->w, im->h + 2 * *pad, err));
    memcpy((*out)->rgb + 3 * (size_t)im->w * *pad, im->rgb, 3 * (size_t)im->w * im->h);
done:
    return st;
}

enum gm_status gm_ocr_find(struct gm_ocr *r, size_t lane, const struct gm_image *im,
                           struct gm_text_box *out, size_t max, size_t *n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *framed = NULL;
    struct gm_textmap map;
    uint32_t pad;
    bool any = true;
    *n = 0;
    GM_TRY(frame(im, &framed, &pad, err));
    const struct gm_image *seen = framed ? framed : im;
    if (r->opts.glance)
        GM_TRY(glance(r, lane, seen, &any, err));
    if (!any)
        goto done;
    begin_to_open(r);
    double shorter = seen->w < seen->h ? seen->w : seen->h;
    GM_TRY(detect(r, lane, seen, fmax(1, (double)r->opts.side / shorter), &map, err));
    GM_TRY(gm_textmap_boxes(&map, &r->opts.map, seen->w, seen->h, out, max, n, err));
    for (size_t i = 0; i < *n; i++)
        for (size_t k = 0; k < 4; k++) {
            double y = out[i].quad.at[k].y - pad;
            out[i].quad.at[k].y = fmin(fmax(y, 0), im->h);
        }
done:
    gm_image_free(framed);
    return st;
}

/* A line at work: where its pixels are, and the width of its strip. */
struct strip {
    struct gm_text_crop crop;
    size_t box;
    double ratio; /* of the crop: width / height */
    size_t w;     /* of the strip, in pixels */
};

/* As many pixels as the line has at the strip's height, at most `most`. */
static size_t line_width(const struct strip *s, size_t most)
{
    double w = ceil(STRIP_H * s->ratio);
    return w > (double)most ? most : (size_t)fmax(w, 1);
}

/* The narrowest strip that the line fits, of few widths: the runtime prepares itself for each anew, which takes as
 * long as a line of 300 pixels. */
static size_t fit_width(const struct strip *s)
{
    size_t line = line_width(s, STRIP_MAX), w = STRIP_LEAST;
    while (w < line)
        w += w < 2 * STRIP_LEAST   ? STRIP_STEP
             : w < 4 * STRIP_LEAST ? 2 * STRIP_STEP
                                   : 4 * STRIP_STEP;
    return w;
}

static int by_ratio(const void *a, const void *b)
{
    const struct strip *s = a, *t = b;
    if (s->ratio != t->ratio)
        return s->ratio < t->ratio ? -1 : 1;
    return (s->box > t->box) - (s->box < t->box);
}

/* A line's pixels in a strip of w x STRIP_H, grey behind them. */
static enum gm_status strip_input(struct gm_ocr *r, size_t lane, const struct gm_image *im,
                                  const struct strip *s, size_t w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(reserve(&r->lanes[lane], w, STRIP_H, err));
    memset(r->lanes[lane].input, 0, 3 * STRIP_H * w * sizeof *r->lanes[lane].input);
    st = gm_text_strip(&s->crop, im, line_width(s, w), STRIP_H, w, r->lanes[lane].input, err);
done:
    return st;
}

/* Whether a line stands on its head: s->crop.is_turned. */
static enum gm_status classify(struct gm_ocr *r, size_t lane, const struct gm_image *im,
                               struct strip *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    pthread_mutex_lock(&r->lock);
    st = with_lanes(r, open_classifier, err);
    pthread_mutex_unlock(&r->lock);
    if (st != GM_OK)
        return st;
    GM_TRY(strip_input(r, lane, im, s, TURN_W, err));
    const struct gm_session_tensor in = {"x", r->lanes[lane].input, {1, 3, STRIP_H, TURN_W}, 4};
    struct gm_session_tensor out = {.name = "save_infer_model/scale_0.tmp_1"};
    const size_t dims[2] = {1, 2};
    GM_TRY(gm_session_run(r->classifier, lane, &in, 1, &out, 1, err));
    GM_TRY(gm_session_expect(r->classifier, &out, dims, 2, err));
    s->crop.is_turned = out.data[1] > out.data[0] && out.data[1] > TURNED_MIN;
done:
    return st;
}

/* What stands in a strip; `text` stays empty where nothing does. */
static enum gm_status recognise(struct gm_ocr *r, size_t lane, const struct gm_image *im,
                                const struct strip *s, struct gm_arena *a,
                                struct gm_text_line *line, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf buf;
    double score;
    gm_buf_init(&buf, SIZE_MAX - 1);
    GM_TRY(strip_input(r, lane, im, s, s->w, err));
    const struct gm_session_tensor in = {"x", r->lanes[lane].input, {1, 3, STRIP_H, s->w}, 4};
    struct gm_session_tensor out = {.name = "fetch_name_0"};
    GM_TRY(gm_session_run(r->recogniser, lane, &in, 1, &out, 1, err));
    const size_t dims[3] = {1, out.dims[1], r->characters.n + 1};
    GM_TRY(gm_session_expect(r->recogniser, &out, dims, 3, err));
    GM_TRY(gm_ctc_read(out.data, out.dims[1], &r->characters, &buf, &score, err));
    struct gm_str text = gm_str_trim(gm_buf_str(&buf));
    if (text.n && score >= r->opts.score_min) {
        line->text = gm_arena_str(a, text);
        line->score = (float)score;
        if (!line->text.p)
            st = GM_FAIL(err, GM_ENOMEM, "out of memory for a line of text");
    }
done:
    gm_buf_clear(&buf);
    return st;
}

/* The same, after a look at how it stands where it is not surely read as it is. */
static enum gm_status read_strip(struct gm_ocr *r, size_t lane, const struct gm_image *im,
                                 struct strip *s, struct gm_arena *a, struct gm_text_line *line,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(recognise(r, lane, im, s, a, line, err));
    if ((double)line->score >= r->opts.upright_min)
        goto done;
    GM_TRY(classify(r, lane, im, s, err));
    if (!s->crop.is_turned)
        goto done;
    *line = (struct gm_text_line){.quad = line->quad};
    GM_TRY(recognise(r, lane, im, s, a, line, err));
done:
    return st;
}

/* Whether enough lines are higher than line i. */
static bool is_small_print(const struct gm_ocr *r, const struct strip *strips, size_t n, size_t i)
{
    size_t n_higher = 0;
    for (size_t k = 0; k < n && r->opts.lines; k++) {
        uint32_t h = strips[k].crop.h, own = strips[i].crop.h;
        n_higher += h > own || (h == own && k < i);
    }
    return r->opts.lines && n_higher >= r->opts.lines;
}

/* In order of width, each with the width of its strip; ratio 0 = no line. */
static void make_strips(const struct gm_ocr *r, const struct gm_text_box *boxes, size_t n,
                        struct strip *strips)
{
    for (size_t i = 0; i < n; i++) {
        struct strip *s = &strips[i];
        s->box = i;
        if (!gm_text_crop_init(&s->crop, &boxes[i].quad))
            s->crop.h = 0; /* of a banner's black edge */
    }
    for (size_t i = 0; i < n; i++) {
        struct strip *s = &strips[i];
        if (s->crop.h && !is_small_print(r, strips, n, i))
            s->ratio = (double)s->crop.w / s->crop.h;
    }
    qsort(strips, n, sizeof *strips, by_ratio);
    for (size_t from = 0; from < n; from += STRIPS_ALIKE) {
        size_t to = from + STRIPS_ALIKE < n ? from + STRIPS_ALIKE : n;
        double most = fmin(STRIP_H * strips[to - 1].ratio, STRIP_MAX);
        size_t w = most > STRIP_MIN ? (size_t)most : STRIP_MIN;
        for (size_t i = from; i < to; i++)
            strips[i].w = r->opts.tight ? fit_width(&strips[i]) : w;
    }
}

enum gm_status gm_ocr_read(struct gm_ocr *r, size_t lane, const struct gm_image *im,
                           const struct gm_text_box *boxes, size_t n, struct gm_arena *a,
                           struct gm_text_line *out, size_t *n_lines, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct strip *strips = gm_alloc(n, sizeof *strips);
    *n_lines = 0;
    if (!strips)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu lines of text", n);
    make_strips(r, boxes, n, strips);
    for (size_t i = 0; i < n; i++)
        out[i] = (struct gm_text_line){.quad = boxes[i].quad};
    for (size_t i = 0; i < n; i++)
        if (strips[i].ratio > 0)
            GM_TRY(read_strip(r, lane, im, &strips[i], a, &out[strips[i].box], err));
    for (size_t i = 0; i < n; i++)
        if (out[i].text.n)
            out[(*n_lines)++] = out[i];
done:
    gm_free(strips);
    return st;
}
