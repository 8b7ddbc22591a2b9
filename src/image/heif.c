/* heif.c - HEIC and AVIF pictures; the only user of libheif, which is opened at run time: it brings
 * video decoders of some 20 MB that few will want. Of its interface, stable since 1.0 (libheif.so.1),
 * only what is called is declared here, so that building needs no header of it. */
#include "image/image_internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

struct heif_error {
    int code, subcode;
    const char *message;
};
struct heif_context;
struct heif_image_handle;
struct heif_image;

/* heif.h: heif_error_Memory_allocation_error, heif_suberror_End_of_data, heif_colorspace_RGB,
 * heif_chroma_interleaved_RGBA, heif_channel_interleaved. */
enum {
    OUT_OF_MEMORY = 6,
    END_OF_DATA = 100,
    COLORSPACE_RGB = 1,
    CHROMA_RGBA = 11,
    INTERLEAVED = 10
};

#define HEIF_FUNCTIONS(X)                                                                      \
    X(struct heif_context *, heif_context_alloc, (void))                                       \
    X(void, heif_context_free, (struct heif_context *))                                        \
    X(void, heif_context_set_maximum_image_size_limit, (struct heif_context *, int))           \
    X(struct heif_error, heif_context_read_from_memory_without_copy,                           \
      (struct heif_context *, const void *, size_t, const void *))                             \
    X(struct heif_error, heif_context_get_primary_image_handle,                                \
      (struct heif_context *, struct heif_image_handle **))                                    \
    X(int, heif_image_handle_get_width, (const struct heif_image_handle *))                    \
    X(int, heif_image_handle_get_height, (const struct heif_image_handle *))                   \
    X(void, heif_image_handle_release, (const struct heif_image_handle *))                     \
    X(struct heif_error, heif_decode_image,                                                    \
      (const struct heif_image_handle *, struct heif_image **, int, int, const void *))        \
    X(int, heif_image_get_width, (const struct heif_image *, int))                             \
    X(int, heif_image_get_height, (const struct heif_image *, int))                            \
    X(const uint8_t *, heif_image_get_plane_readonly, (const struct heif_image *, int, int *)) \
    X(void, heif_image_release, (const struct heif_image *))

/* The library's functions; loaded once for all threads, and kept. */
static struct {
#define DECLARE(type, name, args) type(*name) args;
    HEIF_FUNCTIONS(DECLARE)
#undef DECLARE
    bool loaded;
} api;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
    void *lib = dlopen("libheif.so.1", RTLD_NOW | RTLD_LOCAL), *p;
    if (!lib)
        return;
/* ISO C has no cast from void * to a function pointer; POSIX promises that the bytes are the same. */
#define LOOK_UP(type, name, args) \
    if (!(p = dlsym(lib, #name))) \
        return;                   \
    memcpy(&api.name, &p, sizeof p);
    HEIF_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
    api.loaded = true;
}

bool gm_heif_is_there(void)
{
    pthread_once(&once, load);
    return api.loaded;
}

static enum gm_status heif_fail(const struct heif_error *e, struct gm_error *err)
{
    if (e->code == OUT_OF_MEMORY)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a HEIC or AVIF picture");
    return GM_FAIL(err, GM_EFORMAT, "%s HEIC or AVIF picture (%s)",
                   e->subcode == END_OF_DATA ? "truncated" : "damaged or unknown", e->message);
}

/* The decoded planes into a picture; libheif has turned it upright and scaled it to 8 bits. */
static enum gm_status copy_pixels(struct gm_image **out, const struct heif_image *decoded,
                                  struct gm_error *err)
{
    int stride = 0;
    int w = api.heif_image_get_width(decoded, INTERLEAVED);
    int h = api.heif_image_get_height(decoded, INTERLEAVED);
    const uint8_t *rgba = api.heif_image_get_plane_readonly(decoded, INTERLEAVED, &stride);
    if (!rgba || w < 1 || h < 1 || stride < 4 * w)
        return GM_FAIL(err, GM_EFORMAT, "damaged HEIC or AVIF picture (no pixels)");
    enum gm_status st = gm_image_check_size((uint64_t)w, (uint64_t)h, err);
    if (st == GM_OK)
        st = gm_image_new(out, (uint32_t)w, (uint32_t)h, err);
    for (size_t y = 0; st == GM_OK && y < (size_t)h; y++) {
        struct gm_image row = {(uint32_t)w, 1, (*out)->rgb + y * (size_t)w * 3};
        gm_image_blend(&row, rgba + y * (size_t)stride);
    }
    return st;
}

enum gm_status gm_heif_decode(struct gm_image **out, struct gm_str bytes, int *orientation,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct heif_image_handle *handle = NULL;
    struct heif_image *decoded = NULL;
    struct heif_error e;
    *out = NULL;
    *orientation = 1;
    if (!gm_heif_is_there())
        return GM_FAIL(err, GM_EFORMAT,
                       "a HEIC or AVIF picture, which needs libheif: install the package libheif1, "
                       "or convert it to JPEG");
    struct heif_context *c = api.heif_context_alloc();
    if (!c)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a HEIC or AVIF picture");
    api.heif_context_set_maximum_image_size_limit(c, GM_IMAGE_MAX_SIDE);
    e = api.heif_context_read_from_memory_without_copy(c, bytes.p, bytes.n, NULL);
    if (e.code == 0)
        e = api.heif_context_get_primary_image_handle(c, &handle);
    if (e.code == 0) {
        GM_TRY(gm_image_check_size((uint64_t)api.heif_image_handle_get_width(handle),
                                   (uint64_t)api.heif_image_handle_get_height(handle), err));
        e = api.heif_decode_image(handle, &decoded, COLORSPACE_RGB, CHROMA_RGBA, NULL);
    }
    st = e.code ? heif_fail(&e, err) : copy_pixels(out, decoded, err);
done:
    if (decoded)
        api.heif_image_release(decoded);
    if (handle)
        api.heif_image_handle_release(handle);
    api.heif_context_free(c);
    return st;
}
