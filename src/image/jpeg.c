/* jpeg.c - JPEG in and out; the only user of libjpeg.
 *
 * libjpeg leaves a function by longjmp. To keep that small, everything a decoding touches is in one
 * struct, and only `jpeg_guarded` and the two step functions are between setjmp and longjmp. */
#include "image/image_internal.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

/* A progressive file may repeat scans that each cost a pass over the whole picture. Real files have
 * about ten. */
enum { MAX_SCANS = 200, EXIF_MARKER = JPEG_APP0 + 1 };

struct job {
    union {
        struct jpeg_common_struct common;
        struct jpeg_decompress_struct in;
        struct jpeg_compress_struct out;
    } c;
    struct jpeg_error_mgr mgr;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const char *kind; /* "truncated" or "damaged" */
    char reason[JMSG_LENGTH_MAX];
    struct gm_str bytes;
    struct gm_image *im;           /* decoding: being filled, owned */
    uint8_t *row;                  /* decoding: a CMYK line, owned */
    const struct gm_image *source; /* encoding: borrowed, as is `to` */
    struct gm_buf *to;
    struct jpeg_destination_mgr dest;
    int quality;
    uint8_t chunk[1 << 14];
};

static struct job *job_of(j_common_ptr c) { return c->client_data; }

static void on_error(j_common_ptr c)
{
    struct job *j = job_of(c);
    c->err->format_message(c, j->reason);
    longjmp(j->escape, 1);
}

/* libjpeg goes on after warnings, with grey for what is missing. A file that ends too early is an
 * error here; data that merely looks odd is shown, as every viewer does. */
static void on_message(j_common_ptr c, int level)
{
    if (level < 0 && c->err->msg_code == JWRN_JPEG_EOF) {
        job_of(c)->kind = "truncated";
        on_error(c);
    }
}

static void on_progress(j_common_ptr c)
{
    struct job *j = job_of(c);
    if (j->c.in.input_scan_number > MAX_SCANS) {
        snprintf(j->reason, sizeof j->reason, "more than %d scans", MAX_SCANS);
        longjmp(j->escape, 1);
    }
}

static void job_init(struct job *j)
{
    *j = (struct job){.kind = "damaged"};
    j->c.common.err = jpeg_std_error(&j->mgr);
    j->c.common.client_data = j;
    j->mgr.error_exit = on_error;
    j->mgr.emit_message = on_message;
    j->progress.progress_monitor = on_progress;
}

/* Run one step; false when libjpeg left it by longjmp. */
static bool jpeg_guarded(struct job *j, void (*step)(struct job *))
{
    if (setjmp(j->escape))
        return false;
    step(j);
    return true;
}

static void read_header(struct job *j)
{
    jpeg_create_decompress(&j->c.in);
    j->c.in.progress = &j->progress;
    jpeg_mem_src(&j->c.in, (const unsigned char *)j->bytes.p, (unsigned long)j->bytes.n);
    jpeg_save_markers(&j->c.in, EXIF_MARKER, 0xffff);
    jpeg_read_header(&j->c.in, TRUE);
}

/* Adobe's files store CMYK inverted, and nearly all CMYK files are Adobe's. */
static void cmyk_to_rgb(const uint8_t *cmyk, uint8_t *rgb, size_t n, bool inverted)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++) {
            unsigned ink = cmyk[4 * i + k], black = cmyk[4 * i + 3];
            unsigned product = inverted ? ink * black : (255 - ink) * (255 - black);
            rgb[3 * i + k] = (uint8_t)((product + 127) / 255);
        }
}

static void read_rows(struct job *j)
{
    struct jpeg_decompress_struct *in = &j->c.in;
    in->out_color_space = j->row ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(in);
    while (in->output_scanline < in->output_height) {
        uint8_t *to = j->im->rgb + (size_t)in->output_scanline * j->im->w * 3;
        uint8_t *line = j->row ? j->row : to;
        jpeg_read_scanlines(in, &line, 1);
        if (j->row)
            cmyk_to_rgb(j->row, to, j->im->w, in->saw_Adobe_marker);
    }
    jpeg_finish_decompress(in);
}

static int exif_orientation(const struct jpeg_decompress_struct *in)
{
    for (jpeg_saved_marker_ptr m = in->marker_list; m; m = m->next) {
        struct gm_str s = {(const char *)m->data, m->data_length};
        if (m->marker == EXIF_MARKER && gm_str_starts(s, (struct gm_str){"Exif\0", 6}))
            return gm_exif_orientation(s);
    }
    return 1;
}

/* 1/2, 1/4 and 1/8 are those that libjpeg-turbo has vector code for: others cost more than all
 * pixels do. */
static void choose_scale(struct jpeg_decompress_struct *in, uint32_t side_min)
{
    uint32_t side = in->image_width < in->image_height ? in->image_width : in->image_height;
    for (in->scale_denom = 1; side_min && in->scale_denom < 8; in->scale_denom *= 2)
        if (side / (2 * in->scale_denom) < side_min)
            break;
    jpeg_calc_output_dimensions(in);
}

enum gm_status gm_jpeg_decode(struct gm_image **out, struct gm_str bytes, uint32_t side_min,
                              uint32_t size[2], int *orientation, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct job j;
    job_init(&j);
    j.bytes = bytes;
    *out = NULL;
    *orientation = 1;
    if (!jpeg_guarded(&j, read_header)) {
        st = GM_FAIL(err, GM_EFORMAT, "%s JPEG picture (%s)", j.kind, j.reason);
        goto done;
    }
    GM_TRY(gm_image_check_size(j.c.in.image_width, j.c.in.image_height, err));
    *orientation = exif_orientation(&j.c.in);
    size[0] = j.c.in.image_width;
    size[1] = j.c.in.image_height;
    choose_scale(&j.c.in, side_min);
    GM_TRY(gm_image_new(&j.im, j.c.in.output_width, j.c.in.output_height, err));
    if (j.c.in.num_components == 4 && !(j.row = gm_alloc(j.im->w, 4))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a line of %u pixels", j.im->w);
        goto done;
    }
    if (!jpeg_guarded(&j, read_rows)) {
        st = GM_FAIL(err, GM_EFORMAT, "%s JPEG picture (%s)", j.kind, j.reason);
        goto done;
    }
    *out = j.im;
    j.im = NULL;
done:
    jpeg_destroy(&j.c.common);
    gm_free(j.row);
    gm_image_free(j.im);
    return st;
}

static void dest_init(j_compress_ptr c)
{
    struct job *j = c->client_data;
    j->dest.next_output_byte = j->chunk;
    j->dest.free_in_buffer = sizeof j->chunk;
}

static void dest_add(struct job *j, size_t n)
{
    if (gm_buf_add(j->to, j->chunk, n, NULL) != GM_OK) {
        snprintf(j->reason, sizeof j->reason, "out of memory, or over %zu bytes", j->to->max);
        longjmp(j->escape, 1);
    }
}

static boolean dest_full(j_compress_ptr c)
{
    struct job *j = c->client_data;
    dest_add(j, sizeof j->chunk);
    dest_init(c);
    return TRUE;
}

static void dest_end(j_compress_ptr c)
{
    struct job *j = c->client_data;
    dest_add(j, sizeof j->chunk - j->dest.free_in_buffer);
}

static void write_all(struct job *j)
{
    struct jpeg_compress_struct *c = &j->c.out;
    jpeg_create_compress(c);
    j->dest = (struct jpeg_destination_mgr){.init_destination = dest_init,
                                            .empty_output_buffer = dest_full,
                                            .term_destination = dest_end};
    c->dest = &j->dest;
    c->image_width = j->source->w;
    c->image_height = j->source->h;
    c->input_components = 3;
    c->in_color_space = JCS_RGB;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, j->quality, TRUE);
    jpeg_start_compress(c, TRUE);
    while (c->next_scanline < c->image_height) {
        JSAMPROW line = j->source->rgb + (size_t)c->next_scanline * j->source->w * 3;
        jpeg_write_scanlines(c, &line, 1);
    }
    jpeg_finish_compress(c);
}

enum gm_status gm_image_write_jpeg(const struct gm_image *im, int quality, struct gm_buf *out,
                                   struct gm_error *err)
{
    if (quality < 1 || quality > 100)
        return GM_FAIL(err, GM_EARG, "a JPEG quality of %d: it must be 1 to 100", quality);
    struct job j;
    job_init(&j);
    j.source = im;
    j.to = out;
    j.quality = quality;
    bool ok = jpeg_guarded(&j, write_all);
    jpeg_destroy(&j.c.common);
    return ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "cannot encode as JPEG (%s)", j.reason);
}
