/* One picture through SAM, for the comparison with transformers (tests/ref/sam_reference.py):
 *
 *   test_sam_live ENCODER DECODER PICTURE OUT X0 Y0 X1 Y1 [X0 Y0 X1 Y1 …]
 *
 * OUT gets of each box: the map's height and width, the predicted IoU, the map and the mask [h][w], all f32. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "image/image.h"
#include "vision/sam.h"

static void put(FILE *f, const float *v, size_t n) { assert_int_equal(fwrite(v, 4, n, f), n); }

static void put_box(FILE *f, struct gm_sam *s, const struct gm_image *im, const double box[4])
{
    struct gm_error err;
    size_t n = (size_t)im->w * im->h, area, map_h, map_w;
    uint8_t *mask = gm_alloc(n, 1);
    float iou;
    must(gm_sam_mask(s, box, mask, &area, &iou, &err), &err);
    const float *map = gm_sam_map(s, &map_h, &map_w);
    put(f, (float[]){(float)map_h, (float)map_w, iou}, 3);
    put(f, map, map_h * map_w);
    for (size_t i = 0; i < n; i++)
        put(f, (float[]){mask[i]}, 1);
    gm_free(mask);
}

int main(int argc, char **argv)
{
    struct gm_error err;
    struct gm_sam *s;
    struct gm_image *im;
    if (argc < 9)
        return 2;
    const struct gm_sam_files files = {argv[1], argv[2]};
    must(gm_sam_load(&s, &files, false, &err), &err);
    must(gm_image_load(&im, argv[3], &err), &err);
    must(gm_sam_look(s, im, &err), &err);
    FILE *f = fopen(argv[4], "wb");
    assert_non_null(f);
    for (int i = 5; i + 4 <= argc; i += 4)
        put_box(f, s, im,
                (double[]){strtod(argv[i], NULL), strtod(argv[i + 1], NULL),
                           strtod(argv[i + 2], NULL), strtod(argv[i + 3], NULL)});
    fclose(f);
    gm_image_free(im);
    gm_sam_free(s);
    return gm_alloc_live() != 0;
}
