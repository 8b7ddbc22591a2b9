/* phrases.c - what the model gives for B boxes and C columns, logits [1][B][C] and pred_boxes [1][B][4] (centre
 * x, y, width, height as shares of what it saw), as boxes of phrases. P_k: the columns of phrase k, of OWL-ViT one,
 * of Grounding DINO those of its tokens.
 *
 *   z[b][k] = max over c in P_k of logits[b][c],   best[b] = max over c of logits[b][c]
 *   box = (x - w/2, y - h/2, x + w/2, y + h/2) * (width, height) of the picture;
 *         OWLv2: * (longer side, longer side), as it saw a square
 *   of phrase k: sigmoid(z[b][k]) > score_min, without what overlaps a better one
 *         Grounding DINO: sigmoid(best[b]) > score_min and sigmoid(z[b][k]) > text_min
 *
 * Source: post_process_grounded_object_detection of transformers' processors; unlike OWL-ViT's, a box may
 * be that of several phrases. Reference: tests/ref/vision_reference.py; tests/unit/test_vision_phrases.c. */
#include "vision/phrases.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"
#include "tokenizer/tokenizer.h"
#include "vision/phrase_tokens.h"
#include "vision/processor.h"
#include "vision/vision_session.h"

#include <math.h>
#include <string.h>

enum {
    JSON_MAX = 1 << 24,
    INPUTS = 5,
    TOKENS_OWL = 16,   /* where config.json does not say */
    TOKENS_LINE = 256, /* of Grounding DINO, which has that many columns */
    TOKENS_MIN = 4,
    TOKENS_MAX = 4096
};

enum family { OWL_VIT, OWL_V2, GROUNDING_DINO };
static const char *const FAMILIES[] = {"owlvit", "owlv2", "grounding-dino"};
static const char *const INPUT_NAMES[INPUTS] = {"pixel_values", "input_ids", "attention_mask",
                                                "token_type_ids", "pixel_mask"};

struct gm_phrases {
    struct gm_session *session;
    struct gm_tokenizer *tokenizer;
    struct gm_processor processor;
    enum family family;
    size_t tokens_max;
    bool takes[INPUTS]; /* which inputs the model has */
};

/* ---- loading ---- */

/* Where exports put the model. */
static const char *const PLACES[] = {"onnx/model.onnx", "model.onnx", "openvino_model.xml"};

/* *path = dir/name; NULL where there is no such file. */
static enum gm_status find(struct gm_arena *a, const char *dir, const char *name, const char **path,
                           struct gm_error *err)
{
    *path = gm_path_join(a, dir, name);
    if (!*path)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (!gm_is_file(*path))
        *path = NULL;
    return GM_OK;
}

enum gm_status gm_phrases_files(struct gm_arena *a, const char *dir,
                                const char *paths[GM_PHRASES_FILES], struct gm_error *err)
{
    static const char *const names[] = {"config.json", "preprocessor_config.json",
                                        "tokenizer.json"};
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < 3; i++) {
        GM_TRY(find(a, dir, names[i], &paths[i], err));
        if (!paths[i]) {
            st = GM_FAIL(err, GM_EMODEL,
                         "%s: no %s there; a phrase detector is a folder with onnx/model.onnx, "
                         "config.json, preprocessor_config.json and tokenizer.json "
                         "(docs/models.md)",
                         dir, names[i]);
            goto done;
        }
    }
    paths[3] = NULL;
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES && !paths[3]; i++)
        GM_TRY(find(a, dir, PLACES[i], &paths[3], err));
    if (!paths[3])
        st = GM_FAIL(err, GM_EMODEL,
                     "%s: neither onnx/model.onnx nor model.onnx nor openvino_model.xml there; "
                     "docs/models.md says how to export one",
                     dir);
done:
    return st;
}

static enum gm_status read_config(struct gm_phrases *d, const struct gm_json *config,
                                  const char *path, struct gm_error *err)
{
    struct gm_str type = GM_STR("none");
    long long most = 0;
    size_t f = 0;
    gm_json_str(gm_json_get(config, "model_type"), &type);
    while (f < sizeof FAMILIES / sizeof *FAMILIES && !gm_str_eq_c(type, FAMILIES[f]))
        f++;
    if (f == sizeof FAMILIES / sizeof *FAMILIES)
        return GM_FAIL(err, GM_EMODEL,
                       "%s: model_type %.*s is no phrase detector that gmner has (owlvit, owlv2, "
                       "grounding-dino)",
                       path, GM_STR_ARG(type));
    d->family = (enum family)f;
    if (d->family == GROUNDING_DINO) {
        most = TOKENS_LINE;
        gm_json_int(gm_json_get(config, "max_text_len"), &most);
    } else {
        most = TOKENS_OWL;
        gm_json_int(gm_json_get(gm_json_get(config, "text_config"), "max_position_embeddings"),
                    &most);
    }
    if (most < TOKENS_MIN || most > TOKENS_MAX)
        return GM_FAIL(err, GM_EMODEL, "%s: texts of at most %lld tokens: not a phrase detector's",
                       path, most);
    d->tokens_max = (size_t)most;
    return GM_OK;
}

static enum gm_status check_ports(struct gm_phrases *d, const char *path, struct gm_error *err)
{
    size_t n_in, known = 0;
    const struct gm_session_port *in = gm_session_inputs(d->session, &n_in);
    for (size_t i = 0; i < n_in; i++)
        if (d->family == GROUNDING_DINO && strcmp(in[i].name, "input_ids") == 0 && in[i].dims[1])
            return GM_FAIL(
                err, GM_EMODEL,
                "%s: takes texts of %zu tokens and no others, as OWL-ViT does, but config.json "
                "says grounding-dino, whose texts are of any length",
                path, in[i].dims[1]);
    for (size_t i = 0; i < INPUTS; i++)
        known += d->takes[i] = gm_session_has_input(d->session, INPUT_NAMES[i]);
    if (!d->takes[0] || !d->takes[1] || known != n_in)
        return GM_FAIL(err, GM_EMODEL,
                       "%s: a phrase detector takes pixel_values, input_ids and perhaps "
                       "attention_mask, token_type_ids and pixel_mask; this model has %zu inputs, "
                       "the first \"%s\"",
                       path, n_in, n_in ? in[0].name : "");
    if (!gm_session_has_output(d->session, "logits") ||
        !gm_session_has_output(d->session, "pred_boxes"))
        return GM_FAIL(err, GM_EMODEL,
                       "%s: no output \"logits\" or \"pred_boxes\"; export the model for the task "
                       "zero-shot-object-detection (docs/models.md)",
                       path);
    return GM_OK;
}

static enum gm_status load_files(struct gm_phrases *d, const char *dir, bool bf16,
                                 struct gm_arena *a, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *config = NULL, *processor = NULL;
    const char *paths[GM_PHRASES_FILES];
    struct gm_session_opts so = {.bf16 = bf16, .one_lane = true};
    GM_TRY(gm_phrases_files(a, dir, paths, err));
    GM_TRY(gm_json_load(&config, paths[0], JSON_MAX, err));
    GM_TRY(read_config(d, config, paths[0], err));
    GM_TRY(gm_json_load(&processor, paths[1], JSON_MAX, err));
    GM_TRY(gm_processor_read(&d->processor, processor, d->family == OWL_V2, paths[1], err));
    GM_TRY(gm_tokenizer_load(&d->tokenizer, paths[2], err));
    so.many_shapes = d->family == GROUNDING_DINO;
    GM_TRY(gm_session_load(&d->session, paths[3], &so, err));
    st = check_ports(d, paths[3], err);
done:
    gm_json_free(config);
    gm_json_free(processor);
    return st;
}

enum gm_status gm_phrases_load(struct gm_phrases **out, const char *dir, bool bf16,
                               struct gm_error *err)
{
    struct gm_arena a;
    struct gm_phrases *d = gm_alloc(1, sizeof *d);
    *out = NULL;
    if (!d)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&a, 0);
    enum gm_status st = load_files(d, dir, bf16, &a, err);
    if (st == GM_OK)
        *out = d;
    else
        gm_phrases_free(d);
    gm_arena_clear(&a);
    return st;
}

void gm_phrases_free(struct gm_phrases *d)
{
    if (!d)
        return;
    gm_session_free(d->session);
    gm_tokenizer_free(d->tokenizer);
    gm_free(d);
}

size_t gm_phrases_lanes(const struct gm_phrases *d) { return gm_session_lanes(d->session); }

/* ---- running ---- */

/* The model's inputs of one picture. */
struct input {
    struct gm_session_tensor tensors[INPUTS];
    size_t n;
    float *values[INPUTS]; /* as INPUT_NAMES */
};

static enum gm_status make_input(const struct gm_phrases *d, const struct gm_image *im,
                                 const struct gm_phrase_tokens *tokens, struct gm_arena *a,
                                 struct input *in, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint32_t size[2];
    gm_processor_size(&d->processor, im->w, im->h, size);
    const size_t picture[4] = {1, 3, size[1], size[0]}, mask[3] = {1, size[1], size[0]};
    const size_t text[2] = {tokens->rows, tokens->cols};
    const size_t *dims[INPUTS] = {picture, text, text, text, mask};
    const size_t ranks[INPUTS] = {4, 2, 2, 2, 3};
    size_t n_pixels = (size_t)size[0] * size[1], n_text = tokens->rows * tokens->cols;
    in->values[0] = gm_arena_alloc(a, 3 * n_pixels, sizeof(float));
    in->values[1] = tokens->ids;
    in->values[2] = tokens->mask;
    in->values[3] = gm_arena_alloc(a, n_text, sizeof(float)); /* all of one text: 0 */
    in->values[4] = gm_arena_alloc(a, n_pixels, sizeof(float));
    if (!in->values[0] || !in->values[3] || !in->values[4]) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a picture of %u x %u", size[0], size[1]);
        goto done;
    }
    for (size_t i = 0; i < n_pixels; i++)
        in->values[4][i] = 1;
    GM_TRY(gm_processor_run(&d->processor, im, in->values[0], err));
    for (size_t i = 0; i < INPUTS; i++) {
        if (!d->takes[i])
            continue;
        struct gm_session_tensor *t = &in->tensors[in->n++];
        *t = (struct gm_session_tensor){INPUT_NAMES[i], in->values[i], {0}, ranks[i]};
        memcpy(t->dims, dims[i], ranks[i] * sizeof *t->dims);
    }
done:
    return st;
}

static float largest(const float *row, size_t from, size_t to)
{
    float most = -INFINITY;
    for (size_t c = from; c < to; c++)
        most = fmaxf(most, row[c]);
    return most;
}

/* The logits and boxes of a run, as `found` has them. */
static enum gm_status take(const struct gm_phrases *d, const struct gm_image *im,
                           const struct gm_phrase_tokens *tokens,
                           const struct gm_session_tensor out[2], struct gm_arena *a,
                           struct gm_phrases_found *found, struct gm_error *err)
{
    size_t n = out[0].dims[1], columns = out[0].dims[2], k = tokens->n;
    bool line = d->family == GROUNDING_DINO;
    double longer = im->w > im->h ? im->w : im->h;
    double w = d->family == OWL_V2 ? longer : im->w, h = d->family == OWL_V2 ? longer : im->h;
    *found = (struct gm_phrases_found){.n_phrases = k, .n_boxes = n};
    found->boxes = gm_arena_alloc(a, n, sizeof *found->boxes);
    found->logits = gm_arena_alloc(a, n * k, sizeof *found->logits);
    found->best = line ? gm_arena_alloc(a, n, sizeof *found->best) : NULL;
    if (!found->boxes || !found->logits || (line && !found->best))
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu boxes", n);
    for (size_t b = 0; b < n; b++) {
        const float *row = out[0].data + b * columns, *box = out[1].data + 4 * b;
        for (size_t c = 0; c < 4; c++) {
            double half = (c < 2 ? -0.5 : 0.5) * (double)box[2 + c % 2];
            found->boxes[b][c] = ((double)box[c % 2] + half) * (c % 2 ? h : w);
        }
        for (size_t i = 0; i < k; i++)
            found->logits[b * k + i] = line ? largest(row, tokens->from[i], tokens->to[i]) : row[i];
        if (line)
            found->best[b] = largest(row, 0, columns);
    }
    return GM_OK;
}

enum gm_status gm_phrases_run(struct gm_phrases *d, size_t lane, const struct gm_image *im,
                              const struct gm_str *phrases, size_t n, struct gm_arena *a,
                              struct gm_phrases_found *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool line = d->family == GROUNDING_DINO;
    struct gm_phrase_tokens tokens;
    struct input in = {.n = 0};
    struct gm_session_tensor found[2] = {{.name = "logits"}, {.name = "pred_boxes"}};
    GM_TRY(gm_phrase_tokens_make(&tokens, d->tokenizer, line, d->tokens_max, phrases, n, a, err));
    GM_TRY(make_input(d, im, &tokens, a, &in, err));
    GM_TRY(gm_session_run(d->session, lane, in.tensors, in.n, found, 2, err));
    size_t boxes = found[0].dims[1];
    /* The columns of Grounding DINO go up to the most tokens, or only as far as the text. */
    size_t columns = line ? found[0].dims[2] : tokens.n;
    const size_t logits[3] = {1, boxes, columns}, four[3] = {1, boxes, 4};
    GM_TRY(gm_session_expect(d->session, &found[0], logits, 3, err));
    GM_TRY(gm_session_expect(d->session, &found[1], four, 3, err));
    if (line && columns < tokens.cols) {
        st = GM_FAIL(err, GM_ESHAPE, "logits have %zu columns for a text of %zu tokens", columns,
                     tokens.cols);
        goto done;
    }
    st = take(d, im, &tokens, found, a, out, err);
done:
    return st;
}

/* ---- choosing ---- */

struct gm_phrases_opts gm_phrases_opts_default(const struct gm_phrases *d)
{
    bool line = d->family == GROUNDING_DINO;
    return (struct gm_phrases_opts){line ? 0.25 : 0.1, line ? 0.25 : 0, 0.5};
}

static double sigmoid(float x) { return 1 / (1 + exp(-(double)x)); }

size_t gm_phrases_pick(const struct gm_phrases_found *found, size_t k,
                       const struct gm_phrases_opts *opts, uint32_t w, uint32_t h,
                       struct gm_detection *out, size_t max)
{
    const double side[2] = {w, h};
    size_t n = 0;
    for (size_t b = 0; b < found->n_boxes; b++) {
        struct gm_detection d = {.class_id = 0};
        double score = sigmoid(found->logits[b * found->n_phrases + k]);
        double of_box = found->best ? sigmoid(found->best[b]) : score;
        if (!(of_box > opts->score_min && score > opts->text_min))
            continue;
        d.score = (float)score;
        for (size_t c = 0; c < 4; c++)
            d.box[c] = fmin(fmax(found->boxes[b][c], 0), side[c % 2]);
        if (d.box[2] - d.box[0] >= 1 && d.box[3] - d.box[1] >= 1)
            n = gm_detection_insert(out, n, max, &d);
    }
    return gm_nms(out, n, (float)opts->iou_max);
}
