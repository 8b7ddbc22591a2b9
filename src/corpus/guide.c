#include "corpus/guide.h"

#include "base/yaml.h"

enum { TEXT_MAX = 1 << 20 };

/* ---- what the file may hold ---- */

static enum gm_status check_share(const struct gm_json *j, const char *key, struct gm_error *err)
{
    double x = 0;
    const struct gm_json *value = gm_json_get(j, key);
    if (!value || (gm_json_num(value, &x) && x >= 0 && x <= 1))
        return GM_OK;
    return GM_FAIL(err, GM_EFORMAT, "\"%s\" must be a share from 0 to 1", key);
}

static enum gm_status check_keys(const struct gm_json *j, const char *const *known,
                                 struct gm_error *err)
{
    if (gm_json_kind(j) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EFORMAT, "a mapping is expected, and this is %s",
                       gm_json_kind_name(gm_json_kind(j)));
    for (void *it = gm_json_first(j); it; it = gm_json_next(j, it)) {
        size_t k = 0;
        while (known[k] && !gm_str_eq_c(gm_json_key(it), known[k]))
            k++;
        if (!known[k])
            return GM_FAIL(err, GM_EFORMAT, "unknown key \"%s\"", gm_json_key(it).p);
    }
    return GM_OK;
}

static enum gm_status check_examples(const struct gm_json *list, struct gm_error *err)
{
    struct gm_str s;
    if (list && gm_json_kind(list) != GM_JSON_ARRAY)
        return GM_FAIL(err, GM_EFORMAT, "\"examples\" must be a list of names");
    for (size_t i = 0; i < gm_json_count(list); i++)
        if (!gm_json_str(gm_json_at(list, i), &s))
            return GM_FAIL(err, GM_EFORMAT, "\"examples\": element %zu is no text", i + 1);
    return GM_OK;
}

static enum gm_status check_types(const struct gm_json *types, bool may_have_fine,
                                  struct gm_error *err);

static enum gm_status check_type(const struct gm_json *t, bool may_have_fine, struct gm_error *err)
{
    static const char *const known[] = {"definition", "entities", "in_image", "box",
                                        "several",    "examples", "fine",     NULL};
    enum gm_status st = GM_OK;
    struct gm_str s;
    double n = 0;
    GM_TRY(check_keys(t, known, err));
    if (gm_json_get(t, "definition") && !gm_json_str(gm_json_get(t, "definition"), &s))
        return GM_FAIL(err, GM_EFORMAT, "\"definition\" must be a text");
    if (gm_json_get(t, "entities") && !(gm_json_num(gm_json_get(t, "entities"), &n) && n >= 0))
        return GM_FAIL(err, GM_EFORMAT, "\"entities\" must be a number");
    if (gm_json_get(t, "fine") && !may_have_fine)
        return GM_FAIL(err, GM_EFORMAT, "a fine type has none below it");
    GM_TRY(check_share(t, "in_image", err));
    GM_TRY(check_share(t, "box", err));
    GM_TRY(check_share(t, "several", err));
    GM_TRY(check_examples(gm_json_get(t, "examples"), err));
    if (gm_json_get(t, "fine"))
        st = check_types(gm_json_get(t, "fine"), false, err);
done:
    return st;
}

static enum gm_status check_types(const struct gm_json *types, bool may_have_fine,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (gm_json_kind(types) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EFORMAT,
                       "types must be a mapping from a type to what is known of it");
    for (void *it = gm_json_first(types); it && st == GM_OK; it = gm_json_next(types, it)) {
        st = check_type(gm_json_value(it), may_have_fine, err);
        if (st != GM_OK)
            gm_error_prefix(err, "type \"%s\"", gm_json_key(it).p);
    }
    return st;
}

static enum gm_status check_file(const struct gm_json *j, struct gm_error *err)
{
    static const char *const known[] = {"posts",    "entities", "in_image", "handles",
                                        "hashtags", "types",    NULL};
    static const char *const marks[] = {"count", "entities", NULL};
    enum gm_status st = GM_OK;
    GM_TRY(check_keys(j, known, err));
    GM_TRY(check_share(j, "in_image", err));
    for (size_t i = 3; i < 5; i++) {
        const struct gm_json *m = gm_json_get(j, known[i]);
        if (!m)
            continue;
        GM_TRY(check_keys(m, marks, err));
        GM_TRY(check_share(m, "entities", err));
    }
    st = check_types(gm_json_get(j, "types"), true, err);
done:
    return st;
}

/* ---- as text for a prompt ---- */

static bool number(const struct gm_json *j, const char *key, double *x)
{
    return gm_json_num(gm_json_get(j, key), x);
}

/* "8.8%", "65%" and what follows. */
static enum gm_status put_percent(double share, const char *behind, struct gm_buf *out,
                                  struct gm_error *err)
{
    double x = 100 * share;
    return gm_buf_printf(out, err, x < 9.95 ? "%.2g%%%s" : "%.0f%%%s", x, behind);
}

static enum gm_status put_image(const struct gm_json *t, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double shown, x;
    if (!number(t, "in_image", &shown))
        return GM_OK;
    if (shown == 0)
        return gm_buf_add_c(out, " None of them is in the picture.", err);
    GM_TRY(gm_buf_add_c(out, " ", err));
    GM_TRY(put_percent(shown, " of them are in the picture", out, err));
    if (number(t, "box", &x)) {
        GM_TRY(gm_buf_add_c(out, ", in a box of mostly about ", err));
        GM_TRY(put_percent(x, " of it", out, err));
    }
    if (number(t, "several", &x) && x > 0) {
        GM_TRY(gm_buf_add_c(out, ", ", err));
        GM_TRY(put_percent(x, " in several", out, err));
    }
    st = gm_buf_add_c(out, ".", err);
done:
    return st;
}

static enum gm_status put_examples(const struct gm_json *list, struct gm_buf *out,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str name = GM_STR("");
    for (size_t i = 0; i < gm_json_count(list); i++) {
        (void)gm_json_str(gm_json_at(list, i), &name);
        GM_TRY(gm_buf_printf(out, err, "%s%.*s", i ? "; " : " For example: ", GM_STR_ARG(name)));
    }
    if (gm_json_count(list))
        st = gm_buf_add_c(out, ".", err);
done:
    return st;
}

/* "athlete 74%, musician 63%": the kinds below a type, and how often they are in the image. */
static enum gm_status put_fine(const struct gm_json *fine, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *before = "\n  Its kinds, and how many of them are in the picture: ";
    for (void *it = gm_json_first(fine); it; it = gm_json_next(fine, it)) {
        double shown;
        bool has = number(gm_json_value(it), "in_image", &shown);
        GM_TRY(gm_buf_printf(out, err, "%s%s%s", before, gm_json_key(it).p, has ? " " : ""));
        if (has)
            GM_TRY(put_percent(shown, "", out, err));
        before = ", ";
    }
    if (gm_json_count(fine))
        st = gm_buf_add_c(out, ".", err);
done:
    return st;
}

static enum gm_status put_type(const struct gm_guide *g, struct gm_str name,
                               const struct gm_json *t, double n_entities, struct gm_buf *out,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double n;
    GM_TRY(gm_buf_printf(out, err, "\n- %.*s:", GM_STR_ARG(name)));
    struct gm_str text = gm_guide_definition(g, name);
    if (text.n)
        GM_TRY(gm_buf_printf(out, err, " %.*s", GM_STR_ARG(text)));
    if (number(t, "entities", &n) && n_entities > 0) {
        GM_TRY(gm_buf_add_c(out, " ", err));
        GM_TRY(put_percent(n / n_entities, " of the entities.", out, err));
    }
    GM_TRY(put_image(t, out, err));
    GM_TRY(put_examples(gm_json_get(t, "examples"), out, err));
    st = put_fine(gm_json_get(t, "fine"), out, err);
done:
    return st;
}

static enum gm_status put_marks(const struct gm_json *file, const char *key, const char *what,
                                struct gm_buf *out, struct gm_error *err)
{
    double x;
    enum gm_status st = GM_OK;
    if (!number(gm_json_get(file, key), "entities", &x))
        return GM_OK;
    GM_TRY(gm_buf_add_c(out, "\n", err));
    st = put_percent(x, what, out, err);
done:
    return st;
}

static enum gm_status write_text(struct gm_guide *g, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double n = 0, shown;
    struct gm_buf b;
    const struct gm_json *types = gm_json_get(g->file, "types");
    gm_buf_init(&b, TEXT_MAX);
    (void)number(g->file, "entities", &n);
    GM_TRY(gm_buf_add_c(&b, "What is known of such posts:", err));
    if (number(g->file, "in_image", &shown)) {
        GM_TRY(gm_buf_add_c(&b, " ", err));
        GM_TRY(put_percent(shown, " of their entities are in the picture.", &b, err));
    }
    for (void *it = gm_json_first(types); it; it = gm_json_next(types, it))
        GM_TRY(put_type(g, gm_json_key(it), gm_json_value(it), n, &b, err));
    GM_TRY(put_marks(g->file, "handles", " of the handles (@name) are entities.", &b, err));
    GM_TRY(put_marks(g->file, "hashtags", " of the hashtags (#name) are entities.", &b, err));
    g->text = gm_arena_str(&g->arena, gm_buf_str(&b));
    if (!g->text.p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_buf_clear(&b);
    return st;
}

/* ---- the guide ---- */

static enum gm_status find_family(struct gm_guide *g, struct gm_error *err)
{
    const struct gm_json *types = gm_json_get(g->file, "types");
    struct gm_str *names = gm_arena_alloc(&g->arena, gm_json_count(types), sizeof *names);
    size_t n = 0;
    if (!names)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (void *it = gm_json_first(types); it; it = gm_json_next(types, it))
        names[n++] = gm_json_key(it);
    g->family = gm_type_family(names, n);
    return GM_OK;
}

enum gm_status gm_guide_load(struct gm_guide *g, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *g = (struct gm_guide){.text = GM_STR("")};
    gm_arena_init(&g->arena, 0);
    if (!path)
        return GM_OK;
    GM_TRY(gm_yaml_load(&g->file, path, err));
    st = check_file(g->file, err);
    if (st == GM_OK)
        st = find_family(g, err);
    if (st == GM_OK)
        st = write_text(g, err);
    if (st != GM_OK)
        gm_error_prefix(err, "%s", path);
done:
    if (st != GM_OK)
        gm_guide_clear(g);
    return st;
}

void gm_guide_clear(struct gm_guide *g)
{
    gm_json_free(g->file);
    g->file = NULL;
    g->text = GM_STR("");
    gm_arena_clear(&g->arena);
}

/* The definition in a mapping of types, or in one below one of them. */
static bool find(const struct gm_json *types, struct gm_str type, struct gm_str *out)
{
    for (void *it = gm_json_first(types); it; it = gm_json_next(types, it)) {
        const struct gm_json *t = gm_json_value(it);
        if ((gm_str_eq(gm_json_key(it), type) && gm_json_str(gm_json_get(t, "definition"), out)) ||
            find(gm_json_get(t, "fine"), type, out))
            return true;
    }
    return false;
}

struct gm_str gm_guide_definition(const struct gm_guide *g, struct gm_str type)
{
    struct gm_str text;
    if (find(gm_json_get(g->file, "types"), type, &text))
        return text;
    return gm_type_definition(type, g->family);
}

static bool is_before(const struct gm_str *types, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (gm_str_eq(types[k], types[i]))
            return true;
    return false;
}

enum gm_status gm_guide_definitions(const struct gm_guide *g, const struct gm_str *types, size_t n,
                                    struct gm_arena *a, struct gm_str *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf b;
    gm_buf_init(&b, TEXT_MAX);
    for (size_t i = 0; i < n; i++) {
        struct gm_str text = gm_guide_definition(g, types[i]);
        if (text.n && !is_before(types, i))
            GM_TRY(gm_buf_printf(&b, err, "%s%.*s: %.*s", b.n ? "\n" : "", GM_STR_ARG(types[i]),
                                 GM_STR_ARG(text)));
    }
    *out = gm_arena_str(a, gm_buf_str(&b));
    if (!out->p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_buf_clear(&b);
    return st;
}
