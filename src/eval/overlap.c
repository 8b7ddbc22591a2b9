#include "eval/overlap.h"

static double least(double a, double b) { return a < b ? a : b; }

static double most(double a, double b) { return a > b ? a : b; }

static double area(const float box[GM_BOX_XYXY])
{
    return ((double)box[2] - (double)box[0]) * ((double)box[3] - (double)box[1]);
}

double gm_shape_box_iou(const float a[GM_BOX_XYXY], const float b[GM_BOX_XYXY])
{
    double w = least((double)a[2], (double)b[2]) - most((double)a[0], (double)b[0]);
    double h = least((double)a[3], (double)b[3]) - most((double)a[1], (double)b[1]);
    double common = w > 0 && h > 0 ? w * h : 0;
    double all = area(a) + area(b) - common;
    return all > 0 ? common / all : 0;
}

/* Walk over the pieces between the ends of either mask's runs. */
double gm_shape_runs_iou(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b)
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

double gm_shape_iou(const struct gm_shape *a, const struct gm_shape *b, bool masks)
{
    if (!masks)
        return gm_shape_box_iou(a->box, b->box);
    return a->runs && b->runs ? gm_shape_runs_iou(a->runs, a->n_runs, b->runs, b->n_runs) : 0;
}
