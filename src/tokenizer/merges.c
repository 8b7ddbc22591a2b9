#include "tokenizer/merges.h"

#include "base/alloc.h"
#include "base/buf.h"

void gm_merges_clear(struct gm_merges *m)
{
    gm_free(m->slots);
    *m = (struct gm_merges){0};
}

static void put(struct gm_merges *m, struct gm_token_merge merge)
{
    uint64_t h = ((uint64_t)(uint32_t)merge.a << 32 | (uint32_t)merge.b) * 0x9E3779B97F4A7C15u;
    size_t i = (size_t)(h >> 32) & (m->n_slots - 1);
    while (m->slots[i].a >= 0 && (m->slots[i].a != merge.a || m->slots[i].b != merge.b))
        i = (i + 1) & (m->n_slots - 1);
    m->slots[i] = merge; /* of two lines for a pair the later counts */
}

static bool read_pair(const struct gm_json *j, struct gm_str *a, struct gm_str *b)
{
    struct gm_str line;
    if (gm_json_kind(j) == GM_JSON_ARRAY)
        return gm_json_count(j) == 2 && gm_json_str(gm_json_at(j, 0), a) &&
               gm_json_str(gm_json_at(j, 1), b);
    return gm_json_str(j, &line) && gm_str_cut(line, ' ', a, b) &&
           gm_str_find(*b, GM_STR(" "), 0) == SIZE_MAX;
}

enum gm_status gm_merges_read(struct gm_merges *m, const struct gm_json *list,
                              const struct gm_vocab *v, size_t prefix_bytes, const char *path,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf joined;
    size_t n = gm_json_count(list);
    gm_buf_init(&joined, 1 << 24);
    m->n_slots = 16;
    while (m->n_slots / 2 < n)
        m->n_slots *= 2;
    m->slots = gm_alloc(m->n_slots, sizeof *m->slots);
    if (!m->slots)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu merges", n);
    for (size_t i = 0; i < m->n_slots; i++)
        m->slots[i].a = -1;
    for (size_t i = 0; i < n; i++) {
        struct gm_str a, b;
        if (!read_pair(gm_json_at(list, i), &a, &b)) {
            st = GM_FAIL(err, GM_EMODEL, "%s: model.merges[%zu] is not two tokens", path, i);
            goto done;
        }
        gm_buf_reset(&joined);
        GM_TRY(gm_buf_add_str(&joined, a, err));
        GM_TRY(gm_buf_add_str(&joined, gm_str_sub(b, prefix_bytes, b.n), err));
        struct gm_token_merge merge = {gm_vocab_find(v, a), gm_vocab_find(v, b),
                                       gm_vocab_find(v, gm_buf_str(&joined)), (uint32_t)i};
        if (merge.a < 0 || merge.b < 0 || merge.id < 0) {
            st = GM_FAIL(err, GM_EMODEL,
                         "%s: model.merges[%zu]: \"%.*s\", \"%.*s\" or what they join to is not in "
                         "model.vocab",
                         path, i, GM_STR_ARG(a), GM_STR_ARG(b));
            goto done;
        }
        put(m, merge);
    }
done:
    gm_buf_clear(&joined);
    return st;
}
