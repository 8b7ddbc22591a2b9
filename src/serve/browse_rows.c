/* Which posts of a file are wanted, and what the list shows of them. */
#include "serve/browse_internal.h"

#include "base/path.h"
#include "serve/clock.h"

/* A filter whose words are bits and numbers. */
struct wanted {
    uint64_t types;
    uint32_t sources;
    double score_max;
    enum { ANY_IMAGE, FOUND, UNFOUND, TEXT, FAILED } image;
    struct {
        bool asks, is_right;
        unsigned wrong; /* one of these bits */
    } by[BROWSE_RIVALS];
    int corrected; /* 1 yes, 0 no, -1 either */
};

static enum gm_status choose(struct gm_str word, const char *const *words, const char *what,
                             size_t *out, struct gm_error *err)
{
    for (*out = 0; words[*out]; ++*out)
        if (gm_str_eq_c(word, words[*out]))
            return GM_OK;
    return GM_FAIL(err, GM_EARG, "the parameter %s has none of its words", what);
}

/* All bits where no name is wanted; no bit where no entity has the name. */
static uint64_t bit_of(const struct gm_str *names, size_t n, struct gm_str name)
{
    for (size_t i = 0; name.n && i < n; i++)
        if (gm_str_eq(names[i], name))
            return 1ull << i;
    return name.n ? 0 : UINT64_MAX;
}

static enum gm_status understand_wrong(struct gm_str word, const char *what, size_t rival,
                                       struct wanted *w, struct gm_error *err)
{
    static const char *const wrongs[] = {"",     "any",        "right", "span",
                                         "type", "entailment", "box",   NULL};
    static const unsigned bits[] = {0, 15, 0, WRONG_SPAN, WRONG_TYPE, WRONG_IMAGE, WRONG_BOX};
    size_t i;
    enum gm_status st = choose(word, wrongs, what, &i, err);
    if (st == GM_OK) {
        w->by[rival].asks = i > 0;
        w->by[rival].is_right = i == 2;
        w->by[rival].wrong = bits[i];
    }
    return st;
}

static enum gm_status understand(const struct gm_browse *b, const struct gm_browse_filter *f,
                                 struct wanted *w, struct gm_error *err)
{
    static const char *const images[] = {"", "found", "unfound", "text", "error", NULL};
    static const char *const corrected[] = {"no", "yes", "", NULL};
    enum gm_status st = GM_OK;
    size_t image, is_corrected;
    GM_TRY(choose(f->image, images, "image", &image, err));
    GM_TRY(choose(f->corrected, corrected, "corrected", &is_corrected, err));
    *w = (struct wanted){
        .types = bit_of(b->types, b->n_types, f->type),
        .sources = (uint32_t)bit_of(b->sources, b->n_sources, f->source),
        .score_max = f->score_max,
        .corrected = is_corrected == 2 ? -1 : (int)is_corrected,
    };
    w->image = image == 1   ? FOUND
               : image == 2 ? UNFOUND
               : image == 3 ? TEXT
               : image == 4 ? FAILED
                            : ANY_IMAGE;
    GM_TRY(understand_wrong(f->wrong, "wrong", BROWSE_GOLD, w, err));
    GM_TRY(understand_wrong(f->differs, "differs", BROWSE_BESIDE, w, err));
done:
    return st;
}

static bool fits_image(const struct browse_row *row, const struct wanted *w)
{
    switch (w->image) {
    case FOUND: return row->has_region;
    case UNFOUND: return row->has_image && !row->has_region;
    case TEXT: return !row->has_image;
    case FAILED: return row->has_error;
    case ANY_IMAGE: break;
    }
    return true;
}

static bool fits(const struct browse_row *row, const struct wanted *w)
{
    if (w->types != UINT64_MAX && !(row->types & w->types))
        return false;
    if (w->sources != UINT32_MAX && !(row->sources & w->sources))
        return false;
    if (w->score_max < 1 && !(row->score_min <= w->score_max))
        return false;
    for (size_t i = 0; i < BROWSE_RIVALS; i++)
        if (w->by[i].asks &&
            (!row->by[i].has ||
             (w->by[i].is_right ? row->by[i].wrong != 0 : !(row->by[i].wrong & w->by[i].wrong))))
            return false;
    return fits_image(row, w) && (w->corrected < 0 || w->corrected == (row->version > 0));
}

/* "key": what is wrong. */
static enum gm_status write_wrong(const char *key, unsigned wrong, struct gm_buf *out,
                                  struct gm_error *err)
{
    static const char *const names[] = {"span", "type", "entailment", "box"};
    enum gm_status st = GM_OK;
    const char *comma = "";
    GM_TRY(gm_buf_printf(out, err, ", \"%s\": [", key));
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (wrong & 1u << k) {
            GM_TRY(gm_buf_printf(out, err, "%s\"%s\"", comma, names[k]));
            comma = ", ";
        }
    GM_TRY(gm_buf_add_c(out, "]", err));
done:
    return st;
}

static enum gm_status write_row(const struct gm_browse *b, size_t i, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct browse_row *row = &b->rows[i];
    GM_TRY(gm_buf_printf(out, err, "{\"post\": %zu, \"id\": ", i));
    GM_TRY(gm_json_write_str(row->id, out, err));
    GM_TRY(gm_buf_add_c(out, ", \"text\": ", err));
    GM_TRY(gm_json_write_str(row->text, out, err));
    GM_TRY(gm_buf_printf(out, err, ", \"entities\": %u, \"version\": %zu, \"uncertainty\": ",
                         (unsigned)row->n_entities, row->version));
    GM_TRY(gm_buf_add_number(out, (double)row->uncertainty, 3, err));
    GM_TRY(gm_buf_printf(out, err, ", \"gold\": %s", row->by[BROWSE_GOLD].has ? "true" : "false"));
    GM_TRY(write_wrong("wrong", row->by[BROWSE_GOLD].wrong, out, err));
    GM_TRY(write_wrong("differs", row->by[BROWSE_BESIDE].wrong, out, err));
    for (size_t k = 0; k < BROWSE_LEASES; k++)
        if (b->leases[k].post == i && b->leases[k].until_ns > gm_now_ns()) {
            GM_TRY(gm_buf_add_c(out, ", \"locked\": ", err));
            GM_TRY(gm_json_write_str(gm_str(b->leases[k].name), out, err));
        }
    GM_TRY(gm_buf_add_c(out, "}", err));
done:
    return st;
}

static enum gm_status write_rows(const struct gm_browse *b, const struct wanted *w,
                                 bool by_uncertainty, size_t from, size_t count, struct gm_buf *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = 0;
    GM_TRY(gm_buf_add_c(out, "{\"rows\": [", err));
    for (size_t k = 0; k < b->n; k++) {
        size_t i = by_uncertainty ? b->by_uncertainty[k].row : k;
        if (!fits(&b->rows[i], w))
            continue;
        if (n >= from && n - from < count) {
            GM_TRY(gm_buf_add_c(out, n > from ? ", " : "", err));
            GM_TRY(write_row(b, i, out, err));
        }
        n++;
    }
    GM_TRY(gm_buf_printf(out, err, "], \"total\": %zu}", n));
done:
    return st;
}

enum gm_status gm_browse_rows(struct gm_browse *b, const struct gm_browse_filter *f, size_t from,
                              size_t count, struct gm_buf *out, struct gm_error *err)
{
    struct wanted w;
    pthread_mutex_lock(&b->lock);
    enum gm_status st = understand(b, f, &w, err);
    if (st == GM_OK)
        st = write_rows(b, &w, f->by_uncertainty, from, count, out, err);
    pthread_mutex_unlock(&b->lock);
    return st;
}

static enum gm_status write_names(const struct gm_str *names, size_t n, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "[", err));
    for (size_t i = 0; i < n; i++) {
        GM_TRY(gm_buf_add_c(out, i ? ", " : "", err));
        GM_TRY(gm_json_write_str(names[i], out, err));
    }
    GM_TRY(gm_buf_add_c(out, "]", err));
done:
    return st;
}

enum gm_status gm_browse_about(struct gm_browse *b, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    pthread_mutex_lock(&b->lock);
    GM_TRY(gm_buf_add_c(out, "{\"name\": ", err));
    GM_TRY(gm_json_write_str(gm_path_file(gm_str(b->path)), out, err));
    GM_TRY(gm_buf_printf(out, err,
                         ", \"posts\": %zu, \"corrected\": %zu, \"gold\": %s, \"types\": ", b->n,
                         b->n_corrected, b->rivals[BROWSE_GOLD] ? "true" : "false"));
    GM_TRY(write_names(b->types, b->n_types, out, err));
    GM_TRY(gm_buf_add_c(out, ", \"sources\": ", err));
    GM_TRY(write_names(b->sources, b->n_sources, out, err));
    GM_TRY(gm_buf_add_c(out, "}", err));
done:
    pthread_mutex_unlock(&b->lock);
    return st;
}
