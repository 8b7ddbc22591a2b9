#include "synth/pool.h"

#include "formats/reader.h"

static enum gm_status add(struct gm_near_duplicates *set, struct gm_str text, struct gm_error *err)
{
    struct gm_near_duplicates_match none;
    return gm_near_duplicates_add(set, text, 0, &none, err);
}

static enum gm_status add_post(void *set, struct gm_post *p, struct gm_error *err)
{
    return add(set, p->text, err);
}

static enum gm_status add_file(struct gm_near_duplicates *set, const char *path,
                               struct gm_error *err)
{
    enum gm_status st = gm_reader_each(path, NULL, add_post, set, err);
    return st == GM_OK ? gm_near_duplicates_next_file(set, err) : st;
}

enum gm_status gm_synth_pool_load(struct gm_synth_pool *p, const struct gm_synth_opts *opts,
                                  const struct gm_synth_seeds *seeds, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *const paths[GM_SYNTH_POOLS] = {NULL, NULL, opts->pool, opts->dev, opts->test};
    *p = (struct gm_synth_pool){{NULL}};
    for (size_t i = 0; i < GM_SYNTH_POOLS; i++) {
        GM_TRY(gm_near_duplicates_new(&p->sets[i], opts->similarity, err));
        if (paths[i])
            GM_TRY(add_file(p->sets[i], paths[i], err));
    }
    for (size_t i = 0; i < seeds->n; i++)
        GM_TRY(add(p->sets[1], seeds->items[i].text, err));
    st = gm_near_duplicates_next_file(p->sets[1], err);
done:
    return st;
}

void gm_synth_pool_clear(struct gm_synth_pool *p)
{
    for (size_t i = 0; i < GM_SYNTH_POOLS; i++)
        gm_near_duplicates_free(p->sets[i]);
}

enum gm_status gm_synth_pool_find(struct gm_synth_pool *p, struct gm_str text,
                                  enum gm_synth_reason *why, struct gm_error *err)
{
    *why = GM_SYNTH_FITS;
    for (size_t i = 0; i < GM_SYNTH_POOLS && *why == GM_SYNTH_FITS; i++) {
        struct gm_near_duplicates_match match;
        enum gm_status st = gm_near_duplicates_find(p->sets[i], text, &match, err);
        if (st != GM_OK)
            return st;
        if (match.post != SIZE_MAX)
            *why = (enum gm_synth_reason)(GM_SYNTH_TWIN + i);
    }
    return GM_OK;
}

enum gm_status gm_synth_pool_add(struct gm_synth_pool *p, struct gm_str text, struct gm_error *err)
{
    enum gm_status st = add(p->sets[0], text, err);
    return st == GM_OK ? gm_near_duplicates_next_file(p->sets[0], err) : st;
}
