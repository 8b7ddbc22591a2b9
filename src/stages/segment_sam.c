/* segment, by SAM: one mask a box, whatever it shows. A picture is encoded once, when its first box comes,
 * and all its boxes are asked about that encoding. Without such a model the backend matting does the
 * work. */
#include "stages/backends.h"
#include "stages/each_picture.h"
#include "stages/pixels.h"
#include "stages/segment_post.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/models.h"
#include "nn/engine.h"
#include "vision/sam.h"

struct segment {
    struct gm_sam *sam;
    void *matting; /* what works in its place; NULL = nothing */
    struct gm_mask_room room;
    const struct gm_post *seen; /* the post whose picture is encoded */
    size_t n_pictures, n_boxes;
};

static void close_segment(void *self)
{
    struct segment *s = self;
    if (!s)
        return;
    if (s->n_pictures)
        GM_LOG(GM_LOG_INFO, "segment", "pictures encoded=%zu boxes=%zu", s->n_pictures, s->n_boxes);
    gm_backend_segment_matting.close(s->matting);
    gm_sam_free(s->sam);
    gm_mask_room_clear(&s->room);
    gm_free(s);
}

/* What the settings come to. */
struct settings {
    struct gm_str model, encoder, decoder; /* .p NULL = not named */
    bool bf16;
};

/* Settings: model (a name or folder, default "sam"), encoder and decoder (files in it); precision of the encoder (auto,
 * f32, bf16, int8: as auto). */
static enum gm_status read_settings(const struct gm_backend *b, const struct gm_json *settings,
                                    struct settings *x, struct gm_error *err)
{
    static const char *const known[] = {"model", "encoder", "decoder", "precision", NULL};
    enum gm_status st = GM_OK;
    struct gm_str precision = GM_STR("auto");
    struct gm_precision p;
    *x = (struct settings){.bf16 = false};
    GM_TRY(gm_settings_check(settings, b->stage, known, err));
    GM_TRY(gm_settings_precision(settings, "precision", &precision, &p, err));
    GM_TRY(gm_settings_str(settings, "model", &x->model, err));
    GM_TRY(gm_settings_str(settings, "encoder", &x->encoder, err));
    GM_TRY(gm_settings_str(settings, "decoder", &x->decoder, err));
    x->bf16 = p.dtype == GM_BF16;
done:
    return st;
}

static enum gm_status check_segment(const struct gm_backend *b, const struct gm_json *settings,
                                    struct gm_error *err)
{
    struct settings x;
    return read_settings(b, settings, &x, err);
}

/* The model's files. Where no model is named and there is none of the default's name, files->encoder stays NULL. */
static enum gm_status find_model(struct gm_arena *a, const struct gm_backend *b,
                                 const struct settings *x, struct gm_sam_files *files,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *dir;
    *files = (struct gm_sam_files){0};
    if (!x->model.p && !x->encoder.p && !x->decoder.p &&
        gm_model_dir(a, b->model, &dir, NULL) == GM_EMODEL)
        goto done;
    GM_TRY(gm_model_dir(a, x->model.p ? x->model.p : b->model, &dir, err));
    *files = (struct gm_sam_files){x->encoder.p, x->decoder.p};
    GM_TRY(gm_sam_find(a, dir, files, err));
done:
    return st;
}

static enum gm_status load(struct segment *s, const struct gm_sam_files *files, bool bf16,
                           struct gm_error *err)
{
    if (!files->encoder) {
        GM_LOG(
            GM_LOG_INFO, "segment",
            "no model \"sam\" (docs/models.md says how to get one): masks of persons and things by "
            "the backend matting");
        return gm_backend_segment_matting.open(&s->matting, &gm_backend_segment_matting, NULL, err);
    }
    enum gm_status st = gm_sam_load(&s->sam, files, bf16, err);
    if (st == GM_OK && !gm_sam_takes_boxes(s->sam))
        GM_LOG(GM_LOG_WARN, "segment",
               "%s takes points alone: the middle of each box stands for it, and masks are poorer; "
               "export it with input_boxes (docs/models.md)",
               files->decoder);
    return st;
}

static enum gm_status open_segment(void **self, const struct gm_backend *b,
                                   const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct segment *s = NULL;
    struct settings x;
    struct gm_sam_files files;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    *self = NULL;
    GM_TRY(read_settings(b, settings, &x, err));
    GM_TRY(find_model(&a, b, &x, &files, err));
    if (!(s = gm_alloc(1, sizeof *s))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(load(s, &files, x.bf16, err));
    *self = s;
    s = NULL;
done:
    close_segment(s);
    gm_arena_clear(&a);
    return st;
}

static enum gm_status segment_region(void *self, size_t lane, struct gm_post *p,
                                     const struct gm_entity *e, struct gm_region *r,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct segment *s = self;
    const struct gm_image *im;
    size_t area;
    (void)lane;
    (void)e; /* a box is all that it asks about */
    GM_TRY(gm_post_pixels(p, 0, &im, err));
    GM_TRY(gm_mask_room_for(&s->room, im, err));
    if (s->seen != p) {
        s->seen = NULL;
        GM_TRY(gm_sam_look(s->sam, im, err));
        s->seen = p;
        s->n_pictures++;
    }
    GM_TRY(gm_sam_mask(s->sam, r->box, s->room.mask, &area, NULL, err));
    s->n_boxes++;
    if (area == 0)
        r->note = GM_STR("no_mask:nothing_seen");
    else
        GM_TRY(gm_region_put_mask(p, r, s->room.mask, im, err));
done:
    return st;
}

static enum gm_status segment_in(void *self, const struct gm_picture_turn *t, struct gm_error *err)
{
    struct segment *s = self;
    s->seen = NULL; /* a post that is gone may have lain where this one lies */
    return gm_segment_post(t->post, t->lane, t->limit, segment_region, s, err);
}

/* A picture after the other: each is encoded with all threads. */
static enum gm_status run_segment(void *self, struct gm_post **posts, size_t n,
                                  struct gm_error *err)
{
    struct segment *s = self;
    if (s->matting)
        return gm_backend_segment_matting.run(s->matting, posts, n, err);
    return gm_each_picture(posts, n, 1, "segment", segment_in, s, err);
}

static enum gm_status fingerprint(const struct gm_backend *b, const struct gm_json *settings,
                                  struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct settings x;
    struct gm_sam_files files;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(read_settings(b, settings, &x, err));
    GM_TRY(find_model(&a, b, &x, &files, err));
    if (files.encoder) {
        GM_TRY(gm_fingerprint_network("encoder", files.encoder, out, err));
        GM_TRY(gm_fingerprint_network("decoder", files.decoder, out, err));
    } else {
        GM_TRY(gm_backend_segment_matting.fingerprint(&gm_backend_segment_matting, NULL, out, err));
    }
done:
    gm_arena_clear(&a);
    return st;
}

const struct gm_backend gm_backend_segment_sam = {
    .stage = "segment",
    .name = "sam",
    .needs_image = true,
    .model = "sam",
    .check = check_segment,
    .open = open_segment,
    .run = run_segment,
    .close = close_segment,
    .pass_by = gm_segment_pass_by,
    .fingerprint = fingerprint,
};
