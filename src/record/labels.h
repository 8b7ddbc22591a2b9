/* labels.h - numbers for names: entity types, tags. The first name added is 0, the next 1, … */
#ifndef GM_RECORD_LABELS_H
#define GM_RECORD_LABELS_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define GM_LABEL_NONE UINT32_MAX

struct gm_labels {
    struct gm_arena arena; /* owns the names */
    struct gm_str *names;  /* [n] */
    uint32_t *slots;       /* [n_slots] open addressing: label number or GM_LABEL_NONE */
    size_t n, cap, n_slots, max;
};

/* gm_labels_init - empty, of at most `max` names; allocates nothing. gm_labels_clear frees all. */
void gm_labels_init(struct gm_labels *l, size_t max);
void gm_labels_clear(struct gm_labels *l);

/* gm_labels_add - the number of `name`, which is added (copied) when it is new.
 * Errors: NOMEM, FORMAT (more than max names). */
enum gm_status gm_labels_add(struct gm_labels *l, struct gm_str name, uint32_t *id,
                             struct gm_error *err) GM_NODISCARD;

/* gm_labels_find - the number of `name`, GM_LABEL_NONE when it is not there. */
uint32_t gm_labels_find(const struct gm_labels *l, struct gm_str name);

/* gm_labels_sort - number the names anew, in their order by bytes. */
void gm_labels_sort(struct gm_labels *l);

/* gm_labels_same - whether both have the same names, whatever their numbers. */
bool gm_labels_same(const struct gm_labels *a, const struct gm_labels *b);

/* gm_labels_at - the name of number `id` < l->n; NUL-ended; borrowed. */
struct gm_str gm_labels_at(const struct gm_labels *l, uint32_t id);

#endif
