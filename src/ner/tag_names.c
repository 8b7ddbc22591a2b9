#include "ner/tag_names.h"

#include <string.h>

enum form { PREFIX, SUFFIX, BARE };

/* In our letters; 0 = none. */
static char letter(char c)
{
    static const char theirs[] = "BIESLUMWbieslumw", ours[] = "BIESESISBIESESIS";
    const char *at = c ? strchr(theirs, c) : NULL;
    return at ? ours[at - theirs] : '\0';
}

static bool is_mark(char c) { return c == '-' || c == '_'; }

static bool is_outside(struct gm_str name)
{
    return gm_str_eq_c(name, "O") || gm_str_eq_c(name, "o");
}

/* Whether a label has this form, and what it is then. */
static bool parse(enum form form, struct gm_str name, struct gm_tag_name *out)
{
    size_t n = name.n;
    char c = '\0';
    *out = (struct gm_tag_name){'I', name};
    if (is_outside(name)) {
        out->prefix = 'O';
        return true;
    }
    if (form == BARE)
        return true;
    if (n > 2 && form == PREFIX && is_mark(name.p[1])) {
        c = letter(name.p[0]);
        out->type = gm_str_sub(name, 2, n);
    } else if (n > 2 && form == SUFFIX && is_mark(name.p[n - 2])) {
        c = letter(name.p[n - 1]);
        out->type = gm_str_sub(name, 0, n - 2);
    }
    out->prefix = c;
    return c != '\0';
}

/* What a form makes of all names. */
struct fit {
    size_t n_begin, n_inside, n_end, n_outside, n_not;
    struct gm_str first_not; /* the first label that does not have the form */
};

static struct fit fit_of(enum form form, const struct gm_str *names, size_t n)
{
    struct fit f = {0};
    for (size_t i = 0; i < n; i++) {
        struct gm_tag_name t;
        if (parse(form, names[i], &t)) {
            f.n_begin += t.prefix == 'B';
            f.n_inside += t.prefix == 'I';
            f.n_end += t.prefix == 'E' || t.prefix == 'S';
            f.n_outside += t.prefix == 'O';
        } else if (f.n_not++ == 0) {
            f.first_not = names[i];
        }
    }
    return f;
}

/* A form other than BARE needs labels that only a scheme has: types may well be called e-mail and vitamin-b. */
static bool is_tagged(enum form form, const struct fit *f)
{
    bool begins = f->n_begin > 0 && (form == PREFIX || f->n_inside > 0);
    return begins || (f->n_inside > 0 && !f->n_begin && !f->n_end);
}

static bool is_type(enum form form, struct gm_str name, const struct gm_str *names, size_t n)
{
    struct gm_tag_name t;
    for (size_t i = 0; i < n; i++)
        if (parse(form, names[i], &t) && t.prefix != 'O' && gm_str_eq(t.type, name))
            return true;
    return false;
}

/* Whether all labels have the form, and one is outside: O, or else the only one without it. */
static bool is_whole(enum form form, const struct fit *f, const struct gm_str *names, size_t n)
{
    if (!is_tagged(form, f) || f->n_not > 1 || f->n_not + f->n_outside == 0)
        return false;
    return f->n_not == 0 || (f->n_outside == 0 && !is_type(form, f->first_not, names, n));
}

static enum gm_status refuse(const struct gm_str *names, size_t n, struct gm_error *err)
{
    for (enum form form = PREFIX; form < BARE; form++) {
        struct fit f = fit_of(form, names, n);
        if (is_tagged(form, &f) && f.n_not)
            return GM_FAIL(
                err, GM_EMODEL,
                "the labels of \"id2label\" are no BIO, BIOES, BILOU, BMES or IO tags (one "
                "has a letter such as B- for its place in an entity, but not %.*s)",
                GM_STR_ARG(f.first_not));
    }
    return GM_FAIL(
        err, GM_EMODEL,
        "the labels of \"id2label\" are no BIO, BIOES, BILOU, BMES or IO tags (there is no O, the label "
        "of words outside of entities; give that label the name O there)");
}

enum gm_status gm_tag_names_read(const struct gm_str *names, size_t n, struct gm_arena *a,
                                 struct gm_tag_names *out, struct gm_error *err)
{
    struct fit f = {0};
    enum form form = PREFIX;
    bool has_tags = false;
    *out = (struct gm_tag_names){.items = gm_arena_alloc(a, n, sizeof *out->items)};
    if (!out->items)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu labels", n);
    for (; form < BARE; form++) {
        f = fit_of(form, names, n);
        if (is_whole(form, &f, names, n))
            break;
        has_tags = has_tags || is_tagged(form, &f);
    }
    if (form == BARE && (has_tags || fit_of(BARE, names, n).n_outside == 0))
        return refuse(names, n, err);
    for (size_t i = 0; i < n; i++)
        if (!parse(form, names[i], &out->items[i]))
            out->items[i] = (struct gm_tag_name){'O', names[i]};
    out->scheme = form < BARE && f.n_end ? GM_TAGS_BIOES : GM_TAGS_BIO;
    out->runs = form == BARE || !f.n_begin;
    return GM_OK;
}
