/* sam_ports.c - the names that exports of SAM have, and the files that they are in. */
#include "vision/sam_ports.h"

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "vision/sam.h"

#include <stdio.h>
#include <string.h>

enum { SIDE = 1024, SIDE_MAX = 8192, FILES_MAX = 1000 };

static const struct {
    const char *name;
    enum gm_sam_role role;
} ROLES[] = {
    {"image_embeddings", GM_SAM_EMBEDDINGS},
    {"image_positional_embeddings", GM_SAM_POSITIONS},
    {"input_boxes", GM_SAM_BOXES},
    {"input_points", GM_SAM_POINTS},
    {"input_labels", GM_SAM_POINT_LABELS},
    {"point_coords", GM_SAM_CORNERS},
    {"point_labels", GM_SAM_CORNER_LABELS},
    {"mask_input", GM_SAM_MASK},
    {"has_mask_input", GM_SAM_HAS_MASK},
    {"orig_im_size", GM_SAM_SIZE},
    {"batched_point_coords", GM_SAM_QUERY_CORNERS},
    {"batched_point_labels", GM_SAM_QUERY_LABELS},
};

/* "a, b, c" of ports, for messages. */
static const char *names_of(const struct gm_session_port *ports, size_t n, char text[512])
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < n && used < 400; i++)
        used += (size_t)snprintf(text + used, 512 - used, "%s%.100s", i ? ", " : "", ports[i].name);
    return text;
}

/* The roles of all inputs, as bits. */
static enum gm_status read_inputs(struct gm_sam_ports *p, const struct gm_session_port *in,
                                  size_t n, const char *path, unsigned *has, struct gm_error *err)
{
    char all[512];
    *has = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < sizeof ROLES / sizeof *ROLES && strcmp(ROLES[k].name, in[i].name) != 0)
            k++;
        if (k == sizeof ROLES / sizeof *ROLES || n > GM_SAM_INPUTS_MAX)
            return GM_FAIL(
                err, GM_EMODEL,
                "%s: input \"%.100s\" is none that a mask decoder of SAM has (its inputs: "
                "%s); SAM-HQ, SAM 2 and models in one file are not read",
                path, in[i].name, names_of(in, n, all));
        p->inputs[i].name = in[i].name;
        p->inputs[i].role = ROLES[k].role;
        *has |= 1u << ROLES[k].role;
    }
    p->n_inputs = n;
    return GM_OK;
}

/* The prompt must be whole. */
static const char *missing_input(unsigned has)
{
    static const struct {
        unsigned any, needs;
        const char *name;
    } rules[] = {
        {0, 1u << GM_SAM_EMBEDDINGS, "image_embeddings"},
        {1u << GM_SAM_POINTS, 1u << GM_SAM_POINT_LABELS, "input_labels"},
        {1u << GM_SAM_CORNERS, 1u << GM_SAM_CORNER_LABELS, "point_labels"},
        {1u << GM_SAM_QUERY_CORNERS, 1u << GM_SAM_QUERY_LABELS, "batched_point_labels"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if ((rules[i].any & ~has) == 0 && !(has & rules[i].needs))
            return rules[i].name;
    const unsigned prompts = 1u << GM_SAM_BOXES | 1u << GM_SAM_POINTS | 1u << GM_SAM_CORNERS |
                             1u << GM_SAM_QUERY_CORNERS;
    return has & prompts ? NULL : "input_boxes, input_points, point_coords or batched_point_coords";
}

static enum gm_status read_outputs(struct gm_sam_ports *p, const struct gm_session *decoder,
                                   const char *path, struct gm_error *err)
{
    static const char *const scores[] = {"iou_scores", "iou_predictions"};
    static const struct {
        const char *name;
        bool is_padded;
    } maps[] = {
        {"pred_masks", true}, {"low_res_masks", true}, {"output_masks", false}, {"masks", false}};
    char all[512];
    size_t n;
    const struct gm_session_port *out = gm_session_outputs(decoder, &n);
    for (size_t i = 0; i < 2 && !p->scores; i++)
        p->scores = gm_session_has_output(decoder, scores[i]) ? scores[i] : NULL;
    for (size_t i = 0; i < 4 && !p->maps; i++)
        /* EfficientSAM's small maps show the squeezed picture, not a padded one. */
        if (gm_session_has_output(decoder, maps[i].name) &&
            !(p->is_efficient && maps[i].is_padded)) {
            p->maps = maps[i].name;
            p->maps_are_padded = maps[i].is_padded;
        }
    if (!p->scores || !p->maps)
        return GM_FAIL(err, GM_EMODEL,
                       "%s: no output %s, which a mask decoder of SAM has (its outputs: %s)", path,
                       p->maps ? "iou_scores or iou_predictions"
                               : "pred_masks, low_res_masks, masks or output_masks",
                       names_of(out, n, all));
    p->maps_are_small = p->maps_are_padded && gm_session_has_output(decoder, "masks");
    return GM_OK;
}

enum gm_status gm_sam_read_decoder(struct gm_sam_ports *p, const struct gm_session *decoder,
                                   const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char all[512];
    unsigned has;
    size_t n;
    const struct gm_session_port *in = gm_session_inputs(decoder, &n);
    GM_TRY(read_inputs(p, in, n, path, &has, err));
    const char *missing = missing_input(has);
    if (missing) {
        st = GM_FAIL(err, GM_EMODEL,
                     "%s: no input %s, which a mask decoder of SAM has (its inputs: %s)", path,
                     missing, names_of(in, n, all));
        goto done;
    }
    p->takes_boxes = !(has & 1u << GM_SAM_POINTS) || has & 1u << GM_SAM_BOXES;
    p->is_efficient = has & 1u << GM_SAM_QUERY_CORNERS;
    p->embeddings[1] = has & 1u << GM_SAM_POSITIONS ? "image_positional_embeddings" : NULL;
    GM_TRY(read_outputs(p, decoder, path, err));
done:
    return st;
}

/* How pixels go in; false: in no way that is known. */
static bool read_pixels(struct gm_sam_ports *p, const struct gm_session_port *in)
{
    const size_t *d = in->dims;
    p->pixels = in->name;
    p->side = SIDE;
    if (in->rank == 3 && (!d[2] || d[2] == 3) && !p->is_efficient) {
        p->pixels_are = GM_SAM_ROWS;
        return true;
    }
    if (in->rank != 4 || (d[1] && d[1] != 3) || d[2] > SIDE_MAX || d[3] > SIDE_MAX)
        return false;
    p->pixels_are = p->is_efficient ? GM_SAM_WHOLE : GM_SAM_PADDED;
    p->fixed_h = d[2];
    p->fixed_w = d[3];
    p->side = d[2] ? d[2] : SIDE;
    return p->is_efficient || !d[3] || d[3] == p->side;
}

enum gm_status gm_sam_read_encoder(struct gm_sam_ports *p, const struct gm_session *encoder,
                                   const char *path, struct gm_error *err)
{
    char all[512];
    size_t n, n_out;
    const struct gm_session_port *in = gm_session_inputs(encoder, &n);
    const struct gm_session_port *out = gm_session_outputs(encoder, &n_out);
    if (n != 1 || !read_pixels(p, in))
        return GM_FAIL(err, GM_EMODEL,
                       "%s: inputs %s, where an image encoder of SAM has one of pixels "
                       "[1,3,SIDE,SIDE] or [H,W,3]",
                       path, names_of(in, n, all));
    if (gm_session_has_output(encoder, "image_embeddings"))
        p->embeddings[0] = "image_embeddings";
    else if (n_out == 1)
        p->embeddings[0] = out[0].name;
    if (!p->embeddings[0] ||
        (p->embeddings[1] && !gm_session_has_output(encoder, p->embeddings[1])))
        return GM_FAIL(err, GM_EMODEL,
                       "%s: no output %s, which its mask decoder wants (its outputs: %s)", path,
                       p->embeddings[0] ? p->embeddings[1] : "image_embeddings",
                       names_of(out, n_out, all));
    return GM_OK;
}

/* ---- files ---- */

static bool is_part(struct gm_str name, bool decoder)
{
    bool is_decoder = gm_str_find(name, GM_STR("decoder"), 0) != SIZE_MAX;
    return (gm_str_ends(name, GM_STR(".onnx")) || gm_str_ends(name, GM_STR(".xml"))) &&
           (decoder ? is_decoder
                    : !is_decoder && gm_str_find(name, GM_STR("encoder"), 0) != SIZE_MAX);
}

/* The shortest name of that part in the folder, NULL where there is none; two alike are an error. */
static enum gm_status find_part(struct gm_arena *a, const char *dir, bool decoder,
                                const char **path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char **names, *best = NULL, *twin = NULL;
    size_t n;
    GM_TRY(gm_dir_list(a, dir, FILES_MAX, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(names[i]);
        if (!is_part(gm_str(names[i]), decoder) || (best && len > strlen(best)))
            continue;
        twin = best && len == strlen(best) ? best : NULL;
        best = names[i];
    }
    if (twin) {
        st = GM_FAIL(err, GM_EMODEL,
                     "%s: both %s and %s may be the %s; name one: \"%s\" in the recipe", dir, twin,
                     best, decoder ? "decoder" : "encoder", decoder ? "decoder" : "encoder");
        goto done;
    }
    *path = best ? gm_path_join(a, dir, best) : NULL;
    if (best && !*path)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    return st;
}

static enum gm_status find_file(struct gm_arena *a, const char *dir, bool decoder,
                                const char **path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *inner = gm_path_join(a, dir, "onnx"), *what = decoder ? "decoder" : "encoder";
    if (*path) {
        *path = gm_path_join(a, dir, *path);
        return *path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    GM_TRY(inner ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(find_part(a, dir, decoder, path, err));
    if (!*path && gm_is_dir(inner))
        GM_TRY(find_part(a, inner, decoder, path, err));
    if (!*path)
        st = GM_FAIL(
            err, GM_EMODEL,
            "%s: no .onnx or .xml file with \"%s\" in its name: a SAM model has an image encoder "
            "and a mask decoder (docs/models.md says how to export them)",
            dir, what);
done:
    return st;
}

enum gm_status gm_sam_find(struct gm_arena *a, const char *dir, struct gm_sam_files *files,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(find_file(a, dir, false, &files->encoder, err));
    GM_TRY(find_file(a, dir, true, &files->decoder, err));
done:
    return st;
}
