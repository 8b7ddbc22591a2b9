#include "formats/row_number.h"

#include <string.h>

enum gm_status gm_row_number_write(struct gm_buf *out, size_t entity, size_t box,
                                   struct gm_error *err)
{
    return box ? gm_buf_printf(out, err, ".jpg#%zu.%zu", entity, box + 1)
               : gm_buf_printf(out, err, ".jpg#%zu", entity);
}

bool gm_row_number_goes_on(struct gm_str number)
{
    struct gm_str entity, box;
    long long n, k;
    return gm_str_cut(number, '.', &entity, &box) && gm_str_to_int(entity, &n) &&
           gm_str_to_int(box, &k) && n >= 0 && k >= 2;
}

enum gm_status gm_row_number_join(struct gm_post *p, struct gm_named_entity *last,
                                  const struct gm_named_entity *row, struct gm_str number,
                                  bool *is_joined, struct gm_error *err)
{
    *is_joined = last && gm_row_number_goes_on(number) && gm_str_eq(last->name, row->name) &&
                 gm_str_eq(last->type, row->type);
    if (!*is_joined)
        return GM_OK;
    size_t n = last->n_regions + row->n_regions;
    struct gm_region *both = gm_arena_alloc(&p->arena, n, sizeof *both);
    if (!both)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        both[i] = i < last->n_regions ? last->regions[i] : row->regions[i - last->n_regions];
    last->regions = both;
    last->n_regions = n;
    return GM_OK;
}
