/* exif.c - the orientation in an EXIF block; the only user of libexif. */
#include "image/image_internal.h"

#include "base/alloc.h"

#include <libexif/exif-data.h>
#include <string.h>

int gm_exif_orientation(struct gm_str exif)
{
    /* libexif wants the head that JPEG's APP1 has and PNG's and WebP's chunks may lack; in a JPEG a
     * block is below 64 KiB, so that a longer one is no camera's. */
    static const char head[6] = "Exif\0";
    enum { MAX_BYTES = 1 << 20 };
    if (exif.n == 0 || exif.n > MAX_BYTES)
        return 1;
    bool has_head = gm_str_starts(exif, (struct gm_str){head, sizeof head});
    size_t skip = has_head ? 0 : sizeof head;
    unsigned char *block = gm_alloc(exif.n + skip, 1);
    ExifData *data = exif_data_new();
    int orientation = 1;
    if (block && data) {
        memcpy(block, head, skip);
        memcpy(block + skip, exif.p, exif.n);
        /* No repairs by the specification: one tag is read and all else is thrown away. */
        exif_data_unset_option(data, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
        exif_data_load_data(data, block, (unsigned)(exif.n + skip));
        ExifEntry *e = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
        if (e && e->format == EXIF_FORMAT_SHORT && e->components == 1 && e->size >= 2)
            orientation = exif_get_short(e->data, exif_data_get_byte_order(data));
    }
    exif_data_unref(data);
    gm_free(block);
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
}
