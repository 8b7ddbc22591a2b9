/* A guide's YAML from what was counted. */
#include "corpus/guide_count.h"
#include "corpus/type_definitions.h"

static const struct gm_guide_type *type_at(const struct gm_guide_count *c, uint32_t i)
{
    return (const struct gm_guide_type *)(const void *)c->by_type.p + i;
}

static double share(size_t n, size_t of) { return of ? (double)n / (double)of : 0; }

/* The type's own name: of "PER\tathlete" the second half. */
static struct gm_str own_name(const struct gm_guide_count *c, uint32_t i)
{
    struct gm_str coarse, fine, name = gm_labels_at(&c->types, i);
    return gm_str_cut(name, '\t', &coarse, &fine) ? fine : name;
}

static enum gm_status put_number(const char *key, double x, struct gm_buf *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, key, err));
    GM_TRY(gm_buf_add_number(out, x, 3, err));
    st = gm_buf_add_c(out, "\n", err);
done:
    return st;
}

/* The most frequent name that is not yet said; of equals the first. SIZE_MAX: there is none. */
static size_t next_name(const struct gm_guide_type *t, const size_t *said, size_t n_said)
{
    const size_t *by_name = (const size_t *)(const void *)t->by_name.p;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < t->names.n; i++) {
        size_t k = 0;
        while (k < n_said && said[k] != i)
            k++;
        if (k == n_said && (best == SIZE_MAX || by_name[i] > by_name[best]))
            best = i;
    }
    return best;
}

static enum gm_status put_names(const struct gm_guide_type *t, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t said[GM_GUIDE_EXAMPLES], n = 0;
    GM_TRY(gm_buf_add_c(out, "examples: [", err));
    while (n < GM_GUIDE_EXAMPLES && (said[n] = next_name(t, said, n)) != SIZE_MAX) {
        GM_TRY(gm_buf_add_c(out, n ? ", " : "", err));
        GM_TRY(gm_json_write_str(gm_labels_at(&t->names, (uint32_t)said[n]), out, err));
        n++;
    }
    st = gm_buf_add_c(out, "]\n", err);
done:
    return st;
}

/* The user's definition, else one of ours. */
static struct gm_str definition(const struct gm_json *own, struct gm_str type,
                                enum gm_type_family family)
{
    struct gm_str text;
    for (void *it = gm_json_first(own); it; it = gm_json_next(own, it))
        if (gm_str_eq(gm_json_key(it), type) && gm_json_str(gm_json_value(it), &text))
            return text;
    return gm_type_definition(type, family);
}

static enum gm_status put_type(struct gm_guide_type *t, bool has_boxes, const char *indent,
                               struct gm_str text, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err, "%sdefinition: ", indent));
    GM_TRY(gm_json_write_str(text, out, err));
    GM_TRY(gm_buf_printf(out, err, "\n%sentities: %zu\n", indent, t->n));
    if (has_boxes) {
        GM_TRY(gm_buf_add_c(out, indent, err));
        GM_TRY(put_number("in_image: ", share(t->n_shown, t->n), out, err));
    }
    if (t->n_shown && gm_spread_count(&t->area)) {
        GM_TRY(gm_buf_add_c(out, indent, err));
        GM_TRY(put_number("box: ", gm_spread_quantile(&t->area, 0.5), out, err));
    }
    if (t->n_shown) {
        GM_TRY(gm_buf_add_c(out, indent, err));
        GM_TRY(put_number("several: ", share(t->n_several, t->n_shown), out, err));
    }
    GM_TRY(gm_buf_add_c(out, indent, err));
    st = put_names(t, out, err);
done:
    return st;
}

/* All types below `under`, in the order of their first entities. */
static enum gm_status put_types(struct gm_guide_count *c, uint32_t under, const char *key,
                                const char *indent, const char *within, const struct gm_json *own,
                                enum gm_type_family family, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (uint32_t i = 0; i < c->types.n; i++) {
        struct gm_guide_type *t = (struct gm_guide_type *)(void *)c->by_type.p + i;
        struct gm_str name = own_name(c, i);
        if (t->under != under)
            continue;
        GM_TRY(gm_buf_add_c(out, key, err));
        key = "";
        GM_TRY(gm_buf_add_c(out, indent, err));
        GM_TRY(gm_json_write_str(name, out, err));
        GM_TRY(gm_buf_add_c(out, ":\n", err));
        GM_TRY(put_type(t, c->n_shown > 0, within, definition(own, name, family), out, err));
        if (under == GM_LABEL_NONE)
            GM_TRY(put_types(c, i, "    fine:\n", "      ", "        ", own, family, out, err));
    }
done:
    return st;
}

static enum gm_type_family family_of(const struct gm_guide_count *c, struct gm_arena *a)
{
    struct gm_str *names = gm_arena_alloc(a, c->types.n, sizeof *names);
    size_t n = 0;
    for (uint32_t i = 0; names && i < c->types.n; i++)
        if (type_at(c, i)->under == GM_LABEL_NONE)
            names[n++] = own_name(c, i);
    return gm_type_family(names, n);
}

static enum gm_status put_marks(const char *what, size_t n, size_t n_entities, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (n == 0)
        return GM_OK;
    GM_TRY(gm_buf_printf(out, err, "%s: {count: %zu, entities: ", what, n));
    GM_TRY(gm_buf_add_number(out, share(n_entities, n), 3, err));
    st = gm_buf_add_c(out, "}\n", err);
done:
    return st;
}

enum gm_status gm_guide_count_write(struct gm_guide_count *c, const struct gm_json *definitions,
                                    struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(gm_buf_printf(out, err,
                         "# What annotated posts tell of their entity types, for prompts; drawn by "
                         "`gmner guide`, to be changed\n"
                         "# by hand at will. Shares are of 1; `in_image` of entities, `box` (the "
                         "median) of a picture, `several` of\n"
                         "# the entities in the image.\nposts: %zu\nentities: %zu\n",
                         c->n_posts, c->n_entities));
    if (c->n_shown)
        GM_TRY(put_number("in_image: ", share(c->n_shown, c->n_entities), out, err));
    GM_TRY(put_marks("handles", c->n_handles, c->n_handle_entities, out, err));
    GM_TRY(put_marks("hashtags", c->n_hashtags, c->n_hashtag_entities, out, err));
    GM_TRY(gm_buf_add_c(out, "types:\n", err));
    st = put_types(c, GM_LABEL_NONE, "", "  ", "    ", definitions, family_of(c, &a), out, err);
done:
    gm_arena_clear(&a);
    return st;
}
