#include "synth/quota.h"

static enum gm_status wrong(struct gm_str part, struct gm_error *err)
{
    return GM_FAIL(err, GM_EARG,
                   "--quota: \"%.*s\" is neither a number nor TYPE=NUMBER of a known type, as in "
                   "2000 or PER=2000,LOC=500",
                   GM_STR_ARG(part));
}

enum gm_status gm_synth_quota_read(struct gm_synth_quota *q, const char *text,
                                   const struct gm_labels *types, struct gm_arena *a,
                                   struct gm_error *err)
{
    struct gm_str rest = gm_str(text), part, name, number;
    long long most;
    q->n_types = types->n;
    q->most = gm_arena_alloc(a, types->n, sizeof *q->most);
    q->n = gm_arena_alloc(a, types->n, sizeof *q->n);
    if (!q->most || !q->n)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    bool is_one = text && gm_str_to_int(rest, &most);
    if (is_one && most < 1)
        return wrong(rest, err);
    for (uint32_t i = 0; i < types->n; i++)
        q->most[i] = is_one ? (size_t)most : SIZE_MAX;
    while (rest.n && !is_one) {
        (void)gm_str_cut(rest, ',', &part, &rest);
        uint32_t id =
            gm_str_cut(part, '=', &name, &number) ? gm_labels_find(types, name) : GM_LABEL_NONE;
        if (id == GM_LABEL_NONE || !gm_str_to_int(number, &most) || most < 0)
            return wrong(part, err);
        q->most[id] = (size_t)most;
    }
    return GM_OK;
}

static bool is_full(const struct gm_synth_quota *q, uint32_t type)
{
    return q->n[type] >= q->most[type];
}

bool gm_synth_quota_is_full(const struct gm_synth_quota *q, const struct gm_synth_sentence *s)
{
    for (size_t i = 0; i < s->n_mentions; i++)
        if (is_full(q, s->mentions[i].type))
            return true;
    return false;
}

void gm_synth_quota_add(struct gm_synth_quota *q, const struct gm_synth_sentence *s)
{
    for (size_t i = 0; i < s->n_mentions; i++) {
        bool is_first = true;
        for (size_t k = 0; k < i; k++)
            is_first = is_first && s->mentions[k].type != s->mentions[i].type;
        q->n[s->mentions[i].type] += is_first;
    }
}

bool gm_synth_quota_stops(const struct gm_synth_quota *q, const struct gm_synth_seed *seed,
                          enum gm_synth_kind kind)
{
    size_t n_full = 0;
    for (size_t i = 0; i < seed->n_names; i++)
        n_full += is_full(q, seed->names[i].type);
    return kind == GM_SYNTH_KEEP || kind == GM_SYNTH_REWRITE
               ? n_full > 0
               : kind == GM_SYNTH_VARY && n_full == seed->n_names;
}
