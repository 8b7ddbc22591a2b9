/* overlap.c - for boxes (x0, y0, x1, y1), half-open, and masks as runs:
 *
 *   |A and B| = max(0, min(ax1, bx1) - max(ax0, bx0)) max(0, min(ay1, by1) - max(ay0, by0))
 *   |A or B|  = area(A) + area(B) - |A and B|
 *   IoU = |A and B| / |A or B|,   cover = |A and B| / area(A)
 *
 * The file is compiled without fused multiply-add, which would round otherwise than the field's
 * scripts do. Source: Jaccard 1901; pycocotools' mask.iou. Naive references: counted pixels, and
 * pycocotools (tests/golden/coco-masks.txt), in tests/unit/test_image_overlap.c. */
#include "image/overlap.h"

static double least(double a, double b) { return a < b ? a : b; }

static double most(double a, double b) { return a > b ? a : b; }

static double area(const double box[4]) { return (box[2] - box[0]) * (box[3] - box[1]); }

static double common_area(const double a[4], const double b[4])
{
    double w = least(a[2], b[2]) - most(a[0], b[0]);
    double h = least(a[3], b[3]) - most(a[1], b[1]);
    return w > 0 && h > 0 ? w * h : 0;
}

double gm_box_iou(const double a[4], const double b[4])
{
    double common = common_area(a, b);
    double all = area(a) + area(b) - common;
    return all > 0 ? common / all : 0;
}

double gm_box_cover(const double a[4], const double b[4])
{
    return area(a) > 0 ? common_area(a, b) / area(a) : 0;
}

/* Walk over the pieces between the ends of either mask's runs. */
double gm_runs_iou(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b)
{
    uint64_t common = 0, all = 0, left_a = n_a ? a[0] : 0, left_b = n_b ? b[0] : 0;
    for (size_t i = 0, k = 0; i < n_a && k < n_b;) {
        uint64_t n = left_a < left_b ? left_a : left_b;
        common += i % 2 && k % 2 ? n : 0;
        all += i % 2 || k % 2 ? n : 0;
        left_a -= n;
        left_b -= n;
        if (left_a == 0 && ++i < n_a)
            left_a = a[i];
        if (left_b == 0 && ++k < n_b)
            left_b = b[k];
    }
    return all ? (double)common / (double)all : 0;
}
